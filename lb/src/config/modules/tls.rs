//! TLS to clients: nginx's `ngx_http_ssl_module`.
//!
//! Reads and checks what can be checked without files. The files themselves (certificates, keys, lists) are loaded by
//! `tls/` when a configuration is prepared.

use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, HTTP, SERVER, one, settings};
use crate::script::Template;

settings! {
    /// How TLS is spoken to clients.
    Tls {
        "ssl_certificate" in HTTP.or(SERVER),
        certificates: Vec<CertificateSource> as CertificateSource = Vec::new(),
        "A PEM file with the server's certificate and the chain above it, or `data:` and the text itself. May be given for several kinds of keys";

        "ssl_certificate_key" in HTTP.or(SERVER),
        certificate_keys: Vec<CertificateSource> as CertificateSource = Vec::new(),
        "A PEM file with the key of the certificate of the same place, or `data:` and the text itself";
    }
}

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
        if let Some(text) = report.template(directive, 0) {
            sources.push(Self { text, position: directive.argument_position(0) });
        }
    }

    fn print(value: &Self::Value) -> String {
        value.first().and_then(|source| source.text.as_literal()).unwrap_or_default().to_owned()
    }
}
