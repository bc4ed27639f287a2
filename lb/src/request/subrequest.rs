//! Requests inside a request: what they begin with, what they are not, and what comes of them.
//!
//! A subrequest is a request of its own, with its own URI, its own location and its own servers. It goes through the
//! phases from the server block's program on, as an internal redirect does; nobody asks whether it may come in, since that
//! was asked of the request that it belongs to. Both share their variables: what `set` gives one in a subrequest's
//! location, the other has.
//!
//! What has been counted under `limit_req` or `limit_conn` is not counted again inside.
//!
//! Source of the rules: `ngx_http_subrequest`, `ngx_http_core_access_phase`, `ngx_http_variable_request_method`.

use std::sync::Arc;

use super::flow::{Flow, Note, Phase};
use super::inside::{Outer, Sharing, Subrequest};
use super::phases::{Around, Outcome, Step};
use super::state::{Routed, Stage, State};
use super::values::Variables;

/// How many requests may be inside one another: `NGX_HTTP_MAX_SUBREQUESTS`, and one.
const DEEPEST: u8 = 51;

impl State {
    /// What stands here while a subrequest goes on with this state: where it belongs, its URI and its variables, for
    /// templates and for subrequests beside it.
    pub fn stand_in(&self) -> Self {
        Self {
            stage: self.routed().map_or(Stage::Admitted, |routed| Stage::Routed(routed.clone())),
            uri: self.uri.clone(),
            variables: self.variables.copied(),
            flow: Flow {
                is_get: self.flow.is_get,
                limit_rate: self.flow.limit_rate,
                outer: self.flow.outer.clone(),
                depth: self.flow.depth,
                limits: self.flow.limits,
                token: self.flow.token.clone(),
                ..Flow::default()
            },
            real_client: self.real_client,
            ..Self::default()
        }
    }

    /// The state that a subrequest begins with; `None` for a request that belongs nowhere. The steps begin with
    /// [`Event::BeginInside`](super::Event::BeginInside).
    pub fn begin_inside(&mut self, asked: &Subrequest, sharing: Sharing, around: Around<'_>) -> Option<Self> {
        if self.flow.depth >= DEEPEST {
            self.note(Note::SubrequestCycle(asked.path.clone()));
            return None;
        }
        let server = self.routed()?.server;
        let location = Arc::clone(&around.rules.http.servers.get(server.0)?.fallback);
        let method = self.method_of_main(around).into();
        let mut inside = Self {
            stage: Stage::Routed(Routed { server, location }),
            variables: match sharing {
                Sharing::Lent => self.variables.lend(),
                Sharing::Copied => self.variables.copied(),
            },
            flow: Flow {
                phase: Phase::ServerRewrite,
                internal: true,
                is_get: self.flow.is_get || !asked.keeps_method,
                outer: Some(Box::new(Outer { method })),
                depth: self.flow.depth + 1,
                // As in nginx, what was counted for the request is not counted again.
                limits: self.flow.limits,
                token: self.flow.token.clone(),
                ..Flow::default()
            },
            real_client: self.real_client,
            ..Self::default()
        };
        inside.uri.set_path(asked.path.clone());
        inside.uri.set_arguments(asked.arguments.clone());
        Some(inside)
    }

    /// Takes the variables back that a subrequest had.
    pub fn take_back(&mut self, variables: Variables) {
        self.variables.take_back(variables);
    }

    /// What it knows of the request that it belongs to; `None` for a client's own request.
    pub fn outer(&self) -> Option<&Outer> {
        self.flow.outer.as_deref()
    }

    fn method_of_main<'a>(&'a self, around: Around<'a>) -> &'a str {
        match self.outer() {
            Some(outer) => &outer.method,
            None if self.flow.is_get && around.outside.method() != "HEAD" => "GET",
            None => around.outside.method(),
        }
    }

    /// The phase before content: `mirror`, behind `try_files`.
    pub(super) fn mirror(&self) -> Outcome {
        let mirror = self.location().map(|location| &location.settings.mirror);
        match mirror.filter(|mirror| !mirror.uris.is_empty() && self.outer().is_none()) {
            Some(mirror) => Outcome::Done(Step::Mirror(Arc::clone(mirror))),
            None => Outcome::Next,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::request::Event;
    use crate::request::guards::Limited;
    use crate::request::testing::{Asked, Rig, said};

    #[test]
    fn copies_are_made_behind_try_files_and_by_clients_requests_alone() {
        let rig = Rig::of(
            "server { listen 81; location / { mirror /copy; mirror /other; proxy_pass http://127.0.0.1:9; }
             location = /copy { mirror /other; proxy_pass http://127.0.0.1:8; } location /r { mirror /copy; return 204; } }",
        );
        let asked = Asked { method: "POST", ..Asked::of("/x?a=b") };
        let mut state = State::default();
        assert_eq!(said(&rig.begin(&mut state, &asked)), "mirror [\"/copy\", \"/other\"]");
        let around = rig.around(&asked);
        let copy = Subrequest { path: b"/copy".to_vec(), arguments: b"a=b".to_vec(), keeps_method: true };
        let mut inside = state.begin_inside(&copy, Sharing::Copied, around).unwrap();
        assert!(!inside.is_get() && !state.is_get());
        assert_eq!(said(&inside.step(Event::BeginInside, around, Instant::now())), "proxy 127.0.0.1:8");
        assert_eq!(said(&state.step(Event::Mirrored, around, Instant::now())), "proxy 127.0.0.1:9");
        assert_eq!(said(&rig.begin(&mut State::default(), &Asked::of("/r"))), "return 204");
    }

    #[test]
    fn what_was_counted_is_not_counted_again_inside() {
        let rig = Rig::of(
            "limit_req_zone $host zone=a:1m rate=1r/s; server { listen 81; limit_req zone=a;
             location / { proxy_pass http://127.0.0.1:9; } }",
        );
        let asked = Asked::of("/");
        let again = Subrequest { path: b"/".to_vec(), arguments: Vec::new(), keeps_method: false };
        for counted in [false, true] {
            let mut state = State::default();
            assert!(matches!(rig.begin(&mut state, &asked), Step::CountRequest(_)));
            state.flow.limits.requests = counted.then_some(Limited::Passed);
            let around = rig.around(&asked);
            let mut inside = state.begin_inside(&again, Sharing::Copied, around).unwrap();
            let step = inside.step(Event::BeginInside, around, Instant::now());
            assert_eq!(matches!(step, Step::CountRequest(_)), !counted, "{step:?}");
        }
    }

    #[test]
    fn requests_inside_one_another_come_to_an_end() {
        let rig = Rig::of("server { listen 81; location / { proxy_pass http://127.0.0.1:9; } }");
        let asked = Asked::of("/");
        let mut state = State::default();
        rig.begin(&mut state, &asked);
        let again = Subrequest { path: b"/".to_vec(), arguments: Vec::new(), keeps_method: false };
        let mut depth = 0;
        while let Some(inside) = state.begin_inside(&again, Sharing::Lent, rig.around(&asked)) {
            state = inside;
            depth += 1;
        }
        assert_eq!(depth, 51);
        assert!(matches!(&state.take_notes()[..], [Note::SubrequestCycle(path)] if path == b"/"));
    }
}
