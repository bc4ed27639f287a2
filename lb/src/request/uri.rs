//! The URI of a request as it is now: what the client sent, until `rewrite`, `error_page` or `try_files` changes it.

use std::borrow::Cow;

use crate::routing::path::{self, MergeSlashes};

/// The URI. What was not changed is not copied: the accessors take the target as the client sent it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Uri {
    path: Path,
    /// `None`: those that the client sent.
    arguments: Option<Box<[u8]>>,
    /// It is another than the client asked for.
    is_changed: bool,
}

/// The normalised path (`$uri`), worked out once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Path {
    /// The path as the client sent it is normal: the usual case, without a copy.
    #[default]
    AsSent,
    /// Another than was sent.
    Normalised(Box<[u8]>),
    /// It has no normal form: the request is answered with 400.
    Bad,
}

impl Path {
    /// The normal form of the path in `target`, path and query as the client sent them.
    pub fn of(target: &[u8], slashes: MergeSlashes) -> Self {
        match path::Target::split(target).path {
            // `http://host` asks for the root.
            b"" => Self::Normalised(Box::from(&b"/"[..])),
            sent => match path::normalise_with(sent, slashes) {
                Ok(Cow::Borrowed(_)) => Self::AsSent,
                Ok(Cow::Owned(path)) => Self::Normalised(path.into()),
                Err(_) => Self::Bad,
            },
        }
    }
}

impl Uri {
    /// The URI of a request that has just come in.
    pub fn of(target: &[u8], slashes: MergeSlashes) -> Self {
        Self { path: Path::of(target, slashes), arguments: None, is_changed: false }
    }

    /// Whether the path has no normal form.
    pub fn is_bad(&self) -> bool {
        self.path == Path::Bad
    }

    /// `$uri`. A path without a normal form stays as it came.
    pub fn path<'a>(&'a self, target: &'a [u8]) -> &'a [u8] {
        match &self.path {
            Path::Normalised(path) => path,
            Path::AsSent | Path::Bad => path::Target::split(target).path,
        }
    }

    /// `$args`; `None` where there is no `?`.
    pub fn arguments<'a>(&'a self, target: &'a [u8]) -> Option<&'a [u8]> {
        match &self.arguments {
            Some(arguments) => Some(arguments),
            None => path::Target::split(target).query,
        }
    }

    /// Whether it is not the one that the client asked for: then it cannot go to a server as the client wrote it.
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Gives the request another path.
    pub fn set_path(&mut self, path: Vec<u8>) {
        self.path = Path::Normalised(path.into());
        self.is_changed = true;
    }

    /// Gives the request the path of a file that `try_files` has found. As in nginx, a server is still asked for what the
    /// client wrote.
    pub fn set_found_path(&mut self, path: Vec<u8>) {
        self.path = Path::Normalised(path.into());
    }

    /// Gives the request other arguments.
    pub fn set_arguments(&mut self, arguments: Vec<u8>) {
        self.arguments = Some(arguments.into());
        self.is_changed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_is_what_was_sent() {
        for (target, path, arguments) in [
            (&b"/a?x=1"[..], &b"/a"[..], Some(&b"x=1"[..])),
            (b"/a%20b/../c", b"/c", None),
            (b"", b"/", None),
            (b"/..", b"/..", None),
        ] {
            let uri = Uri::of(target, MergeSlashes::On);
            assert_eq!((uri.path(target), uri.arguments(target)), (path, arguments));
            assert!(!uri.is_changed());
        }
        assert!(Uri::of(b"/..", MergeSlashes::On).is_bad());
        assert_eq!(Path::of(b"/a", MergeSlashes::On), Path::AsSent);
    }

    #[test]
    fn changes_stand() {
        let target = b"/a?x=1";
        let mut uri = Uri::of(target, MergeSlashes::On);
        uri.set_arguments(Vec::new());
        assert!(uri.is_changed());
        uri.set_path(b"/b".to_vec());
        assert_eq!((uri.path(target), uri.arguments(target)), (&b"/b"[..], Some(&b""[..])));
    }
}
