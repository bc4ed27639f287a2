//! Proxying: nginx's `ngx_http_proxy_module`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use http::HeaderName;
use http::header::HOST;

use super::proxy_refused::NO_TLS;
use crate::config::address::{self, ServerAddress, Target};
use crate::config::diagnostics::{Position, Report};
use crate::config::field_name::FieldName;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{
    Argument, Arguments, Block, Flag, LEVELS, LOCATION, Row, Time, at_least, one, row, settings, words,
};
use crate::script::{Named, Template, Variable};

#[rustfmt::skip]
pub(super) const PASS: &[Row] = &[
    row("proxy_pass", LOCATION, one("http://upstream[URI] | http://address[:port][URI]"), Reads(proxy_pass),
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

        "proxy_ignore_headers" in LEVELS,
        ignores_accel_redirect: bool as AccelRedirect = false,
        "Fields of servers' answers that steer nothing. Only `X-Accel-Redirect` steers anything: an answer with it is 502 for now";
    }
}

const ACCEL_REDIRECT: &str = "X-Accel-Redirect";

/// The port that `http://` means.
const DEFAULT_PORT: u16 = 80;

/// `proxy_pass`.
#[derive(Debug)]
pub(in crate::config) struct ProxyPass {
    /// What follows `http://`, as written.
    pub(in crate::config) written: String,
    pub(in crate::config) target: Target,
    pub(in crate::config) position: Position,
}

impl ProxyPass {
    /// Whether it can mean an upstream of that name.
    pub(in crate::config) fn names_upstream(&self, name: &str) -> bool {
        !matches!(self.target.address, ServerAddress::Unix(_)) && self.target.host.eq_ignore_ascii_case(name)
    }
}

fn proxy_pass(block: &mut Block, directive: &Directive, report: &mut Report) {
    let url = directive.argument(0);
    let position = directive.argument_position(0);
    let scheme = |name: &str| url.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if scheme("https://") {
        report.unsupported(directive, 0, NO_TLS);
        return;
    }
    if url.contains('$') {
        report.unsupported(
            directive,
            0,
            "servers are known before requests come: name an upstream or an address without variables",
        );
        return;
    }
    if !scheme("http://") {
        report.emerg_hint("invalid URL prefix", &position, format!("\"{url}\" does not begin with http://"));
        return;
    }
    let written = &url["http://".len()..];
    match address::target(written, DEFAULT_PORT) {
        Ok(target) if target.uri.bytes().any(|byte| byte <= b' ' || byte == 0x7f) => {
            report.emerg_hint(
                "\"proxy_pass\" directive invalid value",
                &position,
                "a URI holds neither blanks nor control characters",
            );
        }
        Ok(target) => {
            let pass = ProxyPass { written: written.to_owned(), target, position };
            block.edit(|given| *given = Some(pass));
        }
        Err(error) => report.emerg_hint(
            format!("{error} in upstream \"{written}\""),
            &position,
            "\"proxy_pass\" accepts http:// and the name of an upstream or an address, with a URI if need be",
        ),
    }
}

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
    match name.as_str() {
        // What every configuration with WebSocket or keep-alive writes, and what happens anyway.
        "connection" if value.is_empty() || is("upgrade") || is("keep-alive") || is("$http_connection") => {
            Some(Kept::AsWished)
        }
        "upgrade" if value.is_empty() || is("$http_upgrade") || is("websocket") => Some(Kept::AsWished),
        "connection" | "upgrade" => Some(Kept::Ignored(
            "upstream connections are kept alive and upgraded as the client and the server agree",
        )),
        "keep-alive" | "te" | "expect" if value.is_empty() => Some(Kept::AsWished),
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

/// `proxy_next_upstream`: on which failures another server may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextUpstream {
    /// `error`: refused, reset or closed while connecting, sending or reading the answer's header.
    pub error: bool,
    /// `timeout`: the same, timed out.
    pub timeout: bool,
}

impl NextUpstream {
    const OFF: Self = Self { error: false, timeout: false };
}

impl Argument for NextUpstream {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(1, "error | timeout | off …");
    /// Said again at one level, it adds to what was said there.
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let mut off = *into == Some(Self::OFF);
        let mut next = into.unwrap_or(Self::OFF);
        for (index, word) in directive.words().enumerate() {
            let seen = match word {
                "error" => std::mem::replace(&mut next.error, true),
                "timeout" => std::mem::replace(&mut next.timeout, true),
                "off" => std::mem::replace(&mut off, true),
                "denied" | "invalid_header" | "non_idempotent" | "updating" | "http_500" | "http_502"
                | "http_503" | "http_504" | "http_403" | "http_404" | "http_429" => {
                    report.not_yet(directive, index);
                    false
                }
                _ => {
                    report.emerg_hint(
                        format!("invalid value \"{word}\""),
                        &directive.argument_position(index),
                        "\"proxy_next_upstream\" accepts error, timeout and off",
                    );
                    false
                }
            };
            if seen {
                report.warn(format!("duplicate value \"{word}\""), &directive.argument_position(index));
            }
        }
        // `off` outweighs what stands beside it.
        *into = Some(if off { Self::OFF } else { next });
    }

    fn print(value: &Self) -> String {
        let words: Vec<&str> = [("error", value.error), ("timeout", value.timeout)]
            .into_iter()
            .filter_map(|(word, on)| on.then_some(word))
            .collect();
        if words.is_empty() { "off".to_owned() } else { words.join(" ") }
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
