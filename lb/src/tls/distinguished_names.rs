//! Names in certificates, as OpenSSL writes them: RFC 2253's form (`$ssl_client_s_dn`) and the older one
//! (`$ssl_client_s_dn_legacy`).

use x509_parser::asn1_rs::{Any, Tag, ToDer};
use x509_parser::x509::X509Name;

/// OpenSSL's short names of attributes.
const SHORT_NAMES: [(&str, &str); 23] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// The form of RFC 2253: the last part first, divided by commas.
pub(super) fn rfc_2253(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|part| {
            let values: Vec<String> =
                part.iter().map(|one| pair_2253(one.attr_type(), one.attr_value())).collect();
            values.join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn pair_2253(kind: &x509_parser::der_parser::Oid<'_>, value: &Any<'_>) -> String {
    let identifier = kind.to_id_string();
    match (short_name(&identifier), text(value)) {
        (Some(short), Some(text)) => format!("{short}={}", escaped_2253(&text)),
        (short, _) => {
            let der = value.to_der_vec().unwrap_or_default();
            let hexadecimal: String = der.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("{}=#{hexadecimal}", short.unwrap_or(&identifier))
        }
    }
}

fn escaped_2253(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    for (index, byte) in bytes.iter().enumerate() {
        let at_end = index + 1 == bytes.len();
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => out.extend(['\\', char::from(*byte)]),
            b'#' if index == 0 => out.push_str("\\#"),
            b' ' if index == 0 || at_end => out.push_str("\\ "),
            0x20..=0x7e => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\{byte:02X}")),
        }
    }
    out
}

/// The older form: `/C=…/CN=…`.
pub(super) fn legacy(name: &X509Name<'_>) -> String {
    let mut out = String::new();
    for one in name.iter_attributes() {
        let identifier = one.attr_type().to_id_string();
        out.push('/');
        out.push_str(short_name(&identifier).unwrap_or(&identifier));
        out.push('=');
        for byte in one.attr_value().data {
            match byte {
                0x20..=0x7e => out.push(char::from(*byte)),
                _ => out.push_str(&format!("\\x{byte:02X}")),
            }
        }
    }
    out
}

fn short_name(identifier: &str) -> Option<&'static str> {
    SHORT_NAMES.iter().find(|(known, _)| *known == identifier).map(|(_, short)| *short)
}

/// A string of any of the kinds that certificates have.
fn text(value: &Any<'_>) -> Option<String> {
    let bytes = value.data;
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            String::from_utf8(bytes.to_vec()).ok()
        }
        Tag::T61String => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            Some(char::decode_utf16(units).map(|one| one.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};
    use x509_parser::prelude::{FromDer, X509Certificate};

    #[test]
    fn names_are_written_as_openssl_writes_them() {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "CH");
        params.distinguished_name.push(DnType::OrganizationName, "Ünder, \"Sons\" + Co");
        params.distinguished_name.push(DnType::CustomDnType(vec![1, 2, 3, 4]), "x");
        params.distinguished_name.push(DnType::CommonName, " #1 ");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (_, certificate) = X509Certificate::from_der(certificate.der()).unwrap();
        assert_eq!(
            rfc_2253(certificate.subject()),
            "CN=\\ #1\\ ,1.2.3.4=#0C0178,O=\\C3\\9Cnder\\, \\\"Sons\\\" \\+ Co,C=CH"
        );
        assert_eq!(legacy(certificate.subject()), "/C=CH/O=\\xC3\\x9Cnder, \"Sons\" + Co/1.2.3.4=x/CN= #1 ");
    }
}
