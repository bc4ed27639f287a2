//! `geo`: a value for each address of a client.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::networks::{Network, Networks};
use super::variable::Variable;

/// A `geo` block.
#[derive(Debug)]
pub struct Geo {
    source: Option<Variable>,
    values: Networks<Arc<[u8]>>,
    /// Whose `X-Forwarded-For` is believed; `None` without `proxy`.
    proxies: Option<Networks<bool>>,
    recursive: bool,
}

impl Geo {
    /// The values of the addresses that `source` gives, or of the client's own.
    pub fn new(source: Option<Variable>, values: Networks<Arc<[u8]>>) -> Self {
        Self { source, values, proxies: None, recursive: false }
    }

    /// `proxy`: `X-Forwarded-For` is believed when it comes from there. `recursive` believes it address by address, from the
    /// last to the first that is not itself such a proxy.
    pub fn believing(self, proxies: &[Network], recursive: bool) -> Self {
        let believed = proxies.iter().map(|network| (*network, true));
        let proxies = (!proxies.is_empty()).then(|| Networks::new(believed, &false));
        Self { proxies, recursive, ..self }
    }

    /// The variable that holds the address; `None` for the address of the connection.
    pub fn source(&self) -> Option<&Variable> {
        self.source.as_ref()
    }

    /// Whether `X-Forwarded-For` matters.
    pub fn believes_proxies(&self) -> bool {
        self.proxies.is_some()
    }

    /// The address that `X-Forwarded-For` (all of them, joined by commas) names for one that came from `address`.
    pub fn behind_proxies(&self, address: IpAddr, forwarded: &[u8]) -> IpAddr {
        let believed =
            |address| self.proxies.as_ref().is_some_and(|proxies| proxies.find(address) == Some(&true));
        let (mut address, mut rest) = (address, forwarded);
        while believed(address) {
            let end = rest.iter().rposition(|byte| !is_separator(*byte)).map_or(0, |last| last + 1);
            let start = rest[..end].iter().rposition(|byte| is_separator(*byte)).map_or(0, |at| at + 1);
            let Some(named) = with_port(&rest[start..end]) else { break };
            address = named;
            rest = &rest[..start];
            if !self.recursive {
                break;
            }
        }
        address
    }

    /// The value for an address. Where none is known (a Unix socket, a variable that holds none), nginx takes that of
    /// 255.255.255.255.
    pub fn choose(&self, address: Option<IpAddr>) -> &[u8] {
        self.values.find(address.unwrap_or(IpAddr::V4(Ipv4Addr::BROADCAST))).map_or(&[], |value| value)
    }
}

/// Reads an address.
pub fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads an address that may have a port: `1.2.3.4:80`, `[::1]:80`.
fn with_port(text: &[u8]) -> Option<IpAddr> {
    if let Some(address) = address(text) {
        return Some(address);
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return inside.parse().ok().map(IpAddr::V6);
    }
    text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip())
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b',')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap().0
    }

    #[test]
    fn an_unknown_address_is_the_last_one() {
        let value = |text: &str| Arc::<[u8]>::from(text.as_bytes());
        let values = [(network("255.255.255.255"), value("last")), (network("10.0.0.0/8"), value("ten"))];
        let geo = Geo::new(None, Networks::new(values, &value("")));
        assert_eq!(geo.choose(None), b"last");
        assert_eq!(geo.choose(address(b"10.1.1.1")), b"ten");
        assert_eq!(geo.choose(address(b"::ffff:10.1.1.1")), b"ten");
        assert_eq!(geo.choose(address(b"11.1.1.1")), b"");
    }

    #[test]
    fn forwarded_addresses_are_believed_from_proxies_alone() {
        let geo = |recursive| {
            let values = Networks::new(Vec::new(), &Arc::from(&b""[..]));
            Geo::new(None, values).believing(&[network("10.0.0.0/8"), network("::1")], recursive)
        };
        for (from, forwarded, once, recursive) in [
            ("10.0.0.1", "1.1.1.1", "1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "1.1.1.1, 2.2.2.2", "2.2.2.2", "2.2.2.2"),
            ("10.0.0.1", "1.1.1.1, 10.0.0.2", "10.0.0.2", "1.1.1.1"),
            ("::1", "1.1.1.1,10.0.0.2 , 10.0.0.3,", "10.0.0.3", "1.1.1.1"),
            ("10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "1.1.1.1, nonsense", "10.0.0.1", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1", "10.0.0.1"),
            ("9.0.0.1", "1.1.1.1", "9.0.0.1", "9.0.0.1"),
            ("10.0.0.1", "1.1.1.1:80", "1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "[2001:db8::1]:80", "2001:db8::1", "2001:db8::1"),
        ] {
            for (is_recursive, expected) in [(false, once), (true, recursive)] {
                let got = geo(is_recursive).behind_proxies(from.parse().unwrap(), forwarded.as_bytes());
                assert_eq!(got.to_string(), expected, "{from} {forwarded} {is_recursive}");
            }
        }
    }
}
