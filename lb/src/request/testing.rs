//! For tests of the machine: a configuration's text, a request, and what a step says in a word.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Instant;

use http::{HeaderMap, HeaderName};

use super::phases::{Around, Content, Event, Rules, Settlement, Step, TryFailed};
use super::values::Outside;
use super::{FileKind, Open, Opening, ProxyTarget, Question, State};
use crate::balance::{Ask, Now};
use crate::config::files::InMemory;
use crate::config::model::{Config, IfModifiedSince};
use crate::config::{Source, load_from};
use crate::content::file::conditional::{self, Validators, Verdict};
use crate::routing::Routes;
use crate::script::{Named, Variable};
use crate::upstream::{Runtime, Upstreams};

/// A configuration with its tables.
pub(super) struct Rig {
    config: Config,
    routes: Routes,
    upstreams: Upstreams,
}

/// What a client asks for; its fields by their variables' names.
pub(super) struct Asked<'a> {
    pub(super) target: &'a str,
    pub(super) method: &'a str,
    pub(super) announced: Option<u64>,
    pub(super) fields: &'a [(&'a str, &'a str)],
    pub(super) connected_from: Option<SocketAddr>,
    pub(super) proxied_from: Option<SocketAddr>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(target: &'a str) -> Self {
        Self { target, method: "GET", announced: None, fields: &[], connected_from: None, proxied_from: None }
    }
}

impl Outside for Asked<'_> {
    fn target(&self) -> &[u8] {
        self.target.as_bytes()
    }

    fn method(&self) -> &str {
        self.method
    }

    fn connected_from(&self) -> Option<SocketAddr> {
        self.connected_from
    }

    fn proxied_from(&self) -> Option<SocketAddr> {
        self.proxied_from
    }

    fn fields(&self, name: &HeaderName) -> Vec<&[u8]> {
        let fields = self.fields.iter().filter(|(known, _)| *known == name.as_str());
        fields.map(|(_, value)| value.as_bytes()).collect()
    }

    fn announced(&self) -> Option<u64> {
        self.announced
    }

    fn conditions(&self, compared: IfModifiedSince) -> Verdict {
        let fields = self.fields.iter().map(|(name, value)| {
            (HeaderName::try_from(name.replace('_', "-")).unwrap(), value.parse().unwrap())
        });
        conditional::judge(&HeaderMap::from_iter(fields), Validators::default(), compared)
    }

    fn write(&self, state: &State, variable: &Variable, out: &mut Vec<u8>) -> bool {
        match variable {
            Variable::RequestHeader(name) => {
                let field = self.fields.iter().find(|(known, _)| *known == name.as_str());
                field.inspect(|(_, value)| out.extend_from_slice(value.as_bytes())).is_some()
            }
            Variable::Named(Named::RequestMethod) => {
                out.extend_from_slice(if state.is_get() { b"GET" } else { b"POST" });
                true
            }
            Variable::Named(Named::Host) => {
                out.extend_from_slice(b"host.example");
                true
            }
            Variable::Named(Named::Scheme) => {
                out.extend_from_slice(b"http");
                true
            }
            _ => false,
        }
    }
}

impl Rig {
    pub(super) fn of(http: &str) -> Self {
        let text = format!("events {{}} http {{ access_log off; {http} }}");
        let files = InMemory::default().with("/nginx.conf", text);
        let source = Source { path: "/nginx.conf".into(), prefix: "/".into(), ..Source::default() };
        let config = load_from(&source, &files, false).unwrap().config;
        let routes = Routes::new(&config.http);
        let upstreams = Runtime::new().prepare(&config.http, None).unwrap();
        Self { config, routes, upstreams }
    }

    pub(super) fn rules(&self) -> Rules<'_> {
        Rules { http: &self.config.http, routes: &self.routes, listener: Some(0) }
    }

    pub(super) fn around<'a>(&'a self, outside: &'a dyn Outside) -> Around<'a> {
        Around { rules: self.rules(), outside }
    }

    pub(super) fn begin(&self, state: &mut State, asked: &Asked<'_>) -> Step {
        state.step(Event::Begin(Some(b"t")), self.around(asked), Instant::now())
    }

    /// What becomes of a request, with a file system that has what `files` says.
    pub(super) fn run(&self, asked: &Asked<'_>, files: &[(&str, FileKind)]) -> (State, String) {
        let mut state = State::default();
        let mut step = self.begin(&mut state, asked);
        let found = |path: &[u8]| {
            let found = files.iter().find(|(known, _)| known.as_bytes() == path);
            found.map_or(FileKind::Missing, |(_, kind)| *kind)
        };
        let mut opened = String::new();
        loop {
            let event = match &step {
                Step::Ask(question) => Event::Found(found(&question.path)),
                Step::Open(Open { path, .. }) | Step::List(Question { path, .. }) => {
                    opened = format!(" {}", path.escape_ascii());
                    Event::Opened(match (found(path), &step) {
                        (FileKind::File { .. }, Step::Open(_)) => Opening::Ready,
                        (FileKind::Directory, Step::List(_)) => Opening::Ready,
                        (FileKind::Directory, _) => Opening::Directory,
                        (FileKind::Missing, _) => Opening::Missing,
                        (FileKind::Forbidden, _) => Opening::Forbidden,
                        _ => Opening::Other,
                    })
                }
                Step::Answer(Content::File) => return (state, format!("file{opened}")),
                step => {
                    let said = said(step);
                    return (state, said);
                }
            };
            step = state.step(event, self.around(asked), Instant::now());
        }
    }

    /// A request to `/` that has tried `tries` servers.
    pub(super) fn proxying(&self, tries: usize) -> State {
        let mut state = State::default();
        let Step::Proxy(proxy) = self.begin(&mut state, &Asked::of("/")) else { panic!("not proxied") };
        let upstream = self.upstreams.by_id(proxy.upstream().unwrap()).clone();
        assert!(state.enter_upstream(ProxyTarget { proxy, upstream, connection_group: 1 }));
        for _ in 0..tries {
            let proxying = state.proxying_mut().unwrap();
            let picked =
                proxying.target.upstream.pick(&mut proxying.tried, &Ask::at(Now::from_millis(1))).unwrap();
            proxying.begin_try(picked, Instant::now());
        }
        state
    }

    pub(super) fn fail(&self, state: &mut State, failed: TryFailed) -> Settlement {
        match state.step(Event::TryFailed(failed), self.around(&Asked::of("/")), Instant::now()) {
            Step::Settle(settlement) => settlement,
            other => panic!("{other:?}"),
        }
    }
}

/// What a step says, in a word.
pub(super) fn said(step: &Step) -> String {
    match step {
        Step::Ask(question) => format!("ask {}", question.path.escape_ascii()),
        Step::Answer(Content::Page(reason, status)) => format!("{} {}", status.as_u16(), reason.label()),
        Step::Answer(Content::Text { status, body }) if body.is_empty() => {
            format!("return {}", status.as_u16())
        }
        Step::Answer(Content::Text { status, body }) => {
            format!("return {} {}", status.as_u16(), body.escape_ascii())
        }
        Step::Answer(Content::Redirect { status, location }) => {
            format!("return {} {}", status.as_u16(), location.escape_ascii())
        }
        Step::Answer(Content::File) => "file".to_owned(),
        Step::Answer(Content::Connections) => "connections".to_owned(),
        Step::Open(open) => format!("open {}", open.path.escape_ascii()),
        Step::List(question) => format!("list {}", question.path.escape_ascii()),
        Step::CountRequest(limited) => {
            let keys: Vec<_> = limited.iter().map(|one| one.key.escape_ascii().to_string()).collect();
            format!("count request {}", keys.join(" "))
        }
        Step::CountConnection(limited) => {
            let keys: Vec<_> = limited.iter().map(|one| one.key.escape_ascii().to_string()).collect();
            format!("count connection {}", keys.join(" "))
        }
        Step::CheckPassword(check) => format!("check {} {}", check.user.escape_ascii(), check.file.display()),
        Step::CheckToken(check) => {
            format!("token {} {}", check.token.escape_ascii(), check.key_file.display())
        }
        Step::Wait(time) => format!("wait {}ms", time.as_millis()),
        Step::Subrequest(asked) => format!("subrequest {}", asked.path.escape_ascii()),
        Step::Mirror(mirror) => format!("mirror {:?}", mirror.uris),
        Step::Close => "close".to_owned(),
        Step::Proxy(proxy) => format!("proxy {}", proxy.host),
        Step::PassOn => "pass on".to_owned(),
        Step::Settle(settlement) => format!("{settlement:?}"),
    }
}
