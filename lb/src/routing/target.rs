//! The request target for a `proxy_pass` with a URI part: the URI replaces the part of the normalised path that the
//! location matched; the rest is escaped again, and the arguments stay as they came.

use percent_encoding::percent_encode_byte;

use super::path::Target;

/// The request target for the upstream, from the request's target as sent, its normalised path, the length that
/// the location matched, and the URI part of `proxy_pass`.
pub fn replace(sent: Target<'_>, normal_path: &[u8], matched: usize, uri: &str) -> Vec<u8> {
    let rest = normal_path.get(matched..).unwrap_or_default();
    let query = sent.query.unwrap_or_default();
    let mut target = Vec::with_capacity(uri.len() + rest.len() + 1 + query.len());
    target.extend_from_slice(uri.as_bytes());
    for byte in rest {
        if needs_escape(*byte) {
            target.extend_from_slice(percent_encode_byte(*byte).as_bytes());
        } else {
            target.push(*byte);
        }
    }
    if !query.is_empty() {
        target.push(b'?');
        target.extend_from_slice(query);
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
        for (sent, normal, matched, uri, target) in [
            ("/name/x?q=1", "/name/x", 6, "/remote/", "/remote/x?q=1"),
            ("/name/", "/name/", 6, "/", "/"),
            ("/name", "/name", 5, "/remote", "/remote"),
            ("/a/b%20c", "/a/b c", 3, "/z/", "/z/b%20c"),
            ("/a/%3F", "/a/?", 3, "/", "/%3F"),
            ("/a/x?", "/a/x", 3, "/", "/x"),
            ("/a/caf%C3%A9", "/a/café", 3, "/", "/caf%C3%A9"),
        ] {
            let got = replace(Target::split(sent.as_bytes()), normal.as_bytes(), matched, uri);
            assert_eq!(String::from_utf8_lossy(&got), target, "{sent}");
        }
    }
}
