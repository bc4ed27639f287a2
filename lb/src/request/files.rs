//! Files as a location's answer: `try_files`, index files, lists, and what follows an attempt to open one.
//!
//! Source of the rules: `ngx_http_try_files_handler`, `ngx_http_index_handler`, `ngx_http_autoindex_handler`,
//! `ngx_http_static_handler`. What needs the file system is a [`Step`]; what came of it is an event.

use std::sync::Arc;

use http::StatusCode;

use super::flow::{FileKind, Looking, Note, Open, Opening, Question};
use super::phases::{Around, Content, Outcome, Step};
use super::state::State;
use crate::config::model::{LastResort, Location, Symlinks};
use crate::content::file::mapping::{self, FilePath, Unmapped};
use crate::files::Links;
use crate::observe::reasons::Generated;
use crate::routing::target;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Head,
    Post,
    Other,
}

impl State {
    /// `try_files`.
    pub(super) fn try_files(&mut self, around: Around<'_>) -> Outcome {
        let Some(location) = self.location().filter(|location| location.try_files.is_some()).cloned() else {
            return Outcome::Next;
        };
        let Some(tried) = location.try_files.as_ref() else {
            return Outcome::Next;
        };
        while let Some(candidate) = tried.candidates.get(self.flow.at) {
            let uri = self.uri.path(around.outside.target()).to_vec();
            let rendered = self.render(&candidate.uri, around);
            let has_variables = candidate.uri.as_literal().is_none();
            let text = mapping::tried_text(&location.root, &uri, &rendered, has_variables);
            if let Some(found) = self.flow.found.take() {
                let is_directory = found == FileKind::Directory;
                let is_there = !matches!(found, FileKind::Missing | FileKind::Forbidden);
                if is_there && is_directory == candidate.directory {
                    let found = mapping::found(&location.root, &uri, text, is_directory);
                    if let Some(path) = found.uri.filter(|path| *path != uri) {
                        self.uri.set_found_path(path);
                    }
                    self.flow.follows_whole_alias = found.follows_whole_alias;
                    self.flow.at = 0;
                    return Outcome::Next;
                }
                self.flow.at += 1;
                continue;
            }
            let directory = self.directory(&location, around);
            match mapping::tried_path(&location.root, directory, text) {
                Ok(path) => return self.look_at(&location, path, around),
                Err(_) => self.flow.at += 1,
            }
        }
        self.flow.at = 0;
        match &tried.last {
            LastResort::Status(status) if status.as_u16() == 444 => Outcome::Done(self.close()),
            LastResort::Status(status) => {
                let reason = match *status {
                    StatusCode::NOT_FOUND => Generated::NotFound,
                    _ => Generated::Return,
                };
                self.special(Content::Page(reason, *status), around)
            }
            LastResort::Uri(uri) => {
                let path = self.uri.path(around.outside.target()).to_vec();
                let has_variables = uri.as_literal().is_none();
                let rendered = self.render(uri, around);
                let text = mapping::tried_text(&location.root, &path, &rendered, has_variables);
                if let Some(name) = text.strip_prefix(b"@") {
                    return self.go_to_named(name, around);
                }
                let mut parts = text.splitn(2, |byte| *byte == b'?');
                let path = parts.next().unwrap_or_default().to_vec();
                let arguments = parts.next().unwrap_or_default().to_vec();
                self.go_inside(path, arguments, around)
            }
        }
    }

    /// The content of a location without `proxy_pass`.
    /// `stub_status`: counts, for whoever reads.
    pub(super) fn connections_content(&mut self, around: Around<'_>) -> Outcome {
        match self.method(around) {
            Method::Get | Method::Head => Outcome::Done(self.answer(Content::Connections)),
            Method::Post | Method::Other => self.special(not_allowed(), around),
        }
    }

    pub(super) fn file_content(&mut self, around: Around<'_>) -> Outcome {
        let Some(location) = self.location().cloned() else {
            return self.special(Content::not_found(), around);
        };
        let method = self.method(around);
        if method == Method::Other {
            return self.special(not_allowed(), around);
        }
        if self.uri.path(around.outside.target()).ends_with(b"/") {
            return self.directory_content(&location, method, around);
        }
        match self.file_path(&location, b"", around) {
            Ok(path) => {
                let links = self.links(&location, &path.path, around);
                let open = Open {
                    path: path.path,
                    links,
                    may_be_compressed: method != Method::Post,
                    head_only: method == Method::Head,
                };
                Outcome::Done(Step::Open(open))
            }
            Err(unmapped) => self.unmapped(unmapped, around),
        }
    }

    /// A URI that ends with a slash: an index file, else a list.
    fn directory_content(&mut self, location: &Arc<Location>, method: Method, around: Around<'_>) -> Outcome {
        while let Some(file) = location.settings.index.files.get(self.flow.at) {
            let name = self.render(file, around);
            if name.starts_with(b"/") {
                return self.go_to_index(name, around);
            }
            let path = match self.file_path(location, &name, around) {
                Ok(path) => path,
                Err(unmapped) => return self.unmapped(unmapped, around),
            };
            let directory = || path.path[..path.path.len() - name.len()].to_vec();
            match (self.flow.looking, self.flow.found.take()) {
                (Looking::File | Looking::InDirectory, None) => {
                    return self.look_at(location, path, around);
                }
                (Looking::Directory, None) => {
                    let path = FilePath { path: directory(), ..path };
                    return self.look_at(location, path, around);
                }
                (_, Some(FileKind::Forbidden)) => {
                    self.flow.notes.push(Note::IndexForbidden(path.path));
                    return self.special(forbidden(), around);
                }
                // A missing file may be missing because its directory is.
                (Looking::File, Some(FileKind::Missing)) => self.flow.looking = Looking::Directory,
                (Looking::Directory, Some(FileKind::Directory)) => {
                    self.flow.looking = Looking::InDirectory;
                    self.flow.at += 1;
                }
                (Looking::Directory, Some(FileKind::Missing)) => {
                    if location.settings.static_files.log_not_found {
                        self.flow.notes.push(Note::IndexNotFound(path.path));
                    }
                    return self.special(Content::not_found(), around);
                }
                (Looking::Directory, Some(_)) => {
                    self.flow.notes.push(Note::NoDirectory(directory()));
                    return self.special(Content::internal_error(), around);
                }
                (Looking::InDirectory, Some(FileKind::Missing)) => self.flow.at += 1,
                (Looking::File | Looking::InDirectory, Some(_)) => {
                    let uri = [self.uri.path(around.outside.target()), &name].concat();
                    return self.go_to_index(uri, around);
                }
            }
        }
        self.flow.at = 0;
        let path = match self.file_path(location, b"", around) {
            Ok(path) => path,
            Err(unmapped) => return self.unmapped(unmapped, around),
        };
        if location.settings.autoindex.enabled && method != Method::Post {
            let links = self.links(location, &path.path, around);
            self.flow.has_own_type = true;
            return Outcome::Done(Step::List(Question { path: path.path, links }));
        }
        self.flow.notes.push(Note::NoIndex(path.path));
        self.special(forbidden(), around)
    }

    fn go_to_index(&mut self, uri: Vec<u8>, around: Around<'_>) -> Outcome {
        let arguments = self.uri.arguments(around.outside.target()).map(<[u8]>::to_vec);
        self.go_inside(uri, arguments.unwrap_or_default(), around)
    }

    /// What follows an attempt to open the file, or to list the directory, that a step named.
    pub(super) fn opened(&mut self, opening: Opening, around: Around<'_>) -> Outcome {
        match opening {
            Opening::Ready | Opening::Refused(_) if self.method(around) == Method::Post => {
                self.special(not_allowed(), around)
            }
            Opening::Ready => Outcome::Done(self.answer(Content::File)),
            Opening::Directory => {
                let asked = around.outside.target();
                let path = [self.uri.path(asked), b"/"].concat();
                let location = target::replace("", &path, self.uri.arguments(asked).unwrap_or_default());
                self.special(Content::Redirect { status: StatusCode::MOVED_PERMANENTLY, location }, around)
            }
            Opening::Missing | Opening::Other => self.special(Content::not_found(), around),
            Opening::Forbidden => self.special(forbidden(), around),
            Opening::Failed => self.special(Content::internal_error(), around),
            Opening::Refused(StatusCode::BAD_REQUEST) => {
                self.special(Content::Page(Generated::BadRequest, StatusCode::BAD_REQUEST), around)
            }
            Opening::Refused(status) => self.special(Content::Page(Generated::File, status), around),
        }
    }

    fn method(&self, around: Around<'_>) -> Method {
        match around.outside.method() {
            "HEAD" => Method::Head,
            _ if self.flow.is_get => Method::Get,
            "GET" => Method::Get,
            "POST" => Method::Post,
            _ => Method::Other,
        }
    }

    /// `$document_root`
    pub(super) fn directory(&mut self, location: &Location, around: Around<'_>) -> Vec<u8> {
        let rendered = self.render(&location.root.path, around);
        mapping::directory(&location.root, rendered)
    }

    fn file_path(
        &mut self,
        location: &Location,
        name: &[u8],
        around: Around<'_>,
    ) -> Result<FilePath, Unmapped> {
        let directory = self.directory(location, around);
        let uri = self.uri_to_map(around.outside.target());
        mapping::path_of(&location.root, directory, uri)?.followed_by(name)
    }

    /// The URI, for the client's `target`, as its location maps it to a path.
    pub(super) fn uri_to_map<'a>(&'a self, target: &'a [u8]) -> mapping::Uri<'a> {
        mapping::Uri {
            path: self.uri.path(target),
            chose_location: !self.flow.leaves_location,
            follows_whole_alias: self.flow.follows_whole_alias,
        }
    }

    fn unmapped(&mut self, unmapped: Unmapped, around: Around<'_>) -> Outcome {
        match unmapped {
            Unmapped::Outside => self.special(Content::not_found(), around),
            Unmapped::Rewritten => {
                self.flow.notes.push(Note::AliasOfRewritten);
                self.special(Content::internal_error(), around)
            }
        }
    }

    fn look_at(&mut self, location: &Location, path: FilePath, around: Around<'_>) -> Outcome {
        let links = self.links(location, &path.path, around);
        Outcome::Done(Step::Ask(Question { path: path.path, links }))
    }

    /// `disable_symlinks`, for `path`.
    pub(super) fn links(&mut self, location: &Location, path: &[u8], around: Around<'_>) -> Links {
        let (from, own_only) = match &location.settings.static_files.symlinks {
            Symlinks::Followed => return Links::Followed,
            Symlinks::Refused { from } => (from, false),
            Symlinks::OwnOnly { from } => (from, true),
        };
        let from = from.as_ref().map(|from| self.render(from, around)).unwrap_or_default();
        let from = match path.strip_prefix(from.as_slice()) {
            _ if from.is_empty() => 0,
            None => 0,
            Some(b"") => return Links::Followed,
            Some(rest) if rest.starts_with(b"/") => from.len(),
            Some(_) if from.ends_with(b"/") => from.len() - 1,
            Some(_) => 0,
        };
        if own_only { Links::OwnOnly { from } } else { Links::Refused { from } }
    }
}

fn forbidden() -> Content {
    Content::Page(Generated::File, StatusCode::FORBIDDEN)
}

fn not_allowed() -> Content {
    Content::Page(Generated::File, StatusCode::METHOD_NOT_ALLOWED)
}

#[cfg(test)]
mod tests;
