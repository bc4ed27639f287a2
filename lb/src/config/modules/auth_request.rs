//! Who may come in by what another location says: `ngx_http_auth_request_module`.

use crate::config::diagnostics::Report;
use crate::config::model::Assigned;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, one, settings, words};
use crate::script::{Definition, Template};

use super::rewrite;

settings! {
    /// Which location says whether a request may come in.
    AuthRequest {
        "auth_request" in LEVELS,
        uri: Option<Box<str>> as AskedUri = None,
        "Asks the location of this URI whether a request may come in, by a subrequest without a body: a status of 200 to 299 lets it in, 401 and 403 are answered as they are, any other with 500. The URI has no variables",
        differs "the subrequest carries no `Content-Length`, since it has no body";

        "auth_request_set" in LEVELS,
        set: Vec<(Assigned, Template)> as SetAfterwards = Vec::new(),
        "Gives a variable a value once `auth_request` has been answered; the variables in it are those of the subrequest. A level that has any inherits none";
    }
}

/// A URI, or `off`.
struct AskedUri;

impl Argument for AskedUri {
    type Value = Option<Box<str>>;

    const ARGUMENTS: Arguments = one("uri | off");

    fn read(into: &mut Option<Option<Box<str>>>, directive: &Directive, report: &mut Report) {
        let written = directive.argument(0);
        let uri = (written != "off").then(|| written.into());
        if uri.is_some() {
            report.names().ask_inside();
        }
        *into = Some(uri);
    }

    fn print(value: &Option<Box<str>>) -> String {
        value.as_deref().unwrap_or("off").to_owned()
    }
}

/// Variables with their values.
struct SetAfterwards;

impl Argument for SetAfterwards {
    type Value = Vec<(Assigned, Template)>;

    const ARGUMENTS: Arguments = words(2, 2, "$variable value");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let set = into.get_or_insert_default();
        let assigned = rewrite::assigned(directive, Definition::Group, report);
        let value = report.template(directive, 1);
        set.extend(assigned.zip(value));
    }

    /// No default has any.
    fn print(_: &Self::Value) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, in_location, refused};

    #[test]
    fn what_a_location_asks() {
        let config = accepted(&in_http(
            "auth_request /a?b$c; auth_request_set $user $upstream_http_x; auth_request_set $args x; server { \
             location /a { } location /b { auth_request off; } location /c { auth_request_set $user y; } }",
        ));
        let locations = &config.http.servers[0].locations;
        let asked = |index: usize| {
            let settings = &locations[index].settings.auth_request;
            (settings.uri.as_deref(), settings.set.len())
        };
        assert_eq!([asked(0), asked(1), asked(2)], [(Some("/a?b$c"), 2), (None, 2), (Some("/a?b$c"), 1)]);
        assert!(config.http.reads.subrequests);
        assert!(!accepted(&in_location("auth_request off;")).http.reads.subrequests);
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("auth_request;", "invalid number of arguments in \"auth_request\" directive"),
            ("auth_request /a; auth_request /b;", "\"auth_request\" directive is duplicate"),
            ("auth_request_set user x;", "invalid variable name \"user\""),
            ("auth_request_set $uri x;", "the duplicate \"uri\" variable"),
            ("if ($host) { auth_request /a; }", "\"auth_request\" directive is not allowed here"),
        ] {
            refused(&in_location(text), message);
        }
    }
}
