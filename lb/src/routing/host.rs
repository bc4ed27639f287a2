//! Host to server block, in nginx's order: exact name, longest leading wildcard, longest trailing wildcard, first
//! matching regular expression, the address's default server.
//!
//! Source of the order: nginx, "Server names", <https://nginx.org/en/docs/http/server_names.html>.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::config::model::{ServerId, ServerName};

/// The names that one listening address knows.
#[derive(Debug)]
pub struct HostTable {
    default: ServerId,
    /// When the address has one server, its names decide nothing.
    single: bool,
    exact: HashMap<Box<[u8]>, ServerId>,
    /// `.example.org`, longest first.
    suffixes: Vec<(Box<[u8]>, ServerId)>,
    /// `mail.`, longest first.
    prefixes: Vec<(Box<[u8]>, ServerId)>,
    regexes: Vec<(regex::Regex, ServerId)>,
}

impl HostTable {
    /// Builds the table; where two servers claim a name the first keeps it, as nginx warns and does.
    pub fn new<'a>(default: ServerId, servers: impl Iterator<Item = (ServerId, &'a [ServerName])>) -> Self {
        let mut table = Self {
            default,
            single: false,
            exact: HashMap::new(),
            suffixes: Vec::new(),
            prefixes: Vec::new(),
            regexes: Vec::new(),
        };
        let mut count = 0;
        for (id, names) in servers {
            count += 1;
            for name in names {
                table.add(id, name);
            }
        }
        table.single = count <= 1;
        // A stable sort: among equal lengths the first server stays first.
        table.suffixes.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        table.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        table
    }

    fn add(&mut self, id: ServerId, name: &ServerName) {
        match name {
            ServerName::Exact(name) => {
                self.exact.entry(name.as_bytes().into()).or_insert(id);
            }
            ServerName::LeadingWildcard(suffix) => self.suffixes.push((suffix.as_bytes().into(), id)),
            ServerName::DomainAndSubdomains(suffix) => {
                self.exact.entry(suffix.as_bytes()[1..].into()).or_insert(id);
                self.suffixes.push((suffix.as_bytes().into(), id));
            }
            ServerName::TrailingWildcard(prefix) => self.prefixes.push((prefix.as_bytes().into(), id)),
            ServerName::Regex(regex) => self.regexes.push((regex.clone(), id)),
        }
    }

    /// The server for a Host field's value.
    pub fn find(&self, host: Option<&[u8]>) -> ServerId {
        if self.single {
            return self.default;
        }
        let name = match host {
            Some(host) => bare_name(host),
            None => Cow::Borrowed(&b""[..]),
        };
        self.find_name(&name).unwrap_or(self.default)
    }

    fn find_name(&self, name: &[u8]) -> Option<ServerId> {
        if let Some(id) = self.exact.get(name) {
            return Some(*id);
        }
        if name.is_empty() {
            return None;
        }
        // A wildcard stands for at least one character.
        let suffix = self.suffixes.iter().find(|(end, _)| name.len() > end.len() && name.ends_with(end));
        let prefix =
            || self.prefixes.iter().find(|(start, _)| name.len() > start.len() && name.starts_with(start));
        if let Some((_, id)) = suffix.or_else(prefix) {
            return Some(*id);
        }
        let text = std::str::from_utf8(name).ok()?;
        self.regexes.iter().find(|(regex, _)| regex.is_match(text)).map(|(_, id)| *id)
    }
}

/// A Host field's value as nginx's `$host`: without port and trailing dot, in lower case. Borrowed when it already
/// is so.
pub fn bare_name(host: &[u8]) -> Cow<'_, [u8]> {
    let end = if host.first() == Some(&b'[') {
        // An IPv6 literal keeps its brackets, and its colons are no port.
        host.iter().position(|byte| *byte == b']').map_or(host.len(), |at| at + 1)
    } else {
        host.iter().position(|byte| *byte == b':').unwrap_or(host.len())
    };
    let name = &host[..end];
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.iter().any(u8::is_ascii_uppercase) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> HostTable {
        let regex =
            regex::RegexBuilder::new(r"^www\d+\.example\.net$").case_insensitive(true).build().unwrap();
        let names: [(ServerId, Vec<ServerName>); 7] = [
            (ServerId(0), vec![ServerName::Exact("example.org".into())]),
            (ServerId(1), vec![ServerName::LeadingWildcard(".example.org".into())]),
            (ServerId(2), vec![ServerName::LeadingWildcard(".deep.example.org".into())]),
            (ServerId(3), vec![ServerName::DomainAndSubdomains(".example.com".into())]),
            (ServerId(4), vec![ServerName::TrailingWildcard("mail.".into())]),
            (ServerId(5), vec![ServerName::Regex(regex)]),
            (ServerId(6), vec![ServerName::Exact(String::new()), ServerName::Exact("example.org".into())]),
        ];
        HostTable::new(ServerId(0), names.iter().map(|(id, names)| (*id, names.as_slice())))
    }

    #[test]
    fn names_are_found_in_nginx_order() {
        let table = table();
        for (host, server) in [
            (Some("example.org"), 0),
            (Some("EXAMPLE.org:8080"), 0),
            (Some("example.org."), 0),
            (Some("a.example.org"), 1),
            (Some("a.b.example.org"), 1),
            (Some("x.deep.example.org"), 2),
            (Some("deep.example.org"), 1),
            (Some("example.com"), 3),
            (Some("a.example.com"), 3),
            (Some("mail.example.edu"), 4),
            // Leading wildcards come before trailing ones.
            (Some("mail.example.org"), 1),
            (Some("www12.example.net"), 5),
            (Some("WWW12.EXAMPLE.NET"), 5),
            (Some("www.example.net"), 0),
            (Some("mail."), 0),
            (Some("[::1]:80"), 0),
            (None, 6),
            (Some(""), 6),
        ] {
            assert_eq!(table.find(host.map(str::as_bytes)), ServerId(server), "{host:?}");
        }
    }

    #[test]
    fn one_server_answers_for_every_name() {
        let names = [ServerName::Exact("only.example".into())];
        let table = HostTable::new(ServerId(4), std::iter::once((ServerId(4), &names[..])));
        assert_eq!(table.find(Some(b"other.example")), ServerId(4));
    }

    #[test]
    fn the_bare_name_drops_port_dot_and_case() {
        for (host, name) in
            [("A.b:80", "a.b"), ("a.b.", "a.b"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "")]
        {
            assert_eq!(&*bare_name(host.as_bytes()), name.as_bytes(), "{host}");
        }
    }
}
