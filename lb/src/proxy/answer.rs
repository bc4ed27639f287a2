//! Answers to the client: the program's own, which are written here, and the header of a server's.

use std::sync::Arc;
use std::time::Instant;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LAST_MODIFIED};
use http::{HeaderValue, Method, StatusCode, Version};
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

use super::context::{Request, unexpected};
use super::filtered::{self, Filtering};
use super::filtering::OfFile;
use super::finish::finish;
use super::simple_values::host_field;
use super::{file, filtering, gather};
use crate::content::{Answer, page, redirect};
use crate::request::Content;
use crate::request::headers::ranges::{self, Share};
use crate::request::headers::to_client;
use crate::request::pace::Pace;
use crate::routing::redirect::{self as own_redirect, Origin};

/// Makes what `content` says, and writes it.
pub(super) async fn content(
    session: &mut Session,
    request: &mut Request,
    content: Content,
    now: Instant,
) -> Result<()> {
    if let Some(inside) = &mut request.inside {
        inside.is_page = matches!(content, Content::Page(..));
    }
    let server_tokens = request.state.server_tokens();
    let answer = match content {
        Content::File => return Box::pin(file::write(session, request, now)).await,
        Content::Page(_, status) => Answer::standard(status, server_tokens),
        Content::Text { status, body } => match request.state.location() {
            Some(location) => {
                let path = request.state.uri.path(request.facts.path_and_query());
                redirect::text(status, body, location, path)
            }
            None => Answer::standard(status, server_tokens),
        },
        Content::Connections => {
            let text = request.facts.connection.drain().totals().to_string();
            // As nginx, without a character set.
            Answer {
                content_type: Some(HeaderValue::from_static("text/plain")),
                ..Answer::text(StatusCode::OK, text)
            }
        }
        Content::Redirect { status, location } => {
            let location = match request.state.location() {
                Some(known) => {
                    let origin = origin(request, session.req_header());
                    own_redirect::absolute(&known.settings.core, &origin, &location).into_owned()
                }
                None => location,
            };
            redirect::redirect(status, location, server_tokens)
        }
    };
    write(session, request, answer, now).await
}

/// What makes a redirect to a path of this program absolute.
fn origin<'a>(request: &'a Request, received: &'a RequestHeader) -> Origin<'a> {
    Origin {
        requested: host_field(received),
        server_name: request.server().map_or("", |server| &server.first_name),
        secure: request.facts.connection.tls().is_some(),
        local: request.facts.connection.local,
    }
}

/// Writes `answer`, with the fields that the request's location asks for where there is one.
pub(super) async fn write(
    session: &mut Session,
    request: &mut Request,
    answer: Answer,
    now: Instant,
) -> Result<()> {
    let mut header = ResponseHeader::build(answer.status, Some(answer.headers.len() + 4))?;
    header.set_reason_phrase(Some(page::status_phrase(answer.status)))?;
    let server_tokens = request.state.server_tokens();
    to_client::own(&mut header, &answer, server_tokens)?;
    // What sets a `Server` here is the configuration (`add_header`), not a server.
    finish(&mut header, session, request, true, now)?;
    let mut chain = filtering::begin(&mut header, session, request, OfFile::default(), now)?;
    to_client::drop_type(&mut header, &answer)?;
    let head_only = session.req_header().method == Method::HEAD;
    let has_body =
        to_client::has_body(answer.status) && !head_only && (!answer.body.is_empty() || chain.is_some());
    if !has_body {
        return session.write_response_header(Box::new(header), true).await;
    }
    session.write_response_header(Box::new(header), false).await?;
    match &mut chain {
        None => session.write_response_body(Some(answer.body), true).await?,
        Some(chain) => {
            filtered::write(session, chain, &mut None, answer.body, true).await?;
            request.state.compressed = chain.compressed();
        }
    }
    Ok(())
}

/// Makes the header of a server's answer the client's.
pub(super) fn take_over(
    answer: &mut ResponseHeader,
    session: &mut Session,
    request: &mut Request,
    draining: bool,
    now: Instant,
) -> Result<()> {
    if answer.status == StatusCode::SWITCHING_PROTOCOLS {
        // A client of another protocol may be silent; `proxy_read_timeout` watches over both ends.
        session.set_read_timeout(None);
        request.facts.reply.switch_protocols();
    }
    let without_chunks = session.req_header().version == Version::HTTP_10
        || request.state.location().is_some_and(|at| !at.settings.core.chunked_transfer_encoding);
    let framing = request.state.tries().last().and_then(|last| last.framing);
    let ends = match framing {
        Some(framing) => framing.ends_without_chunks(),
        // Out of the cache, without a try.
        None => answer.headers.contains_key(CONTENT_LENGTH) || !to_client::has_body(answer.status),
    };
    let endless = without_chunks && !ends;
    if endless || draining {
        session.set_keepalive(None);
    }
    let Some(proxying) = request.state.proxying() else { return unexpected() };
    let proxy = Arc::clone(&proxying.target.proxy);
    let found = to_client::take_over(answer, &proxy);
    if answer.status == StatusCode::NO_CONTENT
        && (answer.version == Version::HTTP_2 || request.facts.connection.http2)
    {
        // As in nginx: only a status line of the server's own, over HTTP/1.1 on both sides, keeps them.
        answer.remove_header(&CONTENT_TYPE);
        answer.remove_header(&LAST_MODIFIED);
    }
    if found.rewritable {
        let core = request.state.location().map(|location| &location.settings.core);
        let origin = core.and_then(|core| own_redirect::origin(core, &origin(request, session.req_header())));
        let mut values = request.values(session.req_header(), None, now);
        to_client::rewrite(answer, &proxy, &mut values, origin)?;
    }
    if let Some(rate) = found.rate {
        request.state.set_limit_rate(rate);
    }
    if found.charset.is_some() {
        request.asked_charset = found.charset;
    }
    request.taken = Pace::new(proxy.settings.limit_rate, 0, now);
    request.sent = request.pace(session.req_header(), now);
    if let Some(status) = request.state.status() {
        if session.req_header().method != Method::HEAD {
            to_client::give_body(answer, answer.status, status, without_chunks)?;
        }
        answer.set_status(status)?;
        answer.set_reason_phrase(Some(page::status_phrase(status)))?;
    }
    if answer.version == Version::HTTP_2 {
        // HTTP/2 has no words for a status, and nginx has its own.
        answer.set_reason_phrase(Some(page::status_phrase(answer.status)))?;
    }
    // The version on the wire is this hop's: an HTTP/1.0 server does not make the client's connection one.
    if answer.version == Version::HTTP_10 {
        answer.set_version(Version::HTTP_11);
    }
    finish(answer, session, request, proxy.passes_server, now)?;
    if request.state.location().is_some_and(|location| location.changes_bodies)
        && !request.is_background
        && let Some(chain) = filtering::begin(answer, session, request, OfFile::default(), now)?
    {
        // What the client is to get counts for its pace, and that is known behind the filters.
        let filtering = Filtering::new(chain, request.sent.take());
        request.gathering = Some(gather::filter(session, filtering));
        return Ok(());
    }
    if proxy.settings.force_ranges && answer.status == StatusCode::OK && !session.cache.enabled() {
        let max_ranges = request.state.location().and_then(|at| at.settings.static_files.max_ranges);
        if let Share::Part(cut) = ranges::force(answer, &session.req_header().headers, max_ranges)? {
            let status = StatusCode::PARTIAL_CONTENT;
            answer.set_status(status)?;
            answer.set_reason_phrase(Some(page::status_phrase(status)))?;
            request.cut = Some(cut);
        }
    }
    if request.state.location().is_some_and(|location| location.access_logs.is_empty()) {
        request.facts.reply.forget_fields();
    }
    Ok(())
}

/// Whether the client has part of an answer.
pub(super) fn answer_begun(session: &Session) -> bool {
    // A 101 is an answer: what follows it is another protocol.
    session.was_upgraded()
        || session.response_written().is_some_and(|answer| !answer.status.is_informational())
}
