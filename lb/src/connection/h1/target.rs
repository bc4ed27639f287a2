//! The request line: its grammar, and the parts that must be rewritten for Pingora. Pure: has the rules of a target
//! and of a host; `hygiene` decides which of them a header must keep.

use std::ops::Range;

use bytes::BytesMut;
use percent_encoding::percent_encode_byte;

use super::reason::Reason;

/// The `http` crate holds targets and field names of up to this many bytes.
pub(super) const MAX_NAME_OR_TARGET_BYTES: usize = u16::MAX as usize - 1;

/// The supported versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2.0
    Http2,
}

/// The changes to the header before Pingora parses it. Offsets are into the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// Path and query within the header; an empty path is to become `/`.
    pub path: Range<usize>,
    /// The target within the header.
    pub target: Range<usize>,
    /// True if the target is not UTF-8: then every byte above 0x7F is encoded.
    pub encode_high_bytes: bool,
    /// The host of an absolute-form target, which becomes the `Host` field.
    pub authority: Option<Range<usize>>,
    /// The `Host` line that it replaces, line end included.
    pub host_line: Option<Range<usize>>,
    /// Removes the `Upgrade` fields.
    pub drop_upgrade: bool,
}

pub(super) struct RequestLine {
    pub(super) version: HttpVersion,
    pub(super) method_bytes: usize,
    pub(super) target: Range<usize>,
    pub(super) path_start: usize,
    pub(super) authority: Option<Range<usize>>,
    pub(super) encode: Encode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encode {
    Nothing,
    Delimiters,
    HighBytesToo,
}

pub(super) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

pub(in crate::connection) fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte == b'_' || byte == b'-'
}

pub(super) fn request_line(line: &[u8]) -> Result<RequestLine, Reason> {
    let method_bytes = memchr::memchr(b' ', line).unwrap_or(line.len());
    if method_bytes == 0 || !line[..method_bytes].iter().all(|byte| is_method_byte(*byte)) {
        return Err(Reason::InvalidMethod);
    }
    let start = method_bytes + 1;
    // Without a second space it is HTTP/0.9 or nothing.
    let end = memchr::memrchr(b' ', line).filter(|end| *end > start).ok_or(Reason::InvalidRequestLine)?;
    let target = &line[start..end];
    if target.len() > MAX_NAME_OR_TARGET_BYTES {
        return Err(Reason::RequestLineTooLong);
    }

    let classes = target.iter().fold(0, |classes, byte| classes | TARGET_CLASSES[usize::from(*byte)]);
    if classes & FORBIDDEN != 0 {
        return Err(Reason::InvalidRequestLine);
    }
    let authority = match target {
        [b'/', ..] => None,
        _ => Some(authority(target, start)?),
    };
    let path_start = authority.as_ref().map_or(start, |authority| authority.end);
    if classes & PERCENT != 0 && has_broken_escape(&line[path_start..end]) {
        return Err(Reason::InvalidRequestLine);
    }
    let encode =
        if classes & SUSPECT == 0 { Encode::Nothing } else { what_to_encode(&line[path_start..end]) };
    if encode != Encode::Nothing && encoded_length(&line[path_start..end], encode) > MAX_NAME_OR_TARGET_BYTES
    {
        return Err(Reason::RequestLineTooLong);
    }
    // Last, as it stands: NGINX refuses the preface of HTTP/2 for its asterisk.
    let version = version(&line[end + 1..])?;
    Ok(RequestLine { version, method_bytes, target: start..end, path_start, authority, encode })
}

fn version(text: &[u8]) -> Result<HttpVersion, Reason> {
    match text {
        b"HTTP/1.1" => return Ok(HttpVersion::Http11),
        b"HTTP/1.0" => return Ok(HttpVersion::Http10),
        _ => {}
    }
    let number = text.strip_prefix(b"HTTP/").ok_or(Reason::InvalidRequestLine)?;
    let dot = memchr::memchr(b'.', number).ok_or(Reason::InvalidRequestLine)?;
    let (major, minor) = (&number[..dot], &number[dot + 1..]);
    let is_number = |digits: &[u8]| matches!(digits.len(), 1..=3) && digits.iter().all(u8::is_ascii_digit);
    match major {
        // As NGINX: HTTP/0.9 has no version to write, and a leading zero is none.
        [b'1'..=b'9', ..] if is_number(major) && is_number(minor) => Err(Reason::InvalidVersion),
        _ => Err(Reason::InvalidRequestLine),
    }
}

/// The host part of an absolute-form target that begins at `start`, as a range of the request line.
fn authority(target: &[u8], start: usize) -> Result<Range<usize>, Reason> {
    let scheme = [b"http://".as_slice(), b"https://"]
        .iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|found| found.eq_ignore_ascii_case(scheme)))
        .ok_or(Reason::InvalidRequestLine)?
        .len();
    let end = target[scheme..]
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .map_or(target.len(), |end| scheme + end);
    let host = &target[scheme..end];
    // NGINX takes less for a host here than in a Host field.
    let name_end =
        if host.first() == Some(&b'[') { 0 } else { memchr::memchr(b':', host).unwrap_or(host.len()) };
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if !is_valid_host(host) || !host[..name_end].iter().all(is_plain) {
        return Err(Reason::InvalidHostInTarget);
    }
    Ok(start + scheme..start + end)
}

/// NGINX's `ngx_http_validate_host`, and besides: no byte that delimits the host in a URL (`@` and `\` make one
/// parser see another host than the next), and only digits for a port.
pub(in crate::connection) fn is_valid_host(host: &[u8]) -> bool {
    let name_end = match host {
        [b'[', literal @ ..] => match memchr::memchr(b']', literal) {
            Some(end)
                if literal[..end]
                    .iter()
                    .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')) =>
            {
                end + 2
            }
            _ => return false,
        },
        _ => memchr::memchr(b':', host).unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(name_end);
    let port_is_valid = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let name_without_dot = name.strip_suffix(b".").unwrap_or(name);
    let mut previous = 0;
    let name_is_valid = name.iter().all(|byte| {
        let two_dots = previous == b'.' && *byte == b'.';
        previous = *byte;
        !two_dots && !matches!(byte, 0..=0x20 | 0x7F | b'/' | b'\\' | b'@' | b'?' | b'#' | b'"' | b'<' | b'>')
    });
    port_is_valid && name_is_valid && !name_without_dot.is_empty()
}

/// Space, control characters: no target may hold them.
pub(super) const FORBIDDEN: u8 = 1;
/// May have to be encoded; see [`what_to_encode`].
pub(super) const SUSPECT: u8 = 2;

/// Begins an escape.
const PERCENT: u8 = 4;

const TARGET_CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            0..=0x20 | 0x7F => FORBIDDEN,
            b'<' | b'>' | b'`' | b'"' | 0x80.. => SUSPECT,
            b'%' => PERCENT,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// True if the path has a `%` that two hexadecimal digits do not follow, or an escaped NUL. NGINX refuses these while
/// it decodes the path, and does not decode the query.
pub(in crate::connection) fn has_broken_escape(path_and_query: &[u8]) -> bool {
    let path_end = path_and_query.iter().position(|byte| matches!(byte, b'?' | b'#'));
    let path = &path_and_query[..path_end.unwrap_or(path_and_query.len())];
    memchr::memchr_iter(b'%', path).any(|at| match path.get(at + 1..at + 3) {
        Some(digits) => !digits.iter().all(u8::is_ascii_hexdigit) || digits == b"00",
        None => true,
    })
}

fn what_to_encode(path_and_query: &[u8]) -> Encode {
    if std::str::from_utf8(path_and_query).is_err() {
        return Encode::HighBytesToo;
    }
    let query = memchr::memchr(b'?', path_and_query).unwrap_or(path_and_query.len());
    let any = path_and_query.iter().enumerate().any(|(at, byte)| must_be_encoded(*byte, at > query, false));
    if any { Encode::Delimiters } else { Encode::Nothing }
}

/// True if the `http` crate's `PathAndQuery` would refuse `byte`.
fn must_be_encoded(byte: u8, in_query: bool, encode_high_bytes: bool) -> bool {
    match byte {
        b'<' | b'>' => true,
        b'`' => !in_query,
        b'"' => in_query,
        0x80.. => encode_high_bytes,
        _ => false,
    }
}

fn encoded_length(path_and_query: &[u8], encode: Encode) -> usize {
    let query = memchr::memchr(b'?', path_and_query).unwrap_or(path_and_query.len());
    let high = encode == Encode::HighBytesToo;
    let encoded = |(at, byte): &(usize, &u8)| must_be_encoded(**byte, *at > query, high);
    path_and_query.len() + 2 * path_and_query.iter().enumerate().filter(encoded).count()
}

impl Rewrite {
    /// The header that Pingora gets in place of `head`.
    pub fn apply(&self, head: &[u8]) -> BytesMut {
        let mut rewritten = BytesMut::with_capacity(head.len() + 64);
        rewritten.extend_from_slice(&head[..self.target.start]);
        let path_and_query = &head[self.path.clone()];
        if path_and_query.first() != Some(&b'/') {
            rewritten.extend_from_slice(b"/");
        }
        let query = memchr::memchr(b'?', path_and_query).unwrap_or(path_and_query.len());
        for (at, byte) in path_and_query.iter().enumerate() {
            if must_be_encoded(*byte, at > query, self.encode_high_bytes) {
                rewritten.extend_from_slice(percent_encode_byte(*byte).as_bytes());
            } else {
                rewritten.extend_from_slice(&[*byte]);
            }
        }
        let rest = &head[self.target.end..];
        let line_end = self.target.end + memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        rewritten.extend_from_slice(&head[self.target.end..line_end]);
        let Some(authority) = &self.authority else {
            self.copy_fields(&head[line_end..], &mut rewritten);
            return rewritten;
        };
        rewritten.extend_from_slice(b"Host: ");
        rewritten.extend_from_slice(&head[authority.clone()]);
        rewritten.extend_from_slice(b"\r\n");
        let (before, after) = match &self.host_line {
            Some(line) => (line_end..line.start, line.end..head.len()),
            None => (line_end..head.len(), head.len()..head.len()),
        };
        self.copy_fields(&head[before], &mut rewritten);
        self.copy_fields(&head[after], &mut rewritten);
        rewritten
    }

    /// Copies whole lines, except those to be removed.
    fn copy_fields(&self, fields: &[u8], rewritten: &mut BytesMut) {
        const UPGRADE: &[u8] = b"upgrade:";
        if !self.drop_upgrade {
            return rewritten.extend_from_slice(fields);
        }
        let is_upgrade =
            |line: &[u8]| line.get(..UPGRADE.len()).is_some_and(|name| name.eq_ignore_ascii_case(UPGRADE));
        for line in fields.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_upgrade(line)) {
            rewritten.extend_from_slice(line);
        }
    }
}
