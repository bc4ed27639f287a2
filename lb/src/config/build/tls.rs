//! What TLS asks of the whole configuration: a certificate for every address that speaks it.

use crate::config::diagnostics::Report;
use crate::config::model::{Listener, Server};

/// Reports what nginx refuses when it has read everything.
pub(super) fn check(listeners: &[Listener], servers: &[Server], report: &mut Report) {
    for server in servers {
        let tls = &server.fallback.settings.tls;
        if let Some(keyless) = tls.certificates.get(tls.certificate_keys.len()) {
            let certificate = keyless.text.as_literal().unwrap_or("…");
            let message = format!("no \"ssl_certificate_key\" is defined for certificate \"{certificate}\"");
            report.emerg(message, &keyless.position);
        }
    }
    for listener in listeners.iter().filter(|listener| listener.ssl) {
        let server = &servers[listener.default_server.0];
        if server.fallback.settings.tls.certificates.is_empty() {
            let message = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
            report.emerg(message, &server.position);
        }
    }
}
