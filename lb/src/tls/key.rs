//! Private keys: PKCS#1, SEC1 and PKCS#8, and the last two forms of a key under a passphrase.
//!
//! `ssl_password_file` has the passphrases, one in a line, tried in order. PKCS#8 (`ENCRYPTED PRIVATE KEY`) says itself
//! how it is encrypted. In the traditional form, `DEK-Info` names the cipher, and the key of it is made with MD5 as
//! OpenSSL always made it: weak, and what old files have.

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, KeyIvInit};
use md5::{Digest, Md5};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

use super::certificate::{read, shown};

/// The key that a directive names.
pub(super) fn load(
    named: &str,
    passphrases: &[Vec<u8>],
    folder: &Path,
) -> Result<PrivateKeyDer<'static>, String> {
    let text = read(named, folder).map_err(|error| cannot_load(named, folder, &error))?;
    parse(&text, passphrases).map_err(|error| cannot_load(named, folder, &error))
}

pub(super) fn cannot_load(named: &str, folder: &Path, why: &str) -> String {
    format!("cannot load certificate key \"{}\": {why}", shown(named, folder))
}

/// The passphrases of a file: its lines.
pub fn passphrases(text: &[u8]) -> Vec<Vec<u8>> {
    let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn parse(text: &[u8], passphrases: &[Vec<u8>]) -> Result<PrivateKeyDer<'static>, String> {
    let Some(block) = Block::find(text) else {
        return PrivateKeyDer::from_pem_slice(text).map_err(|_| "no key in it".to_owned());
    };
    if passphrases.is_empty() {
        return Err("it has a passphrase, and \"ssl_password_file\" is not given".to_owned());
    }
    let mut why = "no passphrase fits".to_owned();
    for passphrase in passphrases {
        match block.decrypt(passphrase) {
            Ok(key) => return Ok(key),
            Err(Failure::Passphrase) => {}
            Err(Failure::Other(error)) => why = error,
        }
    }
    Err(why)
}

/// Why a key cannot be decrypted.
enum Failure {
    Passphrase,
    Other(String),
}

/// An encrypted key.
struct Block {
    label: String,
    /// Cipher and initialisation vector of the traditional form.
    cipher: Option<(String, Vec<u8>)>,
    bytes: Vec<u8>,
}

impl Block {
    /// The first key of a PEM text, if it is an encrypted one.
    fn find(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut lines = text.lines().map(str::trim);
        let label = lines.find_map(|line| {
            let label = line.strip_prefix("-----BEGIN ")?.strip_suffix("-----")?;
            label.ends_with("PRIVATE KEY").then(|| label.to_owned())
        })?;
        let mut cipher = None;
        let mut encoded = String::new();
        for line in lines.take_while(|line| !line.starts_with("-----END")) {
            if let Some(information) = line.strip_prefix("DEK-Info:") {
                let (name, vector) = information.trim().split_once(',')?;
                cipher = Some((name.trim().to_owned(), hexadecimal(vector.trim())?));
            } else if !line.contains(':') {
                encoded.push_str(line);
            }
        }
        if cipher.is_none() && label != "ENCRYPTED PRIVATE KEY" {
            return None;
        }
        Some(Self { label, cipher, bytes: BASE64_STANDARD.decode(encoded).ok()? })
    }

    fn decrypt(&self, passphrase: &[u8]) -> Result<PrivateKeyDer<'static>, Failure> {
        let Some((cipher, vector)) = &self.cipher else { return self.decrypt_pkcs8(passphrase) };
        let key = traditional(cipher, vector, passphrase, &self.bytes)?;
        // A wrong passphrase passes the padding once in 256 times.
        if key.first() != Some(&0x30) {
            return Err(Failure::Passphrase);
        }
        match self.label.as_str() {
            "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(key).into()),
            "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(key).into()),
            "PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(key).into()),
            other => Err(Failure::Other(format!("keys of the kind \"{other}\" are not used here"))),
        }
    }

    fn decrypt_pkcs8(&self, passphrase: &[u8]) -> Result<PrivateKeyDer<'static>, Failure> {
        let encrypted = pkcs8::EncryptedPrivateKeyInfo::try_from(self.bytes.as_slice())
            .map_err(|error| Failure::Other(error.to_string()))?;
        match encrypted.decrypt(passphrase) {
            Ok(key) => Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into()),
            Err(pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm { oid })) => {
                Err(Failure::Other(format!("it is encrypted with {oid}, which is not known here")))
            }
            Err(_) => Err(Failure::Passphrase),
        }
    }
}

/// Decrypts the traditional form.
fn traditional(cipher: &str, vector: &[u8], passphrase: &[u8], bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    macro_rules! with {
        ($cipher:ty, $length:expr) => {{
            let key = bytes_to_key(passphrase, vector, $length);
            let decryptor = cbc::Decryptor::<$cipher>::new_from_slices(&key, vector)
                .map_err(|_| Failure::Other("\"DEK-Info\" has an invalid vector".to_owned()))?;
            decryptor.decrypt_padded_vec_mut::<Pkcs7>(bytes).map_err(|_| Failure::Passphrase)
        }};
    }
    match cipher {
        "AES-128-CBC" => with!(aes::Aes128, 16),
        "AES-192-CBC" => with!(aes::Aes192, 24),
        "AES-256-CBC" => with!(aes::Aes256, 32),
        "DES-EDE3-CBC" => with!(des::TdesEde3, 24),
        other => Err(Failure::Other(format!("it is encrypted with {other}, which is not known here"))),
    }
}

/// OpenSSL's `EVP_BytesToKey` with MD5, one round, and the first eight bytes of the vector as salt.
fn bytes_to_key(passphrase: &[u8], vector: &[u8], length: usize) -> Vec<u8> {
    let salt = &vector[..vector.len().min(8)];
    let mut key: Vec<u8> = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    while key.len() < length {
        let mut hash = Md5::new();
        hash.update(&last);
        hash.update(passphrase);
        hash.update(salt);
        last = hash.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests;
