//! Requests of the program's own that renew an answer of the cache (`proxy_cache_background_update`).
//!
//! As nginx's background subrequest, one begins where the client's stands, at the content phase: nothing is rewritten, limited
//! or asked for again. It runs on the client's worker, writes no access log and ends without a client.

use std::sync::{Arc, OnceLock, Weak};

use pingora_proxy::subrequest::{BodyMode, Ctx};
use pingora_proxy::{Session, Subrequest, SubrequestSpawner};

use super::context::Request;
use crate::cache::Renewal;
use crate::request::State;

/// The application that carries requests of the program's own, once it is there. It has this inside itself.
#[derive(Clone, Default)]
pub struct Renewals(Arc<OnceLock<Weak<dyn Subrequest + Send + Sync>>>);

impl Renewals {
    /// Names the application.
    pub fn run_by(&self, application: Arc<impl Subrequest + Send + Sync + 'static>) {
        let application: Arc<dyn Subrequest + Send + Sync> = application;
        // Each service has one.
        let _ = self.0.set(Arc::downgrade(&application));
    }

    /// Renews the answer for `request`. Until it ends, nobody else does.
    pub(super) fn begin(&self, session: &Session, request: &Request, renewal: Renewal) {
        let Some(application) = self.0.get().and_then(Weak::upgrade) else { return };
        let Some(state) = request.state.again() else { return };
        let context = Ctx::builder().body_mode(BodyMode::NoBody).build();
        let (prepared, handle) =
            SubrequestSpawner::new(application).create_subrequest(session.as_ref(), context);
        handle.drain_tasks();
        let facts = request.facts.for_background(Box::new(state));
        tokio::spawn(async move {
            facts.serve_background(prepared.run()).await;
            drop(renewal);
        });
    }
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
