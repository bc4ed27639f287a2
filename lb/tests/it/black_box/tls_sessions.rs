//! Sessions that are resumed: by tickets, by caches, across reloads and across processes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::support::{Balancer, PATIENCE, eventually};
use super::tls_support::{Authority, TlsClient, client_config};

/// A client that keeps its sessions.
fn remembering(tls_1_2: bool) -> ClientConfig {
    let mut config = client_config();
    if tls_1_2 {
        let versions: &[_] = &[&rustls::version::TLS12];
        let built = ClientConfig::builder_with_protocol_versions(versions);
        let roots = rustls::RootCertStore::empty();
        let mut old = built.with_root_certificates(roots).with_no_client_auth();
        old.alpn_protocols.clone_from(&config.alpn_protocols);
        old.dangerous().set_certificate_verifier(super::tls_support::trusting());
        config = old;
    }
    config.resumption = Resumption::in_memory_sessions(16);
    config
}

fn said(config: &ClientConfig, balancer: &Balancer) -> String {
    let mut client = TlsClient::with(config.clone(), balancer.address, "a.test").unwrap();
    client.get("a.test", "/").unwrap().body
}

const SAYS: &str = "return 200 $ssl_session_reused;";

#[test]
fn tickets_and_caches_resume_sessions_and_their_absence_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]).write(folder.path(), "a");
    for (settings, resumed) in [
        ("", "r"),
        ("ssl_session_tickets off;", "."),
        ("ssl_session_tickets off; ssl_session_cache shared:s:1m;", "r"),
        ("ssl_session_tickets off; ssl_session_cache builtin;", "r"),
        ("ssl_session_cache shared:s:1m;", "r"),
    ] {
        let balancer =
            Balancer::start(&format!("server {{ listen LISTEN ssl; {certificate} {settings} {SAYS} }}"));
        for tls_1_2 in [false, true] {
            let config = remembering(tls_1_2);
            let all = [said(&config, &balancer), said(&config, &balancer)].join(" ");
            assert_eq!(all, format!(". {resumed}"), "{settings} {tls_1_2}");
        }
        let count = balancer.metric("lb_tls_handshakes_total{protocol=\"TLSv1.3\",session=\"resumed\"}");
        assert_eq!(count, u64::from(resumed == "r"));
    }
}

#[test]
fn sessions_outlive_a_reload_and_end_with_their_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("test");
    let certificate = authority.issue(&["a.test"]).write(folder.path(), "a");
    for settings in ["", "ssl_session_tickets off; ssl_session_cache shared:s:1m;"] {
        let http = format!("server {{ listen LISTEN ssl; {certificate} {settings} {SAYS} }}");
        let balancer = Balancer::start(&http);
        let config = remembering(false);
        assert_eq!(said(&config, &balancer), ".");
        balancer.reload("success");
        assert_eq!(said(&config, &balancer), "r", "{settings}");
        authority.issue(&["a.test"]).write(folder.path(), "a");
        balancer.reload("success");
        assert_eq!(said(&config, &balancer), ".", "{settings}");
    }
}

#[test]
fn servers_with_one_ticket_key_resume_each_others_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]).write(folder.path(), "a");
    for (name, byte, length) in [("old", 1, 48), ("new", 2, 80), ("other", 3, 80), ("short", 4, 47)] {
        std::fs::write(folder.path().join(name), vec![byte; length]).unwrap();
    }
    let key = |name: &str| format!("ssl_session_ticket_key {}/{name};", folder.path().display());
    let http = |keys: &str| format!("server {{ listen LISTEN ssl; {certificate} {keys} {SAYS} }}");
    let before = Balancer::start(&http(&key("old")));
    let after = Balancer::start(&http(&(key("new") + &key("old"))));
    let stranger = Balancer::start(&http(&key("other")));
    let config = remembering(false);
    assert_eq!(said(&config, &before), ".");
    assert_eq!(said(&config, &stranger), ".");
    let config = remembering(false);
    assert_eq!([said(&config, &before), said(&config, &after)], [".", "r"]);
    before.write(&http(&key("short")));
    before.reload("failure");
    before.says("/short\" must be 48 or 80 bytes");
}

/// A client that sends a request with its first message, and the bytes of that.
struct Early {
    stream: TcpStream,
    session: ClientConnection,
    first: Vec<u8>,
}

impl Early {
    fn connect(config: &ClientConfig, balancer: &Balancer, path: &str) -> Self {
        let mut stream = TcpStream::connect(balancer.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("a.test").unwrap();
        let mut session = ClientConnection::new(Arc::new(config.clone()), name).unwrap();
        let mut early = session.early_data().expect("the session allows early data");
        write!(early, "GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
        let mut first = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut first).unwrap();
        }
        stream.write_all(&first).unwrap();
        Self { stream, session, first }
    }

    /// Reads until the end of an answer has come, and says nothing more.
    fn listen(&mut self, end: &str) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(end.as_bytes()) {
            assert!(self.session.read_tls(&mut self.stream).unwrap() > 0, "{}", answer.escape_ascii());
            self.session.process_new_packets().unwrap();
            match self.session.reader().read_to_end(&mut answer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => drop(other.unwrap()),
            }
        }
        String::from_utf8(answer).unwrap()
    }

    fn finish(&mut self) {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.stream).unwrap();
        }
    }
}

const SAYS_EARLY: &str = "return 200 early=$ssl_early_data,reused=$ssl_session_reused.;";

#[test]
fn early_data_is_answered_at_once_and_never_twice() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]).write(folder.path(), "a");
    for settings in ["", "ssl_session_tickets off; ssl_session_cache shared:s:1m;"] {
        let balancer = Balancer::start(&format!(
            "server {{ listen LISTEN ssl; {certificate} ssl_early_data on; {settings} {SAYS_EARLY} }}"
        ));
        let mut config = remembering(false);
        config.enable_early_data = true;
        assert_eq!(said(&config, &balancer), "early=,reused=..");
        let mut client = Early::connect(&config, &balancer, "/");
        // The client has not ended its handshake: whoever sent this may be somebody else.
        assert!(client.listen("reused=r.").ends_with("early=1,reused=r."), "{settings}");
        assert!(client.session.is_early_data_accepted());
        client.session.writer().write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
        client.finish();
        assert!(client.listen("reused=r.").ends_with("early=,reused=r."), "the handshake is done");

        // The same bytes once more, from another socket.
        let before = balancer.metric("lb_http_requests_total");
        let mut replay = TcpStream::connect(balancer.address).unwrap();
        replay.set_read_timeout(Some(PATIENCE)).unwrap();
        replay.write_all(&client.first).unwrap();
        replay.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        replay.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(&[0x16, 3, 3]), "a handshake is offered: {}", answer.escape_ascii());
        let count = |metric: &str| balancer.metric(metric);
        eventually("its handshake fails", || {
            count("lb_tls_handshake_failures_total{reason=\"closed\"}") == 1
        });
        assert_eq!(balancer.metric("lb_http_requests_total"), before, "{settings}");
    }
}

#[test]
fn early_data_is_refused_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]).write(folder.path(), "a");
    for settings in ["", "ssl_early_data on; ssl_session_tickets off;"] {
        let balancer = Balancer::start(&format!(
            "server {{ listen LISTEN ssl; {certificate} {settings} {SAYS_EARLY} }}"
        ));
        let mut config = remembering(false);
        config.enable_early_data = true;
        assert_eq!(said(&config, &balancer), "early=,reused=..");
        let name = ServerName::try_from("a.test").unwrap();
        let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
        assert!(session.early_data().is_none(), "{settings}");
    }
}

#[test]
fn secrets_are_written_where_the_configuration_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Authority::new("test").issue(&["a.test"]).write(folder.path(), "a");
    let file = folder.path().join("keys");
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN ssl; {certificate} ssl_key_log {}; {SAYS} }}",
        file.display()
    ));
    let mut config = remembering(false);
    let theirs = Arc::new(Secrets::default());
    config.key_log = theirs.clone();
    said(&config, &balancer);
    let ours = std::fs::read_to_string(&file).unwrap();
    let mut theirs = theirs.0.lock().unwrap().clone();
    let mut ours: Vec<_> = ours.lines().map(str::to_owned).collect();
    // Each side has the secret of early data only where there is some.
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
    assert!(ours.iter().any(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")), "{ours:?}");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The secrets as the client knows them.
#[derive(Debug, Default)]
struct Secrets(Mutex<Vec<String>>);

impl rustls::KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let line = format!("{label} {} {}", hexadecimal(client_random), hexadecimal(secret));
        self.0.lock().unwrap().push(line);
    }
}
