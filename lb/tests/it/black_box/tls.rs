//! TLS to clients: the handshake, the choice of a certificate, and everything that HTTP does over it.

use super::support::{Backend, Balancer, Behaviour, Framing, get, text};
use super::tls_support::{Authority, TlsClient, der};

#[test]
fn a_request_over_tls_is_served_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]);
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN ssl; server_name a.test; {}
            location / {{ return 200 \"$scheme $https $ssl_protocol $ssl_cipher $ssl_curve $ssl_server_name $ssl_alpn_protocol $ssl_session_reused\"; }} }}",
        certificate.write(folder.path(), "a")
    ));
    let mut client = TlsClient::connect(balancer.address, "a.test");
    for _ in 0..3 {
        let answer = client.get("a.test", "/").unwrap();
        let expected = "https on TLSv1.3 TLS_AES_256_GCM_SHA384 X25519MLKEM768 a.test http/1.1 .";
        assert_eq!((answer.status, answer.body.as_str()), (200, expected));
    }
    assert_eq!(client.certificate(), der(&certificate.chain));
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    assert_eq!(client.receive().unwrap().status, 200);
    assert!(client.rest().unwrap().is_empty(), "the end of the connection is told");
}

#[test]
fn the_name_in_the_handshake_chooses_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("test");
    let names = ["default.test", "a.test", "x.wild.test", "r7.test"];
    let certificates = names.map(|name| authority.issue(&[name]));
    let written = |index: usize| certificates[index].write(folder.path(), names[index]);
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN ssl; server_name default.test; {} return 200 0; }}
         server {{ listen LISTEN ssl; server_name a.test; {} return 200 1; }}
         server {{ listen LISTEN ssl; server_name *.wild.test; {} return 200 2; }}
         server {{ listen LISTEN ssl; server_name ~^r\\d.test$; {} return 200 3; }}
         server {{ listen LISTEN ssl; server_name bare.test; return 200 4; }}",
        written(0),
        written(1),
        written(2),
        written(3)
    ));
    for (name, certificate, server) in [
        ("default.test", 0, "0"),
        ("a.test", 1, "1"),
        ("A.test", 1, "1"),
        ("x.wild.test", 2, "2"),
        ("r7.test", 3, "3"),
        ("other.test", 0, "0"),
        ("bare.test", 0, "4"),
    ] {
        let mut client = TlsClient::connect(balancer.address, name);
        assert_eq!(client.certificate(), der(&certificates[certificate].chain), "{name}");
        assert_eq!(client.get(name, "/").unwrap().body, server, "{name}");
    }
}

#[test]
fn large_bodies_pass_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]);
    let backend = Backend::start("a");
    let balancer = Balancer::start(&format!(
        "client_max_body_size 0; upstream backend {{ server {}; }}
         server {{ listen LISTEN ssl; {} location / {{ proxy_pass http://backend; }} }}",
        backend.address,
        certificate.write(folder.path(), "a")
    ));
    let mut client = TlsClient::connect(balancer.address, "a.test");
    let body = text(3_000_000);
    for framing in [Framing::Length, Framing::Chunks(&[1, 70_000, 3]), Framing::Length] {
        backend.behave(Behaviour::Large(body.len(), framing));
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
        client.send(&body);
        let answer = client.receive().unwrap();
        assert!(answer.body == body, "{framing:?}: {} bytes", answer.body.len());
        assert!(backend.seen().last().unwrap().body == body.as_bytes());
    }
}

#[test]
fn an_address_without_a_certificate_is_refused() {
    let balancer = Balancer::start("server { listen LISTEN; return 200 plain; }");
    balancer.write("server { listen LISTEN ssl; }");
    balancer.reload("failure");
    balancer.says("no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive in /");
    assert_eq!(get(balancer.address, "/").body, "plain");
}
