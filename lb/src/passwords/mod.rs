//! Passwords and what password files keep of them.
//!
//! Takes what nginx takes: `$apr1$`, `{SHA}`, `{SSHA}` and `{PLAIN}` of nginx's own, and of the system's crypt its hashes of
//! DES, MD5, SHA-256, SHA-512, bcrypt and yescrypt. It reads no file and makes no hash for later. A check takes as long as
//! the hash is strong, so it does not belong on a thread that serves.
//!
//! Source: `ngx_crypt.c`, `ngx_http_auth_basic_module.c`, `crypt(5)`.

mod des;
mod md5_crypt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN, digest};
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use sha_crypt::{PasswordVerifier, ShaCrypt};
use yescrypt::Yescrypt;

/// Encodes with padding, and decodes with or without, as nginx does.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a check has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// It is the password.
    Right,
    /// It is another, or what is kept of it is the hash of none.
    Wrong,
    /// What is kept is a hash of crypt's that is not computed here.
    Unsupported,
}

/// What is kept of the password of `user` in the text of a file: `user:hash`, and behind another colon what nobody reads.
/// The first line of a user counts.
pub fn kept_of<'f>(file: &'f [u8], user: &[u8]) -> Option<&'f [u8]> {
    file.split(|byte| *byte == b'\n').find_map(|line| {
        if matches!(line.first(), Some(b'#' | b'\r') | None) {
            return None;
        }
        let kept = line.strip_prefix(user)?.strip_prefix(b":")?;
        let end = kept.iter().position(|byte| matches!(byte, b':' | b'\r')).unwrap_or(kept.len());
        Some(&kept[..end])
    })
}

/// Whether `password` is the one that `kept` was made of.
pub fn verify(password: &[u8], kept: &[u8]) -> Verified {
    let Ok(kept) = std::str::from_utf8(kept) else { return Verified::Wrong };
    let same = |made: Option<String>| {
        let is_same =
            made.is_some_and(|made| verify_slices_are_equal(made.as_bytes(), kept.as_bytes()).is_ok());
        verdict(is_same)
    };
    // As C sees it, a password ends at a zero byte.
    let password = password.split(|byte| *byte == 0).next().unwrap_or_default();
    if kept.starts_with(md5_crypt::APACHE) {
        return same(md5_crypt::hash(password, kept, md5_crypt::APACHE));
    }
    if let Some(plain) = kept.strip_prefix("{PLAIN}") {
        return verdict(verify_slices_are_equal(password, plain.as_bytes()).is_ok());
    }
    if let Some(encoded) = kept.strip_prefix("{SSHA}") {
        return same(salted_sha(password, encoded));
    }
    if kept.starts_with("{SHA}") {
        let made = digest(&SHA1_FOR_LEGACY_USE_ONLY, password);
        return same(Some(format!("{{SHA}}{}", BASE64.encode(made))));
    }
    let Some(scheme) = kept.strip_prefix('$') else {
        return match kept.starts_with('_') {
            true => Verified::Unsupported,
            false => same(des::hash(password, kept)),
        };
    };
    match scheme.split('$').next().unwrap_or_default() {
        "1" => same(md5_crypt::hash(password, kept, md5_crypt::MD5)),
        "5" | "6" => verdict(ShaCrypt::SHA512.verify_password(password, kept).is_ok()),
        "2a" | "2b" | "2x" | "2y" => verdict(bcrypt::verify(password, kept).unwrap_or(false)),
        "y" => verdict(Yescrypt::default().verify_password(password, kept).is_ok()),
        "7" | "gy" | "md5" | "sha1" | "3" => Verified::Unsupported,
        _ => Verified::Wrong,
    }
}

fn verdict(is_right: bool) -> Verified {
    if is_right { Verified::Right } else { Verified::Wrong }
}

fn salted_sha(password: &[u8], encoded: &str) -> Option<String> {
    let decoded = BASE64.decode(encoded).ok()?;
    let salt = decoded.get(SHA1_OUTPUT_LEN..)?;
    let made = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[password, salt].concat());
    Some(format!("{{SSHA}}{}", BASE64.encode([made.as_ref(), salt].concat())))
}

/// crypt's alphabet.
const CRYPT64: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests;
