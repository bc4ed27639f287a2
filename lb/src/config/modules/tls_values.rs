//! What the settings of TLS are written as: versions, the asking for clients' certificates, OpenSSL's own commands.

use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, at_least, one, words};

/// A text that is read when the configuration is prepared (a file's name, a list in OpenSSL's language), and where it
/// stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// As written.
    pub text: String,
    /// Where.
    pub position: Position,
}

impl Written {
    /// An argument of a directive.
    pub(super) fn of(directive: &Directive, index: usize) -> Self {
        Self { text: directive.argument(index).to_owned(), position: directive.argument_position(index) }
    }
}

impl Argument for Written {
    type Value = Self;

    const ARGUMENTS: Arguments = one("file | list");

    fn read(into: &mut Option<Self>, directive: &Directive, _: &mut Report) {
        *into = Some(Self::of(directive, 0));
    }

    fn print(value: &Self) -> String {
        value.text.clone()
    }
}

/// `ssl_protocols`: the versions that are spoken, of those that can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols {
    /// TLS 1.2
    pub tls_1_2: bool,
    /// TLS 1.3
    pub tls_1_3: bool,
}

const TOO_OLD: [&str; 4] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1"];

impl Argument for Protocols {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(1, "[SSLv2] [SSLv3] [TLSv1] [TLSv1.1] [TLSv1.2] [TLSv1.3]");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let mut protocols = Self { tls_1_2: false, tls_1_3: false };
        let mut old = Vec::new();
        for (index, word) in directive.words().enumerate() {
            match word {
                "TLSv1.2" => protocols.tls_1_2 = true,
                "TLSv1.3" => protocols.tls_1_3 = true,
                _ if TOO_OLD.contains(&word) => old.push(word),
                _ => {
                    let message = format!("invalid value \"{word}\"");
                    let hint = format!("\"{}\" accepts TLSv1.2 and TLSv1.3", directive.name);
                    report.emerg_hint(message, &directive.argument_position(index), &hint);
                    return;
                }
            }
        }
        if !protocols.tls_1_2 && !protocols.tls_1_3 {
            let message = format!("no protocol of \"{} {}\" is spoken here", directive.name, old.join(" "));
            report.emerg_hint(message, &directive.position, "TLSv1.2 and TLSv1.3 are");
            return;
        }
        if !old.is_empty() {
            let message = format!("{} of \"{}\" are not spoken here", old.join(" and "), directive.name);
            report.warn(message, &directive.position);
        }
        *into = Some(protocols);
    }

    fn print(value: &Self) -> String {
        let named = [(value.tls_1_2, "TLSv1.2"), (value.tls_1_3, "TLSv1.3")];
        let names: Vec<&str> = named.iter().filter(|(spoken, _)| *spoken).map(|(_, name)| *name).collect();
        names.join(" ")
    }
}

/// `ssl_verify_client`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyClient {
    /// Clients are not asked for a certificate.
    Off,
    /// They must have one that can be trusted.
    On,
    /// They may have one, which must be trusted.
    Optional,
    /// They may have one of an authority that nobody knows.
    OptionalNoCa,
}

const VERIFICATIONS: [(&str, VerifyClient); 4] = [
    ("off", VerifyClient::Off),
    ("on", VerifyClient::On),
    ("optional", VerifyClient::Optional),
    ("optional_no_ca", VerifyClient::OptionalNoCa),
];

impl Argument for VerifyClient {
    type Value = Self;

    const ARGUMENTS: Arguments = one("on | off | optional | optional_no_ca");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let written = directive.argument(0);
        match VERIFICATIONS.iter().find(|(word, _)| written.eq_ignore_ascii_case(word)) {
            Some((_, value)) => *into = Some(*value),
            None => {
                let message = format!("invalid value \"{written}\"");
                let hint = "\"ssl_verify_client\" accepts on, off, optional and optional_no_ca";
                report.emerg_hint(message, &directive.argument_position(0), hint);
            }
        }
    }

    fn print(value: &Self) -> String {
        VERIFICATIONS.iter().find(|(_, one)| one == value).map_or("", |(word, _)| *word).to_owned()
    }
}

/// `ssl_conf_command name value`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfCommand {
    /// `Ciphersuites`: suites of TLS 1.3.
    Ciphersuites(Written),
    /// `Groups`, `Curves`
    Groups(Written),
    /// `MinProtocol`: TLS 1.2 is not spoken where it is above that.
    WithoutTls12,
    /// `MaxProtocol`: TLS 1.3 is not spoken where it is below that.
    WithoutTls13,
}

impl Argument for ConfCommand {
    type Value = Vec<Self>;

    const ARGUMENTS: Arguments = words(2, 2, "name value");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let commands = into.get_or_insert_default();
        let (name, value) = (directive.argument(0), directive.argument(1));
        match (name.to_ascii_lowercase().as_str(), value) {
            ("ciphersuites", _) => commands.push(Self::Ciphersuites(Written::of(directive, 1))),
            ("groups" | "curves", _) => commands.push(Self::Groups(Written::of(directive, 1))),
            ("minprotocol", "TLSv1.3") => commands.push(Self::WithoutTls12),
            ("maxprotocol", "TLSv1.2") => commands.push(Self::WithoutTls13),
            ("minprotocol", "None" | "SSLv3" | "TLSv1" | "TLSv1.1" | "TLSv1.2")
            | ("maxprotocol", "None" | "TLSv1.3") => {}
            ("options", _) if value.split(',').all(has_no_effect) => {
                let message = format!("\"{} {name} {value}\" has no effect here", directive.name);
                report.warn(message, &directive.position);
            }
            _ => report.unsupported(
                directive,
                0,
                "of OpenSSL's commands, Ciphersuites, Groups, Curves, MinProtocol and MaxProtocol are",
            ),
        }
    }

    fn print(_: &Self::Value) -> String {
        String::new()
    }
}

/// Whether one of `Options` changes how fast something is done, and nothing else.
fn has_no_effect(option: &str) -> bool {
    let option = option.trim().trim_start_matches(['+', '-']);
    [
        "KTLS",
        "PrioritizeChaCha",
        "NoRenegotiation",
        "EncryptThenMac",
        "ExtendedMasterSecret",
        "ServerPreference",
    ]
    .iter()
    .any(|known| option.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::{ConfCommand, Protocols, VerifyClient};
    use crate::config::testing::{accepted, in_server, refused, warnings};

    fn tls(text: &str) -> std::sync::Arc<super::super::Tls> {
        accepted(&in_server(text)).http.servers[0].fallback.settings.tls.clone()
    }

    #[test]
    fn versions() {
        let both = Protocols { tls_1_2: true, tls_1_3: true };
        assert_eq!(tls("").protocols, both);
        assert_eq!(tls("ssl_protocols TLSv1.3;").protocols, Protocols { tls_1_2: false, ..both });
        let old = warnings(&in_server("ssl_protocols TLSv1 TLSv1.1 TLSv1.2;"));
        assert!(old[0].contains("TLSv1 and TLSv1.1 of \"ssl_protocols\" are not spoken here"), "{old:?}");
        refused(&in_server("ssl_protocols SSLv3;"), "no protocol of \"ssl_protocols SSLv3\" is spoken here");
        refused(&in_server("ssl_protocols TLSv9;"), "invalid value \"TLSv9\"");
    }

    #[test]
    fn verification_of_clients() {
        let on = tls("ssl_verify_client ON; ssl_client_certificate ca.pem;");
        assert_eq!(on.verify_client, VerifyClient::On);
        assert_eq!(on.client_certificate.as_ref().map(|file| file.text.as_str()), Some("ca.pem"));
        assert_eq!(tls("ssl_verify_client optional_no_ca;").verify_client, VerifyClient::OptionalNoCa);
        refused(&in_server("ssl_verify_client maybe;"), "invalid value \"maybe\"");
    }

    #[test]
    fn commands_of_openssl() {
        let commands = tls("ssl_conf_command MinProtocol TLSv1.2; ssl_conf_command maxprotocol TLSv1.2; \
             ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;");
        let [ConfCommand::WithoutTls13, ConfCommand::Ciphersuites(list)] = &commands.conf_commands[..] else {
            panic!("{commands:?}")
        };
        assert_eq!(list.text, "TLS_AES_128_GCM_SHA256");
        assert!(warnings(&in_server("ssl_conf_command Options KTLS;"))[0].contains("has no effect here"));
        refused(
            &in_server("ssl_conf_command VerifyMode Peer;"),
            "\"VerifyMode\" in the \"ssl_conf_command\" directive is not supported",
        );
    }
}
