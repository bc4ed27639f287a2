//! The files that stand for a directory: nginx's `ngx_http_index_module`.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, at_least, settings};
use crate::script::Template;

settings! {
    /// The files that stand for a directory.
    Index {
        "index" in LEVELS,
        files: Vec<Template> as IndexFiles = vec![Template::literal("index.html")],
        "The files that are tried, in order, for a URI that ends with a slash; the last may be an absolute URI. May contain variables";
    }
}

/// Names, with variables. All of a level's directives are one list.
struct IndexFiles;

impl Argument for IndexFiles {
    type Value = Vec<Template>;

    const ARGUMENTS: Arguments = at_least(1, "file …");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let files = into.get_or_insert_default();
        let last = directive.arguments.len() - 1;
        for (index, word) in directive.words().enumerate() {
            let position = directive.argument_position(index);
            if word.is_empty() {
                report.emerg("index \"\" in \"index\" directive is invalid", &position);
                return;
            }
            if word.starts_with('/') && index != last {
                let message = "only the last index in \"index\" directive should be absolute";
                report.warn(message, &position);
            }
            let Some(file) = report.template(directive, index) else { return };
            files.push(file);
        }
    }

    fn print(value: &Self::Value) -> String {
        let names: Vec<&str> = value.iter().filter_map(Template::as_literal).collect();
        names.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_location, in_server, refused, warnings};

    fn files(text: &str) -> Vec<String> {
        let config = accepted(&in_server(text));
        let index = &config.http.servers[0].locations[0].settings.index;
        index.files.iter().map(|file| file.as_literal().unwrap_or("…").to_owned()).collect()
    }

    #[test]
    fn a_level_that_names_any_inherits_none() {
        assert_eq!(files("location / { }"), ["index.html"]);
        assert_eq!(files("index a b; index c; location / { }"), ["a", "b", "c"]);
        assert_eq!(files("index a; location / { index $host.html /b; }"), ["…", "/b"]);
    }

    #[test]
    fn mistakes() {
        refused(&in_location("index \"\";"), "index \"\" in \"index\" directive is invalid");
        refused(&in_location("index;"), "invalid number of arguments in \"index\" directive");
        let said = warnings(&in_location("index /a b;"));
        assert!(
            said[0].contains("only the last index in \"index\" directive should be absolute"),
            "{said:?}"
        );
    }
}
