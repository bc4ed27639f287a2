//! The normalised path that locations are matched against (`$uri`): escapes decoded, `.` and `..` resolved,
//! slashes merged or kept (`merge_slashes`), as nginx's `ngx_http_parse_complex_uri`.

use std::borrow::Cow;

/// The reason why a path has no normal form: nginx answers such a request with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPath {
    /// It does not begin with a slash.
    NotAbsolute,
    /// `..` climbs above the root.
    AboveRoot,
    /// `%` without two hexadecimal digits, or `%00`.
    BadEscape,
}

/// The request target's parts as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// Up to the first `?`.
    pub path: &'a [u8],
    /// The part after it; `None` when there is no `?`.
    pub query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// Splits an origin-form target; a fragment, which no client should send, is dropped as nginx drops it.
    pub fn split(target: &'a [u8]) -> Self {
        let target = match memchr::memchr(b'#', target) {
            Some(at) => &target[..at],
            None => target,
        };
        match memchr::memchr(b'?', target) {
            Some(at) => Self { path: &target[..at], query: Some(&target[at + 1..]) },
            None => Self { path: target, query: None },
        }
    }
}

/// What becomes of two or more slashes in a row: `merge_slashes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeSlashes {
    /// One slash stands for all of them.
    On,
    /// Each begins a segment of its own, which may be empty, and which `..` removes as any other.
    Off,
}

impl From<bool> for MergeSlashes {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// The normal form of a path with `merge_slashes on`; borrowed when it is its own.
pub fn normalise(path: &[u8]) -> Result<Cow<'_, [u8]>, BadPath> {
    normalise_with(path, MergeSlashes::On)
}

/// The normal form of a path; borrowed when it is its own.
pub fn normalise_with(path: &[u8], slashes: MergeSlashes) -> Result<Cow<'_, [u8]>, BadPath> {
    if path.first() != Some(&b'/') {
        return Err(BadPath::NotAbsolute);
    }
    let normal = match slashes {
        MergeSlashes::On => is_normal::<true>(path),
        MergeSlashes::Off => is_normal::<false>(path),
    };
    if normal {
        return Ok(Cow::Borrowed(path));
    }
    resolve_segments(&decode(path)?, slashes).map(Cow::Owned)
}

/// True if there is nothing to decode, no segment that begins with a dot, and no empty segment that `MERGE` would
/// remove: cheap to test, and true of nearly all paths.
fn is_normal<const MERGE: bool>(path: &[u8]) -> bool {
    let mut after_slash = false;
    for byte in path {
        match byte {
            b'%' => return false,
            b'.' if after_slash => return false,
            b'/' if MERGE && after_slash => return false,
            _ => after_slash = *byte == b'/',
        }
    }
    true
}

fn decode(path: &[u8]) -> Result<Vec<u8>, BadPath> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, tail)) = rest.split_first() {
        if *byte != b'%' {
            decoded.push(*byte);
            rest = tail;
            continue;
        }
        let [high, low, tail @ ..] = tail else { return Err(BadPath::BadEscape) };
        let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low)) else {
            return Err(BadPath::BadEscape);
        };
        match high << 4 | low {
            0 => return Err(BadPath::BadEscape),
            byte => decoded.push(byte),
        }
        rest = tail;
    }
    Ok(decoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn resolve_segments(path: &[u8], slashes: MergeSlashes) -> Result<Vec<u8>, BadPath> {
    let mut normal = Vec::with_capacity(path.len());
    let mut segments = path[1..].split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"" if slashes == MergeSlashes::Off => normal.push(b'/'),
            b"" | b"." => {
                if last {
                    normal.push(b'/');
                }
            }
            b".." => {
                let parent = normal.iter().rposition(|byte| *byte == b'/').ok_or(BadPath::AboveRoot)?;
                normal.truncate(parent);
                if last {
                    normal.push(b'/');
                }
            }
            _ => {
                normal.push(b'/');
                normal.extend_from_slice(segment);
            }
        }
    }
    Ok(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_as_nginx_does() {
        for (path, normal) in [
            ("/", Ok("/")),
            ("/a/b", Ok("/a/b")),
            ("/a.b/c.d", Ok("/a.b/c.d")),
            ("/.well-known/x", Ok("/.well-known/x")),
            ("/a//b", Ok("/a/b")),
            ("//", Ok("/")),
            ("/a/", Ok("/a/")),
            ("/a/./b", Ok("/a/b")),
            ("/a/.", Ok("/a/")),
            ("/a/b/../c", Ok("/a/c")),
            ("/a/..", Ok("/")),
            ("/a/%2e%2e/c", Ok("/c")),
            ("/a%2Fb", Ok("/a/b")),
            ("/%7Euser", Ok("/~user")),
            ("/caf%C3%A9", Ok("/café")),
            ("/a%25b", Ok("/a%b")),
            ("/..a/...", Ok("/..a/...")),
            ("/..", Err(BadPath::AboveRoot)),
            ("/a/../../b", Err(BadPath::AboveRoot)),
            ("/%zz", Err(BadPath::BadEscape)),
            ("/%4", Err(BadPath::BadEscape)),
            ("/a%00", Err(BadPath::BadEscape)),
            ("", Err(BadPath::NotAbsolute)),
            ("*", Err(BadPath::NotAbsolute)),
        ] {
            let got = normalise(path.as_bytes());
            assert_eq!(got.as_deref(), normal.map(str::as_bytes).as_ref().map(|normal| &**normal), "{path}");
        }
    }

    #[test]
    fn slashes_are_kept_where_they_are_not_merged() {
        for (path, normal) in [
            ("/", Ok("/")),
            ("//", Ok("//")),
            ("/a//b", Ok("/a//b")),
            ("//a///b//", Ok("//a///b//")),
            ("/a%2F%2fb", Ok("/a//b")),
            ("//.", Ok("//")),
            ("//./a", Ok("//a")),
            ("/a//../b", Ok("/a/b")),
            ("//../x", Ok("/x")),
            ("//..", Ok("/")),
            ("/a/..//b", Ok("//b")),
            ("/../", Err(BadPath::AboveRoot)),
            ("//../..", Err(BadPath::AboveRoot)),
        ] {
            let got = normalise_with(path.as_bytes(), MergeSlashes::Off);
            assert_eq!(got.as_deref(), normal.map(str::as_bytes).as_ref().map(|normal| &**normal), "{path}");
        }
        assert!(matches!(normalise_with(b"/a//b", MergeSlashes::Off), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn an_ordinary_path_is_not_copied() {
        assert!(matches!(normalise(b"/static/app.v2.js"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn a_target_splits_at_the_first_question_mark() {
        for (target, path, query) in [
            ("/a?b=c?d", "/a", Some("b=c?d")),
            ("/a", "/a", None),
            ("/a?", "/a", Some("")),
            ("/a#frag?x", "/a", None),
            ("/a?x#frag", "/a", Some("x")),
        ] {
            let expected = Target { path: path.as_bytes(), query: query.map(str::as_bytes) };
            assert_eq!(Target::split(target.as_bytes()), expected, "{target}");
        }
    }
}
