//! Fields of the answer: nginx's `ngx_http_headers_module`.

use crate::config::diagnostics::Report;
use crate::config::field_name::FieldName;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, Row, refused, settings, words};
use crate::script::Template;

settings! {
    /// What is added to answers.
    Headers {
        "add_header" in LEVELS,
        add: Vec<AddHeader> as AddHeader = Vec::new(),
        "Adds a field to answers with 200, 201, 204, 206, 301 to 304, 307 and 308, with `always` to all; an empty value adds nothing. A level that has any inherits none";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    refused("add_header_inherit", LEVELS, "a level with an `add_header` inherits none").harmless(&["on"]),
    refused("add_trailer", LEVELS, "trailers are not sent"),
    refused("add_trailer_inherit", LEVELS, "trailers are not sent"),
    refused("expires", LEVELS, "use `add_header Cache-Control …`").harmless(&["off"]),
];

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
            ("expires 1h;", "nginx's directive \"expires\" is not supported"),
        ];
        for (text, message) in cases {
            refused(&in_location(text), message);
        }
    }
}
