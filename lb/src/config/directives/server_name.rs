//! `server_name`.

use crate::config::diagnostics::Report;
use crate::config::draft::{NameDraft, ServerDraft};
use crate::config::model::{Position, ServerName};
use crate::config::syntax::Directive;

pub(super) fn server_name(server: &mut ServerDraft, directive: &Directive, report: &mut Report) {
    for (index, written) in directive.words().enumerate() {
        let position = directive.argument_position(index);
        if let Some(name) = parse(written, &position, report) {
            server.names.push(NameDraft { written: written.to_owned(), name, position });
        }
    }
}

fn parse(written: &str, position: &Position, report: &mut Report) -> Option<ServerName> {
    if let Some(pattern) = written.strip_prefix('~') {
        return regex(pattern, written, position, report);
    }
    if written == "$hostname" {
        let message = "\"$hostname\" in the \"server_name\" directive is not supported";
        report.emerg_hint(message, position, "write the name of the machine");
        return None;
    }
    if written.contains('/') {
        report.warn(format!("server name \"{written}\" has suspicious symbols"), position);
    }
    let name = written.to_ascii_lowercase();
    let parsed = classify(&name);
    if parsed.is_none() {
        let hint = "a star stands for whole labels at one end: *.example.org, .example.org, www.example.*";
        report.emerg_hint(format!("invalid server name or wildcard \"{written}\""), position, hint);
    }
    parsed
}

fn classify(name: &str) -> Option<ServerName> {
    let stars = name.matches('*').count();
    if stars > 1 || name.contains("..") || name.contains('\0') {
        return None;
    }
    if let Some(rest) = name.strip_prefix('*') {
        return (rest.starts_with('.') && rest.len() > 1)
            .then(|| ServerName::LeadingWildcard(rest.to_owned()));
    }
    if let Some(rest) = name.strip_suffix('*') {
        return (rest.ends_with('.') && rest.len() > 1)
            .then(|| ServerName::TrailingWildcard(rest.to_owned()));
    }
    if stars > 0 {
        return None;
    }
    if name.starts_with('.') && name.len() > 1 {
        return Some(ServerName::DomainAndSubdomains(name.to_owned()));
    }
    Some(ServerName::Exact(name.to_owned()))
}

fn regex(pattern: &str, written: &str, position: &Position, report: &mut Report) -> Option<ServerName> {
    if pattern.is_empty() {
        report.emerg(format!("empty regex in server name \"{written}\""), position);
        return None;
    }
    match regex::RegexBuilder::new(pattern).case_insensitive(true).build() {
        Ok(regex) => Some(ServerName::Regex(regex)),
        Err(error) => {
            report.emerg_hint(
                format!("the regular expression \"{pattern}\" cannot be used"),
                position,
                reason(&error),
            );
            None
        }
    }
}

/// The last line of the crate's explanation holds the reason; the lines before it draw where.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().next_back().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}
