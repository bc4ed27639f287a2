//! The first bytes of a client that speaks HTTP/2 without having asked (RFC 9113, section 3.4). Pure.

/// What the client sends first.
pub(in crate::connection) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connection) enum FirstBytes {
    /// All of the preface is there.
    Http2,
    /// So far it could be.
    Perhaps,
    /// HTTP/1, or nothing that is known.
    Other,
}

/// Looks at the bytes that have come.
pub(in crate::connection) fn look(bytes: &[u8]) -> FirstBytes {
    let known = bytes.len().min(PREFACE.len());
    if bytes[..known] != PREFACE[..known] {
        FirstBytes::Other
    } else if known == PREFACE.len() {
        FirstBytes::Http2
    } else {
        FirstBytes::Perhaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        for (bytes, beginning) in [
            (&b""[..], FirstBytes::Perhaps),
            (b"P", FirstBytes::Perhaps),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", FirstBytes::Perhaps),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", FirstBytes::Http2),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0", FirstBytes::Http2),
            (b"POST / HTTP/1.1", FirstBytes::Other),
            (b"PRI * HTTP/2.0\r\n\r\nSX", FirstBytes::Other),
            (b"GET", FirstBytes::Other),
        ] {
            assert_eq!(look(bytes), beginning, "{}", bytes.escape_ascii());
        }
    }
}
