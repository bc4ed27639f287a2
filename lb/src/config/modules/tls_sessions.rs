//! Where sessions are kept: `ssl_session_cache` and `ssl_session_ticket_key`.

use super::tls_values::Written;
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, one, words};
use crate::config::values;

/// The least that nginx takes for a shared cache: eight pages.
const LEAST_BYTES: u64 = 8 * 4096;
/// What nginx says of the room of a cache: a megabyte holds about 4,000 sessions.
const BYTES_OF_A_SESSION: u64 = 256;
/// `builtin` without a number: OpenSSL's own.
const BUILT_IN_SESSIONS: u64 = 20 * 1024;

/// `ssl_session_cache`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionCache {
    /// Nothing is kept, and clients are told so.
    Off,
    /// Nothing is kept.
    None,
    /// One of each server's own.
    BuiltIn {
        /// How large it is.
        bytes: u64,
    },
    /// One of all servers that name it, which lives on in a reload.
    Shared {
        /// Its name.
        name: String,
        /// How large it is.
        bytes: u64,
    },
}

impl Argument for SessionCache {
    type Value = Self;

    const ARGUMENTS: Arguments = words(1, 2, "off | none | [builtin[:size]] [shared:name:size]");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        for (index, word) in directive.words().enumerate() {
            let position = directive.argument_position(index);
            let invalid = || format!("invalid session cache \"{word}\"");
            let parts: Vec<&str> = word.split(':').collect();
            let cache = match parts[..] {
                ["off"] => Self::Off,
                ["none"] => Self::None,
                ["builtin"] => Self::BuiltIn { bytes: BUILT_IN_SESSIONS * BYTES_OF_A_SESSION },
                ["builtin", number] => match values::number(number) {
                    Some(sessions) => Self::BuiltIn { bytes: sessions.saturating_mul(BYTES_OF_A_SESSION) },
                    None => return report.emerg(invalid(), &position),
                },
                ["shared", name, size] if !name.is_empty() => match values::size(size) {
                    Some(bytes) if bytes < LEAST_BYTES => {
                        let message = format!("session cache \"{word}\" is too small");
                        return report.emerg_hint(message, &position, "32k at least");
                    }
                    Some(bytes) => Self::Shared { name: name.to_owned(), bytes },
                    None => return report.emerg(invalid(), &position),
                },
                _ => {
                    let hint = "\"ssl_session_cache\" accepts off, none, builtin and shared:name:size";
                    return report.emerg_hint(invalid(), &position, hint);
                }
            };
            // Of both, the shared one counts: nginx uses the other to spare it.
            if !matches!(into, Some(Self::Shared { .. })) {
                *into = Some(cache);
            }
        }
    }

    fn print(value: &Self) -> String {
        match value {
            Self::Off => "off".to_owned(),
            Self::None => "none".to_owned(),
            Self::BuiltIn { bytes } => format!("builtin:{}", bytes / BYTES_OF_A_SESSION),
            Self::Shared { name, bytes } => format!("shared:{name}:{}", values::written_bytes(*bytes)),
        }
    }
}

/// `ssl_session_ticket_key`: files, in order.
pub(super) struct TicketKeys;

impl Argument for TicketKeys {
    type Value = Vec<Written>;

    const ARGUMENTS: Arguments = one("file");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, _: &mut Report) {
        into.get_or_insert_default().push(Written::of(directive, 0));
    }

    fn print(value: &Self::Value) -> String {
        value.first().map(|file| file.text.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::SessionCache;
    use crate::config::testing::{accepted, in_server, refused};

    #[test]
    fn caches() {
        let cache = |text: &str| {
            let config = accepted(&in_server(&format!("ssl_session_cache {text};")));
            config.http.servers[0].fallback.settings.tls.session_cache.clone()
        };
        let shared = SessionCache::Shared { name: "s".to_owned(), bytes: 1 << 20 };
        for (text, expected) in [
            ("off", SessionCache::Off),
            ("none", SessionCache::None),
            ("builtin:4", SessionCache::BuiltIn { bytes: 1024 }),
            ("shared:s:1m", shared.clone()),
            ("builtin:1000 shared:s:1m", shared),
        ] {
            assert_eq!(cache(text), expected, "{text}");
        }
        refused(&in_server("ssl_session_cache shared:s:1k;"), "session cache \"shared:s:1k\" is too small");
        for bad in ["shared:s", "shared::1m", "shared:s:x", "builtin:x", "on"] {
            let message = format!("invalid session cache \"{bad}\"");
            refused(&in_server(&format!("ssl_session_cache {bad};")), &message);
        }
    }
}
