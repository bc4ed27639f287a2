//! Holds `docs/wire.md` true: every example in it is compared with what a server answers.

use serde_json::Value;

use crate::{
    client::{Connection, fetch, request},
    server::Server,
};

const DOCUMENT: &str = include_str!("../../../docs/wire.md");

/// The examples under third-level headings of the form `` ### `GET /path` ``, as (path, JSON).
fn json_examples() -> Vec<(&'static str, &'static str)> {
    DOCUMENT
        .split("\n### `GET ")
        .skip(1)
        .map(|section| {
            let path = section.split('`').next().unwrap();
            (path, block(section, "json"))
        })
        .collect()
}

/// The content of the first fenced block of a kind.
fn block(section: &'static str, kind: &str) -> &'static str {
    let (_, rest) =
        section.split_once(&format!("```{kind}\n")).unwrap_or_else(|| panic!("no {kind}: {section}"));
    rest.split_once("```").unwrap().0
}

/// JSON with each value replaced by its kind, in the order in which it was written.
fn shape(json: &str) -> Vec<(String, &'static str)> {
    let Value::Object(object) = serde_json::from_str(json.trim()).unwrap() else {
        panic!("not an object: {json}")
    };
    let mut shape: Vec<_> = object
        .into_iter()
        .map(|(key, value)| {
            let kind = match value {
                Value::String(_) => "string",
                Value::Number(number) if number.is_u64() => "whole number",
                Value::Number(_) => "number",
                Value::Bool(_) => "boolean",
                _ => "other",
            };
            (key, kind)
        })
        .collect();
    shape.sort_by_key(|(key, _)| json.find(&format!("\"{key}\":")).unwrap());
    shape
}

#[test]
fn json_examples_have_the_shape_of_the_answers() {
    let server = Server::start(&["--faults", "--name", "backend-1"]);
    let examples = json_examples();
    let paths: Vec<_> = examples.iter().map(|(path, _)| *path).collect();
    assert_eq!(paths, ["/", "/health", "/unknown", "/faults"]);
    for (path, example) in examples {
        let answer = fetch(server.address, path);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(shape(answer.text()), shape(example), "{path}");
        assert_eq!(answer.text().contains(' '), example.contains(' '), "{path}: written alike");
        // What does not change from answer to answer is also the same.
        if ["/health", "/unknown"].contains(&path) {
            assert_eq!(answer.text(), example.trim());
        }
        if path == "/faults" {
            assert_eq!(request(server.address, "PUT", path, example.as_bytes()).text(), example.trim());
            request(server.address, "DELETE", path, b"");
        }
    }
}

#[test]
fn the_stream_begins_as_shown() {
    let server = Server::start(&["--name", "backend-1"]);
    let example = block(DOCUMENT, "text");
    let (retry, rest) = example.split_once("\n\n").unwrap();
    let event = rest.strip_prefix("data: ").unwrap();

    let mut stream = Connection::open(server.address);
    stream.send("GET", "/rps", b"");
    stream.read_head();
    assert_eq!(stream.read_chunk().unwrap(), format!("{retry}\n\n").into_bytes());
    let first = String::from_utf8(stream.read_chunk().unwrap()).unwrap();
    let data = first.strip_prefix("data: ").and_then(|data| data.strip_suffix("\n\n")).unwrap();
    assert_eq!(shape(data), shape(event));
    assert!(event.ends_with("\n\n"), "an event ends with an empty line");
}

#[test]
fn the_endpoints_take_the_methods_stated() {
    let server = Server::start(&["--faults"]);
    let mut rows = 0;
    for row in DOCUMENT.lines().filter(|line| line.starts_with("| `/")) {
        let columns: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [path, methods, answer, counted] = columns[..] else { continue };
        let path = path.trim_matches('`').replace('N', "10");
        for method in ["HEAD", "GET", "POST", "PUT", "DELETE", "PATCH"] {
            let mut connection = Connection::open(server.address);
            let before = server.counted();
            connection.send(method, &path, b"{}");
            let head = connection.read_head();
            let stated = methods.split(", ").any(|stated| stated == method);
            assert_eq!(head.status != 405, stated, "{method} {path}");
            if !stated {
                assert_eq!(head.header("allow"), Some(methods), "{method} {path}");
            }
            let expected = if stated && counted == "yes" { 1 } else { 0 };
            assert_eq!(server.counted() - before, expected, "{method} {path}: counted? {answer}");
        }
        rows += 1;
    }
    assert_eq!(rows, 6);
}
