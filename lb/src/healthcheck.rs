//! `lb healthcheck [URL]`: the client that a container's health check runs.
//!
//! A final image has no curl. This asks once, over plain TCP, within two seconds, and believes only a status of 2xx.
//! It speaks no TLS: what it asks is on the same machine.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use thiserror::Error;

/// Asked when neither a URL nor an admin address is known.
pub const DEFAULT_URL: &str = "http://127.0.0.1:9145/healthz";

/// For everything together. Docker's own default is 30 s, but a balancer that needs two seconds is not healthy.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// `HTTP/1.1 200` and the space after it.
const STATUS_LINE_BYTES: usize = 13;

/// Why the answer to "healthy?" is no.
#[derive(Debug, Error)]
pub enum HealthcheckError {
    /// Not a URL that can be asked.
    #[error("invalid URL \"{0}\": expected http://HOST[:PORT][/PATH]")]
    Url(String),
    /// The host has no address.
    #[error("{host} cannot be resolved: {source}")]
    Resolve {
        /// Host and port.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// No connection.
    #[error("{address} cannot be reached: {source}")]
    Connect {
        /// The address tried last.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No answer, or not in time.
    #[error("no answer from {address}: {source}")]
    Answer {
        /// The address asked.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Something else than HTTP answered.
    #[error("{0} does not answer in HTTP/1")]
    NotHttp(SocketAddr),
    /// It answered that it is not healthy.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked.
        url: String,
        /// The answer.
        status: u16,
    },
}

/// The URL to ask: the one given, else `/healthz` at the admin address; where that is every address, loopback.
pub fn url(given: Option<&str>, admin: Option<SocketAddr>) -> String {
    match (given, admin) {
        (Some(url), _) => url.to_owned(),
        (None, None) => DEFAULT_URL.to_owned(),
        (None, Some(admin)) => {
            let host: IpAddr = match admin.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                ip => ip,
            };
            format!("http://{}/healthz", SocketAddr::new(host, admin.port()))
        }
    }
}

/// Asks `url` and returns the status if it is 2xx. Blocks, at most `timeout` (a host name's resolution not counted).
pub fn ask(url: &str, timeout: Duration) -> Result<u16, HealthcheckError> {
    let target = Target::parse(url).ok_or_else(|| HealthcheckError::Url(url.to_owned()))?;
    let (mut stream, address, deadline) = connect(&target.host_and_port(), timeout)?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: lb-healthcheck/{}\r\nConnection: close\r\n\r\n",
        target.path,
        target.authority,
        crate::build_info::VERSION
    );
    let head = exchange(&mut stream, request.as_bytes(), deadline)
        .map_err(|source| HealthcheckError::Answer { address, source })?;
    match status(&head) {
        Some(status @ 200..=299) => Ok(status),
        Some(status) => Err(HealthcheckError::Status { url: url.to_owned(), status }),
        None => Err(HealthcheckError::NotHttp(address)),
    }
}

/// What is asked: an `http` URL, checked.
#[derive(Debug)]
struct Target {
    authority: Authority,
    path: PathAndQuery,
}

impl Target {
    fn parse(url: &str) -> Option<Self> {
        let uri = url.parse::<Uri>().ok().filter(|uri| uri.scheme() == Some(&Scheme::HTTP))?;
        let Parts { authority: Some(authority), path_and_query: Some(path), .. } = uri.into_parts() else {
            return None;
        };
        // User names, ports beyond 65535 and a query without a path pass as parts of a URI.
        let port_bytes = authority.port().map_or(0, |port| 1 + port.as_str().len());
        let plain = authority.host().len() + port_bytes == authority.as_str().len();
        let plain = plain && !authority.host().is_empty() && path.as_str().starts_with('/');
        plain.then_some(Self { authority, path })
    }

    /// As the resolver takes it.
    fn host_and_port(&self) -> String {
        format!("{}:{}", self.authority.host(), self.authority.port_u16().unwrap_or(80))
    }
}

fn connect(host: &str, timeout: Duration) -> Result<(TcpStream, SocketAddr, Instant), HealthcheckError> {
    let resolve_error = |source| HealthcheckError::Resolve { host: host.to_owned(), source };
    let addresses = host.to_socket_addrs().map_err(resolve_error)?;
    // After the look-up, which has a time limit of its own that nobody can change.
    let deadline = Instant::now() + timeout;
    let mut last_error = resolve_error(io::ErrorKind::NotFound.into());
    for address in addresses {
        let tried = left_until(deadline).and_then(|left| TcpStream::connect_timeout(&address, left));
        match tried {
            Ok(stream) => return Ok((stream, address, deadline)),
            Err(source) => last_error = HealthcheckError::Connect { address, source },
        }
    }
    Err(last_error)
}

/// Sends `request` and returns the first bytes of the answer, enough for its status.
fn exchange(stream: &mut TcpStream, request: &[u8], deadline: Instant) -> io::Result<Vec<u8>> {
    stream.set_write_timeout(Some(left_until(deadline)?))?;
    stream.write_all(request)?;
    let mut head = Vec::new();
    let mut buffer = [0; 512];
    while head.len() < STATUS_LINE_BYTES {
        stream.set_read_timeout(Some(left_until(deadline)?))?;
        let count = match stream.read(&mut buffer) {
            Ok(0) if head.is_empty() => return Err(io::Error::other("connection closed")),
            Ok(0) => break,
            Ok(count) => count,
            // What Linux says when the time is up.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(timed_out()),
            Err(error) => return Err(error),
        };
        head.extend_from_slice(&buffer[..count]);
    }
    Ok(head)
}

fn left_until(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(timed_out()) } else { Ok(left) }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "timed out")
}

/// The status of an answer that begins with `head`.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.0 ").or_else(|| head.strip_prefix(b"HTTP/1.1 "))?;
    let (digits, rest) = rest.split_at_checked(3)?;
    let ends = matches!(rest.first(), None | Some(b' ' | b'\r'));
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (ends && digits.iter().all(u8::is_ascii_digit)).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_address_makes_the_url() {
        let admin = |text: &str| Some(text.parse().unwrap());
        for (given, admin, expected) in [
            (None, None, DEFAULT_URL),
            (Some("http://h/x"), admin("0.0.0.0:1"), "http://h/x"),
            (None, admin("0.0.0.0:9145"), "http://127.0.0.1:9145/healthz"),
            (None, admin("[::]:9145"), "http://[::1]:9145/healthz"),
            (None, admin("10.0.0.1:80"), "http://10.0.0.1:80/healthz"),
        ] {
            assert_eq!(url(given, admin), expected);
        }
    }

    #[test]
    fn a_url_gives_host_port_and_path() {
        for (url, expected) in [
            ("http://h", Some(("h", "h:80", "/"))),
            ("http://h/", Some(("h", "h:80", "/"))),
            ("http://h:81/a?b#c", Some(("h:81", "h:81", "/a?b"))),
            ("http://[::1]:81/a:1", Some(("[::1]:81", "[::1]:81", "/a:1"))),
            ("http://[::1]/", Some(("[::1]", "[::1]:80", "/"))),
            ("http://h?b", None),
            ("http://h:/", None),
            ("https://h/", None),
            ("h:81", None),
            ("http://", None),
            ("http://:81/", None),
            ("http://h:x/", None),
            ("http://h:70000/", None),
            ("http://user@h/", None),
            ("http://h/a b", None),
            ("http://h/\r\nX: y", None),
        ] {
            let target = Target::parse(url);
            let parts = target.as_ref().map(|target| (target.authority.as_str(), target.path.as_str()));
            assert_eq!(parts, expected.map(|(authority, _, path)| (authority, path)), "{url:?}");
            let host_and_port = target.map(|target| target.host_and_port());
            assert_eq!(
                host_and_port.as_deref(),
                expected.map(|(_, host_and_port, _)| host_and_port),
                "{url:?}"
            );
        }
    }

    #[test]
    fn only_a_status_line_has_a_status() {
        for (head, expected) in [
            (&b"HTTP/1.1 200 OK\r\n"[..], Some(200)),
            (b"HTTP/1.0 503\r\n", Some(503)),
            (b"HTTP/1.1 200", Some(200)),
            (b"HTTP/1.1 20", None),
            (b"HTTP/1.1 2000 ", None),
            (b"HTTP/1.1 +20 ", None),
            (b"SSH-2.0-x\r\n", None),
            (b"", None),
        ] {
            assert_eq!(status(head), expected, "{:?}", String::from_utf8_lossy(head));
        }
    }
}
