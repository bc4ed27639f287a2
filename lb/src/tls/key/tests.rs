use super::*;

/// One key in every form, made with `openssl`; the passphrase is `secret`.
const FORMS: [(&str, &str); 8] = [
    ("SEC1", include_str!("../../../tests/fixtures/tls/ec.pem")),
    ("SEC1, AES-128", include_str!("../../../tests/fixtures/tls/ec-aes128.pem")),
    ("SEC1, AES-256", include_str!("../../../tests/fixtures/tls/ec-aes256.pem")),
    ("SEC1, triple DES", include_str!("../../../tests/fixtures/tls/ec-des3.pem")),
    ("PKCS#8", include_str!("../../../tests/fixtures/tls/ec-p8-plain.pem")),
    ("PKCS#8, PBKDF2 and AES", include_str!("../../../tests/fixtures/tls/ec-p8.pem")),
    ("PKCS#8, PBKDF2 and triple DES", include_str!("../../../tests/fixtures/tls/ec-p8-des3.pem")),
    ("PKCS#8, scrypt", include_str!("../../../tests/fixtures/tls/ec-p8-scrypt.pem")),
];

fn public_key(text: &str, passphrases: &[&str]) -> Result<Vec<u8>, String> {
    let passphrases: Vec<Vec<u8>> =
        passphrases.iter().map(|passphrase| passphrase.as_bytes().to_vec()).collect();
    let key = parse(text.as_bytes(), &passphrases)?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let signer = provider.key_provider.load_private_key(key).map_err(|error| error.to_string())?;
    Ok(signer.public_key().unwrap().as_ref().to_vec())
}

#[test]
fn one_key_in_every_form_is_one_key() {
    let expected = public_key(FORMS[0].1, &[]).unwrap();
    for (form, text) in FORMS {
        assert_eq!(public_key(text, &["wrong", "secret"]), Ok(expected.clone()), "{form}");
    }
}

#[test]
fn what_is_wrong_with_a_key_is_told() {
    let no_file = "it has a passphrase, and \"ssl_password_file\" is not given";
    for (form, text) in FORMS.iter().filter(|(_, text)| text.contains("ENCRYPTED")) {
        assert_eq!(public_key(text, &[]), Err(no_file.to_owned()), "{form}");
        assert_eq!(public_key(text, &["wrong"]), Err("no passphrase fits".to_owned()), "{form}");
    }
    assert_eq!(public_key("nothing", &[]), Err("no key in it".to_owned()));
    let unknown = FORMS[1].1.replace("AES-128-CBC", "RC2-CBC");
    let error = public_key(&unknown, &["secret"]).unwrap_err();
    assert_eq!(error, "it is encrypted with RC2-CBC, which is not known here");
}

#[test]
fn a_file_of_passphrases_has_one_in_a_line() {
    assert_eq!(
        passphrases(b"one\r\ntwo words\n\nthree"),
        [b"one".to_vec(), b"two words".to_vec(), b"three".to_vec()]
    );
}
