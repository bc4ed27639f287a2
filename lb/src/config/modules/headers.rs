//! Fields of the answer: nginx's `ngx_http_headers_module`.

use std::sync::Arc;

pub use super::expires::{Expires, ExpiresTime};
use crate::config::diagnostics::Report;
use crate::config::field_name::FieldName;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, IF_IN_LOCATION, LEVELS, Row, one, refused, settings, words};
use crate::script::Template;

settings! {
    /// What is added to answers.
    Headers by merge {
        "add_header" in LEVELS.or(IF_IN_LOCATION),
        add: Vec<AddHeader> as AddHeader = Vec::new(),
        "Adds a field to answers with 200, 201, 204, 206, 301 to 304, 307 and 308, with `always` to all; an empty value adds nothing. A level that has any inherits none, unless `add_header_inherit` says so",
        differs "a 416 has the fields of `always` once; nginx adds them twice";

        "add_header_inherit" in LEVELS.or(IF_IN_LOCATION),
        add_inherit: HeadersInherit as HeadersInherit = HeadersInherit::On,
        "Whether a level inherits each `add_header` of the level above: where it has none itself, never, or behind its own";

        "expires" in LEVELS.or(IF_IN_LOCATION),
        expires: Expires as Expires = Expires::Off,
        "Sets `Expires` and `Cache-Control` of answers with 200, 201, 204, 206, 301 to 304, 307 and 308. May be a variable";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    refused("add_trailer", LEVELS.or(IF_IN_LOCATION), "Pingora writes no trailers"),
    refused("add_trailer_inherit", LEVELS.or(IF_IN_LOCATION), "Pingora writes no trailers"),
];

/// What `add_header_inherit`, given or inherited, makes of the fields of both levels.
fn merge(above: &Arc<Headers>, given: Given) -> Arc<Headers> {
    let own = given.add.clone();
    let unchanged = own.is_none() && given.add_inherit.is_none() && given.expires.is_none();
    let mut merged = Headers::over(above, given);
    match merged.add_inherit {
        HeadersInherit::Off => merged.add = own.unwrap_or_default(),
        HeadersInherit::Merge if own.is_some() => merged.add.extend_from_slice(&above.add),
        HeadersInherit::On | HeadersInherit::Merge => {}
    }
    if unchanged && merged.add.len() == above.add.len() { Arc::clone(above) } else { Arc::new(merged) }
}

/// `add_header_inherit`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadersInherit {
    /// A level without a field of its own has those of the level above.
    On,
    /// A level has its own alone.
    Off,
    /// Those of the level above come behind a level's own.
    Merge,
}

const INHERITANCE: [(&str, HeadersInherit); 3] =
    [("on", HeadersInherit::On), ("off", HeadersInherit::Off), ("merge", HeadersInherit::Merge)];

impl Argument for HeadersInherit {
    type Value = Self;

    const ARGUMENTS: Arguments = one("on | off | merge");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let written = directive.argument(0);
        match INHERITANCE.iter().find(|(word, _)| written.eq_ignore_ascii_case(word)) {
            Some((_, value)) => *into = Some(*value),
            None => {
                let message = format!("invalid value \"{written}\"");
                let hint = format!("\"{}\" accepts on, off and merge", directive.name);
                report.emerg_hint(message, &directive.argument_position(0), hint);
            }
        }
    }

    fn print(value: &Self) -> String {
        INHERITANCE.iter().find(|(_, mode)| mode == value).map_or("", |(word, _)| *word).to_owned()
    }
}

/// Fields that frame the message or belong to the connection: adding one would break what is sent.
const OF_THE_CONNECTION: [&str; 7] =
    ["connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// `add_header name value [always]`.
#[derive(Debug, Clone)]
pub struct AddHeader {
    /// Field name.
    pub name: FieldName,
    /// Value; an empty one adds nothing.
    pub value: Template,
    /// Without `always` only for 200, 201, 204, 206, 301, 302, 303, 304, 307, 308.
    pub always: bool,
}

impl Argument for AddHeader {
    type Value = Vec<Self>;

    const ARGUMENTS: Arguments = words(2, 3, "name value [always]");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Vec<Self>>, directive: &Directive, report: &mut Report) {
        let headers = into.get_or_insert_default();
        let always = match directive.arguments.get(2) {
            None => false,
            Some(word) if word.text == "always" => true,
            Some(_) => {
                report.invalid_parameter(directive, 2, "a name, a value and \"always\"");
                return;
            }
        };
        let (name, value) = (report.field_name(directive, 0), report.header_value(directive, 1));
        let (Some(name), Some(value)) = (name, value) else { return };
        if OF_THE_CONNECTION.contains(&name.name().as_str()) {
            report.unsupported(directive, 0, "the field belongs to the connection");
            return;
        }
        headers.push(Self { name, value, always });
    }

    /// No default has any.
    fn print(_: &Vec<Self>) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_location, in_server, refused};

    #[test]
    fn a_level_with_any_inherits_none() {
        let config = accepted(&in_server(
            "add_header X-A $host always; add_header X-B b; location /a { return 204; } \
             location /b { add_header X-C \"\"; return 204; }",
        ));
        let names = |index: usize| {
            let location = &config.http.servers[0].locations[index];
            location
                .settings
                .headers
                .add
                .iter()
                .map(|header| (header.name.to_string(), header.always))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(0), [("X-A".to_owned(), true), ("X-B".to_owned(), false)]);
        assert_eq!(names(1), [("X-C".to_owned(), false)]);
        assert!(config.http.servers[0].locations[1].settings.headers.add[0].value.is_empty());
    }

    #[test]
    fn the_rule_of_inheritance_is_inherited_itself() {
        for (text, names) in [
            ("add_header A a; location / { add_header B b; }", "B"),
            ("add_header A a; location / { expires 1h; }", "A"),
            ("add_header_inherit merge; add_header A a; location / { add_header B b; }", "B A"),
            ("add_header_inherit merge; add_header A a; location / { }", "A"),
            ("add_header A a; location / { add_header_inherit merge; add_header B b; }", "B A"),
            ("add_header A a; add_header_inherit off; location / { }", ""),
            ("add_header A a; location / { add_header_inherit off; }", ""),
            ("add_header A a; location / { add_header_inherit off; add_header B b; }", "B"),
        ] {
            let config = accepted(&in_server(text));
            let headers = &config.http.servers[0].locations[0].settings.headers;
            let found: Vec<String> = headers.add.iter().map(|field| field.name.to_string()).collect();
            assert_eq!(found.join(" "), names, "{text}");
        }
    }

    #[test]
    fn mistakes() {
        let cases = [
            ("add_header X-A b sometimes;", "invalid parameter \"sometimes\""),
            ("add_header \"X A\" b;", "\"add_header\" directive invalid value"),
            ("add_header X-A \"b\\r\\nX-C: d\";", "\"add_header\" directive invalid value"),
            ("add_header X-A $nope;", "unknown \"nope\" variable"),
            (
                "add_header Content-Length 0;",
                "\"Content-Length\" in the \"add_header\" directive is not supported",
            ),
            ("add_header X-A;", "invalid number of arguments in \"add_header\" directive"),
            ("add_header_inherit always;", "invalid value \"always\""),
        ];
        for (text, message) in cases {
            refused(&in_location(text), message);
        }
    }
}
