//! The lengths on the wire of what Pingora serialises: for the variables that count bytes, computed only where a log asks.

use http::{HeaderMap, header};
use pingora::http::{RequestHeader, ResponseHeader};

/// The length of a response header.
pub(super) fn response_head(response: &ResponseHeader) -> u64 {
    let reason = response.get_reason_phrase().unwrap_or_default();
    ("HTTP/1.1 200 \r\n".len() + reason.len() + fields(&response.headers)) as u64
}

/// The length of a request header. Where the body goes in chunks, Pingora adds the field that says so.
pub(super) fn request_head(request: &RequestHeader, in_chunks: bool) -> u64 {
    let line = request.method.as_str().len() + request.raw_path().len() + "  HTTP/1.1\r\n".len();
    let is_added = in_chunks && !request.headers.contains_key(header::TRANSFER_ENCODING);
    let added = if is_added { "Transfer-Encoding: chunked\r\n".len() } else { 0 };
    (line + fields(&request.headers) + added) as u64
}

/// What frames a chunk of `bytes`: its size line, and the line end behind it. Of the last chunk, which has none, the
/// empty line that ends the body.
pub(super) fn chunk_framing(bytes: usize) -> u64 {
    let digits = (usize::BITS - bytes.leading_zeros()).div_ceil(4).max(1);
    u64::from(digits) + 4
}

/// Fields and the empty line.
fn fields(headers: &HeaderMap) -> usize {
    let line = |name: &http::HeaderName, value: &http::HeaderValue| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    headers.iter().map(|(name, value)| line(name, value)).sum::<usize>() + "\r\n".len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_wire() {
        let mut request = RequestHeader::build("GET", b"/a?b", None).unwrap();
        request.insert_header("Host", "t").unwrap();
        assert_eq!(request_head(&request, false), "GET /a?b HTTP/1.1\r\nHost: t\r\n\r\n".len() as u64);
        let mut response = ResponseHeader::build(200, None).unwrap();
        response.insert_header("X-A", "1").unwrap();
        assert_eq!(response_head(&response), "HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n".len() as u64);
        for (bytes, framing) in [
            (0, "0\r\n\r\n"),
            (1, "1\r\n\r\n"),
            (15, "f\r\n\r\n"),
            (16, "10\r\n\r\n"),
            (65536, "10000\r\n\r\n"),
        ] {
            assert_eq!(chunk_framing(bytes), framing.len() as u64, "{bytes}");
        }
    }
}
