//! What a request to a server is made of: `proxy_method`, `proxy_set_body`, `proxy_http_version`, `proxy_bind`.

use std::net::{IpAddr, SocketAddr};

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, one, words};
use crate::script::Template;

/// A string with variables.
pub(super) struct Text;

impl Argument for Text {
    type Value = Template;

    const ARGUMENTS: Arguments = one("string");

    fn read(into: &mut Option<Template>, directive: &Directive, report: &mut Report) {
        *into = report.template(directive, 0);
    }

    /// No default has one.
    fn print(_: &Template) -> String {
        String::new()
    }
}

/// `proxy_http_version`: whether it is 1.0.
pub(super) struct HttpVersion;

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
