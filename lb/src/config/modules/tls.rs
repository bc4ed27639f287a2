//! TLS to clients: nginx's `ngx_http_ssl_module`.
//!
//! Reads and checks what can be checked without files. The files themselves (certificates, keys, lists of them) and the
//! lists in OpenSSL's languages are read by `tls/` when a configuration is prepared.

use std::time::Duration;

use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::{
    Argument, Arguments, FLAG, Flag, HTTP, Maybe, Number, Row, SERVER, Seconds, Size, no_effect, one,
    refused, settings, words,
};
use crate::script::{Named, Template, TlsVariable, Variable};

use super::certificate_cache::CertificateCache;
pub use super::tls_sessions::SessionCache;
use super::tls_sessions::TicketKeys;
pub use super::tls_values::{ConfCommand, Protocols, VerifyClient, Written};

const LEVELS: crate::config::table::Contexts = HTTP.or(SERVER);

settings! {
    /// How TLS is spoken to clients.
    Tls {
        "ssl_certificate" in LEVELS,
        certificates: Vec<CertificateSource> as CertificateSource = Vec::new(),
        "A PEM file with the server's certificate and the chain above it, or `data:` and the text itself. May be given again for another kind of key. With `$ssl_server_name` in its name it is read for each handshake",
        differs "other variables are refused";

        "ssl_certificate_key" in LEVELS,
        certificate_keys: Vec<CertificateSource> as CertificateSource = Vec::new(),
        "A PEM file with the key of the certificate of the same place, or `data:` and the text itself",
        differs "keys of `engine:` and `store:` are refused";

        "ssl_certificate_cache" in LEVELS,
        certificate_cache: CertificateCache as CertificateCache = CertificateCache::Off,
        "Whether and how long certificates are kept whose names have variables: `max` of them, 10 seconds (`inactive`) behind the last use, 60 seconds (`valid`) behind the reading";

        "ssl_password_file" in LEVELS,
        password_file: Option<Written> as Maybe<Written> = None,
        "A file with passphrases for keys, one in a line, tried in order";

        "ssl_protocols" in LEVELS,
        protocols: Protocols as Protocols = Protocols { tls_1_2: true, tls_1_3: true },
        "The versions that are spoken",
        differs "those before TLS 1.2 are not, which a warning says; a server chosen by SNI has its own";

        "ssl_ciphers" in LEVELS,
        ciphers: Option<Written> as Maybe<Written> = None,
        "The suites of TLS 1.2, in OpenSSL's language; `HIGH:!aNULL:!MD5` if absent",
        differs "those with ephemeral keys and authenticated encryption alone; others that are named are told in a warning. A server chosen by SNI has its own";

        "ssl_prefer_server_ciphers" in LEVELS,
        prefer_server_ciphers: bool as Flag = false,
        "Whether the server's order of suites counts rather than the client's";

        "ssl_ecdh_curve" in LEVELS,
        curves: Option<Written> as Maybe<Written> = None,
        "The groups of the key exchange, in order of preference; `auto` if absent: X25519MLKEM768, X25519, prime256v1, secp384r1";

        "ssl_session_cache" in LEVELS,
        session_cache: SessionCache as SessionCache = SessionCache::None,
        "Where sessions are kept to be resumed without tickets",
        differs "all threads share a `builtin` cache, too";

        "ssl_session_timeout" in LEVELS,
        session_timeout: Duration as Seconds = Duration::from_secs(300),
        "How long a session can be resumed";

        "ssl_session_tickets" in LEVELS,
        session_tickets: bool as Flag = true,
        "Whether clients get their sessions as encrypted tickets";

        "ssl_session_ticket_key" in LEVELS,
        ticket_keys: Vec<Written> as TicketKeys = Vec::new(),
        "Files of 48 or 80 random bytes, such as all servers of a group have: the first encrypts tickets, all decrypt them",
        differs "tickets are encrypted with AES-256-GCM, so that programs of another kind cannot read them";

        "ssl_early_data" in LEVELS,
        early_data: bool as Flag = false,
        "Whether requests are taken that a client sends with its first message (TLS 1.3, 0-RTT)",
        differs "each session takes them once, so that they cannot be replayed: sessions are kept in `ssl_session_cache`, or 1 MB of memory, and no tickets are encrypted";

        "ssl_key_log" in LEVELS,
        key_log: Option<Written> as Maybe<Written> = None,
        "A file to which the secrets of each session are appended, as Wireshark reads them; whoever has it can read the traffic";

        "ssl_verify_client" in LEVELS,
        verify_client: VerifyClient as VerifyClient = VerifyClient::Off,
        "Whether clients are asked for a certificate: `on` must have one, `optional` may; `optional_no_ca` accepts one of an unknown authority";

        "ssl_client_certificate" in LEVELS,
        client_certificate: Option<Written> as Maybe<Written> = None,
        "A PEM file with the authorities of clients' certificates, whose names clients are told";

        "ssl_trusted_certificate" in LEVELS,
        trusted_certificate: Option<Written> as Maybe<Written> = None,
        "The same, without telling clients the names";

        "ssl_crl" in LEVELS,
        revoked: Option<Written> as Maybe<Written> = None,
        "A PEM file with the lists of revoked certificates of every authority of a chain";

        "ssl_verify_depth" in LEVELS,
        verify_depth: u64 as Number = 1,
        "How many authorities may stand between a client's certificate and a trusted one";

        "ssl_reject_handshake" in LEVELS,
        reject_handshake: bool as Flag = false,
        "Whether handshakes for this server are refused";

        "ssl_buffer_size" in LEVELS,
        buffer_size: u64 as Size = 16 << 10,
        "The largest record that is sent",
        differs "16k is the most";

        "ssl_stapling" in LEVELS,
        stapling: bool as Flag = false,
        "Whether the authority is asked if the certificate is valid, and its word (OCSP) sent to clients with the certificate",
        differs "it is asked at once and not by the first handshake. Without a `resolver` the system finds the responder's name each time";

        "ssl_stapling_responder" in LEVELS,
        stapling_responder: Option<Written> as Maybe<Written> = None,
        "Who is asked, `http://` and so on, in place of the one that the certificate names";

        "ssl_stapling_verify" in LEVELS,
        stapling_verify: bool as Flag = false,
        "Whether an answer must be signed by the authority or with a certificate that it has issued for that";

        "ssl_stapling_file" in LEVELS,
        stapling_file: Option<Written> as Maybe<Written> = None,
        "A file with the authority's word (OCSP, DER) that the certificate is valid, which clients get with it";

        "ssl_conf_command" in LEVELS,
        conf_commands: Vec<ConfCommand> as ConfCommand = Vec::new(),
        "Settings by OpenSSL's names: `Ciphersuites`, `MinProtocol`, `MaxProtocol`, `Groups`, `Curves`",
        differs "others are refused; `Options` with `KTLS` or `PrioritizeChaCha` has no effect";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    refused("ssl", LEVELS, "TLS is switched on by the \"ssl\" parameter of \"listen\"").harmless(&["off"]),
    no_effect("ssl_dhparam", LEVELS, one("file"), "no key exchange of that kind is offered; those with elliptic curves need no parameters"),
    no_effect("ssl_certificate_compression", LEVELS, FLAG, "certificates are sent as they are").harmless(&["off"]),
    refused("ssl_ech_file", LEVELS, "the name in a ClientHello is read in the clear"),
    refused("ssl_ocsp", LEVELS, "authorities are not asked; use \"ssl_crl\"").harmless(&["off"]),
    no_effect("ssl_ocsp_cache", LEVELS, words(1, 1, "off | [shared:name:size]"), "authorities are not asked").harmless(&["off"]),
    no_effect("ssl_ocsp_responder", LEVELS, one("url"), "authorities are not asked"),
];

/// The only variable that names of certificates may have.
const KNOWN_IN_HANDSHAKES: Variable = Variable::Named(Named::Tls(TlsVariable::ServerName));

/// A file, or `data:` and its text, and where it is named.
#[derive(Debug, Clone)]
pub struct CertificateSource {
    /// As written.
    pub text: Template,
    /// Where.
    pub position: Position,
}

impl Argument for CertificateSource {
    type Value = Vec<Self>;

    const ARGUMENTS: Arguments = one("file | data:text");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let sources = into.get_or_insert_default();
        let written = directive.argument(0);
        let Some(text) = report.template(directive, 0) else { return };
        if written.starts_with("engine:") || written.starts_with("store:") {
            report.unsupported(directive, 0, "keys are read from files alone");
            return;
        }
        if text.variables().any(|variable| *variable != KNOWN_IN_HANDSHAKES) {
            report.unsupported(directive, 0, "of all variables, a handshake knows $ssl_server_name");
            return;
        }
        sources.push(Self { text, position: directive.argument_position(0) });
    }

    fn print(value: &Self::Value) -> String {
        value.first().and_then(|source| source.text.as_literal()).unwrap_or_default().to_owned()
    }
}
