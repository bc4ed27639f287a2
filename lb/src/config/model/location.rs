//! A location, and what it does with a request.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::{
    AccessLogFileId, AccessRules, DocumentRoot, ErrorLogsId, FieldName, LocationMatch, LogFormat, Methods,
    Operation, Position, Program, ProxySettings, Resolver, Settings, Substitution, TlsToServersId, TryFiles,
    UpstreamId,
};
use crate::script::Template;

/// A location with every inherited setting resolved.
#[derive(Debug, Clone)]
pub struct Location {
    /// How it is chosen; the server's fallback has `Prefix("")`.
    pub pattern: LocationMatch,
    /// What is run before it does that: `rewrite`, `set`, `if`, `return`.
    pub program: Program,
    /// `internal`: it answers no client, only what is redirected to it.
    pub internal: bool,
    /// What it does.
    pub action: Action,
    /// What holds here; each module's part is shared with the level above where this one adds nothing to it.
    pub settings: Settings,
    /// Bodies of its answers may be changed on their way: compressed, unpacked, with other texts in them.
    pub changes_bodies: bool,
    /// `access_log`; empty when off.
    pub access_logs: Arc<[AccessLog]>,
    /// `error_log`, where a level has some; otherwise those of the main context hold.
    pub error_logs: Option<ErrorLogsId>,
    /// `root` or `alias`.
    pub root: Arc<DocumentRoot>,
    /// `allow` and `deny`
    pub access: AccessRules,
    /// Some guard has a say: without one, nobody is asked.
    pub is_guarded: bool,
    /// `limit_req` or `limit_conn` counts its requests.
    pub is_limited: bool,
    /// `try_files`
    pub try_files: Option<Arc<TryFiles>>,
    /// `limit_except`
    pub limit_except: Option<LimitExcept>,
    /// The locations inside, in order of appearance.
    pub nested: Vec<Arc<Location>>,
    /// Where the block begins.
    pub position: Position,
}

impl Location {
    /// This location and all inside it, the blocks of `if` and `limit_except` too.
    pub fn with_nested(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        let ifs = self.program.iter().filter_map(|operation| match operation {
            Operation::If(block) => block.location.as_deref(),
            _ => None,
        });
        let limited = self.limit_except.iter().map(|limit| &*limit.location);
        let nested = self.nested.iter().flat_map(|nested| nested.with_nested());
        Box::new(std::iter::once(self).chain(ifs).chain(limited).chain(nested))
    }
}

/// `limit_except`
#[derive(Debug, Clone)]
pub struct LimitExcept {
    /// The methods that it is not about.
    pub methods: Methods,
    /// What takes the place of the location for the others.
    pub location: Arc<Location>,
}

impl LimitExcept {
    /// Whether it holds for a request by `method`.
    pub fn holds_for(&self, method: &str) -> bool {
        !self.methods.contain(method)
    }
}

/// What a location does with a request.
#[derive(Debug, Clone)]
pub enum Action {
    /// `proxy_pass`
    Proxy(Arc<Proxy>),
    /// `stub_status`
    Connections,
    /// None of these: the file that the URI names.
    Files,
}

/// One `access_log`.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// Where to.
    pub target: AccessLogTarget,
    /// How a line looks, without the newline.
    pub format: Arc<LogFormat>,
    /// `if=`: a request is logged where it renders to neither nothing nor 0.
    pub condition: Option<Template>,
}

/// Where the lines of an `access_log` go.
#[derive(Debug, Clone)]
pub enum AccessLogTarget {
    /// Always there.
    Fixed(AccessLogFileId),
    /// To the file of this path, which each request renders.
    Path(Template),
}

/// `proxy_pass` and what goes with it.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Where to.
    pub destination: Destination,
    /// `grpc_pass`: requests are streams of messages over HTTP/2.
    pub is_grpc: bool,
    /// How TLS is spoken, where the scheme is `https`, or may be one that asks for it.
    pub tls: Option<TlsToServersId>,
    /// What follows the scheme up to the path, as written: `$proxy_host`, and so the default Host.
    pub host: Box<str>,
    /// `$proxy_port`: the port, the scheme's own when not written.
    pub port: u16,
    /// What is sent as the request's target.
    pub uri: SentUri,
    /// The location's settings of the proxy module: times, version, retries.
    pub settings: Arc<ProxySettings>,
    /// `proxy_set_header`, with nginx's defaults (`Host $proxy_host`) where the configuration sets none of that name.
    /// A field whose value renders empty is not sent. Never `Connection`, `Upgrade`, `Keep-Alive`,
    /// `Transfer-Encoding` or `Content-Length`: those belong to the connection and Pingora keeps them.
    pub set_headers: Arc<[SentField]>,
    /// Response fields that do not reach the client: nginx's own list, plus `proxy_hide_header`, less
    /// `proxy_pass_header`. Not `Server` and `Date`, which are replaced rather than taken out.
    pub hidden_headers: Arc<[HeaderName]>,
    /// A server's own `Server` reaches the client (`proxy_pass_header Server`).
    pub passes_server: bool,
    /// `proxy_redirect`, with `default` made a rule of this location; none where it is off.
    pub redirects: Arc<[Substitution]>,
}

/// Where `proxy_pass` goes.
#[derive(Debug, Clone)]
pub enum Destination {
    /// The same upstream for every request.
    Fixed(UpstreamId),
    /// What the URL says once its variables have values. Host, port and URI of the [`Proxy`] are known then.
    PerRequest {
        /// The whole URL.
        url: Template,
        /// Whom to ask for a name that is no upstream.
        resolver: Option<Arc<Resolver>>,
    },
}

/// The target of a request to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentUri {
    /// The request's own, byte for byte where nothing has changed it.
    Own,
    /// The request's own, with this in place of the part of the normalised path that the location matched.
    Replacing(String),
    /// This and nothing of the request's own: the URI of a URL with variables.
    Exactly(String),
}

impl Proxy {
    /// The upstream, where it is the same for every request.
    pub fn upstream(&self) -> Option<UpstreamId> {
        match self.destination {
            Destination::Fixed(upstream) => Some(upstream),
            Destination::PerRequest { .. } => None,
        }
    }
}

/// A field that a request to a server carries, made ready: a value that is the same for every request is made once.
#[derive(Debug, Clone)]
pub struct SentField {
    /// Field name.
    pub name: FieldName,
    /// Value.
    pub value: SentValue,
    /// An earlier field has the same name. Both are sent; what the client sent goes with the first.
    pub again: bool,
}

/// The value of a [`SentField`].
#[derive(Debug, Clone, PartialEq)]
pub enum SentValue {
    /// The empty string: the field is not sent, whatever the client sent.
    Nothing,
    /// Always this.
    Constant(HeaderValue),
    /// Another for each request; not sent where it renders empty.
    PerRequest(Template),
}
