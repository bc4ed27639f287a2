//! `ssl_ecdh_curve`: the groups of the key exchange, in OpenSSL's names. Pure.

use rustls::NamedGroup;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, SECP256R1MLKEM768, SECP384R1, X25519, X25519MLKEM768};

/// A group of the key exchange.
pub(super) type Group = &'static dyn SupportedKxGroup;

/// The groups that are offered unless the configuration says which: the post-quantum one of browsers first.
pub(super) const DEFAULT: [Group; 4] = [X25519MLKEM768, X25519, SECP256R1, SECP384R1];

/// OpenSSL's names; the first is the one of `$ssl_curve`.
const NAMES: [(&[&str], NamedGroup, Group); 5] = [
    (&["X25519MLKEM768"], NamedGroup::X25519MLKEM768, X25519MLKEM768),
    (&["SecP256r1MLKEM768"], NamedGroup::secp256r1MLKEM768, SECP256R1MLKEM768),
    (&["X25519", "x25519"], NamedGroup::X25519, X25519),
    (&["prime256v1", "P-256", "secp256r1"], NamedGroup::secp256r1, SECP256R1),
    (&["secp384r1", "P-384"], NamedGroup::secp384r1, SECP384R1),
];

/// Groups that OpenSSL has and this program has not.
const MISSING: [&str; 14] = [
    "X448",
    "secp521r1",
    "P-521",
    "secp256k1",
    "ffdhe2048",
    "ffdhe3072",
    "ffdhe4096",
    "ffdhe6144",
    "ffdhe8192",
    "brainpoolP256r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
    "X448MLKEM1024",
    "SecP384r1MLKEM1024",
];

/// What a list comes to.
#[derive(Debug, Default)]
pub(super) struct List {
    /// In order of preference.
    pub(super) groups: Vec<Group>,
    /// The groups that it names and that are not offered here.
    pub(super) missing: Vec<String>,
}

/// OpenSSL's name of a group.
pub(super) fn name(group: NamedGroup) -> Option<&'static str> {
    NAMES.iter().find(|(_, known, _)| *known == group).map(|(names, _, _)| names[0])
}

/// Reads a list; the error is a word that names no group, or an empty list.
pub(super) fn read(text: &str) -> Result<List, String> {
    if text == "auto" {
        return Ok(List { groups: DEFAULT.to_vec(), missing: Vec::new() });
    }
    let mut list = List::default();
    // `/` divides groups that are preferred alike, `*` marks those whose shares clients should send, `?` those that may
    // be unknown.
    for written in text.split([':', '/']) {
        let word = written.trim_start_matches(['*', '?']);
        if word == "DEFAULT" {
            list.groups.extend(DEFAULT);
        } else if let Some((_, _, group)) =
            NAMES.iter().find(|(names, _, _)| names.iter().any(|name| name.eq_ignore_ascii_case(word)))
        {
            list.groups.push(*group);
        } else if MISSING.iter().any(|name| name.eq_ignore_ascii_case(word)) {
            list.missing.push(word.to_owned());
        } else if !written.contains('?') {
            return Err(format!("unknown group \"{word}\""));
        }
    }
    if list.groups.is_empty() { Err("no group of it is offered here".to_owned()) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_groups() {
        let names = |text: &str| match read(text) {
            Ok(list) => {
                let names: Vec<_> = list.groups.iter().map(|group| name(group.name()).unwrap()).collect();
                format!("{} | {}", names.join(" "), list.missing.join(" "))
            }
            Err(error) => error,
        };
        for (text, expected) in [
            ("auto", "X25519MLKEM768 X25519 prime256v1 secp384r1 | "),
            ("X25519:prime256v1:secp384r1", "X25519 prime256v1 secp384r1 | "),
            ("secp521r1:P-384", "secp384r1 | secp521r1"),
            ("*X25519MLKEM768/*X25519:?nonsense", "X25519MLKEM768 X25519 | "),
            ("X448", "no group of it is offered here"),
            ("nonsense:X25519", "unknown group \"nonsense\""),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }
}
