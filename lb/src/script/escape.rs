//! How `log_format` escapes the values of variables.

use percent_encoding::percent_encode_byte;

/// `escape=` of a `log_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// `"`, `\` and bytes outside 32..=126 as `\xXX`; a variable without a value is `-`.
    Default,
    /// As a JSON string's inside; a variable without a value is empty.
    Json,
    /// As it is; a variable without a value is empty.
    None,
}

impl Escape {
    /// Escapes what was appended to `out` since `start`. A common value needs no escape and stays where it is.
    pub(super) fn apply(self, out: &mut Vec<u8>, start: usize) {
        match self {
            Self::Default => escape_from(out, start, needs_hex, write_hex),
            Self::Json => escape_from(out, start, needs_json, write_json),
            Self::None => {}
        }
    }
}

fn escape_from(
    out: &mut Vec<u8>,
    start: usize,
    needs: impl Fn(u8) -> bool,
    write: impl Fn(u8, &mut Vec<u8>),
) {
    let Some(first) = out[start..].iter().position(|&byte| needs(byte)) else { return };
    let raw = out.split_off(start + first);
    for byte in raw {
        if needs(byte) { write(byte, out) } else { out.push(byte) }
    }
}

fn needs_hex(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=31 | 127..)
}

fn write_hex(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\x");
    push_hex_digits(byte, out);
}

fn needs_json(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=31)
}

fn write_json(byte: u8, out: &mut Vec<u8>) {
    out.push(b'\\');
    match byte {
        b'"' | b'\\' => out.push(byte),
        b'\n' => out.push(b'n'),
        b'\r' => out.push(b'r'),
        b'\t' => out.push(b't'),
        0x08 => out.push(b'b'),
        0x0c => out.push(b'f'),
        _ => {
            out.extend_from_slice(b"u00");
            push_hex_digits(byte, out);
        }
    }
}

fn push_hex_digits(byte: u8, out: &mut Vec<u8>) {
    // The two digits are those of the percent encoding.
    out.extend_from_slice(&percent_encode_byte(byte).as_bytes()[1..]);
}
