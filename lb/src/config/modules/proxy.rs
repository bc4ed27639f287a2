//! Proxying: nginx's `ngx_http_proxy_module`.

mod next_upstream;
mod pass;
mod set_header;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::HeaderName;

use self::pass::proxy_pass;
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{
    Argument, Arguments, Flag, IF_IN_LOCATION, LEVELS, LOCATION, Row, Time, at_least, one, row, settings,
    words,
};

pub use self::next_upstream::NextUpstream;
pub(in crate::config) use self::pass::ProxyPass;
pub use self::set_header::SetHeader;

#[rustfmt::skip]
pub(super) const PASS: &[Row] = &[
    row("proxy_pass", LOCATION.or(IF_IN_LOCATION), one("http://upstream[URI] | http://address[:port][URI]"), Reads(proxy_pass),
        "Passes requests on. With a URI part, that replaces what the location matched of the normalised path; without, the request's own URI goes as it came. Variables and `https://` are refused"),
];

settings! {
    /// How requests go to servers and what becomes of their answers.
    ProxySettings {
        "proxy_set_header" in LEVELS,
        set_headers: Vec<SetHeader> as SetHeader = vec![SetHeader::default_host()],
        "Sets a request field; an empty value sends none. A level that has any inherits none. `Connection`, `Upgrade` and the fields that frame a message are set by the connection itself, and WebSocket works without them";

        "proxy_http_version" in LEVELS,
        http_1_0: bool as HttpVersion = false,
        "The HTTP version towards servers";

        "proxy_connect_timeout" in LEVELS,
        connect_timeout: Duration as Time = Duration::from_secs(60),
        "How long connecting to a server may take";

        "proxy_read_timeout" in LEVELS,
        read_timeout: Duration as Time = Duration::from_secs(60),
        "How long a server may pause within an answer";

        "proxy_send_timeout" in LEVELS,
        send_timeout: Duration as Time = Duration::from_secs(60),
        "How long a server may take no byte of a request";

        "proxy_socket_keepalive" in LEVELS,
        socket_keepalive: bool as Flag = false,
        "Whether the system probes an idle connection to a server (`SO_KEEPALIVE`), at its own times";

        "proxy_next_upstream" in LEVELS,
        next_upstream: NextUpstream as NextUpstream = NextUpstream { error: true, timeout: true },
        "On which failures another server is tried; the other conditions of nginx are refused for now";

        "proxy_hide_header" in LEVELS,
        hide_headers: Vec<HeaderName> as FieldNames = Vec::new(),
        "Fields of servers' answers that clients do not get, beside `Date`, `Server`, `X-Pad` and `X-Accel-Expires`, `-Redirect`, `-Limit-Rate`, `-Buffering` and `-Charset`";

        "proxy_pass_header" in LEVELS,
        pass_headers: Vec<HeaderName> as FieldNames = Vec::new(),
        "Fields that clients get although they are hidden otherwise";

        "proxy_redirect" in LEVELS,
        redirect: bool as DefaultRedirect = true,
        "Whether a `Location` or `Refresh` that names the address of `proxy_pass` is turned into one of ours; redirects of one's own are refused for now";

        "proxy_buffering" in LEVELS,
        buffering: bool as Flag = true,
        "Accepted both ways; answers are streamed through in any case";

        "proxy_request_buffering" in LEVELS,
        request_buffering: bool as Flag = true,
        "Whether a request body of up to 64 KiB is read before a server is picked; longer ones are streamed in any case";

        "proxy_intercept_errors" in LEVELS,
        intercept_errors: bool as Flag = false,
        "Whether an `error_page` answers in place of a server's answer with such a status";

        "proxy_ignore_headers" in LEVELS,
        ignores_accel_redirect: bool as AccelRedirect = false,
        "Fields of servers' answers that steer nothing. Only `X-Accel-Redirect` steers anything: an answer with it is 502 for now";
    }
}

const ACCEL_REDIRECT: &str = "X-Accel-Redirect";

/// `proxy_redirect`: whether the default one is made.
struct DefaultRedirect;

impl Argument for DefaultRedirect {
    type Value = bool;

    const ARGUMENTS: Arguments = words(1, 2, "default | off");

    fn read(into: &mut Option<bool>, directive: &Directive, report: &mut Report) {
        match directive.argument(0) {
            "off" => *into = Some(false),
            "default" => *into = Some(true),
            _ => report.not_yet(directive, 0),
        }
    }

    fn print(value: &bool) -> String {
        if *value { "default" } else { "off" }.to_owned()
    }
}

/// `proxy_http_version`: whether it is 1.0.
struct HttpVersion;

impl Argument for HttpVersion {
    type Value = bool;

    const ARGUMENTS: Arguments = one("1.0 | 1.1");

    fn read(into: &mut Option<bool>, directive: &Directive, report: &mut Report) {
        match directive.argument(0) {
            "1.0" => *into = Some(true),
            "1.1" => *into = Some(false),
            "2" => report.not_yet(directive, 0),
            other => report.emerg_hint(
                format!("invalid value \"{other}\""),
                &directive.argument_position(0),
                "\"proxy_http_version\" accepts 1.0 and 1.1",
            ),
        }
    }

    fn print(value: &bool) -> String {
        if *value { "1.0" } else { "1.1" }.to_owned()
    }
}

/// `proxy_ignore_headers`: whether it names `X-Accel-Redirect`.
struct AccelRedirect;

impl Argument for AccelRedirect {
    type Value = bool;

    const ARGUMENTS: Arguments = at_least(1, "field …");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<bool>, directive: &Directive, _: &mut Report) {
        *into.get_or_insert(false) |= directive.words().any(|word| word.eq_ignore_ascii_case(ACCEL_REDIRECT));
    }

    fn print(value: &bool) -> String {
        if *value { ACCEL_REDIRECT } else { "" }.to_owned()
    }
}

/// `proxy_hide_header` and `proxy_pass_header`: names of fields, one a directive.
struct FieldNames;

impl Argument for FieldNames {
    type Value = Vec<HeaderName>;

    const ARGUMENTS: Arguments = one("field");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Vec<HeaderName>>, directive: &Directive, report: &mut Report) {
        into.get_or_insert_default().extend(report.header_name(directive, 0));
    }

    /// No default has any.
    fn print(_: &Vec<HeaderName>) -> String {
        String::new()
    }
}
