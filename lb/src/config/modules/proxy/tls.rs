//! TLS to servers: `proxy_ssl_*`.
//!
//! Reads what can be read without files; the files are loaded by `upstream/tls` when a configuration is prepared.

use crate::config::diagnostics::Report;
use crate::config::modules::certificate_cache::CertificateCache;
use crate::config::modules::tls::{CertificateSource, ConfCommand, Protocols, Written};
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, Flag, LEVELS, Maybe, Number, Text, at_least, one, settings};
use crate::script::Template;

settings! {
    /// How TLS is spoken to servers.
    TlsToServers {
        "proxy_ssl_server_name" in LEVELS,
        sends_name: bool as Flag = false,
        "Whether the handshake tells the server's name (SNI)";

        "proxy_ssl_name" in LEVELS,
        name: Option<Template> as Maybe<Text> = None,
        "The name that the server's certificate must have and that SNI tells, `$proxy_host` where this does not say; a port at its end is left out";

        "proxy_ssl_verify" in LEVELS,
        verify: bool as Flag = false,
        "Whether a server must have a certificate that `proxy_ssl_trusted_certificate` vouches for, with its name";

        "proxy_ssl_verify_depth" in LEVELS,
        verify_depth: u64 as Number = 1,
        "How many certificates may stand between a server's and a trusted one";

        "proxy_ssl_trusted_certificate" in LEVELS,
        trusted: Option<Written> as Maybe<Written> = None,
        "A PEM file with the certificates that are trusted";

        "proxy_ssl_crl" in LEVELS,
        revoked: Option<Written> as Maybe<Written> = None,
        "A PEM file with lists of revoked certificates, one for each that issues one; what no list speaks of is refused";

        "proxy_ssl_certificate" in LEVELS,
        certificate: Option<CertificateSource> as ShownToServers = None,
        "A PEM file with the certificate that is shown to servers, and the chain above it; an empty value shows none. With variables it is read for each connection",
        differs "a connection with such a certificate resumes no session";

        "proxy_ssl_certificate_key" in LEVELS,
        certificate_key: Option<CertificateSource> as ShownToServers = None,
        "A PEM file with the key of `proxy_ssl_certificate`";

        "proxy_ssl_session_reuse" in LEVELS,
        session_reuse: bool as Flag = true,
        "Whether a connection resumes the session of an earlier one to the same server";

        "proxy_ssl_password_file" in LEVELS,
        password_file: Option<Written> as Maybe<Written> = None,
        "A file with passphrases for `proxy_ssl_certificate_key`, one in a line, tried in order";

        "proxy_ssl_certificate_cache" in LEVELS,
        certificate_cache: CertificateCache as CertificateCache = CertificateCache::Off,
        "Whether and how long certificates are kept whose names have variables: `max` of them, 10 seconds (`inactive`) behind the last use, 60 seconds (`valid`) behind the reading";

        "proxy_ssl_protocols" in LEVELS,
        protocols: Protocols as Protocols = Protocols { tls_1_2: true, tls_1_3: true },
        "The versions that are spoken",
        differs "those before TLS 1.2 are not, which a warning says";

        "proxy_ssl_ciphers" in LEVELS,
        ciphers: Option<Written> as Maybe<Written> = None,
        "The suites of TLS 1.2, in OpenSSL's language; `DEFAULT` if absent",
        differs "those with ephemeral keys and authenticated encryption alone; others that are named are told in a warning";

        "proxy_ssl_conf_command" in LEVELS,
        conf_commands: Vec<ConfCommand> as ConfCommand = Vec::new(),
        "Settings by OpenSSL's names: `Ciphersuites`, `MinProtocol`, `MaxProtocol`, `Groups`, `Curves`",
        differs "others are refused; `Options` with `KTLS` or `PrioritizeChaCha` has no effect";

        "proxy_ssl_key_log" in LEVELS,
        key_log: Option<Written> as Maybe<Written> = None,
        "A file that the secrets of connections are written to, behind what is there, for who looks at what was recorded of them";

        "proxy_ssl_alpn" in LEVELS,
        alpn: Vec<Box<str>> as Offered = Vec::new(),
        "The protocols that the handshake offers; `h2` with `proxy_http_version 2`, none without, where this does not say";
    }
}

/// The certificate that servers are shown, or its key; the empty name ends what is inherited.
pub(super) struct ShownToServers;

impl Argument for ShownToServers {
    type Value = Option<CertificateSource>;

    const ARGUMENTS: Arguments = one("file");

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let position = directive.argument_position(0);
        if let Some(text) = report.template(directive, 0) {
            let none = text.as_literal() == Some("");
            *into = Some((!none).then_some(CertificateSource { text, position }));
        }
    }

    /// No default has one.
    fn print(_: &Self::Value) -> String {
        String::new()
    }
}

/// `proxy_ssl_alpn`: protocols, as the handshake offers them.
pub(super) struct Offered;

impl Argument for Offered {
    type Value = Vec<Box<str>>;

    const ARGUMENTS: Arguments = at_least(1, "protocol …");

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let protocols: Vec<Box<str>> = directive.words().map(Box::from).collect();
        // Each is told with its length in a byte.
        match protocols.iter().position(|protocol| protocol.is_empty() || protocol.len() > 255) {
            Some(index) => {
                let message = format!("invalid protocol \"{}\"", protocols[index]);
                report.emerg(message, &directive.argument_position(index));
            }
            None => *into = Some(protocols),
        }
    }

    fn print(value: &Self::Value) -> String {
        value.join(" ")
    }
}
