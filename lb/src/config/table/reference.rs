//! The text of `docs/directives.md`, from the table.

use std::fmt::Write;

use super::{Effect, Row, Table};
use crate::script::variable_names;

const OPENING: &str = "\
# Directives

What `lb` makes of each directive of nginx. This page is written by the program from the table that it reads
configurations with: `LB_WRITE_REFERENCE=1 cargo test -p lb --test it config_reference` writes it anew, and the
same test without the variable fails when it is out of date.

A directive is **implemented**; or it is accepted **without effect**, and `lb -t` says why; or it is **refused**,
because a configuration that relies on it must not run without it. Whatever is in no list is unknown.

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
        let rows = part.rows.iter().flat_map(|rows| *rows);
        let implemented: Vec<&Row> = rows.filter(|row| is_implemented(row)).collect();
        section(&mut text, part.title, &implemented);
    }
    variables(&mut text);
    without_effect(&mut text, table);
    refused(&mut text, table);
    text
}

fn is_implemented(row: &Row) -> bool {
    !matches!(row.effect, Effect::Ignored(_) | Effect::Refused(_))
}

fn section(text: &mut String, title: &str, rows: &[&Row]) {
    if rows.is_empty() {
        return;
    }
    line(text, format_args!("\n## {title}\n"));
    line(text, format_args!("| Directive | Takes | Default | Context | Meaning |"));
    line(text, format_args!("|---|---|---|---|---|"));
    for row in rows {
        let takes = code(row.arguments.syntax);
        let default = code(&row.default_text());
        let contexts = row.contexts.names();
        line(text, format_args!("| `{}` | {takes} | {default} | {contexts} | {} |", row.name, row.summary));
    }
}

fn variables(text: &mut String) {
    line(text, format_args!("\n## Variables\n"));
    line(text, format_args!("In `return`, `add_header`, `proxy_set_header`, `hash` and `log_format`:\n"));
    let names: Vec<String> = variable_names().map(|name| format!("`${name}`")).collect();
    line(text, format_args!("{}", names.join(", ")));
}

fn without_effect(text: &mut String, table: &Table) {
    line(text, format_args!("\n## Accepted without effect\n"));
    line(text, format_args!("| Directive | Why nothing is lost |"));
    line(text, format_args!("|---|---|"));
    for row in table.all() {
        if let Effect::Ignored(reason) = row.effect {
            line(text, format_args!("| `{}`{} | {reason} |", row.name, place(row, table)));
        }
    }
}

fn refused(text: &mut String, table: &Table) {
    line(text, format_args!("\n## Refused\n"));
    line(text, format_args!("| Directive | Why | Accepted nevertheless |"));
    line(text, format_args!("|---|---|---|"));
    for row in table.all() {
        if let Effect::Refused(reason) = row.effect {
            let harmless: Vec<String> =
                row.harmless.iter().map(|words| format!("`{} {words}`", row.name)).collect();
            line(
                text,
                format_args!("| `{}`{} | {reason} | {} |", row.name, place(row, table), harmless.join(", ")),
            );
        }
    }
    line(text, format_args!("\nAnd, module by module:\n"));
    for family in table.families {
        let names: Vec<String> = family.names().map(|name| format!("`{name}`")).collect();
        line(text, format_args!("- {}: {}. {}", family.module, family.reason, names.join(", ")));
    }
}

/// The contexts, for a name that means different things in different ones.
fn place(row: &Row, table: &Table) -> String {
    if table.rows(row.name).count() < 2 {
        return String::new();
    }
    format!(" ({})", row.contexts.names())
}

fn code(text: &str) -> String {
    // A bar would end the cell, even between back quotes.
    if text.is_empty() { String::new() } else { format!("`{}`", text.replace('|', "\\|")) }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{arguments}");
}
