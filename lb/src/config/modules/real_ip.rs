//! `set_real_ip_from` and its neighbours, nginx's `ngx_http_realip_module`: whom to believe when they say who the client
//! is, and where they say it.

use std::net::IpAddr;
use std::sync::OnceLock;

use http::HeaderName;

use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, Flag, LEVELS, one, settings};
use crate::script::{Network, Networks};

settings! {
    /// Whom to believe when they say who the client is.
    RealIp {
        "set_real_ip_from" in LEVELS,
        trusted: Trusted as Trusted = Trusted::default(),
        "Takes the client's address from a field of the request, or the PROXY protocol header, where the connection comes from this address or network; a name stands for all of its addresses. A level that has any inherits none";

        "real_ip_header" in LEVELS,
        header: RealIpHeader as RealIpHeader = RealIpHeader::XRealIp,
        "Where that address stands";

        "real_ip_recursive" in LEVELS,
        recursive: bool as Flag = false,
        "Whether `X-Forwarded-For` is read on beyond an address that is itself one of `set_real_ip_from`";
    }
}

/// The addresses that are believed.
#[derive(Debug, Clone, Default)]
pub struct Trusted {
    networks: Vec<Network>,
    /// Connections over Unix sockets are.
    pub unix: bool,
    /// The names whose addresses are.
    pub names: Vec<TrustedName>,
    /// All of it for look-ups, once the addresses of the names are known.
    known: OnceLock<Networks<bool>>,
}

/// A name whose addresses are believed.
#[derive(Debug, Clone)]
pub struct TrustedName {
    /// The name.
    pub host: String,
    /// Where it is written.
    pub position: Position,
}

impl Trusted {
    /// Whether nobody is.
    pub fn is_nobody(&self) -> bool {
        self.networks.is_empty() && !self.unix && self.names.is_empty()
    }

    /// Whether an address is one of them.
    pub fn has(&self, address: IpAddr) -> bool {
        self.known().find(address) == Some(&true)
    }

    /// Says which addresses the names have, before the first request; the first word stands.
    pub fn settle(&self, of_names: impl IntoIterator<Item = IpAddr>) {
        let one = |address| match address {
            IpAddr::V4(address) => Network::V4(address.into(), 32),
            IpAddr::V6(address) => Network::V6(address.into(), 128),
        };
        let all = self.networks.iter().copied().chain(of_names.into_iter().map(one));
        let _ = self.known.set(Networks::new(all.map(|network| (network, true)), &false));
    }

    fn known(&self) -> &Networks<bool> {
        self.known.get_or_init(|| Networks::new(self.networks.iter().map(|network| (*network, true)), &false))
    }
}

impl Argument for Trusted {
    type Value = Self;

    const ARGUMENTS: Arguments = one("address | CIDR | name | unix:");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let trusted = into.get_or_insert_default();
        let (text, position) = (directive.argument(0), directive.argument_position(0));
        if text == "unix:" {
            trusted.unix = true;
        } else if let Some((network, has_low_bits)) = Network::parse(text) {
            if has_low_bits {
                report.warn(format!("low address bits of {text} are meaningless"), &position);
            }
            trusted.networks.push(network);
        } else if is_name(text) {
            trusted.names.push(TrustedName { host: text.to_owned(), position });
        } else {
            let hint =
                "\"set_real_ip_from\" accepts 192.0.2.1, 192.0.2.0/24, 2001:db8::/32, a name and unix:";
            report.emerg_hint(format!("host not found in set_real_ip_from \"{text}\""), &position, hint);
        }
    }

    fn print(_: &Self) -> String {
        String::new()
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// Where the client's address stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealIpHeader {
    /// `X-Real-IP`: one address.
    XRealIp,
    /// `X-Forwarded-For`, all of its fields: addresses, the last added last.
    XForwardedFor,
    /// The header of the PROXY protocol.
    ProxyProtocol,
    /// Another field, the first of its name: read as `X-Forwarded-For` is.
    Field(HeaderName),
}

impl Argument for RealIpHeader {
    type Value = Self;

    const ARGUMENTS: Arguments = one("field | X-Real-IP | X-Forwarded-For | proxy_protocol");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        // As in nginx, only the usual spelling of these means all that they can.
        *into = match directive.argument(0) {
            "X-Real-IP" => Some(Self::XRealIp),
            "X-Forwarded-For" => Some(Self::XForwardedFor),
            "proxy_protocol" => Some(Self::ProxyProtocol),
            _ => report.header_name(directive, 0).map(Self::Field),
        };
    }

    fn print(value: &Self) -> String {
        match value {
            Self::XRealIp => "X-Real-IP".to_owned(),
            Self::XForwardedFor => "X-Forwarded-For".to_owned(),
            Self::ProxyProtocol => "proxy_protocol".to_owned(),
            Self::Field(name) => name.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{RealIp, RealIpHeader};
    use crate::config::testing::{accepted, in_http, in_server, refused, warnings};

    fn of_server(text: &str) -> Arc<RealIp> {
        accepted(&in_server(text)).http.servers[0].fallback.settings.real_ip.clone()
    }

    #[test]
    fn who_is_believed() {
        let settings =
            of_server("set_real_ip_from 10.0.0.0/8; set_real_ip_from ::1; set_real_ip_from unix:;");
        for (address, expected) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("11.0.0.1", false),
            ("::1", true),
            ("::2", false),
        ] {
            assert_eq!(settings.trusted.has(address.parse().expect("an address")), expected, "{address}");
        }
        assert!(settings.trusted.unix && !settings.trusted.is_nobody() && !settings.recursive);
        assert!(of_server("").trusted.is_nobody());
    }

    #[test]
    fn the_addresses_of_names_are_told_later() {
        let settings = of_server("set_real_ip_from proxy.example; set_real_ip_from 10.0.0.1;");
        assert_eq!(settings.trusted.names[0].host, "proxy.example");
        let address = |text: &str| text.parse().expect("an address");
        settings.trusted.settle([address("192.0.2.1"), address("2001:db8::1")]);
        assert!(settings.trusted.has(address("192.0.2.1")) && settings.trusted.has(address("10.0.0.1")));
        assert!(settings.trusted.has(address("2001:db8::1")) && !settings.trusted.has(address("192.0.2.2")));
    }

    #[test]
    fn a_level_that_has_any_inherits_none() {
        let text = "set_real_ip_from 10.0.0.1; real_ip_recursive on; server { set_real_ip_from 10.0.0.2; \
                    location / { real_ip_header X-Client; } location /x { set_real_ip_from unix:; } }";
        let config = accepted(&in_http(text));
        let address = |text: &str| text.parse().expect("an address");
        let of = |index: usize| config.http.servers[0].locations[index].settings.real_ip.clone();
        let (first, second) = (of(0), of(1));
        assert!(
            first.recursive
                && first.trusted.has(address("10.0.0.2"))
                && !first.trusted.has(address("10.0.0.1"))
        );
        assert_eq!(first.header, RealIpHeader::Field("x-client".parse().expect("a name")));
        assert!(second.trusted.unix && !second.trusted.has(address("10.0.0.2")));
        assert_eq!(second.header, RealIpHeader::XRealIp);
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("set_real_ip_from 10.0.0.0/33;", "host not found in set_real_ip_from \"10.0.0.0/33\""),
            ("set_real_ip_from [::1];", "host not found in set_real_ip_from \"[::1]\""),
            ("set_real_ip_from 10.0.0.1:80;", "host not found in set_real_ip_from \"10.0.0.1:80\""),
            ("set_real_ip_from;", "invalid number of arguments in \"set_real_ip_from\" directive"),
            ("real_ip_header a; real_ip_header b;", "\"real_ip_header\" directive is duplicate"),
            ("real_ip_header \"a b\";", "\"real_ip_header\" directive invalid value"),
            ("real_ip_recursive maybe;", "invalid value \"maybe\" in \"real_ip_recursive\" directive"),
        ] {
            refused(&in_server(text), message);
        }
        let low_bits = warnings(&in_server("set_real_ip_from 10.0.0.1/8;"));
        assert!(low_bits[0].contains("low address bits of 10.0.0.1/8 are meaningless"));
    }
}
