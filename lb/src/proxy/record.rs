//! What is told of a request: nginx's error lines while it runs, counts and access log once at its end.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pingora::{Error, ErrorType};
use pingora_proxy::Session;

use super::cache;
use super::checked::{Checked, NoToken};
use super::context::Request;
use super::failure::{REFUSED_ANSWER, is_invalid_chunk};
use super::simple_values::host_field;
use super::values::RefusedValues;
use crate::config::model::{AccessLog, AccessLogTarget, Location};
use crate::connection::{ConnectionFacts, Refused};
use crate::files::{FileError, Meaning};
use crate::observe::access_log::PathLine;
use crate::observe::error_log::{self, LevelGuard, OnDemand, log_at};
use crate::observe::status::StatusClass;
use crate::passwords::Verified;
use crate::request::PasswordCheck;
use crate::request::failure::TryMeaning;
use crate::request::retry::{FailedTry, GiveUp, Verdict};
use crate::request::{Evaluation, Note, State};
use crate::script::Values;
use crate::server::ServerState;
use crate::server::Snapshot;
use crate::system_error::{self, SystemError};
use crate::upstream::FailureKind;

/// nginx's words for the time between a connection and the first byte that is not TLS.
const SHAKING_HANDS: &str = "SSL handshaking to upstream";

/// Counts and logs a request that is over.
pub(super) fn finish(session: &mut Session, request: &mut Request, state: &ServerState) {
    let now = Instant::now();
    let upstream_received = session.upstream_body_bytes_received() as u64;
    if let Some(proxying) = request.state.proxying_mut() {
        if let Some(last) = proxying.tries.last_mut()
            && last.finished.is_none()
        {
            last.bytes_received = upstream_received;
        }
        proxying.end_try(None, now);
    }
    if request.is_part() {
        // Whoever puts it together counts and logs.
        return;
    }
    let is_inside = request.state.outer().is_some();
    if !request.is_background {
        cache::finish(request);
    }
    // A subrequest is work for its servers, and no answer to a client; so is what renews an answer of the cache.
    if !is_inside && !request.is_background {
        count(session, request, state, now);
    }
    for one in request.state.upstreams().flat_map(|proxying| &proxying.tries) {
        let metrics = &one.peer.metrics;
        if let (Some(header), Some(status)) = (one.header, one.status) {
            metrics.count_answer(StatusClass::of(status.as_u16()));
            metrics.header_time.observe(header);
            metrics.response_time.observe(one.finished.unwrap_or(header));
        }
        if let Some(time) = one.connected.filter(|_| !one.reused) {
            metrics.connect_time.observe(time);
        }
        metrics.count_bytes(one.bytes_sent, one.bytes_received);
    }
    let location = request.state.location();
    let is_logged = !is_inside || location.is_some_and(|location| location.settings.core.log_subrequest);
    if is_logged && !request.is_background {
        write_access_logs(session, request, now);
    }
}

/// Counts the answer to a client.
fn count(session: &Session, request: &Request, state: &ServerState, now: Instant) {
    let response = session.response_written();
    state.totals.requests.increment(StatusClass::of_answer(response.map(|answer| answer.status.as_u16())));
    state.totals.durations.observe(now.duration_since(request.facts.received));
    if let Some(reason) = request.state.ending.generated {
        state.totals.generated.increment(reason as usize);
    }
}

/// A request that the connection loop refused: counted there, logged here, in the log of the address's default server.
pub fn refused(snapshot: &Arc<Snapshot>, connection: &ConnectionFacts, refused: &Refused<'_>) {
    let server = snapshot
        .listener(&connection.listener)
        .map(|listener| &snapshot.config.http.servers[listener.default_server.0]);
    {
        let logs = server.and_then(|server| server.fallback.error_logs);
        let _level = error_log::of_level(logs.and_then(|id| snapshot.error_logs.get(id.0)));
        log::info!("{}{}", refused.reason, refused_circumstances(connection, refused));
    }
    let Some(server) = server else { return };
    let outside = RefusedValues { server, connection, refused, now: Instant::now() };
    let http = &snapshot.config.http;
    let mut state = State::default();
    let mut values =
        Evaluation { state: &mut state, definitions: &http.definitions, computed: &http.computed, outside };
    let mut line = Vec::with_capacity(256);
    for log in server.fallback.access_logs.iter() {
        line.clear();
        if log.condition.as_ref().is_some_and(|condition| !condition.holds(&mut values)) {
            continue;
        }
        log.format.template.render_log(&mut values, log.format.escape, &mut line);
        write_line(snapshot, log, &server.fallback, &mut values, &line);
    }
}

fn refused_circumstances(connection: &ConnectionFacts, refused: &Refused<'_>) -> String {
    let client = connection.client;
    let request = String::from_utf8_lossy(refused.request_line);
    format!(", client: {client}, request: \"{request}\"")
}

fn write_access_logs(session: &Session, request: &mut Request, now: Instant) {
    let Some(location) = request.state.location().cloned() else { return };
    let snapshot = Arc::clone(request.snapshot());
    if location.access_logs.is_empty() {
        return;
    }
    let bytes_sent = request.facts.reply.sent_bytes();
    let mut values = request.values(session.req_header(), session.response_written(), now);
    values.outside.bytes_sent = bytes_sent;
    let mut line = Vec::with_capacity(256);
    for log in location.access_logs.iter() {
        line.clear();
        if log.condition.as_ref().is_some_and(|condition| !condition.holds(&mut values)) {
            continue;
        }
        log.format.template.render_log(&mut values, log.format.escape, &mut line);
        write_line(&snapshot, log, &location, &mut values, &line);
    }
}

fn write_line(
    snapshot: &Snapshot,
    log: &AccessLog,
    location: &Location,
    values: &mut dyn Values,
    line: &[u8],
) {
    match &log.target {
        AccessLogTarget::Fixed(file) => snapshot.access_logs.write(*file, line),
        AccessLogTarget::Path(template) => {
            let mut path = Vec::new();
            template.render(values, &mut path);
            let mut root = Vec::new();
            location.root.path.render(values, &mut root);
            let (line, kept) = (line.to_vec(), location.settings.log_files.rules);
            snapshot.access_logs.write_by_path(PathLine { path, root, line, kept });
        }
    }
}

/// What is logged until the guard goes is about this request.
fn of_level(request: &Request) -> LevelGuard {
    let logs = request.state.location().and_then(|location| location.error_logs);
    error_log::of_level(logs.and_then(|id| request.snapshot().error_logs.get(id.0)))
}

/// The tail of nginx's error lines: `, client: …, server: …, request: "…", upstream: "…", host: "…"`.
fn circumstances(session: &Session, request: &Request) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let facts = &request.facts;
    let _ = write!(text, ", client: {}", request.client());
    let server = request.server().map_or("", |server| server.first_name.as_str());
    let line = String::from_utf8_lossy(facts.request_line());
    let _ = write!(text, ", server: {server}, request: \"{line}\"");
    let path = String::from_utf8_lossy(request.state.uri.path(facts.path_and_query()));
    let is_inside = request.state.outer().is_some();
    if is_inside {
        let _ = write!(text, ", subrequest: \"{path}\"");
    }
    if let Some(last) = request.state.tries().last() {
        let target = if is_inside { path } else { String::from_utf8_lossy(facts.path_and_query()) };
        let proxy = request.state.proxying().map(|proxying| &proxying.target.proxy);
        let scheme = match proxy.map(|proxy| (proxy.is_grpc, proxy.tls.is_some())) {
            Some((true, false)) => "grpc",
            Some((true, true)) => "grpcs",
            Some((false, true)) => "https",
            Some((false, false)) | None => "http",
        };
        let _ = write!(text, ", upstream: \"{scheme}://{}{target}\"", last.peer.name());
    }
    if let Some(host) = host_field(session.req_header()).filter(|host| !host.is_empty()) {
        let _ = write!(text, ", host: \"{}\"", String::from_utf8_lossy(host));
    }
    text
}

/// A connection that this machine could not even begin.
pub(super) fn local_shortage(session: &Session, request: &Request, error: &Error) {
    let _level = of_level(request);
    crate::crit!(
        "connect() failed ({}) while connecting to upstream{}",
        cause(error),
        circumstances(session, request)
    );
}

/// A try that failed, in nginx's words, and why there is no other when that is not plain from the failure itself. A
/// stale kept-alive connection whose request goes on is no error.
pub(super) fn failed_try(
    session: &Session,
    request: &Request,
    error: &Error,
    failed: &FailedTry,
    verdict: Verdict,
) {
    let _level = of_level(request);
    if verdict == Verdict::Forgive {
        log::info!(
            "a kept-alive connection was closed by the upstream server; trying again{}",
            circumstances(session, request)
        );
        return;
    }
    let circumstances = OnDemand(|| circumstances(session, request));
    let doing = if session.was_upgraded() {
        "proxying upgraded connection"
    } else if failed.answered {
        "reading upstream"
    } else if failed.kind == FailureKind::WriteTimeout {
        "sending request to upstream"
    } else {
        "reading response header from upstream"
    };
    let words = TryMeaning::of(failed.kind).words;
    match failed.kind {
        FailureKind::Connect => {
            log::error!("{words} ({}) while connecting to upstream{circumstances}", cause(error));
        }
        FailureKind::ConnectTimeout => {
            let shaking = *error.etype() == ErrorType::TLSHandshakeTimedout;
            let doing = if shaking { SHAKING_HANDS } else { "connecting to upstream" };
            log::error!("{words} while {doing}{circumstances}");
        }
        FailureKind::Handshake => {
            let words = error.context.as_ref().map_or(words, |why| why.as_str());
            log::error!("{words} while {SHAKING_HANDS}{circumstances}");
        }
        FailureKind::ReadTimeout | FailureKind::WriteTimeout => {
            log::error!("{words} while {doing}{circumstances}");
        }
        // nginx says nothing of it, and such a try is not booked here.
        FailureKind::ListedStatus => {}
        FailureKind::Unprocessed => {
            log::error!("{words} ({}) while {doing}{circumstances}", cause(error));
        }
        FailureKind::InvalidAnswer => {
            let words = why_refused(error).unwrap_or(words);
            log::error!("{words} while {doing}{circumstances}");
        }
        FailureKind::Closed => {
            log::error!("{words} while {doing}{circumstances}");
            log::debug!("{}", cause(error));
        }
    }
    if let Verdict::GiveUp(reason) = verdict {
        let why = match reason {
            GiveUp::ClientStalled => "the client has not sent the whole body",
            GiveUp::NonIdempotent => "the server may already have acted on this request",
            GiveUp::BodyGone => "the request body is longer than can be sent again",
            GiveUp::AnswerBegun => "the client has part of the answer already",
            GiveUp::NotListed => "proxy_next_upstream does not list this failure",
            GiveUp::NoServerLeft => "every server was tried",
            GiveUp::OutOfTime => "proxy_next_upstream_timeout is over",
        };
        log::info!("no other server is tried: {why}{circumstances}");
    }
}

/// nginx's line for a server that failures took out of use.
pub(super) fn ejected(session: &Session, request: &Request) {
    let _level = of_level(request);
    log::warn!(
        "upstream server temporarily disabled while connecting to upstream{}",
        circumstances(session, request)
    );
}

/// nginx's line for a body beyond `client_max_body_size`.
pub(super) fn body_too_large(session: &Session, request: &Request, bytes: u64) {
    let _level = of_level(request);
    log::error!("client intended to send too large body: {bytes} bytes{}", circumstances(session, request));
}

/// What `request/` has to say of its decisions, in nginx's words.
pub(super) fn notes(session: &Session, request: &mut Request) {
    for note in request.state.take_notes() {
        let _level = of_level(request);
        let tail = OnDemand(|| circumstances(session, request));
        match note {
            Note::Tried { pattern, path, matches } => {
                let verb = if matches { "matches" } else { "does not match" };
                crate::notice!("\"{pattern}\" {verb} \"{}\"{tail}", path.escape_ascii());
            }
            Note::Rewritten { path, arguments } => crate::notice!(
                "rewritten data: \"{}\", args: \"{}\"{tail}",
                path.escape_ascii(),
                arguments.escape_ascii()
            ),
            Note::Uninitialized(name) => log::warn!("using uninitialized \"{name}\" variable{tail}"),
            Note::EmptyUri => log::error!("the rewritten URI has a zero length{tail}"),
            Note::MatchLimit => crate::alert!("a regular expression reached its limit of steps{tail}"),
            Note::Cycle(at) => log::error!(
                "rewrite or internal redirection cycle while processing \"{}\"{tail}",
                at.escape_ascii()
            ),
            Note::NoNamedLocation(name) => {
                log::error!("could not find named location \"@{}\"{tail}", name.escape_ascii());
            }
            Note::InvalidLimitRate(value) => {
                log::error!("invalid $limit_rate \"{}\"{tail}", value.escape_ascii());
            }
            Note::LimitingRequests { level, dry_run, excess, zone } => {
                let (whole, thousandths) = (excess / 1000, excess % 1000);
                let dry = if dry_run { ", dry run" } else { "" };
                log_at(
                    level,
                    &format_args!(
                        "limiting requests{dry}, excess: {whole}.{thousandths:03} by zone \"{zone}\"{tail}"
                    ),
                );
            }
            Note::DelayingRequest { level, dry_run, excess, zone } => {
                let (whole, thousandths) = (excess / 1000, excess % 1000);
                let dry = if dry_run { ", dry run" } else { "" };
                log_at(
                    level,
                    &format_args!(
                        "delaying request{dry}, excess: {whole}.{thousandths:03}, by zone \"{zone}\"{tail}"
                    ),
                );
            }
            Note::LimitingConnections { level, dry_run, zone } => {
                let dry = if dry_run { ", dry run," } else { "" };
                log_at(level, &format_args!("limiting connections{dry} by zone \"{zone}\"{tail}"));
            }
            Note::NoRoomInZone { module, zone } => {
                crate::alert!("could not allocate node in {module} zone \"{zone}\"{tail}");
            }
            Note::LongLimitKey { key, longest, value } => log::error!(
                "the value of the \"{key}\" key is more than {longest} bytes: \"{}\"{tail}",
                shown(&value)
            ),
            Note::NoPassword => {
                log::info!("no user/password was provided for basic authentication{tail}");
            }
            Note::DelayingUnauthorized => log::info!("delaying unauthorized request{tail}"),
            Note::AuthRequestStatus(status) => log::error!("auth request unexpected status: {status}{tail}"),
            Note::SubrequestCycle(path) => {
                log::error!("subrequests cycle while processing \"{}\"{tail}", path.escape_ascii());
            }
            Note::ForbiddenByRule => log::error!("access forbidden by rule{tail}"),
            Note::IndexNotFound(path) => {
                log::error!("\"{}\" is not found (2: No such file or directory){tail}", shown(&path));
            }
            Note::IndexForbidden(path) => {
                log::error!("\"{}\" is forbidden (13: Permission denied){tail}", shown(&path));
            }
            Note::NoDirectory(path) => log::error!("\"{}\" is not a directory{tail}", shown(&path)),
            Note::NoIndex(path) => {
                log::error!("directory index of \"{}\" is forbidden{tail}", shown(&path));
            }
            Note::AliasOfRewritten => {
                crate::alert!("\"alias\" cannot be used in a location whose URI was rewritten{tail}");
            }
        }
    }
}

/// What is wrong with a password, in nginx's words.
pub(super) fn password(session: &Session, request: &Request, check: &PasswordCheck, checked: &Checked) {
    let _level = of_level(request);
    let tail = OnDemand(|| circumstances(session, request));
    let (user, file) = (String::from_utf8_lossy(&check.user), check.file.display());
    match checked {
        Checked::Known(Verified::Right) => {}
        Checked::Known(Verified::Wrong) => log::error!("user \"{user}\": password mismatch{tail}"),
        Checked::Known(Verified::Unsupported) => {
            crate::crit!("crypt() failed: the hash of user \"{user}\" is of an unknown kind{tail}");
        }
        Checked::NoUser => log::error!("user \"{user}\" was not found in \"{file}\"{tail}"),
        Checked::NoFile(error) if error.kind() == std::io::ErrorKind::NotFound => {
            log::error!("open() \"{file}\" failed {}{tail}", SystemError(error));
        }
        Checked::NoFile(error) => crate::crit!("open() \"{file}\" failed {}{tail}", SystemError(error)),
        Checked::Unread(error) => crate::crit!("pread() \"{file}\" failed {}{tail}", SystemError(error)),
    }
}

/// Why a token is not taken.
pub(super) fn no_token(session: &Session, request: &Request, file: &Path, why: &NoToken) {
    let _level = of_level(request);
    let (tail, file) = (OnDemand(|| circumstances(session, request)), file.display());
    match why {
        NoToken::Refused(refusal) => log::error!("{refusal}{tail}"),
        NoToken::Unreadable(error) => {
            crate::crit!("open() \"{file}\" failed {}{tail}", SystemError(error));
        }
        NoToken::NoKeys(error) => log::error!("invalid JSON Web Key Set \"{file}\": {error}{tail}"),
    }
}

/// A copy of a request (`mirror`) that is not made.
pub(super) fn no_copy(session: &Session, request: &Request, uri: &str, why: &str) {
    let _level = of_level(request);
    log::error!("no copy of the request goes to \"{uri}\": {why}{}", circumstances(session, request));
}

/// A command of a page (`ssi`) that cannot be carried out.
pub(super) fn command_failed(session: &Session, request: &Request, complaint: &str) {
    let _level = of_level(request);
    log::error!("{complaint}{}", circumstances(session, request));
}

/// A file that cannot be opened, or a directory that cannot be listed.
pub(super) fn file_failed(session: &Session, request: &Request, error: &FileError) {
    let _level = of_level(request);
    let tail = OnDemand(|| circumstances(session, request));
    match error.meaning() {
        Meaning::Missing | Meaning::Forbidden => log::error!("{error}{tail}"),
        Meaning::Failed => crate::crit!("{error}{tail}"),
    }
}

/// A socket, a pipe or a device where a file was expected.
pub(super) fn no_regular_file(session: &Session, request: &Request, path: &[u8]) {
    let _level = of_level(request);
    crate::crit!("\"{}\" is not a regular file{}", shown(path), circumstances(session, request));
}

/// A path, for the log.
fn shown(path: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(path)
}

/// Why an answer was refused, if `admit` did it or its chunks did; Pingora's own reasons are no words of nginx's.
fn why_refused(error: &Error) -> Option<&str> {
    match error.etype() {
        ErrorType::Custom(REFUSED_ANSWER) => error.context.as_ref().map(|why| why.as_str()),
        kind if is_invalid_chunk(kind) => Some("upstream sent invalid chunked response"),
        _ => None,
    }
}

/// A `proxy_pass` with variables that leads nowhere.
pub(super) fn no_destination(session: &Session, request: &Request, error: &dyn std::fmt::Display) {
    let _level = of_level(request);
    log::error!("{error}{}", circumstances(session, request));
}

/// nginx's line for an upstream without a usable server.
pub(super) fn no_live_upstream(session: &Session, request: &Request) {
    let _level = of_level(request);
    log::error!("no live upstreams while connecting to upstream{}", circumstances(session, request));
}

/// The innermost cause of an error, in the operating system's words and nginx's form (`111: Connection refused`)
/// where it has some.
fn cause(error: &Error) -> String {
    let Some(cause) = &error.cause else {
        return match error.etype() {
            ErrorType::ConnectTimedout => "110: Connection timed out".to_owned(),
            other => other.as_str().to_owned(),
        };
    };
    match cause.downcast_ref::<Box<Error>>() {
        Some(inner) => self::cause(inner),
        // Pingora hands the system's errors on in wrappers of several kinds; their text is always Rust's.
        None => system_error::number_first(&cause.to_string()),
    }
}
