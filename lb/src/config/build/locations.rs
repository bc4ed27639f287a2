//! Settings of servers and locations to locations with nothing left to inherit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{DATE, HOST, SERVER};
use http::{HeaderName, HeaderValue, StatusCode};

use super::logs::AccessLogs;
use super::upstreams::KEEPALIVE;
use crate::config::address;
use crate::config::diagnostics::Report;
use crate::config::model::{
    AccessLog, Action, FieldName, Location, LocationMatch, NextUpstream, Position, Proxy, Redirect, Return,
    ReturnContent, SentField, SentValue, ServerAddress, SetHeader, Upstream, UpstreamId, UpstreamServer,
};
use crate::config::modules::proxy::names_upstream;
use crate::config::table::draft::{self, LocationDraft, ProxyPass, ProxySettings, Settings};
use crate::script::{Named, Template, Variable};
use crate::suggestion;

// nginx's defaults, but for `proxy_http_version`, which follows 1.29.7: 1.1.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(75);
const KEEPALIVE_REQUESTS: u64 = 1000;
const MAX_BODY_BYTES: u64 = 1 << 20;
const CLIENT_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_TYPE: &str = "text/plain";
const PROXY_TIMEOUT: Duration = Duration::from_secs(60);
const NEXT_UPSTREAM: NextUpstream = NextUpstream { error: true, timeout: true };
const HTTP_PORT: u16 = 80;

/// What nginx keeps from clients unless told otherwise, but for `Server`, which it replaces, and `Date`, which
/// Pingora replaces in every answer.
const HIDDEN: [HeaderName; 6] = [
    HeaderName::from_static("x-pad"),
    HeaderName::from_static("x-accel-expires"),
    HeaderName::from_static("x-accel-redirect"),
    HeaderName::from_static("x-accel-limit-rate"),
    HeaderName::from_static("x-accel-buffering"),
    HeaderName::from_static("x-accel-charset"),
];

/// Makes locations, and with them the upstreams and log files that they name.
pub(super) struct Assembler<'a> {
    pub(super) upstreams: Vec<Upstream>,
    pub(super) logs: AccessLogs<'a>,
    pub(super) report: &'a mut Report,
    pub(super) default_types: Arc<HashMap<String, String>>,
}

impl Assembler<'_> {
    /// What a server does where no location matches.
    pub(super) fn fallback(&mut self, settings: &Settings, position: Position) -> Location {
        self.location(LocationMatch::Prefix(String::new()), settings, Action::NotFound, position)
    }

    /// The locations of a server, nested ones beside their outer ones.
    pub(super) fn locations(&mut self, drafts: Vec<LocationDraft>, server: &Settings) -> Vec<Arc<Location>> {
        let mut flat = Vec::new();
        self.flatten(drafts, server, &[], &mut flat);
        for (path, target, position) in missing_slashes(&flat) {
            let action = Action::Return(Return {
                status: StatusCode::MOVED_PERMANENTLY,
                content: ReturnContent::Location(target),
            });
            flat.push(Arc::new(self.location(LocationMatch::Exact(path), server, action, position)));
        }
        flat
    }

    /// `rivals` are prefixes of the outer levels: nginx chooses the longest of a level before it looks into it, so
    /// what is nested cannot win against a longer one outside.
    fn flatten(
        &mut self,
        drafts: Vec<LocationDraft>,
        above: &Settings,
        rivals: &[String],
        flat: &mut Vec<Arc<Location>>,
    ) {
        self.report_duplicates(&drafts);
        let siblings: Vec<String> = drafts.iter().filter_map(|draft| prefix(&draft.pattern)).collect();
        for draft in drafts {
            let LocationDraft { pattern, settings, nested, position } = draft;
            let settings = settings.inherit(above);
            let reachable = !rivals.iter().any(|rival| path(&pattern).starts_with(rival.as_str()));
            let has_nested = !nested.is_empty();
            let outer = path(&pattern).to_owned();
            let mut nested_rivals: Vec<String> = rivals.to_vec();
            nested_rivals.extend(
                siblings
                    .iter()
                    .filter(|other| other.len() > outer.len() && other.starts_with(&outer))
                    .cloned(),
            );
            let action = self.action(&settings, &pattern, &position, has_nested);
            if !outer.starts_with('/') {
                self.report
                    .warn(format!("location \"{outer}\" never matches: paths begin with \"/\""), &position);
            }
            if reachable {
                flat.push(Arc::new(self.location(pattern, &settings, action, position)));
            } else {
                let message =
                    format!("location \"{outer}\" is never reached: a longer one outside is chosen first");
                self.report.warn(message, &position);
            }
            self.flatten(nested, &settings, &nested_rivals, flat);
        }
    }

    fn report_duplicates(&mut self, drafts: &[LocationDraft]) {
        for (index, draft) in drafts.iter().enumerate() {
            if drafts[..index].iter().any(|earlier| earlier.pattern == draft.pattern) {
                self.report
                    .emerg(format!("duplicate location \"{}\"", path(&draft.pattern)), &draft.position);
            }
        }
    }

    fn location(
        &mut self,
        pattern: LocationMatch,
        settings: &Settings,
        action: Action,
        position: Position,
    ) -> Location {
        let (keepalive_timeout, keepalive_header) =
            settings.keepalive_timeout.unwrap_or((KEEPALIVE_TIMEOUT, None));
        let types = settings.types.as_ref().unwrap_or(&self.default_types);
        Location {
            pattern,
            action,
            add_headers: settings.add_headers.as_deref().unwrap_or_default().into(),
            keepalive_timeout,
            keepalive_header,
            keepalive_requests: settings.keepalive_requests.unwrap_or(KEEPALIVE_REQUESTS),
            client_max_body_bytes: settings.client_max_body_bytes.unwrap_or(Some(MAX_BODY_BYTES)),
            client_body_timeout: settings.client_body_timeout.unwrap_or(CLIENT_TIMEOUT),
            send_timeout: settings.send_timeout.unwrap_or(CLIENT_TIMEOUT),
            server_tokens: settings.server_tokens.unwrap_or(true),
            types: Arc::clone(types),
            default_type: settings.default_type.clone().unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
            access_logs: self.access_logs(settings.access_logs.as_ref()).into(),
            position,
        }
    }

    fn access_logs(&mut self, written: Option<&draft::AccessLogs>) -> Vec<AccessLog> {
        let Some(written) = written else {
            let format = self.logs.combined();
            return self.logs.default_file().map(|file| AccessLog { file, format }).into_iter().collect();
        };
        if written.off {
            return Vec::new();
        }
        let mut logs = Vec::new();
        for log in &written.written {
            // What is unknown has been reported where it was written.
            if let Ok(format) = self.logs.format(log) {
                logs.push(AccessLog { file: self.logs.file(log.destination.clone()), format });
            }
        }
        logs
    }

    fn action(
        &mut self,
        settings: &Settings,
        pattern: &LocationMatch,
        position: &Position,
        has_nested: bool,
    ) -> Action {
        let proxy = settings.proxy_pass.as_ref().map(|pass| self.proxy(pass, pattern, settings));
        if settings.probe.is_some() && proxy.is_none() {
            self.report.emerg("\"health_check\" needs a \"proxy_pass\" in its location", position);
        }
        if let Some(answer) = &settings.answer {
            return Action::Return(answer.clone());
        }
        // Where something is wrong, a `proxy_pass` may only seem to be missing.
        if proxy.is_none() && !has_nested && !self.report.refuses() {
            let message =
                "the location has neither \"proxy_pass\" nor \"return\" and answers 404: no file is served";
            self.report.warn(message, position);
        }
        proxy.map_or(Action::NotFound, |proxy| Action::Proxy(Arc::new(proxy)))
    }

    fn proxy(&mut self, pass: &ProxyPass, pattern: &LocationMatch, settings: &Settings) -> Proxy {
        let upstream = self.upstream(pass);
        if settings.probe == Some(false) {
            self.upstreams[upstream.0].probe = false;
        }
        let ProxySettings {
            set_headers,
            http_1_0,
            connect_timeout,
            read_timeout,
            send_timeout,
            next_upstream,
            hide_headers,
            pass_headers,
            redirect,
            buffering,
            request_buffering,
            ignores_accel_redirect,
        } = &settings.proxy;
        let (host, port) = (host_field(pass), pass.target.port.unwrap_or(HTTP_PORT));
        let passed = pass_headers.as_deref().unwrap_or_default();
        let hidden_by_hand = hide_headers.as_deref().unwrap_or_default();
        Proxy {
            upstream,
            set_headers: sent_fields(set_headers.as_deref().unwrap_or_default(), &host, port),
            host,
            port,
            uri: replacement(&pass.target.uri),
            http_1_0: http_1_0.unwrap_or(false),
            connect_timeout: connect_timeout.unwrap_or(PROXY_TIMEOUT),
            read_timeout: read_timeout.unwrap_or(PROXY_TIMEOUT),
            send_timeout: send_timeout.unwrap_or(PROXY_TIMEOUT),
            next_upstream: next_upstream.unwrap_or(NEXT_UPSTREAM),
            hidden_headers: hidden(hidden_by_hand, passed),
            passes_server: passed.contains(&SERVER),
            redirect: redirect.unwrap_or(true).then(|| default_redirect(pass, pattern)),
            buffering: buffering.unwrap_or(true),
            request_buffering: request_buffering.unwrap_or(true),
            ignores_accel_redirect: ignores_accel_redirect.unwrap_or(false),
        }
    }

    /// A name that no upstream has is one for DNS to know: refused if it cannot be, questioned if it seems misspelt.
    fn doubt(&mut self, pass: &ProxyPass) {
        let ServerAddress::Name { host, .. } = &pass.target.address else { return };
        if !address::is_host_name(host) {
            self.report.emerg(format!("host not found in upstream \"{host}\""), &pass.position);
        } else if let Some(nearest) = nearest_upstream(pass, &self.upstreams) {
            let message =
                format!("\"{host}\" is no upstream and will be looked up; did you mean \"{nearest}\"?");
            self.report.warn(message, &pass.position);
        }
    }

    /// The upstream of that name, or one made for the address.
    fn upstream(&mut self, pass: &ProxyPass) -> UpstreamId {
        let named =
            self.upstreams.iter().position(|known| !known.implicit && names_upstream(pass, &known.name));
        if let Some(index) = named {
            if let Some(port) = pass.target.port {
                let message = format!("upstream \"{}\" may not have port {port}", pass.target.host);
                let hint = "the ports are those of its servers";
                self.report.emerg_hint(message, &pass.position, hint);
            }
            return UpstreamId(index);
        }
        let same = |known: &Upstream| {
            known.implicit && known.servers.iter().all(|server| server.address == pass.target.address)
        };
        if let Some(index) = self.upstreams.iter().position(same) {
            return UpstreamId(index);
        }
        self.doubt(pass);
        self.upstreams.push(implicit_upstream(pass));
        UpstreamId(self.upstreams.len() - 1)
    }
}

/// Whether a host that names no upstream may have been meant as one.
fn nearest_upstream<'u>(pass: &ProxyPass, upstreams: &'u [Upstream]) -> Option<&'u str> {
    let host = pass.target.host.as_str();
    let names = upstreams.iter().filter(|known| !known.implicit).map(|known| known.name.as_str());
    if host.contains('.') || pass.target.port.is_some() { None } else { suggestion::nearest(host, names) }
}

/// nginx sends whoever asks for `/path` to `/path/` when that is a proxied prefix and nothing else takes `/path`
/// itself: the path, the target and the position of each such location.
fn missing_slashes(locations: &[Arc<Location>]) -> Vec<(String, Template, Position)> {
    let proxied = locations.iter().filter(|location| matches!(location.action, Action::Proxy(_)));
    let candidates = proxied.filter_map(|location| match &location.pattern {
        LocationMatch::Prefix(prefix) => {
            Some((prefix.strip_suffix('/').filter(|path| !path.is_empty())?, prefix, location))
        }
        LocationMatch::Exact(_) => None,
    });
    candidates
        .filter(|(candidate, ..)| locations.iter().all(|other| path(&other.pattern) != *candidate))
        .map(|(path, prefix, location)| {
            let query = Template::variable(Variable::Named(Named::IsArgs))
                .followed_by(Template::variable(Variable::Named(Named::Args)));
            (path.to_owned(), Template::literal(prefix).followed_by(query), location.position.clone())
        })
        .collect()
}

fn implicit_upstream(pass: &ProxyPass) -> Upstream {
    let address = &pass.written[..pass.written.len() - pass.target.uri.len()];
    let written = address.trim_end_matches(':').to_owned();
    Upstream {
        name: written.clone(),
        implicit: true,
        servers: vec![UpstreamServer {
            address: pass.target.address.clone(),
            written,
            weight: 1,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
            backup: false,
            down: false,
            resolve: false,
            position: pass.position.clone(),
        }],
        keepalive: KEEPALIVE,
        zone: None,
        probe: true,
        resolver: None,
        position: pass.position.clone(),
    }
}

/// nginx's `$proxy_host`: the host, with the port unless it is the scheme's own; `localhost` for a Unix socket.
fn host_field(pass: &ProxyPass) -> String {
    match (&pass.target.address, pass.target.port) {
        (ServerAddress::Unix(_), _) => "localhost".to_owned(),
        (_, Some(port)) if port != HTTP_PORT => format!("{}:{port}", pass.target.host),
        _ => pass.target.host.clone(),
    }
}

/// nginx's `proxy_redirect default`: the URL of `proxy_pass` becomes the location's path; one without a URI becomes
/// the root.
fn default_redirect(pass: &ProxyPass, pattern: &LocationMatch) -> Redirect {
    if pass.target.uri.is_empty() {
        Redirect { from: format!("http://{}/", pass.written), to: "/".to_owned() }
    } else {
        Redirect { from: format!("http://{}", pass.written), to: path(pattern).to_owned() }
    }
}

/// What replaces the path; arguments alone need one before them to make a request that servers take.
fn replacement(uri: &str) -> Option<String> {
    match uri.chars().next()? {
        '/' => Some(uri.to_owned()),
        _ => Some(format!("/{uri}")),
    }
}

/// What is sent besides the client's own fields: `written`, and nginx's default for `Host` where that does not set it.
fn sent_fields(written: &[SetHeader], host: &str, port: u16) -> Vec<SentField> {
    let known = |variable: &Variable| match variable {
        Variable::Named(Named::ProxyHost) => Some(host.to_owned()),
        Variable::Named(Named::ProxyPort) => Some(port.to_string()),
        _ => None,
    };
    let default_host = SetHeader {
        name: FieldName::known(HOST, "Host"),
        value: Template::variable(Variable::Named(Named::ProxyHost)),
    };
    let default_host = (!written.iter().any(|field| *field.name.name() == HOST)).then_some(&default_host);
    let mut fields: Vec<SentField> = Vec::with_capacity(written.len() + 1);
    for SetHeader { name, value } in default_host.into_iter().chain(written) {
        let again = fields.iter().any(|earlier| earlier.name.name() == name.name());
        fields.push(SentField { name: name.clone(), value: sent_value(value.with_known(known)), again });
    }
    fields
}

fn sent_value(value: Template) -> SentValue {
    match value.as_literal().map(HeaderValue::from_str) {
        Some(Ok(text)) if text.is_empty() => SentValue::Nothing,
        Some(Ok(text)) => SentValue::Constant(text),
        // Text that no field can hold is left out when it comes to that, as any value that cannot be sent.
        Some(Err(_)) | None => SentValue::PerRequest(value),
    }
}

fn hidden(by_hand: &[HeaderName], passed: &[HeaderName]) -> Vec<HeaderName> {
    let mut hidden: Vec<HeaderName> = Vec::new();
    for name in HIDDEN.iter().chain(by_hand) {
        let is_replaced = matches!(*name, DATE | SERVER);
        if !is_replaced && !passed.contains(name) && !hidden.contains(name) {
            hidden.push(name.clone());
        }
    }
    hidden
}

fn path(pattern: &LocationMatch) -> &str {
    let (LocationMatch::Exact(path) | LocationMatch::Prefix(path)) = pattern;
    path
}

fn prefix(pattern: &LocationMatch) -> Option<String> {
    match pattern {
        LocationMatch::Prefix(path) => Some(path.clone()),
        LocationMatch::Exact(_) => None,
    }
}
