//! The way of a body through its filters, and on to the client.
//!
//! A server's answer passes them in the client's session (`gather`), where all pieces that the server has sent so far come
//! together: the last of them carries the sign to flush, so that an event of a stream leaves at once and pieces that came
//! together are compressed together. What the program itself answers passes them piece by piece before it is written. In both
//! ways no next piece is taken before the client's connection has taken what came of the one before it.

use std::time::Instant;

use bytes::Bytes;
use pingora::protocols::http::{HttpTask, ServerSession};
use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;
use smallvec::SmallVec;

use crate::filter::{Chain, FilterError, PIECE_BYTES, Signal};
use crate::request::pace::Pace;

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
                HttpTask::Header(header, true) if !self.ended => {
                    // An empty body may become one that is not.
                    ready.push(HttpTask::Header(header, false));
                    self.finish(&mut ready)?;
                    ready.push(HttpTask::Done);
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
