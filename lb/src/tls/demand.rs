//! Certificates of a listener whose names have `$ssl_server_name`: the rest of the handshake's configuration stands, and
//! the certificates are put into a copy of it.

use std::sync::Arc;

use rustls::ServerConfig;

use super::on_demand::{Names, OnDemand};
use super::resolver::{Certificates, Kept};
use super::resumption::SessionStores;
use crate::config::model::CertificateSource;
use crate::script::{Named, Template, TlsVariable, Values, Variable};

/// What is missing from a server's configuration until the client has said a name.
#[derive(Debug)]
pub struct Demand {
    pub(super) pairs: Vec<(CertificateSource, CertificateSource)>,
    pub(super) on_demand: OnDemand,
    /// Those whose names have no variables.
    pub(super) standing: Vec<Kept>,
    pub(super) sessions: SessionStores,
}

impl Demand {
    /// `base` with the certificates for a client that asks for this name.
    ///
    /// # Errors
    ///
    /// Why one cannot be used, in nginx's words.
    pub async fn complete(
        &self,
        base: &ServerConfig,
        name: Option<&str>,
    ) -> Result<Arc<ServerConfig>, String> {
        let mut keys = self.standing.clone();
        for (certificate, key) in &self.pairs {
            let names: Names = (rendered(&certificate.text, name), rendered(&key.text, name));
            keys.push(Kept::Fixed(self.on_demand.get(&names).await?));
        }
        let mut config = base.clone();
        self.sessions.put(&mut config, &keys);
        config.cert_resolver = Arc::new(Certificates(keys));
        Ok(Arc::new(config))
    }
}

fn rendered(template: &Template, name: Option<&str>) -> Box<str> {
    let mut text = Vec::new();
    template.render(&mut Hello(name), &mut text);
    String::from_utf8_lossy(&text).into()
}

/// What is known when a client has said its first word. The name is one of DNS, so that it leads out of no folder.
struct Hello<'a>(Option<&'a str>);

impl Values for Hello<'_> {
    fn write(&mut self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        match (variable, self.0) {
            (Variable::Named(Named::Tls(TlsVariable::ServerName)), Some(name)) => {
                out.extend_from_slice(name.to_ascii_lowercase().as_bytes());
                true
            }
            _ => false,
        }
    }
}
