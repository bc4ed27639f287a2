//! `log_format` of nginx's `ngx_http_log_module`, and the formats that are there without one.

use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, HTTP, Row, at_least, row};
use crate::script::{Escape, Template};

/// nginx's predefined format.
pub(in crate::config) const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status \
     $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

/// Beyond nginx: the name of a format that is there without a `log_format`, unless the configuration has one of this
/// name.
pub(in crate::config) const JSON_NAME: &str = "json";
/// One object per line, for collectors.
pub(in crate::config) const JSON: &str = "{\"time\":\"$time_iso8601\",\"remote_addr\":\"$remote_addr\",\
     \"remote_user\":\"$remote_user\",\"method\":\"$request_method\",\"scheme\":\"$scheme\",\"host\":\"$host\",\
     \"uri\":\"$request_uri\",\"protocol\":\"$server_protocol\",\"status\":$status,\
     \"bytes_sent\":$bytes_sent,\"body_bytes_sent\":$body_bytes_sent,\"request_length\":$request_length,\
     \"request_time\":$request_time,\"request_id\":\"$request_id\",\"referer\":\"$http_referer\",\
     \"user_agent\":\"$http_user_agent\",\"upstream_addr\":\"$upstream_addr\",\
     \"upstream_status\":\"$upstream_status\",\"upstream_connect_time\":\"$upstream_connect_time\",\
     \"upstream_response_time\":\"$upstream_response_time\"}";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("log_format", HTTP, at_least(2, "name [escape=default | json | none] string …"), Reads(log_format),
        "A format of the access log, of strings with variables; must stand before the `access_log` that names it. Beyond nginx: without one of this name, `json` is a format with one object per line").repeatable().without("combined"),
];

/// One `log_format`.
#[derive(Debug)]
pub struct LogFormat {
    /// Its name.
    pub name: String,
    /// `escape=`.
    pub escape: Escape,
    /// The line.
    pub template: Template,
}

/// A `log_format` and when it was read.
#[derive(Debug)]
pub(in crate::config) struct GivenFormat {
    pub(in crate::config) format: LogFormat,
    pub(in crate::config) position: Position,
    pub(in crate::config) order: usize,
}

fn log_format(http: &mut Block, directive: &Directive, report: &mut Report) {
    let name = directive.argument(0);
    let known = |format: &GivenFormat| format.format.name == name;
    if name == "combined" || http.given::<Vec<GivenFormat>>().is_some_and(|formats| formats.iter().any(known))
    {
        report.emerg(format!("duplicate \"log_format\" name \"{name}\""), &directive.argument_position(0));
        return;
    }
    let (escape, first) = match directive.argument(1).strip_prefix("escape=") {
        None => (Escape::Default, 1),
        Some("default") => (Escape::Default, 2),
        Some("json") => (Escape::Json, 2),
        Some("none") => (Escape::None, 2),
        Some(other) => {
            report.emerg_hint(
                format!("unknown log format escaping \"{other}\""),
                &directive.argument_position(1),
                "it must be default, json or none",
            );
            (Escape::Default, 2)
        }
    };
    // Compiled one by one, as in nginx: no variable's name goes on in the next string.
    let template = (first..directive.arguments.len())
        .filter_map(|index| report.template(directive, index))
        .reduce(Template::followed_by)
        .unwrap_or_default();
    let given = GivenFormat {
        format: LogFormat { name: name.to_owned(), escape, template },
        position: directive.position.clone(),
        order: directive.order,
    };
    http.edit(|formats: &mut Vec<GivenFormat>| formats.push(given));
}
