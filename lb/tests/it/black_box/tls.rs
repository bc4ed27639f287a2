//! TLS to clients: the handshake, the choice of a certificate, and everything that HTTP does over it.

use super::support::{Backend, Balancer, Behaviour, Client, Framing, PATIENCE, eventually, get, text};
use super::tls_support::{Authority, TlsClient, client_config, der};

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

#[test]
fn http_where_tls_is_spoken_gets_nginxs_words_or_the_page_of_497() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]).write(folder.path(), "a");
    let balancer = Balancer::start(&format!(
        "{certificate}
         server {{ listen LISTEN ssl; return 200 secret; }}
         server {{ listen LISTEN ssl; server_name kind; error_page 497 https://$host$request_uri; return 200 secret; }}"
    ));
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let answer = client.receive().unwrap();
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("<center>The plain HTTP request was sent to HTTPS port</center>"),
        "{answer:?}"
    );
    assert_eq!(answer.headers["connection"], "close");
    assert!(client.is_closed_within(PATIENCE));
    let mut client = Client::connect(balancer.address);
    client.send("GET /x?y HTTP/1.1\r\nHost: kind\r\n\r\n");
    let answer = client.receive().unwrap();
    assert_eq!((answer.status, answer.headers["location"].as_str()), (302, "https://kind/x?y"));
    assert_eq!(balancer.metric("lb_tls_handshake_failures_total{reason=\"plain_http\"}"), 2);
}

#[test]
fn versions_and_suites_are_those_of_the_server_that_the_name_chooses() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]).write(folder.path(), "a");
    let server = "return 200 \"$ssl_protocol $ssl_cipher $ssl_curve\";";
    let balancer = Balancer::start(&format!(
        "{certificate}
         server {{ listen LISTEN ssl; server_name any; {server} }}
         server {{ listen LISTEN ssl; server_name old; ssl_protocols TLSv1.2; ssl_ecdh_curve secp384r1;
                   ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256; {server} }}
         server {{ listen LISTEN ssl; server_name own; ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256; {server} }}
         server {{ listen LISTEN ssl; server_name order; ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on;
                   ssl_ciphers CHACHA20:AESGCM; {server} }}
         server {{ listen LISTEN ssl; server_name none; ssl_reject_handshake on; }}"
    ));
    for (name, expected) in [
        ("any", "TLSv1.3 TLS_AES_256_GCM_SHA384 X25519MLKEM768"),
        ("old", "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 secp384r1"),
        ("own", "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256 X25519MLKEM768"),
        ("order", "TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305 X25519"),
    ] {
        assert_eq!(TlsClient::connect(balancer.address, name).get(name, "/").unwrap().body, expected);
    }
    let rejected = TlsClient::with(client_config(), balancer.address, "none").map(drop).unwrap_err();
    assert!(rejected.to_string().contains("UnrecognisedName"), "{rejected}");
    let mut other = client_config();
    other.alpn_protocols = vec![b"smtp".to_vec()];
    assert!(TlsClient::with(other, balancer.address, "any").is_err());
    let count = |sample: &str| balancer.metric(sample);
    assert_eq!(count("lb_tls_handshakes_total{protocol=\"TLSv1.3\",session=\"new\"}"), 2);
    assert_eq!(count("lb_tls_handshakes_total{protocol=\"TLSv1.2\",session=\"new\"}"), 2);
    assert_eq!(count("lb_tls_handshake_failures_total{reason=\"rejected\"}"), 1);
    assert_eq!(count("lb_tls_handshake_failures_total{reason=\"alpn\"}"), 1);
}

#[test]
fn a_reload_takes_a_changed_certificate_and_refuses_a_bad_one() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("test");
    let (first, second) = (authority.issue(&["a.test"]), authority.issue(&["a.test"]));
    let http =
        format!("server {{ listen LISTEN ssl; {} return 200 $scheme; }}", first.write(folder.path(), "a"));
    let balancer = Balancer::start(&http);
    let mut open = TlsClient::connect(balancer.address, "a.test");
    assert_eq!(open.get("a.test", "/").unwrap().body, "https");

    std::fs::write(folder.path().join("a.key"), "nothing").unwrap();
    balancer.reload("failure");
    balancer.says("cannot load certificate key \"");
    std::fs::write(folder.path().join("a.key"), &second.key).unwrap();
    balancer.reload("failure");
    balancer.says("key values mismatch");
    let shown = || TlsClient::connect(balancer.address, "a.test").certificate();
    assert_eq!(shown(), der(&first.chain));

    second.write(folder.path(), "a");
    balancer.reload("success");
    assert_eq!(shown(), der(&second.chain));
    assert_eq!(open.get("a.test", "/").unwrap().body, "https");
    let left = get(balancer.admin, "/metrics").body;
    assert!(left.contains("lb_tls_certificate_expires_in_seconds{file="), "{left}");
}

#[test]
fn handshakes_that_are_held_end_in_time_and_hold_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]).write(folder.path(), "a");
    let balancer = Balancer::start(&format!(
        "client_header_timeout 2s; server {{ listen LISTEN ssl; {certificate} return 200 ok; }}"
    ));
    // Silent ones, and ones that stop within their first message.
    let mut held: Vec<Client> = (0..100).map(|_| Client::connect(balancer.address)).collect();
    held.iter_mut().step_by(2).for_each(|client| client.send([0x16, 3, 1, 2, 0, 1, 0]));
    for _ in 0..10 {
        assert_eq!(TlsClient::connect(balancer.address, "a.test").get("a.test", "/").unwrap().body, "ok");
    }
    assert!(held.iter_mut().all(|client| client.is_closed_within(PATIENCE)));
    eventually("all are counted", || {
        balancer.metric("lb_tls_handshake_failures_total{reason=\"timed_out\"}") == 100
    });
}
