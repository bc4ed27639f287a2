//! From which pages requests come: nginx's `ngx_http_referer_module`.

use std::sync::Arc;

use super::server_name::{ServerName, classify};
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{
    Argument, Arguments, LOCATION, NUMBER, Row, SERVER, at_least, no_effect, settings,
};
use crate::script::{Case, LimitReached, Regex};

settings! {
    /// From which pages requests come.
    Referers {
        "valid_referers" in SERVER.or(LOCATION),
        valid: Arc<ValidReferers> as ValidReferers = Arc::default(),
        "Whose `Referer` leaves `$invalid_referer` empty: `none`, `blocked`, `server_names`, names of hosts with or without the beginning of a path, `~` and a regular expression";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("referer_hash_bucket_size", SERVER.or(LOCATION), NUMBER, "referers take the room that they need").default(|| "64".to_owned()),
    no_effect("referer_hash_max_size", SERVER.or(LOCATION), NUMBER, "referers take the room that they need").default(|| "2048".to_owned()),
];

/// `valid_referers`
#[derive(Debug, Clone, Default)]
pub struct ValidReferers {
    /// A request without a `Referer` is valid.
    pub none: bool,
    /// One whose `Referer` is no URL of HTTP is.
    pub blocked: bool,
    /// The names of the server are valid hosts.
    pub server_names: bool,
    own_names: Vec<ServerName>,
    hosts: Vec<Host>,
    patterns: Vec<Regex>,
}

#[derive(Debug, Clone)]
struct Host {
    name: ServerName,
    /// How the path begins; empty where any will do.
    path: Box<str>,
}

impl ValidReferers {
    /// Whether nothing is said: every request is valid then.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.patterns.is_empty() && !self.server_names
    }

    /// Whether a referer is valid, of which these are the host in lower case, what follows the host and its port, and all
    /// that follows the scheme.
    ///
    /// # Errors
    ///
    /// Where a regular expression gives up.
    pub fn take(&self, host: &[u8], path: &[u8], whole: &[u8]) -> Result<bool, LimitReached> {
        if let Some(path_of_best) = self.best(host) {
            return Ok(path.starts_with(path_of_best.as_bytes()));
        }
        for name in &self.own_names {
            if let ServerName::Regex(pattern) = name
                && pattern.captures(host)?.is_some()
            {
                return Ok(true);
            }
        }
        for pattern in &self.patterns {
            if pattern.try_is_match(whole)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How the path of the name begins that fits best: the exact one, the longest with a star before it, the longest with
    /// a star behind it.
    fn best(&self, host: &[u8]) -> Option<&str> {
        let own = self.own_names.iter().map(|name| (name, ""));
        let all = self.hosts.iter().map(|host| (&host.name, &*host.path)).chain(own);
        let ranked = all.filter_map(|(name, path)| Some((rank(name, host)?, path)));
        // Of equals the first counts.
        let best = ranked.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, path)| path)
    }
}

/// How well a name fits: the greatest first.
fn rank(name: &ServerName, host: &[u8]) -> Option<(u8, usize)> {
    let ends = |suffix: &str| host.len() > suffix.len() && host.ends_with(suffix.as_bytes());
    match name {
        ServerName::Exact(exact) => (!exact.is_empty() && host == exact.as_bytes()).then_some((3, 0)),
        ServerName::LeadingWildcard(suffix) => ends(suffix).then_some((2, suffix.len())),
        ServerName::DomainAndSubdomains(suffix) if host == &suffix.as_bytes()[1..] => Some((3, 0)),
        ServerName::DomainAndSubdomains(suffix) => ends(suffix).then_some((2, suffix.len())),
        ServerName::TrailingWildcard(prefix) => {
            (host.len() > prefix.len() && host.starts_with(prefix.as_bytes())).then_some((1, prefix.len()))
        }
        ServerName::Regex(_) => None,
    }
}

impl Argument for ValidReferers {
    type Value = Arc<Self>;

    const ARGUMENTS: Arguments = at_least(1, "none | blocked | server_names | name … | ~pattern …");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Arc<Self>>, directive: &Directive, report: &mut Report) {
        let mut valid = into.take().map(|valid| Self::clone(&valid)).unwrap_or_default();
        for (index, word) in directive.words().enumerate() {
            let position = directive.argument_position(index);
            let invalid = || format!("invalid referer \"{word}\"");
            match word {
                "" => report.emerg(invalid(), &position),
                "none" => valid.none = true,
                "blocked" => valid.blocked = true,
                "server_names" => valid.server_names = true,
                _ if word.starts_with('~') => match Regex::new(&word[1..], Case::Insensitive) {
                    Ok(pattern) => valid.patterns.push(pattern),
                    Err(error) => report.emerg(error.to_string(), &position),
                },
                _ => {
                    let at = word.find('/').unwrap_or(word.len());
                    let (name, path) = word.split_at(at);
                    match classify(&name.to_ascii_lowercase()) {
                        Some(name) if !word.starts_with('/') => {
                            valid.hosts.push(Host { name, path: path.into() });
                        }
                        _ => {
                            let message = format!("invalid hostname or wildcard \"{name}\"");
                            report.emerg(message, &position);
                        }
                    }
                }
            }
        }
        *into = Some(Arc::new(valid));
    }

    fn print(_: &Arc<Self>) -> String {
        String::new()
    }
}

impl Referers {
    /// The same with the names of the server that it is of, where these are valid.
    pub(in crate::config) fn of_server(self: &Arc<Self>, names: &[ServerName]) -> Arc<Self> {
        if !self.valid.server_names {
            return Arc::clone(self);
        }
        let valid = ValidReferers { own_names: names.to_vec(), ..ValidReferers::clone(&self.valid) };
        Arc::new(Self { valid: Arc::new(valid) })
    }

    /// What is wrong with a level that says this, in nginx's words.
    pub(in crate::config) fn complaint(&self) -> Option<&'static str> {
        let says_something = self.valid.none || self.valid.blocked;
        let has_hosts = !self.valid.hosts.is_empty() || self.valid.server_names;
        (says_something && !has_hosts).then_some(
            "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive without any valid referer",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{accepted, in_server, refused};

    fn valid(text: &str) -> Arc<ValidReferers> {
        let text = in_server(&format!(
            "server_name own.example *.own.example; location / {{ valid_referers {text}; }}"
        ));
        accepted(&text).http.servers[0].locations[0].settings.referers.valid.clone()
    }

    #[test]
    fn hosts_fit_by_name_and_path() {
        let valid = valid(
            "none example.org/path *.example.org www.* .both.example www.example.org/x ~[.]google[.] server_names",
        );
        for (host, path, taken) in [
            ("example.org", "/path/x", true),
            ("example.org", "/other", false),
            ("a.example.org", "/", true),
            ("www.example.org", "/x", true),
            ("www.example.org", "/y", false),
            ("www.other", "", true),
            ("www.", "", false),
            ("both.example", "", true),
            ("x.both.example", "", true),
            ("maps.google.test", "/", true),
            ("own.example", "/", true),
            ("a.own.example", "/", true),
            ("", "/", false),
            ("else.test", "/", false),
        ] {
            let whole = format!("{host}{path}");
            let is_taken = valid.take(host.as_bytes(), path.as_bytes(), whole.as_bytes());
            assert_eq!(is_taken.ok(), Some(taken), "{host}{path}");
        }
        assert!(valid.none && !valid.blocked && !valid.is_empty());
    }

    #[test]
    fn mistakes() {
        let without = "the \"none\" or \"blocked\" referers are specified";
        for (text, message) in [
            ("valid_referers none blocked;", without),
            ("valid_referers none ~x;", without),
            ("valid_referers a..b;", "invalid hostname or wildcard \"a..b\""),
            ("valid_referers ~(;", "pcre2_compile() failed"),
            ("valid_referers;", "invalid number of arguments"),
        ] {
            refused(&in_server(text), message);
        }
    }
}
