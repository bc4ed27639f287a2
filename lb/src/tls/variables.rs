//! The values of `$ssl_*`: worked out when they are asked for.

use std::fmt::Write;

use aws_lc_rs::digest;
use base64::prelude::{BASE64_STANDARD, Engine};
use rustls::pki_types::UnixTime;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use super::client_verification::Verdict;
use super::{Session, ciphers, curves, distinguished_names, openssl_names};
use crate::script::TlsVariable;

impl Session {
    /// Appends the value of a variable; false where it has none.
    pub fn write(&self, variable: TlsVariable, now: UnixTime, out: &mut Vec<u8>) -> bool {
        match variable {
            TlsVariable::AlpnProtocol => put(self.alpn.as_deref(), out),
            TlsVariable::Cipher => put(self.suite.and_then(ciphers::name), out),
            TlsVariable::Ciphers => {
                !self.resumed && put(Some(&list(&self.offered.suites, openssl_names::suite)), out)
            }
            TlsVariable::Curve => put(self.group.and_then(curves::name), out),
            TlsVariable::Curves => {
                !self.resumed && put(Some(&list(&self.offered.groups, openssl_names::group)), out)
            }
            TlsVariable::EarlyData => self.is_early() && put(Some("1"), out),
            TlsVariable::Protocol => put(Some(self.protocol()), out),
            TlsVariable::ServerName => put(self.server_name.as_deref(), out),
            TlsVariable::SessionReused => put(Some(if self.resumed { "r" } else { "." }), out),
            TlsVariable::SignatureScheme => put(self.signed_by.and_then(openssl_names::signature), out),
            TlsVariable::ClientVerify => match self.verdict {
                Verdict::Absent => put(Some("NONE"), out),
                Verdict::Trusted => put(Some("SUCCESS"), out),
                Verdict::Refused(refusal) => put(Some(&format!("FAILED:{}", refusal.words)), out),
            },
            _ => self.client.as_deref().is_some_and(|der| of_client(der, variable, now, out)),
        }
    }
}

/// What only a client with a certificate has.
fn of_client(der: &[u8], variable: TlsVariable, now: UnixTime, out: &mut Vec<u8>) -> bool {
    match variable {
        TlsVariable::ClientCert => return put(Some(&pem(der).trim_end().replace('\n', "\n\t")), out),
        TlsVariable::ClientRawCert => return put(Some(&pem(der)), out),
        TlsVariable::ClientEscapedCert => return put(Some(&escaped(&pem(der))), out),
        TlsVariable::ClientFingerprint => {
            let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der);
            return put(Some(&hexadecimal(hash.as_ref()).to_ascii_lowercase()), out);
        }
        _ => {}
    }
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    let validity = certificate.validity();
    let text = match variable {
        TlsVariable::ClientSubject => distinguished_names::rfc_2253(certificate.subject()),
        TlsVariable::ClientIssuer => distinguished_names::rfc_2253(certificate.issuer()),
        TlsVariable::ClientSubjectLegacy => distinguished_names::legacy(certificate.subject()),
        TlsVariable::ClientIssuerLegacy => distinguished_names::legacy(certificate.issuer()),
        TlsVariable::ClientSerial => serial(certificate.raw_serial()),
        TlsVariable::ClientValidFrom => time(validity.not_before),
        TlsVariable::ClientValidTo => time(validity.not_after),
        TlsVariable::ClientValidDays => {
            let left = validity.not_after.timestamp().saturating_sub(now.as_secs() as i64);
            (left.max(0) / 86_400).to_string()
        }
        _ => return false,
    };
    put(Some(&text), out)
}

/// Names of what a client offers, or numbers where OpenSSL has no name.
fn list(numbers: &[u16], name: impl Fn(u16) -> Option<&'static str>) -> String {
    let mut out = String::new();
    for number in numbers {
        if !out.is_empty() {
            out.push(':');
        }
        match name(*number) {
            Some(name) => out.push_str(name),
            None => {
                let _ = write!(out, "0x{number:04x}");
            }
        }
    }
    out
}

/// A certificate in PEM.
fn pem(der: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(der);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in encoded.as_bytes().chunks(64) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

/// As nginx escapes a component of a URI.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 5 / 4);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02X}");
        out
    })
}

/// A serial number, without the zero that keeps it from being negative.
fn serial(bytes: &[u8]) -> String {
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => hexadecimal(rest),
        bytes => hexadecimal(bytes),
    }
}

/// OpenSSL's way to write a time: `Nov  3 08:00:00 2026 GMT`.
fn time(time: ASN1Time) -> String {
    let parsed = chrono::DateTime::from_timestamp(time.timestamp(), 0);
    parsed.map(|time| time.format("%b %e %H:%M:%S %Y GMT").to_string()).unwrap_or_default()
}

fn put<T: AsRef<[u8]> + ?Sized>(value: Option<&T>, out: &mut Vec<u8>) -> bool {
    value.inspect(|value| out.extend_from_slice(value.as_ref())).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_nginx_writes_them() {
        assert_eq!(serial(&[0, 0xff, 1]), "FF01");
        assert_eq!(serial(&[0]), "00");
        assert_eq!(time(ASN1Time::from_timestamp(1_793_692_800).unwrap()), "Nov  3 08:00:00 2026 GMT");
        assert_eq!(
            list(&[0x1301, 0x0a0a, 0xc02f], openssl_names::suite),
            "TLS_AES_128_GCM_SHA256:0x0a0a:ECDHE-RSA-AES128-GCM-SHA256"
        );
        let pem = pem(&[0; 50]);
        assert_eq!(pem.lines().map(str::len).collect::<Vec<_>>(), [27, 64, 4, 25]);
        assert!(escaped(&pem).starts_with("-----BEGIN%20CERTIFICATE-----%0AAAAA"));
    }
}
