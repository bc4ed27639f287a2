//! The bytes that every request of a run consists of. Made once, before the first connection.

use crate::target::Target;

/// What the bytes say. Names and values are checked before they get here.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Where it goes.
    pub target: &'a Target,
    /// Headers of the user's own; one of these replaces the header of the same name that would be sent.
    pub headers: &'a [(String, String)],
    /// The body; `None` sends no `Content-Length` either.
    pub body: Option<&'a [u8]>,
}

/// What a request says about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing: HTTP/1.1 keeps it.
    Keep,
    /// It ends with this request's answer.
    Close,
}

/// What `User-Agent` says unless the user says otherwise.
const USER_AGENT: &str = concat!("loadgen/", env!("CARGO_PKG_VERSION"));

impl Request<'_> {
    /// The request as it goes over the wire. With [`Persistence::Close`] the user's own `Connection` header
    /// has to give way.
    pub fn to_bytes(self, persistence: Persistence) -> Vec<u8> {
        let Self { method, target, headers, body } = self;
        let mut bytes = format!("{method} {} HTTP/1.1\r\n", target.path).into_bytes();
        let mut field = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                bytes.extend_from_slice(part.as_bytes());
            }
        };
        for (name, value) in
            [("Host", target.authority.as_str()), ("User-Agent", USER_AGENT), ("Accept", "*/*")]
        {
            if !headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
                field(name, value);
            }
        }
        let closes = persistence == Persistence::Close;
        for (name, value) in headers {
            if !(closes && name.eq_ignore_ascii_case("Connection")) {
                field(name, value);
            }
        }
        if closes {
            field("Connection", "close");
        }
        if let Some(body) = body {
            field("Content-Length", &body.len().to_string());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body.unwrap_or_default());
        bytes
    }
}

/// Whether a request of this method may be sent again when nobody knows what became of it (RFC 9110, 9.2.2).
pub fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: Request<'_>) -> String {
        String::from_utf8(request.to_bytes(Persistence::Keep)).unwrap()
    }

    #[test]
    fn a_plain_request_has_three_headers_and_no_body() {
        let target = "http://localhost:8080/a?b=c".parse().unwrap();
        let request = Request { method: "GET", target: &target, headers: &[], body: None };
        assert_eq!(
            text(request),
            format!(
                "GET /a?b=c HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: {USER_AGENT}\r\n\
                 Accept: */*\r\n\r\n"
            )
        );
    }

    #[test]
    fn own_headers_replace_ours_and_a_body_is_measured() {
        let target = "http://localhost/".parse().unwrap();
        let headers = [
            ("host".to_owned(), "shop.test".to_owned()),
            ("ACCEPT".to_owned(), "text/html".to_owned()),
            ("user-agent".to_owned(), "me".to_owned()),
            ("X-One".to_owned(), "1".to_owned()),
            ("X-One".to_owned(), "2".to_owned()),
        ];
        let request = Request { method: "POST", target: &target, headers: &headers, body: Some(b"hello") };
        assert_eq!(
            text(request),
            "POST / HTTP/1.1\r\nhost: shop.test\r\nACCEPT: text/html\r\nuser-agent: me\r\nX-One: 1\r\n\
             X-One: 2\r\nContent-Length: 5\r\n\r\nhello"
        );
    }

    #[test]
    fn the_last_request_of_a_connection_says_so_once() {
        let target = "http://a/".parse().unwrap();
        let headers =
            [("connection".to_owned(), "keep-alive".to_owned()), ("X-One".to_owned(), "1".to_owned())];
        let request = Request { method: "GET", target: &target, headers: &headers, body: Some(b"x") };
        assert!(text(request).contains("connection: keep-alive\r\nX-One: 1\r\nContent-Length"));
        let last = String::from_utf8(request.to_bytes(Persistence::Close)).unwrap();
        assert!(
            last.ends_with("*/*\r\nX-One: 1\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"),
            "{last}"
        );
        assert!(!last.contains("keep-alive"), "{last}");
    }

    #[test]
    fn an_empty_body_is_still_announced() {
        let target = "http://localhost/".parse().unwrap();
        let request = Request { method: "POST", target: &target, headers: &[], body: Some(b"") };
        assert!(text(request).ends_with("Content-Length: 0\r\n\r\n"));
    }
}
