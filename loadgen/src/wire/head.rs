//! The head of an answer: its status, where its body ends, whether the connection lives on, and which
//! backend it names. Runs once per answer; nothing is copied, the names borrow from the input.

use std::mem::MaybeUninit;

use super::Malformed;
use super::body::Body;

/// What is asked of every head in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectations {
    /// The headers that may name the backend; the first of them that an answer carries does.
    pub backend_headers: Vec<String>,
    /// The request was a HEAD, so that no answer has a body whatever its head says.
    pub head_request: bool,
}

/// A complete head.
#[derive(Debug, PartialEq, Eq)]
pub struct Head<'input> {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The value of the backend header.
    pub backend: Option<&'input [u8]>,
    /// What body follows.
    pub body: Body,
    /// Whether another request may follow on the connection.
    pub keep_alive: bool,
    /// How many bytes the head took.
    pub length: usize,
}

impl Head<'_> {
    /// Whether the real answer is still to come. 101 is final: we asked for no upgrade, nothing follows it.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != SWITCHING_PROTOCOLS
    }
}

/// More than real servers and proxies send; the array lives on the stack and is not initialised.
const HEADER_COUNT_LIMIT: usize = 128;

const SWITCHING_PROTOCOLS: u16 = 101;

/// Parses the head at the start of `input`; `None` when it is not complete yet.
///
/// # Errors
/// When it can never become a head, or when its framing contradicts itself.
pub fn parse<'input>(
    input: &'input [u8],
    expectations: &Expectations,
) -> Result<Option<Head<'input>>, Malformed> {
    // The parser passes over empty lines before the status line. That is for servers, which may find one
    // before a request (RFC 9112, 2.2); before an answer it is something left over from the last.
    if let Some(b'\r' | b'\n') = input.first() {
        return Err(Malformed::Head(httparse::Error::NewLine));
    }
    let mut headers = [const { MaybeUninit::uninit() }; HEADER_COUNT_LIMIT];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        input,
        &mut headers,
    )?;
    // The parser takes any three digits; and it tells them as soon as it has seen them.
    if let Some(..100) = response.code {
        return Err(Malformed::Head(httparse::Error::Status));
    }
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let (Some(status), Some(minor_version)) = (response.code, response.version) else {
        return Err(Malformed::Head(httparse::Error::Status));
    };

    let mut fields = Fields::default();
    for header in response.headers.iter() {
        fields.read(header, expectations)?;
    }
    if fields.length.is_some() && fields.encoded {
        return Err(Malformed::LengthAndEncoding);
    }

    let bodiless = expectations.head_request || matches!(status, 100..=199 | 204 | 304);
    let body = match fields.length {
        _ if bodiless => Body::EMPTY,
        Some(remaining) => Body::Length { remaining },
        None if fields.chunked => Body::CHUNKED,
        None => Body::UntilClose,
    };
    // A transfer encoding in an HTTP/1.0 answer is faulty framing: use it, then close (RFC 9112, 6.1).
    let persistent = match minor_version {
        0 => fields.keep_alive && !fields.encoded,
        _ => true,
    };
    let keep_alive = persistent && !fields.close && body != Body::UntilClose && status != SWITCHING_PROTOCOLS;
    Ok(Some(Head { status, backend: fields.backend, body, keep_alive, length }))
}

/// What the header lines said, before the status has its say.
#[derive(Default)]
struct Fields<'input> {
    length: Option<u64>,
    encoded: bool,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    backend: Option<&'input [u8]>,
    /// How many backend headers come before the one that was found.
    backend_rank: usize,
}

impl<'input> Fields<'input> {
    fn read(
        &mut self,
        header: &httparse::Header<'input>,
        expectations: &Expectations,
    ) -> Result<(), Malformed> {
        let name = header.name;
        // The comparison looks at the length first, so that most names cost no look at their letters.
        if name.eq_ignore_ascii_case("content-length") {
            // Hardly ever a list, and to look for one takes longer than to read the number.
            match decimal(header.value) {
                Some(length) => self.agree_on(length)?,
                None => items(header.value)
                    .try_for_each(|item| self.agree_on(decimal(item).ok_or(Malformed::Length)?))?,
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.encoded = true;
            // Only as the last coding does it frame the body.
            self.chunked =
                items(header.value).last().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        } else if name.eq_ignore_ascii_case("connection") {
            if header.value == b"keep-alive" {
                self.keep_alive = true;
                return Ok(());
            }
            for token in items(header.value) {
                self.close |= token.eq_ignore_ascii_case(b"close");
                self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
            }
        } else {
            // A header counts unless itself or a better one was seen before.
            let limit = if self.backend.is_none() { usize::MAX } else { self.backend_rank };
            let rank = expectations
                .backend_headers
                .iter()
                .take(limit)
                .position(|candidate| name.eq_ignore_ascii_case(candidate));
            if let Some(rank) = rank {
                self.backend = Some(header.value.trim_ascii());
                self.backend_rank = rank;
            }
        }
        Ok(())
    }
}

impl Fields<'_> {
    /// Several lengths must be the same.
    fn agree_on(&mut self, length: u64) -> Result<(), Malformed> {
        match self.length.replace(length) {
            Some(before) if before != length => Err(Malformed::Length),
            _ => Ok(()),
        }
    }
}

/// The members of a comma-separated list.
fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits only: no sign, no space, no overflow.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectations(head_request: bool) -> Expectations {
        Expectations { backend_headers: vec!["X-Backend".to_owned()], head_request }
    }

    #[test]
    fn framing_and_persistence_follow_the_head() {
        let length = |remaining| Body::Length { remaining };
        let table: &[(&str, u16, Body, bool)] = &[
            ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", 200, length(12), true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 12, 12\r\n\r\n", 200, length(12), true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 200, length(3), true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n", 200, length(1), false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x, CLOSE\r\n\r\n", 200, length(1), false),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, Body::CHUNKED, true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 200, Body::CHUNKED, true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 200, Body::UntilClose, false),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, Body::CHUNKED, false),
            ("HTTP/1.1 200 OK\r\n\r\n", 200, Body::UntilClose, false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", 200, length(1), false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", 200, length(1), true),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, Body::EMPTY, true),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, Body::EMPTY, true),
            ("HTTP/1.1 100 Continue\r\n\r\n", 100, Body::EMPTY, true),
            ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 101, Body::EMPTY, false),
            ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", 502, Body::EMPTY, true),
        ];
        for (input, status, body, keep_alive) in table {
            let head = parse(input.as_bytes(), &expectations(false)).unwrap().unwrap();
            let expected = Head {
                status: *status,
                backend: None,
                body: *body,
                keep_alive: *keep_alive,
                length: input.len(),
            };
            assert_eq!(head, expected, "{input:?}");
        }
    }

    #[test]
    fn an_answer_to_head_has_no_body_whatever_it_says() {
        for fields in ["Content-Length: 12\r\n", "Transfer-Encoding: chunked\r\n", ""] {
            let input = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            let head = parse(input.as_bytes(), &expectations(true)).unwrap().unwrap();
            assert_eq!((head.body, head.keep_alive), (Body::EMPTY, true), "{fields:?}");
        }
    }

    #[test]
    fn broken_heads_are_told_apart() {
        let table: &[(&str, Malformed)] = &[
            ("\r\nHTTP/1.1 200 OK\r\n\r\n", Malformed::Head(httparse::Error::NewLine)),
            ("\nHTTP/1.1 200 OK\r\n\r\n", Malformed::Head(httparse::Error::NewLine)),
            ("SSH-2.0-OpenSSH_9\r\n\r\n", Malformed::Head(httparse::Error::Version)),
            ("HTTP/1.1 2x0 OK\r\n\r\n", Malformed::Head(httparse::Error::Status)),
            ("HTTP/1.1 099 Odd\r\n\r\n", Malformed::Head(httparse::Error::Status)),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Malformed::Head(httparse::Error::HeaderName)),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Malformed::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", Malformed::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", Malformed::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", Malformed::Length),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Malformed::LengthAndEncoding,
            ),
        ];
        for (input, expected) in table {
            assert_eq!(parse(input.as_bytes(), &expectations(false)), Err(*expected), "{input:?}");
        }
    }

    #[test]
    fn the_first_backend_header_names_the_backend() {
        let input = b"HTTP/1.1 200 OK\r\nx-backend:  b-1 \r\nX-Backend: b-2\r\nContent-Length: 0\r\n\r\nrest";
        let head = parse(input, &expectations(false)).unwrap().unwrap();
        assert_eq!(head.backend, Some(&b"b-1"[..]));
        assert_eq!(&input[head.length..], b"rest");
    }

    #[test]
    fn the_first_of_several_headers_that_is_there_names_the_backend() {
        let expectations = Expectations {
            backend_headers: ["X-Backend", "Via", "Server"].map(str::to_owned).to_vec(),
            head_request: false,
        };
        let table: [(&str, Option<&str>); 5] = [
            ("Server: s\r\nVia: v\r\nX-Backend: b\r\n", Some("b")),
            ("X-Backend: b\r\nVia: v\r\nX-Backend: c\r\n", Some("b")),
            ("Server: s\r\nvia: v\r\nVia: w\r\n", Some("v")),
            ("Server: s\r\n", Some("s")),
            ("Date: d\r\n", None),
        ];
        for (fields, expected) in table {
            let input = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            let head = parse(input.as_bytes(), &expectations).unwrap().unwrap();
            assert_eq!(head.backend, expected.map(str::as_bytes), "{fields:?}");
        }
    }

    #[test]
    fn an_incomplete_head_is_no_error() {
        let input = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        for end in 0..input.len() {
            assert_eq!(parse(&input[..end], &expectations(false)), Ok(None), "the first {end} bytes");
        }
    }
}
