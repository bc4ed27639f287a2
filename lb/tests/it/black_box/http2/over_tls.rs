//! HTTP/2 over TLS, where the handshake says so.

use std::sync::Arc;

use http::Request;

use super::super::support::{Backend, Balancer, Behaviour, Framing, text};
use super::super::tls_support::{Authority, TlsClient, client_config};
use super::client::Http2Client;

/// A request to `a.example`.
fn of_a(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("https://a.example{path}")).body(()).unwrap()
}

/// Two servers of one address; HTTP/2 is that of `a.example`.
fn two_servers(folder: &std::path::Path, backend: &Backend) -> String {
    let authority = Authority::new("authority");
    let of = |name: &str| authority.issue(&[name]).write(folder, name);
    format!(
        "server {{ listen LISTEN ssl; server_name b.example; {} return 200 \"b $http2 $ssl_alpn_protocol\"; }}
         server {{ listen LISTEN ssl; server_name a.example; http2 on; {}
             client_max_body_size 0;
             location / {{ return 200 \"a $http2 $scheme $ssl_alpn_protocol\"; }}
             location /proxied {{ proxy_pass http://{}; }} }}",
        of("b.example"),
        of("a.example"),
        backend.address
    )
}

#[test]
fn the_name_in_the_handshake_decides_whether_http2_is_offered() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::start("one");
    let balancer = Balancer::start(&two_servers(folder.path(), &backend));
    let mut client = Http2Client::connect_tls(balancer.address, "a.example");
    let exchange = client.begin(of_a("GET", "/"), false);
    assert_eq!(client.finish(exchange).unwrap().answer.body, "a h2 https h2");

    let mut both = client_config();
    both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut other = TlsClient::with(both.clone(), balancer.address, "b.example").unwrap();
    assert_eq!(other.get("b.example", "/").unwrap().body, "b  http/1.1");
    let chosen = TlsClient::with(both, balancer.address, "a.example").unwrap();
    assert_eq!(chosen.session().alpn_protocol(), Some(&b"h2"[..]));
    // Who does not ask for it gets HTTP/1 there, too.
    let mut first = TlsClient::connect(balancer.address, "a.example");
    assert_eq!(first.get("a.example", "/").unwrap().body, "a  https http/1.1");
}

#[test]
fn large_bodies_pass_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::start("one");
    let balancer = Balancer::start(&two_servers(folder.path(), &backend));
    let mut client = Http2Client::connect_tls(balancer.address, "a.example");
    let body = text(500_000);
    let whole = client.post(of_a("POST", "/proxied"), body.as_bytes(), 16_384).unwrap();
    assert_eq!(whole.answer.status, 200);
    assert!(backend.seen()[0].body == body.as_bytes());
    backend.behave(Behaviour::Large(1_000_000, Framing::Length));
    let begun: Vec<_> = (0..5).map(|_| client.begin(of_a("GET", "/proxied"), false)).collect();
    for exchange in begun {
        assert!(client.finish(exchange).unwrap().answer.body == text(1_000_000));
    }
}

/// The configuration of a client that speaks nothing else.
pub(super) fn http2_only() -> Arc<rustls::ClientConfig> {
    let mut config = client_config();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}
