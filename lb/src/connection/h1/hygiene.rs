//! The rules that a request header must satisfy. Pure: bytes in, [`Verdict`] out, one pass, no allocation; runs once
//! per request.
//!
//! Two rules decide which requests are refused. First, everything that Pingora would refuse is refused here, because
//! its refusals reach the client with its own name and no log line. Second, everything that NGINX refuses is refused,
//! because the servers behind the balancer were only ever shown requests that NGINX lets through; two servers that
//! read one message differently make request smuggling possible. Where NGINX is lenient and Pingora is not,
//! strictness wins (spaces around the target, an HTTP minor version above 1, control characters in values), with two
//! exceptions where refusing would break clients that work today, and where the meaning is not in doubt:
//!
//! - Bytes in the target that Pingora cannot carry (`<`, `>`, `` ` ``, `"` in the query, bytes that are not UTF-8)
//!   are percent-encoded. To the server they are the same characters.
//! - An absolute-form target (`GET http://host/path`) becomes origin form, and its host replaces the `Host`
//!   field, as RFC 9112, section 3.2.2 asks of every recipient and as NGINX routes.
//!
//! An `Upgrade` field that `Connection` does not name is removed: it is meant for another recipient (RFC 9110,
//! section 7.8), and Pingora looks at the field alone.
//!
//! A [`Rewrite`] describes all of these for the caller to carry out.

use std::ops::Range;

use super::target::{
    Encode, FORBIDDEN, MAX_NAME_OR_TARGET_BYTES, SUSPECT, is_method_byte, is_valid_host, request_line,
    without_return,
};

pub use super::reason::Reason;
pub use super::target::{HttpVersion, Rewrite};

/// Pingora parses at most so many fields (`MAX_HEADERS` in pingora-core).
pub const MAX_FIELDS: usize = 256;

/// The framing of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    Empty,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// The hop-by-hop fields in the header, which must not reach the server (RFC 9110, section 7.6.1).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HopFields {
    /// The header has none.
    #[default]
    Nothing,
    /// `Connection` alone, with only `close` or `keep-alive`: the usual browser request.
    OnlyConnection,
    /// Others, or a `Connection` that names others.
    More,
}

/// The header's statements about the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// HTTP version of the request line.
    pub version: HttpVersion,
    /// Framing of the body.
    pub framing: Framing,
    /// Length of the method, which begins the request line.
    pub method_bytes: usize,
    /// The target's range within the request line.
    pub target: (usize, usize),
    /// Start of path and query within the request line: the target's start, unless it is in absolute form.
    pub path_start: usize,
    /// HTTP/1.1 with an `Upgrade` field that `Connection` names: the bytes after the message may become another
    /// protocol.
    pub upgrade: bool,
    /// HTTP/1.1 with `Expect: 100-continue`.
    pub expects_continue: bool,
    /// The client asks to keep the connection.
    pub keep_alive: bool,
    /// A field name contains characters other than letters, digits and hyphens. Such fields are dropped unless the
    /// configuration says otherwise; the search for them is needed only then.
    pub unusual_names: bool,
    /// The fields to remove before the request is passed on: knowing that there are none saves ten searches.
    pub hop_fields: HopFields,
}

/// Admission or refusal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Admitted, perhaps after a rewrite.
    Admit(Shape, Option<Box<Rewrite>>),
    /// Refused.
    Refuse(Reason),
}

/// Checks a whole header: from the first byte of the request line through the empty line. It may have `max_fields`
/// fields, and [`MAX_FIELDS`].
pub fn judge(head: &[u8], max_fields: usize) -> Verdict {
    match admit(head, max_fields) {
        Ok((shape, rewrite)) => Verdict::Admit(shape, rewrite),
        Err(reason) => Verdict::Refuse(reason),
    }
}

/// Checks a header that is still incomplete: bytes that cannot become a request are refused at once. The first bytes
/// of a TLS handshake on a plain port are recognised here.
pub fn judge_beginning(beginning: &[u8]) -> Option<Reason> {
    match memchr::memchr(b'\n', beginning) {
        Some(end) => request_line(without_return(&beginning[..end])).err(),
        None => {
            let method = memchr::memchr(b' ', beginning).map_or(beginning, |space| &beginning[..space]);
            (!method.iter().all(|byte| is_method_byte(*byte))).then_some(Reason::InvalidMethod)
        }
    }
}

fn admit(head: &[u8], max_fields: usize) -> Result<(Shape, Option<Box<Rewrite>>), Reason> {
    let line_end = memchr::memchr(b'\n', head).ok_or(Reason::InvalidRequestLine)?;
    let line = request_line(without_return(&head[..line_end]))?;
    let fields = fields(head, line_end + 1, max_fields)?;

    let http_1_1 = line.version == HttpVersion::Http11;
    if fields.host_line.is_none() && http_1_1 {
        return Err(Reason::MissingHost);
    }
    let framing = match (fields.length, fields.encoding) {
        (Some(_), Some(_)) => return Err(Reason::LengthAndEncoding),
        (_, Some(_)) if !http_1_1 => return Err(Reason::EncodingInHttp10),
        (_, Some(Encoding::Unknown)) => return Err(Reason::UnknownEncoding),
        (_, Some(Encoding::Chunked)) => Framing::Chunked,
        (Some(length), None) => Framing::Length(length),
        (None, None) => Framing::Empty,
    };
    match &head[..line.method_bytes] {
        b"CONNECT" => return Err(Reason::ConnectMethod),
        b"TRACE" => return Err(Reason::TraceMethod),
        _ => {}
    }

    let upgrade = http_1_1 && fields.upgrade && fields.names_upgrade;
    let drop_upgrade = http_1_1 && fields.upgrade && !fields.names_upgrade;
    let rewrite = (line.authority.is_some() || line.encode != Encode::Nothing || drop_upgrade).then(|| {
        Box::new(Rewrite {
            path: line.path_start..line.target.end,
            target: line.target.clone(),
            encode_high_bytes: line.encode == Encode::HighBytesToo,
            host_line: fields.host_line.filter(|_| line.authority.is_some()),
            authority: line.authority,
            drop_upgrade,
        })
    });
    let shape = Shape {
        version: line.version,
        framing,
        method_bytes: line.method_bytes,
        target: (line.target.start, line.target.end),
        path_start: line.path_start,
        upgrade,
        expects_continue: fields.expects_continue == Some(true) && http_1_1,
        keep_alive: if http_1_1 { !fields.close } else { fields.keep_alive && !fields.close },
        unusual_names: fields.unusual_names,
        hop_fields: fields.hop_fields,
    };
    Ok((shape, rewrite))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Chunked,
    Unknown,
}

#[derive(Default)]
struct Fields {
    host_line: Option<Range<usize>>,
    length: Option<u64>,
    encoding: Option<Encoding>,
    upgrade: bool,
    /// `Connection` has the token `upgrade`.
    names_upgrade: bool,
    expects_continue: Option<bool>,
    close: bool,
    keep_alive: bool,
    unusual_names: bool,
    hop_fields: HopFields,
}

/// Reads the fields of `head` from the offset `start` to the empty line.
fn fields(head: &[u8], start: usize, max_fields: usize) -> Result<Fields, Reason> {
    let mut fields = Fields::default();
    let mut line_start = start;
    let mut count = 0;
    for line_end in memchr::memchr_iter(b'\n', &head[start..]).map(|end| start + end) {
        let line = without_return(&head[line_start..line_end]);
        if line.is_empty() {
            return Ok(fields);
        }
        count += 1;
        if count > max_fields.min(MAX_FIELDS) {
            return Err(Reason::TooManyFields);
        }
        fields.read(line, line_start..line_end + 1)?;
        line_start = line_end + 1;
    }
    // Callers pass whole headers; a header without an empty line is not one.
    Err(Reason::InvalidField)
}

/// What the bytes of a field's name are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::connection) enum NameKind {
    /// Letters, digits and hyphens.
    Usual,
    /// Others, too, that a name may have.
    Unusual,
}

/// The kind of a field's name; none of what is no name.
#[inline]
pub(in crate::connection) fn name_kind(name: &[u8]) -> Option<NameKind> {
    let classes = name.iter().fold(0, |classes, byte| classes | NAME_CLASSES[usize::from(*byte)]);
    if name.is_empty() || classes & FORBIDDEN != 0 {
        return None;
    }
    Some(if classes & SUSPECT != 0 { NameKind::Unusual } else { NameKind::Usual })
}

impl Fields {
    fn read(&mut self, line: &[u8], range: Range<usize>) -> Result<(), Reason> {
        let colon = memchr::memchr(b':', line).ok_or(Reason::InvalidField)?;
        let name = &line[..colon];
        // This also refuses a folded line and a space before the colon.
        let kind = name_kind(name).ok_or(Reason::InvalidField)?;
        if name.len() > MAX_NAME_OR_TARGET_BYTES {
            return Err(Reason::HeaderTooLarge);
        }
        self.unusual_names |= kind == NameKind::Unusual;
        let untrimmed = &line[colon + 1..];
        let value = trim(untrimmed);
        // No early exit: this compiles to a few vector instructions.
        let control = |byte: u8| (byte < 0x20 && byte != b'\t') || byte == 0x7F;
        if value.iter().fold(false, |found, byte| found | control(*byte)) {
            return Err(Reason::InvalidField);
        }

        // By length first: most fields are none of these, and the length shows it.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                if self.host_line.replace(range).is_some() {
                    return Err(Reason::DuplicateHost);
                }
                if !is_valid_host(trim_spaces(untrimmed)) {
                    return Err(Reason::InvalidHost);
                }
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                let expects_continue = value.eq_ignore_ascii_case(b"100-continue");
                if self.expects_continue.replace(expects_continue).is_some() {
                    return Err(Reason::DuplicateExpectation);
                }
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.upgrade = true;
                self.hop_fields = HopFields::More;
            }
            10 if name.eq_ignore_ascii_case(b"connection") => self.read_connection(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = length(trim_spaces(untrimmed))?;
                if self.length.replace(length).is_some() {
                    return Err(Reason::DuplicateLength);
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let chunked = trim_spaces(untrimmed).eq_ignore_ascii_case(b"chunked");
                let encoding = if chunked { Encoding::Chunked } else { Encoding::Unknown };
                if self.encoding.replace(encoding).is_some() {
                    return Err(Reason::DuplicateEncoding);
                }
                self.hop_fields = HopFields::More;
            }
            2 | 5 | 7 | 10 | 14 | 16 | 18 | 19
                if OTHER_HOP_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes())) =>
            {
                self.hop_fields = HopFields::More;
            }
            _ => {}
        }
        Ok(())
    }

    fn read_connection(&mut self, value: &[u8]) {
        for token in value.split(|byte| *byte == b',').map(trim) {
            let close = token.eq_ignore_ascii_case(b"close");
            let keep_alive = token.eq_ignore_ascii_case(b"keep-alive");
            self.close |= close;
            self.keep_alive |= keep_alive;
            self.names_upgrade |= token.eq_ignore_ascii_case(b"upgrade");
            let says = if close || keep_alive { HopFields::OnlyConnection } else { HopFields::More };
            self.hop_fields = self.hop_fields.max(says);
        }
    }
}

/// The other hop-by-hop fields, besides those that are read for their meaning.
const OTHER_HOP_FIELDS: [&str; 8] = [
    "te",
    // No client sends a field of this name, but `Connection: close` names it.
    "close",
    "trailer",
    "keep-alive",
    "http2-settings",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
];

/// `tchar` of RFC 9110, section 5.6.2, in two classes: characters that NGINX takes without a question, and the rest.
const NAME_CLASSES: [u8; 256] = {
    let mut classes = [FORBIDDEN; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => 0,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'.' | b'^' | b'_' | b'`' | b'|'
            | b'~' => SUSPECT,
            _ => FORBIDDEN,
        };
        byte += 1;
    }
    classes
};

fn trim(value: &[u8]) -> &[u8] {
    trim_of(value, |byte| matches!(byte, b' ' | b'\t'))
}

/// Leaves tabs in place, as NGINX does, so that they invalidate the fields that decide where a message goes or ends.
fn trim_spaces(value: &[u8]) -> &[u8] {
    trim_of(value, |byte| byte == b' ')
}

fn trim_of(value: &[u8], is_blank: impl Fn(u8) -> bool) -> &[u8] {
    let start = value.iter().position(|byte| !is_blank(*byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(*byte)).map_or(start, |end| end + 1);
    &value[start..end]
}

fn length(value: &[u8]) -> Result<u64, Reason> {
    if value.is_empty() {
        return Err(Reason::InvalidLength);
    }
    let length = value.iter().try_fold(0i64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    });
    // NGINX and Pingora both count in a signed 64-bit integer.
    length.and_then(|length| u64::try_from(length).ok()).ok_or(Reason::InvalidLength)
}

#[cfg(test)]
mod tests;
