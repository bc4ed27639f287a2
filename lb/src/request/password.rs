//! `auth_basic`: a name and a password.
//!
//! What the client sends is read here, and what follows from a check; the file and the hashes are looked at elsewhere.
//! Source of the rules: `ngx_http_auth_basic_handler`, `ngx_http_auth_basic_user`.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};

use super::access::Say;
use super::flow::Note;
use super::guards::{PasswordCheck, PasswordVerdict};
use super::phases::{Around, Content, Step};
use super::state::State;
use crate::config::model::Location;
use crate::observe::reasons::Generated;
use crate::script::Template;

use http::StatusCode;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl State {
    pub(super) fn by_password(&mut self, location: &Location, around: Around<'_>) -> Say {
        let settings = &location.settings.auth_basic;
        let (Some(realm), Some(file)) = (&settings.realm, &settings.user_file) else { return Say::Nothing };
        let realm = self.render(realm, around);
        if realm == b"off" {
            return Say::Nothing;
        }
        match self.flow.password.take() {
            None => {
                let Some((user, password)) = credentials(&around.outside.fields(&AUTHORIZATION)) else {
                    self.note(Note::NoPassword);
                    return self.ask_for_password(&realm);
                };
                let file = self.path_of(file, around);
                Say::FindOut(Step::CheckPassword(Box::new(PasswordCheck { file, user, password })))
            }
            Some(PasswordVerdict::Right) => Say::Allow,
            Some(PasswordVerdict::Wrong) => self.ask_for_password(&realm),
            Some(PasswordVerdict::NoFile) => {
                Say::Refuse(Content::Page(Generated::Forbidden, StatusCode::FORBIDDEN))
            }
            Some(PasswordVerdict::Failed) => Say::Refuse(Content::internal_error()),
        }
    }

    fn ask_for_password(&mut self, realm: &[u8]) -> Say {
        let challenge = [b"Basic realm=\"", realm, b"\""].concat();
        // A realm that cannot stand in a header asks for nothing.
        if let Ok(challenge) = HeaderValue::from_maybe_shared(Bytes::from(challenge)) {
            self.flow.challenges.push(challenge);
        }
        Say::Refuse(Content::Page(Generated::Unauthorized, StatusCode::UNAUTHORIZED))
    }

    /// The path of a file that the configuration names: from the folder of the configuration file on, unless its name
    /// begins with a variable.
    pub(super) fn path_of(&mut self, name: &Template, around: Around<'_>) -> PathBuf {
        use std::os::unix::ffi::OsStringExt;
        let rendered = PathBuf::from(std::ffi::OsString::from_vec(self.render(name, around)));
        match name.literal_start().is_empty() {
            true => rendered,
            false => Path::new(&around.rules.http.folder).join(rendered),
        }
    }
}

/// The name and the password of `Authorization` fields, as `auth_basic` and `$remote_user` take them; `None` where there
/// is no name.
pub fn credentials(fields: &[&[u8]]) -> Option<(Vec<u8>, Vec<u8>)> {
    const SCHEME: &[u8] = b"basic ";
    let field = fields.first()?;
    let encoded = field.get(SCHEME.len()..).filter(|_| field[..SCHEME.len()].eq_ignore_ascii_case(SCHEME))?;
    let begins = encoded.iter().position(|byte| *byte != b' ')?;
    let mut decoded = BASE64.decode(&encoded[begins..]).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':').filter(|colon| *colon > 0)?;
    let password = decoded.split_off(colon + 1);
    decoded.truncate(colon);
    Some((decoded, password))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::request::Event;
    use crate::request::testing::{Asked, Rig, said};

    /// `ann:secret`
    const ANN: &[(&str, &str)] = &[("authorization", "Basic YW5uOnNlY3JldA==")];

    /// The steps of a request whose password is checked with this verdict, and the challenges of its answer.
    fn run(location: &str, fields: &[(&str, &str)], verdict: PasswordVerdict) -> (Vec<String>, Vec<String>) {
        let rig = Rig::of(&format!("server {{ listen 81; location / {{ {location} try_files /x =204; }} }}"));
        let asked = Asked { fields, ..Asked::of("/") };
        let around = rig.around(&asked);
        let mut state = State::default();
        let mut step = rig.begin(&mut state, &asked);
        let mut steps = Vec::new();
        loop {
            steps.push(said(&step));
            let event = match step {
                Step::CheckPassword(_) => Event::PasswordChecked(verdict),
                Step::Wait(_) => Event::Waited,
                _ => break,
            };
            step = state.step(event, around, Instant::now());
        }
        let challenges = state.challenges().iter().map(|value| value.to_str().unwrap().to_owned());
        (steps, challenges.collect())
    }

    const BASIC: &str = "auth_basic \"a $scheme b\"; auth_basic_user_file users;";

    #[test]
    fn a_password_is_asked_for_and_checked() {
        use PasswordVerdict::{Failed, NoFile, Right, Wrong};
        let asks = ["Basic realm=\"a http b\""];
        for (verdict, after, challenges) in [
            (Right, "ask /html/x", &[][..]),
            (Wrong, "401 unauthorized", &asks[..]),
            (NoFile, "403 forbidden", &[]),
            (Failed, "500 internal", &[]),
        ] {
            let (steps, shown) = run(BASIC, ANN, verdict);
            assert_eq!(
                (steps.join(", "), &shown[..].len()),
                (format!("check ann /users, {after}"), &challenges.len())
            );
            assert_eq!(shown, challenges);
        }
        assert_eq!(run(BASIC, &[], Right), (vec!["401 unauthorized".to_owned()], vec![asks[0].to_owned()]));
        for off in
            ["auth_basic off; auth_basic_user_file users;", "auth_basic x;", "auth_basic_user_file users;"]
        {
            assert_eq!(run(off, &[], Wrong).0, ["ask /html/x"], "{off}");
        }
        let file = "auth_basic x; auth_basic_user_file $http_authorization;";
        assert_eq!(run(file, ANN, Right).0[0], "check ann Basic YW5uOnNlY3JldA==");
    }

    #[test]
    fn all_guards_must_let_it_in_or_one() {
        use PasswordVerdict::{Right, Wrong};
        for (rules, fields, verdict, expected) in [
            ("allow unix:;", ANN, Right, "check ann /users, ask /html/x"),
            ("deny unix:;", ANN, Right, "403 forbidden"),
            ("satisfy any; allow unix:;", ANN, Wrong, "ask /html/x"),
            ("satisfy any; allow unix:;", &[], Wrong, "ask /html/x"),
            ("satisfy any; deny all;", ANN, Right, "check ann /users, ask /html/x"),
            ("satisfy any; deny all;", ANN, Wrong, "check ann /users, 401 unauthorized"),
            ("satisfy any; deny all;", &[], Wrong, "401 unauthorized"),
            ("satisfy any; deny all; auth_basic off;", &[], Wrong, "403 forbidden"),
            ("satisfy any; deny 1.1.1.1; auth_basic off;", &[], Wrong, "ask /html/x"),
            ("satisfy any; deny all; auth_delay 1s;", &[], Wrong, "wait 1000ms, 401 unauthorized"),
            ("auth_delay 1s;", ANN, Wrong, "check ann /users, wait 1000ms, 401 unauthorized"),
            ("auth_delay 1s;", ANN, PasswordVerdict::NoFile, "check ann /users, 403 forbidden"),
        ] {
            let basic = if rules.contains("auth_basic") { "auth_basic_user_file users;" } else { BASIC };
            let (steps, _) = run(&format!("{basic} {rules}"), fields, verdict);
            assert_eq!(steps.join(", "), expected, "{rules}");
        }
    }

    #[test]
    fn names_and_passwords_are_read() {
        for (field, expected) in [
            ("Basic YW5uOnNlY3JldA==", Some(("ann", "secret"))),
            ("bAsIc   YW5uOnNlY3JldA", Some(("ann", "secret"))),
            ("Basic YW5uOmE6Yg==", Some(("ann", "a:b"))),
            ("Basic YW5uOg==", Some(("ann", ""))),
            ("Basic YW5u", None),
            ("Basic OnNlY3JldA==", None),
            ("Basic ", None),
            ("Basic", None),
            ("Basic !!!!", None),
            ("Bearer YW5uOnNlY3JldA==", None),
        ] {
            let expected =
                expected.map(|(user, password)| (user.as_bytes().to_vec(), password.as_bytes().to_vec()));
            assert_eq!(credentials(&[field.as_bytes()]), expected, "{field}");
        }
        assert_eq!(credentials(&[]), None);
    }
}
