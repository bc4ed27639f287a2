//! The text of `docs/directives.md`, from the table.

use std::fmt::Write;

use super::{Effect, Family, Fate, Row, Table};
use crate::script::variable_names;

const OPENING: &str = "\
# Directives

What `lb` makes of each directive of nginx. This page is written by the program from the table that it reads
configurations with: `LB_WRITE_REFERENCE=1 cargo test -p lb --test it config_reference` writes it anew, and the
same test without the variable fails when it is out of date.

Syntax, default and context are those of nginx's manual. The status is one of these:

- **works**: as in nginx.
- **differs**: it works, and the text says what is different.
- **no effect**: accepted, and `lb -t` says why nothing is lost.
- **not yet**: refused until the group that it belongs to is there; where nothing in the configuration switches that
  group on, its settings are accepted without effect.
- **refused**: a configuration that relies on it must not run without it. The text says what to do instead.

A directive that says its default is accepted whatever its status. Whatever is in no list is unknown.

- Sizes are in bytes, or end in `k`, `m` or (where bodies and files are meant) `g`. Times are in seconds, or
  combine `ms`, `s`, `m`, `h`, `d`, `w`, and where whole seconds are meant `M` and `y`: `1m30s`.
- A directive of `http` or `server` holds for all that is inside, unless said again there.
- A comment that begins `#lb:` is a comment to nginx and configuration to `lb`: `#lb: health_check off;`.
- A level that says `add_header`, `proxy_set_header`, `access_log`, `proxy_hide_header` or `proxy_pass_header`
  inherits none of that name from above.
";

/// The whole text of `docs/directives.md`.
pub(in crate::config) fn text(table: &Table) -> String {
    let mut text = OPENING.to_owned();
    for part in table.sections {
        section(&mut text, part.title, part.rows);
    }
    variables(&mut text);
    line(&mut text, format_args!("\n## Whole modules"));
    for family in table.families() {
        module(&mut text, family);
    }
    text
}

fn section(text: &mut String, title: &str, rows: &[&[Row]]) {
    line(text, format_args!("\n## {title}\n"));
    line(text, format_args!("| Directive | Syntax | Default | Context | Status | Meaning |"));
    line(text, format_args!("|---|---|---|---|---|---|"));
    for row in rows.iter().flat_map(|rows| *rows) {
        let (name, syntax, default) = (row.name, code(row.arguments.syntax), code(&row.default_text()));
        let contexts = row.contexts.names();
        let (status, meaning) = status(row);
        line(text, format_args!("| `{name}` | {syntax} | {default} | {contexts} | {status} | {meaning} |"));
    }
}

/// A row's status, and what there is to say.
fn status(row: &Row) -> (&'static str, String) {
    match row.effect {
        Effect::Ignored(reason) => ("no effect", reason.to_owned()),
        Effect::Refused(reason) => {
            let harmless: Vec<String> =
                row.harmless.iter().map(|words| format!("`{} {words}`", row.name)).collect();
            let accepted = match harmless.as_slice() {
                [] => String::new(),
                some => format!("; accepted: {}", some.join(", ")),
            };
            ("refused", format!("{reason}{accepted}"))
        }
        _ if row.differs.is_empty() => ("works", row.summary.to_owned()),
        _ => ("differs", format!("{}. Differs: {}", row.summary, row.differs)),
    }
}

fn variables(text: &mut String) {
    line(text, format_args!("\n## Variables\n"));
    line(text, format_args!("In `return`, `add_header`, `proxy_set_header`, `hash` and `log_format`:\n"));
    let names: Vec<String> = variable_names().map(|name| format!("`${name}`")).collect();
    line(text, format_args!("{}", names.join(", ")));
}

fn module(text: &mut String, family: &Family) {
    line(text, format_args!("\n### {}\n", family.module));
    match family.fate {
        Fate::Pending(package) => line(text, format_args!("**not yet**: {}.\n", package.name)),
        Fate::Refused(reason) => line(text, format_args!("**refused**: {reason}.\n")),
        Fate::Ignored(reason) => line(text, format_args!("**no effect**: {reason}.\n")),
    }
    line(text, format_args!("| Directive | Syntax | Default | Context |"));
    line(text, format_args!("|---|---|---|---|"));
    for member in family.members() {
        let (syntax, default) = (code(member.syntax), code(member.default.unwrap_or_default()));
        let contexts = member.contexts.names();
        line(text, format_args!("| `{}` | {syntax} | {default} | {contexts} |", member.name));
    }
}

fn code(text: &str) -> String {
    // A bar would end the cell, even between back quotes.
    if text.is_empty() { String::new() } else { format!("`{}`", text.replace('|', "\\|")) }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{arguments}");
}
