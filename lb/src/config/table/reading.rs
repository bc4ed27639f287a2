//! Directives to drafts: every directive is looked up in the table, checked against its row and read.
//!
//! The checks come in nginx's order (name, context, `;` or `{`, number of arguments, repetition) with nginx's
//! words. Where one fails the directive is passed over and reading goes on, into its block too if the block's
//! meaning is certain.

use std::collections::HashSet;

use super::draft::{HttpDraft, LocationDraft, MainDraft, ServerDraft, Settings, UpstreamDraft};
use super::{Block, Contexts, Effect, Row};
use crate::config::diagnostics::Report;
use crate::config::modules;
use crate::config::syntax::Directive;
use crate::config::table;
use crate::suggestion;

/// The draft that directives are read into: what nginx calls a context.
#[derive(Debug)]
enum Scope<'a> {
    Main(&'a mut MainDraft),
    Events,
    Http(&'a mut HttpDraft),
    Server(&'a mut ServerDraft),
    Location(&'a mut LocationDraft),
    Upstream(&'a mut UpstreamDraft),
}

impl Scope<'_> {
    fn context(&self) -> Contexts {
        match self {
            Self::Main(_) => table::MAIN,
            Self::Events => table::EVENTS,
            Self::Http(_) => table::HTTP,
            Self::Server(_) => table::SERVER,
            Self::Location(_) => table::LOCATION,
            Self::Upstream(_) => table::UPSTREAM,
        }
    }

    fn settings(&mut self) -> Option<&mut Settings> {
        match self {
            Self::Http(http) => Some(&mut http.settings),
            Self::Server(server) => Some(&mut server.settings),
            Self::Location(location) => Some(&mut location.settings),
            Self::Main(_) | Self::Events | Self::Upstream(_) => None,
        }
    }
}

/// Reads the directives of a whole configuration.
pub(in crate::config) fn read(tree: &[Directive], report: &mut Report) -> MainDraft {
    let mut main = MainDraft::default();
    read_block(tree, &mut Scope::Main(&mut main), report);
    main
}

fn read_block(block: &[Directive], scope: &mut Scope<'_>, report: &mut Report) {
    let mut seen = HashSet::new();
    for directive in block {
        read_directive(directive, scope, &mut seen, report);
    }
}

fn read_directive(
    directive: &Directive,
    scope: &mut Scope<'_>,
    seen: &mut HashSet<&'static str>,
    report: &mut Report,
) {
    let name = directive.name.as_str();
    let context = scope.context();
    if name.is_empty() {
        // A `{` without a name, or `""`: the first has been reported.
        if directive.block.is_none() {
            report.emerg("unknown directive \"\"", &directive.position);
        }
        return;
    }
    let Some(row) = find(directive, context, report) else { return };
    if let Effect::Refused(reason) = row.effect {
        if !row.is_harmless(directive) {
            refuse(directive, reason, report);
        }
        return;
    }
    if !shape_fits(row, directive) {
        if let Some((first, rest)) = split_at_missing_semicolon(directive, context) {
            let position = directive.argument_position(first.arguments.len());
            let line = position.line;
            let hint = format!("is a \";\" missing before \"{}\" in line {line}?", rest.name);
            report.emerg_hint(shape_complaint(row, directive), &directive.position, hint);
            if shape_fits(row, &first) {
                read_directive(&first, scope, seen, report);
            }
            read_directive(&rest, scope, seen, report);
        } else {
            let hint = format!("it is written: {}", usage(row));
            report.emerg_hint(shape_complaint(row, directive), &directive.position, hint);
        }
        return;
    }
    if !row.repeatable && !seen.insert(row.name) {
        report.emerg(format!("\"{name}\" directive is duplicate"), &directive.position);
        return;
    }
    apply(row, directive, scope, report);
}

/// The row that a directive means here; says why there is none.
fn find(directive: &Directive, context: Contexts, report: &mut Report) -> Option<&'static Row> {
    let name = directive.name.as_str();
    let mut elsewhere: Contexts = 0;
    for row in table::rows(name) {
        if row.contexts & context != 0 {
            return Some(row);
        }
        // In the wrong place or not, it will not run: that is what the user should hear.
        if let Effect::Refused(reason) = row.effect {
            refuse(directive, reason, report);
            return None;
        }
        elsewhere |= row.contexts;
    }
    if elsewhere != 0 {
        let hint = format!("it belongs in {}", table::context_names(elsewhere));
        report.emerg_hint(format!("\"{name}\" directive is not allowed here"), &directive.position, hint);
        return None;
    }
    if let Some(family) = table::family(name) {
        refuse(directive, family.reason, report);
        return None;
    }
    let message = format!("unknown directive \"{name}\"");
    if name.starts_with('\u{feff}') {
        let hint = "the file begins with a byte order mark, which nginx does not accept either";
        report.emerg_hint(message, &directive.position, hint);
        return None;
    }
    match suggestion::nearest(name, table::names_in(context)) {
        Some(nearest) => {
            report.emerg_hint(message, &directive.position, format!("did you mean \"{nearest}\"?"));
        }
        None => report.emerg(message, &directive.position),
    }
    None
}

fn refuse(directive: &Directive, reason: &str, report: &mut Report) {
    let message = format!("nginx's directive \"{}\" is not supported: {reason}", directive.name);
    report.emerg(message, &directive.position);
}

fn shape_fits(row: &Row, directive: &Directive) -> bool {
    let count = directive.arguments.len();
    row.block == directive.block.is_some() && (row.arguments.min..=row.arguments.max).contains(&count)
}

fn shape_complaint(row: &Row, directive: &Directive) -> String {
    let name = row.name;
    match (row.block, directive.block.is_some()) {
        (false, true) => format!("directive \"{name}\" is not terminated by \";\""),
        (true, false) => format!("directive \"{name}\" has no opening \"{{\""),
        _ => format!("invalid number of arguments in \"{name}\" directive"),
    }
}

fn usage(row: &Row) -> String {
    let syntax = row.arguments.syntax;
    match (row.block, syntax.is_empty()) {
        (true, _) => format!("{} {syntax}", row.name),
        (false, true) => format!("{};", row.name),
        (false, false) => format!("{} {syntax};", row.name),
    }
}

/// A directive that swallowed the next one because its `;` is missing: cut where a line begins with the name of a
/// directive.
fn split_at_missing_semicolon(directive: &Directive, context: Contexts) -> Option<(Directive, Directive)> {
    let mut line = directive.position.line;
    let cut = directive.arguments.iter().position(|word| {
        let begins_a_line = word.line > std::mem::replace(&mut line, word.line);
        begins_a_line && table::rows(&word.text).any(|row| row.contexts & context != 0)
    })?;
    let mut first = directive.clone();
    let mut swallowed = first.arguments.split_off(cut).into_iter();
    let name = swallowed.next()?;
    let rest = Directive {
        position: directive.argument_position(cut),
        name: name.text,
        arguments: swallowed.collect(),
        block: first.block.take(),
        order: directive.order,
    };
    Some((first, rest))
}

fn apply(row: &Row, directive: &Directive, scope: &mut Scope<'_>, report: &mut Report) {
    match (row.effect, scope) {
        (Effect::Main(reader), Scope::Main(main)) => reader(main, directive, report),
        (Effect::Http(reader), Scope::Http(http)) => reader(http, directive, report),
        (Effect::Server(reader), Scope::Server(server)) => reader(server, directive, report),
        (Effect::Upstream(reader), Scope::Upstream(upstream)) => reader(upstream, directive, report),
        (Effect::Level(reader), scope) => {
            if let Some(settings) = scope.settings() {
                reader(settings, directive, report);
            }
        }
        (Effect::Opens(block), scope) => open(block, directive, scope, report),
        (Effect::Ignored(reason), _) => {
            let sound = row.check_kind(directive, report);
            if sound && !row.is_harmless(directive) {
                let message = format!("\"{}\" has no effect here: {reason}", directive.name);
                report.warn(message, &directive.position);
            }
        }
        // Included files have taken its place, refusals were handled before, and no row's contexts disagree with
        // its reader: a test of the table sees to that.
        _ => {}
    }
}

fn open(block: Block, directive: &Directive, scope: &mut Scope<'_>, report: &mut Report) {
    let inside = directive.block.as_deref().unwrap_or_default();
    match (block, scope) {
        (Block::Events, Scope::Main(main)) => {
            main.events = true;
            read_block(inside, &mut Scope::Events, report);
        }
        (Block::Http, Scope::Main(main)) => {
            read_block(inside, &mut Scope::Http(main.http.get_or_insert_default()), report);
        }
        (Block::Server, Scope::Http(http)) => {
            let mut server = ServerDraft::new(directive.position.clone());
            read_block(inside, &mut Scope::Server(&mut server), report);
            http.servers.push(server);
        }
        (Block::Location, Scope::Server(server)) => {
            let mut location = modules::location::open(directive, None, report);
            read_block(inside, &mut Scope::Location(&mut location), report);
            server.locations.push(location);
        }
        (Block::Location, Scope::Location(outer)) => {
            let mut location = modules::location::open(directive, Some(&outer.pattern), report);
            read_block(inside, &mut Scope::Location(&mut location), report);
            outer.nested.push(location);
        }
        (Block::Upstream, Scope::Http(http)) => {
            let mut upstream = modules::upstream::open(directive);
            let taken = |other: &UpstreamDraft| other.name.eq_ignore_ascii_case(&upstream.name);
            if http.upstreams.iter().any(taken) {
                let message = format!("duplicate upstream \"{}\"", upstream.name);
                report.emerg(message, &directive.argument_position(0));
            }
            read_block(inside, &mut Scope::Upstream(&mut upstream), report);
            http.upstreams.push(upstream);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{errors, in_http, in_location, in_main, in_server, load_text, refused};

    #[test]
    fn the_table_is_asked_in_nginxs_order_and_words() {
        let cases = [
            (in_main("nonsense;"), "unknown directive \"nonsense\" in /conf/nginx.conf:1"),
            (
                in_location("proxy_pas http://group;"),
                "unknown directive \"proxy_pas\" in /conf/nginx.conf:1 (did you mean \"proxy_pass\"?)",
            ),
            (
                in_http("listen 80;"),
                "\"listen\" directive is not allowed here in /conf/nginx.conf:1 (it belongs in server)",
            ),
            (
                in_main("server { }"),
                "\"server\" directive is not allowed here in /conf/nginx.conf:1 (it belongs in http, upstream)",
            ),
            (in_server("listen 80 { }"), "directive \"listen\" is not terminated by \";\""),
            (in_http("server;"), "directive \"server\" has no opening \"{\""),
            (in_http("server a { }"), "invalid number of arguments in \"server\" directive"),
            (
                in_server("send_timeout;"),
                "invalid number of arguments in \"send_timeout\" directive in /conf/nginx.conf:1 (it is written: send_timeout time;)",
            ),
            (in_server("send_timeout 1; send_timeout 2;"), "\"send_timeout\" directive is duplicate"),
            (in_main("http { } http { }"), "\"http\" directive is duplicate"),
            (in_main("\"\" x;"), "unknown directive \"\""),
            (in_main("include;"), "invalid number of arguments in \"include\" directive"),
            ("\u{feff}events {}".to_owned(), "unknown directive \"\u{feff}events\""),
        ];
        for (text, message) in cases {
            if text.starts_with('\u{feff}') {
                assert!(errors(&text)[0].contains("byte order mark"));
            } else {
                refused(&text, message);
            }
        }
    }

    #[test]
    fn what_nginx_knows_is_refused_by_its_name_wherever_it_stands() {
        refused(
            &in_http("gzip on;"),
            "nginx's directive \"gzip\" is not supported: answers are not compressed",
        );
        refused(&in_main("gzip on;"), "nginx's directive \"gzip\" is not supported");
        refused(&in_http("map $a $b { x y; }"), "nginx's directive \"map\" is not supported");
        refused(&in_location("fastcgi_pass a;"), "nginx's directive \"fastcgi_pass\" is not supported");
        refused(&in_location("deny all;"), "nginx's directive \"deny\" is not supported");
        refused(&in_location("if ($host) { return 1; }"), "nginx's directive \"if\" is not supported");
        assert_eq!(errors(&in_http("gzip off;")), Vec::<String>::new());
    }

    #[test]
    fn a_forgotten_semicolon_hides_nothing() {
        let said = errors(&in_http("server {\n listen 80\n location / { send_timeout x; }\n frob;\n}"));
        assert_eq!(
            said,
            [
                "[emerg] directive \"listen\" is not terminated by \";\" in /conf/nginx.conf:2 \
                 (is a \";\" missing before \"location\" in line 3?)",
                "[emerg] \"send_timeout\" directive invalid value in /conf/nginx.conf:3 \
                 (\"x\" is not a time such as 60s, 1m30s or 500ms)",
                "[emerg] unknown directive \"frob\" in /conf/nginx.conf:4",
            ]
        );
        let said = errors(&in_server("send_timeout 1s\nkeepalive_timeout 2s;\nkeepalive_timeout 3s;"));
        assert_eq!(said.len(), 2, "{said:?}");
    }

    #[test]
    fn repetition_is_counted_block_by_block() {
        let text = in_server(
            "send_timeout 1; location /a { send_timeout 2; return 204; } location /b { send_timeout 3; return 204; }",
        );
        assert_eq!(errors(&text), Vec::<String>::new());
    }

    #[test]
    fn nginx_insists_on_events() {
        let said = load_text("http { }").unwrap_err();
        assert_eq!(said[0].message, "no \"events\" section in configuration");
    }
}
