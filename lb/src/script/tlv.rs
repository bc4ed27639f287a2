//! The values beside the addresses in a PROXY protocol header: which one `$proxy_protocol_tlv_NAME` asks for.

/// A value, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tlv {
    /// The one of this type.
    Outer(u8),
    /// The one of this type inside the `ssl` value.
    InSsl(u8),
    /// `ssl_verify`: the result of the check of the client's certificate, a number.
    SslVerify,
}

/// The type of the value that holds what is known of the client's TLS.
pub const SSL: u8 = 0x20;

const OUTER: [(&str, u8); 5] =
    [("alpn", 0x01), ("authority", 0x02), ("unique_id", 0x05), ("ssl", SSL), ("netns", 0x30)];
const IN_SSL: [(&str, u8); 5] =
    [("version", 0x21), ("cn", 0x22), ("cipher", 0x23), ("sig_alg", 0x24), ("key_alg", 0x25)];

impl Tlv {
    /// The names that [`named`](Self::named) takes.
    pub const NAMES: &str = "alpn, authority, unique_id, ssl, netns, ssl_verify, ssl_version, ssl_cn, ssl_cipher, ssl_sig_alg, \
         ssl_key_alg, or the number of the type such as 0xea, ssl_0x21";

    /// The value that a name means, in lower case; a number is hexadecimal.
    pub fn named(name: &str) -> Option<Self> {
        match name.strip_prefix("ssl_") {
            Some("verify") => Some(Self::SslVerify),
            Some(inside) => number_of(inside, &IN_SSL).map(Self::InSsl),
            None => number_of(name, &OUTER).map(Self::Outer),
        }
    }
}

fn number_of(name: &str, known: &[(&str, u8)]) -> Option<u8> {
    match name.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            u8::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None => known.iter().find(|(known, _)| *known == name).map(|(_, number)| *number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_names_and_numbers() {
        for (name, expected) in [
            ("alpn", Some(Tlv::Outer(1))),
            ("ssl", Some(Tlv::Outer(SSL))),
            ("0xea", Some(Tlv::Outer(0xea))),
            ("ssl_verify", Some(Tlv::SslVerify)),
            ("ssl_cn", Some(Tlv::InSsl(0x22))),
            ("ssl_0x21", Some(Tlv::InSsl(0x21))),
            ("cn", None),
            ("ssl_alpn", None),
            ("0x100", None),
            ("0x", None),
            ("0x+1", None),
            ("", None),
        ] {
            assert_eq!(Tlv::named(name), expected, "{name}");
        }
    }
}
