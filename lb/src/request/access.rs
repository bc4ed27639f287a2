//! Who may come in: `limit_except`, and the phase of access.
//!
//! Source of the rules: `ngx_http_update_location_config`, `ngx_http_access_handler`.

use std::net::IpAddr;
use std::sync::Arc;

use http::StatusCode;

use super::flow::Note;
use super::phases::{Around, Content, Outcome};
use super::state::State;
use crate::observe::reasons::Generated;
use crate::script::{Named, Variable};

impl State {
    /// Has the location's `limit_except` take its place, where that is about the request's method.
    pub(super) fn limit_methods(&mut self, around: Around<'_>) {
        let Some(limit) = self.location().and_then(|location| location.limit_except.as_ref()) else { return };
        let is_get = self.flow.is_get && around.outside.method() != "HEAD";
        if !limit.holds_for(if is_get { "GET" } else { around.outside.method() }) {
            return;
        }
        let inside = Arc::clone(&limit.location);
        if let Some(routed) = self.routed_mut() {
            routed.location = inside;
        }
    }

    /// The phase of access: `allow` and `deny`, then `auth_request`. A subrequest is not asked again.
    pub(super) fn access(&mut self, around: Around<'_>) -> Outcome {
        if self.outer().is_some() {
            return Outcome::Next;
        }
        match self.access_by_address(around) {
            Outcome::Next => self.auth_request(around),
            outcome => outcome,
        }
    }

    fn access_by_address(&mut self, around: Around<'_>) -> Outcome {
        let rules = self.location().map(|location| &location.access).filter(|rules| !rules.is_empty());
        let Some(rules) = rules.cloned() else { return Outcome::Next };
        if !rules.refuse(self.client_address(around)) {
            return Outcome::Next;
        }
        self.flow.notes.push(Note::ForbiddenByRule);
        self.special(Content::Page(Generated::Forbidden, StatusCode::FORBIDDEN), around)
    }

    /// The client's address; `None` for a Unix socket.
    fn client_address(&mut self, around: Around<'_>) -> Option<IpAddr> {
        let bytes = self.value(&Variable::Named(Named::BinaryRemoteAddr), around);
        let v4 = || <[u8; 4]>::try_from(&*bytes).ok().map(IpAddr::from);
        v4().or_else(|| <[u8; 16]>::try_from(&*bytes).ok().map(IpAddr::from))
    }
}
