//! Who may come in by a signed token, in the form of NGINX Plus: `ngx_http_auth_jwt_module`.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::map::{define, variable_name};
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{
    Argument, Arguments, Block, HTTP, LEVELS, LIMIT_EXCEPT, Maybe, Row, Seconds, TIME, Text, at_least,
    no_effect, one, row, settings, words,
};
use crate::script::{Claim, Computed, Template};

settings! {
    /// Who may come in by a signed token.
    AuthJwt {
        "auth_jwt" in LEVELS.or(LIMIT_EXCEPT),
        realm: Option<TokenRealm> as TokenRealm = None,
        "Asks for a JSON Web Token that is signed, by the name of what it opens: that of `Authorization: Bearer`, or of a variable. `off` asks for none. A directive of NGINX Plus";

        "auth_jwt_key_file" in LEVELS.or(LIMIT_EXCEPT),
        key_file: Option<Template> as Maybe<Text> = None,
        "The keys that sign tokens, a JSON Web Key Set, read for each request: HS256 to HS512, RS256 to RS512, PS256 to PS512, ES256, ES384, EdDSA. Relative to the configuration file. May contain variables";

        "auth_jwt_leeway" in LEVELS,
        leeway: Duration as Seconds = Duration::ZERO,
        "By how much clocks may differ where a token says from when or until when it holds";

        "auth_jwt_require" in LEVELS.or(LIMIT_EXCEPT),
        requirements: Arc<[Requirement]> as Requirement = Arc::default(),
        "What must be neither empty nor 0 of a token that holds, and with which status it is refused otherwise";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("auth_jwt_claim_set", HTTP, at_least(2, "$variable name …"), Reads(claim_set),
        "Defines a variable by what a token says below these names; the elements of a list have commas between them").repeatable(),
    row("auth_jwt_header_set", HTTP, at_least(2, "$variable name …"), Reads(header_set),
        "Defines a variable by what a token's header says below these names").repeatable(),
    row("auth_jwt_type", LEVELS.or(LIMIT_EXCEPT), one("signed"), Reads(kind),
        "Which tokens are taken; encrypted ones are not").default(|| "signed".to_owned()),
    no_effect("auth_jwt_key_cache", LEVELS, TIME, "keys are read for each request"),
];

/// `auth_jwt`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRealm {
    /// The name of what a token opens; `off` asks for none.
    pub name: Template,
    /// The token, where it is not that of `Authorization`.
    pub token: Option<Template>,
}

impl Argument for TokenRealm {
    type Value = Option<Self>;

    const ARGUMENTS: Arguments = words(1, 2, "string [token=$variable] | off");

    fn read(into: &mut Option<Option<Self>>, directive: &Directive, report: &mut Report) {
        let token = match directive.words().nth(1) {
            None => None,
            Some(word) => match word.strip_prefix("token=") {
                Some(token) => report.compile(token, &directive.argument_position(1)),
                None => return report.invalid_parameter(directive, 1, "token="),
            },
        };
        *into = report.template(directive, 0).map(|name| Some(Self { name, token }));
    }

    fn print(_: &Option<Self>) -> String {
        String::new()
    }
}

/// `auth_jwt_require`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// What must be neither empty nor 0.
    pub values: Vec<Template>,
    /// The status otherwise.
    pub status: StatusCode,
}

impl Argument for Requirement {
    type Value = Arc<[Self]>;

    const ARGUMENTS: Arguments = at_least(1, "$value … [error=401 | 403]");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Arc<[Self]>>, directive: &Directive, report: &mut Report) {
        let mut one = Self { values: Vec::new(), status: StatusCode::UNAUTHORIZED };
        for (index, word) in directive.words().enumerate() {
            match word.strip_prefix("error=") {
                None => one.values.extend(report.template(directive, index)),
                Some("401") => one.status = StatusCode::UNAUTHORIZED,
                Some("403") => one.status = StatusCode::FORBIDDEN,
                Some(_) => return report.invalid_parameter(directive, index, "error=401 and error=403"),
            }
        }
        let mut all = into.take().unwrap_or_default().to_vec();
        all.push(one);
        *into = Some(all.into());
    }

    fn print(_: &Arc<[Self]>) -> String {
        String::new()
    }
}

fn claim_set(_: &mut Block, directive: &Directive, report: &mut Report) {
    set(directive, false, report);
}

fn header_set(_: &mut Block, directive: &Directive, report: &mut Report) {
    set(directive, true, report);
}

fn set(directive: &Directive, of_header: bool, report: &mut Report) {
    if variable_name(directive, 0, report).is_some() {
        let path = directive.words().skip(1).map(Into::into).collect();
        define(directive, 0, Computed::Claim(Claim { of_header, path }), report);
    }
}

fn kind(_: &mut Block, directive: &Directive, report: &mut Report) {
    if directive.argument(0) != "signed" {
        report.unsupported(directive, 0, "only signed tokens are read");
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, refused};

    #[test]
    fn tokens_are_asked_for_by_level() {
        let text = "auth_jwt_claim_set $job info job; auth_jwt \"api of $host\" token=$cookie_auth; auth_jwt_key_file keys.json; \
                    auth_jwt_require $job $jwt_claim_sub; auth_jwt_require $jwt_header_kid error=403; auth_jwt_leeway 30s; auth_jwt_type signed; \
                    server { location / { } location /off { auth_jwt off; } }";
        let locations = &accepted(&in_http(text)).http.servers[0].locations;
        let settings = &locations[0].settings.auth_jwt;
        let realm = settings.realm.as_ref().unwrap();
        assert!(realm.token.is_some() && realm.name.variables().count() == 1);
        let required: Vec<_> =
            settings.requirements.iter().map(|one| (one.values.len(), one.status.as_u16())).collect();
        assert_eq!((required, settings.leeway.as_secs()), (vec![(2, 401), (1, 403)], 30));
        assert_eq!(locations[1].settings.auth_jwt.realm.as_ref().unwrap().name.as_literal(), Some("off"));
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("auth_jwt a b;", "invalid parameter \"b\""),
            ("auth_jwt_type encrypted;", "\"encrypted\" in the \"auth_jwt_type\" directive is not supported"),
            ("auth_jwt_require $host error=500;", "invalid parameter \"error=500\""),
            ("auth_jwt_claim_set $host sub;", "the duplicate \"host\" variable"),
            ("auth_jwt_claim_set host sub;", "invalid variable name \"host\""),
            ("auth_jwt_claim_set $x;", "invalid number of arguments in \"auth_jwt_claim_set\" directive"),
        ] {
            refused(&in_http(text), message);
        }
    }
}
