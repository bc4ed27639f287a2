//! The media type of an answer and its character set.

use crate::config::model::{MediaTypes, Types};

/// The media type of a path, by `types` and `default_type`. As in nginx, a name that only begins with a dot has no
/// extension.
pub fn by_extension<'a>(types: &'a Types, path: &[u8]) -> &'a str {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let extension =
        name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0).map(|dot| &name[dot + 1..]);
    let Some(extension) = extension.and_then(|extension| std::str::from_utf8(extension).ok()) else {
        return &types.default;
    };
    let known = if extension.bytes().any(|byte| byte.is_ascii_uppercase()) {
        types.by_extension.get(&extension.to_ascii_lowercase())
    } else {
        types.by_extension.get(extension)
    };
    known.unwrap_or(&types.default)
}

/// The media type with the character set, where it is of `types` and has none; `None` where it stays as it is.
pub fn with_charset(content_type: &str, charset: &str, types: &MediaTypes) -> Option<String> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let has_one = content_type.len() > media_type.len()
        && content_type.split(';').skip(1).any(|parameter| {
            parameter.trim().get(..8).is_some_and(|name| name.eq_ignore_ascii_case("charset="))
        });
    // The parts of a `multipart/byteranges` name theirs, each for itself.
    let is_text = !media_type.is_empty() && media_type != "multipart/byteranges";
    let applies = !charset.is_empty() && is_text && !has_one && types.contains(media_type);
    applies.then(|| format!("{content_type}; charset={charset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_decides() {
        let types = Types::default();
        for (path, expected) in [
            ("/a.html", "text/html"),
            ("/a.HTML", "text/html"),
            ("/a.b/c", "text/plain"),
            ("/a.tar.gif", "image/gif"),
            ("/.html", "text/plain"),
            ("/a/.html", "text/plain"),
            ("/a.", "text/plain"),
            ("/", "text/plain"),
            ("", "text/plain"),
        ] {
            assert_eq!(by_extension(&types, path.as_bytes()), expected, "{path}");
        }
    }

    #[test]
    fn a_charset_is_added_once_and_to_texts() {
        let types = crate::config::model::Charset::default().types;
        for (content_type, charset, expected) in [
            ("text/html", "utf-8", Some("text/html; charset=utf-8")),
            ("TEXT/html", "utf-8", Some("TEXT/html; charset=utf-8")),
            ("text/html; charset=koi8-r", "utf-8", None),
            ("text/html;Charset=koi8-r", "utf-8", None),
            ("text/html; a=b", "utf-8", Some("text/html; a=b; charset=utf-8")),
            ("image/gif", "utf-8", None),
            ("text/html", "", None),
            ("", "utf-8", None),
        ] {
            assert_eq!(with_charset(content_type, charset, &types).as_deref(), expected, "{content_type}");
        }
        assert!(with_charset("image/gif", "x", &MediaTypes::All).is_some());
        assert!(with_charset("multipart/byteranges; boundary=1", "x", &MediaTypes::All).is_none());
    }
}
