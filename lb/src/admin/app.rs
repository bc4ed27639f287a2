//! The application of the admin listener: one request at a time, from the connection loop to an answer.
//!
//! It is an [`HttpServerApp`] of its own, so that the service that carries traffic has no branch for it: no phase, no
//! route and no access log of the configuration applies here, and nothing here costs a proxied request anything.
//! [`AdminApp::respond`] has the whole session and is asynchronous: an answer that needs the request's body or that is
//! written piece by piece is another arm there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, header};
use pingora::Result;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;

use super::read;
use crate::connection::RequestFacts;
use crate::content::{Answer, page};
use crate::server::ServerState;

/// How long a client may take to send a body that is only thrown away.
const UNWANTED_BODY: Duration = Duration::from_secs(30);

/// Answers every request on the admin listener.
pub struct AdminApp {
    pub(super) state: Arc<ServerState>,
}

impl AdminApp {
    /// An application that shows `state`.
    pub fn new(state: Arc<ServerState>) -> Arc<Self> {
        Arc::new(Self { state })
    }

    /// Answers the request whose header `session` has read.
    async fn respond(&self, session: &mut ServerSession) -> Result<()> {
        let answer = read::answer(session.req_header(), &self.state);
        write(session, answer).await
    }
}

#[async_trait]
impl HttpServerApp for AdminApp {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let facts = RequestFacts::<()>::take();
        if !session.read_request().await.ok()? {
            return None;
        }
        session.set_total_drain_timeout(Some(UNWANTED_BODY));
        // The connection loop knows where the body ends, so the rest of one may be read after the answer.
        session.set_close_on_response_before_downstream_finish(false);
        if *shutdown.borrow() || self.state.drain.has_begun() || !facts.shape.keep_alive {
            session.set_keepalive(None);
        }
        self.respond(&mut session).await.ok()?;
        let settings = HttpPersistentSettings::for_session(&session);
        let reusable = session.finish().await.ok().flatten()?;
        Some(ReusedHttpStream::from_reusable_stream(reusable, settings))
    }
}

async fn write(session: &mut ServerSession, answer: Answer) -> Result<()> {
    let mut head = ResponseHeader::build(answer.status, Some(answer.headers.len() + 5))?;
    head.set_reason_phrase(Some(page::status_phrase(answer.status)))?;
    if let Some(content_type) = answer.content_type {
        head.insert_header(header::CONTENT_TYPE, content_type)?;
    }
    for (name, value) in answer.headers {
        head.append_header(name.written().clone(), value)?;
    }
    head.set_content_length(answer.body.len())?;
    head.insert_header(header::SERVER, page::server_field(true))?;
    let with_body = session.req_header().method != Method::HEAD && !answer.body.is_empty();
    session.write_response_header(Box::new(head)).await?;
    if with_body {
        session.write_response_body(answer.body, true).await?;
    }
    Ok(())
}
