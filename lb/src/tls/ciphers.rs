//! `ssl_ciphers`: OpenSSL's language of cipher lists, over the suites that are spoken here. Pure.
//!
//! A list is a program: each word adds, moves, removes or bans the suites that it selects, in OpenSSL's order of
//! preference to begin with (`openssl-ciphers(1)`). Six suites of TLS 1.2 are spoken: those with ephemeral keys and
//! authenticated encryption. What a list asks for beside them is left out, and said where it is named one by one. Suites
//! of TLS 1.3 are not of this language; `ssl_conf_command Ciphersuites` chooses among those.

#[cfg(any(test, fuzzing))]
mod fuzz;

use rustls::CipherSuite;

#[cfg(any(test, fuzzing))]
pub(crate) use fuzz::check;

/// A suite of TLS 1.2, as the language sees it.
struct Known {
    name: &'static str,
    suite: CipherSuite,
    ecdsa: bool,
    encryption: Encryption,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encryption {
    Aes128,
    Aes256,
    ChaCha20,
}

/// In OpenSSL's order of preference.
const KNOWN: [Known; 6] = [
    Known {
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ecdsa: true,
        encryption: Encryption::Aes256,
    },
    Known {
        name: "ECDHE-RSA-AES256-GCM-SHA384",
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ecdsa: false,
        encryption: Encryption::Aes256,
    },
    Known {
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ecdsa: true,
        encryption: Encryption::ChaCha20,
    },
    Known {
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ecdsa: false,
        encryption: Encryption::ChaCha20,
    },
    Known {
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ecdsa: true,
        encryption: Encryption::Aes128,
    },
    Known {
        name: "ECDHE-RSA-AES128-GCM-SHA256",
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ecdsa: false,
        encryption: Encryption::Aes128,
    },
];

/// The suites of TLS 1.3, by their names in `Ciphersuites`.
pub(super) const OF_TLS_1_3: [(&str, CipherSuite); 3] = [
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
];

/// What stands for the whole list, however it goes on.
const SUITE_B: [(&str, &str); 3] = [
    ("SUITEB128ONLY", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("SUITEB128", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("SUITEB192", "ECDHE-ECDSA-AES256-GCM-SHA384"),
];

/// What a list comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    /// In order of preference.
    pub(super) suites: Vec<CipherSuite>,
    /// The suites that it names and that are not spoken here.
    pub(super) missing: Vec<String>,
}

/// Why a list cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListError {
    #[error("invalid command \"{0}\"")]
    Command(String),
    #[error("no cipher match")]
    Nothing,
}

/// OpenSSL's name of a suite, as in `$ssl_cipher`.
pub(super) fn name(suite: CipherSuite) -> Option<&'static str> {
    let of_tls_1_2 = KNOWN.iter().map(|known| (known.name, known.suite));
    of_tls_1_2.chain(OF_TLS_1_3).find(|(_, known)| *known == suite).map(|(name, _)| name)
}

/// Reads a list of suites of TLS 1.2.
pub(super) fn read(text: &str) -> Result<List, ListError> {
    let mut state = State::new();
    let mut list = List::default();
    let text = SUITE_B.iter().find(|(name, _)| text.starts_with(name)).map_or(text, |(_, list)| list);
    for (index, word) in text.split([':', ',', ' ', ';']).filter(|word| !word.is_empty()).enumerate() {
        if let Some(command) = word.strip_prefix('@') {
            state.command(command)?;
            continue;
        }
        let (rule, selector) = match word.as_bytes()[0] {
            b'!' => (Rule::Ban, &word[1..]),
            b'-' => (Rule::Remove, &word[1..]),
            b'+' => (Rule::Move, &word[1..]),
            _ => (Rule::Add, word),
        };
        // `DEFAULT` counts at the beginning alone.
        let selector = if selector == "DEFAULT" && index == 0 { "ALL" } else { selector };
        if matches!(rule, Rule::Add) && looks_like_a_suite(selector) {
            list.missing.push(selector.to_owned());
        }
        state.apply(rule, |known| selector.split('+').all(|part| selects(part, known)));
    }
    list.suites = state.active();
    if list.suites.is_empty() { Err(ListError::Nothing) } else { Ok(list) }
}

/// Reads a list of suites of TLS 1.3: names and nothing else.
pub(super) fn read_tls_1_3(text: &str) -> Result<List, ListError> {
    let mut list = List::default();
    for word in text.split(':').filter(|word| !word.is_empty()) {
        match OF_TLS_1_3.iter().find(|(name, _)| *name == word) {
            Some((_, suite)) if list.suites.contains(suite) => {}
            Some((_, suite)) => list.suites.push(*suite),
            None => list.missing.push(word.to_owned()),
        }
    }
    if list.suites.is_empty() { Err(ListError::Nothing) } else { Ok(list) }
}

#[derive(Clone, Copy)]
enum Rule {
    Add,
    Move,
    Remove,
    Ban,
}

/// The suites in their present order, as indices of [`KNOWN`], and whether each is in the list.
struct State(Vec<(usize, bool)>);

impl State {
    fn new() -> Self {
        Self((0..KNOWN.len()).map(|index| (index, false)).collect())
    }

    fn apply(&mut self, rule: Rule, selects: impl Fn(&Known) -> bool) {
        let concerned = |active: bool| match rule {
            Rule::Add => !active,
            Rule::Move | Rule::Remove => active,
            Rule::Ban => true,
        };
        let (chosen, rest): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(index, active)| selects(&KNOWN[*index]) && concerned(*active));
        let chosen = |active: bool| chosen.iter().map(move |(index, _)| (*index, active)).collect::<Vec<_>>();
        self.0 = match rule {
            Rule::Add | Rule::Move => [rest, chosen(true)].concat(),
            Rule::Remove => [chosen(false), rest].concat(),
            Rule::Ban => rest,
        };
    }

    fn command(&mut self, command: &str) -> Result<(), ListError> {
        match command.strip_prefix("SECLEVEL=").map(str::parse::<u16>) {
            // Levels up to 3 ask for no more than 128 bits and ephemeral keys, which all suites here have.
            Some(Ok(0..=3)) => {}
            Some(Ok(4..=5)) => self.apply(Rule::Ban, |known| known.encryption == Encryption::Aes128),
            None if command == "STRENGTH" => {
                self.0
                    .sort_by_key(|(index, active)| *active && KNOWN[*index].encryption == Encryption::Aes128);
            }
            _ => return Err(ListError::Command(format!("@{command}"))),
        }
        Ok(())
    }

    fn active(&self) -> Vec<CipherSuite> {
        self.0.iter().filter(|(_, active)| *active).map(|(index, _)| KNOWN[*index].suite).collect()
    }
}

/// Whether one word of a selector selects a suite. A word that OpenSSL does not know selects nothing.
fn selects(word: &str, known: &Known) -> bool {
    let aes_128 = known.encryption == Encryption::Aes128;
    let aes_256 = known.encryption == Encryption::Aes256;
    match word {
        "ALL" | "HIGH" | "TLSv1.2" | "kECDHE" | "kEECDH" | "ECDHE" | "EECDH" | "ECDH" => true,
        "aRSA" => !known.ecdsa,
        "aECDSA" | "ECDSA" => known.ecdsa,
        "AES128" => aes_128,
        "AES256" => aes_256,
        "AES" | "AESGCM" | "FIPS" => aes_128 || aes_256,
        "CHACHA20" => known.encryption == Encryption::ChaCha20,
        name => known.name == name,
    }
}

/// Whether a word is the name of one suite that is not spoken here: such names have hyphens, the words for many have
/// none.
fn looks_like_a_suite(word: &str) -> bool {
    word.contains('-') && !KNOWN.iter().any(|known| known.name == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> String {
        match read(text) {
            Ok(list) => {
                let short = |suite: &CipherSuite| name(*suite).unwrap().replace("ECDHE-", "");
                list.suites.iter().map(short).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    const ALL: &str = "ECDSA-AES256-GCM-SHA384 RSA-AES256-GCM-SHA384 ECDSA-CHACHA20-POLY1305 \
                       RSA-CHACHA20-POLY1305 ECDSA-AES128-GCM-SHA256 RSA-AES128-GCM-SHA256";

    /// What `openssl ciphers -v -tls1_2` prints for these lists, of the suites that are spoken here.
    #[test]
    fn a_list_is_read_as_openssl_reads_it() {
        for (text, expected) in [
            ("HIGH:!aNULL:!MD5", ALL),
            ("DEFAULT", ALL),
            ("ALL:!EXPORT:!LOW:!aNULL:!eNULL:!SSLv2", ALL),
            (
                "EECDH+AESGCM:EDH+AESGCM",
                "ECDSA-AES256-GCM-SHA384 RSA-AES256-GCM-SHA384 ECDSA-AES128-GCM-SHA256 RSA-AES128-GCM-SHA256",
            ),
            (
                "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
                "RSA-AES128-GCM-SHA256 RSA-AES256-GCM-SHA384",
            ),
            ("HIGH:!ECDSA", "RSA-AES256-GCM-SHA384 RSA-CHACHA20-POLY1305 RSA-AES128-GCM-SHA256"),
            (
                "HIGH:-AES256:AES256",
                "ECDSA-CHACHA20-POLY1305 RSA-CHACHA20-POLY1305 ECDSA-AES128-GCM-SHA256 RSA-AES128-GCM-SHA256 ECDSA-AES256-GCM-SHA384 RSA-AES256-GCM-SHA384",
            ),
            (
                "HIGH:!AES256:AES256",
                "ECDSA-CHACHA20-POLY1305 RSA-CHACHA20-POLY1305 ECDSA-AES128-GCM-SHA256 RSA-AES128-GCM-SHA256",
            ),
            (
                "HIGH:+CHACHA20",
                "ECDSA-AES256-GCM-SHA384 RSA-AES256-GCM-SHA384 ECDSA-AES128-GCM-SHA256 RSA-AES128-GCM-SHA256 ECDSA-CHACHA20-POLY1305 RSA-CHACHA20-POLY1305",
            ),
            ("AES128+aRSA:CHACHA20+aRSA:@STRENGTH", "RSA-CHACHA20-POLY1305 RSA-AES128-GCM-SHA256"),
            (
                "CHACHA20,AESGCM+aECDSA",
                "ECDSA-CHACHA20-POLY1305 RSA-CHACHA20-POLY1305 ECDSA-AES256-GCM-SHA384 ECDSA-AES128-GCM-SHA256",
            ),
            (
                "ALL:@SECLEVEL=4",
                "ECDSA-AES256-GCM-SHA384 RSA-AES256-GCM-SHA384 ECDSA-CHACHA20-POLY1305 RSA-CHACHA20-POLY1305",
            ),
            ("SUITEB128", "ECDSA-AES128-GCM-SHA256 ECDSA-AES256-GCM-SHA384"),
            (
                "HIGH:-CHACHA20:-AES256:HIGH",
                "ECDSA-AES128-GCM-SHA256 RSA-AES128-GCM-SHA256 ECDSA-AES256-GCM-SHA384 RSA-AES256-GCM-SHA384 ECDSA-CHACHA20-POLY1305 RSA-CHACHA20-POLY1305",
            ),
            ("kRSA:MEDIUM:LOW", "no cipher match"),
            ("AES128-SHA", "no cipher match"),
            ("nonsense", "no cipher match"),
            ("HIGH:@nonsense", "invalid command \"@nonsense\""),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn suites_that_are_named_and_not_spoken_are_told() {
        let list =
            read("ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256:AES128-SHA:HIGH:!RC4-SHA").unwrap();
        assert_eq!(list.missing, ["DHE-RSA-AES128-GCM-SHA256", "AES128-SHA"]);
        let list = read_tls_1_3("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256").unwrap();
        assert_eq!(list.suites, [CipherSuite::TLS13_CHACHA20_POLY1305_SHA256]);
        assert_eq!(list.missing, ["TLS_AES_128_CCM_SHA256"]);
        assert_eq!(read_tls_1_3("x"), Err(ListError::Nothing));
    }
}
