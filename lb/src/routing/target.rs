//! The request target for a `proxy_pass` with a URI part: the URI replaces the part of the normalised path that the
//! location matched; the rest is escaped again, and the arguments stay as they came.

use percent_encoding::percent_encode_byte;

/// The request target for the upstream: the URI part of `proxy_pass`, the rest of the normalised path behind what the
/// location matched, and the arguments.
pub fn replace(uri: &str, rest: &[u8], arguments: &[u8]) -> Vec<u8> {
    let mut target = Vec::with_capacity(uri.len() + rest.len() + 1 + arguments.len());
    target.extend_from_slice(uri.as_bytes());
    for byte in rest {
        if needs_escape(*byte) {
            target.extend_from_slice(percent_encode_byte(*byte).as_bytes());
        } else {
            target.push(*byte);
        }
    }
    if !arguments.is_empty() {
        target.push(b'?');
        target.extend_from_slice(arguments);
    }
    target
}

/// The bytes that nginx escapes in a path (`ngx_escape_uri`, `NGX_ESCAPE_URI`).
fn needs_escape(byte: u8) -> bool {
    byte <= b' '
        || byte >= 0x7f
        || matches!(byte, b'"' | b'#' | b'%' | b'<' | b'>' | b'?' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matched_part_is_replaced() {
        for (rest, arguments, uri, target) in [
            ("x", "q=1", "/remote/", "/remote/x?q=1"),
            ("", "", "/", "/"),
            ("", "", "/remote", "/remote"),
            ("b c", "", "/z/", "/z/b%20c"),
            ("?", "", "/", "/%3F"),
            ("café", "", "/", "/caf%C3%A9"),
        ] {
            let got = replace(uri, rest.as_bytes(), arguments.as_bytes());
            assert_eq!(String::from_utf8_lossy(&got), target, "{rest}");
        }
    }
}
