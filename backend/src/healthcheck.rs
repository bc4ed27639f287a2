//! `backend healthcheck`: one plain HTTP request, for the `HEALTHCHECK` of an image that holds no other program.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

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

#[derive(Debug, PartialEq, Eq)]
struct Target<'a> {
    /// As it stands in the URL; also the Host header.
    authority: &'a str,
    /// Brackets removed.
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Target<'a> {
    fn parse(url: &'a str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']')?;
                (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let clean = |text: &str| !text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
        if host.is_empty() || !clean(authority) || !clean(path) {
            return None;
        }
        Some(Self { authority, host, port: port.map_or(Some(80), |port| port.parse().ok())?, path })
    }

    /// Returns the answer's first line.
    fn ask(&self) -> io::Result<String> {
        let mut stream = self.connect()?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let Self { authority, path, .. } = self;
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
        for address in (self.host, self.port).to_socket_addrs()? {
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
        for (url, authority, host, port, path) in [
            ("http://localhost", "localhost", "localhost", 80, "/"),
            ("http://localhost:5000", "localhost:5000", "localhost", 5000, "/"),
            ("http://127.0.0.1:5000/health", "127.0.0.1:5000", "127.0.0.1", 5000, "/health"),
            ("http://[::1]:5000/a?b=c/d", "[::1]:5000", "::1", 5000, "/a?b=c/d"),
            ("http://[::1]/", "[::1]", "::1", 80, "/"),
        ] {
            assert_eq!(Target::parse(url), Some(Target { authority, host, port, path }), "{url}");
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
            "http://[::1]80/",
            "http://a/b c",
            "http://a/\r\nX: y",
        ] {
            assert_eq!(Target::parse(url), None, "{url}");
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
