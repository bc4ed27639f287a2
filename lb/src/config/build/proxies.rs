//! `proxy_pass` to an upstream and to what goes with its requests and answers.

mod tls;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use http::header::{DATE, HOST, SERVER};
use http::{HeaderName, HeaderValue};

use crate::config::address;
use crate::config::diagnostics::Report;
use crate::config::model::{
    BalancingMethod, Destination, LocationMatch, Matched, Position, Proxy, ProxySettings, RedirectRule,
    SecureServers, SentField, SentUri, SentValue, ServerAddress, SetHeader, Settings, Substitute,
    Substitution, TlsToServers, Upstream, UpstreamId, UpstreamKeepalive, UpstreamServer,
};
use crate::config::modules::proxy::{FixedPass, Module, PassedTo, ProxyPass, Scheme};
use crate::config::modules::upstream::PROBES;
use crate::config::table::Block;
use crate::script::{Named, Template, Variable};

/// The port of a URL whose scheme is not known yet.
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

/// nginx's words for a URI where nothing says which part of the path it replaces.
const NO_URI_HERE: &str = "\"proxy_pass\" cannot have URI part in location given by regular expression, or inside named \
                           location, or inside \"if\" statement, or inside \"limit_except\" block";
/// Where a `proxy_pass` stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The location.
    pub(super) pattern: &'a LocationMatch,
    /// In an `if` or the `limit_except` of it.
    pub(super) inside_block: bool,
    /// What holds in the place of a `proxy_redirect` of its own.
    pub(super) default_redirect: Option<&'a Substitution>,
}

/// The address of the settings, the host and the port.
type SentKey = (usize, String, u16);

/// What was made of settings; that they are kept here keeps their address theirs.
type Made<T> = (Arc<ProxySettings>, Arc<[T]>);

/// Makes upstreams for the addresses that a `proxy_pass` names, and shares what many locations have in common.
pub(super) struct Proxies {
    pub(super) upstreams: Vec<Upstream>,
    pub(super) tls_to_servers: Vec<SecureServers>,
    /// Those that a location goes to.
    passed_to: HashSet<UpstreamId>,
    /// Where relative names of certificates begin.
    folder: PathBuf,
    /// By what they are made of.
    sent: HashMap<SentKey, Made<SentField>>,
    /// By the settings' address.
    hidden: HashMap<usize, Made<HeaderName>>,
}

impl Proxies {
    pub(super) fn new(upstreams: Vec<Upstream>, folder: PathBuf) -> Self {
        let (sent, hidden) = (HashMap::new(), HashMap::new());
        Self { upstreams, tls_to_servers: Vec::new(), passed_to: HashSet::new(), folder, sent, hidden }
    }

    /// What a location does that has this `proxy_pass`. `probe` is its `health_check`.
    pub(super) fn proxy(
        &mut self,
        pass: &ProxyPass,
        place: Place<'_>,
        level: &Settings,
        probe: Option<bool>,
        report: &mut Report,
    ) -> Proxy {
        match &pass.to {
            PassedTo::Fixed(fixed) => self.fixed(fixed, pass, place, level, probe, report),
            PassedTo::PerRequest(url) => self.per_request(url, pass, level, place.default_redirect, report),
        }
    }

    fn fixed(
        &mut self,
        pass: &FixedPass,
        directive: &ProxyPass,
        place: Place<'_>,
        level: &Settings,
        probe: Option<bool>,
        report: &mut Report,
    ) -> Proxy {
        let position = &directive.position;
        let (settings, tls) = settings_of(level, directive.module);
        if !pass.target.uri.is_empty() && (place.inside_block || place.pattern.path().is_none()) {
            report.emerg(NO_URI_HERE, position);
        }
        let upstream = self.upstream(pass, position, report);
        if probe == Some(false) {
            self.upstreams[upstream.0].probe = false;
        }
        let (host, port) = (host_field(pass), pass.target.port.unwrap_or(pass.scheme.port()));
        let tls_id = pass.scheme.is_secure().then(|| self.tls(tls, directive, report));
        self.probe_as(upstream, tls_id, tls, settings, &host);
        let tls = tls_id;
        Proxy {
            destination: Destination::Fixed(upstream),
            set_headers: self.sent_fields(settings, &host, port),
            hidden_headers: self.hidden_headers(settings),
            passes_server: settings.pass_headers.contains(&SERVER),
            redirects: match (directive.module, place.default_redirect) {
                (Module::Proxy, Some(default)) => redirects(&settings.redirects, Some(default)),
                (Module::Proxy, None) => {
                    redirects(&settings.redirects, Some(&default_redirect(pass, place.pattern)))
                }
                (Module::Grpc, _) => Arc::default(),
            },
            settings: Arc::clone(settings),
            is_grpc: directive.module == Module::Grpc,
            tls,
            host: host.into(),
            port,
            uri: replacement(&pass.target.uri).map_or(SentUri::Own, SentUri::Replacing),
        }
    }

    fn per_request(
        &mut self,
        url: &Template,
        directive: &ProxyPass,
        level: &Settings,
        default: Option<&Substitution>,
        report: &mut Report,
    ) -> Proxy {
        let (settings, tls) = settings_of(level, directive.module);
        // The scheme may come out of a variable.
        let start = url.literal_start().to_ascii_lowercase();
        let plain = [Scheme::Http, Scheme::Grpc].iter().any(|scheme| start.starts_with(scheme.written()));
        let tls = (!plain).then(|| self.tls(tls, directive, report));
        Proxy {
            destination: Destination::PerRequest {
                url: url.clone(),
                resolver: level.resolver.resolver().map(Arc::new),
            },
            set_headers: sent_fields(&settings.set_headers, None).into(),
            hidden_headers: self.hidden_headers(settings),
            passes_server: settings.pass_headers.contains(&SERVER),
            redirects: match directive.module {
                Module::Proxy => redirects(&settings.redirects, default),
                Module::Grpc => Arc::default(),
            },
            settings: Arc::clone(settings),
            is_grpc: directive.module == Module::Grpc,
            tls,
            host: "".into(),
            port: HTTP_PORT,
            uri: SentUri::Own,
        }
    }

    fn sent_fields(&mut self, settings: &Arc<ProxySettings>, host: &str, port: u16) -> Arc<[SentField]> {
        let key = (Arc::as_ptr(settings).addr(), host.to_owned(), port);
        let made = || (Arc::clone(settings), sent_fields(&settings.set_headers, Some((host, port))).into());
        Arc::clone(&self.sent.entry(key).or_insert_with(made).1)
    }

    fn hidden_headers(&mut self, settings: &Arc<ProxySettings>) -> Arc<[HeaderName]> {
        let made = || (Arc::clone(settings), hidden(&settings.hide_headers, &settings.pass_headers).into());
        Arc::clone(&self.hidden.entry(Arc::as_ptr(settings).addr()).or_insert_with(made).1)
    }

    /// A name that no upstream has is one for DNS to know: refused if it cannot be, questioned if it seems misspelt.
    fn doubt(&self, pass: &FixedPass, position: &Position, report: &mut Report) {
        let ServerAddress::Name { host, .. } = &pass.target.address else { return };
        if !address::is_host_name(host) {
            report.emerg(format!("host not found in upstream \"{host}\""), position);
        } else if let Some(nearest) = nearest_upstream(pass, &self.upstreams) {
            let message =
                format!("\"{host}\" is no upstream and will be looked up; did you mean \"{nearest}\"?");
            report.warn(message, position);
        }
    }

    /// The upstream of that name, or one made for the address.
    fn upstream(&mut self, pass: &FixedPass, position: &Position, report: &mut Report) -> UpstreamId {
        let named =
            self.upstreams.iter().position(|known| !known.implicit && pass.names_upstream(&known.name));
        if let Some(index) = named {
            if let Some(port) = pass.target.port {
                let message = format!("upstream \"{}\" may not have port {port}", pass.target.host);
                let hint = "the ports are those of its servers";
                report.emerg_hint(message, position, hint);
            }
            return UpstreamId(index);
        }
        let same = |known: &Upstream| {
            known.implicit && known.servers.iter().all(|server| server.address == pass.target.address)
        };
        if let Some(index) = self.upstreams.iter().position(same) {
            return UpstreamId(index);
        }
        if pass.scheme.is_grpc()
            && pass.target.port.is_none()
            && !matches!(pass.target.address, ServerAddress::Unix(_))
        {
            report.emerg(format!("no port in upstream \"{}\"", pass.target.host), position);
        }
        self.doubt(pass, position, report);
        self.upstreams.push(implicit_upstream(pass, position));
        UpstreamId(self.upstreams.len() - 1)
    }
}

/// Whether a host that names no upstream may have been meant as one.
fn nearest_upstream<'u>(pass: &FixedPass, upstreams: &'u [Upstream]) -> Option<&'u str> {
    let host = pass.target.host.as_str();
    let names = upstreams.iter().filter(|known| !known.implicit).map(|known| known.name.as_str());
    if host.contains('.') || pass.target.port.is_some() {
        None
    } else {
        crate::suggestion::nearest(host, names)
    }
}

fn implicit_upstream(pass: &FixedPass, position: &Position) -> Upstream {
    let address = &pass.written[..pass.written.len() - pass.target.uri.len()];
    let mut written = address.trim_end_matches(':').to_owned();
    if pass.scheme.is_secure() && pass.target.port.is_none() && !pass.target.host.is_empty() {
        // The same host is another upstream where its port is another.
        written = format!("{written}:{}", pass.scheme.port());
    }
    let server = UpstreamServer::plain(pass.target.address.clone(), written.clone(), position.clone());
    Upstream {
        name: written,
        implicit: true,
        method: BalancingMethod::RoundRobin,
        servers: vec![server],
        keepalive: UpstreamKeepalive::default(),
        zone: None,
        probe: PROBES,
        handshake: None,
        resolver: None,
        position: position.clone(),
    }
}

/// nginx's `$proxy_host`: the host, with the port unless it is the scheme's own, which gRPC tells all the same; `localhost`
/// for a Unix socket.
fn host_field(pass: &FixedPass) -> String {
    match (&pass.target.address, pass.target.port) {
        (ServerAddress::Unix(_), _) => "localhost".to_owned(),
        (_, Some(port)) if port != pass.scheme.port() || pass.scheme.is_grpc() => {
            format!("{}:{port}", pass.target.host)
        }
        _ => pass.target.host.clone(),
    }
}

/// `proxy_redirect`, with `default` made a rule: the URL of `proxy_pass` becomes the location's path; one without a URI
/// becomes the root. A URL with variables has no such rule.
fn redirects(rules: &[RedirectRule], default: Option<&Substitution>) -> Arc<[Substitution]> {
    let rule = |rule: &RedirectRule| match rule {
        RedirectRule::Default => default.cloned(),
        RedirectRule::Substitution(rule) => Some(rule.clone()),
        // What stood where it cannot has been reported.
        RedirectRule::Asked { .. } => None,
    };
    rules.iter().filter_map(rule).collect()
}

/// The settings of the directive's module.
fn settings_of(level: &Settings, module: Module) -> (&Arc<ProxySettings>, &Arc<TlsToServers>) {
    match module {
        Module::Proxy => (&level.proxy, &level.tls_to_servers),
        Module::Grpc => (&level.grpc.passing, &level.grpc.tls),
    }
}

/// What holds in a location with a `proxy_pass`, and as in nginx in all that is inside, where no `proxy_redirect` is said:
/// what holds around it, or else the rule of this `proxy_pass`.
pub(super) fn default_of_level(above: Option<&Substitution>, block: &Block) -> Option<Substitution> {
    let pass = proxy_pass_of(block).map(|pass| &pass.to);
    match (above, pass, block.given::<LocationMatch>()) {
        (None, Some(PassedTo::Fixed(pass)), Some(pattern)) => Some(default_redirect(pass, pattern)),
        (above, _, _) => above.cloned(),
    }
}

/// The `proxy_pass` of a block; gRPC has no redirects.
fn proxy_pass_of(block: &Block) -> Option<&ProxyPass> {
    let pass = block.given::<Option<ProxyPass>>()?.as_ref();
    pass.filter(|pass| pass.module == Module::Proxy)
}

fn default_redirect(pass: &FixedPass, pattern: &LocationMatch) -> Substitution {
    let (slash, to) = match pass.target.uri.as_str() {
        "" => ("/", "/"),
        _ => ("", pattern.name()),
    };
    let from = format!("{}{}{slash}", pass.scheme.written(), pass.written);
    Substitution {
        from: Matched::Text(Template::literal(&from)),
        to: Substitute::plain(Template::literal(to)),
    }
}

/// Makes rules of the `proxy_redirect default` of a level, for its `proxy_pass` and for what inherits them.
pub(super) fn resolve_redirects(settings: &mut Settings, block: &Block, report: &mut Report) {
    let is_asked = |rule: &RedirectRule| matches!(rule, RedirectRule::Asked { .. });
    if !settings.proxy.redirects.iter().any(is_asked) {
        return;
    }
    let pass = proxy_pass_of(block);
    for rule in &mut Arc::make_mut(&mut settings.proxy).redirects {
        let RedirectRule::Asked { position, order } = rule else { continue };
        let complaint = match (pass.filter(|pass| pass.order < *order), block.given::<LocationMatch>()) {
            (Some(ProxyPass { to: PassedTo::Fixed(pass), .. }), Some(pattern)) => {
                *rule = RedirectRule::Substitution(default_redirect(pass, pattern));
                continue;
            }
            (Some(_), _) => "cannot be used with \"proxy_pass\" directive with variables",
            (None, _) => "should be placed after the \"proxy_pass\" directive",
        };
        report.emerg(format!("\"proxy_redirect default\" {complaint}"), position);
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
/// `known` is where they go, if that is the same for every request.
fn sent_fields(written: &[SetHeader], known: Option<(&str, u16)>) -> Vec<SentField> {
    let known = |variable: &Variable| match (variable, known) {
        (Variable::Named(Named::ProxyHost), Some((host, _))) => Some(host.to_owned()),
        (Variable::Named(Named::ProxyPort), Some((_, port))) => Some(port.to_string()),
        _ => None,
    };
    let default_host = SetHeader::default_host();
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
