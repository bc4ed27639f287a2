#![allow(clippy::unwrap_used)]

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::Ed25519KeyPair;
use jsonwebtoken::jwk::{JwkSet, KeyAlgorithm};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;

const NOW: u64 = 1_800_000_000;

fn signed(algorithm: Algorithm, key: &EncodingKey, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, key).unwrap()
}

fn set(keys: Vec<Jwk>) -> Keys {
    Keys::parse(&serde_json::to_vec(&JwkSet { keys }).unwrap()).unwrap()
}

/// A key of each kind, with its set's entry.
fn all() -> Vec<(Algorithm, EncodingKey, Jwk)> {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
    let der = |algorithm| KeyPair::generate_for(algorithm).unwrap().serialize_der();
    let ed = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let rsa = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).unwrap();
    let keys = [
        (Algorithm::HS256, EncodingKey::from_secret(b"a secret of 32 bytes, or of more").unwrap()),
        (Algorithm::ES256, EncodingKey::from_ec_der(&der(&PKCS_ECDSA_P256_SHA256))),
        (Algorithm::ES384, EncodingKey::from_ec_der(&der(&PKCS_ECDSA_P384_SHA384))),
        (Algorithm::EdDSA, EncodingKey::from_ed_der(ed.as_ref())),
        (
            Algorithm::RS256,
            EncodingKey::from_rsa_der(pkcs8::PrivateKeyInfo::try_from(rsa.as_ref()).unwrap().private_key),
        ),
    ];
    keys.into_iter()
        .map(|(algorithm, key)| {
            let mut jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
            jwk.common.key_id = Some(format!("{algorithm:?}"));
            (algorithm, key, jwk)
        })
        .collect()
}

#[test]
fn each_kind_of_key_signs_its_own_tokens_and_no_other() {
    let all = all();
    let keys = set(all.iter().map(|(_, _, jwk)| jwk.clone()).collect());
    let claims = json!({"sub": "ann", "exp": NOW + 10});
    for (algorithm, key, jwk) in &all {
        let token = signed(*algorithm, key, None, &claims);
        let read = Token::verify(token.as_bytes(), &keys, NOW, 0).unwrap();
        assert_eq!(read.claims["sub"], "ann", "{algorithm:?}");
        let alone = set(vec![jwk.clone()]);
        assert!(Token::verify(token.as_bytes(), &alone, NOW, 0).is_ok(), "{algorithm:?}");
        let others = all.iter().filter(|(other, ..)| other != algorithm).map(|(_, _, jwk)| jwk.clone());
        let others = set(others.collect());
        assert_eq!(
            Token::verify(token.as_bytes(), &others, NOW, 0),
            Err(Refusal::Signature),
            "{algorithm:?}"
        );
        let mut changed = token.clone().into_bytes();
        let at = token.find('.').unwrap() + 3;
        changed[at] ^= 1;
        assert!(Token::verify(&changed, &keys, NOW, 0).is_err(), "{algorithm:?}");
    }
}

#[test]
fn a_token_that_names_its_key_is_asked_of_that_key() {
    let (_, key, jwk) = all().remove(0);
    let claims = json!({"sub": "ann"});
    let named = signed(Algorithm::HS256, &key, Some("HS256"), &claims);
    let stranger = signed(Algorithm::HS256, &key, Some("unknown"), &claims);
    let mut other =
        Jwk::from_encoding_key(&EncodingKey::from_secret(b"another secret").unwrap(), Algorithm::HS256)
            .unwrap();
    other.common.key_id = Some("HS256".to_owned());
    let mut renamed = jwk.clone();
    renamed.common.key_id = Some("else".to_owned());
    let check = |token: &str, keys: Vec<Jwk>| Token::verify(token.as_bytes(), &set(keys), NOW, 0).is_ok();
    assert!(check(&named, vec![jwk.clone()]));
    assert!(!check(&named, vec![other.clone(), renamed.clone()]), "the key of that name has not signed it");
    assert!(check(&stranger, vec![other, renamed]), "no key has that name, so each is asked");
    let mut of_another_algorithm = jwk;
    of_another_algorithm.common.key_algorithm = Some(KeyAlgorithm::HS512);
    assert!(!check(&named, vec![of_another_algorithm]));
}

#[test]
fn a_public_key_is_no_secret() {
    let (_, _, jwk) = all().into_iter().find(|(algorithm, ..)| *algorithm == Algorithm::RS256).unwrap();
    let AlgorithmParameters::RSA(rsa) = &jwk.algorithm else { panic!("{jwk:?}") };
    let secret = BASE64_URL_SAFE_NO_PAD.decode(&rsa.n).unwrap();
    let token =
        signed(Algorithm::HS256, &EncodingKey::from_secret(&secret).unwrap(), None, &json!({"sub": "eve"}));
    assert_eq!(Token::verify(token.as_bytes(), &set(vec![jwk]), NOW, 0), Err(Refusal::Signature));
}

#[test]
fn a_token_holds_for_a_time() {
    let (_, key, jwk) = all().remove(0);
    let keys = set(vec![jwk]);
    for (claims, leeway, expected) in [
        (json!({"exp": NOW + 1}), 0, Ok(())),
        (json!({"exp": NOW}), 0, Err(Refusal::Expired)),
        (json!({"exp": NOW}), 1, Ok(())),
        (json!({"exp": NOW as f64 - 0.5}), 1, Ok(())),
        (json!({"exp": "never"}), 0, Err(Refusal::Malformed)),
        (json!({"nbf": NOW}), 0, Ok(())),
        (json!({"nbf": NOW + 5}), 0, Err(Refusal::NotYet)),
        (json!({"nbf": NOW + 5}), 5, Ok(())),
        (json!({}), 0, Ok(())),
        (json!([]), 0, Err(Refusal::Malformed)),
    ] {
        let token = signed(Algorithm::HS256, &key, None, &claims);
        let judged = Token::verify(token.as_bytes(), &keys, NOW, leeway).map(|_| ());
        assert_eq!(judged, expected, "{claims} {leeway}");
    }
}

#[test]
fn what_is_no_signed_token_is_refused() {
    let (_, key, jwk) = all().remove(0);
    let keys = set(vec![jwk]);
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let token = signed(Algorithm::HS256, &key, None, &json!({}));
    let critical = format!("{}.{}.x", part(r#"{"alg":"HS256","crit":["b64"]}"#), part("{}"));
    for (text, refusal) in [
        (String::new(), Refusal::Malformed),
        ("a.b".to_owned(), Refusal::Malformed),
        ("a.b.c.d.e".to_owned(), Refusal::Malformed),
        (format!("{}.{}.", part(r#"{"alg":"none"}"#), part("{}")), Refusal::Algorithm),
        (format!("{}.{}.", part(r#"{"typ":"JWT"}"#), part("{}")), Refusal::Malformed),
        (critical, Refusal::Critical),
        (format!("{token}x"), Refusal::Signature),
        (token.replace('.', ".."), Refusal::Signature),
        ("\u{fffd}.a.b".to_owned(), Refusal::Malformed),
    ] {
        assert_eq!(Token::verify(text.as_bytes(), &keys, NOW, 0).map(|_| ()), Err(refusal), "{text}");
    }
    assert!(Keys::parse(b"{}").is_err() && Keys::parse(b"x").is_err());
    let unknown = br#"{"keys":[{"kty":"XYZ"},{"kty":"oct","k":"YWJj","use":"enc"}]}"#;
    assert!(Keys::parse(unknown).unwrap().0.is_empty());
}

#[test]
fn claims_are_texts() {
    let Value::Object(claims) = json!({
        "sub": "ann", "n": 5, "yes": true, "none": null, "roles": ["a", "b", 3], "deep": {"er": {"x": "y"}, "list": []}
    }) else {
        panic!()
    };
    for (path, expected) in [
        (&["sub"][..], Some("ann")),
        (&["n"], Some("5")),
        (&["yes"], Some("true")),
        (&["none"], None),
        (&["roles"], Some("a,b,3")),
        (&["deep", "er", "x"], Some("y")),
        (&["deep", "er"], Some(r#"{"x":"y"}"#)),
        (&["deep", "list"], Some("")),
        (&["deep", "no"], None),
        (&["sub", "x"], None),
        (&[], None),
    ] {
        assert_eq!(text_at(&claims, path.iter().copied()).as_deref(), expected, "{path:?}");
    }
}
