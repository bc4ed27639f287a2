//! What locations that speak TLS to servers share, and what their upstreams' probes do.

use std::sync::Arc;

use super::Proxies;
use crate::config::diagnostics::Report;
use crate::config::model::{
    Handshake, HttpVersion, ProxySettings, SecureServers, TlsToServers, TlsToServersId, Upstream, UpstreamId,
};
use crate::config::modules::proxy::{Module, ProxyPass};
use crate::script::{Named, Template, Variable};

impl Proxies {
    /// Has the probes of an upstream do what its locations do: TLS where all of them speak it, as the first does.
    pub(super) fn probe_as(
        &mut self,
        upstream: UpstreamId,
        id: Option<TlsToServersId>,
        tls: &TlsToServers,
        settings: &ProxySettings,
        host: &str,
    ) {
        let known = |variable: &Variable| match variable {
            Variable::Named(Named::ProxyHost) => Some(host.to_owned()),
            _ => None,
        };
        let name = tls.name.as_ref().map_or_else(|| Template::literal(host), |name| name.with_known(known));
        let mut shown = tls.certificate.iter().chain(&tls.certificate_key);
        let is_same_for_all = shown.all(|source| source.text.as_literal().is_some());
        let handshake = match (id, name.as_literal()) {
            (Some(tls), Some(name)) if is_same_for_all => {
                let http_2 = settings.http_version == HttpVersion::Http2;
                Some(Handshake { tls, name: name.into(), http_2 })
            }
            _ => None,
        };
        let Upstream { handshake: present, .. } = &mut self.upstreams[upstream.0];
        if handshake.is_none() {
            *present = None;
        } else if self.passed_to.insert(upstream) {
            *present = handshake;
        }
        self.passed_to.insert(upstream);
    }

    /// How TLS is spoken where these settings hold.
    pub(super) fn tls(
        &mut self,
        settings: &Arc<TlsToServers>,
        directive: &ProxyPass,
        report: &mut Report,
    ) -> TlsToServersId {
        let (position, prefix) = (&directive.position, directive.module.prefix());
        let known = self.tls_to_servers.iter().position(|known| Arc::ptr_eq(&known.settings, settings));
        if let Some(index) = known {
            return TlsToServersId(index);
        }
        if settings.verify && settings.trusted.is_none() {
            let message = format!("no {prefix}_ssl_trusted_certificate for {prefix}_ssl_verify");
            report.emerg(message, position);
        }
        if let (Some(certificate), None) = (&settings.certificate, &settings.certificate_key) {
            let name = certificate.text.as_literal().unwrap_or_default();
            let message =
                format!("no \"{prefix}_ssl_certificate_key\" is defined for certificate \"{name}\"");
            report.emerg(message, &certificate.position);
        }
        self.tls_to_servers.push(SecureServers {
            settings: Arc::clone(settings),
            prefix: match directive.module {
                Module::Proxy => "proxy_ssl",
                Module::Grpc => "grpc_ssl",
            },
            folder: self.folder.clone(),
            position: position.clone(),
        });
        TlsToServersId(self.tls_to_servers.len() - 1)
    }
}
