//! crypt's hash of MD5, and Apache's, which differs in its name alone.
//!
//! A password file that `htpasswd` made has it. Source of the steps: `ngx_crypt_apr1`, and crypt's own description.

use md5::{Digest, Md5};

use super::CRYPT64;

pub(super) const APACHE: &str = "$apr1$";
pub(super) const MD5: &str = "$1$";
const LONGEST_SALT: usize = 8;

/// The hash of `password` with the salt of `kept`, which begins with `name`.
pub(super) fn hash(password: &[u8], kept: &str, name: &str) -> Option<String> {
    let salt = kept.strip_prefix(name)?.split('$').next()?;
    let salt = &salt.as_bytes()[..salt.len().min(LONGEST_SALT)];
    let mut inner = Md5::new();
    for part in [password, salt, password] {
        inner.update(part);
    }
    let inner = inner.finalize();
    let mut outer = Md5::new();
    for part in [password, name.as_bytes(), salt] {
        outer.update(part);
    }
    for at in (0..password.len()).step_by(inner.len()) {
        outer.update(&inner[..inner.len().min(password.len() - at)]);
    }
    let mut length = password.len();
    while length > 0 {
        outer.update(match length & 1 {
            1 => [0].as_slice(),
            _ => &password[..1],
        });
        length >>= 1;
    }
    let mut hash = outer.finalize();
    for round in 0..1000 {
        let mut next = Md5::new();
        next.update(if round & 1 == 1 { password } else { &hash });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round & 1 == 1 { hash.as_slice() } else { password });
        hash = next.finalize();
    }
    let mut made = format!("{name}{}$", std::str::from_utf8(salt).ok()?);
    for (high, middle, low) in [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)] {
        let bits = u32::from(hash[high]) << 16 | u32::from(hash[middle]) << 8 | u32::from(hash[low]);
        push(&mut made, bits, 4);
    }
    push(&mut made, u32::from(hash[11]), 2);
    Some(made)
}

/// Six bits a letter, the lowest first.
fn push(text: &mut String, bits: u32, letters: usize) {
    for letter in 0..letters {
        text.push(char::from(CRYPT64[(bits >> (6 * letter) & 0x3f) as usize]));
    }
}
