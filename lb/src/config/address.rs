//! Addresses as nginx reads them: `80`, `*:80`, `[::1]:8080`, `backend:5000/uri`, `unix:/path`.
//!
//! nginx looks names up while it reads; here a name stays a name, and whoever needs its addresses asks DNS then.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::values;

/// The longest path that fits the socket address of a Unix domain socket on Linux, less its final zero.
const UNIX_PATH_MAX: usize = 107;

/// nginx's port for a `listen` that names none.
const DEFAULT_LISTEN_PORT: u16 = 80;

/// A listening address as the operating system takes it. Two `listen` lines are the same listener when these are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// TCP.
    Inet(SocketAddr),
    /// A Unix domain socket.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Where an upstream server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServerAddress {
    /// An address that needs no look-up.
    Inet(SocketAddr),
    /// A host name and a port: looked up once at start, or followed with `resolve`.
    Name {
        /// Host name.
        host: String,
        /// Port; 80 when not written.
        port: u16,
    },
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// An address with what was said of its port and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: ServerAddress,
    /// The host as written, brackets included; empty for a Unix domain socket.
    pub(super) host: String,
    /// The port, when one was written.
    pub(super) port: Option<u16>,
    /// What follows the address, from its `/` or `?` on.
    pub(super) uri: String,
}

/// Reads a server's address; `default_port` stands where none is written. Errors are nginx's words.
pub(super) fn target(text: &str, default_port: u16) -> Result<Target, &'static str> {
    if let Some(path) = strip_unix(text) {
        let (path, uri) = path.split_once(':').unwrap_or((path, ""));
        let address = ServerAddress::Unix(unix_path(path)?);
        return Ok(Target { address, host: String::new(), port: None, uri: uri.to_owned() });
    }
    let end = text.find(['/', '?']).unwrap_or(text.len());
    let (authority, uri) = text.split_at(end);
    let (host, written_port) = split_port(authority)?;
    let port = written_port.map(port_number).transpose()?;
    if host.is_empty() {
        return Err("no host");
    }
    let port_or_default = port.unwrap_or(default_port);
    let address = match ip(host)? {
        Some(address) => ServerAddress::Inet(SocketAddr::new(address, port_or_default)),
        None => ServerAddress::Name { host: host.to_owned(), port: port_or_default },
    };
    // Control characters and blanks can be in no name, and would travel into Host.
    if host.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err("invalid host");
    }
    Ok(Target { address, host: host.to_owned(), port, uri: uri.to_owned() })
}

/// Reads what `listen` takes; a range of ports gives several addresses.
pub(super) fn listen(text: &str) -> Result<Vec<ListenAddress>, &'static str> {
    if let Some(path) = strip_unix(text) {
        return Ok(vec![ListenAddress::Unix(unix_path(path)?)]);
    }
    if text.contains('/') {
        return Err("invalid host");
    }
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && !text.is_empty() {
        return Ok(on_ports(any, port_range(text)?));
    }
    let (host, ports) = split_port(text)?;
    let address = listen_host(host)?;
    let ports = ports.map_or(Ok(DEFAULT_LISTEN_PORT..=DEFAULT_LISTEN_PORT), port_range)?;
    Ok(on_ports(address, ports))
}

fn on_ports(address: IpAddr, ports: RangeInclusive<u16>) -> Vec<ListenAddress> {
    ports.map(|port| ListenAddress::Inet(SocketAddr::new(address, port))).collect()
}

/// Whether a name could be one that DNS knows: letters, digits, `-` and `_` between single dots, and no number at
/// the end, which would be meant as an address. nginx finds out by asking.
pub(super) fn is_host_name(name: &str) -> bool {
    let labels: Vec<&str> = name.strip_suffix('.').unwrap_or(name).split('.').collect();
    let letters = |label: &&str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let number = |label: &&str| label.bytes().all(|byte| byte.is_ascii_digit());
    labels.iter().all(letters) && !labels.last().is_some_and(number)
}

fn listen_host(host: &str) -> Result<IpAddr, &'static str> {
    match host {
        "" => Err("no host"),
        "*" => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => ip(host)?.ok_or("host not found"),
    }
}

fn strip_unix(text: &str) -> Option<&str> {
    let scheme = text.get(..5)?;
    scheme.eq_ignore_ascii_case("unix:").then(|| &text[5..])
}

fn unix_path(path: &str) -> Result<PathBuf, &'static str> {
    if path.is_empty() {
        return Err("no path in the unix domain socket");
    }
    if path.len() > UNIX_PATH_MAX {
        return Err("too long path in the unix domain socket");
    }
    Ok(PathBuf::from(path))
}

/// The host, with its brackets, and the port's text.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or("invalid host")? + 1;
        let (host, rest) = authority.split_at(end);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("invalid host"),
        };
    }
    Ok(match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

/// The address that a host is, or none when it is a name.
fn ip(host: &str) -> Result<Option<IpAddr>, &'static str> {
    if let Some(inside) = host.strip_prefix('[') {
        let text = inside.strip_suffix(']').ok_or("invalid host")?;
        let address: Ipv6Addr = text.parse().map_err(|_| "invalid IPv6 address")?;
        return Ok(Some(IpAddr::V6(address)));
    }
    Ok(host.parse::<Ipv4Addr>().ok().map(IpAddr::V4))
}

fn port_number(text: &str) -> Result<u16, &'static str> {
    values::number(text)
        .and_then(|port| u16::try_from(port).ok())
        .filter(|&port| port > 0)
        .ok_or("invalid port")
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    let Some((first, last)) = text.split_once('-') else {
        let port = port_number(text)?;
        return Ok(port..=port);
    };
    let (first, last) = (port_number(first)?, port_number(last)?);
    if first > last { Err("invalid port range") } else { Ok(first..=last) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn listens(text: &str) -> Result<Vec<String>, &'static str> {
        listen(text).map(|all| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn listen_addresses() {
        let good = [
            ("80", "0.0.0.0:80"),
            ("*:80", "0.0.0.0:80"),
            ("127.0.0.1", "127.0.0.1:80"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::]:80", "[::]:80"),
            ("[::1]", "[::1]:80"),
            ("localhost:1", "127.0.0.1:1"),
            ("unix:/run/lb.sock", "unix:/run/lb.sock"),
        ];
        for (text, expected) in good {
            assert_eq!(listens(text), Ok(vec![expected.to_owned()]), "{text}");
        }
        assert_eq!(
            listens("127.0.0.1:7000-7001"),
            Ok(vec!["127.0.0.1:7000".into(), "127.0.0.1:7001".into()])
        );
        let bad = [
            ("0", "invalid port"),
            ("65536", "invalid port"),
            ("80a", "host not found"),
            ("80-", "invalid port"),
            (":80", "no host"),
            ("", "no host"),
            ("*:", "invalid port"),
            ("[::1", "invalid host"),
            ("[::1]80", "invalid host"),
            ("[xyz]:80", "invalid IPv6 address"),
            ("example.org:80", "host not found"),
            ("1.2.3.4:9-8", "invalid port range"),
            ("1.2.3.4/24", "invalid host"),
            ("unix:", "no path in the unix domain socket"),
        ];
        for (text, expected) in bad {
            assert_eq!(listens(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn names_that_dns_could_know() {
        for name in ["backend", "python-server-1", "a_b.example.org.", "10.example", "localhost", "a1"] {
            assert!(is_host_name(name), "{name}");
        }
        for name in ["", ".", "a..b", "weight=3", "127.0.0.300", "1.2.3", "a b", "é", "a/b", "5001"] {
            assert!(!is_host_name(name), "{name}");
        }
    }

    #[test]
    fn server_addresses() {
        let name = |host: &str, port| ServerAddress::Name { host: host.into(), port };
        assert_eq!(target("backend:5000", 80).unwrap().address, name("backend", 5000));
        assert_eq!(target("backend", 80).unwrap().address, name("backend", 80));
        assert_eq!(target("backend", 80).unwrap().port, None);
        assert_eq!(
            target("10.0.0.1", 80).unwrap().address,
            ServerAddress::Inet("10.0.0.1:80".parse().unwrap())
        );
        assert_eq!(target("[::1]:81", 80).unwrap().address, ServerAddress::Inet("[::1]:81".parse().unwrap()));
        let unix = target("unix:/tmp/a.sock:/uri/", 80).unwrap();
        assert_eq!((unix.address, unix.uri.as_str()), (ServerAddress::Unix("/tmp/a.sock".into()), "/uri/"));
        assert_eq!(target("backend:5000/a?b=c", 80).unwrap().uri, "/a?b=c");
        assert_eq!(target("backend?b=c", 80).unwrap().uri, "?b=c");
        let bad = [
            ("", "no host"),
            (":80", "no host"),
            ("/x", "no host"),
            ("a:0", "invalid port"),
            ("a:b", "invalid port"),
            ("a:99999", "invalid port"),
            ("[::1", "invalid host"),
            ("a b", "invalid host"),
        ];
        for (text, expected) in bad {
            assert_eq!(target(text, 80).unwrap_err(), expected, "{text:?}");
        }
    }
}
