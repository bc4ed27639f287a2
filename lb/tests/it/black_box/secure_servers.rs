//! TLS to servers, seen from both ends. What nginx does the outside judge holds (`nginx-compat/judge/cases/servers_tls.py`).

use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use super::secure_backend::{Authority, Certified, SecureBackend};
use super::support::{Backend, Balancer, Client, eventually, get};
use tempfile::TempDir;

/// A balancer before a server, with files of certificates at hand.
struct Place {
    folder: TempDir,
    authority: Authority,
}

impl Place {
    fn new() -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("authority"));
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        Self { folder, authority }
    }

    fn server(&self, names: &[&str]) -> SecureBackend {
        SecureBackend::start("secure", &self.authority.certify(names))
    }

    fn balancer(&self, servers: &[SocketAddr], settings: &str) -> Balancer {
        let servers: String = servers.iter().map(|server| format!("server {server};")).collect();
        Balancer::start(&format!(
            "upstream a.example {{ health_check off; {servers} }}
             server {{ listen LISTEN; location / {{ proxy_pass https://a.example; {} }} }}",
            self.named(settings)
        ))
    }

    /// `DIR` in settings stands for the folder of certificates.
    fn named(&self, settings: &str) -> String {
        settings.replace("DIR", self.folder.path().to_str().unwrap())
    }

    fn write(&self, certified: &Certified, name: &str) {
        certified.write(self.folder.path(), name);
    }
}

const VERIFIED: &str = "proxy_ssl_verify on; proxy_ssl_trusted_certificate DIR/ca.pem;";

#[test]
fn one_connection_carries_many_requests() {
    let place = Place::new();
    let server = place.server(&["b.example"]);
    let balancer = place.balancer(&[server.address], "");
    let mut client = Client::connect(balancer.address);
    for _ in 0..5 {
        let answer = client.get("/x?y").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "secure"), "{}", balancer.log());
    }
    let greetings = server.greetings();
    assert_eq!(greetings.len(), 1, "{greetings:?}");
    assert_eq!(greetings[0].server_name, None, "SNI is off unless asked for");
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /x?y HTTP/1.1\r\nHost: a.example\r\n"), "{}", requests[0]);
}

#[test]
fn a_closed_connection_is_noticed_and_a_session_resumed() {
    let place = Place::new();
    let server = place.server(&["a.example"]);
    let balancer = place.balancer(&[server.address], "proxy_ssl_server_name on;");
    assert_eq!(get(balancer.address, "/").status, 200);
    server.close_all();
    for _ in 0..3 {
        assert_eq!(get(balancer.address, "/").status, 200, "{}", balancer.log());
    }
    let greetings = server.greetings();
    assert_eq!(greetings.len(), 2, "{greetings:?}");
    assert_eq!(greetings[0].server_name.as_deref(), Some("a.example"));
    assert!(!greetings[0].resumed && greetings[1].resumed, "{greetings:?}");

    let balancer = place.balancer(&[server.address], "proxy_ssl_session_reuse off;");
    get(balancer.address, "/");
    server.close_all();
    get(balancer.address, "/");
    assert!(server.greetings()[2..].iter().all(|greeting| !greeting.resumed));
}

#[test]
fn connections_end_as_the_upstream_says() {
    let place = Place::new();
    let server = place.server(&["a.example"]);
    let balancer = Balancer::start(&format!(
        "upstream few {{ health_check off; server {}; keepalive_requests 2; }}
         upstream short {{ health_check off; server {}; keepalive_timeout 50ms; }}
         server {{ listen LISTEN; location /few {{ proxy_pass https://few; }} location /short {{ proxy_pass https://short; }} }}",
        server.address, server.address
    ));
    for _ in 0..4 {
        assert_eq!(get(balancer.address, "/few").status, 200);
    }
    assert_eq!(server.greetings().len(), 2, "two requests each");
    assert_eq!(get(balancer.address, "/short").status, 200);
    let mut connections = 3;
    eventually("the idle connection is closed", || {
        assert_eq!(get(balancer.address, "/short").status, 200);
        std::mem::replace(&mut connections, server.greetings().len()) < server.greetings().len() || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            false
        }
    });
}

#[test]
fn a_server_is_verified_by_its_name() {
    let place = Place::new();
    let good = place.server(&["a.example"]);
    let bad = place.server(&["b.example"]);
    let status = |server: &SecureBackend, settings: &str| {
        let balancer = place.balancer(&[server.address], settings);
        (get(balancer.address, "/").status, balancer)
    };
    assert_eq!(status(&good, VERIFIED).0, 200);
    let (refused, balancer) = status(&bad, VERIFIED);
    assert_eq!(refused, 502);
    balancer.says("upstream SSL certificate does not match \"a.example\" while SSL handshaking to upstream");
    let metric = "lb_responses_generated_total{reason=\"handshake_failed\"}";
    eventually("the reason is counted", || balancer.metric(metric) == 1);
    assert_eq!(status(&bad, &format!("{VERIFIED} proxy_ssl_name b.example:443;")).0, 200);
    assert_eq!(status(&bad, &format!("{VERIFIED} proxy_ssl_name $arg_none;")).0, 502);

    let stranger = SecureBackend::start("x", &Authority::new("stranger").certify(&["a.example"]));
    let (refused, balancer) = status(&stranger, VERIFIED);
    assert_eq!(refused, 502);
    balancer.says("upstream SSL certificate verify error: (20:unable to get local issuer certificate)");

    let common = SecureBackend::start("x", &place.authority.certify_common_name("a.example"));
    assert_eq!(status(&common, VERIFIED).0, 200, "a common name will do where there is no other");
}

#[test]
fn a_chain_may_be_as_long_as_the_settings_say() {
    let place = Place::new();
    let middle = place.authority.below("middle");
    let low = middle.below("low");
    let one = SecureBackend::start("one", &middle.certify_under(&["a.example"], &[&middle]));
    let two = SecureBackend::start("two", &low.certify_under(&["a.example"], &[&low, &middle]));
    for (server, settings, status) in [
        (&one, "", 200),
        (&one, "proxy_ssl_verify_depth 0;", 502),
        (&two, "", 502),
        (&two, "proxy_ssl_verify_depth 2;", 200),
    ] {
        let balancer = place.balancer(&[server.address], &format!("{VERIFIED} {settings}"));
        assert_eq!(get(balancer.address, "/").status, status, "{settings}\n{}", balancer.log());
        if status == 502 {
            balancer.says("verify error: (22:certificate chain too long)");
        }
    }
}

#[test]
fn another_server_is_asked_when_a_handshake_fails() {
    let place = Place::new();
    let good = place.server(&["a.example"]);
    let bad = place.server(&["b.example"]);
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap();
    let greets = std::thread::spawn(move || plain.accept().unwrap().0.write_all(b"220 hello\r\n"));
    let balancer = place.balancer(&[bad.address, address, good.address], VERIFIED);
    let mut client = Client::connect(balancer.address);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    let answer = client.receive().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "secure"), "{}", balancer.log());
    assert_eq!(balancer.metric("lb_retries_total{reason=\"handshake_failed\"}"), 2);
    greets.join().unwrap().unwrap();
    balancer.says("SSL_do_handshake() failed (SSL: ");
}

#[test]
fn connections_of_different_identities_never_mix() {
    let place = Place::new();
    let certified = place.authority.certify(&["a.example", "b.example"]);
    let server = SecureBackend::start_asking("secure", &certified, Some(&place.authority));
    let [one, two] = ["one", "two"].map(|name| place.authority.certify(&[name]));
    place.write(&one, "one");
    place.write(&two, "two");
    let location = |path: &str, settings: &str| {
        format!("location {path} {{ proxy_pass https://up; {} }}", place.named(settings))
    };
    let balancer = Balancer::start(&format!(
        "upstream up {{ health_check off; server {}; }} proxy_ssl_server_name on;
         server {{ listen LISTEN; {} }}",
        server.address,
        [
            location("/a", "proxy_ssl_name a.example;"),
            location("/b", "proxy_ssl_name b.example;"),
            location("/verified", &format!("proxy_ssl_name a.example; {VERIFIED}")),
            location("/one", "proxy_ssl_certificate DIR/one.pem; proxy_ssl_certificate_key DIR/one.key;"),
            location("/two", "proxy_ssl_certificate DIR/two.pem; proxy_ssl_certificate_key DIR/two.key;"),
            location("/named", "proxy_ssl_name $arg_name;"),
        ]
        .concat()
    ));
    let paths = ["/a", "/b", "/verified", "/one", "/two", "/named?name=a.example", "/named?name=b.example"];
    for round in 1..=3 {
        for path in paths {
            assert_eq!(get(balancer.address, path).status, 200, "{path}\n{}", balancer.log());
        }
        assert_eq!(server.greetings().len(), paths.len(), "round {round}: one connection for each identity");
    }
    let greetings = server.greetings();
    let names: Vec<_> = greetings.iter().map(|greeting| greeting.server_name.as_deref()).collect();
    let [a, b, up] = ["a.example", "b.example", "up"].map(Some);
    assert_eq!(names, [a, b, a, up, up, a, b]);
    let shown: Vec<bool> = greetings.iter().map(|greeting| greeting.client_certificate.is_some()).collect();
    assert_eq!(shown, [false, false, false, true, true, false, false]);
    assert_ne!(greetings[3].client_certificate, greetings[4].client_certificate);
}

#[test]
fn files_are_read_when_a_configuration_is_prepared() {
    let place = Place::new();
    let server = place.server(&["a.example"]);
    let balancer = place.balancer(&[server.address], "");
    let with = |settings: &str| {
        format!(
            "server {{ listen LISTEN; location / {{ proxy_pass https://{}; {} }} }}",
            server.address,
            place.named(settings)
        )
    };
    for (settings, says) in [
        (
            "proxy_ssl_verify on; proxy_ssl_trusted_certificate DIR/none.pem;",
            "none.pem\": open() failed (2: No such file or directory)",
        ),
        ("proxy_ssl_verify on;", "no proxy_ssl_trusted_certificate for proxy_ssl_verify"),
        ("proxy_ssl_certificate DIR/ca.pem;", "no \"proxy_ssl_certificate_key\" is defined for certificate"),
        (
            "proxy_ssl_certificate DIR/ca.pem; proxy_ssl_certificate_key DIR/ca.pem;",
            "cannot load certificate key",
        ),
    ] {
        balancer.write(&with(settings));
        balancer.reload("failure");
        balancer.says(says);
    }
    assert_eq!(get(balancer.address, "/").status, 200, "the old one goes on");
    balancer.write(&with("proxy_ssl_name a.example; ".to_owned().as_str()).replace("proxy_pass", "# "));
    balancer.reload("failure");
    balancer.write(&with(&format!("proxy_ssl_name a.example; {VERIFIED}")));
    balancer.reload("success");
    assert_eq!(get(balancer.address, "/").status, 200);
}

#[test]
fn a_url_with_variables_may_say_https() {
    let place = Place::new();
    let server = place.server(&["a.example"]);
    let plain = Backend::start("plain");
    let balancer =
        Balancer::start("server { listen LISTEN; location / { proxy_pass $arg_scheme://$arg_to/up; } }");
    let secure = get(balancer.address, &format!("/?scheme=https&to={}", server.address));
    assert_eq!((secure.status, secure.body.as_str()), (200, "secure"), "{}", balancer.log());
    let other = get(balancer.address, &format!("/?scheme=http&to={}", plain.address));
    assert_eq!((other.status, other.body.as_str()), (200, "plain"));
    let host = format!("GET /up HTTP/1.1\r\nHost: {}\r\n", server.address);
    assert!(server.requests()[0].starts_with(&host), "{:?}", server.requests());
}

#[test]
fn probes_shake_hands_as_the_location_does() {
    let place = Place::new();
    let (good, bad) = (place.server(&["a.example"]), place.server(&["b.example"]));
    let balancer = Balancer::start(&format!(
        "upstream up {{ server {}; server {}; }}
         server {{ listen LISTEN; location / {{
             proxy_pass https://up; proxy_ssl_server_name on; proxy_ssl_name a.example; proxy_next_upstream off; {}
         }} }}",
        good.address,
        bad.address,
        place.named(VERIFIED)
    ));
    balancer.says(&format!(
        "upstream server {} is unreachable: upstream SSL certificate does not match \"a.example\"",
        bad.address
    ));
    eventually("the other is probed", || !good.greetings().is_empty());
    for _ in 0..4 {
        assert_eq!(get(balancer.address, "/").status, 200, "{}", balancer.log());
    }
    assert_eq!(good.greetings()[0].server_name.as_deref(), Some("a.example"));
    assert_eq!((good.requests().len(), bad.requests().len()), (4, 0));
}

#[test]
fn probes_shake_no_hands_where_a_location_does_not() {
    let place = Place::new();
    let bad = place.server(&["b.example"]);
    let balancer = Balancer::start(&format!(
        "upstream up {{ server {0}; }}
         server {{ listen LISTEN; location / {{ proxy_pass https://up; proxy_ssl_name a.example; {1} }}
             location /plain {{ proxy_pass http://up; }} }}",
        bad.address,
        place.named(VERIFIED)
    ));
    let probes = format!("lb_health_checks_total{{upstream=\"up\",server=\"{}\"}}", bad.address);
    eventually("it was probed", || balancer.metric(&probes) > 0);
    assert!(!balancer.log().contains("is unreachable"), "{}", balancer.log());
}

#[test]
fn secrets_are_written_where_the_settings_say() {
    let place = Place::new();
    let server = place.server(&["a.example"]);
    let balancer = place.balancer(&[server.address], "proxy_ssl_key_log DIR/keys;");
    assert_eq!(get(balancer.address, "/").status, 200, "{}", balancer.log());
    let keys = std::fs::read_to_string(place.folder.path().join("keys")).unwrap();
    assert!(keys.lines().any(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")), "{keys}");
}
