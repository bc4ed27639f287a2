//! Servers that speak TLS, with certificates made on the spot.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// Who issues certificates.
pub(crate) struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate, the chain above it, and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Certified {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    /// One that signs itself.
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority_params(name);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// One below this.
    pub(crate) fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority_params(name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A certificate for these names.
    pub(crate) fn certify(&self, names: &[&str]) -> Certified {
        self.certify_under(names, &[])
    }

    /// The same, shown with the certificates of `above`.
    pub(crate) fn certify_under(&self, names: &[&str], above: &[&Self]) -> Certified {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("nobody"));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let mut chain = certificate.pem();
        for authority in above {
            chain += &authority.pem();
        }
        Certified { chain, key: key.serialize_pem() }
    }

    /// A certificate that has only a common name.
    pub(crate) fn certify_common_name(&self, name: &str) -> Certified {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = Vec::<SanType>::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        Certified { chain, key: key.serialize_pem() }
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Certified {
    /// Writes `NAME.pem` and `NAME.key`.
    pub(crate) fn write(&self, folder: &Path, name: &str) {
        std::fs::write(folder.join(format!("{name}.pem")), &self.chain).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), &self.key).unwrap();
    }
}

/// What a server saw of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// The name that the client told.
    pub(crate) server_name: Option<String>,
    /// It resumed a session.
    pub(crate) resumed: bool,
    /// The certificate that the client has shown.
    pub(crate) client_certificate: Option<Vec<u8>>,
}

#[derive(Default)]
struct Shared {
    greetings: Mutex<Vec<Greeting>>,
    requests: Mutex<Vec<String>>,
    open: Mutex<Vec<TcpStream>>,
}

/// A server that speaks TLS and answers every request with its name.
pub(crate) struct SecureBackend {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl SecureBackend {
    pub(crate) fn start(name: &str, certified: &Certified) -> Self {
        Self::start_asking(name, certified, None)
    }

    /// It asks for a certificate of the client, issued by `authority`.
    pub(crate) fn start_asking(name: &str, certified: &Certified, authority: Option<&Authority>) -> Self {
        let config = Arc::new(server_config(certified, authority));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let (accepting, name) = (Arc::clone(&shared), name.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let (shared, config, name) = (Arc::clone(&accepting), Arc::clone(&config), name.clone());
                thread::spawn(move || converse(&shared, config, stream, &name));
            }
        });
        Self { address, shared }
    }

    /// Every connection whose handshake succeeded, in order.
    pub(crate) fn greetings(&self) -> Vec<Greeting> {
        self.shared.greetings.lock().unwrap().clone()
    }

    /// Every request, with its fields.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Closes every connection that is open.
    pub(crate) fn close_all(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

pub(crate) fn server_config(certified: &Certified, authority: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match authority {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.certificate.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = CertificateDer::pem_slice_iter(certified.chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
    builder.with_single_cert(chain, key).unwrap()
}

fn converse(shared: &Shared, config: Arc<ServerConfig>, mut stream: TcpStream, name: &str) {
    let mut connection = ServerConnection::new(config).unwrap();
    while connection.is_handshaking() {
        if connection.complete_io(&mut stream).is_err() {
            return;
        }
    }
    shared.open.lock().unwrap().push(stream.try_clone().unwrap());
    shared.greetings.lock().unwrap().push(Greeting {
        server_name: connection.server_name().map(str::to_owned),
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        client_certificate: connection.peer_certificates().map(|chain| chain[0].to_vec()),
    });
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    loop {
        let mut head = String::new();
        loop {
            match stream.read_line(&mut head) {
                Ok(read) if read > 0 => {}
                _ => return,
            }
            if head.ends_with("\r\n\r\n") {
                break;
            }
        }
        let closes = head.to_ascii_lowercase().contains("connection: close");
        shared.requests.lock().unwrap().push(head);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
        let writer = stream.get_mut();
        if writer.write_all(answer.as_bytes()).and_then(|()| writer.flush()).is_err() {
            return;
        }
        if closes {
            writer.conn.send_close_notify();
            let _ = writer.flush();
            return;
        }
    }
}
