//! From a URI to the path of a file, as `root` and `alias` say, and the paths that `try_files` looks at.
//!
//! Never outside the directory that the configuration names: nginx joins the two texts and hopes that the URI is
//! normalised, which an `alias` without a slash at its end, a capture or a rewritten URI can undo. Here a `..` behind that
//! directory ends in [`Unmapped::Outside`].

use crate::config::model::{DocumentRoot, Mapping};

/// Why a URI has no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmapped {
    /// It would leave the directory, or has a NUL byte: 404.
    Outside,
    /// `alias` of a location that the URI, rewritten since, no longer begins with: 500, as in nginx.
    Rewritten,
}

/// A path, and how much of it is the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath {
    /// The path, as the system takes it.
    pub path: Vec<u8>,
    /// The length of its beginning that the configuration names.
    pub directory_bytes: usize,
}

/// A URI as a location sees it.
#[derive(Debug, Clone, Copy)]
pub struct Uri<'a> {
    /// The normalised path.
    pub path: &'a [u8],
    /// The location was chosen by this very URI. `false` after a rewrite that did not choose again.
    pub chose_location: bool,
    /// `try_files` has found a file below an `alias` that is a whole path otherwise.
    pub follows_whole_alias: bool,
}

impl FilePath {
    /// The path of a file in the directory that this one names.
    pub fn followed_by(mut self, name: &[u8]) -> Result<Self, Unmapped> {
        if name.contains(&0) || name.split(|byte| *byte == b'/').any(|segment| segment == b"..") {
            return Err(Unmapped::Outside);
        }
        self.path.extend_from_slice(name);
        Ok(self)
    }
}

/// What `root` or `alias`, as `rendered` for this request, names: `$document_root`.
pub fn directory(root: &DocumentRoot, rendered: Vec<u8>) -> Vec<u8> {
    match &root.relative_to {
        Some(prefix) if rendered.first() != Some(&b'/') => {
            let separator: &[u8] = if prefix.ends_with('/') { b"" } else { b"/" };
            [prefix.as_bytes(), separator, &rendered].concat()
        }
        _ => rendered,
    }
}

/// The path of `uri` under `directory`: `$request_filename`.
pub fn path_of(root: &DocumentRoot, directory: Vec<u8>, uri: Uri<'_>) -> Result<FilePath, Unmapped> {
    let rest = match root.mapping {
        Mapping::Root => uri.path,
        Mapping::Alias(_) | Mapping::Whole if !uri.chose_location => return Err(Unmapped::Rewritten),
        Mapping::Alias(bytes) => uri.path.get(bytes..).ok_or(Unmapped::Rewritten)?,
        Mapping::Whole if uri.follows_whole_alias => uri.path,
        Mapping::Whole => b"",
    };
    joined(root, directory, rest)
}

/// What `try_files` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The request's URI from here on; `None` where it stays.
    pub uri: Option<Vec<u8>>,
    /// [`Uri::follows_whole_alias`] from here on.
    pub follows_whole_alias: bool,
}

/// The text of an argument of `try_files`, `rendered` for this request, as it is looked for and goes on. Under an
/// `alias`, a text with variables loses the location's path, which `$uri` has brought along.
pub fn tried_text<'a>(root: &DocumentRoot, uri: &[u8], rendered: &'a [u8], has_variables: bool) -> &'a [u8] {
    match root.mapping {
        Mapping::Alias(bytes) if has_variables => {
            let location = uri.get(..bytes);
            location.and_then(|location| rendered.strip_prefix(location)).unwrap_or(rendered)
        }
        _ => rendered,
    }
}

/// The path to look at for `text`, one of `try_files`.
pub fn tried_path(root: &DocumentRoot, directory: Vec<u8>, text: &[u8]) -> Result<FilePath, Unmapped> {
    joined(root, directory, text)
}

/// What the request becomes where the path of `text` is there.
pub fn found(root: &DocumentRoot, uri: &[u8], text: &[u8], is_directory: bool) -> Found {
    match root.mapping {
        Mapping::Root => Found { uri: Some(text.to_vec()), follows_whole_alias: false },
        Mapping::Alias(bytes) => {
            let location = uri.get(..bytes).unwrap_or_default();
            Found { uri: Some([location, text].concat()), follows_whole_alias: false }
        }
        Mapping::Whole if is_directory => Found { uri: None, follows_whole_alias: false },
        Mapping::Whole => Found { uri: Some(text.to_vec()), follows_whole_alias: true },
    }
}

fn joined(root: &DocumentRoot, directory: Vec<u8>, rest: &[u8]) -> Result<FilePath, Unmapped> {
    let directory_bytes = directory.len();
    // The directory's last segment may go on in the rest, so the rest is judged from there.
    let last_slash = directory.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let mut path = directory;
    path.extend_from_slice(rest);
    let judged = match (root.climbs, root.mapping) {
        (false, _) => &path[..],
        (true, Mapping::Whole) if rest.is_empty() => b"",
        (true, _) => &path[last_slash..],
    };
    if path.contains(&0) || judged.split(|byte| *byte == b'/').any(|segment| segment == b"..") {
        return Err(Unmapped::Outside);
    }
    Ok(FilePath { path, directory_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    fn root(path: &str, mapping: Mapping) -> DocumentRoot {
        let fixed = DocumentRoot::fixed("/prefix", path);
        let path = crate::script::Template::literal(path);
        DocumentRoot { path, mapping, ..fixed }
    }

    fn uri(path: &str) -> Uri<'_> {
        Uri { path: path.as_bytes(), chose_location: true, follows_whole_alias: false }
    }

    fn path(root: &DocumentRoot, uri: Uri<'_>) -> Result<String, Unmapped> {
        let rendered = root.path.as_literal().unwrap().as_bytes().to_vec();
        let path = path_of(root, directory(root, rendered), uri)?;
        Ok(String::from_utf8(path.path).unwrap())
    }

    #[test]
    fn a_uri_follows_the_root_and_takes_the_place_of_an_alias() {
        for (text, mapping, asked, expected) in [
            ("/w", Mapping::Root, "/a/b", Ok("/w/a/b")),
            ("", Mapping::Root, "/a", Ok("/a")),
            ("/w", Mapping::Root, "/", Ok("/w/")),
            ("/i/", Mapping::Alias(3), "/a/b", Ok("/i/b")),
            ("/i", Mapping::Alias(2), "/a/b", Ok("/i/b")),
            ("/i/x", Mapping::Alias(4), "/a/b", Ok("/i/x")),
            ("/i/x", Mapping::Alias(9), "/a/b", Err(Unmapped::Rewritten)),
            ("/whole/x.html", Mapping::Whole, "/a/b", Ok("/whole/x.html")),
            // Whatever the URI tries.
            ("/w", Mapping::Root, "/../secret", Err(Unmapped::Outside)),
            ("/w", Mapping::Root, "/a/..", Err(Unmapped::Outside)),
            ("/i/", Mapping::Alias(2), "/i../secret", Err(Unmapped::Outside)),
            ("/i", Mapping::Alias(2), "/i../secret", Ok("/i../secret")),
            ("/i.", Mapping::Alias(2), "/i./secret", Ok("/i../secret")),
            ("/x/.", Mapping::Alias(2), "/i./secret", Err(Unmapped::Outside)),
            ("/whole/../x", Mapping::Whole, "/a", Ok("/whole/../x")),
            ("/a/../w", Mapping::Root, "/b", Ok("/a/../w/b")),
            ("/a/../w", Mapping::Root, "/b/../c", Err(Unmapped::Outside)),
            ("/w", Mapping::Root, "/a\0b", Err(Unmapped::Outside)),
            ("/w", Mapping::Root, "/..a/b../...", Ok("/w/..a/b../...")),
        ] {
            let root = root(text, mapping);
            assert_eq!(path(&root, uri(asked)), expected.map(str::to_owned), "{text} {mapping:?} {asked}");
        }
        let rewritten = Uri { chose_location: false, ..uri("/a/b") };
        assert_eq!(path(&root("/i/", Mapping::Alias(3)), rewritten), Err(Unmapped::Rewritten));
        assert_eq!(path(&root("/i", Mapping::Whole), rewritten), Err(Unmapped::Rewritten));
        assert_eq!(path(&root("/w", Mapping::Root), rewritten), Ok("/w/a/b".to_owned()));
        let follows = Uri { follows_whole_alias: true, ..uri("/a/b") };
        assert_eq!(path(&root("/i", Mapping::Whole), follows), Ok("/i/a/b".to_owned()));
    }

    #[test]
    fn a_relative_value_begins_at_the_prefix() {
        for (prefix, text, expected) in
            [("/p", "w", "/p/w"), ("/p/", "w", "/p/w"), ("/p", "/w", "/w"), ("/p", "", "/p/")]
        {
            let root = DocumentRoot { relative_to: Some(prefix.into()), ..root(text, Mapping::Root) };
            assert_eq!(directory(&root, text.as_bytes().to_vec()), expected.as_bytes(), "{prefix} {text}");
        }
    }

    #[test]
    fn try_files_looks_below_the_same_directory() {
        for (mapping, asked, rendered, has_variables, looked_at, becomes) in [
            (Mapping::Root, "/a/b", "/x", false, "/d/x", Some("/x")),
            (Mapping::Root, "/a/b", "/a/b.html", true, "/d/a/b.html", Some("/a/b.html")),
            (Mapping::Alias(3), "/a/b", "/a/b", true, "/db", Some("/a/b")),
            (Mapping::Alias(3), "/a/b", "/a/b", false, "/d/a/b", Some("/a//a/b")),
            (Mapping::Alias(3), "/a/b", "/x", true, "/d/x", Some("/a//x")),
            (Mapping::Whole, "/a/b", "/x", true, "/d/x", Some("/x")),
        ] {
            let root = root("/d", mapping);
            let text = tried_text(&root, asked.as_bytes(), rendered.as_bytes(), has_variables);
            let path = tried_path(&root, b"/d".to_vec(), text).unwrap();
            assert_eq!(path.path, looked_at.as_bytes(), "{mapping:?} {rendered}");
            let found = found(&root, asked.as_bytes(), text, false);
            assert_eq!(found.uri.as_deref(), becomes.map(str::as_bytes), "{mapping:?} {rendered}");
            assert_eq!(found.follows_whole_alias, mapping == Mapping::Whole);
        }
        let whole = root("/d", Mapping::Whole);
        assert_eq!(found(&whole, b"/a", b"/x", true).uri, None);
        assert_eq!(tried_path(&whole, b"/d".to_vec(), b"/../x"), Err(Unmapped::Outside));
    }
}
