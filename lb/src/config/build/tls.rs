//! What TLS asks of the whole configuration: a certificate for every address that speaks it, and authorities where
//! clients are verified.

use crate::config::diagnostics::Report;
use crate::config::model::{Listener, Server, Tls, VerifyClient};

/// Reports what nginx refuses when it has read everything.
pub(super) fn check(listeners: &[Listener], servers: &[Server], report: &mut Report) {
    for server in servers {
        check_server(server, report);
    }
    for listener in listeners.iter().filter(|listener| listener.ssl) {
        let default = tls(&servers[listener.default_server.0]);
        // Where the default server rejects every handshake, nothing stands in for a server without a certificate.
        let concerned = match default.reject_handshake {
            true => listener.servers.as_slice(),
            false => std::slice::from_ref(&listener.default_server),
        };
        for server in concerned.iter().map(|id| &servers[id.0]) {
            if tls(server).certificates.is_empty() && !tls(server).reject_handshake {
                let message = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
                report.emerg(message, &server.position);
            }
        }
    }
}

fn tls(server: &Server) -> &Tls {
    &server.fallback.settings.tls
}

fn check_server(server: &Server, report: &mut Report) {
    let tls = tls(server);
    if let Some(keyless) = tls.certificates.get(tls.certificate_keys.len()) {
        let certificate = keyless.text.as_literal().unwrap_or("…");
        let message = format!("no \"ssl_certificate_key\" is defined for certificate \"{certificate}\"");
        report.emerg(message, &keyless.position);
    }
    let verifies = matches!(tls.verify_client, VerifyClient::On | VerifyClient::Optional);
    let has_authorities = tls.client_certificate.is_some() || tls.trusted_certificate.is_some();
    if verifies && !has_authorities && !tls.certificates.is_empty() {
        let message = "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client";
        report.emerg(message, &server.position);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, refused};

    #[test]
    fn an_address_that_speaks_tls_has_a_certificate() {
        let certificate = "ssl_certificate a.pem; ssl_certificate_key a.key;";
        let missing = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
        refused(&in_http("server { listen 443 ssl; }"), missing);
        let config = accepted(&in_http(&format!(
            "server {{ listen 443 ssl; {certificate} }} server {{ listen 443; server_name a; }} server {{ listen 80; }}"
        )));
        let ssl: Vec<bool> = config.http.listeners.iter().map(|listener| listener.ssl).collect();
        assert_eq!(ssl, [true, false]);
        accepted(&in_http("server { listen 443 ssl; ssl_reject_handshake on; }"));
        let rejecting = "server { listen 443 ssl default_server; ssl_reject_handshake on; }";
        refused(&in_http(&format!("{rejecting} server {{ listen 443 ssl; server_name a; }}")), missing);
        accepted(&in_http(&format!("{rejecting} server {{ listen 443 ssl; server_name a; {certificate} }}")));
    }

    #[test]
    fn a_certificate_has_a_key_and_verification_has_authorities() {
        refused(
            &in_http("server { ssl_certificate a.pem; }"),
            "no \"ssl_certificate_key\" is defined for certificate \"a.pem\"",
        );
        refused(
            &in_http("server { ssl_certificate a.pem; ssl_certificate_key a.key; ssl_verify_client on; }"),
            "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client",
        );
        accepted(&in_http(
            "server { ssl_certificate a.pem; ssl_certificate_key a.key; ssl_verify_client optional_no_ca; }",
        ));
    }
}
