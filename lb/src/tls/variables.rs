//! The values of `$ssl_*`.

use rustls::{CipherSuite, NamedGroup, ProtocolVersion};

use super::Session;
use crate::script::TlsVariable;

impl Session {
    /// Appends the value of a variable; false where it has none.
    pub fn write(&self, variable: TlsVariable, out: &mut Vec<u8>) -> bool {
        match variable {
            TlsVariable::AlpnProtocol => put(self.alpn.as_deref(), out),
            TlsVariable::Cipher => put(self.suite.and_then(openssl_suite), out),
            TlsVariable::Curve => put(self.group.and_then(openssl_group), out),
            TlsVariable::Protocol => put(Some(self.protocol()), out),
            TlsVariable::ServerName => put(self.server_name.as_deref(), out),
            TlsVariable::SessionReused => put(Some(if self.resumed { "r" } else { "." }), out),
        }
    }

    /// `$ssl_protocol`
    pub fn protocol(&self) -> &'static str {
        match self.version {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        }
    }
}

/// OpenSSL's name of a suite, as in `ssl_ciphers`.
fn openssl_suite(suite: CipherSuite) -> Option<&'static str> {
    Some(match suite {
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return None,
    })
}

/// OpenSSL's name of a group, as in `ssl_ecdh_curve`. None where a resumed session made no key exchange.
fn openssl_group(group: NamedGroup) -> Option<&'static str> {
    Some(match group {
        NamedGroup::X25519 => "X25519",
        NamedGroup::secp256r1 => "prime256v1",
        NamedGroup::secp384r1 => "secp384r1",
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        NamedGroup::secp256r1MLKEM768 => "SecP256r1MLKEM768",
        _ => return None,
    })
}

fn put<T: AsRef<[u8]> + ?Sized>(value: Option<&T>, out: &mut Vec<u8>) -> bool {
    value.inspect(|value| out.extend_from_slice(value.as_ref())).is_some()
}
