//! `auth_request`: another location says whether a request may come in.
//!
//! Source of the rules: `ngx_http_auth_request_handler`.

use std::sync::Arc;

use http::StatusCode;

use super::access::Say;
use super::flow::Note;
use super::inside::{Answered, Permission, Subrequest};
use super::phases::{Around, Content, Step};
use super::state::State;
use crate::config::model::Location;
use crate::observe::reasons::Generated;

impl State {
    /// What the location says that `auth_request` names.
    pub(super) fn by_request(&mut self, location: &Location) -> Say {
        let Some(uri) = location.settings.auth_request.uri.as_deref() else { return Say::Nothing };
        match self.flow.permission.take() {
            Some(permission) => self.obey(permission),
            None => {
                let path = uri.as_bytes().to_vec();
                let asked = Subrequest { path, arguments: Vec::new(), keeps_method: false };
                Say::FindOut(Step::Subrequest(asked))
            }
        }
    }

    /// Takes note of what came of the subrequest; the phase then runs again.
    pub(super) fn permitted(&mut self, answered: Answered<'_>, around: Around<'_>) {
        let settings = self.location().map(|location| Arc::clone(&location.settings.auth_request));
        for ((assigned, _), value) in settings.iter().flat_map(|settings| &settings.set).zip(answered.values)
        {
            self.assign(*assigned, value.clone(), around);
        }
        if answered.status == Some(StatusCode::UNAUTHORIZED) {
            self.flow.challenges.extend_from_slice(answered.challenges);
        }
        self.flow.permission = Some(match answered.silent {
            true => Permission::Silent,
            false => Permission::Status(answered.status),
        });
    }

    fn obey(&mut self, permission: Permission) -> Say {
        let status = match permission {
            Permission::Silent => return Say::FindOut(self.close()),
            Permission::Status(status) => status,
        };
        match status {
            Some(status) if status.is_success() => Say::Allow,
            Some(StatusCode::FORBIDDEN) => {
                Say::Refuse(Content::Page(Generated::Forbidden, StatusCode::FORBIDDEN))
            }
            Some(StatusCode::UNAUTHORIZED) => {
                Say::Refuse(Content::Page(Generated::Unauthorized, StatusCode::UNAUTHORIZED))
            }
            _ => {
                self.note(Note::AuthRequestStatus(status.map_or(0, |status| status.as_u16())));
                Say::Refuse(Content::internal_error())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use http::HeaderValue;

    use super::*;
    use crate::request::testing::{Asked, Rig, said};
    use crate::request::{Event, FileKind, Sharing};

    const GUARDED: &str = "server { listen 81; auth_request /auth; auth_request_set $user $upstream_http_x; set $y 0;
        location / { try_files /none @told; } location @told { auth_request off; return 200 $user$y; } location /open { auth_request off; return 200 open; }
        location /deny { deny all; } location = /auth { set $y 1; return 200 $request_method$uri$args; }
        location /named { try_files /none @named; } location @named { proxy_pass http://127.0.0.1:9; } }";

    fn answer(rig: &Rig, asked: &Asked<'_>, state: &mut State, answered: Answered<'_>) -> String {
        said(&state.step(Event::Answered(answered), rig.around(asked), Instant::now()))
    }

    #[test]
    fn a_request_waits_for_what_another_location_says() {
        let rig = Rig::of(&GUARDED.replace("try_files /none @told;", "proxy_pass http://127.0.0.1:9;"));
        let challenges = [HeaderValue::from_static("Basic realm=x")];
        for (status, silent, expected) in [
            (Some(200), false, "proxy 127.0.0.1:9"),
            (Some(204), false, "proxy 127.0.0.1:9"),
            (Some(299), false, "proxy 127.0.0.1:9"),
            (Some(401), false, "401 unauthorized"),
            (Some(403), false, "403 forbidden"),
            (Some(302), false, "500 internal"),
            (Some(404), false, "500 internal"),
            (Some(502), false, "500 internal"),
            (None, false, "500 internal"),
            (None, true, "close"),
        ] {
            let asked = Asked::of("/");
            let mut state = State::default();
            assert_eq!(said(&rig.begin(&mut state, &asked)), "subrequest /auth");
            let status = status.map(|code| StatusCode::from_u16(code).unwrap());
            let answered = Answered { status, silent, challenges: &challenges, values: &[b"u".to_vec()] };
            assert_eq!(answer(&rig, &asked, &mut state, answered), expected, "{status:?}");
            assert_eq!(state.challenges().len(), usize::from(expected.starts_with("401")));
            let noted = matches!(state.take_notes()[..], [Note::AuthRequestStatus(_)]);
            assert_eq!(noted, expected.starts_with("500"), "{status:?}");
        }
    }

    #[test]
    fn who_is_refused_otherwise_is_not_asked_about() {
        let rig = Rig::of(GUARDED);
        for (target, expected) in [("/deny", "403 forbidden"), ("/open", "return 200 open")] {
            assert_eq!(said(&rig.begin(&mut State::default(), &Asked::of(target))), expected);
        }
    }

    #[test]
    fn a_subrequest_shares_its_variables_and_passes_no_guard() {
        let rig =
            Rig::of(&format!("map $uri $m {{ default $uri; }} {}", GUARDED.replace("$args", "$args$m")));
        let asked = Asked { method: "POST", ..Asked::of("/p?a=b") };
        let mut state = State::default();
        let step = rig.begin(&mut state, &asked);
        let Step::Subrequest(subrequest) = step else { panic!("{step:?}") };
        let around = rig.around(&asked);
        let mut inside = state.begin_inside(&subrequest, Sharing::Lent, around).unwrap();
        assert_eq!(inside.outer().unwrap().method.as_ref(), "POST");
        let step = inside.step(Event::BeginInside, around, Instant::now());
        assert_eq!(said(&step), "return 200 GET/auth/auth");
        state.take_back(inside.variables);
        let answered = Answered {
            status: Some(StatusCode::OK),
            silent: false,
            challenges: &[],
            values: &[b"somebody".to_vec()],
        };
        assert_eq!(answer(&rig, &asked, &mut state, answered), "ask /html/none");
        let missing = Event::Found(FileKind::Missing);
        assert_eq!(said(&state.step(missing, around, Instant::now())), "return 200 somebody1");
    }

    #[test]
    fn every_location_asks_again() {
        let rig = Rig::of(GUARDED);
        let asked = Asked::of("/named");
        let mut state = State::default();
        assert_eq!(said(&rig.begin(&mut state, &asked)), "subrequest /auth");
        let ok = Answered { status: Some(StatusCode::OK), silent: false, challenges: &[], values: &[] };
        assert_eq!(answer(&rig, &asked, &mut state, ok), "ask /html/none");
        let missing = Event::Found(FileKind::Missing);
        assert_eq!(said(&state.step(missing, rig.around(&asked), Instant::now())), "subrequest /auth");
    }
}
