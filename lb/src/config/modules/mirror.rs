//! Copies of requests whose answers nobody waits for: `ngx_http_mirror_module`.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, Flag, LEVELS, one, settings};

settings! {
    /// Where copies of requests go.
    Mirror {
        "mirror" in LEVELS,
        uris: Vec<Box<str>> as Mirrored = Vec::new(),
        "Has the location of this URI get a copy of each request, as a subrequest whose answer is ignored; several get one each. The URI has no variables",
        differs "the next request of the connection does not wait for the copies; at most 1024 are under way, and one more is not made";

        "mirror_request_body" in LEVELS,
        request_body: bool as Flag = true,
        "Whether the copies have the request's body",
        differs "a body longer than 64 KiB is copied as it is passed on, and not where the location asks no server; a copy whose server is more than 16 MiB behind is given up";
    }
}

/// URIs, or `off`.
struct Mirrored;

impl Argument for Mirrored {
    type Value = Vec<Box<str>>;

    const ARGUMENTS: Arguments = one("uri | off");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Vec<Box<str>>>, directive: &Directive, report: &mut Report) {
        let is_off = directive.argument(0) == "off";
        match into {
            // As in nginx, `off` stands alone.
            Some(uris) if is_off || uris.is_empty() => {
                report.emerg("\"mirror\" directive is duplicate", &directive.position);
            }
            _ if is_off => *into = Some(Vec::new()),
            _ => {
                report.names().ask_inside();
                into.get_or_insert_default().push(directive.argument(0).into());
            }
        }
    }

    fn print(_: &Vec<Box<str>>) -> String {
        "off".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, in_location, refused};

    #[test]
    fn what_a_location_copies() {
        let config = accepted(&in_http(
            "mirror /a; mirror /b; server { location /a { } location /b { mirror off; } location /c { mirror /c; } }",
        ));
        let locations = &config.http.servers[0].locations;
        let uris = |index: usize| locations[index].settings.mirror.uris.len();
        assert_eq!([uris(0), uris(1), uris(2)], [2, 0, 1]);
        assert!(config.http.reads.subrequests);
    }

    #[test]
    fn mistakes() {
        for text in ["mirror off; mirror /a;", "mirror /a; mirror off;", "mirror off; mirror off;"] {
            refused(&in_location(text), "\"mirror\" directive is duplicate");
        }
    }
}
