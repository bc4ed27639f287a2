//! The URL under test: where to connect, and what `Host` and the request line say.
//!
//! Only what a load tester can use is taken; anything else is refused with the reason, so that nobody
//! measures another resource than the one that was typed.

use std::str::FromStr;

use thiserror::Error;

/// A URL taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
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
    /// Another scheme than http.
    #[error("scheme `{0}` is not supported, only http is")]
    Scheme(String),
    /// There is no host.
    #[error("it names no host")]
    NoHost,
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

const HTTP_PORT: u16 = 80;

impl FromStr for Target {
    type Err = TargetError;

    /// Reads `[http://]host[:port][/path][?query]`. A fragment is dropped, as it is never sent.
    fn from_str(url: &str) -> Result<Self, TargetError> {
        let misplaced = |character: &char| {
            !character.is_ascii_graphic()
                || matches!(character, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
        };
        if let Some(character) = url.chars().find(misplaced) {
            return Err(TargetError::Character(character));
        }
        let rest = match url.split_once("://") {
            None => url,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) => return Err(TargetError::Scheme(scheme.to_owned())),
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
            None => HTTP_PORT,
            Some(text) => match text.parse() {
                Ok(port @ 1..) if text.bytes().all(|byte| byte.is_ascii_digit()) => port,
                _ => return Err(TargetError::Port(text.to_owned())),
            },
        };
        let path = if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") };
        Ok(Self { host: host.to_owned(), port, authority: authority.to_owned(), path })
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
            let expected = Target { host: host.into(), port, authority: authority.into(), path: path.into() };
            assert_eq!(url.parse(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_tested_is_refused_with_the_reason() {
        let table = [
            ("https://a", TargetError::Scheme("https".into())),
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
