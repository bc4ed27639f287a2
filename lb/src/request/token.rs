//! `auth_jwt`: a signed token.
//!
//! What the client sends is read here, and what follows from a check; keys and signatures are looked at elsewhere. The
//! rules are those of NGINX Plus's manual.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderValue};

use super::access::Say;
use super::guards::{TokenCheck, TokenState, TokenVerdict};
use super::phases::{Around, Content, Step};
use super::state::State;
use crate::config::model::{Location, Requirement};
use crate::observe::reasons::Generated;

impl State {
    /// Takes note of what came of a check.
    pub(super) fn token_checked(&mut self, verdict: TokenVerdict<'_>) {
        self.flow.token_state = Some(match verdict {
            TokenVerdict::Holds(token) => {
                self.flow.token = Some(Arc::clone(token));
                TokenState::Holds
            }
            TokenVerdict::Refused => TokenState::Refused,
            TokenVerdict::Failed => TokenState::Failed,
        });
    }

    pub(super) fn by_token(&mut self, location: &Location, around: Around<'_>) -> Say {
        let settings = &location.settings.auth_jwt;
        let Some(realm) = &settings.realm else { return Say::Nothing };
        let name = self.render(&realm.name, around);
        if name == b"off" {
            return Say::Nothing;
        }
        match self.flow.token_state.take() {
            None => {}
            Some(TokenState::Holds) => return self.required(&settings.requirements, around),
            Some(TokenState::Refused) => return self.ask_for_token(&name, b", error=\"invalid_token\""),
            Some(TokenState::Failed) => return Say::Refuse(Content::internal_error()),
        }
        let token = match &realm.token {
            Some(token) => self.render(token, around),
            None => bearer(&around.outside.fields(&AUTHORIZATION)).unwrap_or_default().to_vec(),
        };
        if token.is_empty() {
            return self.ask_for_token(&name, b"");
        }
        let key_file = match &settings.key_file {
            Some(file) => self.path_of(file, around),
            // No file has no name: there are no keys.
            None => PathBuf::new(),
        };
        let leeway = settings.leeway.as_secs();
        Say::FindOut(Step::CheckToken(Box::new(TokenCheck { key_file, token, leeway })))
    }

    fn required(&mut self, requirements: &[Requirement], around: Around<'_>) -> Say {
        for Requirement { values, status } in requirements {
            for value in values {
                let value = self.render(value, around);
                if value.is_empty() || value == b"0" {
                    let reason = match *status {
                        StatusCode::FORBIDDEN => Generated::Forbidden,
                        _ => Generated::Unauthorized,
                    };
                    return Say::Refuse(Content::Page(reason, *status));
                }
            }
        }
        Say::Allow
    }

    fn ask_for_token(&mut self, realm: &[u8], error: &[u8]) -> Say {
        let challenge = [b"Bearer realm=\"", realm, b"\"", error].concat();
        if let Ok(challenge) = HeaderValue::from_maybe_shared(Bytes::from(challenge)) {
            self.flow.challenges.push(challenge);
        }
        Say::Refuse(Content::Page(Generated::Unauthorized, StatusCode::UNAUTHORIZED))
    }
}

/// The token of an `Authorization` field.
fn bearer<'f>(fields: &[&'f [u8]]) -> Option<&'f [u8]> {
    const SCHEME: &[u8] = b"bearer ";
    let field = fields.first()?;
    let token = field.get(SCHEME.len()..).filter(|_| field[..SCHEME.len()].eq_ignore_ascii_case(SCHEME))?;
    Some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;
    use crate::request::Event;
    use crate::request::testing::{Asked, Rig, said};
    use crate::tokens::Token;

    fn token() -> Arc<Token> {
        let object = |value: serde_json::Value| value.as_object().unwrap().clone();
        Arc::new(Token {
            header: object(json!({"alg": "HS256", "kid": "k1"})),
            claims: object(json!({"sub": "ann", "info": {"roles": ["a", "b"]}, "no": 0})),
            payload: b"{...}".to_vec(),
        })
    }

    /// The steps of a request whose token is checked with this verdict, and the challenge of its answer.
    fn run(location: &str, fields: &[(&str, &str)], verdict: TokenVerdict<'_>) -> (String, String) {
        let rig = Rig::of(&format!(
            "auth_jwt_claim_set $roles info roles; auth_jwt_header_set $key kid;
             server {{ listen 81; location / {{ {location} try_files /$jwt_claim_sub/$roles/$key/$jwt_payload/$jwt_claim_none =204; }} }}"
        ));
        let asked = Asked { fields, ..Asked::of("/?t=x.y.z") };
        let mut state = State::default();
        let mut steps = vec![said(&rig.begin(&mut state, &asked))];
        if steps[0].starts_with("token") {
            steps.push(said(&state.step(Event::TokenChecked(verdict), rig.around(&asked), Instant::now())));
        }
        let challenge = state.challenges().first().map_or("", |value| value.to_str().unwrap());
        (steps.join(", "), challenge.to_owned())
    }

    const BEARER: &[(&str, &str)] = &[("authorization", "Bearer a.b.c")];
    const JWT: &str = "auth_jwt \"the api\"; auth_jwt_key_file keys;";

    #[test]
    fn a_token_is_asked_for_and_checked() {
        let token = token();
        let holds = TokenVerdict::Holds(&token);
        let passed = "token a.b.c /keys, ask /html/ann/a,b/k1/{...}/";
        for (settings, fields, verdict, expected, challenge) in [
            (JWT, BEARER, holds, passed, ""),
            (
                JWT,
                BEARER,
                TokenVerdict::Refused,
                "token a.b.c /keys, 401 unauthorized",
                "Bearer realm=\"the api\", error=\"invalid_token\"",
            ),
            (JWT, BEARER, TokenVerdict::Failed, "token a.b.c /keys, 500 internal", ""),
            (JWT, &[], holds, "401 unauthorized", "Bearer realm=\"the api\""),
            (JWT, &[("authorization", "Basic eA==")], holds, "401 unauthorized", "Bearer realm=\"the api\""),
            ("auth_jwt off;", BEARER, holds, "ask /html/////", ""),
        ] {
            assert_eq!(
                run(settings, fields, verdict),
                (expected.to_owned(), challenge.to_owned()),
                "{settings}"
            );
        }
        let of_argument = "auth_jwt x token=$arg_t; auth_jwt_key_file /keys;";
        assert_eq!(run(of_argument, &[], holds).0, passed.replace("a.b.c", "x.y.z"));
    }

    #[test]
    fn what_is_required_must_be_there() {
        let token = token();
        for (required, expected) in [
            ("auth_jwt_require $jwt_claim_sub $jwt_header_alg;", "ask"),
            ("auth_jwt_require $jwt_claim_none;", "401 unauthorized"),
            ("auth_jwt_require $jwt_claim_no;", "401 unauthorized"),
            ("auth_jwt_require $jwt_claim_sub; auth_jwt_require $jwt_claim_no error=403;", "403 forbidden"),
            ("satisfy any; deny all; auth_jwt_require $jwt_claim_sub;", "ask"),
        ] {
            let (steps, _) = run(&format!("{JWT} {required}"), BEARER, TokenVerdict::Holds(&token));
            assert!(steps.starts_with(&format!("token a.b.c /keys, {expected}")), "{required}: {steps}");
        }
    }
}
