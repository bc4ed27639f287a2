//! Certificates of clients: who is let in, and what servers are told of them.

use super::support::{Balancer, get};
use super::tls_support::{Authority, TlsClient, client_config, client_config_with};

#[test]
fn clients_are_let_in_by_their_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    std::fs::write(folder.path().join("ca.pem"), &known.pem).unwrap();
    let (friend, stranger) = (known.issue(&["friend"]), unknown.issue(&["stranger"]));
    let server = |name: &str, how: &str| {
        format!(
            "server {{ listen LISTEN ssl; server_name {name}; ssl_verify_client {how}; return 200 \"$ssl_client_verify\"; }}"
        )
    };
    let balancer = Balancer::start(&format!(
        "{} ssl_client_certificate {}/ca.pem; {}{}{}{}",
        known.issue(&["a.test"]).write(folder.path(), "a"),
        folder.path().display(),
        server("off", "off"),
        server("on", "on"),
        server("optional", "optional"),
        server("any", "optional_no_ca")
    ));
    let get = |config, name: &str| {
        let answer = TlsClient::with(config, balancer.address, name).unwrap().get(name, "/").unwrap();
        (answer.status, answer.body)
    };
    let failed = "FAILED:unable to verify the first certificate";
    for (name, nobody, friends, strangers) in [
        ("off", "NONE", "NONE", "NONE"),
        ("on", "400 No required SSL certificate was sent", "SUCCESS", "400 The SSL certificate error"),
        ("optional", "NONE", "SUCCESS", "400 The SSL certificate error"),
        ("any", "NONE", "SUCCESS", failed),
    ] {
        for (config, expected) in [
            (client_config(), nobody),
            (client_config_with(&friend), friends),
            (client_config_with(&stranger), strangers),
        ] {
            let (status, body) = get(config, name);
            let said = match expected.strip_prefix("400 ") {
                None => status == 200 && body == expected,
                Some(_) => status == 400 && body.contains(&format!("<title>{expected}</title>")),
            };
            assert!(said, "{name}: {status} {body}, not {expected}");
        }
    }
}

#[test]
fn a_host_of_a_server_that_verifies_is_not_reached_by_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("known");
    std::fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    let balancer = Balancer::start(&format!(
        "{} server {{ listen LISTEN ssl; server_name open; return 200 open; }}
         server {{ listen LISTEN ssl; server_name other; return 200 other; }}
         server {{ listen LISTEN ssl; server_name closed; ssl_verify_client optional; ssl_client_certificate {}/ca.pem;
                   return 200 closed; }}",
        authority.issue(&["a.test"]).write(folder.path(), "a"),
        folder.path().display()
    ));
    for (sni, host, expected) in [
        ("open", "open", 200),
        ("open", "other", 200),
        ("open", "closed", 421),
        ("closed", "closed", 200),
        ("closed", "CLOSED:443", 200),
        ("closed", "open", 200),
        ("unknown", "closed", 200),
    ] {
        let answer = TlsClient::connect(balancer.address, sni).get(host, "/").unwrap();
        assert_eq!(answer.status, expected, "{sni} {host}: {answer:?}");
    }
    assert_eq!(balancer.metric("lb_responses_generated_total{reason=\"misdirected\"}"), 1);
    assert!(get(balancer.admin, "/healthz").status == 200);
}

#[test]
fn servers_learn_who_the_client_is() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("known");
    std::fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    let client = authority.issue(&["client.test"]);
    let balancer = Balancer::start(&format!(
        "{} server {{ listen LISTEN ssl; ssl_verify_client on; ssl_client_certificate {}/ca.pem;
            location /names {{ return 200 \"$ssl_client_s_dn|$ssl_client_i_dn|$ssl_client_s_dn_legacy|$ssl_client_serial\"; }}
            location /times {{ return 200 \"$ssl_client_v_start|$ssl_client_v_end|$ssl_client_v_remain\"; }}
            location /raw {{ return 200 $ssl_client_raw_cert; }}
            location /print {{ return 200 $ssl_client_fingerprint; }}
            location /offers {{ return 200 \"$ssl_ciphers|$ssl_curves\"; }} }}",
        authority.issue(&["a.test"]).write(folder.path(), "a"),
        folder.path().display()
    ));
    let mut connection = TlsClient::with(client_config_with(&client), balancer.address, "a.test").unwrap();
    let mut get = |path: &str| connection.get("a.test", path).unwrap().body;
    assert_eq!(get("/names"), "CN=client.test|CN=known|/CN=client.test|ABCD");
    assert!(get("/times").starts_with("Jan  1 00:00:00 1975 GMT|Jan  1 00:00:00 4096 GMT|"));
    assert_eq!(get("/raw").replace("\r\n", "\n").trim(), client.chain.replace("\r\n", "\n").trim());
    assert_eq!(get("/print").len(), 40);
    let offers = get("/offers");
    assert!(
        offers.starts_with("TLS_AES_256_GCM_SHA384:") && offers.contains("|X25519MLKEM768:X25519:"),
        "{offers}"
    );
}
