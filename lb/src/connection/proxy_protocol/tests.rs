#![allow(clippy::unwrap_used)]

use super::*;
use crate::script::Tlv;

/// A header of version 2: version and command, family and transport, what follows.
fn binary(version: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [V2_START, &[version, family], &length, body].concat()
}

fn inet(tlvs: &[u8]) -> Vec<u8> {
    binary(0x21, 0x11, &[&[10, 1, 2, 3, 10, 9, 9, 9, 0x1f, 0x90, 0, 80], tlvs].concat())
}

fn inet6() -> Vec<u8> {
    let mut body = [0; 36];
    (body[0], body[1], body[15], body[31], body[33], body[35]) = (0x20, 0x01, 1, 2, 7, 8);
    binary(0x21, 0x21, &body)
}

/// What the parser says of a whole header, in a word; checks that every piece of it is the beginning of one and that
/// nothing of what follows is taken.
fn said(header: &[u8]) -> String {
    let whole = match parse(&[header, b"GET / HTTP/1.1\r\n\r\n"].concat()) {
        Ok(Progress::Complete { bytes, proxied }) => {
            assert_eq!(bytes, header.len(), "{}", header.escape_ascii());
            match proxied {
                Some(Proxied { source, destination, .. }) => format!("{source} to {destination}"),
                None => "nothing".to_owned(),
            }
        }
        Ok(Progress::Partial) => "partial".to_owned(),
        Err(error) => return error.to_string(),
    };
    for length in 0..header.len() {
        assert_eq!(parse(&header[..length]), Ok(Progress::Partial), "{}", header[..length].escape_ascii());
    }
    whole
}

#[test]
fn text_says_who_the_client_is() {
    for (line, expected) in [
        ("PROXY TCP4 10.1.2.3 10.9.9.9 8080 80", "10.1.2.3:8080 to 10.9.9.9:80"),
        ("PROXY TCP6 2001:DB8::1 ::2 65535 0", "[2001:db8::1]:65535 to [::2]:0"),
        ("PROXY UNKNOWN", "nothing"),
        ("PROXY UNKNOWN ffff::1 whatever 1", "nothing"),
        ("PROXY TCP4 10.1.2.3 10.9.9.9 80 65536", ""),
        ("PROXY TCP4 10.1.2.3 10.9.9.9 80 +80", ""),
        ("PROXY TCP4 10.1.2.3 10.9.9.9 80", ""),
        ("PROXY TCP4 10.1.2.3 10.9.9.9 80 80 80", ""),
        ("PROXY TCP4 10.1.2.3  10.9.9.9 80 80", ""),
        ("PROXY TCP4 10.1.2 10.9.9.9 80 80", ""),
        ("PROXY TCP4 010.1.2.3 10.9.9.9 80 80", ""),
        ("PROXY TCP4 ::1 ::2 80 80", ""),
        ("PROXY TCP6 10.1.2.3 10.9.9.9 80 80", ""),
        ("PROXY TCP6 fe80::1%1 ::2 80 80", ""),
        ("PROXY TCP5 10.1.2.3 10.9.9.9 80 80", ""),
        ("PROXY tcp4 10.1.2.3 10.9.9.9 80 80", ""),
        ("PROXY ", ""),
    ] {
        let expected =
            if expected.is_empty() { format!("broken header: \"{line}\"") } else { expected.to_owned() };
        assert_eq!(said(format!("{line}\r\n").as_bytes()), expected, "{line}");
    }
    assert_eq!(said(b"PROXY UNKNOWN\n"), "broken header: \"PROXY UNKNOWN\"");
    assert_eq!(said(b"PROXY TCP4 1.1.1.1\0\xff\r\n"), "broken header: \"PROXY TCP4 1.1.1.1\\x00\\xff\"");
}

#[test]
fn a_line_has_a_limit() {
    let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_V1 - 16));
    assert_eq!((longest.len(), said(longest.as_bytes())), (LONGEST_V1, "nothing".to_owned()));
    let longer = format!("PROXY UNKNOWN {}", "x".repeat(LONGEST_V1 - 14));
    assert_eq!(parse(longer.as_bytes()), Err(Broken::Header(longer.as_bytes().into())));
}

#[test]
fn what_is_no_header_is_known_by_its_first_byte() {
    for (bytes, shown) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1"),
        ("\r\n\r\nG", ""),
        ("PROXYING", "PROXYING"),
        ("\x16", "\\x16"),
    ] {
        let said = parse(bytes.as_bytes()).unwrap_err().to_string();
        assert_eq!(said, format!("broken header: \"{shown}\""));
    }
    assert_eq!(parse(b""), Ok(Progress::Partial));
}

#[test]
fn bytes_say_who_the_client_is() {
    let addresses = [1; 216];
    for (header, expected) in [
        (inet(b""), "10.1.2.3:8080 to 10.9.9.9:80"),
        (inet(&[1, 0, 2, b'h', b'2']), "10.1.2.3:8080 to 10.9.9.9:80"),
        (inet6(), "[2001::1]:7 to [::2]:8"),
        (binary(0x20, 0x00, b""), "nothing"),
        (binary(0x20, 0x11, &addresses[..12]), "nothing"),
        (binary(0x21, 0x31, &addresses), "nothing"),
        (binary(0x21, 0x12, &addresses[..12]), "nothing"),
        (binary(0x21, 0x41, b""), "nothing"),
        (binary(0x2f, 0x11, &addresses[..12]), "nothing"),
        (binary(0x21, 0x00, b""), "nothing"),
    ] {
        assert_eq!(said(&header), expected, "{}", header.escape_ascii());
    }
    assert_eq!(said(&binary(0x11, 0x11, b"")), "unknown PROXY protocol version: 1");
    for (family, length) in [(0x11, 11), (0x21, 35)] {
        let said = said(&binary(0x21, family, &addresses[..length]));
        assert!(said.starts_with(r#"broken header: "\r\n"#), "{said}");
    }
}

#[test]
fn a_header_in_bytes_has_a_limit() {
    let longest = inet(&vec![0xee; LONGEST_V2 - V2_HEAD - 12]);
    assert_eq!(said(&longest), "10.1.2.3:8080 to 10.9.9.9:80");
    let longer = inet(&vec![0xee; LONGEST_V2 - V2_HEAD - 11]);
    assert_eq!(parse(&longer[..V2_HEAD]), Err(Broken::TooLarge));
}

#[test]
fn values_are_found_by_name_and_number() {
    let ssl = [&[7, 0, 0, 0, 1][..], &[0x21, 0, 3], b"TLS", &[0x22, 0, 1], b"n"].concat();
    let tlvs = [
        &[1, 0, 2][..],
        b"h2",
        &[0xea, 0, 0],
        &[1, 0, 1, b'x'],
        &[0x20, 0, u8::try_from(ssl.len()).unwrap()],
        &ssl,
        // A length beyond the end.
        &[2, 0, 9, b'a'],
    ]
    .concat();
    let Ok(Progress::Complete { proxied: Some(proxied), .. }) = parse(&inet(&tlvs)) else {
        panic!("a header")
    };
    for (name, expected) in [
        ("alpn", Some("h2")),
        ("0xea", Some("")),
        ("ssl_version", Some("TLS")),
        ("ssl_0x22", Some("n")),
        ("ssl_verify", Some("1")),
        ("ssl_cipher", None),
        ("authority", None),
        ("netns", None),
    ] {
        let mut out = Vec::new();
        let is_there = proxied.write_tlv(Tlv::named(name).unwrap(), &mut out);
        assert_eq!(
            (is_there, String::from_utf8(out).unwrap()),
            (expected.is_some(), expected.unwrap_or_default().to_owned()),
            "{name}"
        );
    }
    let Ok(Progress::Complete { proxied: Some(proxied), .. }) = parse(&inet(&[0x20, 0, 2, 0, 0])) else {
        panic!("a header")
    };
    assert!(!proxied.write_tlv(Tlv::SslVerify, &mut Vec::new()));
}
