//! Host to server block, in nginx's order: exact name, longest leading wildcard, longest trailing wildcard, first
//! matching regular expression, the address's default server.
//!
//! Source of the order: nginx, "Server names", <https://nginx.org/en/docs/http/server_names.html>.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::config::model::{ServerId, ServerName};
use crate::script::{LimitReached, Matched, Pattern, Wildcards};

/// What a search finds.
#[derive(Debug)]
pub struct FoundServer {
    /// The server.
    pub id: ServerId,
    /// The regular expression that chose it: it sets the variables of its named groups, and `$1` and the others.
    pub matched: Option<Matched>,
}

impl From<ServerId> for FoundServer {
    fn from(id: ServerId) -> Self {
        Self { id, matched: None }
    }
}

/// The server names of one listening address.
#[derive(Debug)]
pub struct HostTable {
    default: ServerId,
    /// True if the address has one server, whose names then decide nothing and capture nothing.
    single: bool,
    exact: HashMap<Box<[u8]>, ServerId>,
    /// `.example.org`
    suffixes: Wildcards<ServerId>,
    /// `mail.`
    prefixes: Wildcards<ServerId>,
    regexes: Vec<(Pattern, ServerId)>,
}

impl HostTable {
    /// Builds the table; where two servers claim a name the first keeps it, and nginx warns and does the same.
    pub fn new<'a>(default: ServerId, servers: impl Iterator<Item = (ServerId, &'a [ServerName])>) -> Self {
        let mut table = Self {
            default,
            single: false,
            exact: HashMap::new(),
            suffixes: Wildcards::default(),
            prefixes: Wildcards::default(),
            regexes: Vec::new(),
        };
        let mut count = 0;
        for (id, names) in servers {
            count += 1;
            for name in names {
                table.add(id, name);
            }
        }
        table.single = count <= 1 && table.regexes.iter().all(|(regex, _)| !regex.captures_anything());
        table
    }

    fn add(&mut self, id: ServerId, name: &ServerName) {
        match name {
            ServerName::Exact(name) => {
                self.exact.entry(name.as_bytes().into()).or_insert(id);
            }
            ServerName::LeadingWildcard(suffix) => {
                self.suffixes.add(suffix, id);
            }
            ServerName::DomainAndSubdomains(suffix) => {
                self.exact.entry(suffix.as_bytes()[1..].into()).or_insert(id);
                self.suffixes.add(suffix, id);
            }
            ServerName::TrailingWildcard(prefix) => {
                self.prefixes.add(prefix, id);
            }
            ServerName::Regex(regex) => self.regexes.push((regex.clone(), id)),
        }
    }

    /// The server for a Host field's value.
    ///
    /// # Errors
    ///
    /// When a regular expression gives up: nginx answers 500.
    pub fn find(&self, host: Option<&[u8]>) -> Result<FoundServer, LimitReached> {
        Ok(self.named(host.unwrap_or_default())?.unwrap_or_else(|| self.default.into()))
    }

    /// The server that has this name; none where no server has it, or where there is only one.
    ///
    /// # Errors
    ///
    /// When a regular expression gives up.
    pub fn named(&self, host: &[u8]) -> Result<Option<FoundServer>, LimitReached> {
        if self.single {
            return Ok(None);
        }
        let name = bare_name(host);
        if let Some(id) = self.find_name(&name) {
            return Ok(Some(id.into()));
        }
        if !name.is_empty() {
            for (regex, id) in &self.regexes {
                if let Some(matched) = regex.matched(&name)? {
                    return Ok(Some(FoundServer { id: *id, matched: Some(matched) }));
                }
            }
        }
        Ok(None)
    }

    fn find_name(&self, name: &[u8]) -> Option<ServerId> {
        let wildcard = || self.suffixes.find_suffix(name).or_else(|| self.prefixes.find_prefix(name));
        self.exact.get(name).or_else(wildcard).copied()
    }
}

/// A Host field's value as nginx's `$host`: without port and trailing dot, in lower case. Borrowed when it already
/// has that form.
pub fn bare_name(host: &[u8]) -> Cow<'_, [u8]> {
    let end = if host.first() == Some(&b'[') {
        // An IPv6 literal keeps its brackets, and its colons begin no port.
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
    use crate::script::{Case, Names, Regex};

    fn pattern(text: &str) -> Pattern {
        Pattern::new(Regex::new(text, Case::Sensitive).unwrap(), &mut Names::<()>::default()).unwrap()
    }

    fn table() -> HostTable {
        let regex = pattern(r"^www(\d+)\.example\.net$");
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
            assert_eq!(table.find(host.map(str::as_bytes)).unwrap().id, ServerId(server), "{host:?}");
        }
    }

    #[test]
    fn the_groups_of_a_regular_expression_are_kept() {
        let number = |table: &HostTable, host: &str| {
            let matched = table.find(Some(host.as_bytes())).unwrap().matched?;
            matched.captures.get(1).map(|group| String::from_utf8_lossy(group).into_owned())
        };
        assert_eq!(number(&table(), "WWW12.example.net:80").as_deref(), Some("12"));
        assert_eq!(number(&table(), "example.org"), None);
        // Also where only one server listens.
        let names = [ServerName::Regex(pattern(r"^(.+)\.x$"))];
        let single = HostTable::new(ServerId(0), std::iter::once((ServerId(0), &names[..])));
        assert_eq!(number(&single, "a.x").as_deref(), Some("a"));
        assert_eq!(single.find(Some(b"b")).unwrap().id, ServerId(0));
    }

    #[test]
    fn an_expression_that_gives_up_is_no_miss() {
        let names = [ServerName::Regex(pattern("^(?!x)(a+)+$"))];
        let table = HostTable::new(ServerId(0), std::iter::once((ServerId(0), &names[..])));
        assert!(table.find(Some(format!("{}!", "a".repeat(2_000)).as_bytes())).is_err());
    }

    #[test]
    fn the_longest_wildcard_is_found_however_long_the_name() {
        let many: Vec<ServerName> = (0..2_000)
            .map(|index| ServerName::LeadingWildcard(format!(".d{index}.example")))
            .chain([
                ServerName::LeadingWildcard(".example".into()),
                ServerName::TrailingWildcard("a.b.".into()),
            ])
            .collect();
        let of = |at: usize| (ServerId(at + 1), &many[at..=at]);
        let table = HostTable::new(ServerId(0), (0..many.len()).map(of));
        let deep = format!("{}d7.example", "x.".repeat(4_000));
        for (host, server) in [
            ("x.d1999.example", 2_000),
            ("d1999.example", 2_001),
            ("x.d2000.example", 2_001),
            (".example", 0),
            ("a.b.c", 2_002),
            ("a.b.", 0),
            ("a.b.c.d3.example", 4),
            (deep.as_str(), 8),
        ] {
            assert_eq!(table.find(Some(host.as_bytes())).unwrap().id, ServerId(server), "{host}");
        }
    }

    #[test]
    fn one_server_answers_for_every_name() {
        let names = [ServerName::Exact("only.example".into())];
        let table = HostTable::new(ServerId(4), std::iter::once((ServerId(4), &names[..])));
        assert_eq!(table.find(Some(b"other.example")).unwrap().id, ServerId(4));
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
