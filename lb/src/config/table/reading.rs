//! Directives to blocks: every directive is looked up in the table, checked against its row and read.
//!
//! The checks come in nginx's order (name, context, `;` or `{`, number of arguments, repetition) with nginx's
//! words. Where one fails the directive is passed over and reading goes on, into its block too if the block's
//! meaning is certain.

use std::collections::HashSet;

use super::block::Block;
use super::context::{Contexts, MAIN};
use super::{Effect, Family, Fate, Member, Row, Table};
use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::suggestion;

/// Reads the directives of a whole configuration into its main block.
pub(in crate::config) fn read(table: &Table, tree: &[Directive], report: &mut Report) -> Block {
    let nowhere = Position { file: "".into(), line: 0 };
    let mut main = Block::new(MAIN, nowhere);
    Reading { table, report }.block(tree, &mut main);
    main
}

struct Reading<'a> {
    table: &'a Table,
    report: &'a mut Report,
}

impl Reading<'_> {
    fn block(&mut self, directives: &[Directive], block: &mut Block) {
        let mut seen = HashSet::new();
        for directive in directives {
            self.directive(directive, block, &mut seen);
        }
    }

    fn directive(&mut self, directive: &Directive, block: &mut Block, seen: &mut HashSet<&'static str>) {
        let name = directive.name.as_str();
        if name.is_empty() {
            // A `{` without a name, or `""`: the first has been reported.
            if directive.block.is_none() {
                self.report.emerg("unknown directive \"\"", &directive.position);
            }
            return;
        }
        let Some(row) = self.find(directive, block.context) else { return };
        if let Effect::Refused(reason) = row.effect {
            if !row.is_harmless(directive) {
                self.refuse(directive, reason);
            }
            return;
        }
        if !shape_fits(row, directive) {
            self.misshapen(row, directive, block, seen);
            return;
        }
        if !row.repeatable && !seen.insert(row.name) {
            self.report.emerg(format!("\"{name}\" directive is duplicate"), &directive.position);
            return;
        }
        self.apply(row, directive, block);
    }

    /// The directive does not fit its row: says so, and reads both when it swallowed the next one.
    fn misshapen(
        &mut self,
        row: &Row,
        directive: &Directive,
        block: &mut Block,
        seen: &mut HashSet<&'static str>,
    ) {
        let complaint = shape_complaint(row, directive);
        if let Some((first, rest)) = self.split_at_missing_semicolon(directive, block.context) {
            let line = rest.position.line;
            let hint = format!("is a \";\" missing before \"{}\" in line {line}?", rest.name);
            self.report.emerg_hint(complaint, &directive.position, hint);
            if shape_fits(row, &first) {
                self.directive(&first, block, seen);
            }
            self.directive(&rest, block, seen);
        } else {
            let hint = format!("it is written: {}", usage(row));
            self.report.emerg_hint(complaint, &directive.position, hint);
        }
    }

    /// The row that a directive means here; says why there is none.
    fn find(&mut self, directive: &Directive, context: Contexts) -> Option<&'static Row> {
        let name = directive.name.as_str();
        let mut elsewhere = Contexts::NONE;
        for row in self.table.rows(name) {
            if row.contexts.meets(context) {
                return Some(row);
            }
            // In the wrong place or not, it will not run: that is what the user should hear.
            if let Effect::Refused(reason) = row.effect {
                self.refuse(directive, reason);
                return None;
            }
            elsewhere = elsewhere.or(row.contexts);
        }
        if let Some((family, member)) = self.table.member(name) {
            self.member(family, &member, directive, context);
            return None;
        }
        if elsewhere != Contexts::NONE {
            self.misplaced(directive, elsewhere);
            return None;
        }
        self.unknown(directive, context);
        None
    }

    fn unknown(&mut self, directive: &Directive, context: Contexts) {
        let name = directive.name.as_str();
        let message = format!("unknown directive \"{name}\"");
        if name.starts_with('\u{feff}') {
            let hint = "the file begins with a byte order mark, which nginx does not accept either";
            self.report.emerg_hint(message, &directive.position, hint);
            return;
        }
        match suggestion::nearest(name, self.table.names_in(context)) {
            Some(nearest) => {
                let hint = format!("did you mean \"{nearest}\"?");
                self.report.emerg_hint(message, &directive.position, hint);
            }
            None => self.report.emerg(message, &directive.position),
        }
    }

    fn misplaced(&mut self, directive: &Directive, belongs: Contexts) {
        let hint = format!("it belongs in {}", belongs.names());
        let message = format!("\"{}\" directive is not allowed here", directive.name);
        self.report.emerg_hint(message, &directive.position, hint);
    }

    /// A directive of a family.
    fn member(&mut self, family: &Family, member: &Member, directive: &Directive, context: Contexts) {
        if let Fate::Ignored(_) = family.fate
            && !member.contexts.meets(context)
        {
            return self.misplaced(directive, member.contexts);
        }
        if member.is_harmless(directive) {
            return;
        }
        let (name, position) = (&directive.name, &directive.position);
        match family.fate {
            Fate::Ignored(reason) => return self.report.no_effect(name, reason, position),
            Fate::Refused(reason) => self.report.refused(name, reason, position),
            Fate::Pending(package) => {
                let message = format!("nginx's directive \"{name}\" is not supported yet");
                self.report.pending(package, name.clone(), message, position);
            }
        }
        if let Some(variable) = member.defines(directive) {
            self.report.refused_variable(variable);
        }
    }

    fn refuse(&mut self, directive: &Directive, reason: &'static str) {
        self.report.refused(&directive.name, reason, &directive.position);
    }

    fn apply(&mut self, row: &Row, directive: &Directive, block: &mut Block) {
        match row.effect {
            Effect::Reads(reader) => reader(block, directive, self.report),
            Effect::Opens(begin) => {
                let mut inner = begin(directive, block, self.report);
                self.block(directive.block.as_deref().unwrap_or_default(), &mut inner);
                block.children.push(inner);
            }
            Effect::Ignored(reason) => {
                let sound = row.is_sound(directive, self.report);
                if sound && !row.is_harmless(directive) {
                    self.report.no_effect(&directive.name, reason, &directive.position);
                }
            }
            // Included files have taken its place; refusals were handled before.
            Effect::Expanded | Effect::Refused(_) => {}
        }
    }

    /// A directive that swallowed the next one because its `;` is missing: cut where a line begins with the name of
    /// a directive.
    fn split_at_missing_semicolon(
        &self,
        directive: &Directive,
        context: Contexts,
    ) -> Option<(Directive, Directive)> {
        let mut line = directive.position.line;
        let cut = directive.arguments.iter().position(|word| {
            let begins_a_line = word.line > std::mem::replace(&mut line, word.line);
            begins_a_line && self.table.rows(&word.text).any(|row| row.contexts.meets(context))
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

#[cfg(test)]
mod tests {
    use crate::config::testing::{
        errors, in_http, in_location, in_main, in_server, load_text, refused, warnings,
    };

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
            &in_http("userid on;"),
            "nginx's directive \"userid\" is not supported yet in /conf/nginx.conf:1",
        );
        refused(&in_main("userid on;"), "nginx's directive \"userid\" is not supported");
        refused(&in_location("fastcgi_pass a;"), "nginx's directive \"fastcgi_pass\" is not supported");
        assert_eq!(errors(&in_http("userid off;")), Vec::<String>::new());
    }

    #[test]
    fn what_sets_up_an_absent_protocol_is_one_warning() {
        let text = in_http(
            "fastcgi_param A b;\nfastcgi_read_timeout 5m;\nfastcgi_keep_conn off;\nserver { fastcgi_index x;\nfastcgi_param B c; }",
        );
        assert_eq!(
            warnings(&text),
            [
                "[warn] \"fastcgi_param\", \"fastcgi_read_timeout\" and \"fastcgi_index\" have no effect here: \
              nothing is passed to FastCGI servers in /conf/nginx.conf:1 (also in lines 2, 4 and 5)"
            ]
        );
        refused(&in_main("fastcgi_param A b;"), "\"fastcgi_param\" directive is not allowed here");
        let said =
            errors(&in_location("include x; fastcgi_pass unix:/run/php.sock;\nfastcgi_pass php:9000;"));
        assert!(said.iter().any(|line| line.contains("pass to that with `proxy_pass`")), "{said:?}");
    }

    #[test]
    fn a_package_is_one_line_and_the_sum_comes_last() {
        let text = in_http(
            "userid on;\nuserid_name x;\nserver { listen 443;\nslice 1m;\n\
             listne 80;\nadd_header A $slice_range; }",
        );
        let said: Vec<String> = load_text(&text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "[emerg] userid is not supported yet: \"userid\" and \"userid_name\" in /conf/nginx.conf:1 (also in line 2)",
                "[emerg] slice is not supported yet: \"slice\" and \"$slice_range\" in /conf/nginx.conf:4 (also in line 6)",
                "[emerg] unknown directive \"listne\" in /conf/nginx.conf:5 (did you mean \"listen\"?)",
                "[notice] 4 directives in 2 groups are not supported yet: userid (userid, userid_name), \
                 slice (slice, $slice_range)",
            ]
        );
    }

    #[test]
    fn a_variable_that_a_refused_directive_defines_is_not_called_unknown() {
        let said = errors(&in_server("location / { js_set $user main.user; return 200 $user; }"));
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].contains("\"js_set\""), "{said:?}");
    }

    #[test]
    fn settings_without_their_switch_are_warned_of() {
        let said = warnings(&in_http("userid_name a;\nserver { userid_name b; }"));
        assert_eq!(
            said,
            [
                "[warn] \"userid_name\" has no effect here: nothing says `userid on` in /conf/nginx.conf:1 (also in line 2)"
            ]
        );
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
