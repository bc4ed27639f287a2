//! `backend healthcheck`: one plain HTTP request, for the `HEALTHCHECK` of an image that holds no other program.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use actix_web::http::Uri;
use actix_web::http::uri::{Authority, Parts, PathAndQuery, Scheme};
use thiserror::Error;

/// For connecting to one address, and for each read and write: a server that needs longer is not healthy.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A status line is short; what is longer comes from something else than an HTTP server.
const MAX_STATUS_LINE: u64 = 1024;

/// Why a server counts as unhealthy.
#[derive(Debug, Error)]
pub(crate) enum HealthError {
    #[error("{0:?} cannot be asked: expected http://HOST[:PORT][/PATH]")]
    Url(String),
    #[error("failed to ask {url}: {error}")]
    Io { url: String, error: io::Error },
    #[error("{url} answered {line:?} instead of a status of 200 to 299")]
    Status { url: String, line: String },
}

/// Asks `url` once.
///
/// # Errors
/// If the answer is not a 2xx, or there is none.
pub(crate) fn run(url: &str) -> Result<(), HealthError> {
    let target = Target::parse(url).ok_or_else(|| HealthError::Url(url.to_owned()))?;
    let line = target.ask().map_err(|error| HealthError::Io { url: url.to_owned(), error })?;
    if is_success(&line) { Ok(()) } else { Err(HealthError::Status { url: url.to_owned(), line }) }
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

    /// Returns the answer's first line.
    fn ask(&self) -> io::Result<String> {
        let mut stream = self.connect()?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let Self { authority, path } = self;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: backend-healthcheck\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut line = String::new();
        BufReader::new(io::Read::take(stream, MAX_STATUS_LINE)).read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Tries each address of the host in turn.
    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in self.host_and_port().to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn is_success(status_line: &str) -> bool {
    let mut words = status_line.split(' ');
    words.next().is_some_and(|version| version.starts_with("HTTP/1."))
        && words.next().is_some_and(|status| status.len() == 3 && status.starts_with('2'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, authority, host_and_port, path) in [
            ("http://localhost", "localhost", "localhost:80", "/"),
            ("http://localhost:5000", "localhost:5000", "localhost:5000", "/"),
            ("http://127.0.0.1:5000/health", "127.0.0.1:5000", "127.0.0.1:5000", "/health"),
            ("http://[::1]:5000/a?b=c/d", "[::1]:5000", "[::1]:5000", "/a?b=c/d"),
            ("http://[::1]/", "[::1]", "[::1]:80", "/"),
        ] {
            let target = Target::parse(url).unwrap();
            let parts = (target.authority.as_str(), target.host_and_port(), target.path.as_str());
            assert_eq!(parts, (authority, host_and_port.to_owned(), path), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "localhost:5000",
            "https://localhost/",
            "http://",
            "http:///health",
            "http://:80/",
            "http://a:port/",
            "http://a:65536/",
            "http://[::1/",
            "http://user@a/",
            "http://a?b",
            "http://[::1]80/",
            "http://a/b c",
            "http://a/\r\nX: y",
        ] {
            assert!(Target::parse(url).is_none(), "{url}");
        }
    }

    #[test]
    fn only_2xx_is_healthy() {
        for (line, healthy) in [
            ("HTTP/1.1 200 OK", true),
            ("HTTP/1.0 204", true),
            ("HTTP/1.1 302 Found", false),
            ("HTTP/1.1 503 Service Unavailable", false),
            ("HTTP/1.1 2000 OK", false),
            ("SSH-2.0-OpenSSH", false),
            ("", false),
        ] {
            assert_eq!(is_success(line), healthy, "{line}");
        }
    }
}
