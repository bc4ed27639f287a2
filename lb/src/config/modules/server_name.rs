//! `server_name`.

use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, Row, SERVER, at_least, row};
use crate::script::{Case, Pattern};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("server_name", SERVER, at_least(1, "name …"), Reads(server_name),
        "The names it answers to: exact, `*.example.org`, `.example.org`, `www.example.*`, or `~` and a regular expression").repeatable().default(|| "\"\"".to_owned()),
];

/// One name of a server. All are lower case.
#[derive(Debug, Clone)]
pub enum ServerName {
    /// `www.example.org`; the empty string matches requests without a Host.
    Exact(String),
    /// `*.example.org` holds `.example.org`.
    LeadingWildcard(String),
    /// `.example.org` holds `.example.org` and matches `example.org` too.
    DomainAndSubdomains(String),
    /// `mail.*` holds `mail.`.
    TrailingWildcard(String),
    /// `~^www\d+\.example\.org$`, matched in order of appearance.
    Regex(Pattern),
}

/// One name as a server gives it.
#[derive(Debug)]
pub(in crate::config) struct GivenName {
    pub(in crate::config) written: String,
    pub(in crate::config) name: ServerName,
    pub(in crate::config) position: Position,
}

fn server_name(block: &mut Block, directive: &Directive, report: &mut Report) {
    for (index, written) in directive.words().enumerate() {
        let position = directive.argument_position(index);
        if let Some(name) = parse(written, &position, report) {
            let name = GivenName { written: written.to_owned(), name, position };
            block.edit(|names: &mut Vec<GivenName>| names.push(name));
        }
    }
}

const WILDCARDS: &str =
    "a star stands for whole labels at one end: *.example.org, .example.org, www.example.*";

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
    // nginx's own two steps, with two messages.
    let starred = written.starts_with('*') && (written.len() < 3 || !written.starts_with("*."));
    if starred || written == "." {
        report.emerg_hint(format!("server name \"{written}\" is invalid"), position, WILDCARDS);
        return None;
    }
    let name = written.to_ascii_lowercase();
    let parsed = classify(&name);
    if parsed.is_none() {
        report.emerg_hint(format!("invalid server name or wildcard \"{written}\""), position, WILDCARDS);
    }
    parsed
}

pub(super) fn classify(name: &str) -> Option<ServerName> {
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
    // nginx looks for upper case; a host is compared in lower case.
    let has_upper_case = pattern.bytes().any(|byte| byte.is_ascii_uppercase());
    let case = if has_upper_case { Case::Insensitive } else { Case::Sensitive };
    report.pattern(pattern, case, position).map(ServerName::Regex)
}

#[cfg(test)]
mod tests {
    use crate::config::model::ServerName;
    use crate::config::testing::{accepted, in_http, in_server, refused, warnings};

    #[test]
    fn each_form_is_told_apart() {
        let server = accepted(&in_server(
            "server_name WWW.Example.org *.example.org .example.net www.example.* ~^W\\d$ \"\";",
        ))
        .http
        .servers
        .pop()
        .unwrap();
        assert_eq!(server.first_name, "WWW.Example.org");
        let described: Vec<String> = server
            .names
            .iter()
            .map(|name| match name {
                ServerName::Exact(name) => format!("exact {name}"),
                ServerName::LeadingWildcard(name) => format!("leading {name}"),
                ServerName::DomainAndSubdomains(name) => format!("domain {name}"),
                ServerName::TrailingWildcard(name) => format!("trailing {name}"),
                ServerName::Regex(regex) => format!("regex {}", regex.is_match(b"w1").unwrap()),
            })
            .collect();
        assert_eq!(
            described,
            [
                "exact www.example.org",
                "leading .example.org",
                "domain .example.net",
                "trailing www.example.",
                "regex true",
                "exact "
            ]
        );
    }

    #[test]
    fn the_first_name_is_shown_without_its_mark() {
        let first = |names: &str| {
            accepted(&in_server(&format!("server_name {names};"))).http.servers[0].first_name.clone()
        };
        assert_eq!(first(".example.org a"), "example.org");
        assert_eq!(first("~^www"), "^www");
        assert_eq!(first("*.example.org"), "*.example.org");
    }

    #[test]
    fn a_server_without_names_has_the_empty_one() {
        let server = &accepted(&in_http("server { }")).http.servers[0];
        assert!(matches!(server.names.as_slice(), [ServerName::Exact(name)] if name.is_empty()));
        assert_eq!(server.first_name, "");
    }

    #[test]
    fn wildcards_stand_for_whole_labels_at_one_end() {
        for name in ["a.*.b", "a.b*", "*.a.*", "a..b"] {
            refused(
                &in_server(&format!("server_name {name};")),
                &format!("invalid server name or wildcard \"{name}\""),
            );
        }
    }

    #[test]
    fn a_star_alone_is_no_name() {
        for name in ["*a.b", "*", "*.", "**.a", "."] {
            refused(
                &in_server(&format!("server_name {name};")),
                &format!("server name \"{name}\" is invalid"),
            );
        }
    }

    #[test]
    fn regular_expressions_are_pcres() {
        refused(&in_server("server_name ~;"), "empty regex in server name \"~\"");
        refused(
            &in_server("server_name ~(;"),
            "pcre2_compile() failed: missing closing parenthesis in \"(\"",
        );
        accepted(&in_server("server_name ~^(?!www)(?<sub>.+)$; return 200 $sub;"));
    }

    #[test]
    fn equal_names_on_one_address_are_told() {
        let warnings = |text: &str| warnings(&in_http(text));
        let twice = "server { listen 80; server_name a; } server { listen 80; server_name A; }";
        assert!(warnings(twice)[0].contains("conflicting server name \"A\" on 0.0.0.0:80, ignored"));
        let unnamed = "server { listen 80; } server { listen 80; }";
        assert!(warnings(unnamed)[0].contains("conflicting server name \"\" on 0.0.0.0:80, ignored"));
        let patterns = "server { server_name ~a; } server { server_name ~a; }";
        assert_eq!(warnings(patterns), Vec::<String>::new());
        let apart = "server { listen 80; server_name a; } server { listen 81; server_name a; }";
        assert_eq!(warnings(apart), Vec::<String>::new());
    }
}
