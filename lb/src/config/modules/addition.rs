//! Answers before and behind answers: `ngx_http_addition_module`.

use super::charset::MediaTypes;
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, one, settings};

settings! {
    /// What stands around answers.
    Addition {
        "add_before_body" in LEVELS,
        before: Option<Box<str>> as AddedUri = None,
        "Puts what the location of this URI answers before the body of a 200; an empty URI puts nothing there. The URI has no variables";

        "add_after_body" in LEVELS,
        after: Option<Box<str>> as AddedUri = None,
        "The same behind it";

        "addition_types" in LEVELS,
        types: MediaTypes as MediaTypes = MediaTypes::html(),
        "The media types of answers that something is put around; `text/html` always is, and `*` means all";
    }
}

/// A URI; an empty one is none.
struct AddedUri;

impl Argument for AddedUri {
    type Value = Option<Box<str>>;

    const ARGUMENTS: Arguments = one("uri");

    fn read(into: &mut Option<Option<Box<str>>>, directive: &Directive, report: &mut Report) {
        let uri = Some(directive.argument(0)).filter(|uri| !uri.is_empty());
        if uri.is_some() {
            report.names().ask_inside();
        }
        *into = Some(uri.map(Into::into));
    }

    fn print(value: &Option<Box<str>>) -> String {
        value.as_deref().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http};

    #[test]
    fn an_empty_uri_takes_the_one_above_away() {
        let config = accepted(&in_http(
            "add_before_body /a; add_after_body /b; server { location /a { } location /b { add_before_body \"\"; } }",
        ));
        let locations = &config.http.servers[0].locations;
        let added = |index: usize| {
            let settings = &locations[index].settings.addition;
            (settings.before.as_deref(), settings.after.as_deref())
        };
        assert_eq!([added(0), added(1)], [(Some("/a"), Some("/b")), (None, Some("/b"))]);
        assert!(config.http.reads.subrequests);
    }
}
