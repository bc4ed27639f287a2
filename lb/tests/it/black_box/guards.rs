//! Limits, passwords and tokens: what the judge cannot see, because nginx has it not or because it is about this process.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;

use super::support::{Answer, Balancer, Client, eventually, get};

fn with_token(balancer: &Balancer, path: &str, token: &str) -> Answer {
    let mut client = Client::connect(balancer.address);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\r\n"));
    client.receive().expect("an answer")
}

#[test]
fn tokens_open_what_their_keys_have_signed() {
    let balancer = Balancer::start(
        "auth_jwt_claim_set $roles realm roles; auth_jwt_header_set $key kid;
         server { listen LISTEN; auth_jwt \"the api\"; auth_jwt_key_file keys.json; error_page 418 = @told;
           location @told { return 200 \"$jwt_claim_sub [$roles] $key $jwt_header_alg\"; }
           location / { try_files /none =418; }
           location /admin { auth_jwt_require $jwt_claim_admin error=403; try_files /none =418; }
           location /cookie { auth_jwt \"the api\" token=$cookie_auth; try_files /none =418; }
           location /open { auth_jwt off; return 200 open; } }",
    );
    let der = |algorithm| KeyPair::generate_for(algorithm).unwrap().serialize_der();
    let ed = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let keys = [
        (Algorithm::HS256, EncodingKey::from_secret(b"a secret of thirty-two bytes or more").unwrap()),
        (Algorithm::ES256, EncodingKey::from_ec_der(&der(&PKCS_ECDSA_P256_SHA256))),
        (Algorithm::EdDSA, EncodingKey::from_ed_der(ed.as_ref())),
    ];
    assert_eq!(with_token(&balancer, "/", "a.b.c").status, 500, "there are no keys");
    balancer.says("keys.json\" failed (2: No such file or directory)");
    let set = keys.iter().map(|(algorithm, key)| Jwk::from_encoding_key(key, *algorithm).unwrap());
    let set = JwkSet { keys: set.collect() };
    std::fs::write(balancer.path("keys.json"), serde_json::to_vec(&set).unwrap()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"sub": "ann", "exp": now + 60, "realm": {"roles": ["a", "b"]}});
    for (algorithm, key) in &keys {
        let header = Header { kid: Some("k1".to_owned()), ..Header::new(*algorithm) };
        let token = encode(&header, &claims, key).unwrap();
        let answer = with_token(&balancer, "/", &token);
        assert_eq!((answer.status, answer.body), (200, format!("ann [a,b] k1 {algorithm:?}")));
        assert_eq!(with_token(&balancer, "/admin", &token).status, 403);
        let refused = with_token(&balancer, "/", &format!("{token}x"));
        assert_eq!(refused.status, 401);
        assert_eq!(refused.headers["www-authenticate"], "Bearer realm=\"the api\", error=\"invalid_token\"");
    }
    balancer.says("JWT signature validation failed, client: 127.0.0.1");
    let (algorithm, key) = &keys[0];
    let over = encode(&Header::new(*algorithm), &json!({"exp": now - 1}), key).unwrap();
    assert_eq!(with_token(&balancer, "/", &over).status, 401);
    balancer.says("JWT is expired");
    let admin = encode(&Header::new(*algorithm), &json!({"sub": "root", "admin": true}), key).unwrap();
    assert_eq!(with_token(&balancer, "/admin", &admin).body, "root []  HS256");
    let missing = get(balancer.address, "/");
    assert_eq!((missing.status, &*missing.headers["www-authenticate"]), (401, "Bearer realm=\"the api\""));
    assert_eq!(get(balancer.address, "/open").body, "open");
    let mut client = Client::connect(balancer.address);
    client.send(format!("GET /cookie HTTP/1.1\r\nHost: test\r\nCookie: auth={admin}\r\n\r\n"));
    assert_eq!(client.receive().expect("an answer").status, 200);
    assert!(!balancer.log().contains(&admin), "no log has a token");
}

#[test]
fn what_is_counted_lives_on_in_a_reload_and_another_key_refuses_it() {
    let http = |key: &str, rate: &str| {
        format!(
            "limit_req_zone {key} zone=a:1m rate={rate}; server {{ listen LISTEN; limit_req zone=a; try_files /none =204; }}"
        )
    };
    let balancer = Balancer::start(&http("$arg_k", "1r/m"));
    let ask = || get(balancer.address, "/?k=1").status;
    assert_eq!([ask(), ask()], [204, 503]);
    balancer.write(&http("$arg_k", "2r/m"));
    balancer.reload("success");
    assert_eq!(ask(), 503);
    balancer.write(&http("$uri", "1r/m"));
    balancer.reload("failure");
    balancer.says("limit_req \"a\" uses the \"$uri\" key while previously it used the \"$arg_k\" key");
    assert_eq!(ask(), 503);
    // A request is counted behind its answer.
    let refused = || balancer.metric("lb_responses_generated_total{reason=\"limit_req\"}");
    eventually("three are refused", || refused() == 3);
}

#[test]
fn a_client_that_leaves_while_it_waits_is_let_go() {
    let balancer = Balancer::start(
        "limit_req_zone $uri zone=a:1m rate=1r/s; limit_conn_zone $uri zone=c:1m; log_format ended \"$status\";
         server { listen LISTEN; access_log ended ended; limit_req zone=a burst=100; limit_conn c 100; try_files /none =204; }",
    );
    assert_eq!(get(balancer.address, "/").status, 204);
    let mut waiting: Vec<_> = (0..20).map(|_| Client::connect(balancer.address)).collect();
    for client in &mut waiting {
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    balancer.says("delaying request, excess: 19.");
    drop(waiting);
    let left = Instant::now();
    let ended = || std::fs::read_to_string(balancer.path("ended")).unwrap_or_default();
    eventually("nobody waits any more", || ended().matches("499").count() == 20);
    assert!(left.elapsed() < Duration::from_secs(5), "it was not worth waiting for");
}
