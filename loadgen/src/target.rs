//! The URL under test: where to connect, and what `Host` and the request line say.
//!
//! Only what a load tester can use is taken; anything else is refused with the reason, so that nobody
//! measures another resource than the one that was typed.

use std::str::FromStr;

use thiserror::Error;

/// What is spoken on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP over TCP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// A URL taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS lies in between.
    pub scheme: Scheme,
    /// Name or address to connect to, without the brackets of an IPv6 address.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
    /// Host and port as typed, for the `Host` header.
    pub authority: String,
    /// Path and query, for the request line.
    pub path: String,
}

/// Why a text is no URL that can be tested.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// Another scheme than http or https.
    #[error("scheme `{0}` is not supported, only http and https are")]
    Scheme(String),
    /// There is no host.
    #[error("it names no host")]
    NoHost,
    /// The host of an https URL can stand in no certificate.
    #[error("`{0}` is not a host name that a certificate could prove; --server-name can give another")]
    Unprovable(String),
    /// A user name or password.
    #[error("user names in URLs are not supported; send --header 'Authorization: …'")]
    UserName,
    /// The port is no number from 1 to 65535.
    #[error("port `{0}` is not a number from 1 to 65535")]
    Port(String),
    /// A character that may not stand in a URL.
    #[error("character {0:?} must be percent-encoded")]
    Character(char),
    /// An IPv6 address without its closing bracket, or with something other than a port behind it.
    #[error("an IPv6 address is written [address]:port")]
    Brackets,
}

impl Scheme {
    fn named(name: &str) -> Option<Self> {
        [("http", Self::Http), ("https", Self::Https)]
            .into_iter()
            .find_map(|(known, scheme)| name.eq_ignore_ascii_case(known).then_some(scheme))
    }

    /// The port where a URL names none.
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    /// Reads `[http[s]://]host[:port][/path][?query]`. A fragment is dropped, as it is never sent.
    fn from_str(url: &str) -> Result<Self, TargetError> {
        let misplaced = |character: &char| {
            !character.is_ascii_graphic()
                || matches!(character, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
        };
        if let Some(character) = url.chars().find(misplaced) {
            return Err(TargetError::Character(character));
        }
        let (scheme, rest) = match url.split_once("://") {
            // `host/path?to=http://elsewhere` has no scheme.
            Some((name, rest)) if !name.contains(['/', '?', '#']) => {
                (Scheme::named(name).ok_or_else(|| TargetError::Scheme(name.to_owned()))?, rest)
            }
            _ => (Scheme::Http, url),
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(TargetError::UserName);
        }

        let (host, port) = split_authority(authority)?;
        if host.is_empty() {
            return Err(TargetError::NoHost);
        }
        let port = match port {
            None => scheme.port(),
            Some(text) => match text.parse() {
                Ok(port @ 1..) if text.bytes().all(|byte| byte.is_ascii_digit()) => port,
                _ => return Err(TargetError::Port(text.to_owned())),
            },
        };
        let path = if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") };
        Ok(Self { scheme, host: host.to_owned(), port, authority: authority.to_owned(), path })
    }
}

/// Host and port as texts.
fn split_authority(authority: &str) -> Result<(&str, Option<&str>), TargetError> {
    let Some(bracketed) = authority.strip_prefix('[') else {
        return match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => Err(TargetError::Brackets),
            Some((host, port)) => Ok((host, Some(port))),
            None => Ok((authority, None)),
        };
    };
    let (host, behind) = bracketed.split_once(']').ok_or(TargetError::Brackets)?;
    match behind.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if behind.is_empty() => Ok((host, None)),
        None => Err(TargetError::Brackets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let table = [
            ("http://localhost:80", "localhost", 80, "localhost:80", "/"),
            ("http://localhost", "localhost", 80, "localhost", "/"),
            ("HTTP://a.test/x/y?z=1#part", "a.test", 80, "a.test", "/x/y?z=1"),
            ("127.0.0.1:8080/health", "127.0.0.1", 8080, "127.0.0.1:8080", "/health"),
            ("http://a?q=http://b", "a", 80, "a", "/?q=http://b"),
            ("http://[::1]:8080/", "::1", 8080, "[::1]:8080", "/"),
            ("http://[::1]", "::1", 80, "[::1]", "/"),
            ("http://a/@b:c", "a", 80, "a", "/@b:c"),
        ];
        for (url, host, port, authority, path) in table {
            let scheme = Scheme::Http;
            let expected =
                Target { scheme, host: host.into(), port, authority: authority.into(), path: path.into() };
            assert_eq!(url.parse(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn the_scheme_decides_on_tls_and_on_the_port() {
        let table = [
            ("https://a", Scheme::Https, 443),
            ("HTTPS://a:80/", Scheme::Https, 80),
            ("http://a:443", Scheme::Http, 443),
            ("a/?to=https://b", Scheme::Http, 80),
        ];
        for (url, scheme, port) in table {
            let target: Target = url.parse().unwrap();
            assert_eq!((target.scheme, target.port, target.host.as_str()), (scheme, port, "a"), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_tested_is_refused_with_the_reason() {
        let table = [
            ("ftp://a", TargetError::Scheme("ftp".into())),
            ("", TargetError::NoHost),
            ("http://", TargetError::NoHost),
            ("http://:80", TargetError::NoHost),
            ("http://me:secret@a", TargetError::UserName),
            ("http://a:0", TargetError::Port("0".into())),
            ("http://a:65536", TargetError::Port("65536".into())),
            ("http://a:", TargetError::Port(String::new())),
            ("http://a:+1", TargetError::Port("+1".into())),
            ("http://a/b c", TargetError::Character(' ')),
            ("http://a/\r\nX: y", TargetError::Character('\r')),
            ("http://a/ü", TargetError::Character('ü')),
            ("http://::1/", TargetError::Brackets),
            ("http://[::1", TargetError::Brackets),
            ("http://[::1]80", TargetError::Brackets),
        ];
        for (url, error) in table {
            assert_eq!(url.parse::<Target>(), Err(error), "{url:?}");
        }
    }
}
