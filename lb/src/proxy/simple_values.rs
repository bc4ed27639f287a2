//! Values that a connection, the process or a header has by itself, and how numbers and times are printed.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, header};
use pingora::http::RequestHeader;
use rustls::pki_types::UnixTime;

use crate::connection::facts::HttpVersion;
use crate::connection::{ClientAddress, ConnectionFacts};
use crate::observe::clock;
use crate::request::credentials;
use crate::script::Named;

/// The name of HTTP/2 as ALPN and `Upgrade` have it; nothing where it is not spoken.
fn http2(connection: &ConnectionFacts) -> &'static [u8] {
    match (connection.http2, connection.tls()) {
        (false, _) => b"",
        (true, None) => b"h2c",
        (true, Some(_)) => b"h2",
    }
}

/// Variables that the connection alone decides.
pub(super) fn connection_value(connection: &ConnectionFacts, named: Named, out: &mut Vec<u8>) -> bool {
    let proxied = connection.proxied.as_deref();
    match (named, connection.local) {
        (Named::Http2, _) => put(http2(connection), out),
        (Named::ServerAddr, Some(address)) => display(out, address.ip()),
        (Named::ServerAddr, None) => display(out, &connection.listener.address),
        (Named::ServerPort, Some(address)) => print(out, u64::from(address.port())),
        (Named::ServerPort, None) => true,
        (Named::Scheme, _) => put(connection.scheme().as_bytes(), out),
        (Named::Https, _) => connection.tls().is_none_or(|_| put(b"on", out)),
        (Named::Tls(variable), _) => {
            connection.tls().is_some_and(|tls| tls.write(variable, UnixTime::now(), out))
        }
        (Named::Connection, _) => print(out, connection.serial),
        (Named::ConnectionsActive, _) => print(out, connection.drain().totals().active),
        (Named::ConnectionsReading, _) => print(out, connection.drain().totals().reading),
        (Named::ConnectionsWriting, _) => print(out, connection.drain().totals().writing),
        (Named::ConnectionsWaiting, _) => print(out, connection.drain().totals().waiting),
        (Named::RealipRemoteAddr, _) => client_value(connection.client, Named::RemoteAddr, out),
        (Named::RealipRemotePort, _) => client_value(connection.client, Named::RemotePort, out),
        (Named::ProxyProtocolAddr, _) => proxied.is_some_and(|proxied| display(out, proxied.source.ip())),
        (Named::ProxyProtocolPort, _) => proxied.is_some_and(|proxied| port(out, proxied.source)),
        (Named::ProxyProtocolServerAddr, _) => {
            proxied.is_some_and(|proxied| display(out, proxied.destination.ip()))
        }
        (Named::ProxyProtocolServerPort, _) => proxied.is_some_and(|proxied| port(out, proxied.destination)),
        _ => false,
    }
}

/// Variables that tell who the client is.
pub(super) fn client_value(client: ClientAddress, named: Named, out: &mut Vec<u8>) -> bool {
    match (named, client) {
        (Named::RemoteAddr, ClientAddress::Inet(address)) => display(out, address.ip()),
        (Named::RemoteAddr | Named::BinaryRemoteAddr, ClientAddress::Unix) => put(b"unix:", out),
        (Named::RemotePort, ClientAddress::Inet(address)) => port(out, address),
        (Named::RemotePort, ClientAddress::Unix) => true,
        (Named::BinaryRemoteAddr, ClientAddress::Inet(address)) => match address.ip() {
            IpAddr::V4(ip) => put(&ip.octets(), out),
            IpAddr::V6(ip) => put(&ip.octets(), out),
        },
        _ => false,
    }
}

/// A port; as in nginx nothing for 0, which stands for none.
fn port(out: &mut Vec<u8>, address: SocketAddr) -> bool {
    address.port() == 0 || print(out, u64::from(address.port()))
}

/// Variables that are the same for every request of the moment.
pub(super) fn process_value(named: Named, out: &mut Vec<u8>) -> bool {
    match named {
        Named::Hostname => put(crate::observe::hostname().as_bytes(), out),
        Named::Pid => print(out, u64::from(std::process::id())),
        Named::Version => put(env!("CARGO_PKG_VERSION").as_bytes(), out),
        // nginx says `p` where the request was read together with the one before it, which nobody keeps here.
        Named::Pipe => put(b".", out),
        Named::TimeLocal => {
            clock::with_text(SystemTime::now(), |text| put(text.time_local().as_bytes(), out))
        }
        Named::DateGmt => put(clock::date(false, clock::DATE).as_bytes(), out),
        Named::DateLocal => put(clock::date(true, clock::DATE).as_bytes(), out),
        Named::TimeIso8601 => {
            clock::with_text(SystemTime::now(), |text| put(text.time_iso8601().as_bytes(), out))
        }
        Named::Msec => seconds(out, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
        _ => false,
    }
}

/// The Host field. The connection loop has made it that of an absolute-form target, where the target was one.
pub(super) fn host_field(request: &RequestHeader) -> Option<&[u8]> {
    request.headers.get(header::HOST).map(|value| value.as_bytes())
}

/// A field's values, joined as nginx joins them; false where the field is absent.
pub(super) fn joined(headers: &HeaderMap, name: &header::HeaderName, out: &mut Vec<u8>) -> bool {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return false };
    out.extend_from_slice(first.as_bytes());
    let separator: &[u8] = if *name == header::COOKIE { b"; " } else { b", " };
    for value in values {
        out.extend_from_slice(separator);
        out.extend_from_slice(value.as_bytes());
    }
    true
}

pub(super) fn put(value: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(value);
    true
}

pub(super) fn print(out: &mut Vec<u8>, number: u64) -> bool {
    display(out, number)
}

pub(super) fn display(out: &mut Vec<u8>, value: impl std::fmt::Display) -> bool {
    write!(out, "{value}").is_ok()
}

/// Seconds with milliseconds, as in nginx's logs.
pub(super) fn seconds(out: &mut Vec<u8>, time: Duration) -> bool {
    write!(out, "{}.{:03}", time.as_secs(), time.subsec_millis()).is_ok()
}

pub(super) fn protocol(version: HttpVersion) -> &'static [u8] {
    match version {
        HttpVersion::Http10 => b"HTTP/1.0",
        HttpVersion::Http2 => b"HTTP/2.0",
        HttpVersion::Http11 => b"HTTP/1.1",
    }
}

/// The value of a cookie in one `Cookie` field.
pub(super) fn cookie<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).find_map(|pair| {
        let value = pair.get(name.len()..)?.strip_prefix(b"=")?;
        pair[..name.len()].eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The user name of HTTP basic authentication.
pub(super) fn remote_user(headers: &HeaderMap) -> Option<Vec<u8>> {
    let field = headers.get(header::AUTHORIZATION)?.as_bytes();
    credentials(&[field]).map(|(user, _)| user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_name() {
        assert_eq!(cookie(b"a=1; session=x=y; c", b"session"), Some(&b"x=y"[..]));
        assert_eq!(cookie(b"asession=1", b"session"), None);
    }

    #[test]
    fn the_user_of_basic_authentication() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".parse().unwrap());
        assert_eq!(remote_user(&headers).as_deref(), Some(&b"Aladdin"[..]));
        for bad in ["Basic", "Basic !!", "Bearer x", "Basic Og=="] {
            headers.insert(header::AUTHORIZATION, bad.parse().unwrap());
            assert_eq!(remote_user(&headers), None, "{bad}");
        }
    }

    #[test]
    fn times_have_three_decimals() {
        let mut out = Vec::new();
        seconds(&mut out, Duration::from_micros(12_345_678));
        assert_eq!(out, b"12.345");
    }

    #[test]
    fn fields_of_one_name_are_joined() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a", "1"), ("x-a", "2"), ("cookie", "a=1"), ("cookie", "b=2")] {
            headers.append(header::HeaderName::from_static(name), value.parse().unwrap());
        }
        let mut out = Vec::new();
        assert!(joined(&headers, &"x-a".parse().unwrap(), &mut out));
        assert!(joined(&headers, &header::COOKIE, &mut out));
        assert_eq!(out, b"1, 2a=1; b=2");
        assert!(!joined(&headers, &"x-b".parse().unwrap(), &mut out));
    }
}
