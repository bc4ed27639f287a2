//! `proxy_set_header`: the fields of a request to a server.

use http::HeaderName;
use http::header::HOST;

use crate::config::diagnostics::Report;
use crate::config::field_name::FieldName;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, words};
use crate::script::{Named, Template, Variable};

/// `proxy_set_header name value`.
#[derive(Debug, Clone)]
pub struct SetHeader {
    /// Field name.
    pub name: FieldName,
    /// Value.
    pub value: Template,
}

impl SetHeader {
    /// What stands where a configuration sets no `Host`.
    pub(in crate::config) fn default_host() -> Self {
        Self {
            name: FieldName::known(HOST, "Host"),
            value: Template::variable(Variable::Named(Named::ProxyHost)),
        }
    }
}

impl Argument for SetHeader {
    /// Those that belong to the connection left out.
    type Value = Vec<Self>;

    const ARGUMENTS: Arguments = words(2, 2, "field value");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Vec<Self>>, directive: &Directive, report: &mut Report) {
        // Even one that is left out ends the inheritance from the level above.
        let headers = into.get_or_insert_default();
        let (name, value) = (report.field_name(directive, 0), report.header_value(directive, 1));
        let (Some(name), Some(value)) = (name, value) else { return };
        match kept_by_the_connection(name.name(), directive.argument(1)) {
            None => headers.push(Self { name, value }),
            Some(Kept::AsWished) => {}
            Some(Kept::Ignored(reason)) => report.warn(
                format!("\"proxy_set_header {}\" has no effect here: {reason}", directive.argument(0)),
                &directive.position,
            ),
        }
    }

    /// The only default there is.
    fn print(_: &Vec<Self>) -> String {
        "Host $proxy_host".to_owned()
    }
}

/// Request fields that belong to the connection to the server, and what becomes of a wish about them.
fn kept_by_the_connection(name: &HeaderName, value: &str) -> Option<Kept> {
    let value = value.trim();
    let is = |wish: &str| value.eq_ignore_ascii_case(wish);
    let is_variable = value.starts_with('$');
    match name.as_str() {
        // What every configuration with WebSocket or keep-alive writes, and what happens anyway.
        // A variable there is one of the idioms (`$connection_upgrade`, `$http_connection`).
        "connection" if value.is_empty() || is("upgrade") || is("keep-alive") || is_variable => {
            Some(Kept::AsWished)
        }
        "upgrade" if value.is_empty() || is("websocket") || is_variable => Some(Kept::AsWished),
        // What goes with `proxy_pass_request_body off`, and happens then anyway.
        "content-length" if value.is_empty() => Some(Kept::AsWished),
        "connection" | "upgrade" => Some(Kept::Ignored(
            "upstream connections are kept alive and upgraded as the client and the server agree",
        )),
        "keep-alive" | "expect" if value.is_empty() => Some(Kept::AsWished),
        // HTTP/2 has this one of the connection's fields, in these words.
        "te" if value.is_empty() || is("trailers") || is_variable => None,
        "keep-alive" | "te" | "trailer" => Some(Kept::Ignored("it belongs to the connection")),
        "expect" => Some(Kept::Ignored("a client that expects 100 is answered here")),
        "transfer-encoding" | "content-length" => Some(Kept::Ignored("the length of the body is what it is")),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    AsWished,
    Ignored(&'static str),
}
