//! Who may come in: `limit_except`, and the phase of access with its guards.
//!
//! Each guard has a say or has none; `satisfy` says whether all that have one must let the request in. Source of the rules:
//! `ngx_http_update_location_config`, `ngx_http_core_access_phase`, `ngx_http_access_handler`.

use std::net::IpAddr;
use std::sync::Arc;

use http::StatusCode;

use super::flow::Note;
use super::phases::{Around, Content, Outcome, Step};
use super::state::State;
use crate::config::model::{Location, Satisfy};
use crate::observe::reasons::Generated;
use crate::script::{Named, Variable};

/// What a guard says.
pub(super) enum Say {
    /// Nothing: it is not set up here.
    Nothing,
    /// The request may come in.
    Allow,
    /// It may not.
    Refuse(Content),
    /// It has to be found out, and then the guard is asked again.
    FindOut(Step),
}

/// The guards, in the order in which nginx asks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    Address,
    Basic,
    Token,
    Request,
}

const GUARDS: [Guard; 4] = [Guard::Address, Guard::Basic, Guard::Token, Guard::Request];

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

    /// The phase of access. A subrequest is not asked again.
    pub(super) fn access(&mut self, around: Around<'_>) -> Outcome {
        let is_inside = self.outer().is_some();
        let Some(location) = self.location().filter(|location| location.is_guarded && !is_inside) else {
            return Outcome::Next;
        };
        let location = Arc::clone(location);
        if self.flow.guarding.delayed {
            return self.unauthorized(around);
        }
        let needs_one = location.settings.satisfaction.satisfy == Satisfy::Any;
        while let Some(guard) = GUARDS.get(self.flow.guarding.at) {
            let say = match guard {
                Guard::Address => self.by_address(&location, around),
                Guard::Basic => self.by_password(&location, around),
                Guard::Token => self.by_token(&location, around),
                Guard::Request => self.by_request(&location),
            };
            match say {
                Say::Nothing => {}
                Say::FindOut(step) => return Outcome::Done(step),
                Say::Allow if needs_one => {
                    self.flow.guarding.refused = None;
                    self.flow.challenges.clear();
                    break;
                }
                Say::Allow => {}
                Say::Refuse(content) => {
                    let status = content.status();
                    match status {
                        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if needs_one => {
                            // Who may still show who he is, is asked to.
                            let refused = &mut self.flow.guarding.refused;
                            if *refused != Some(StatusCode::UNAUTHORIZED) {
                                *refused = Some(status);
                            }
                        }
                        StatusCode::UNAUTHORIZED => return self.unauthorized(around),
                        _ => return self.special(content, around),
                    }
                }
            }
            self.flow.guarding.at += 1;
        }
        match self.flow.guarding.refused {
            None => Outcome::Next,
            Some(StatusCode::UNAUTHORIZED) => self.unauthorized(around),
            Some(status) => {
                self.note(Note::ForbiddenByRule);
                self.special(Content::Page(Generated::Forbidden, status), around)
            }
        }
    }

    /// Answers 401, after `auth_delay`.
    fn unauthorized(&mut self, around: Around<'_>) -> Outcome {
        let delay = self.location().map(|location| location.settings.satisfaction.delay);
        if let Some(delay) = delay.filter(|delay| !delay.is_zero() && !self.flow.guarding.delayed) {
            self.flow.guarding.delayed = true;
            self.note(Note::DelayingUnauthorized);
            return Outcome::Done(Step::Wait(delay));
        }
        self.special(Content::Page(Generated::Unauthorized, StatusCode::UNAUTHORIZED), around)
    }

    fn by_address(&mut self, location: &Location, around: Around<'_>) -> Say {
        if location.access.is_empty() {
            return Say::Nothing;
        }
        match location.access.judge(self.client_address(around)) {
            None => Say::Nothing,
            Some(true) => Say::Allow,
            Some(false) => {
                if location.settings.satisfaction.satisfy == Satisfy::All {
                    self.note(Note::ForbiddenByRule);
                }
                Say::Refuse(Content::Page(Generated::Forbidden, StatusCode::FORBIDDEN))
            }
        }
    }

    /// The client's address; `None` for a Unix socket.
    fn client_address(&mut self, around: Around<'_>) -> Option<IpAddr> {
        let bytes = self.value(&Variable::Named(Named::BinaryRemoteAddr), around);
        let v4 = || <[u8; 4]>::try_from(&*bytes).ok().map(IpAddr::from);
        v4().or_else(|| <[u8; 16]>::try_from(&*bytes).ok().map(IpAddr::from))
    }
}
