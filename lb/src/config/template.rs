//! Strings with variables (`"$scheme://$host$request_uri"`): compiled once, evaluated only where used.
//!
//! A [`Template`] knows which variables it needs, never their values; whoever renders it brings a [`Values`].
//! Rendering runs once per request and writes into the caller's buffer; it allocates only where a log value needs
//! escaping.

use http::HeaderName;

/// `escape=` of a `log_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// `"`, `\` and bytes outside 32..=126 as `\xXX`; a variable without a value is `-`.
    Default,
    /// As a JSON string's inside; a variable without a value is empty.
    Json,
    /// As it is; a variable without a value is empty.
    None,
}

/// A compiled string.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Variable(Variable),
}

/// Who knows the values of variables for one request.
pub trait Values {
    /// Appends the value of `variable` to `out` and returns true; returns false, with nothing appended, where the
    /// variable has no value (nginx logs it as `-`).
    fn write(&self, variable: &Variable, out: &mut Vec<u8>) -> bool;
}

/// A variable, resolved when the configuration is read: an unknown name is an error there, never at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `$http_NAME`: a request field.
    RequestHeader(HeaderName),
    /// `$sent_http_NAME`: a field of the answer as sent.
    SentHeader(HeaderName),
    /// `$upstream_http_NAME`: a field of the upstream's answer.
    UpstreamHeader(HeaderName),
    /// `$arg_NAME`: a query argument.
    Argument(Box<str>),
    /// `$cookie_NAME`
    Cookie(Box<str>),
    /// Any other, by its fixed name.
    Named(Named),
}

/// Variables with fixed names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Named {
    /// `$args`, `$query_string`
    Args,
    /// `$body_bytes_sent`
    BodyBytesSent,
    /// `$bytes_sent`
    BytesSent,
    /// `$connection`: serial number.
    Connection,
    /// `$connection_requests`
    ConnectionRequests,
    /// `$content_length`
    ContentLength,
    /// `$content_type`
    ContentType,
    /// `$document_uri`, `$uri`: the normalised path.
    Uri,
    /// `$host`
    Host,
    /// `$hostname`
    Hostname,
    /// `$is_args`
    IsArgs,
    /// `$msec`
    Msec,
    /// `$nginx_version`: our own version.
    Version,
    /// `$pid`
    Pid,
    /// `$pipe`
    Pipe,
    /// `$proxy_add_x_forwarded_for`
    ProxyAddXForwardedFor,
    /// `$proxy_host`
    ProxyHost,
    /// `$proxy_port`
    ProxyPort,
    /// `$binary_remote_addr`
    BinaryRemoteAddr,
    /// `$remote_addr`
    RemoteAddr,
    /// `$remote_port`
    RemotePort,
    /// `$remote_user`
    RemoteUser,
    /// `$request`: the request line.
    Request,
    /// `$request_completion`
    RequestCompletion,
    /// `$request_id`
    RequestId,
    /// `$request_length`
    RequestLength,
    /// `$request_method`
    RequestMethod,
    /// `$request_time`
    RequestTime,
    /// `$request_uri`: the target as sent.
    RequestUri,
    /// `$scheme`
    Scheme,
    /// `$server_addr`
    ServerAddr,
    /// `$server_name`
    ServerName,
    /// `$server_port`
    ServerPort,
    /// `$server_protocol`
    ServerProtocol,
    /// `$status`
    Status,
    /// `$time_iso8601`
    TimeIso8601,
    /// `$time_local`
    TimeLocal,
    /// `$upstream_addr`: every try, comma separated.
    UpstreamAddr,
    /// `$upstream_bytes_received`
    UpstreamBytesReceived,
    /// `$upstream_bytes_sent`
    UpstreamBytesSent,
    /// `$upstream_connect_time`
    UpstreamConnectTime,
    /// `$upstream_header_time`
    UpstreamHeaderTime,
    /// `$upstream_response_length`
    UpstreamResponseLength,
    /// `$upstream_response_time`
    UpstreamResponseTime,
    /// `$upstream_status`
    UpstreamStatus,
}

/// Every variable with a fixed name.
const NAMED: &[(&str, Named)] = &[
    ("args", Named::Args),
    ("binary_remote_addr", Named::BinaryRemoteAddr),
    ("body_bytes_sent", Named::BodyBytesSent),
    ("bytes_sent", Named::BytesSent),
    ("connection", Named::Connection),
    ("connection_requests", Named::ConnectionRequests),
    ("content_length", Named::ContentLength),
    ("content_type", Named::ContentType),
    ("document_uri", Named::Uri),
    ("host", Named::Host),
    ("hostname", Named::Hostname),
    ("is_args", Named::IsArgs),
    ("msec", Named::Msec),
    ("nginx_version", Named::Version),
    ("pid", Named::Pid),
    ("pipe", Named::Pipe),
    ("proxy_add_x_forwarded_for", Named::ProxyAddXForwardedFor),
    ("proxy_host", Named::ProxyHost),
    ("proxy_port", Named::ProxyPort),
    ("query_string", Named::Args),
    ("remote_addr", Named::RemoteAddr),
    ("remote_port", Named::RemotePort),
    ("remote_user", Named::RemoteUser),
    ("request", Named::Request),
    ("request_completion", Named::RequestCompletion),
    ("request_id", Named::RequestId),
    ("request_length", Named::RequestLength),
    ("request_method", Named::RequestMethod),
    ("request_time", Named::RequestTime),
    ("request_uri", Named::RequestUri),
    ("scheme", Named::Scheme),
    ("server_addr", Named::ServerAddr),
    ("server_name", Named::ServerName),
    ("server_port", Named::ServerPort),
    ("server_protocol", Named::ServerProtocol),
    ("status", Named::Status),
    ("time_iso8601", Named::TimeIso8601),
    ("time_local", Named::TimeLocal),
    ("upstream_addr", Named::UpstreamAddr),
    ("upstream_bytes_received", Named::UpstreamBytesReceived),
    ("upstream_bytes_sent", Named::UpstreamBytesSent),
    ("upstream_connect_time", Named::UpstreamConnectTime),
    ("upstream_header_time", Named::UpstreamHeaderTime),
    ("upstream_response_length", Named::UpstreamResponseLength),
    ("upstream_response_time", Named::UpstreamResponseTime),
    ("upstream_status", Named::UpstreamStatus),
    ("uri", Named::Uri),
];

/// The families of variables whose names end with what they ask for.
const FAMILIES: [&str; 5] = ["http_", "sent_http_", "upstream_http_", "arg_", "cookie_"];

/// Variables of nginx that have no value here: worth another word than a misspelt name.
const KNOWN_TO_NGINX: &[&str] = &[
    "ancient_browser",
    "connection_time",
    "connections_active",
    "connections_reading",
    "connections_waiting",
    "connections_writing",
    "date_gmt",
    "date_local",
    "document_root",
    "fastcgi_path_info",
    "fastcgi_script_name",
    "gzip_ratio",
    "http2",
    "http3",
    "https",
    "invalid_referer",
    "is_request_port",
    "limit_conn_status",
    "limit_rate",
    "limit_req_status",
    "memcached_key",
    "modern_browser",
    "msie",
    "proxy_internal_body_length",
    "proxy_protocol_addr",
    "proxy_protocol_port",
    "proxy_protocol_server_addr",
    "proxy_protocol_server_port",
    "proxy_protocol_tlv",
    "realip_remote_addr",
    "realip_remote_port",
    "realpath_root",
    "request_body",
    "request_body_file",
    "request_filename",
    "request_port",
    "secure_link",
    "secure_link_expires",
    "slice_range",
    "tcpinfo_rcv_space",
    "tcpinfo_rtt",
    "tcpinfo_rttvar",
    "tcpinfo_snd_cwnd",
    "uid_got",
    "uid_reset",
    "uid_set",
    "upstream_cache_age",
    "upstream_cache_key",
    "upstream_cache_last_modified",
    "upstream_cache_status",
    "upstream_first_byte_time",
    "upstream_last_server_name",
    "upstream_queue_time",
    "upstream_session_time",
];

/// The names of all variables, families as `http_NAME`; for the reference.
pub(super) fn variable_names() -> impl Iterator<Item = String> {
    let families = FAMILIES.iter().map(|family| format!("{family}NAME"));
    NAMED.iter().map(|(name, _)| (*name).to_owned()).chain(families)
}

/// Why a string could not be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A dollar that no name follows.
    #[error("invalid variable name")]
    InvalidName,
    /// `${name` without its end.
    #[error("the closing bracket in \"{0}\" variable is missing")]
    Unclosed(String),
    /// A name that stands for nothing.
    #[error("unknown \"{name}\" variable")]
    Unknown {
        /// The name, without the dollar.
        name: String,
        /// What may have been meant.
        hint: Option<String>,
    },
}

impl TemplateError {
    /// What would help, if there is anything to say beyond the message.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::InvalidName | Self::Unclosed(_) => None,
            Self::Unknown { hint, .. } => hint.as_deref(),
        }
    }
}

impl Template {
    /// Compiles a string as nginx reads it: `$name` takes all letters, digits and underscores that follow,
    /// `${name}` ends where it says, and there is no way to write a plain dollar.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            push_literal(&mut parts, &rest[..dollar]);
            let (name, after) = split_name(&rest[dollar + 1..])?;
            parts.push(Part::Variable(variable(name)?));
            rest = after;
        }
        push_literal(&mut parts, rest);
        Ok(Self { parts })
    }

    /// A string without variables.
    pub fn literal(text: &str) -> Self {
        let mut parts = Vec::new();
        push_literal(&mut parts, text);
        Self { parts }
    }

    /// The value of one variable.
    pub fn variable(variable: Variable) -> Self {
        Self { parts: vec![Part::Variable(variable)] }
    }

    /// This, then that.
    pub fn followed_by(mut self, mut next: Self) -> Self {
        self.parts.append(&mut next.parts);
        self
    }

    /// The same with those variables replaced whose value `known` has: what is left is what a request decides.
    pub fn with_known(&self, known: impl Fn(&Variable) -> Option<String>) -> Self {
        let mut parts = Vec::with_capacity(self.parts.len());
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(variable) => match known(variable) {
                    Some(value) => text.push_str(&value),
                    None => {
                        push_literal(&mut parts, &text);
                        text.clear();
                        parts.push(part.clone());
                    }
                },
            }
        }
        push_literal(&mut parts, &text);
        Self { parts }
    }

    /// The variables that it needs, in order, each as often as it stands there.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Variable(variable) => Some(variable),
        })
    }

    /// The whole string, if it has no variables.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it is empty whatever the request.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Appends the string for one request; variables without a value leave nothing.
    pub fn render(&self, values: &dyn Values, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => {
                    values.write(variable, out);
                }
            }
        }
    }

    /// Appends the string as a log line: values escaped, missing ones marked. The format's own text stays as it is.
    pub fn render_log(&self, values: &dyn Values, escape: Escape, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => {
                    let start = out.len();
                    let known = values.write(variable, out);
                    match escape {
                        Escape::Default if !known => out.push(b'-'),
                        Escape::Default => escape_from(out, start, needs_hex, write_hex),
                        Escape::Json => escape_from(out, start, needs_json, write_json),
                        Escape::None => {}
                    }
                }
            }
        }
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Literal(text.into()));
    }
}

/// The name after a dollar, and what follows it.
fn split_name(text: &str) -> Result<(&str, &str), TemplateError> {
    let (braced, text) = match text.strip_prefix('{') {
        Some(inside) => (true, inside),
        None => (false, text),
    };
    // nginx takes one digit for a capture, whatever follows.
    let end = match text.bytes().next() {
        Some(b'1'..=b'9') => 1,
        _ => text
            .bytes()
            .position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'))
            .unwrap_or(text.len()),
    };
    let (name, after) = text.split_at(end);
    if braced {
        let Some(after) = after.strip_prefix('}') else {
            return Err(TemplateError::Unclosed(name.to_owned()));
        };
        return if name.is_empty() { Err(TemplateError::InvalidName) } else { Ok((name, after)) };
    }
    if name.is_empty() { Err(TemplateError::InvalidName) } else { Ok((name, after)) }
}

/// nginx compares variable names in lower case.
fn variable(written: &str) -> Result<Variable, TemplateError> {
    let name = written.to_ascii_lowercase();
    if let Ok(index) = NAMED.binary_search_by_key(&name.as_str(), |(known, _)| known) {
        return Ok(Variable::Named(NAMED[index].1));
    }
    let header = |part: &str| HeaderName::from_bytes(part.replace('_', "-").as_bytes()).ok();
    let found = if let Some(part) = name.strip_prefix("http_") {
        header(part).map(Variable::RequestHeader)
    } else if let Some(part) = name.strip_prefix("sent_http_") {
        header(part).map(Variable::SentHeader)
    } else if let Some(part) = name.strip_prefix("upstream_http_") {
        header(part).map(Variable::UpstreamHeader)
    } else if let Some(part) = name.strip_prefix("arg_") {
        (!part.is_empty()).then(|| Variable::Argument(part.into()))
    } else if let Some(part) = name.strip_prefix("cookie_") {
        (!part.is_empty()).then(|| Variable::Cookie(part.into()))
    } else {
        None
    };
    found.ok_or_else(|| TemplateError::Unknown { name: written.to_owned(), hint: hint(&name) })
}

fn hint(name: &str) -> Option<String> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some("captures of regular expressions have no variables here".to_owned());
    }
    let families_of_nginx =
        ["ssl_", "sent_trailer_", "upstream_trailer_", "upstream_cookie_", "geoip_", "jwt_"];
    if KNOWN_TO_NGINX.contains(&name) || families_of_nginx.iter().any(|family| name.starts_with(family)) {
        return Some("nginx has it, lb has not".to_owned());
    }
    let nearest = super::table::suggestions::nearest(name, NAMED.iter().map(|(known, _)| *known))?;
    Some(format!("did you mean \"${nearest}\"?"))
}

/// Escapes what was appended since `start`; the common value needs none and is left where it is.
fn escape_from(
    out: &mut Vec<u8>,
    start: usize,
    needs: impl Fn(u8) -> bool,
    write: impl Fn(u8, &mut Vec<u8>),
) {
    let Some(first) = out[start..].iter().position(|&byte| needs(byte)) else { return };
    let raw = out.split_off(start + first);
    for byte in raw {
        if needs(byte) { write(byte, out) } else { out.push(byte) }
    }
}

const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

fn needs_hex(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=31 | 127..)
}

fn write_hex(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\x");
    push_hex_digits(byte, out);
}

fn needs_json(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=31)
}

fn write_json(byte: u8, out: &mut Vec<u8>) {
    out.push(b'\\');
    match byte {
        b'"' | b'\\' => out.push(byte),
        b'\n' => out.push(b'n'),
        b'\r' => out.push(b'r'),
        b'\t' => out.push(b't'),
        0x08 => out.push(b'b'),
        0x0c => out.push(b'f'),
        _ => {
            out.extend_from_slice(b"u00");
            push_hex_digits(byte, out);
        }
    }
}

fn push_hex_digits(byte: u8, out: &mut Vec<u8>) {
    out.push(HEX_DIGITS[usize::from(byte >> 4)]);
    out.push(HEX_DIGITS[usize::from(byte & 15)]);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Knows `$host`, an empty `$args`, and any request header as a hostile string.
    struct Fixed;

    impl Values for Fixed {
        fn write(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
            match variable {
                Variable::Named(Named::Host) => out.extend_from_slice(b"example.org"),
                Variable::Named(Named::Args) => {}
                Variable::RequestHeader(_) => out.extend_from_slice(b"a\"\\\n\x01\x7f\xc3\xa9"),
                _ => return false,
            }
            true
        }
    }

    fn rendered(text: &str) -> String {
        let mut out = Vec::new();
        Template::compile(text).unwrap().render(&Fixed, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn logged(text: &str, escape: Escape) -> Vec<u8> {
        let mut out = b"before ".to_vec();
        Template::compile(text).unwrap().render_log(&Fixed, escape, &mut out);
        out.split_off(7)
    }

    #[test]
    fn the_table_of_names_is_sorted() {
        assert!(NAMED.is_sorted_by_key(|(name, _)| *name), "binary search needs it");
    }

    #[test]
    fn names_end_where_nginx_ends_them() {
        assert_eq!(rendered("http://$host:80/"), "http://example.org:80/");
        assert_eq!(rendered("${host}name"), "example.orgname");
        assert_eq!(rendered("[$args$host-$status]"), "[example.org-]");
        assert_eq!(rendered("plain {} text"), "plain {} text");
        assert_eq!(rendered("$HOST"), "example.org");
    }

    #[test]
    fn families_carry_their_name() {
        let one = |text: &str| Template::compile(text).unwrap().variables().next().cloned().unwrap();
        let header = |name: &'static str| HeaderName::from_static(name);
        assert_eq!(one("$http_x_forwarded_for"), Variable::RequestHeader(header("x-forwarded-for")));
        assert_eq!(one("$sent_http_etag"), Variable::SentHeader(header("etag")));
        assert_eq!(one("$upstream_http_x_a"), Variable::UpstreamHeader(header("x-a")));
        assert_eq!(one("$arg_page"), Variable::Argument("page".into()));
        assert_eq!(one("$cookie_session"), Variable::Cookie("session".into()));
    }

    #[test]
    fn what_is_not_a_variable_is_said() {
        let error = |text: &str| Template::compile(text).unwrap_err();
        assert_eq!(error("$"), TemplateError::InvalidName);
        assert_eq!(error("100$ net"), TemplateError::InvalidName);
        assert_eq!(error("${}"), TemplateError::InvalidName);
        assert_eq!(error("${host"), TemplateError::Unclosed("host".into()));
        assert_eq!(error("${host-x}").to_string(), "the closing bracket in \"host\" variable is missing");
        assert_eq!(error("$nope").to_string(), "unknown \"nope\" variable");
        assert_eq!(error("$remote_adr").hint(), Some("did you mean \"$remote_addr\"?"));
        assert_eq!(error("$ssl_protocol").hint(), Some("nginx has it, lb has not"));
        assert_eq!(error("$12").to_string(), "unknown \"1\" variable");
        assert_eq!(error("$http_").to_string(), "unknown \"http_\" variable");
    }

    #[test]
    fn constant_strings_are_known_as_such() {
        assert_eq!(Template::compile("x y").unwrap().as_literal(), Some("x y"));
        assert_eq!(Template::compile("").unwrap().as_literal(), Some(""));
        assert!(Template::compile("").unwrap().is_empty());
        assert_eq!(Template::compile("x$host").unwrap().as_literal(), None);
        assert_eq!(Template::literal("$host").as_literal(), Some("$host"));
    }

    #[test]
    fn what_is_known_becomes_part_of_the_text() {
        let known = |variable: &Variable| match variable {
            Variable::Named(Named::ProxyHost) => Some("group".to_owned()),
            Variable::Named(Named::ProxyPort) => Some("80".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("", ""),
            ("$proxy_host", "group"),
            ("a $proxy_host:$proxy_port b", "a group:80 b"),
            ("$host$proxy_host", "${host}group"),
            ("$proxy_host$proxy_port$host.", "group80$host."),
        ] {
            let filled = Template::compile(text).unwrap().with_known(known);
            assert_eq!(filled, Template::compile(expected).unwrap(), "{text}");
        }
    }

    #[test]
    fn log_lines_escape_values_and_not_the_format() {
        let text = "\"$host\" [$args] $status $http_x";
        assert_eq!(
            String::from_utf8(logged(text, Escape::Default)).unwrap(),
            r#""example.org" [] - a\x22\x5C\x0A\x01\x7F\xC3\xA9"#
        );
        assert_eq!(
            String::from_utf8(logged(text, Escape::Json)).unwrap(),
            "\"example.org\" []  a\\\"\\\\\\n\\u0001\u{7f}é"
        );
        assert_eq!(logged("$http_x", Escape::None), b"a\"\\\n\x01\x7f\xc3\xa9");
    }
}
