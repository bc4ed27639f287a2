//! `mirror`: copies of a request, which run beside it. Nobody waits for them and nobody reads their answers.
//!
//! What a copy needs of a body is taken where the request's own server gets it: what was read before anything was asked,
//! and each further piece as it is passed on. A copy that does not keep up is given up, and so is one of a request whose
//! body nobody has read to its end: no server is told that half a body is a whole one.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use pingora::protocols::http::HttpTask;
use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;
use tokio::sync::mpsc::Sender;

use super::context::Request;
use super::copies::{Copied, Given, Piece};
use super::{record, subrequest, upload};
use crate::config::model::Mirror;
use crate::connection::facts::Framing;
use crate::request::Subrequest;

/// Copies that may be under way in the process.
const MOST_UNDER_WAY: usize = 1024;

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// One copy under way, as long as it lives.
struct UnderWay;

impl UnderWay {
    fn begin() -> Option<Self> {
        let before = UNDER_WAY.fetch_add(1, Relaxed);
        let begun = Self;
        (before < MOST_UNDER_WAY).then_some(begun)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Relaxed);
    }
}

/// Sends the copies of a request on their way.
pub(super) async fn send(
    session: &mut Session,
    request: &mut Request,
    mirror: &Mirror,
    now: Instant,
) -> Result<()> {
    let has_body = mirror.request_body && request.facts.shape.framing != Framing::Empty;
    let is_whole = !has_body || upload::read_for_copies(session, request).await?;
    let arguments = request.state.uri.arguments(request.facts.path_and_query()).unwrap_or_default().to_vec();
    for uri in &mirror.uris {
        let asked =
            Subrequest { path: uri.as_bytes().to_vec(), arguments: arguments.clone(), keeps_method: true };
        let Some(under_way) = UnderWay::begin() else {
            record::no_copy(session, request, uri, "too many are under way");
            continue;
        };
        let Some(ready) = subrequest::prepare_copy(session, request, &asked, has_body, now) else { continue };
        let (copied, given) = Copied::new(uri);
        if !has_body {
            copied.end();
        } else if is_whole {
            copied.give(session.as_ref().get_retry_buffer().unwrap_or_default());
            copied.end();
        } else {
            request.copies.get_or_insert_default().push(copied);
        }
        tokio::spawn(async move {
            ready.run_with(|body| Box::pin(feed(given, body))).await;
            drop(under_way);
        });
    }
    Ok(())
}

/// Gives a subrequest its body piece by piece.
async fn feed(mut given: Given, body: Sender<HttpTask>) {
    loop {
        let (task, is_last) = match given.next().await {
            Some(Piece::Bytes(bytes)) => (HttpTask::Body(Some(bytes), false), false),
            Some(Piece::End) => (HttpTask::Body(None, true), true),
            // Where the body is in chunks, the mere end of the channel would pass for its end.
            None => (HttpTask::Failed(Error::explain(ErrorType::ReadError, "the body has no end")), true),
        };
        // A subrequest that has its answer reads no more of its body.
        if body.send(task).await.is_err() {
            return;
        }
        if is_last {
            // The end of the channel is that of the client.
            return body.closed().await;
        }
    }
}
