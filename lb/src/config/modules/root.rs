//! Where files lie: `root` and `alias` of nginx's `ngx_http_core_module`.
//!
//! A level has one of the two, and inherits the other's kind with its text: nginx keeps both in one place. What stays
//! of a URI under an `alias` depends on the location that says `alias`, not on a nested one that inherits it.

use std::sync::Arc;

use super::LocationMatch;
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, IF_IN_LOCATION, LEVELS, LOCATION, Row, one, row};
use crate::script::Template;

/// nginx's default, under the prefix.
pub(in crate::config) const DEFAULT_ROOT: &str = "html";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("root", LEVELS.or(IF_IN_LOCATION), one("path"), Reads(root),
        "The directory under which the file of a URI is looked for; may contain variables").default(|| DEFAULT_ROOT.to_owned()),
    row("alias", LOCATION, one("path"), Reads(alias),
        "The directory that replaces the location's prefix of the URI; in a location by a regular expression, the whole path of the file"),
];

/// How a path is made of a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// `root`: the URI follows.
    Root,
    /// `alias` in a prefix or exact location: the URI follows, without as many bytes as the location's path has.
    Alias(usize),
    /// `alias` in a location by a regular expression: nothing follows.
    Whole,
}

/// Where the files of a location lie.
#[derive(Debug, Clone)]
pub struct DocumentRoot {
    /// The directory, or the whole path. Absolute unless `relative_to` is there.
    pub path: Template,
    /// What a value of `path` that does not begin with a slash is relative to. `None` where it always does.
    pub relative_to: Option<Arc<str>>,
    /// How a path is made of it.
    pub mapping: Mapping,
    /// The configuration itself names a directory by `..`, so that a path with one is no sign of an attack.
    pub climbs: bool,
}

impl DocumentRoot {
    /// The directory without variables that `path`, absolute or below `prefix`, names.
    pub fn fixed(prefix: &str, path: &str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        let path = if path.is_empty() { String::new() } else { absolute(prefix, path) };
        let climbs = has_parent_segment(&path);
        Self { path: Template::literal(&path), relative_to: None, mapping: Mapping::Root, climbs }
    }
}

/// What a level says, before it is known where relative paths begin.
#[derive(Debug)]
pub(in crate::config) struct GivenRoot {
    directive: String,
    text: String,
    path: Template,
    mapping: Mapping,
}

impl GivenRoot {
    /// The same with relative paths under `prefix`.
    pub(in crate::config) fn under(self, prefix: &str) -> DocumentRoot {
        let climbs = has_parent_segment(&self.text);
        if self.text.starts_with('$') {
            let relative_to = Some(Arc::from(prefix));
            return DocumentRoot { path: self.path, relative_to, mapping: self.mapping, climbs };
        }
        let path = match self.path.as_literal() {
            Some("") => self.path,
            Some(path) => Template::literal(&absolute(prefix, path)),
            None if self.text.starts_with('/') => self.path,
            None => Template::literal(&absolute(prefix, "")).followed_by(self.path),
        };
        DocumentRoot { path, relative_to: None, mapping: self.mapping, climbs }
    }
}

fn absolute(prefix: &str, path: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{path}", prefix.strip_suffix('/').unwrap_or(prefix)),
    }
}

fn has_parent_segment(path: &str) -> bool {
    path.split('/').any(|segment| segment == "..")
}

fn root(block: &mut Block, directive: &Directive, report: &mut Report) {
    // What follows begins with a slash.
    let text = directive.argument(0);
    read(block, directive, text.strip_suffix('/').unwrap_or(text), Mapping::Root, report);
}

fn alias(block: &mut Block, directive: &Directive, report: &mut Report) {
    let mapping = match block.given::<LocationMatch>() {
        Some(LocationMatch::Regex(_)) => Mapping::Whole,
        Some(LocationMatch::Named(_)) => {
            let message = "the \"alias\" directive cannot be used inside the named location";
            report.emerg(message, &directive.position);
            return;
        }
        pattern => Mapping::Alias(pattern.and_then(LocationMatch::path).map_or(0, str::len)),
    };
    read(block, directive, directive.argument(0), mapping, report);
}

fn read(block: &mut Block, directive: &Directive, text: &str, mapping: Mapping, report: &mut Report) {
    let name = directive.name.as_str();
    for forbidden in ["document_root", "realpath_root"] {
        if mentions(text, forbidden) {
            let message = format!("the ${forbidden} variable cannot be used in the \"{name}\" directive");
            report.emerg(message, &directive.argument_position(0));
            return;
        }
    }
    let Some(path) = report.compile(text, &directive.argument_position(0)) else { return };
    let mut earlier = None;
    let given = GivenRoot { directive: name.to_owned(), text: text.to_owned(), path, mapping };
    block.edit(|place: &mut Option<GivenRoot>| match place {
        Some(first) => earlier = Some(first.directive.clone()),
        None => *place = Some(given),
    });
    if let Some(earlier) = earlier {
        let message =
            format!("\"{name}\" directive is duplicate, \"{earlier}\" directive was specified earlier");
        report.emerg(message, &directive.position);
    }
}

/// Whether `text` has the variable, as `$name` or `${name}`.
fn mentions(text: &str, name: &str) -> bool {
    text.split('$').skip(1).any(|after| {
        let after = after.strip_prefix('{').unwrap_or(after);
        after
            .strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_'))
    })
}

#[cfg(test)]
mod tests {
    use super::{Mapping, mentions};
    use crate::config::model::DocumentRoot;
    use crate::config::testing::{accepted, in_http, in_location, in_server, refused};

    fn shown(root: &DocumentRoot) -> String {
        let path = root.path.as_literal().map_or("…".to_owned(), str::to_owned);
        let relative = if root.relative_to.is_some() { " relative" } else { "" };
        let climbs = if root.climbs { " climbs" } else { "" };
        format!("{path} {:?}{relative}{climbs}", root.mapping)
    }

    fn of_location(text: &str) -> String {
        shown(&accepted(&in_server(text)).http.servers[0].locations[0].root)
    }

    #[test]
    fn a_level_inherits_the_directory_and_how_the_uri_follows_it() {
        for (text, root) in [
            ("location /a/ { }", "/prefix/html Root"),
            ("root /w/; location /a/ { }", "/w Root"),
            ("root /; location /a/ { }", " Root"),
            ("root www; location /a/ { }", "/prefix/www Root"),
            ("root www/$host; location /a/ { }", "… Root"),
            ("root $host; location /a/ { }", "… Root relative"),
            ("root /a/../b; location /a/ { }", "/a/../b Root climbs"),
            ("root /w; location /a/ { alias /i/; }", "/i/ Alias(3)"),
            ("root /w; location /a/ { root v; }", "/prefix/v Root"),
            ("location = /a { alias i; }", "/prefix/i Alias(2)"),
        ] {
            assert_eq!(of_location(text), root, "{text}");
        }
        let config = accepted(&in_server("location /a/ { alias /i/; location /a/b/ { } }"));
        let inner = &config.http.servers[0].locations[0].nested[0];
        assert_eq!(inner.root.mapping, Mapping::Alias(3));
        let config = accepted(&in_http("root /w; server { }"));
        assert_eq!(shown(&config.http.servers[0].fallback.root), "/w Root");
    }

    #[test]
    fn a_variable_is_found_in_either_form() {
        for (text, found) in [
            ("/a/$document_root", true),
            ("${document_root}/b", true),
            ("$document_roots", false),
            ("x", false),
        ] {
            assert_eq!(mentions(text, "document_root"), found, "{text}");
        }
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("root /a; root /b;", "\"root\" directive is duplicate"),
            (
                "root /a; alias /b;",
                "\"alias\" directive is duplicate, \"root\" directive was specified earlier",
            ),
            (
                "root $document_root/a;",
                "the $document_root variable cannot be used in the \"root\" directive",
            ),
            ("root /$nope;", "unknown \"nope\" variable"),
            ("root;", "invalid number of arguments in \"root\" directive"),
        ] {
            refused(&in_location(text), message);
        }
        refused(&in_server("alias /a;"), "\"alias\" directive is not allowed here");
    }
}
