//! The list of a directory for programs: JSON, JSONP and XML, byte for byte as nginx writes them.

use super::http_time::{self, Calendar};
use crate::content::escape::escape_html;
use crate::files::{Entry, Kind};

/// An array of objects.
pub fn json(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    write_json(entries, &mut out);
    out
}

/// The array as the argument of a function; without a name, the array.
pub fn jsonp(callback: Option<&[u8]>, entries: &[Entry]) -> Vec<u8> {
    let Some(callback) = callback else { return json(entries) };
    let mut out = b"/* callback */\r\n".to_vec();
    out.extend_from_slice(callback);
    out.push(b'(');
    write_json(entries, &mut out);
    out.extend_from_slice(b");");
    out
}

/// The query's `callback` is no name: 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidCallback;

/// The function that the query's `callback` names: letters, digits, `_` and `.`, at most 128 of them. nginx takes no other
/// either, so that no program of a stranger's can be sent.
pub fn callback(argument: Option<&[u8]>) -> Result<Option<&[u8]>, InvalidCallback> {
    let Some(name) = argument.filter(|name| !name.is_empty()) else { return Ok(None) };
    let sound = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(byte));
    if sound && name.len() <= 128 { Ok(Some(name)) } else { Err(InvalidCallback) }
}

fn write_json(entries: &[Entry], out: &mut Vec<u8>) {
    out.extend_from_slice(b"[\r\n");
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b",\r\n");
        }
        out.extend_from_slice(b"{ \"name\":\"");
        escape_json(&entry.name, out);
        let (kind, time) = (kind(entry), http_time::written(entry.modified));
        out.extend_from_slice(format!("\", \"type\":\"{kind}\", \"mtime\":\"{time}\"").as_bytes());
        if entry.kind == Kind::File {
            out.extend_from_slice(format!(", \"size\":{}", entry.length).as_bytes());
        }
        out.extend_from_slice(b" }");
    }
    out.extend_from_slice(if entries.is_empty() { b"]" } else { b"\r\n]" });
}

fn escape_json(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            other => out.push(*other),
        }
    }
}

/// A list of elements.
pub fn xml(entries: &[Entry]) -> Vec<u8> {
    let mut out = b"<?xml version=\"1.0\"?>\r\n<list>\r\n".to_vec();
    for entry in entries {
        let kind = kind(entry);
        let Calendar { year, month, day, hour, minute, second, .. } = http_time::calendar(entry.modified);
        let time = format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
        out.extend_from_slice(format!("<{kind} mtime=\"{time}\"").as_bytes());
        if entry.kind == Kind::File {
            out.extend_from_slice(format!(" size=\"{}\"", entry.length).as_bytes());
        }
        out.push(b'>');
        escape_html(&entry.name, &mut out);
        out.extend_from_slice(format!("</{kind}>\r\n").as_bytes());
    }
    out.extend_from_slice(b"</list>\r\n");
    out
}

fn kind(entry: &Entry) -> &'static str {
    match entry.kind {
        Kind::Directory => "directory",
        Kind::File => "file",
        Kind::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::super::listing::tests::entry;
    use super::*;

    fn three() -> [Entry; 3] {
        [
            entry("sub", Kind::Directory, 4096),
            entry("a\"\\\u{1}&", Kind::File, 5),
            entry("socket", Kind::Other, 0),
        ]
    }

    #[test]
    fn json_is_one_object_to_a_line() {
        let expected = "[\r\n\
            { \"name\":\"sub\", \"type\":\"directory\", \"mtime\":\"Mon, 05 Jan 2026 03:04:05 GMT\" },\r\n\
            { \"name\":\"a\\\"\\\\\\u0001&\", \"type\":\"file\", \"mtime\":\"Mon, 05 Jan 2026 03:04:05 GMT\", \"size\":5 },\r\n\
            { \"name\":\"socket\", \"type\":\"other\", \"mtime\":\"Mon, 05 Jan 2026 03:04:05 GMT\" }\r\n]";
        assert_eq!(String::from_utf8(json(&three())).unwrap(), expected);
        assert_eq!(json(&[]), b"[\r\n]");
        assert_eq!(jsonp(Some(b"x"), &[]), b"/* callback */\r\nx([\r\n]);");
        assert_eq!(jsonp(None, &[]), b"[\r\n]");
    }

    #[test]
    fn a_callback_is_a_name_and_nothing_else() {
        for (argument, taken) in [
            ("cb", Ok(true)),
            ("9a.b_1", Ok(true)),
            ("", Ok(false)),
            ("a$", Err(InvalidCallback)),
            ("a(b)", Err(InvalidCallback)),
            ("a%20", Err(InvalidCallback)),
        ] {
            let found = callback(Some(argument.as_bytes())).map(|name| name.is_some());
            assert_eq!(found, taken, "{argument}");
        }
        assert_eq!(callback(None), Ok(None));
        assert!(callback(Some(&[b'a'; 128])).is_ok() && callback(Some(&[b'a'; 129])).is_err());
    }

    #[test]
    fn xml_is_one_element_to_a_line() {
        let expected = "<?xml version=\"1.0\"?>\r\n<list>\r\n\
            <directory mtime=\"2026-01-05T03:04:05Z\">sub</directory>\r\n\
            <file mtime=\"2026-01-05T03:04:05Z\" size=\"5\">a&quot;\\\u{1}&amp;</file>\r\n\
            <other mtime=\"2026-01-05T03:04:05Z\">socket</other>\r\n</list>\r\n";
        assert_eq!(String::from_utf8(xml(&three())).unwrap(), expected);
    }
}
