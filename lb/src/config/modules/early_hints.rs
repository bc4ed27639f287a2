//! Whether interim answers of servers reach clients: `early_hints` of nginx's `ngx_http_core_module`.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, at_least, settings};
use crate::script::Template;

settings! {
    /// Whether interim answers reach clients.
    EarlyHints {
        "early_hints" in LEVELS,
        any: Vec<Template> as Conditions = Vec::new(),
        "Passes a server's 103 (Early Hints) on where one of the texts is neither empty nor `0`, to clients of HTTP/1.1 and later";
    }
}

/// Texts of which one has to be neither empty nor `0`.
struct Conditions;

impl Argument for Conditions {
    type Value = Vec<Template>;

    const ARGUMENTS: Arguments = at_least(1, "string …");

    fn read(into: &mut Option<Vec<Template>>, directive: &Directive, report: &mut Report) {
        let conditions = into.get_or_insert_default();
        for index in 0..directive.arguments.len() {
            conditions.extend(report.template(directive, index));
        }
    }

    /// No default has any.
    fn print(_: &Vec<Template>) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_location, refused};

    #[test]
    fn texts_are_kept() {
        let config = accepted(&in_location("early_hints $http_x 1;"));
        assert_eq!(config.http.servers[0].locations[0].settings.early_hints.any.len(), 2);
        refused(&in_location("early_hints;"), "invalid number of arguments in \"early_hints\" directive");
    }
}
