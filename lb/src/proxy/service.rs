//! The hooks, in the order in which Pingora calls them. Each gathers what `request/` needs, asks it, and carries out what
//! it says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::header;
use http::{HeaderMap, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};
use pingora_cache::key::HashBinary;
use pingora_cache::storage::HitHandler;
use pingora_cache::{CacheKey, CacheMeta, ForcedFreshness, RespCacheable};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, RangeType, Session};

use super::answer::answer_begun;
use super::cache::{self, Given};
use super::context::{Request, Turn, unexpected};
use super::reuse::ReuseCounts;
use super::simple_values::host_field;
use super::subrequest::Begun;
use super::tries::{self, Told};
use super::{
    answer, background, balancing_key, client, compose, failure, flow, gather, peer, received, record,
    secure, subrequest, upload, wire_bytes,
};
use crate::cache::stale::Failing;
use crate::connection::RequestFacts;
use crate::connection::facts::Framing;
use crate::content::Answer;
use crate::observe::reasons::Generated;
use crate::request::pace::Pace;
use crate::request::{Event, Failure, Step};
use crate::server::ServerState;
use crate::upstream;
use crate::upstream::tls::Kept;

/// The service that every connection's requests pass through. Each worker has one ([`Self::of_another_worker`]).
#[derive(Clone)]
pub struct ProxyService {
    state: Arc<ServerState>,
    reuse: Arc<ReuseCounts>,
    /// Idle connections on which TLS is spoken.
    kept: Arc<Kept>,
}

impl ProxyService {
    /// A service over the process-wide state.
    pub fn new(state: Arc<ServerState>) -> Self {
        Self { state, reuse: Arc::default(), kept: Arc::default() }
    }

    /// The same service with connections of its own, which stay with the worker that made them.
    pub fn of_another_worker(&self) -> Self {
        Self { kept: Arc::default(), ..self.clone() }
    }
}

#[async_trait]
impl ProxyHttp for ProxyService {
    type CTX = Box<Request>;

    fn new_ctx(&self) -> Self::CTX {
        Box::new(Request::new(RequestFacts::take()))
    }

    /// No response compression until a directive asks for it: an empty list costs nothing per request.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    /// Pingora counts another reference to itself for a request that may; only where a location asks for it.
    fn allow_spawning_subrequest(&self, _session: &Session, request: &Self::CTX) -> bool {
        let http = &request.facts.snapshot.config.http;
        http.reads.subrequests || !http.caches.is_empty()
    }

    async fn request_filter(&self, session: &mut Session, request: &mut Self::CTX) -> Result<bool> {
        let now = Instant::now();
        session.set_ignore_info_resp(true);
        if background::resume(request) {
            return Ok(false);
        }
        client::expect_unwanted_bodies(session);
        let mut step = match subrequest::begin(session, request) {
            Begun::Client => {
                request.step(Event::Begin(host_field(session.req_header())), session.req_header(), now)
            }
            Begun::Inside => request.step(Event::BeginInside, session.req_header(), now),
            Begun::Content(step) => step,
        };
        if step.waits() {
            step = Box::pin(flow::ask(session, request, step, now)).await?;
        }
        record::notes(session, request);
        client::prepare(session, request, self.state.drain.has_begun());
        if session.subrequest_spawner.is_some() {
            match Box::pin(compose::run(session, request, step, now)).await? {
                Some(as_it_is) => step = as_it_is,
                None => return Ok(true),
            }
        }
        let Some(step) = flow::enter(session, request, step, now).await? else {
            return Box::pin(purge(session, request, now)).await;
        };
        match step {
            Step::Answer(content) => {
                let reason = request.state.ending.generated;
                if let (Some(Generated::BodyTooLarge), Framing::Length(bytes)) =
                    (reason, request.facts.shape.framing)
                {
                    record::body_too_large(session, request, bytes);
                }
                if reason.is_some_and(Generated::ends_connection) {
                    session.set_keepalive(None);
                }
                Box::pin(answer::content(session, request, content, now)).await?;
                Ok(true)
            }
            Step::Close => {
                session.set_keepalive(None);
                // Only an error ends a session without an answer; `fail_to_proxy` stays silent on this one.
                Error::e_explain(ErrorType::HTTPStatus(444), "return 444")
            }
            Step::Proxy(_)
            | Step::Ask(_)
            | Step::Open(_)
            | Step::List(_)
            | Step::CountRequest(_)
            | Step::CountConnection(_)
            | Step::CheckPassword(_)
            | Step::CheckToken(_)
            | Step::Wait(_)
            | Step::Subrequest(_)
            | Step::Mirror(_)
            | Step::PassOn
            | Step::Settle(_) => unexpected(),
        }
    }

    fn request_cache_filter(&self, session: &mut Session, request: &mut Self::CTX) -> Result<()> {
        cache::begin(session, request);
        Ok(())
    }

    fn cache_key_callback(&self, _session: &Session, request: &mut Self::CTX) -> Result<CacheKey> {
        cache::pingora_key(request)
    }

    fn cache_miss(&self, session: &mut Session, request: &mut Self::CTX) {
        cache::missed(session, request);
    }

    async fn cache_hit_filter(
        &self,
        session: &mut Session,
        meta: &CacheMeta,
        _hit: &mut HitHandler,
        _is_fresh: bool,
        request: &mut Self::CTX,
    ) -> Result<Option<ForcedFreshness>> {
        Ok(match cache::found(session, request, meta) {
            Given::Now => cache::freshness(true),
            Given::AndRenewed(renewal) => {
                background::begin(session, request, renewal);
                cache::freshness(true)
            }
            Given::Not => cache::freshness(false),
        })
    }

    fn cache_vary_filter(
        &self,
        meta: &CacheMeta,
        request: &mut Self::CTX,
        received: &RequestHeader,
    ) -> Option<HashBinary> {
        cache::variant(meta, request, received)
    }

    fn response_cache_filter(
        &self,
        session: &Session,
        answer: &ResponseHeader,
        request: &mut Self::CTX,
    ) -> Result<RespCacheable> {
        cache::admission(session, answer, request)
    }

    fn should_serve_stale(
        &self,
        session: &mut Session,
        request: &mut Self::CTX,
        error: Option<&Error>,
    ) -> bool {
        error.is_some_and(|error| {
            flow::turned(request, error).is_none() && cache::gives_old(session, request, error)
        })
    }

    fn cache_not_modified_filter(
        &self,
        session: &Session,
        answer: &ResponseHeader,
        request: &mut Self::CTX,
    ) -> Result<bool> {
        Ok(cache::not_modified(session, answer, request))
    }

    fn range_header_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        request: &mut Self::CTX,
    ) -> RangeType {
        cache::part(session, answer, request).unwrap_or(RangeType::None)
    }

    /// The first pick stands here and not in `upstream_peer`, because an answer given here keeps the client's
    /// connection.
    async fn proxy_upstream_filter(&self, session: &mut Session, request: &mut Self::CTX) -> Result<bool> {
        if request.facts.shape.expects_continue {
            session.write_continue_response().await?;
        }
        upload::read_ahead(session, request).await?;
        loop {
            let now = Instant::now();
            let balancing_key = balancing_key::of(request, session.req_header(), now);
            let proxying = request.proxying()?;
            proxying.balancing_key = balancing_key;
            proxying.next = tries::pick(proxying, now);
            if proxying.next.is_some() || cache::stands_in(session, request, Failing::NoServer) {
                return Ok(true);
            }
            record::no_live_upstream(session, request);
            let step = Box::pin(flow::drive(session, request, Event::NoServer, now)).await?;
            match flow::enter(session, request, step, now).await? {
                None => {}
                Some(Step::Answer(content)) => {
                    Box::pin(answer::content(session, request, content, now)).await?;
                    return Ok(false);
                }
                Some(_) => return unexpected(),
            }
        }
    }

    async fn upstream_peer(&self, session: &mut Session, request: &mut Self::CTX) -> Result<Box<HttpPeer>> {
        let hop_fields = request.facts.shape.hop_fields;
        if let Turn::Ask(failure) = std::mem::replace(&mut request.turn, Turn::Stay) {
            Box::pin(flow::resolve(session, request, failure)).await?;
        }
        let proxying = request.proxying()?;
        if proxying.tries.is_empty() && proxying.next.is_none() {
            // Another location's upstream: its key is its own.
            let key = balancing_key::of(request, session.req_header(), Instant::now());
            request.proxying()?.balancing_key = key;
        }
        let bind = peer::bind_address(session, request);
        let proxying = request.proxying()?;
        session.set_abort_on_close(!proxying.target.proxy.settings.ignore_client_abort);
        let picked = match proxying.next.take() {
            Some(picked) => Some(picked),
            None => tries::pick(proxying, Instant::now()),
        };
        let Some((in_flight, picked)) = picked else {
            proxying.no_live_upstream = true;
            record::no_live_upstream(session, request);
            // The cache's old answer comes first: `consider` sees that.
            if flow::consider(session, request, Failure::Status(502)) {
                Box::pin(flow::resolve(session, request, Failure::Status(502))).await?;
                return self.upstream_peer(session, request).await;
            }
            return Err(Error::explain(ErrorType::HTTPStatus(502), "no live upstreams").into_up());
        };
        let mut http_peer = peer::http_peer(in_flight.peer(), &proxying.target, hop_fields, bind)?;
        request.dial = secure::dial(session, request, in_flight.peer(), bind, &self.kept)?;
        if let Some(dial) = &request.dial {
            secure::through(&mut http_peer, dial);
        }
        let proxying = request.proxying()?;
        if !session.as_mut().is_body_done() && !proxying.target.proxy.is_grpc {
            let patience = proxying.routed.location.settings.client.body_timeout;
            let read_timeout =
                upload::while_client_owes(proxying.target.proxy.settings.read_timeout, patience);
            http_peer.options.read_timeout = Some(read_timeout);
        }
        proxying.begin_try(in_flight, picked);
        Ok(http_peer)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        request: &mut Self::CTX,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let told = Told {
            failure: Failure::Upstream(failure::of_connect(&error)),
            local_shortage: upstream::is_local_shortage(&error),
            reused: false,
            error: &error,
        };
        let again = tries::failed(session, request, told, &self.state.totals);
        error.set_retry(again);
        error
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        descriptor: std::os::fd::RawFd,
        digest: Option<&Digest>,
        request: &mut Self::CTX,
    ) -> Result<()> {
        let dialled = request.dial.as_ref().and_then(|dial| dial.dialled());
        let reused = dialled.map_or(reused, |dialled| dialled.reused);
        let proxying = request.proxying()?;
        proxying.connected(reused, Instant::now());
        let keepalive = &proxying.target.upstream.model().keepalive;
        if let Some(dialled) = dialled {
            proxying.last_on_connection = dialled.requests >= keepalive.requests;
            return Ok(());
        }
        let established = digest.and_then(|digest| digest.timing_digest.first().cloned().flatten());
        if let Some(established) = established {
            let count = self.reuse.book(descriptor, established.established_ts);
            proxying.last_on_connection = count >= keepalive.requests;
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream_request: &mut RequestHeader,
        request: &mut Self::CTX,
    ) -> Result<()> {
        cache::prepare_request(session, upstream_request, request)?;
        peer::request_header(upstream_request, session, request, Instant::now())?;
        let counts = request.facts.snapshot.config.http.reads.upstream_bytes;
        let in_chunks = request.facts.shape.framing == Framing::Chunked;
        let head_bytes = if counts { wire_bytes::request_head(upstream_request, in_chunks) } else { 0 };
        let upgrade_asked =
            request.facts.shape.upgrade && upstream_request.headers.contains_key(header::UPGRADE);
        if let Some(last) = request.proxying()?.tries.last_mut() {
            last.upgrade_asked = upgrade_asked;
            last.overhead_bytes_sent = head_bytes;
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        request: &mut Self::CTX,
    ) -> Result<()> {
        upload::pass_on(session, request, body, end_of_stream)
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        request: &mut Self::CTX,
    ) -> Result<()> {
        received::head(session, answer, request, &self.state).await
    }

    fn upstream_response_trailer_filter(
        &self,
        _session: &mut Session,
        trailers: &mut HeaderMap,
        request: &mut Self::CTX,
    ) -> Result<()> {
        if !request.proxying()?.target.proxy.settings.pass_trailers {
            trailers.clear();
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        request: &mut Self::CTX,
    ) -> Result<()> {
        if is_interim(answer) {
            // Pingora asks for the flag when it writes this one.
            let wanted = answer.status == StatusCode::EARLY_HINTS && client::wants_hints(session, request);
            session.set_ignore_info_resp(!wanted);
            // HTTP/2's session asks for this one.
            if wanted {
                request.facts.reply.pass_early_hints();
            }
            return Ok(());
        }
        cache::as_kept(session, answer)?;
        answer::take_over(answer, session, request, self.state.drain.has_begun(), Instant::now())
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        _end_of_stream: bool,
        request: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        if matches!(request.turn, Turn::Answered) {
            *body = None;
            return Ok(None);
        }
        if request.is_background {
            return Ok(None);
        }
        if let Some(cut) = &mut request.cut {
            cut.take(body);
        } else if request.taken.is_none() && request.sent.is_none() {
            // A kept answer is written by another way of Pingora's, piece by piece.
            if request.caching.is_none() {
                gather::consider(session, body.as_ref(), &mut request.gathering);
            }
            return Ok(None);
        }
        // Pieces that wait are not gathered: each is written before the wait.
        let Some(bytes) = body.as_ref().map(Bytes::len) else { return Ok(None) };
        let now = Instant::now();
        let wait = |pace: &mut Option<Pace>| pace.as_mut().and_then(|pace| pace.after(bytes, now));
        Ok(wait(&mut request.taken).max(wait(&mut request.sent)))
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        request: &mut Self::CTX,
        reused: bool,
    ) -> Box<Error> {
        request.end_gathering(session);
        if failure::is_left_answer(&error) {
            error.set_retry(true);
            return error;
        }
        if failure::is_old_answer(&error) {
            error.set_retry(false);
            return error;
        }
        if let Some(again) = flow::turned(request, &error) {
            error.set_retry(again);
            return error;
        }
        // A kept connection of ours is a new one to Pingora.
        let reused = reused || request.state.tries().last().is_some_and(|last| last.reused);
        let told = Told { failure: failure::of(&error), local_shortage: false, reused, error: &error };
        let again = tries::failed(session, request, told, &self.state.totals);
        error.set_retry(again);
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        request: &mut Self::CTX,
    ) -> FailToProxy {
        let now = Instant::now();
        // Pingora closes the client's connection after an error, whatever is said here.
        session.set_keepalive(None);
        if flow::turned(request, error).is_some() {
            return FailToProxy { error_code: 0, can_reuse_downstream: false };
        }
        let failure = failure::of(error);
        let event = Event::Failed { failure, answer_begun: answer_begun(session) };
        if let Ok(Step::Answer(content)) = Box::pin(flow::drive(session, request, event, now)).await {
            // A client that cannot be written to any more will not miss it.
            let _ = Box::pin(answer::content(session, request, content, now)).await;
        }
        FailToProxy { error_code: failure.status().unwrap_or_default(), can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, request: &mut Self::CTX) {
        request.end_gathering(session);
        if let Some(error) = error
            && flow::turned(request, error).is_none()
        {
            request.state.ending.failure.get_or_insert_with(|| failure::of(error));
        }
        record::finish(session, request, &self.state);
        request.held.clear();
        subrequest::tell(session, request, Instant::now());
    }

    /// Our own lines, in nginx's words, are written where the failure is decided.
    fn suppress_error_log(&self, _session: &Session, _request: &Self::CTX, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _request: &Self::CTX,
        _error: &Error,
        _at: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}

/// Takes an answer out of the cache, where the location says so; whether that has been answered.
async fn purge(session: &mut Session, request: &mut Request, now: Instant) -> Result<bool> {
    let Some(status) = cache::purge(session, request, now).await else { return Ok(false) };
    request.state.ending.generated = Some(Generated::Return);
    let page = Answer::standard(status, request.state.server_tokens());
    answer::write(session, request, page, now).await?;
    Ok(true)
}

/// An answer before the answer.
fn is_interim(answer: &ResponseHeader) -> bool {
    answer.status.is_informational() && answer.status != StatusCode::SWITCHING_PROTOCOLS
}
