//! Media types by the extension of a path: `types` and `default_type` of nginx's `ngx_http_core_module`.

use std::collections::BTreeMap;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, one, settings, words};

settings! {
    /// Media types of the texts of `return`.
    Types {
        "types" in LEVELS,
        by_extension: BTreeMap<String, String> as ByExtension = nginxs_own(),
        "Media types by extension";

        "default_type" in LEVELS,
        default: String as MediaType = "text/plain".to_owned(),
        "The media type where `types` has none";
    }
}

/// The three that nginx knows without a `types`.
fn nginxs_own() -> BTreeMap<String, String> {
    [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")]
        .into_iter()
        .map(|(extension, media_type)| (extension.to_owned(), media_type.to_owned()))
        .collect()
}

/// Extension (lower case, no dot) to media type. All of a level's blocks are one.
struct ByExtension;

impl Argument for ByExtension {
    type Value = BTreeMap<String, String>;

    const ARGUMENTS: Arguments = words(0, 0, "{ type extension …; … }");
    const REPEATABLE: bool = true;
    const BLOCK: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let table = into.get_or_insert_default();
        for entry in directive.block.iter().flatten() {
            if entry.block.is_some() {
                let hint = format!(
                    "\"types\" holds types and their extensions, and \"{}\" opens a block",
                    entry.name
                );
                report.emerg_hint("unexpected \"{\"", &entry.position, hint);
                continue;
            }
            if entry.name == "include" {
                report.emerg("invalid number of arguments in \"include\" directive", &entry.position);
                continue;
            }
            for extension in entry.words() {
                add(table, extension, entry, report);
            }
        }
    }

    fn print(value: &Self::Value) -> String {
        let written: Vec<String> =
            value.iter().map(|(extension, media_type)| format!("{media_type} {extension}")).collect();
        written.join("; ")
    }
}

/// As in nginx, the last type of an extension stands, and the clash is said.
fn add(table: &mut BTreeMap<String, String>, extension: &str, entry: &Directive, report: &mut Report) {
    let previous = table.insert(extension.to_ascii_lowercase(), entry.name.clone());
    if let Some(previous) = previous {
        let message = format!(
            "duplicate extension \"{extension}\", content type: \"{}\", previous content type: \"{previous}\"",
            entry.name
        );
        report.warn(message, &entry.position);
    }
}

/// A media type, as written.
struct MediaType;

impl Argument for MediaType {
    type Value = String;

    const ARGUMENTS: Arguments = one("type");

    fn read(into: &mut Option<String>, directive: &Directive, _: &mut Report) {
        *into = Some(directive.argument(0).to_owned());
    }

    fn print(value: &String) -> String {
        value.clone()
    }
}
