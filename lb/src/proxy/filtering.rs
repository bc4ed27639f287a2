//! Bodies of answers that change on their way: makes the chain of filters that `request/headers/bodies` has decided on.
//! [`super::filtered`] feeds it.

use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode, Version};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

use super::context::Request;
use super::filtered::failed;
use crate::config::model::{Location, Settings};
use crate::filter::brotli::Brotli;
use crate::filter::gunzip::Gunzip;
use crate::filter::gzip::Gzip;
use crate::filter::substitute::{Needles, Substitute};
use crate::filter::zstd::Zstd;
use crate::filter::{Chain, FilterError};
use crate::observe::clock;
use crate::request::headers::bodies::{self, Coding, Plan, Telling};
use crate::request::headers::to_client;
use crate::script::Template;

/// What is known of an answer with a file, beside its header.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OfFile {
    /// The header says already that the answer varies.
    pub(super) varied: bool,
    /// Ranges have been cut out of it, which nginx does behind the filters.
    pub(super) in_parts: bool,
}

/// Decides what is done with the body of an answer whose header is otherwise complete, and makes the header say so. `None`
/// where the body does not change.
pub(super) fn begin(
    answer: &mut ResponseHeader,
    session: &mut Session,
    request: &mut Request,
    file: OfFile,
    now: Instant,
) -> Result<Option<Chain>> {
    let Some(location) = request.state.location().filter(|location| location.changes_bodies).cloned() else {
        return Ok(None);
    };
    let status = if file.in_parts { StatusCode::OK } else { answer.status };
    let known = bodies::Answer::of(status, &answer.headers);
    let length = known.length;
    let mut plan = bodies::decide(&location.settings, client(session, request), known);
    if request.inside.is_some() {
        // What is compressed is the whole answer, and that goes to a client.
        (plan.coding, plan.varies) = (None, false);
    }
    if request.composes {
        // That is done to each part.
        (plan.unpack, plan.substitute) = (false, false);
    }
    if file.in_parts {
        plan = Plan { varies: plan.varies, ..Plan::default() };
    }
    let substitute = if plan.substitute { substitute(session, request, &location, now) } else { None };
    plan.substitute = substitute.is_some();
    let received = session.req_header();
    let in_chunks = received.version >= Version::HTTP_11 && location.settings.core.chunked_transfer_encoding;
    let has_body = to_client::has_body(answer.status) && received.method != Method::HEAD;
    bodies::apply(plan, &location.settings, answer, Telling { has_body, in_chunks }, file.varied)?;
    if !plan.changes_body() || !has_body {
        return Ok(None);
    }
    if !in_chunks {
        // Its end is that of the connection.
        session.set_keepalive(None);
    }
    let mut chain = Chain::default();
    if plan.unpack {
        chain.push(Box::new(Gunzip::new()));
    }
    if let Some(substitute) = substitute {
        chain.push(Box::new(substitute));
    }
    // A compressor adapts to a length that is still that of the body.
    let length = length.filter(|_| chain.is_empty());
    compress(&mut chain, plan, &location.settings, length).map_err(failed)?;
    Ok(Some(chain))
}

/// Whether a file of this media type and length would be changed.
pub(super) fn would_change(
    session: &Session,
    request: &Request,
    location: &Location,
    answer: bodies::Answer<'_>,
) -> bool {
    location.changes_bodies
        && bodies::decide(&location.settings, client(session, request), answer).changes_body()
}

/// Seconds after 1970.
pub(super) fn seconds() -> i64 {
    clock::now_and_zone().0
}

fn client<'a>(session: &'a Session, request: &Request) -> bodies::Client<'a> {
    let received = session.req_header();
    bodies::Client {
        fields: &received.headers,
        version: received.version,
        takes_gzip: request.takes_gzip,
        now: seconds,
    }
}

/// What replaces texts for this request; `None` where none is looked for. A text with variables that is empty is not.
fn substitute(
    session: &Session,
    request: &mut Request,
    location: &Location,
    now: Instant,
) -> Option<Substitute> {
    let settings = &location.settings.sub_filter;
    let mut values = request.values(session.req_header(), None, now);
    let mut rendered = |template: &Template| {
        let mut text = Vec::new();
        template.render(&mut values, &mut text);
        text
    };
    let pairs = &settings.pairs.pairs;
    if let Some(needles) = &settings.pairs.needles {
        let replacements = pairs.iter().map(|pair| Bytes::from(rendered(&pair.replacement)));
        return Some(Substitute::new(needles, replacements, settings.once));
    }
    let (mut texts, mut replacements) = (Vec::new(), Vec::new());
    for pair in pairs {
        let text = rendered(&pair.text);
        if !text.is_empty() {
            texts.push(text.into_boxed_slice());
            replacements.push(Bytes::from(rendered(&pair.replacement)));
        }
    }
    Some(Substitute::new(&Needles::new(texts)?, replacements, settings.once))
}

fn compress(
    chain: &mut Chain,
    plan: Plan,
    settings: &Settings,
    length: Option<u64>,
) -> std::result::Result<(), FilterError> {
    let (gzip, other) = (&settings.gzip, &settings.compression);
    match plan.coding {
        None => {}
        Some(Coding::Gzip) => chain.push(Box::new(Gzip::new(gzip.level, gzip.window_bits, length))),
        Some(Coding::Brotli) => {
            chain.push(Box::new(Brotli::new(other.brotli_level, other.brotli_window_bits, length)));
        }
        Some(Coding::Zstd) => chain.push(Box::new(Zstd::new(i32::from(other.zstd_level))?)),
    }
    Ok(())
}
