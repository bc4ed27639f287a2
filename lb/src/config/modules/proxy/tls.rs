//! TLS to servers: `proxy_ssl_*`.
//!
//! Reads what can be read without files; the files are loaded by `upstream/tls` when a configuration is prepared.

use super::request::Text;
use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, Flag, LEVELS, Maybe, Number, one, settings};
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
        trusted: Option<PemFile> as Maybe<PemFile> = None,
        "A PEM file with the certificates that are trusted";

        "proxy_ssl_crl" in LEVELS,
        revoked: Option<PemFile> as Maybe<PemFile> = None,
        "A PEM file with lists of revoked certificates, one for each that issues one; what no list speaks of is refused";

        "proxy_ssl_certificate" in LEVELS,
        certificate: Option<PemSource> as PemSource = None,
        "A PEM file with the certificate that is shown to servers, and the chain above it; an empty value shows none";

        "proxy_ssl_certificate_key" in LEVELS,
        certificate_key: Option<PemSource> as PemSource = None,
        "A PEM file with the key of `proxy_ssl_certificate`";

        "proxy_ssl_session_reuse" in LEVELS,
        session_reuse: bool as Flag = true,
        "Whether a connection resumes the session of an earlier one to the same server";
    }
}

/// The name of a file, and where it is named.
#[derive(Debug, Clone)]
pub struct PemFile {
    /// As written.
    pub name: String,
    /// Where.
    pub position: Position,
}

impl Argument for PemFile {
    type Value = Self;

    const ARGUMENTS: Arguments = one("file");

    fn read(into: &mut Option<Self>, directive: &Directive, _: &mut Report) {
        let position = directive.argument_position(0);
        *into = Some(Self { name: directive.argument(0).to_owned(), position });
    }

    /// No default has one.
    fn print(_: &Self) -> String {
        String::new()
    }
}

/// A file whose name may have variables, and where it is named.
#[derive(Debug, Clone)]
pub struct PemSource {
    /// As written.
    pub name: Template,
    /// Where.
    pub position: Position,
}

impl Argument for PemSource {
    type Value = Option<Self>;

    const ARGUMENTS: Arguments = one("file");

    /// The empty name ends what is inherited.
    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let position = directive.argument_position(0);
        if let Some(name) = report.template(directive, 0) {
            let none = name.as_literal() == Some("");
            *into = Some((!none).then_some(Self { name, position }));
        }
    }

    /// No default has one.
    fn print(_: &Self::Value) -> String {
        String::new()
    }
}
