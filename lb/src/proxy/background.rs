//! Requests of the program's own that renew an answer of the cache (`proxy_cache_background_update`).
//!
//! As nginx's background subrequest, one begins where the client's stands, at the content phase: nothing is rewritten, limited
//! or asked for again. It runs on the client's worker, as a subrequest of Pingora's does, is logged nowhere and ends without a
//! client.

use pingora_proxy::Session;
use pingora_proxy::subrequest::{BodyMode, Ctx};

use super::context::Request;
use crate::cache::Renewal;
use crate::request::State;

/// Renews the answer for `request`. Until that ends, nobody else does.
pub(super) fn begin(session: &Session, request: &Request, renewal: Renewal) {
    let Some(spawner) = session.subrequest_spawner.as_ref() else { return };
    let Some(state) = request.state.again() else { return };
    let context = Ctx::builder().body_mode(BodyMode::NoBody).build();
    let (prepared, handle) = spawner.create_subrequest(session.as_downstream(), context);
    handle.drain_tasks();
    let facts = request.facts.for_background(Box::new(state));
    tokio::spawn(async move {
        facts.serve(prepared.run()).await;
        drop(renewal);
    });
}

/// Takes over where the client's request stood; whether `request` is one of the program's own.
pub(super) fn resume(request: &mut Request) -> bool {
    let Some(state) = request.facts.resumed.take().and_then(|state| state.downcast::<State>().ok()) else {
        return false;
    };
    request.state = *state;
    request.is_background = true;
    true
}
