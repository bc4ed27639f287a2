//! Which requests a kept answer is for, where its `Vary` says that they differ.
//!
//! Source of the rules: `ngx_http_file_cache_vary`. The values of the fields that are named are compared without spaces around
//! the commas.

use http::HeaderMap;
use http::header::{HeaderName, VARY};
use md5::{Digest, Md5};

use super::Key;

/// The longest `Vary` that nginx keeps an answer with.
const MOST_BYTES: usize = 128;

/// Whether an answer with these fields is for one request alone, or names more than is kept.
pub fn is_too_wild(fields: &HeaderMap) -> bool {
    let values = fields.get_all(VARY);
    let joined: usize = values.iter().map(|value| value.len() + 2).sum();
    values.iter().any(|value| value.as_bytes() == b"*") || joined > MOST_BYTES + 2
}

/// What tells requests apart for an answer with these fields: the sum of the fields of `request` that it names, below the
/// key; `None` where it names none.
pub fn variant(answer: &HeaderMap, request: &HeaderMap, key: &Key) -> Option<Key> {
    let mut sum = None::<Md5>;
    for value in answer.get_all(VARY) {
        for name in value.as_bytes().split(|byte| matches!(byte, b',' | b' ')) {
            // A name that cannot be a field's is no field of the request.
            let Ok(name) = HeaderName::from_bytes(name) else { continue };
            let sum = sum.get_or_insert_with(|| Md5::new_with_prefix(key));
            sum.update(name.as_str());
            sum.update(b":");
            let mut first = true;
            for part in
                request.get_all(&name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            {
                if !std::mem::take(&mut first) {
                    sum.update(b",");
                }
                sum.update(part.trim_ascii());
            }
            sum.update(b"\r\n");
        }
    }
    sum.map(|sum| sum.finalize().into())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn same(vary: &str, one: &[(&'static str, &str)], other: &[(&'static str, &str)]) -> bool {
        let answer = of(&[("vary", vary)]);
        let variant = |request: &[(&'static str, &str)]| variant(&answer, &of(request), &[7; 16]);
        assert!(variant(one).is_some(), "{vary}");
        variant(one) == variant(other)
    }

    #[test]
    fn requests_are_apart_where_a_named_field_differs() {
        for (vary, one, other, expected) in [
            ("Accept", vec![("accept", "a")], vec![("accept", "b")], false),
            ("Accept", vec![("accept", "a"), ("cookie", "1")], vec![("accept", "a"), ("cookie", "2")], true),
            (
                "accept-encoding",
                vec![("accept-encoding", "gzip, br")],
                vec![("accept-encoding", "gzip,br")],
                true,
            ),
            ("accept", vec![("accept", "a"), ("accept", "b")], vec![("accept", "a,b")], true),
            ("accept, cookie", vec![("cookie", "1")], vec![("cookie", "2")], false),
            ("accept", vec![], vec![("accept", "")], true),
        ] {
            assert_eq!(same(vary, &one, &other), expected, "{vary} {one:?} {other:?}");
        }
    }

    #[test]
    fn an_answer_without_the_field_is_for_all() {
        assert_eq!(variant(&of(&[]), &of(&[("accept", "a")]), &[0; 16]), None);
        assert_eq!(variant(&of(&[("vary", "")]), &of(&[]), &[0; 16]), None);
    }

    #[test]
    fn what_is_too_wild() {
        let long = "a".repeat(129);
        for (value, expected) in [("*", true), ("accept", false), (&long[..128], false), (&long, true)] {
            assert_eq!(is_too_wild(&of(&[("vary", value)])), expected, "{value}");
        }
        assert!(!is_too_wild(&of(&[])));
    }
}
