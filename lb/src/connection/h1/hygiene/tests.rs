//! Tables of admitted and refused headers, and a comparison with Pingora's own parser over thousands of mutated
//! headers: Pingora must accept every admitted header, and see the same message in it.

use bytes::BytesMut;
use pingora::protocols::http::v1::server::HttpSession;

use super::*;
use crate::connection::h1::target::Rewrite;

fn refused(head: &[u8]) -> Option<Reason> {
    match judge(head, MAX_FIELDS) {
        Verdict::Admit(..) => None,
        Verdict::Refuse(reason) => Some(reason),
    }
}

fn admitted(head: &str) -> (Shape, Option<Box<Rewrite>>) {
    match judge(head.as_bytes(), MAX_FIELDS) {
        Verdict::Admit(shape, rewrite) => (shape, rewrite),
        Verdict::Refuse(reason) => panic!("{head:?} was refused: {reason}"),
    }
}

#[test]
fn request_lines() {
    use Reason::*;
    for (line, expected) in [
        (b"GET / HTTP/1.1".as_slice(), None),
        (b"GET / HTTP/1.0", None),
        (b"VERSION-CONTROL /x HTTP/1.1", None),
        (b"M_SEARCH /x HTTP/1.1", None),
        (b"POST /a//b/../c%2f?x=%E4{}^| HTTP/1.1", None),
        (b"GET /caf\xC3\xA9 HTTP/1.1", None),
        (b"GET /caf\xE9 HTTP/1.1", None),
        (b"GET /<b>`?\"q\" HTTP/1.1", None),
        (b"GET /?a=http://b HTTP/1.1", None),
        (b"GET /#fragment HTTP/1.1", None),
        (b"GET http://h/ HTTP/1.1", None),
        (b"GET HTTPS://h:443?q HTTP/1.1", None),
        (b"GET http://[::1]:80/ HTTP/1.1", None),
        (b"", Some(InvalidMethod)),
        (b" GET / HTTP/1.1", Some(InvalidMethod)),
        (b"get / HTTP/1.1", Some(InvalidMethod)),
        (b"GE(T / HTTP/1.1", Some(InvalidMethod)),
        (b"G\xC3\x89T / HTTP/1.1", Some(InvalidMethod)),
        (b"\x16\x03\x01\x02\x00", Some(InvalidMethod)),
        (b"GET", Some(InvalidRequestLine)),
        (b"GET /", Some(InvalidRequestLine)),
        (b"GET  / HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET /  HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET / HTTP/1.1 ", Some(InvalidRequestLine)),
        (b"GET\t/ HTTP/1.1", Some(InvalidMethod)),
        (b"GET /\tHTTP/1.1", Some(InvalidRequestLine)),
        (b"GET /a b HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET /a\x01 HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET /a\x00 HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET /a\x7f HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET /\r HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET a HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET ?a HTTP/1.1", Some(InvalidRequestLine)),
        (b"OPTIONS * HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET ftp://h/ HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET http:/h/ HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET http:///x HTTP/1.1", Some(InvalidHostInTarget)),
        (b"GET http://?x HTTP/1.1", Some(InvalidHostInTarget)),
        (b"GET http://a@h/ HTTP/1.1", Some(InvalidHostInTarget)),
        (b"GET http://h\\@b/ HTTP/1.1", Some(InvalidHostInTarget)),
        (b"GET http://h:x/ HTTP/1.1", Some(InvalidHostInTarget)),
        (b"GET http://a_b/ HTTP/1.1", Some(InvalidHostInTarget)),
        (b"GET http://a#b HTTP/1.1", Some(InvalidHostInTarget)),
        (b"GET http://a,b/ HTTP/1.1", Some(InvalidHostInTarget)),
        (b"GET /%41%2f?%%zz HTTP/1.1", None),
        (b"GET /%4 HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET /%4? HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET /%zz HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET /%% HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET /%00 HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET http://h/%zz HTTP/1.1", Some(InvalidRequestLine)),
        (b"GET / HTTP/0.9", Some(InvalidRequestLine)),
        (b"GET / HTTP/01.1", Some(InvalidRequestLine)),
        (b"GET / http/1.1", Some(InvalidRequestLine)),
        (b"GET / HTTP/1", Some(InvalidRequestLine)),
        (b"GET / HTTP/1.", Some(InvalidRequestLine)),
        (b"GET / HTTP/1.1x", Some(InvalidRequestLine)),
        (b"GET / HTTP/1.2", Some(InvalidVersion)),
        (b"GET / HTTP/2.0", Some(InvalidVersion)),
        (b"PRI * HTTP/2.0", Some(InvalidRequestLine)),
        (b"GET / HTTP/10.0", Some(InvalidVersion)),
        (b"CONNECT h:443 HTTP/1.1", Some(InvalidRequestLine)),
        (b"CONNECT /x HTTP/1.1", Some(ConnectMethod)),
        (b"TRACE / HTTP/1.1", Some(TraceMethod)),
    ] {
        let head = [line, b"\r\nHost: h\r\n\r\n"].concat();
        assert_eq!(refused(&head), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn targets_longer_than_pingora_can_hold() {
    let head = |target: String| format!("GET /{target} HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(refused(head("u".repeat(65_533)).as_bytes()), None);
    assert_eq!(refused(head("u".repeat(65_534)).as_bytes()), Some(Reason::RequestLineTooLong));
    // Encoding triples it.
    assert_eq!(refused(head("<".repeat(21_845)).as_bytes()), Some(Reason::RequestLineTooLong));
    assert_eq!(refused(head("<".repeat(21_844)).as_bytes()), None);
}

#[test]
fn fields_and_framing() {
    use Reason::*;
    let many = |count: usize| "X: y\r\n".repeat(count);
    let rows: Vec<(String, Option<Reason>)> = vec![
        ("".into(), None),
        ("A: b\r\nC-1: d\r\n".into(), None),
        ("A:b\r\n".into(), None),
        ("A:\r\n".into(), None),
        ("A: \t b \t\r\n".into(), None),
        ("X_A: b\r\n".into(), None),
        ("A: caf\u{e9}\r\n".into(), None),
        ("A: b\n".into(), None),
        ("A : b\r\n".into(), Some(InvalidField)),
        ("A\t: b\r\n".into(), Some(InvalidField)),
        (" A: b\r\n".into(), Some(InvalidField)),
        ("A: b\r\n c\r\n".into(), Some(InvalidField)),
        ("A: b\r\n\tc\r\n".into(), Some(InvalidField)),
        (": b\r\n".into(), Some(InvalidField)),
        ("A\r\n".into(), Some(InvalidField)),
        ("A(: b\r\n".into(), Some(InvalidField)),
        ("\u{e9}: b\r\n".into(), Some(InvalidField)),
        ("A: b\rc\r\n".into(), Some(InvalidField)),
        ("A: b\r\r\n".into(), Some(InvalidField)),
        ("A: b\0\r\n".into(), Some(InvalidField)),
        ("A: b\u{1}\r\n".into(), Some(InvalidField)),
        ("A: b\u{7f}\r\n".into(), Some(InvalidField)),
        ("Content-Length: 0\r\n".into(), None),
        ("content-length:  12 \r\n".into(), None),
        ("Content-Length:\t1\r\n".into(), Some(InvalidLength)),
        ("Transfer-Encoding:\tchunked\r\n".into(), Some(UnknownEncoding)),
        ("Content-Length: 9223372036854775807\r\n".into(), None),
        ("Content-Length: 9223372036854775808\r\n".into(), Some(InvalidLength)),
        ("Content-Length: 99999999999999999999\r\n".into(), Some(InvalidLength)),
        ("Content-Length: +2\r\n".into(), Some(InvalidLength)),
        ("Content-Length: -1\r\n".into(), Some(InvalidLength)),
        ("Content-Length: 0x2\r\n".into(), Some(InvalidLength)),
        ("Content-Length: 2, 2\r\n".into(), Some(InvalidLength)),
        ("Content-Length: 2 2\r\n".into(), Some(InvalidLength)),
        ("Content-Length:\r\n".into(), Some(InvalidLength)),
        ("Content-Length: 2\r\nContent-Length: 2\r\n".into(), Some(DuplicateLength)),
        ("Content-Length: 2\r\nContent-Length: 3\r\n".into(), Some(DuplicateLength)),
        ("Expect: 100-continue\r\nExpect: 100-continue\r\n".into(), Some(DuplicateExpectation)),
        ("Transfer-Encoding: chunked\r\n".into(), None),
        ("transfer-ENCODING: Chunked\r\n".into(), None),
        ("Transfer-Encoding: gzip\r\n".into(), Some(UnknownEncoding)),
        ("Transfer-Encoding: gzip, chunked\r\n".into(), Some(UnknownEncoding)),
        ("Transfer-Encoding: identity\r\n".into(), Some(UnknownEncoding)),
        ("Transfer-Encoding: \u{b}chunked\r\n".into(), Some(InvalidField)),
        ("Transfer-Encoding: xchunked\r\n".into(), Some(UnknownEncoding)),
        ("Transfer-Encoding:\r\n".into(), Some(UnknownEncoding)),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n".into(), Some(DuplicateEncoding)),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n".into(), Some(LengthAndEncoding)),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n".into(), Some(LengthAndEncoding)),
        (many(255), None),
        (many(256), Some(TooManyFields)),
        (format!("{}: v\r\n", "n".repeat(65_535)), Some(HeaderTooLarge)),
    ];
    for (fields, expected) in rows {
        let head = format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        assert_eq!(refused(head.as_bytes()), expected, "{:?}", &fields[..fields.len().min(80)]);
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refused(old.as_bytes()), Some(EncodingInHttp10));
}

#[test]
fn hosts() {
    use Reason::*;
    for (host, expected) in [
        ("h", None),
        ("h.", None),
        ("H.Example:80", None),
        ("h:", None),
        ("a_b.c-d~e", None),
        ("127.0.0.1:8080", None),
        ("[::1]", None),
        ("[fe80::1.2.3.4]:80", None),
        ("", Some(InvalidHost)),
        (".", Some(InvalidHost)),
        (":80", Some(InvalidHost)),
        ("a..b", Some(InvalidHost)),
        ("a/b", Some(InvalidHost)),
        ("a b", Some(InvalidHost)),
        ("a@b", Some(InvalidHost)),
        ("a\\b", Some(InvalidHost)),
        ("a?b", Some(InvalidHost)),
        ("a#b", Some(InvalidHost)),
        ("a:b", Some(InvalidHost)),
        ("a:80:90", Some(InvalidHost)),
        ("::1", Some(InvalidHost)),
        ("[::1", Some(InvalidHost)),
        ("[::1]x", Some(InvalidHost)),
        ("[x]", Some(InvalidHost)),
    ] {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(refused(head.as_bytes()), expected, "{host:?}");
    }
    for (head, expected) in [
        ("GET / HTTP/1.1\r\n\r\n", Some(MissingHost)),
        ("GET / HTTP/1.0\r\n\r\n", None),
        ("GET http://h/ HTTP/1.1\r\n\r\n", Some(MissingHost)),
        ("GET http://h/ HTTP/1.0\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nHost: a\t\r\n\r\n", Some(InvalidHost)),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Some(DuplicateHost)),
        ("GET http://h/ HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", Some(DuplicateHost)),
        ("GET http://h/ HTTP/1.1\r\nHost: a b\r\n\r\n", Some(InvalidHost)),
    ] {
        assert_eq!(refused(head.as_bytes()), expected, "{head:?}");
    }
}

#[test]
fn what_is_told_of_the_message() {
    let (shape, rewrite) = admitted("PUT /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    assert_eq!((shape.version, shape.framing), (HttpVersion::Http11, Framing::Length(5)));
    assert_eq!((shape.method_bytes, shape.target, shape.path_start), (3, (4, 8), 4));
    assert!(shape.keep_alive && !shape.upgrade && !shape.expects_continue && !shape.unusual_names);
    assert_eq!(rewrite, None);

    let with =
        |version: &str, fields: &str| admitted(&format!("GET / {version}\r\nHost: h\r\n{fields}\r\n")).0;
    for (version, fields, keep_alive) in [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "Connection: upgrade ,Close\r\n", false),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        assert_eq!(with(version, fields).keep_alive, keep_alive, "{version} {fields:?}");
    }
    for (version, fields, expected) in [
        ("HTTP/1.1", "Upgrade: websocket\r\nConnection: Upgrade\r\n", true),
        ("HTTP/1.1", "Connection: keep-alive,\tUPGRADE\r\nUpgrade: h2c\r\n", true),
        ("HTTP/1.1", "Connection: close\r\nUpgrade: x\r\nConnection: upgrade\r\n", true),
        ("HTTP/1.1", "Upgrade: websocket\r\n", false),
        ("HTTP/1.1", "Upgrade: websocket\r\nConnection: keep-alive\r\n", false),
        ("HTTP/1.1", "Upgrade: websocket\r\nConnection: upgrades\r\n", false),
        ("HTTP/1.1", "Connection: Upgrade\r\n", false),
        ("HTTP/1.0", "Upgrade: websocket\r\nConnection: Upgrade\r\n", false),
    ] {
        assert_eq!(with(version, fields).upgrade, expected, "{version} {fields:?}");
    }
    assert!(with("HTTP/1.1", "X_A: b\r\n").unusual_names);
    assert!(with("HTTP/1.1", "Expect: 100-Continue\r\n").expects_continue);
    assert!(!with("HTTP/1.0", "Expect: 100-continue\r\n").expects_continue);
    assert_eq!(with("HTTP/1.1", "Transfer-Encoding: chunked\r\n").framing, Framing::Chunked);
    assert_eq!(with("HTTP/1.1", "").framing, Framing::Empty);
}

#[test]
fn the_configuration_decides_how_many_fields_there_may_be() {
    let judged = |max_fields, fields: &str| {
        judge(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes(), max_fields)
    };
    assert!(matches!(judged(3, "A: b\r\nC: d\r\n"), Verdict::Admit(..)));
    assert_eq!(judged(3, "A: b\r\nC: d\r\nE: f\r\n"), Verdict::Refuse(Reason::TooManyFields));
    assert_eq!(judged(1000, &"A: b\r\n".repeat(256)), Verdict::Refuse(Reason::TooManyFields));
}

#[test]
fn fields_that_concern_one_connection_alone() {
    use HopFields::*;
    for (fields, expected) in [
        ("", Nothing),
        ("Accept: */*\r\nCookie: a=b\r\nContent-Length: 0\r\nX-Te: a\r\n", Nothing),
        // As long as one of the names, and none of them.
        (
            "ab: c\r\nabcde: x\r\nreferer: /\r\nuser-agent: x\r\naccept-charset: x\r\nabcdefghijklmnop: x\r\n",
            Nothing,
        ),
        ("Connection: keep-alive\r\n", OnlyConnection),
        ("connection: Close\r\nCONNECTION: keep-alive , close\r\n", OnlyConnection),
        ("Connection: close\r\nClose: x\r\n", More),
        ("Connection:\r\n", More),
        ("Connection: close, X-Real-IP\r\n", More),
        ("Connection: close\r\nConnection: te\r\nConnection: close\r\n", More),
        ("TE: trailers\r\n", More),
        ("Te: trailers\r\nConnection: close\r\n", More),
        ("Trailer: X-Sum\r\n", More),
        ("Upgrade: websocket\r\n", More),
        ("Keep-Alive: timeout=5\r\n", More),
        ("HTTP2-Settings: AAMAAABk\r\n", More),
        ("Proxy-Connection: keep-alive\r\n", More),
        ("Transfer-Encoding: chunked\r\n", More),
        ("Proxy-Authenticate: Basic\r\n", More),
        ("PROXY-AUTHORIZATION: Basic YTpi\r\n", More),
    ] {
        let (shape, _) = admitted(&format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
        assert_eq!(shape.hop_fields, expected, "{fields:?}");
    }
}

#[test]
fn what_pingora_gets_instead() {
    for (head, expected) in [
        (
            b"GET /<a>`?\"`<\" HTTP/1.1\r\nHost: h\r\n\r\n".as_slice(),
            "GET /%3Ca%3E%60?%22`%3C%22 HTTP/1.1\r\nHost: h\r\n\r\n",
        ),
        (b"GET /\xE9\"?\xE9 HTTP/1.1\r\nHost: h\r\n\r\n", "GET /%E9\"?%E9 HTTP/1.1\r\nHost: h\r\n\r\n"),
        (
            b"GET http://a:8/p?q HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n",
            "GET /p?q HTTP/1.1\r\nHost: a:8\r\nX: y\r\n\r\n",
        ),
        (b"GET http://a HTTP/1.1\nX: y\nHost: b\n\n", "GET / HTTP/1.1\nHost: a\r\nX: y\n\n"),
        (b"GET http://a?< HTTP/1.0\r\n\r\n", "GET /?%3C HTTP/1.0\r\nHost: a\r\n\r\n"),
        (
            b"GET /p HTTP/1.1\r\nUpgrade: a\r\nHost: h\r\nUPGRADE:b\r\nUpgrade-Not: c\r\n\r\n",
            "GET /p HTTP/1.1\r\nHost: h\r\nUpgrade-Not: c\r\n\r\n",
        ),
        (
            b"GET http://a/ HTTP/1.1\nUpgrade: x\nHost: h\nupgrade: y\nX: y\n\n",
            "GET / HTTP/1.1\nHost: a\r\nX: y\n\n",
        ),
    ] {
        let Verdict::Admit(_, Some(rewrite)) = judge(head, MAX_FIELDS) else {
            panic!("{} needs no rewrite", head.escape_ascii());
        };
        assert_eq!(
            rewrite.apply(head).escape_ascii().to_string(),
            expected.as_bytes().escape_ascii().to_string()
        );
    }
    for plain in ["/caf\u{e9}", "/a\"b{}|^\\", "/?a`b"] {
        assert_eq!(admitted(&format!("GET {plain} HTTP/1.1\r\nHost: h\r\n\r\n")).1, None, "{plain}");
    }
}

#[test]
fn a_beginning_is_judged_as_far_as_it_came() {
    for (beginning, expected) in [
        (b"GET".as_slice(), None),
        (b"GET /a", None),
        (b"GET / HTTP/1.1\r\nHo", None),
        (b"\x16\x03", Some(Reason::InvalidMethod)),
        (b"get", Some(Reason::InvalidMethod)),
        (b"GET /\r\n", Some(Reason::InvalidRequestLine)),
    ] {
        assert_eq!(judge_beginning(beginning), expected, "{}", beginning.escape_ascii());
    }
}

const SEEDS: [&str; 8] = [
    "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "GET /a/b%20c?d=e&f HTTP/1.1\r\nHost: example.org:8080\r\nUser-Agent: x/1 (y; z)\r\nAccept: */*\r\n\r\n",
    "POST /p HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 12\r\nContent-Type: text/plain\r\n\r\n",
    "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    "GET http://a.b/c?d HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\n\r\n",
    "GET /x HTTP/1.0\r\nConnection: keep-alive\r\nCookie: a=b; c=\"d\"\r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX_Y: z\r\n\r\n",
    "DELETE /\u{fc}<>?`\" HTTP/1.1\nHost: h\nX: \u{fc}\n\n",
];

const PIECES: [&[u8]; 26] = [
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b":",
    b",",
    b"\x80",
    b"\xff",
    b"/",
    b"//",
    b"?",
    b"#",
    b"@",
    b"\\",
    b"<",
    b"`",
    b"\"",
    b"%",
    b"Host: x\r\n",
    b"Content-Length: 1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"HTTP/1.1",
    b"http://",
    b"CONNECT ",
];

fn mutated(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut head = SEEDS[random.usize(..SEEDS.len())].as_bytes().to_vec();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..head.len());
        match random.u8(..5) {
            0 => head[at] = random.u8(..),
            1 => drop(head.remove(at)),
            2 => head[at] = PIECES[random.usize(..PIECES.len())][0],
            3 => {
                let piece = PIECES[random.usize(..PIECES.len())];
                head.splice(at..at, piece.iter().copied());
            }
            _ => {
                let end = (at + random.usize(1..20)).min(head.len());
                let copy = head[at..end].to_vec();
                let to = random.usize(..=head.len());
                head.splice(to..to, copy);
            }
        }
        if head.is_empty() {
            return SEEDS[0].as_bytes().to_vec();
        }
    }
    head
}

/// The header that the loop would hand over: the first whole header, if its end is found and it is admitted.
fn handed_over(bytes: &[u8]) -> Option<(Shape, BytesMut)> {
    use crate::config::model::HeaderLimits;
    use crate::connection::h1::head::{HeadScanner, Progress, leading_line_ends};

    let bytes = &bytes[leading_line_ends(bytes)..];
    let limits = HeaderLimits { line_bytes: 8192, total_bytes: 33792 };
    let Progress::Complete(end) = HeadScanner::default().advance(bytes, &limits) else { return None };
    let head = &bytes[..end];
    match judge(head, MAX_FIELDS) {
        Verdict::Admit(shape, Some(rewrite)) => Some((shape, rewrite.apply(head))),
        Verdict::Admit(shape, None) => Some((shape, head.into())),
        Verdict::Refuse(_) => None,
    }
}

#[tokio::test]
async fn pingora_accepts_whatever_is_let_in_and_sees_the_same_message() {
    let mut random = fastrand::Rng::with_seed(20_261_122);
    let (mut let_in, mut refused) = (0, 0);
    for _ in 0..60_000 {
        let bytes = mutated(&mut random);
        let Some((shape, head)) = handed_over(&bytes) else {
            refused += 1;
            continue;
        };
        let_in += 1;
        let told = head.escape_ascii().to_string();
        let mut session = HttpSession::new(Box::new(std::io::Cursor::new(Vec::new())));
        let head_bytes = head.len();
        session.set_pipelined_prefix(head);
        let read = session.read_request().await;
        let read = read.unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!(read, Some(head_bytes), "Pingora sees another end of {told}");
        let header = session.req_header();
        let version = match shape.version {
            HttpVersion::Http10 => http::Version::HTTP_10,
            HttpVersion::Http11 => http::Version::HTTP_11,
            HttpVersion::Http2 => panic!("{told}: HTTP/2 has no request line"),
        };
        assert_eq!(header.version, version, "{told}");
        assert_ne!(header.method, http::Method::CONNECT, "{told}");
        let length =
            header.headers.get("content-length").map(|value| value.to_str().unwrap().parse().unwrap());
        let framing = match (length, header.headers.contains_key("transfer-encoding")) {
            (None, true) => Framing::Chunked,
            (Some(length), false) => Framing::Length(length),
            (None, false) => Framing::Empty,
            (Some(_), true) => panic!("two framings in {told}"),
        };
        assert_eq!(framing, shape.framing, "{told}");
        assert_eq!(
            header.headers.contains_key("upgrade") && version == http::Version::HTTP_11,
            shape.upgrade
        );
    }
    assert!(
        let_in > 5_000 && refused > 5_000,
        "{let_in} let in, {refused} refused: the test has lost its balance"
    );
}
