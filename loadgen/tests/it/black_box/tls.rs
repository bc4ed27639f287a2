//! TLS: who is believed, what happens to who is not, and what the HTTP above it makes of its ends.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, version};

use super::failures::assert_only;
use super::scripted::{Client, Finished, Server, finish, loadgen, run, signal, start};

/// An authority of the test's own.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), issuer.pem()).unwrap();
        Self { issuer, file }
    }

    fn file(&self) -> &str {
        self.file.path().to_str().unwrap()
    }

    /// A server's side that proves these names.
    fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        self.server_of(names, &[&version::TLS13, &version::TLS12])
    }

    fn server_of(&self, names: &[&str], versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Arc::new(config)
    }
}

/// Answers requests until the client closes.
fn serve(mut client: Client) {
    while client.request().is_some() {
        client.answer(200, "b1");
    }
}

fn https(server: &Server) -> String {
    format!("https://{}", server.address)
}

/// Runs against the server's address with these further words.
fn run_https(server: &Server, words: &[&str]) -> Finished {
    let url = https(server);
    run(&[&["--json", "-u", &url], words].concat())
}

#[test]
fn an_own_authority_is_believed_and_connections_are_kept() {
    let authority = Authority::new("own");
    for version in [&version::TLS13, &version::TLS12] {
        let config = authority.server_of(&["127.0.0.1"], &[version]);
        let server = Server::start_tls(move |_| Some(Arc::clone(&config)), serve);
        let finished = run_https(&server, &["-n", "100", "-c", "4", "--ca-file", authority.file()]);
        assert_eq!((finished.status, finished.stderr.as_str()), (0, ""), "{version:?}");
        let result = finished.json();
        assert_eq!(result["requests"]["successful"], 100);
        assert_eq!(result["backends"][0]["name"], "b1");
        assert_eq!(server.requests(), 100);
        // One more proved beforehand that the server can be believed.
        assert_eq!(result["connections"]["opened"].as_u64().unwrap() + 1, server.connections());
        assert!(server.connections() <= 5, "{result:#}");
    }
}

#[test]
fn the_server_is_asked_for_the_urls_host_or_the_name_given() {
    let authority = Authority::new("own");
    let config = authority.server(&["localhost", "shop.test"]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let server = Server::start_tls(
        move |_| Some(Arc::clone(&config)),
        move |mut client| {
            while let Some(request) = client.request() {
                let host = request.head.lines().find_map(|line| line.strip_prefix("Host: "));
                log.lock().unwrap().push((client.asked_name(), host.map(str::to_owned)));
                client.answer(200, "b1");
            }
        },
    );
    let port = server.address.port();
    let local = format!("https://localhost:{port}");
    let by_address = https(&server);
    for words in [&["-u", &local][..], &["-u", &by_address, "--server-name", "shop.test"]] {
        let finished = run(&[&["-n", "1", "--ca-file", authority.file()], words].concat());
        assert_eq!(finished.status, 0, "{finished:?}");
    }
    let expected = [("localhost", format!("localhost:{port}")), ("shop.test", server.address.to_string())];
    let expected: Vec<_> =
        expected.into_iter().map(|(name, host)| (Some(name.to_owned()), Some(host))).collect();
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn without_a_file_the_machines_authorities_count() {
    let authority = Authority::new("installed");
    let other = Authority::new("another");
    let config = authority.server(&["127.0.0.1"]);
    let server = Server::start_tls(move |_| Some(Arc::clone(&config)), serve);
    for (file, status, expected) in [
        (authority.file(), 0, ""),
        (other.file(), 4, "UnknownIssuer (--ca-file names further authorities)"),
        ("/dev/null", 4, "no certificates to trust"),
    ] {
        let mut command = loadgen(&["-n", "1", "-u", &https(&server)]);
        command.env("SSL_CERT_FILE", file).env_remove("SSL_CERT_DIR");
        let finished = finish(start(&mut command));
        assert_eq!(finished.status, status, "{finished:?}");
        assert!(finished.stderr.contains(expected), "{finished:?}");
    }
}

#[test]
fn a_server_that_cannot_prove_its_name_is_unreachable() {
    let authority = Authority::new("own");
    let other = Authority::new("another");
    let config = authority.server(&["other.test", "127.0.0.1"]);
    let server = Server::start_tls(move |_| Some(Arc::clone(&config)), serve);
    let table: &[(&[&str], &str)] = &[
        (&["--ca-file", authority.file(), "--server-name", "shop.test"], "not valid for name"),
        (&["--ca-file", other.file()], "UnknownIssuer (--ca-file names further authorities)"),
    ];
    for (words, expected) in table {
        let finished = run_https(&server, words);
        assert_eq!((finished.status, finished.stdout.as_str()), (4, ""), "{finished:?}");
        let beginning = format!("error: cannot connect to {0}: {0}: TLS handshake failed: ", server.address);
        assert!(finished.stderr.starts_with(&beginning), "{finished:?}");
        assert!(finished.stderr.contains(expected), "{finished:?}");
    }
    assert_eq!(server.requests(), 0);
    // Both files together hold the authority.
    let both = ["-n", "1", "--ca-file", other.file(), "--ca-file", authority.file()];
    assert_eq!(run_https(&server, &both).status, 0);
}

#[test]
fn insecure_believes_anyone_and_says_so() {
    let authority = Authority::new("own");
    let config = authority.server(&["other.test"]);
    let server = Server::start_tls(move |_| Some(Arc::clone(&config)), serve);
    let finished = run_https(&server, &["-n", "10", "--insecure"]);
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.json()["requests"]["successful"], 10);
    assert!(finished.stderr.starts_with("warning: with --insecure "), "{finished:?}");
}

#[test]
fn a_server_without_tls_is_unreachable() {
    let plain = Server::start(|mut client| {
        client.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        client.wait_for_close();
    });
    let finished = run_https(&plain, &["--insecure"]);
    assert_eq!(finished.status, 4, "{finished:?}");
    assert!(finished.stderr.contains("TLS handshake failed: "), "{finished:?}");

    let silent = Server::start(|mut client| client.wait_for_close());
    let finished = run_https(&silent, &["--insecure", "--timeout", "100ms"]);
    assert_eq!(finished.status, 4, "{finished:?}");
    assert!(finished.stderr.contains("TLS handshake not done after 100ms"), "{finished:?}");
}

/// Five requests to a server that is itself for the connection that proves it, and then behaves as said.
fn fails_with(
    kind: &str,
    words: &[&str],
    has_tls: bool,
    names: &'static [&'static str],
    behaviour: impl Fn(Client) + Send + Sync + 'static,
) {
    let authority = Authority::new("own");
    let (good, later) = (authority.server(&["127.0.0.1"]), authority.server(names));
    let config = move |index| match index {
        0 => Some(Arc::clone(&good)),
        _ => has_tls.then(|| Arc::clone(&later)),
    };
    let server = Server::start_tls(config, move |client| match client.index {
        0 => serve(client),
        _ => behaviour(client),
    });
    let finished = run_https(&server, &[&["-n", "5", "--ca-file", authority.file()], words].concat());
    assert_eq!(finished.status, 1, "{finished:?}");
    assert_only(&finished.json(), kind, 5);
    assert_eq!(finished.json()["requests"]["successful"], 0);
}

#[test]
fn another_certificate_in_the_midst_of_a_run() {
    fails_with("tls", &[], true, &["other.test"], serve);
}

#[test]
fn no_tls_in_the_midst_of_a_run() {
    fails_with("tls", &[], false, &[], |mut client| {
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        client.wait_for_close();
    });
}

#[test]
fn a_handshake_that_is_closed_or_reset_or_too_slow_is_what_it_is() {
    fails_with("closed_early", &[], false, &[], |mut client| {
        client.some_bytes();
    });
    fails_with("reset", &[], false, &[], |client| client.reset_unread());
    fails_with("timed_out", &["-c", "5", "--timeout", "300ms"], false, &[], |mut client| {
        client.wait_for_close();
    });
}

#[test]
fn a_record_that_is_none_within_an_answer() {
    fails_with("tls", &[], true, &["127.0.0.1"], |mut client| {
        client.request();
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
        client.send_beneath_tls("this is no TLS record");
        client.wait_for_close();
    });
}

#[test]
fn an_answer_that_breaks_off_is_closed_early_as_without_tls() {
    for notifies in [false, true] {
        fails_with("closed_early", &[], true, &["127.0.0.1"], move |mut client| {
            client.request();
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
            if notifies {
                client.notify_close();
            }
        });
    }
}

#[test]
fn an_answer_that_ends_with_the_connection_needs_the_alert() {
    let until_close = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
    // Without it anyone on the way may have cut it short.
    fails_with("closed_early", &[], true, &["127.0.0.1"], move |mut client| {
        client.request();
        client.send(until_close);
    });

    let authority = Authority::new("own");
    let config = authority.server(&["127.0.0.1"]);
    let server = Server::start_tls(
        move |_| Some(Arc::clone(&config)),
        move |mut client| {
            if client.request().is_some() {
                client.send(until_close);
                client.notify_close();
            }
        },
    );
    let finished = run_https(&server, &["-n", "5", "--ca-file", authority.file()]);
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.json()["connections"]["opened"], 5);
}

#[test]
fn a_stale_connection_is_resent_on_with_or_without_the_alert() {
    for notifies in [false, true] {
        let authority = Authority::new("own");
        let config = authority.server(&["127.0.0.1"]);
        let server = Server::start_tls(
            move |_| Some(Arc::clone(&config)),
            move |mut client| {
                for _ in 0..2 {
                    if client.request().is_none() {
                        return;
                    }
                    client.answer(200, "b1");
                }
                client.head();
                if notifies {
                    client.notify_close();
                }
            },
        );
        let finished = run_https(&server, &["-n", "9", "--ca-file", authority.file()]);
        assert_eq!(finished.status, 0, "{finished:?}");
        let expected = json!({ "total": 9, "successful": 9, "failed": 0, "unfinished": 0, "hung": 0, "unconnected": 0, "unsent": 0, "resent": 4 });
        assert_eq!(finished.json()["requests"], expected, "{notifies}");
    }
}

#[test]
fn large_bodies_get_through_both_ways() {
    let authority = Authority::new("own");
    let config = authority.server(&["127.0.0.1"]);
    let server = Server::start_tls(
        move |_| Some(Arc::clone(&config)),
        |mut client| {
            while let Some(request) = client.request() {
                assert_eq!(request.body.len(), 3 << 20);
                // The client has to keep back what the socket does not take.
                thread::sleep(Duration::from_millis(20));
                let body = "y".repeat(2 << 20);
                client.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
            }
        },
    );
    let finished = run_https(&server, &["-n", "4", "--body", "3m", "--ca-file", authority.file()]);
    assert_eq!(finished.status, 0, "{finished:?}");
    // All on one connection, beside the one that proved the server.
    assert_eq!((server.requests(), server.connections()), (4, 2));
}

#[test]
fn a_comparison_can_be_interrupted_while_a_target_is_reached() {
    let authority = Authority::new("authority");
    let config = authority.server(&["127.0.0.1"]);
    // The first handshake proves that the target is there; the second never ends.
    let a = Server::start_tls(
        move |index| (index == 0).then(|| Arc::clone(&config)),
        |mut client| {
            client.wait_for_close();
        },
    );
    let b = Server::of_backends(&["b1"]);
    let child = start(&mut loadgen(&["ab", "--insecure", &https(&a), &b.url()]));
    let deadline = Instant::now() + Duration::from_secs(10);
    while a.connections() < 2 {
        assert!(Instant::now() < deadline, "{} connections", a.connections());
        thread::sleep(Duration::from_millis(1));
    }
    let interrupted = Instant::now();
    signal(&child, "INT");
    let finished = finish(child);
    assert!(interrupted.elapsed() < Duration::from_secs(2), "{:?}", interrupted.elapsed());
    assert!(finished.stdout.contains("\nInterrupted.\n"), "{finished:?}");
    assert_eq!(b.requests(), 0);
}

#[test]
fn targets_with_tls_are_compared_too() {
    let authority = Authority::new("authority");
    let [a, b] = [(); 2].map(|()| {
        let config = authority.server(&["127.0.0.1"]);
        Server::start_tls(
            move |_| Some(Arc::clone(&config)),
            |mut client| {
                while client.request().is_some() {
                    thread::sleep(Duration::from_millis(1));
                    client.answer(200, "b1");
                }
            },
        )
    });
    let words = ["ab", "--json", "-c", "2", "--slice", "30ms", "--ca-file", authority.file()];
    let finished = run(&[&words[..], &[&https(&a), &https(&b)]].concat());
    assert_eq!(finished.status, 0, "{finished:?}");
    let comparison = &finished.json()["comparison"];
    assert_eq!((&comparison["pairs"], &comparison["b"]["failed"]), (&json!(20), &json!(0)), "{comparison:#}");
}
