//! Who the client is behind other proxies: the PROXY protocol, and fields of proxies that are believed.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::support::{Backend, Balancer, Client, get};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n";
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11\xc0\0\x02\x01\xc0\0\x02\x09\x10\xe1\x01\xbb\x01\0\x02h2";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 203.0.113.66\r\n\r\n";

/// A server that tells the backend who the client is.
fn telling(backend: &Backend, listen: &str, settings: &str) -> String {
    let backend = backend.address;
    format!(
        "server {{ listen LISTEN {listen}; {settings} location / {{ proxy_pass http://{backend}; \
         proxy_set_header X-Client $remote_addr:$remote_port; \
         proxy_set_header X-Proxied $proxy_protocol_addr:$proxy_protocol_port:$proxy_protocol_tlv_alpn; }} }}"
    )
}

const BEHIND_PROXY: &str = "set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;";

fn client_seen_by(backend: &Backend) -> String {
    backend.seen().last().unwrap().headers["x-client"].clone()
}

#[test]
fn a_proxy_protocol_header_may_come_in_any_pieces() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&telling(&backend, "proxy_protocol", BEHIND_PROXY));
    for (header, proxied) in [(V1, "192.0.2.1:4321:"), (V2, "192.0.2.1:4321:h2")] {
        for piece in [1, 7, 16, header.len(), header.len() + 5, header.len() + REQUEST.len()] {
            let mut client = Client::connect(balancer.address);
            for bytes in [header, REQUEST].concat().chunks(piece) {
                client.send(bytes);
            }
            assert_eq!(client.receive().expect("an answer").status, 200, "{piece}");
            // The header stands once, before the first request.
            assert_eq!(client.get("/again").expect("the next answer").status, 200, "{piece}");
            let seen = backend.seen();
            for one in &seen[seen.len() - 2..] {
                let fields = (one.headers["x-client"].as_str(), one.headers["x-proxied"].as_str());
                assert_eq!(fields, ("192.0.2.1:4321", proxied), "{piece}");
            }
        }
    }
}

#[test]
fn what_is_no_header_ends_the_connection_and_reaches_nobody() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&telling(&backend, "proxy_protocol", BEHIND_PROXY));
    for (bytes, words) in [
        (
            REQUEST,
            "broken header: \"GET / HTTP/1.1\" while reading PROXY protocol, client: 127.0.0.1, server: ",
        ),
        (
            b"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",
            "broken header: \"PROXY TCP4 1.2.3 5.6.7.8 1 2\" while reading",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
            "unknown PROXY protocol version: 3 while reading PROXY protocol",
        ),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "header is too large while reading PROXY protocol"),
    ] {
        let mut client = Client::connect(balancer.address);
        client.send(bytes);
        assert!(client.receive().is_none(), "{words}");
        balancer.says(words);
    }
    assert_eq!(backend.heads(), 0);
}

#[test]
fn a_header_that_does_not_come_ends_the_connection() {
    let backend = Backend::start("a");
    let settings = format!("client_header_timeout 200ms; {BEHIND_PROXY}");
    let balancer = Balancer::start(&telling(&backend, "proxy_protocol", &settings));
    for begun in [&b""[..], &V1[..20], &V2[..20]] {
        let mut client = Client::connect(balancer.address);
        client.send(begun);
        assert!(client.receive().is_none());
    }
    balancer
        .says("client timed out (110: Connection timed out) while reading PROXY protocol, client: 127.0.0.1");
    assert_eq!(backend.heads(), 0);
}

#[test]
fn a_stop_does_not_wait_for_a_header() {
    let backend = Backend::start("a");
    let mut balancer = Balancer::start(&telling(&backend, "proxy_protocol", BEHIND_PROXY));
    let mut silent = Client::connect(balancer.address);
    let mut begun = Client::connect(balancer.address);
    begun.send(&V1[..20]);
    let mut served = Client::connect(balancer.address);
    served.send([V1, REQUEST].concat());
    assert_eq!(served.receive().expect("an answer").status, 200);
    balancer.signal("QUIT");
    let (took, code) = balancer.wait();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(silent.receive().is_none() && begun.receive().is_none());
}

#[test]
fn a_reload_decides_for_connections_to_come() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&telling(&backend, "", ""));
    let mut plain = Client::connect(balancer.address);
    assert_eq!(plain.get("/").expect("an answer").status, 200);
    balancer.write(&telling(&backend, "proxy_protocol", BEHIND_PROXY));
    balancer.reload("success");
    let mut proxied = Client::connect(balancer.address);
    proxied.send([V1, REQUEST].concat());
    assert_eq!(proxied.receive().expect("an answer").status, 200);
    assert_eq!(client_seen_by(&backend), "192.0.2.1:4321");
    balancer.write(&telling(&backend, "", ""));
    balancer.reload("success");
    assert_eq!(get(balancer.address, "/").status, 200);
    assert!(client_seen_by(&backend).starts_with("127.0.0.1:"));
}

#[test]
fn only_who_is_believed_says_who_the_client_is() {
    let backend = Backend::start("a");
    let settings = "set_real_ip_from 127.0.0.2; set_real_ip_from 10.0.0.0/8; \
                    real_ip_header X-Forwarded-For; real_ip_recursive on;";
    let balancer = Balancer::start(&telling(&backend, "", settings));
    for (from, forwarded, expected) in [
        (2, "192.0.2.1", "192.0.2.1:"),
        (2, "192.0.2.1:99, 10.0.0.1", "192.0.2.1:99"),
        (2, "192.0.2.66, 192.0.2.1, 10.0.0.1", "192.0.2.1:"),
        (3, "192.0.2.1", "127.0.0.3"),
        (3, "127.0.0.2", "127.0.0.3"),
        (3, "192.0.2.1, 10.0.0.1", "127.0.0.3"),
        (2, "nonsense", "127.0.0.2"),
    ] {
        let mut client = Client::connect_from(Ipv4Addr::new(127, 0, 0, from), balancer.address);
        client.send(format!("GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: {forwarded}\r\n\r\n"));
        assert_eq!(client.receive().expect("an answer").status, 200);
        let seen = client_seen_by(&backend);
        let matches =
            if expected.ends_with(|last: char| last.is_ascii_digit()) && expected.starts_with("127.") {
                seen.starts_with(&format!("{expected}:"))
            } else {
                seen == expected
            };
        assert!(matches, "{from} {forwarded}: {seen}");
    }
}

#[test]
fn the_error_log_names_the_found_client() {
    let refusing = super::support::free_port();
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN; set_real_ip_from 127.0.0.1; location / {{ proxy_pass http://127.0.0.1:{refusing}; }} }}"
    ));
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.1\r\nHost: test\r\nX-Real-IP: 192.0.2.1\r\n\r\n");
    assert_eq!(client.receive().expect("an answer").status, 502);
    balancer.says("while connecting to upstream, client: 192.0.2.1, server: ");
}

#[test]
fn names_are_believed_by_their_addresses() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&telling(&backend, "", "set_real_ip_from localhost;"));
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.1\r\nHost: test\r\nX-Real-IP: 192.0.2.1\r\n\r\n");
    assert_eq!(client.receive().expect("an answer").status, 200);
    assert_eq!(client_seen_by(&backend), "192.0.2.1:");
    balancer.write(&telling(&backend, "", "set_real_ip_from no-such-name.invalid;"));
    balancer.reload("failure");
    balancer.says("host not found in set_real_ip_from \"no-such-name.invalid\"");
}
