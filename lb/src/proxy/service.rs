//! The hooks, in the order in which Pingora calls them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::{StatusCode, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::protocols::l4::socket::SocketAddr as PeerSocketAddr;
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora::{Error, ErrorType, Result};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};

use super::context::{Context, ProxyTarget, Route, Try};
use super::failure::Failure;
use super::retry::{self, FailedTry, Verdict};
use super::reuse::ReuseCounts;
use super::values::{RequestValues, host_field};
use super::{gather, headers, record, write};
use crate::balance::Ask;
use crate::config::model::{Action, Location, Return};
use crate::connection::RequestFacts;
use crate::connection::facts::{Framing, HopFields};
use crate::content::{Answer, return_directive};
use crate::observe::reasons::Generated;
use crate::routing::path;
use crate::server::ServerState;
use crate::server::Snapshot;
use crate::upstream::{self, FailureKind, InFlight, Outcome, Peer, Settled};

/// The service that every connection's requests pass through.
pub struct ProxyService {
    state: Arc<ServerState>,
    reuse: ReuseCounts,
}

/// How long a client may take to send a body that is only thrown away: nginx's `lingering_time`.
const UNWANTED_BODY: Duration = Duration::from_secs(30);

/// What `request_filter` found out.
enum Way {
    /// We answer, for this reason.
    Generate(Generated, Answer),
    /// The connection is closed without an answer.
    Silence,
    /// A server answers.
    Proxy,
}

impl ProxyService {
    /// A service over the process-wide state.
    pub fn new(state: Arc<ServerState>) -> Self {
        Self { state, reuse: ReuseCounts::default() }
    }

    /// Writes an answer of ours and remembers why there is one.
    async fn generate(
        &self,
        session: &mut Session,
        context: &mut Context,
        reason: Generated,
        answer: Answer,
    ) -> Result<()> {
        context.generated = Some(reason);
        write::answer(session, context, answer).await
    }

    /// The next server to try, and when it was picked.
    fn pick(&self, context: &mut Context) -> Option<(InFlight, Instant)> {
        let target = context.target.as_ref()?;
        let now = Instant::now();
        match target.upstream.pick(&mut context.tried, &Ask::at(upstream::at(now))) {
            Ok(in_flight) => Some((in_flight, now)),
            Err(_) => {
                context.no_live_upstream = true;
                None
            }
        }
    }

    /// Books the failure of the try under way and decides whether there is another.
    fn after_failure(
        &self,
        session: &Session,
        context: &mut Context,
        kind: FailureKind,
        reused: bool,
        error: &Error,
    ) -> bool {
        context.end_try(
            Failure::Upstream(kind).status().and_then(|code| StatusCode::from_u16(code).ok()),
            Instant::now(),
        );
        let (Some(target), Some(last)) = (&context.target, context.tries.last()) else { return false };
        let spent = context.tries.len() - usize::from(context.forgiven);
        let failed = FailedTry {
            kind,
            reused,
            forgiven_before: context.forgiven,
            answered: last.header.is_some(),
            answer_begun: answer_begun(session),
            non_idempotent: retry::is_non_idempotent(&session.req_header().method),
            body_replayable: !session.as_ref().retry_buffer_truncated(),
            tries_left: target.upstream.tries().saturating_sub(spent),
            policy: target.proxy.next_upstream,
        };
        let verdict = retry::decide(&failed);
        record::failed_try(session, context, error, &failed, verdict);
        if failed.blames_server()
            && target.upstream.settle(&last.peer, Outcome::Failed(kind), upstream::now()) == Settled::Ejected
        {
            record::ejected(session, context);
        }
        match verdict {
            Verdict::Forgive => {
                let peer = last.peer.clone();
                target.upstream.allow_retry_of(&mut context.tried, &peer);
                context.forgiven = true;
                self.state.totals.retries.increment(record::retry_reason(kind, true));
                true
            }
            Verdict::NextServer => {
                self.state.totals.retries.increment(record::retry_reason(kind, false));
                true
            }
            Verdict::GiveUp(_) => false,
        }
    }
}

#[async_trait]
impl ProxyHttp for ProxyService {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context { facts: Some(RequestFacts::take()), ..Context::default() }
    }

    /// No response compression until a directive asks for it: an empty list costs nothing per request.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> Result<bool> {
        let Some(facts) = context.facts.as_deref() else {
            return Error::e_explain(ErrorType::InternalError, "the connection's facts are missing");
        };
        // What is left of a body that nobody wants is read and dropped, but not for ever.
        session.set_total_drain_timeout(Some(UNWANTED_BODY));
        // Pingora would close every connection whose answer comes before the body's end, a `100 Continue` too, since it
        // might take what follows for a body. Here the stream knows where the body ends.
        session.set_close_on_response_before_downstream_finish(false);
        let Some((route, form)) = route(session.req_header(), facts) else {
            return Error::e_explain(
                ErrorType::InternalError,
                "the snapshot does not know the listening address",
            );
        };
        prepare_connection(session, facts, &route.location, self.state.drain.has_begun());
        context.target = proxy_target(&facts.snapshot, &route.location);
        context.route = Some(route);
        let way = choose_way(session, context, form);
        match way {
            Way::Proxy => Ok(false),
            Way::Silence => {
                context.silent = true;
                context.generated = Some(Generated::Return);
                session.set_keepalive(None);
                // Only an error ends a session without an answer; `fail_to_proxy` stays silent on this one.
                Error::e_explain(ErrorType::HTTPStatus(444), "return 444")
            }
            Way::Generate(reason, answer) => {
                if reason.ends_connection() {
                    session.set_keepalive(None);
                }
                self.generate(session, context, reason, answer).await?;
                Ok(true)
            }
        }
    }

    /// The first pick stands here and not in `upstream_peer`, because an answer given here keeps the client's
    /// connection.
    async fn proxy_upstream_filter(&self, session: &mut Session, context: &mut Context) -> Result<bool> {
        context.next = self.pick(context);
        if context.next.is_none() {
            record::no_live_upstream(session, context);
            let answer = Answer::standard(StatusCode::BAD_GATEWAY, tokens(context));
            self.generate(session, context, Generated::NoLiveUpstream, answer).await?;
            return Ok(false);
        }
        if context.facts().is_some_and(|facts| facts.shape.expects_continue) {
            session.write_continue_response().await?;
        }
        Ok(true)
    }

    async fn upstream_peer(&self, session: &mut Session, context: &mut Context) -> Result<Box<HttpPeer>> {
        let picked = match context.next.take() {
            Some(picked) => Some(picked),
            None => self.pick(context),
        };
        let (Some((in_flight, picked)), Some(target)) = (picked, &context.target) else {
            record::no_live_upstream(session, context);
            return Err(Error::explain(ErrorType::HTTPStatus(502), "no live upstreams").into_up());
        };
        let peer = in_flight.peer().clone();
        let mut http_peer = Box::new(http_peer(&peer, target)?);
        if context.facts().is_some_and(|facts| facts.shape.hop_fields != HopFields::More) {
            // `headers` takes out the one there may be; Pingora would search for ten.
            http_peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::preserve();
        }
        context.tries.push(Try::begin(peer, in_flight, picked));
        Ok(http_peer)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        context: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let kind = match Failure::of(&error) {
            Failure::Upstream(kind @ (FailureKind::Connect | FailureKind::ConnectTimeout)) => kind,
            // Whatever else Pingora calls it, the connection did not come about.
            _ => FailureKind::Connect,
        };
        if upstream::is_local_shortage(&error) {
            // Out of descriptors or ports here: another server would fail the same way, and none is at fault.
            record::local_shortage(session, context, &error);
            context.end_try(None, Instant::now());
            context.failure = Some(Failure::Internal);
            error.set_retry(false);
            return error;
        }
        let again = self.after_failure(session, context, kind, false, &error);
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
        context: &mut Context,
    ) -> Result<()> {
        let Some(last) = context.tries.last_mut() else { return Ok(()) };
        last.reused = reused;
        last.connected = Some(if reused { Duration::ZERO } else { last.started.elapsed() });
        let established = digest.and_then(|digest| digest.timing_digest.first().cloned().flatten());
        if let Some(established) = established {
            let count = self.reuse.book(descriptor, established.established_ts);
            context.last_on_connection = context
                .target
                .as_ref()
                .is_some_and(|target| count >= target.upstream.model().keepalive.requests);
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream_request: &mut RequestHeader,
        context: &mut Context,
    ) -> Result<()> {
        let (Some(location), Some(target)) = (context.location(), &context.target) else { return Ok(()) };
        headers::prepare_upstream_request(
            upstream_request,
            session.req_header(),
            context,
            location,
            &target.proxy,
        )?;
        let closes = context.last_on_connection
            || target.proxy.http_1_0
            || target.upstream.model().keepalive.connections == 0;
        if closes && !session.as_downstream().is_upgrade_req() {
            upstream_request.insert_header(header::CONNECTION, "close")?;
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        _end_of_stream: bool,
        context: &mut Context,
    ) -> Result<()> {
        let Some(body) = body else { return Ok(()) };
        if let Some(last) = context.tries.last_mut() {
            last.bytes_sent += body.len() as u64;
            if session.was_upgraded() {
                // Another protocol by now: a WebSocket's frames are no request body.
                return Ok(());
            }
            let limit = context.route.as_ref().and_then(|route| route.location.client_max_body_bytes);
            if limit.is_some_and(|limit| last.bytes_sent > limit) {
                let bytes = last.bytes_sent;
                record::body_too_large(session, context, bytes);
                return Err(Error::explain(
                    ErrorType::HTTPStatus(413),
                    "client intended to send too large body",
                )
                .into_down());
            }
        }
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        _session: &mut Session,
        answer: &mut ResponseHeader,
        context: &mut Context,
    ) -> Result<()> {
        if answer.status.is_informational() && answer.status != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(());
        }
        let Some(last) = context.tries.last_mut() else { return Ok(()) };
        let now = Instant::now();
        last.header = Some(now.duration_since(last.started));
        last.status = Some(answer.status);
        if let Some(target) = &context.target {
            target.upstream.settle(&last.peer, Outcome::Answered, upstream::at(now));
        }
        if context.snapshot().is_some_and(|snapshot| snapshot.logs_upstream_header) {
            context.upstream_header = Some(Box::new(answer.clone()));
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        context: &mut Context,
    ) -> Result<()> {
        if answer.status.is_informational() && answer.status != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(());
        }
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            // A client of another protocol may be silent; `proxy_read_timeout` watches over both ends.
            session.set_read_timeout(None);
            if let Some(facts) = context.facts() {
                facts.reply.switch_protocols();
            }
        }
        let request_is_1_0 = session.req_header().version == Version::HTTP_10;
        let endless = request_is_1_0 && answer.headers.get(header::CONTENT_LENGTH).is_none();
        if endless || self.state.drain.has_begun() {
            session.set_keepalive(None);
        }
        let (Some(location), Some(target)) = (context.location(), &context.target) else { return Ok(()) };
        headers::take_over(answer, &target.proxy, || own_host(session.req_header(), context))?;
        let keeps_alive = session.get_keepalive().is_some();
        let keeps_server = target.proxy.passes_server;
        headers::finish_answer(answer, session.req_header(), context, location, keeps_alive, keeps_server)
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        _end_of_stream: bool,
        context: &mut Context,
    ) -> Result<Option<Duration>> {
        gather::consider(session, body.as_ref(), &mut context.gathering);
        Ok(None)
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        context: &mut Context,
        reused: bool,
    ) -> Box<Error> {
        end_gathering(session, context);
        if let Some(last) = context.tries.last_mut() {
            last.bytes_received = session.upstream_body_bytes_received() as u64;
        }
        let again = match Failure::of(&error) {
            Failure::Upstream(kind) => self.after_failure(session, context, kind, reused, &error),
            // The client's fault or ours: the server did nothing wrong, and nobody waits for another. As in nginx, a
            // server that was given this request to prove itself has not failed: it is not kept out for longer.
            Failure::ClientGone | Failure::ClientTimeout | Failure::Status(_) | Failure::Internal => {
                let now = Instant::now();
                context.end_try(None, now);
                if let (Some(target), Some(last)) = (&context.target, context.tries.last()) {
                    target.upstream.settle(&last.peer, Outcome::Answered, upstream::at(now));
                }
                false
            }
        };
        error.set_retry(again);
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut Context,
    ) -> FailToProxy {
        let failure = context.failure.unwrap_or_else(|| Failure::of(error));
        context.failure = Some(failure);
        session.set_keepalive(None);
        let done = |code| FailToProxy { error_code: code, can_reuse_downstream: false };
        let Some(status) = failure.status().and_then(|code| StatusCode::from_u16(code).ok()) else {
            return done(0);
        };
        if context.silent || answer_begun(session) {
            return done(status.as_u16());
        }
        let reason = record::generated_reason(failure, context.no_live_upstream);
        let answer = Answer::standard(status, tokens(context));
        // A client that cannot be written to any more will not miss it.
        let _ = self.generate(session, context, reason, answer).await;
        done(status.as_u16())
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut Context) {
        end_gathering(session, context);
        if let (Some(error), None) = (error, context.failure) {
            context.failure = Some(Failure::of(error));
        }
        record::finish(session, context, &self.state);
    }

    /// Our own lines, in nginx's words, are written where the failure is decided.
    fn suppress_error_log(&self, _session: &Session, _context: &Context, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _context: &Context,
        _error: &Error,
        _at: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}

/// Pingora's own session again, before anybody asks it what only that one answers: at the end of a request, and where a
/// try failed, for `fail_to_proxy` or another try comes next.
fn end_gathering(session: &mut Session, context: &mut Context) {
    if let Some(home) = context.gathering.take() {
        context.unsent_bytes = gather::end(session, &home);
    }
}

/// What a request's path is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathForm {
    /// A location serves it, or none does.
    Normal,
    /// It has no normal form.
    Bad,
}

/// Finds server block and location. A path without a normal form is the server's own affair. `None` cannot be: the
/// snapshot of a request knows the address that it came in on.
fn route(request: &RequestHeader, facts: &RequestFacts<Snapshot>) -> Option<(Route, PathForm)> {
    let snapshot = &facts.snapshot;
    let listener = snapshot.listener_index(&facts.connection.listener)?;
    let server = snapshot.routes.server(listener, host_field(request));
    let fallback = &snapshot.config.http.servers[server.0].fallback;
    let target = path::Target::split(facts.path_and_query());
    Some(match path::normalise(if target.path.is_empty() { b"/" } else { target.path }) {
        Ok(path) => {
            let location = snapshot.routes.location(server, &path).unwrap_or(fallback);
            (Route { server, location: location.clone() }, PathForm::Normal)
        }
        Err(_) => (Route { server, location: fallback.clone() }, PathForm::Bad),
    })
}

fn proxy_target(snapshot: &Snapshot, location: &Location) -> Option<ProxyTarget> {
    let Action::Proxy(proxy) = &location.action else { return None };
    Some(ProxyTarget {
        proxy: proxy.clone(),
        upstream: snapshot.upstreams.by_id(proxy.upstream).clone(),
        connection_group: snapshot.connection_group(proxy.upstream),
    })
}

impl Way {
    fn bad_request(context: &Context) -> Self {
        Self::Generate(Generated::BadRequest, Answer::standard(StatusCode::BAD_REQUEST, tokens(context)))
    }

    fn of_return(to: &Return, request: &RequestHeader, context: &Context, location: &Location) -> Self {
        if to.status.as_u16() == 444 {
            return Self::Silence;
        }
        let values = RequestValues {
            context,
            request,
            response: None,
            body_bytes_sent: 0,
            body_bytes_read: 0,
            now: Instant::now(),
        };
        let path = context.facts().map_or(&b""[..], |facts| path::Target::split(facts.path_and_query()).path);
        let host = own_host(request, context);
        Self::Generate(
            Generated::Return,
            return_directive::answer(to, location, path, host.as_deref(), &values),
        )
    }
}

/// What happens to a routed request.
fn choose_way(session: &Session, context: &Context, form: PathForm) -> Way {
    let request = session.req_header();
    let (Some(facts), Some(server), Some(location)) = (context.facts(), context.server(), context.location())
    else {
        return Way::bad_request(context);
    };
    if form == PathForm::Bad {
        return Way::bad_request(context);
    }
    if let Some(to) = &server.answer {
        return Way::of_return(to, request, context, location);
    }
    if let (Some(limit), Framing::Length(announced)) = (location.client_max_body_bytes, facts.shape.framing)
        && announced > limit
    {
        record::body_too_large(session, context, announced);
        return Way::Generate(
            Generated::BodyTooLarge,
            Answer::standard(StatusCode::PAYLOAD_TOO_LARGE, location.server_tokens),
        );
    }
    match &location.action {
        Action::Return(to) => Way::of_return(to, request, context, location),
        Action::NotFound => Way::Generate(
            Generated::NotFound,
            Answer::standard(StatusCode::NOT_FOUND, location.server_tokens),
        ),
        Action::Proxy(_) => Way::Proxy,
    }
}

/// Applies what the location says of the client's connection, before anything is read or written.
fn prepare_connection(
    session: &mut Session,
    facts: &RequestFacts<Snapshot>,
    location: &Location,
    draining: bool,
) {
    facts.reply.set_idle_timeout(location.keepalive_timeout);
    // Pingora looks at the first `Connection` field alone; the client may say "close" in another.
    let asked_to_close = !facts.shape.keep_alive;
    if draining
        || asked_to_close
        || location.keepalive_timeout.is_zero()
        || facts.number >= location.keepalive_requests
    {
        session.set_keepalive(None);
    }
    session.set_read_timeout(Some(location.client_body_timeout));
    // Writes are watched over by the connection's stream.
    facts.reply.set_send_timeout(location.send_timeout);
}

fn tokens(context: &Context) -> bool {
    context.location().is_none_or(|location| location.server_tokens)
}

/// Whether the client has part of an answer.
fn answer_begun(session: &Session) -> bool {
    // A 101 is an answer: what follows it is another protocol.
    session.was_upgraded()
        || session.response_written().is_some_and(|answer| !answer.status.is_informational())
}

/// The peer as Pingora takes it. Its own constructors look names up; from an address they cannot fail.
fn http_peer(peer: &Peer, target: &ProxyTarget) -> Result<HttpPeer> {
    let mut http_peer = match peer.address() {
        PeerSocketAddr::Inet(address) => HttpPeer::new(*address, false, String::new()),
        PeerSocketAddr::Unix(address) => {
            let path = address.as_pathname().and_then(std::path::Path::to_str).unwrap_or_default();
            HttpPeer::new_uds(path, false, String::new())?
        }
    };
    http_peer.group_key = target.connection_group;
    let options = &mut http_peer.options;
    options.connection_timeout = Some(target.proxy.connect_timeout);
    options.read_timeout = Some(target.proxy.read_timeout);
    options.write_timeout = Some(target.proxy.send_timeout);
    options.idle_timeout = Some(target.upstream.model().keepalive.timeout);
    Ok(http_peer)
}

/// What makes a redirect to a path of our own absolute: the request's host, or the address it came in on where it
/// named none (nginx's `server_name_in_redirect off`), and the port.
fn own_host(request: &RequestHeader, context: &Context) -> Option<Vec<u8>> {
    let local = context.facts()?.connection.local;
    let mut host = match host_field(request) {
        Some(host) if !host.is_empty() => crate::routing::host::bare_name(host).into_owned(),
        _ => match local?.ip() {
            IpAddr::V4(ip) => ip.to_string().into_bytes(),
            IpAddr::V6(ip) => format!("[{ip}]").into_bytes(),
        },
    };
    match local.map(|address| address.port()) {
        Some(80) | None => {}
        Some(port) => host.extend_from_slice(format!(":{port}").as_bytes()),
    }
    Some(host)
}
