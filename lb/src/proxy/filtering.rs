//! Bodies of answers that change on their way: makes the chain of filters that `request/headers/bodies` has decided on, and
//! feeds it.
//!
//! A server's answer passes it in the client's session ([`super::gather`]), where all pieces that the server has sent so far
//! come together: the last of them carries the sign to flush, so that an event of a stream leaves at once and pieces that
//! came together are compressed together. What the program itself answers passes it piece by piece before it is written.
//! In both ways no next piece is taken before the client's connection has taken what came of the one before it.

use std::time::Instant;

use bytes::Bytes;
use http::{Method, Version};
use pingora::http::ResponseHeader;
use pingora::protocols::http::{HttpTask, ServerSession};
use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;
use smallvec::SmallVec;

use super::context::Request;
use crate::config::model::{Location, Settings};
use crate::filter::brotli::Brotli;
use crate::filter::gunzip::Gunzip;
use crate::filter::gzip::Gzip;
use crate::filter::substitute::{Needles, Substitute};
use crate::filter::zstd::Zstd;
use crate::filter::{Chain, FilterError, PIECE_BYTES, Signal};
use crate::observe::clock;
use crate::request::headers::bodies::{self, Coding, Plan, Telling};
use crate::request::headers::to_client;
use crate::request::pace::Pace;

/// Decides what is done with the body of an answer whose header is otherwise complete, and makes the header say so. `None`
/// where the body does not change. `varied`: the header says already that the answer varies.
pub(super) fn begin(
    answer: &mut ResponseHeader,
    session: &mut Session,
    request: &mut Request,
    varied: bool,
    now: Instant,
) -> Result<Option<Chain>> {
    let Some(location) = request.state.location().filter(|location| location.changes_bodies).cloned() else {
        return Ok(None);
    };
    let known = bodies::Answer::of(answer.status, &answer.headers);
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
    let needles = if plan.substitute { needles(session, request, &location, now) } else { None };
    plan.substitute = needles.is_some();
    let received = session.req_header();
    let in_chunks = received.version >= Version::HTTP_11 && location.settings.core.chunked_transfer_encoding;
    let has_body = to_client::has_body(answer.status) && received.method != Method::HEAD;
    bodies::apply(plan, &location.settings, answer, Telling { has_body, in_chunks }, varied)?;
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
    if let Some(needles) = needles {
        let replacements = replacements(session, request, &location, now);
        chain.push(Box::new(Substitute::new(&needles, replacements, location.settings.sub_filter.once)));
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

/// What is looked for. Texts with variables that are empty for this request are not.
fn needles(session: &Session, request: &mut Request, location: &Location, now: Instant) -> Option<Needles> {
    let pairs = &location.settings.sub_filter.pairs;
    if let Some(needles) = &pairs.needles {
        return Some(needles.clone());
    }
    let mut values = request.values(session.req_header(), None, now);
    let texts = pairs.pairs.iter().map(|pair| {
        let mut text = Vec::new();
        pair.text.render(&mut values, &mut text);
        text.into_boxed_slice()
    });
    Needles::new(texts)
}

fn replacements(session: &Session, request: &mut Request, location: &Location, now: Instant) -> Vec<Bytes> {
    let mut values = request.values(session.req_header(), None, now);
    let pairs = location.settings.sub_filter.pairs.pairs.iter();
    pairs
        .map(|pair| {
            let mut text = Vec::new();
            pair.replacement.render(&mut values, &mut text);
            Bytes::from(text)
        })
        .collect()
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

/// A body that cannot be changed as its header says. Nobody is to blame but the body: the connection ends.
pub(super) fn failed(error: FilterError) -> Box<Error> {
    Error::because(ErrorType::InternalError, "a body cannot be passed on", error)
}

/// Writes a body of the program's own, or part of it, through `chain`.
pub(super) async fn write(
    session: &mut Session,
    chain: &mut Chain,
    pace: &mut Option<Pace>,
    mut piece: Bytes,
    is_last: bool,
) -> Result<()> {
    let signal = if is_last { Signal::End } else { Signal::More };
    loop {
        let passed = chain.pass(&mut piece, signal).map_err(failed)?;
        let ends = is_last && !passed.more;
        if !passed.bytes.is_empty() || ends {
            let wait = pace.as_mut().and_then(|pace| pace.before(passed.bytes.len(), Instant::now()));
            if let Some(wait) = wait {
                pingora_timeout::sleep(wait).await;
            }
            session.write_response_body(Some(passed.bytes), ends).await?;
        }
        if !passed.more {
            return Ok(());
        }
    }
}

/// The body of a server's answer, on its way through the client's session.
pub(super) struct Filtering {
    chain: Chain,
    /// `limit_rate`, which counts what the client gets.
    pace: Option<Pace>,
    ended: bool,
}

type Tasks = SmallVec<[HttpTask; 4]>;

impl Filtering {
    pub(super) fn new(chain: Chain, pace: Option<Pace>) -> Self {
        Self { chain, pace, ended: false }
    }

    /// What the chain has compressed.
    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Writes what comes of `tasks`, which are all that the server has sent by now.
    pub(super) async fn write(&mut self, tasks: Vec<HttpTask>, whole: &mut ServerSession) -> Result<bool> {
        let mut ready = Tasks::new();
        let mut ready_bytes = 0;
        let mut left = tasks.len();
        for task in tasks {
            left -= 1;
            let (mut piece, ends) = match task {
                HttpTask::Body(piece, ends) => (piece.unwrap_or_default(), ends),
                HttpTask::Done | HttpTask::Trailer(_) if !self.ended => {
                    self.finish(&mut ready)?;
                    ready.push(task);
                    continue;
                }
                task => {
                    ready.push(task);
                    continue;
                }
            };
            let signal = match (ends, left) {
                (true, _) => Signal::End,
                (false, 0) => Signal::Flush,
                (false, _) => Signal::More,
            };
            loop {
                let passed = self.chain.pass(&mut piece, signal).map_err(failed)?;
                let ends = ends && !passed.more;
                ready_bytes += passed.bytes.len();
                if !passed.bytes.is_empty() || ends {
                    ready.push(HttpTask::Body(Some(passed.bytes), ends));
                }
                if !passed.more {
                    break;
                }
                if ready_bytes >= PIECE_BYTES {
                    self.send(std::mem::take(&mut ready), whole).await?;
                    ready_bytes = 0;
                }
            }
            self.ended |= ends;
        }
        self.send(ready, whole).await
    }

    /// What a body leaves that ends without a piece.
    fn finish(&mut self, ready: &mut Tasks) -> Result<()> {
        self.ended = true;
        let mut nothing = Bytes::new();
        loop {
            let passed = self.chain.pass(&mut nothing, Signal::End).map_err(failed)?;
            if !passed.bytes.is_empty() {
                ready.push(HttpTask::Body(Some(passed.bytes), false));
            }
            if !passed.more {
                return Ok(());
            }
        }
    }

    async fn send(&mut self, tasks: Tasks, whole: &mut ServerSession) -> Result<bool> {
        if tasks.is_empty() {
            return Ok(false);
        }
        let bytes = |task: &HttpTask| match task {
            HttpTask::Body(Some(piece), _) => piece.len(),
            _ => 0,
        };
        let sent: usize = tasks.iter().map(bytes).sum();
        let ended = whole.response_duplex_vec(tasks.into_vec()).await?;
        if let Some(wait) = self.pace.as_mut().and_then(|pace| pace.after(sent, Instant::now()))
            && !ended
        {
            pingora_timeout::sleep(wait).await;
        }
        Ok(ended)
    }
}
