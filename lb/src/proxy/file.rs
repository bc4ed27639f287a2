//! Files and lists of directories as answers: opens what `request/` names, decides with `content/file` what is sent, and
//! writes it to the client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderValue, RANGE, TRANSFER_ENCODING, VARY};
use http::{HeaderMap, Method, StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;

use super::context::{Request, unexpected};
use super::filtering::OfFile;
use super::ready::{Ready, Source};
use super::{compose, filtered, filtering, finish, record};
use crate::config::model::{AutoindexFormat, Charset, GzipStatic, Location, Settings};
use crate::content::file::answer::{self as decided, Facts, FileAnswer, Piece, Pieces};
use crate::content::file::{listing, listing_data, media};
use crate::content::page;
use crate::files::{self, Compressed, FileError, Kind, Meaning, Opened, PIECE_BYTES, SUFFIXES, Wanted};
use crate::filter::Chain;
use crate::observe::clock;
use crate::request::headers::{bodies, encodings, to_client};
use crate::request::pace::Pace;
use crate::request::{Open, Opening, Question};
use crate::script::{Template, Variable};

/// The number of the next answer with several parts.
static BOUNDARY: AtomicU64 = AtomicU64::new(1);

/// Opens a file, and decides the answer with it.
pub(super) async fn open(session: &Session, request: &mut Request, open: Open, now: Instant) -> Opening {
    let Some(location) = request.state.location().cloned() else { return Opening::Failed };
    let received = session.req_header();
    // A subrequest's file is whole and as it is: conditions, ranges and codings are about the answer to the client.
    let mut heard = HeaderMap::new();
    let is_inside = request.state.outer().is_some();
    let is_composed = compose::composes(&location);
    if is_composed && !is_inside {
        heard.clone_from(&received.headers);
        heard.remove(RANGE);
    }
    let asked = if is_inside || is_composed { &heard } else { &received.headers };
    let compressed = match open.may_be_compressed && !is_inside {
        true => compressed(received, request, &location.settings),
        false => [Compressed::Ignored; SUFFIXES.len()],
    };
    let wanted = Wanted { links: open.links, compressed, content: !open.head_only };
    let opened = match files::open(open.path, wanted).await {
        Ok(opened) => opened,
        Err(error) => return failed(session, request, &location, &error),
    };
    match opened.kind {
        Kind::File => {}
        Kind::Directory => return Opening::Directory,
        Kind::Other => {
            record::no_regular_file(session, request, &opened.path);
            return Opening::Other;
        }
    }
    let path = request.state.uri.path(request.facts.path_and_query());
    let media_type = media::by_extension(&location.settings.types, path);
    let content_type = content_type(request, received, &location.settings.charset, media_type, now);
    let facts = Facts {
        length: opened.length,
        modified: opened.modified,
        content_type: content_type.as_ref(),
        encoding: opened.suffix.map(|index| CODINGS[index]),
        changes: location.changes_bodies
            && would_change(session, request, &location, content_type.as_ref(), &opened),
        varies: opened.has_compressed && location.settings.gzip.vary,
        // What answers in place of an error is answered with as a whole.
        conditional: request.state.status().is_none_or(|status| status == StatusCode::OK),
    };
    let boundary = || BOUNDARY.fetch_add(1, Ordering::Relaxed);
    match decided::respond(asked, facts, &location.settings.static_files, boundary) {
        Ok(answer) => {
            let source = match opened.content {
                Some(content) => Source::Memory(content),
                None => Source::Disk(opened.file),
            };
            request.ready = Some(Box::new(Ready { answer, source }));
            Opening::Ready
        }
        Err(refused) => {
            // Another method is refused for itself.
            let may_ask = request.state.is_get() || matches!(received.method, Method::GET | Method::HEAD);
            request.refused_with = refused.field.filter(|_| may_ask);
            Opening::Refused(refused.status)
        }
    }
}

/// The codings of files with [`SUFFIXES`].
const CODINGS: [&str; SUFFIXES.len()] = ["br", "zstd", "gzip"];

/// Which compressed files may take the place of the wanted one.
fn compressed(
    received: &RequestHeader,
    request: &mut Request,
    settings: &Settings,
) -> [Compressed; SUFFIXES.len()] {
    let one = |given: GzipStatic, takes: &mut dyn FnMut() -> bool| match given {
        GzipStatic::Off => Compressed::Ignored,
        GzipStatic::Always => Compressed::Forced,
        GzipStatic::On if takes() => Compressed::Taken,
        GzipStatic::On if settings.gzip.vary => Compressed::Noticed,
        GzipStatic::On => Compressed::Ignored,
    };
    let fields = &received.headers;
    let mut takes_gzip = || {
        let nothing = HeaderMap::new();
        let takes =
            encodings::takes_gzip(fields, received.version, &settings.gzip, &nothing, filtering::seconds);
        // As in nginx, it is not asked again once the answer's fields are known.
        request.takes_gzip = Some(takes);
        takes
    };
    [
        one(settings.compression.brotli_static, &mut || encodings::takes_brotli(fields)),
        one(settings.compression.zstd_static, &mut || encodings::takes_zstd(fields)),
        one(settings.static_files.gzip, &mut takes_gzip),
    ]
}

/// Whether the bytes of an opened file will be others for this client.
fn would_change(
    session: &Session,
    request: &Request,
    location: &Location,
    content_type: Option<&HeaderValue>,
    opened: &Opened,
) -> bool {
    let status = request.state.status().unwrap_or(StatusCode::OK);
    let mut fields = HeaderMap::new();
    if let Some(index) = opened.suffix {
        fields.insert(CONTENT_ENCODING, HeaderValue::from_static(CODINGS[index]));
    }
    let answer = bodies::Answer { status, fields: &fields, content_type, length: Some(opened.length) };
    filtering::would_change(session, request, location, answer)
}

/// Lists a directory.
pub(super) async fn list(session: &Session, request: &mut Request, asked: Question, now: Instant) -> Opening {
    let Some(location) = request.state.location().cloned() else { return Opening::Failed };
    let mut entries = match files::list(asked.path, asked.links).await {
        Ok(entries) => entries,
        Err(error) => return failed(session, request, &location, &error),
    };
    listing::sort(&mut entries);
    let settings = &location.settings.autoindex;
    let received = session.req_header();
    let callback = match settings.format {
        AutoindexFormat::Jsonp => {
            let template = Template::variable(Variable::Argument("callback".into()));
            let mut name = Vec::new();
            template.render(&mut request.values(received, None, now), &mut name);
            name
        }
        _ => Vec::new(),
    };
    let Ok(callback) = listing_data::callback(Some(&callback)) else {
        return Opening::Refused(StatusCode::BAD_REQUEST);
    };
    let media_type = match settings.format {
        AutoindexFormat::Html => "text/html",
        AutoindexFormat::Json => "application/json",
        AutoindexFormat::Jsonp if callback.is_none() => "application/json",
        AutoindexFormat::Jsonp => "application/javascript",
        AutoindexFormat::Xml => "text/xml; charset=utf-8",
    };
    let content_type = content_type(request, received, &location.settings.charset, media_type, now);
    let body = match settings.format {
        AutoindexFormat::Html => {
            let utf8 = content_type
                .as_ref()
                .is_some_and(|value| value.as_bytes().to_ascii_lowercase().ends_with(b"charset=utf-8"));
            let ahead = if settings.local_time { clock::ahead_of_utc(SystemTime::now()) } else { 0 };
            let page = listing::Page { exact_size: settings.exact_size, ahead, utf8 };
            listing::html(request.state.uri.path(request.facts.path_and_query()), &entries, page)
        }
        AutoindexFormat::Json => listing_data::json(&entries),
        AutoindexFormat::Jsonp => listing_data::jsonp(callback, &entries),
        AutoindexFormat::Xml => listing_data::xml(&entries),
    };
    let answer = FileAnswer {
        status: StatusCode::OK,
        content_type,
        length: None,
        fields: smallvec::SmallVec::new(),
        pieces: Pieces::from_elem(Piece::File(0..body.len() as u64), 1),
    };
    request.ready = Some(Box::new(Ready { answer, source: Source::Memory(Bytes::from(body)) }));
    Opening::Ready
}

fn failed(session: &Session, request: &Request, location: &Location, error: &FileError) -> Opening {
    let (opening, is_told) = match error.meaning() {
        Meaning::Missing => (Opening::Missing, location.settings.static_files.log_not_found),
        Meaning::Forbidden => (Opening::Forbidden, true),
        Meaning::Failed => (Opening::Failed, true),
    };
    if is_told {
        record::file_failed(session, request, error);
    }
    opening
}

/// A media type with the character set that the location gives it.
fn content_type(
    request: &mut Request,
    received: &RequestHeader,
    charset: &Charset,
    media_type: &str,
    now: Instant,
) -> Option<HeaderValue> {
    let name = charset.name.as_ref().map(|name| {
        let mut value = Vec::new();
        name.render(&mut request.values(received, None, now), &mut value);
        String::from_utf8_lossy(&value).into_owned()
    });
    let with_charset = name.and_then(|name| media::with_charset(media_type, &name, &charset.types));
    let content_type = with_charset.as_deref().unwrap_or(media_type);
    // An empty type is none.
    HeaderValue::from_str(content_type).ok().filter(|content_type| !content_type.is_empty())
}

/// Writes what was opened.
pub(super) async fn write(session: &mut Session, request: &mut Request, now: Instant) -> Result<()> {
    let Some(ready) = request.ready.take() else { return unexpected() };
    let Ready { answer, source } = *ready;
    let status = request.state.status().filter(|_| answer.status == StatusCode::OK).unwrap_or(answer.status);
    let mut header = ResponseHeader::build(status, Some(answer.fields.len() + 6))?;
    header.set_reason_phrase(Some(page::status_phrase(status)))?;
    to_client::file(&mut header, &answer, request.state.server_tokens())?;
    let is_empty = answer.length == Some(0) || answer.pieces.is_empty();
    let is_head = session.req_header().method == Method::HEAD;
    let without_chunks = session.req_header().version < Version::HTTP_11
        || request.state.location().is_some_and(|at| !at.settings.core.chunked_transfer_encoding);
    if answer.length.is_none() && to_client::has_body(status) && without_chunks && !is_head {
        // Its end is that of the connection.
        session.set_keepalive(None);
    }
    finish::finish(&mut header, session, request, true, now)?;
    let of_file = OfFile {
        varied: answer.fields.iter().any(|(name, _)| *name.name() == VARY),
        in_parts: answer.status == StatusCode::PARTIAL_CONTENT,
    };
    let mut chain = filtering::begin(&mut header, session, request, of_file, now)?;
    if is_head {
        // As in nginx, nothing is said of a length that only sending would show.
        header.remove_header(&TRANSFER_ENCODING);
    }
    let head_only = is_head || (is_empty && chain.is_none());
    let pace = request.pace(session.req_header(), now);
    session.write_response_header(Box::new(header), head_only).await?;
    if head_only {
        return Ok(());
    }
    if let Some(chain) = chain.as_mut().filter(|_| is_empty) {
        return filtered::write(session, chain, &mut None, Bytes::new(), true).await;
    }
    let mut sending = Sending { session, pace, chain: chain.as_mut() };
    let last = answer.pieces.len() - 1;
    for (index, piece) in answer.pieces.into_iter().enumerate() {
        sending.piece(piece, &source, index == last).await?;
    }
    request.state.compressed = chain.and_then(|chain| chain.compressed());
    Ok(())
}

/// A body on its way to the client.
struct Sending<'a> {
    session: &'a mut Session,
    pace: Option<Pace>,
    /// What changes the bytes before they are written.
    chain: Option<&'a mut Chain>,
}

impl Sending<'_> {
    async fn piece(&mut self, piece: Piece, source: &Source, is_last: bool) -> Result<()> {
        let span = match piece {
            Piece::Text(text) => return self.bytes(text, is_last).await,
            Piece::File(span) => span,
        };
        let mut at = span.start;
        while at < span.end {
            let most = self.pace.map_or(PIECE_BYTES as u64, |pace| pace.piece(PIECE_BYTES as u64));
            let length = (span.end - at).min(most);
            let bytes = match source {
                Source::Memory(all) => slice(all, at, length),
                Source::Disk(file) => match files::read(Arc::clone(file), at, length).await {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        return Error::e_because(ErrorType::ReadError, "a file cannot be read", error);
                    }
                },
            };
            at += bytes.len() as u64;
            if bytes.is_empty() {
                // Its length has been promised: only the end of the connection tells that it has become shorter.
                return Error::e_explain(ErrorType::ReadError, "a file has become shorter while it was sent");
            }
            self.bytes(bytes, is_last && at >= span.end).await?;
        }
        Ok(())
    }

    async fn bytes(&mut self, bytes: Bytes, is_last: bool) -> Result<()> {
        if let Some(chain) = self.chain.as_deref_mut() {
            return filtered::write(self.session, chain, &mut self.pace, bytes, is_last).await;
        }
        if let Some(wait) = self.pace.as_mut().and_then(|pace| pace.before(bytes.len(), Instant::now())) {
            pingora_timeout::sleep(wait).await;
        }
        self.session.write_response_body(Some(bytes), is_last).await
    }
}

fn slice(all: &Bytes, at: u64, length: u64) -> Bytes {
    let start = usize::try_from(at).unwrap_or(usize::MAX).min(all.len());
    let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(all.len());
    all.slice(start..end)
}
