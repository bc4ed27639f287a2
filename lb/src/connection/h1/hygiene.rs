//! What a request header must look like to be let in. Pure: bytes in, [`Verdict`] out, one pass, no allocation;
//! runs once per request.
//!
//! Two rules decide what is refused. First, everything that Pingora would refuse is refused here, because its
//! refusals reach the client with its own name and no log line. Second, what NGINX refuses is refused, because
//! whatever stands behind the balancer was only ever shown what NGINX lets through; two servers that read one
//! message differently are how requests are smuggled. Where NGINX is lenient and Pingora is not, strictness wins
//! (spaces around the target, an HTTP minor version above 1, control characters in values), with two exceptions
//! where refusing would break clients that work today, and where the meaning is not in doubt:
//!
//! - Bytes in the target that Pingora cannot carry (`<`, `>`, `` ` ``, `"` in the query, bytes that are not
//!   UTF-8) are percent-encoded on the way in. To the server they are the same characters.
//! - An absolute-form target (`GET http://host/path`) becomes origin form, and its host replaces the `Host`
//!   field, as RFC 9112, section 3.2.2 asks of every recipient and as NGINX routes.
//!
//! And an `Upgrade` field that `Connection` does not name is left out: it is meant for somebody else (RFC 9110, section
//! 7.8), and Pingora looks at the field alone.
//!
//! All are described by a [`Rewrite`] for the caller to carry out.

use std::ops::Range;

use super::target::{
    Encode, FORBIDDEN, MAX_NAME_OR_TARGET_BYTES, SUSPECT, is_method_byte, is_valid_host, request_line,
    without_return,
};

pub use super::reason::Reason;
pub use super::target::{HttpVersion, Rewrite};

/// Pingora parses at most so many fields (`MAX_HEADERS` in pingora-core).
pub const MAX_FIELDS: usize = 256;

/// Where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    Empty,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Which fields are there that concern this connection alone and must not reach the server (RFC 9110, section 7.6.1).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HopFields {
    /// None.
    #[default]
    Nothing,
    /// `Connection`, and it says no more than `close` or `keep-alive`: what browsers send.
    OnlyConnection,
    /// Others, or a `Connection` that names others.
    More,
}

/// What the header says about the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Version.
    pub version: HttpVersion,
    /// Body framing.
    pub framing: Framing,
    /// Length of the method, which begins the request line.
    pub method_bytes: usize,
    /// The target within the request line.
    pub target: (usize, usize),
    /// Where path and query begin within the request line: the target's start, unless it is in absolute form.
    pub path_start: usize,
    /// HTTP/1.1 with an `Upgrade` field that `Connection` names: what follows the message may become another protocol.
    pub upgrade: bool,
    /// HTTP/1.1 with `Expect: 100-continue`.
    pub expects_continue: bool,
    /// The client would keep the connection.
    pub keep_alive: bool,
    /// A field name holds something besides letters, digits and hyphens. NGINX drops such fields
    /// (`ignore_invalid_headers on`, `underscores_in_headers off`); only then need anyone look for them.
    pub unusual_names: bool,
    /// What is to be taken out before the request goes on: knowing that there is nothing saves ten searches.
    pub hop_fields: HopFields,
}

/// Let in or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// In, perhaps after a rewrite.
    Admit(Shape, Option<Box<Rewrite>>),
    /// Out.
    Refuse(Reason),
}

/// Judges a whole header: from the first byte of the request line through the empty line.
pub fn judge(head: &[u8]) -> Verdict {
    match admit(head) {
        Ok((shape, rewrite)) => Verdict::Admit(shape, rewrite),
        Err(reason) => Verdict::Refuse(reason),
    }
}

/// Judges what has come of a header whose end has not: what cannot become a request need not be waited for. A
/// TLS handshake on a plain port is told at its first bytes.
pub fn judge_beginning(beginning: &[u8]) -> Option<Reason> {
    match memchr::memchr(b'\n', beginning) {
        Some(end) => request_line(without_return(&beginning[..end])).err(),
        None => {
            let method = memchr::memchr(b' ', beginning).map_or(beginning, |space| &beginning[..space]);
            (!method.iter().all(|byte| is_method_byte(*byte))).then_some(Reason::InvalidMethod)
        }
    }
}

fn admit(head: &[u8]) -> Result<(Shape, Option<Box<Rewrite>>), Reason> {
    let line_end = memchr::memchr(b'\n', head).ok_or(Reason::InvalidRequestLine)?;
    let line = request_line(without_return(&head[..line_end]))?;
    let fields = fields(head, line_end + 1)?;

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
fn fields(head: &[u8], start: usize) -> Result<Fields, Reason> {
    let mut fields = Fields::default();
    let mut line_start = start;
    let mut count = 0;
    for line_end in memchr::memchr_iter(b'\n', &head[start..]).map(|end| start + end) {
        let line = without_return(&head[line_start..line_end]);
        if line.is_empty() {
            return Ok(fields);
        }
        count += 1;
        if count > MAX_FIELDS {
            return Err(Reason::TooManyFields);
        }
        fields.read(line, line_start..line_end + 1)?;
        line_start = line_end + 1;
    }
    // Callers pass whole headers; one without an empty line is not.
    Err(Reason::InvalidField)
}

impl Fields {
    fn read(&mut self, line: &[u8], range: Range<usize>) -> Result<(), Reason> {
        let colon = memchr::memchr(b':', line).ok_or(Reason::InvalidField)?;
        let name = &line[..colon];
        let classes = name.iter().fold(0, |classes, byte| classes | NAME_CLASSES[usize::from(*byte)]);
        // This also refuses a folded line and a space before the colon.
        if name.is_empty() || classes & FORBIDDEN != 0 {
            return Err(Reason::InvalidField);
        }
        if name.len() > MAX_NAME_OR_TARGET_BYTES {
            return Err(Reason::HeaderTooLarge);
        }
        self.unusual_names |= classes & SUSPECT != 0;
        let untrimmed = &line[colon + 1..];
        let value = trim(untrimmed);
        // No early exit: this compiles to a few vector instructions.
        let control = |byte: u8| (byte < 0x20 && byte != b'\t') || byte == 0x7F;
        if value.iter().fold(false, |found, byte| found | control(*byte)) {
            return Err(Reason::InvalidField);
        }

        // By length first: most fields are none of these, and the length tells.
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

/// What else concerns one connection alone, besides the fields that are read for their meaning.
const OTHER_HOP_FIELDS: [&str; 8] = [
    "te",
    // None that anybody sends, but `Connection: close` names it.
    "close",
    "trailer",
    "keep-alive",
    "http2-settings",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
];

/// `tchar` of RFC 9110, section 5.6.2, in two classes: what NGINX takes without a question, and the rest.
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

/// Leaves tabs in place, as NGINX does, so that they spoil the fields that decide where a message goes or ends.
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
