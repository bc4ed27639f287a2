//! The values beside the addresses: each a type, a length of two bytes, and so many bytes.
//!
//! They are kept as they came and looked at where a variable asks, which few configurations do. What is broken behind
//! a value does not take that from it, as in nginx.

use super::Proxied;
use crate::script::{SSL, Tlv};

/// Inside the `ssl` value: a byte of flags and the result of the check, before the values.
const SSL_HEAD: usize = 5;

impl Proxied {
    /// Appends a value; false where the header has none such.
    pub fn write_tlv(&self, wanted: Tlv, out: &mut Vec<u8>) -> bool {
        let value = match wanted {
            Tlv::Outer(number) => find(&self.tlvs, number),
            Tlv::InSsl(number) => find(&self.tlvs, SSL)
                .and_then(|ssl| ssl.get(SSL_HEAD..))
                .and_then(|inside| find(inside, number)),
            Tlv::SslVerify => {
                let ssl = find(&self.tlvs, SSL).and_then(|ssl| ssl.first_chunk::<SSL_HEAD>());
                return ssl.is_some_and(|[_, verify @ ..]| {
                    out.extend_from_slice(u32::from_be_bytes(*verify).to_string().as_bytes());
                    true
                });
            }
        };
        value.inspect(|value| out.extend_from_slice(value)).is_some()
    }
}

/// The first value of a type.
fn find(mut tlvs: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (number, value, rest) = split(tlvs)?;
        if number == wanted {
            return Some(value);
        }
        tlvs = rest;
    }
}

/// The first value: its type, itself, and what follows.
fn split(tlvs: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([number, length @ ..], rest) = tlvs.split_first_chunk::<3>()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((*number, value, rest))
}
