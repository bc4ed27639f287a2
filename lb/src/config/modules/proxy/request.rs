//! What a request to a server is made of: `proxy_method`, `proxy_set_body`, `proxy_http_version`, `proxy_bind`.

use std::net::{IpAddr, SocketAddr};

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, one, words};
use crate::script::Template;

/// `proxy_http_version`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0: a connection for each request.
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl Argument for HttpVersion {
    type Value = Self;

    const ARGUMENTS: Arguments = one("1.0 | 1.1 | 2");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let versions = [Self::Http10, Self::Http11, Self::Http2];
        let written = directive.argument(0);
        match versions.into_iter().find(|version| Self::print(version) == written) {
            Some(version) => *into = Some(version),
            None => report.emerg_hint(
                format!("invalid value \"{written}\""),
                &directive.argument_position(0),
                "\"proxy_http_version\" accepts 1.0, 1.1 and 2",
            ),
        }
    }

    fn print(value: &Self) -> String {
        match value {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
        .to_owned()
    }
}

/// `proxy_bind`: the address that connections to servers come from.
#[derive(Debug, Clone)]
pub enum BindAddress {
    /// Always this.
    Fixed(SocketAddr),
    /// One for each request; where it renders to no address, the system chooses.
    PerRequest(Template),
}

impl BindAddress {
    /// Reads `address[:port]`.
    pub fn parse(text: &str) -> Option<SocketAddr> {
        let ip = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        text.parse().ok().or_else(|| Some(SocketAddr::new(ip.parse::<IpAddr>().ok()?, 0)))
    }
}

/// Reads `proxy_bind`; nothing is `off`.
pub(super) struct Bind;

impl Argument for Bind {
    type Value = Option<BindAddress>;

    const ARGUMENTS: Arguments = words(1, 2, "address | off");

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        match directive.arguments.get(1).map(|word| word.text.as_str()) {
            None if directive.argument(0) == "off" => {
                *into = Some(None);
                return;
            }
            None => {}
            Some("transparent") => {
                report.unsupported(
                    directive,
                    1,
                    "an address that is not this machine's needs root and routing",
                );
                return;
            }
            Some(_) => {
                report.invalid_parameter(directive, 1, "an address or \"off\"");
                return;
            }
        }
        let Some(template) = report.template(directive, 0) else { return };
        match template.as_literal() {
            None => *into = Some(Some(BindAddress::PerRequest(template))),
            Some(text) => match BindAddress::parse(text) {
                Some(address) => *into = Some(Some(BindAddress::Fixed(address))),
                None => report.emerg_hint(
                    format!("invalid address \"{text}\""),
                    &directive.argument_position(0),
                    "\"proxy_bind\" accepts an IP address, with a port if need be, and \"off\"",
                ),
            },
        }
    }

    fn print(_: &Self::Value) -> String {
        "off".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::BindAddress;

    #[test]
    fn an_address_may_have_a_port() {
        for (text, address) in [
            ("127.0.0.1", Some("127.0.0.1:0")),
            ("127.0.0.1:80", Some("127.0.0.1:80")),
            ("[::1]", Some("[::1]:0")),
            ("::1", Some("[::1]:0")),
            ("[::1]:80", Some("[::1]:80")),
            ("localhost", None),
            ("unix:/x", None),
            ("", None),
        ] {
            assert_eq!(BindAddress::parse(text), address.map(|address| address.parse().unwrap()), "{text}");
        }
    }
}
