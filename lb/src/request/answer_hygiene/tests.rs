use http::header::HeaderName;

use super::*;

/// Fields as text: `name: value`, with a bar between two.
fn fields(lines: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in lines.split('|').filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    map
}

/// What an answer is besides its fields.
struct Row {
    method: Method,
    status: u16,
    version: Version,
    upgrade_asked: bool,
}

const GET: Row = Row { method: Method::GET, status: 200, version: Version::HTTP_11, upgrade_asked: false };

impl Row {
    fn verdict(&self, lines: &str) -> Result<Verdict, String> {
        let fields = fields(lines);
        let head = Head {
            status: StatusCode::from_u16(self.status).unwrap(),
            version: self.version,
            fields: &fields,
            method: &self.method,
            upgrade_asked: self.upgrade_asked,
        };
        judge(&head).map_err(|refusal| refusal.to_string())
    }
}

fn passed(framing: Framing) -> Result<Verdict, String> {
    stripped(framing, false, false)
}

fn stripped(framing: Framing, strip_length: bool, strip_coding: bool) -> Result<Verdict, String> {
    Ok(Verdict::Final(Answer { framing, strip_length, strip_coding }))
}

#[test]
fn a_body_ends_in_one_place() {
    for (lines, framing) in [
        ("", Framing::UntilClose),
        ("content-type: a", Framing::UntilClose),
        ("content-length: 0", Framing::Length(0)),
        ("content-length: 5", Framing::Length(5)),
        ("content-length: 007", Framing::Length(7)),
        ("content-length: 9223372036854775807", Framing::Length(i64::MAX as u64)),
        ("transfer-encoding: chunked", Framing::Chunked),
        ("x: y|transfer-encoding: CHUNKED|z: z", Framing::Chunked),
    ] {
        assert_eq!(GET.verdict(lines), passed(framing), "{lines}");
        assert_eq!(
            Row { version: Version::HTTP_10, ..GET }.verdict(lines),
            passed(framing),
            "of HTTP/1.0: {lines}"
        );
    }
}

#[test]
fn a_coding_other_than_chunked_is_refused_whatever_the_status() {
    let values = [
        "identity",
        "cow",
        "",
        "chunked, gzip",
        "gzip, chunked",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "\"chunked\"",
        "chunked;a=b",
        "chunke",
        "chunkedd",
    ];
    for value in values {
        let words = format!("upstream sent unknown \"Transfer-Encoding\": \"{}\"", value.escape_default());
        let line = format!("transfer-encoding: {value}");
        for row in [
            GET,
            Row { status: 204, ..GET },
            Row { status: 304, ..GET },
            Row { status: 101, upgrade_asked: true, ..GET },
            Row { method: Method::HEAD, ..GET },
        ] {
            assert_eq!(row.verdict(&line), Err(words.clone()), "{} {value}", row.status);
        }
    }
}

#[test]
fn a_length_is_one_number() {
    for value in [
        "5, 5",
        "5,5",
        "+2",
        "-1",
        "",
        "0x2",
        "2 2",
        "2;",
        "5.0",
        "9223372036854775808",
        "99999999999999999999",
    ] {
        let words = format!("upstream sent invalid \"Content-Length\" header: \"Content-Length: {value}\"");
        for row in [GET, Row { status: 204, ..GET }, Row { method: Method::HEAD, ..GET }] {
            assert_eq!(row.verdict(&format!("content-length: {value}")), Err(words.clone()));
        }
    }
}

#[test]
fn a_framing_field_stands_once() {
    for (name, first, second) in [
        ("Content-Length", "2", "2"),
        ("Content-Length", "2", "3"),
        ("Transfer-Encoding", "chunked", "chunked"),
        ("Transfer-Encoding", "cow", "chunked"),
    ] {
        let words = format!(
            "upstream sent duplicate header line: \"{name}: {second}\", previous value: \"{name}: {first}\""
        );
        assert_eq!(GET.verdict(&format!("{name}: {first}|x: y|{name}: {second}")), Err(words));
    }
}

#[test]
fn an_answer_without_a_body_has_no_framing_that_says_otherwise() {
    let head = || Row { method: Method::HEAD, ..GET };
    let status = |status| Row { status, ..GET };
    let upgrade = || Row { status: 101, upgrade_asked: true, ..GET };
    for (row, lines, length, coding) in [
        (status(204), "", false, false),
        (status(204), "transfer-encoding: chunked", false, true),
        (status(204), "content-length: 0", false, false),
        (status(204), "content-length: 5", true, false),
        (status(304), "transfer-encoding: chunked", false, true),
        (status(304), "content-length: 5", false, false),
        (head(), "", false, false),
        (head(), "content-length: 5", false, false),
        (head(), "transfer-encoding: chunked", false, true),
    ] {
        assert_eq!(row.verdict(lines), stripped(Framing::Empty, length, coding), "{} {lines}", row.status);
    }
    for (lines, length, coding) in
        [("", false, false), ("content-length: 0", true, false), ("transfer-encoding: chunked", false, true)]
    {
        assert_eq!(upgrade().verdict(lines), stripped(Framing::Tunnel, length, coding), "101 {lines}");
    }
}

#[test]
fn a_coding_overrides_a_length() {
    assert_eq!(
        GET.verdict("content-length: 3|transfer-encoding: chunked"),
        stripped(Framing::Chunked, true, false)
    );
}

#[test]
fn interim_answers_are_not_passed_on() {
    for status in [100, 102, 103, 150, 199] {
        for lines in ["", "link: a", "transfer-encoding: cow", "content-length: 5, 6"] {
            assert_eq!(Row { status, ..GET }.verdict(lines), Ok(Verdict::Interim), "{status} {lines}");
        }
    }
}

#[test]
fn another_protocol_follows_only_where_it_was_asked_for() {
    let refused = Err("upstream sent invalid header: 101 to a request that asked for no upgrade".to_owned());
    for (upgrade_asked, version, expected) in [
        (true, Version::HTTP_11, passed(Framing::Tunnel)),
        (false, Version::HTTP_11, refused.clone()),
        (true, Version::HTTP_10, refused.clone()),
        (false, Version::HTTP_10, refused),
    ] {
        let row = Row { status: 101, upgrade_asked, version, ..GET };
        assert_eq!(row.verdict("upgrade: x|connection: upgrade"), expected, "{upgrade_asked} {version:?}");
    }
    // An upgrade that the server does not take is an answer like any other.
    assert_eq!(Row { upgrade_asked: true, ..GET }.verdict("content-length: 2"), passed(Framing::Length(2)));
}

#[test]
fn a_value_in_the_log_is_short_and_printable() {
    let words = GET.verdict(&format!("transfer-encoding: \t\u{e4}\"{}", "x".repeat(4000))).unwrap_err();
    assert!(words.is_ascii() && words.len() < 400, "{words}");
    assert!(words.contains("\\xc3\\xa4\\\"xx"), "{words}");
}

#[test]
fn which_ends_a_client_without_chunks_can_see() {
    for (framing, sees) in [
        (Framing::Empty, true),
        (Framing::Length(0), true),
        (Framing::Chunked, false),
        (Framing::UntilClose, false),
        (Framing::Tunnel, false),
    ] {
        assert_eq!(framing.ends_without_chunks(), sees, "{framing:?}");
    }
}
