//! How nginx escapes what a regular expression took out of a path when it becomes part of a redirect or of arguments.

use percent_encoding::percent_encode_byte;

use crate::script::{Values, Variable};

/// Renders the groups of regular expressions escaped (`NGX_ESCAPE_ARGS`), and everything else as it is.
pub(super) struct CapturesEscaped<V>(pub(super) V);

impl<V: Values> Values for CapturesEscaped<V> {
    fn write(&mut self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        if !matches!(variable, Variable::Capture(_)) {
            return self.0.write(variable, out);
        }
        let mut raw = Vec::new();
        let known = self.0.write(variable, &mut raw);
        escape_arguments(&raw, out);
        known
    }
}

fn escape_arguments(raw: &[u8], out: &mut Vec<u8>) {
    for &byte in raw {
        match byte {
            0..=b' ' | 0x7f.. | b'#' | b'%' | b'&' | b'+' | b'?' => {
                out.extend_from_slice(percent_encode_byte(byte).as_bytes());
            }
            _ => out.push(byte),
        }
    }
}

/// Undoes escapes that a redirect does not need: those of printable characters above `%`, up to the `?`
/// (`NGX_UNESCAPE_REDIRECT`).
pub(super) fn unescape_redirect(url: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(url.len());
    let mut rest = url;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'?' {
            break;
        }
        let escaped = (byte == b'%').then(|| tail.get(..2)).flatten().and_then(hexadecimal);
        match escaped {
            Some(b'?') => {
                out.push(b'?');
                rest = &tail[2..];
                break;
            }
            Some(plain) if plain > b'%' && plain < 0x7f => {
                out.push(plain);
                rest = &tail[2..];
            }
            Some(_) => {
                out.extend_from_slice(&rest[..3]);
                rest = &tail[2..];
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_escaped_for_arguments() {
        let mut out = Vec::new();
        escape_arguments("a b&c=d/é%".as_bytes(), &mut out);
        assert_eq!(out, b"a%20b%26c=d/%C3%A9%25");
    }

    #[test]
    fn redirects_keep_the_escapes_that_they_need() {
        for (escaped, url) in [
            ("/a%20b", "/a%20b"),
            ("/a%2Fb", "/a/b"),
            ("/a%25b", "/a%25b"),
            ("/a%3Fb%2F", "/a?b%2F"),
            ("/a?b%2F", "/a?b%2F"),
            ("/a%zz", "/a%zz"),
            ("/a%C3%A9", "/a%C3%A9"),
        ] {
            assert_eq!(unescape_redirect(escaped.as_bytes()), url.as_bytes(), "{escaped}");
        }
    }
}
