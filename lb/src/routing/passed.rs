//! The URL of a `proxy_pass` with variables, once they have values: scheme, host, port and URI, or nginx's complaint.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use percent_encoding::percent_encode_byte;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// How the server is spoken to.
    pub scheme: Scheme,
    /// Where the server is.
    pub host: PassedHost,
    /// The port, the scheme's own where none is written; 0 for a Unix socket.
    pub port: u16,
    /// A port was written: what it goes to is no upstream block, which has ports of its own.
    pub port_written: bool,
    /// What is sent in place of the request's own URI; `None` where the URL has no URI.
    pub uri: Option<String>,
}

/// The beginning of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`
    Http,
    /// `https://`
    Https,
    /// `grpc://`, or nothing.
    Grpc,
    /// `grpcs://`
    Grpcs,
}

impl Scheme {
    /// The port that it means where none is written.
    pub fn port(self) -> u16 {
        match self {
            Self::Http | Self::Grpc => 80,
            Self::Https | Self::Grpcs => 443,
        }
    }

    fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc | Self::Grpcs)
    }

    /// Whether it means TLS.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs)
    }
}

/// The host of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassedHost {
    /// A name: of an upstream, or one for DNS.
    Name(String),
    /// An address.
    Address(IpAddr),
    /// `unix:/path:`
    Unix(PathBuf),
}

/// What is wrong with a URL, in nginx's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassedError {
    /// It begins with no scheme that can be spoken.
    #[error("invalid URL prefix in \"{0}\"")]
    Prefix(String),
    /// What follows the scheme names no server.
    #[error("{complaint} in upstream \"{url}\"")]
    Server {
        /// What is wrong.
        complaint: &'static str,
        /// What follows the scheme.
        url: String,
    },
}

impl Passed {
    /// Splits a URL.
    ///
    /// # Errors
    ///
    /// In nginx's words, where it is none.
    pub fn parse(url: &[u8]) -> Result<Self, PassedError> {
        Self::parse_with(url, &[("http://", Scheme::Http), ("https://", Scheme::Https)])
    }

    /// Splits what `grpc_pass` goes to.
    ///
    /// # Errors
    ///
    /// In nginx's words, where it is no address.
    pub fn parse_grpc(url: &[u8]) -> Result<Self, PassedError> {
        let schemes = [("grpc://", Scheme::Grpc), ("grpcs://", Scheme::Grpcs), ("", Scheme::Grpc)];
        let passed = Self::parse_with(url, &schemes)?;
        match passed.uri {
            None => Ok(passed),
            Some(_) => Err(PassedError::Server {
                complaint: "invalid host",
                url: String::from_utf8_lossy(url).into_owned(),
            }),
        }
    }

    fn parse_with(url: &[u8], schemes: &[(&str, Scheme)]) -> Result<Self, PassedError> {
        let shown = || String::from_utf8_lossy(url).into_owned();
        let Ok(text) = std::str::from_utf8(url) else { return Err(PassedError::Prefix(shown())) };
        let scheme = |name: &str| {
            let start = text.get(..name.len())?;
            start.eq_ignore_ascii_case(name).then(|| &text[name.len()..])
        };
        let found = schemes.iter().find_map(|(name, known)| Some((*known, scheme(name)?)));
        let Some((scheme, rest)) = found else { return Err(PassedError::Prefix(shown())) };
        split(scheme, rest).map_err(|complaint| PassedError::Server { complaint, url: rest.to_owned() })
    }

    /// nginx's `$proxy_host`: the host, with the port unless it is the scheme's own; `localhost` for a Unix socket.
    pub fn proxy_host(&self) -> String {
        let host = match &self.host {
            PassedHost::Unix(_) => return "localhost".to_owned(),
            PassedHost::Name(name) => name.clone(),
            PassedHost::Address(IpAddr::V4(ip)) => ip.to_string(),
            PassedHost::Address(IpAddr::V6(ip)) => format!("[{ip}]"),
        };
        if self.port_written && (self.port != self.scheme.port() || self.scheme.is_grpc()) {
            format!("{host}:{}", self.port)
        } else {
            host
        }
    }

    /// The address, where it needs no look-up.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self.host {
            PassedHost::Address(ip) => Some(SocketAddr::new(ip, self.port)),
            PassedHost::Name(_) | PassedHost::Unix(_) => None,
        }
    }
}

fn split(scheme: Scheme, text: &str) -> Result<Passed, &'static str> {
    let unix = text.get(..5).filter(|start| start.eq_ignore_ascii_case("unix:"));
    if unix.is_some() {
        let (path, uri) = text[5..].split_once(':').unwrap_or((&text[5..], ""));
        if path.is_empty() {
            return Err("no path in the unix domain socket");
        }
        let host = PassedHost::Unix(path.into());
        return Ok(Passed { scheme, host, port: 0, port_written: false, uri: uri_of(uri) });
    }
    let end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (authority, uri) = text.split_at(end);
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inside, after) = rest.split_once(']').ok_or("invalid host")?;
            let ip = inside.parse().map_err(|_| "invalid IPv6 address")?;
            let port = match after {
                "" => None,
                after => Some(after.strip_prefix(':').ok_or("invalid port")?),
            };
            (PassedHost::Address(IpAddr::V6(ip)), port)
        }
        None => {
            let (host, port) =
                authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            if host.is_empty() {
                return Err("no host");
            }
            if host.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
                return Err("invalid host");
            }
            match host.parse() {
                Ok(ip) => (PassedHost::Address(IpAddr::V4(ip)), port),
                Err(_) => (PassedHost::Name(host.to_owned()), port),
            }
        }
    };
    let port_written = port.is_some();
    let port = match port {
        None => scheme.port(),
        Some(digits) => number(digits).ok_or("invalid port")?,
    };
    Ok(Passed { scheme, host, port, port_written, uri: uri_of(uri) })
}

fn number(digits: &str) -> Option<u16> {
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| digits.parse().ok()).flatten().filter(|port| *port > 0)
}

/// What is sent; arguments alone need a path before them. White space and `#`, which a group of a decoded path may hold and
/// a request line may not, are escaped.
fn uri_of(uri: &str) -> Option<String> {
    if uri.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(uri.len() + 1);
    if !uri.starts_with('/') {
        out.push('/');
    }
    for character in uri.chars() {
        match u8::try_from(character) {
            Ok(byte) if byte <= b' ' || byte == b'#' || byte == 0x7f => {
                out.push_str(percent_encode_byte(byte))
            }
            _ => out.push(character),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_as_nginx_splits_it() {
        for (url, host, port, uri) in [
            ("http://group", "group", 80, None),
            ("HTTP://a.example:80/x?y", "a.example", 80, Some("/x?y")),
            ("http://a.example:81", "a.example:81", 81, None),
            ("http://10.0.0.1:5001/", "10.0.0.1:5001", 5001, Some("/")),
            ("http://[::1]", "[::1]", 80, None),
            ("http://[::1]:8080/a", "[::1]:8080", 8080, Some("/a")),
            ("http://a?b=c", "a", 80, Some("/?b=c")),
            ("http://a/b c\n\u{e4}#d", "a", 80, Some("/b%20c%0A\u{e4}%23d")),
            ("http://unix:/tmp/a.sock:/u", "localhost", 0, Some("/u")),
            ("http://unix:/tmp/a.sock", "localhost", 0, None),
            ("https://a/", "a", 443, Some("/")),
            ("https://a:80", "a:80", 80, None),
            ("HTTPS://a:443", "a", 443, None),
        ] {
            let passed = Passed::parse(url.as_bytes()).unwrap();
            assert_eq!(
                (passed.proxy_host().as_str(), passed.port, passed.uri.as_deref()),
                (host, port, uri),
                "{url}"
            );
        }
        let address = |url: &str| Passed::parse(url.as_bytes()).unwrap().socket_address();
        assert_eq!(address("http://10.0.0.1"), Some("10.0.0.1:80".parse().unwrap()));
        assert_eq!(address("http://a"), None);
    }

    #[test]
    fn an_address_for_grpc_may_have_a_scheme() {
        for (url, host, scheme, port) in [
            ("group", "group", Scheme::Grpc, 80),
            ("grpc://a:80", "a:80", Scheme::Grpc, 80),
            ("GRPCS://a", "a", Scheme::Grpcs, 443),
        ] {
            let passed = Passed::parse_grpc(url.as_bytes()).unwrap();
            assert_eq!((passed.proxy_host().as_str(), passed.scheme, passed.port), (host, scheme, port));
        }
        for (url, words) in
            [("", "no host in upstream \"\""), ("grpc://a/x", "invalid host in upstream \"grpc://a/x\"")]
        {
            assert_eq!(Passed::parse_grpc(url.as_bytes()).unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn what_is_no_url_is_told_in_nginxs_words() {
        for (url, words) in [
            ("", "invalid URL prefix in \"\""),
            ("group", "invalid URL prefix in \"group\""),
            ("ftp://group", "invalid URL prefix in \"ftp://group\""),
            ("http://", "no host in upstream \"\""),
            ("http:///x", "no host in upstream \"/x\""),
            ("http://a:0", "invalid port in upstream \"a:0\""),
            ("http://a:x/", "invalid port in upstream \"a:x/\""),
            ("http://a b", "invalid host in upstream \"a b\""),
            ("http://[::1", "invalid host in upstream \"[::1\""),
            ("http://unix:", "no path in the unix domain socket in upstream \"unix:\""),
        ] {
            assert_eq!(Passed::parse(url.as_bytes()).unwrap_err().to_string(), words, "{url}");
        }
    }
}
