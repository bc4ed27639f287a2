//! Sessions that are resumed: by tickets, by caches, across reloads and across processes.

use rustls::ClientConfig;
use rustls::client::Resumption;

use super::support::Balancer;
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
