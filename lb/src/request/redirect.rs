//! Internal redirects: `error_page`, named locations, and what a server asks for with `X-Accel-Redirect`.
//!
//! Source of the rules: `ngx_http_special_response_handler`, `ngx_http_internal_redirect`, `ngx_http_named_location`.

use std::sync::Arc;

use http::StatusCode;
use percent_encoding::percent_decode;

use super::failure::Failure;
use super::flow::{Note, Phase};
use super::phases::{Around, Content, Outcome, Step};
use super::state::State;
use crate::config::model::{ErrorPage, PageStatus};
use crate::observe::reasons::Generated;

impl State {
    /// Answers with `content`, unless the location has an `error_page` for its status.
    pub(super) fn special(&mut self, content: Content, around: Around<'_>) -> Outcome {
        let status = content.status();
        self.flow.status = Some(status);
        self.flow.has_own_type = true;
        // The first cause is the one that is told.
        self.ending.generated.get_or_insert(content.reason());
        match self.error_page(status) {
            Some(page) => self.give_page(&page, around),
            None => Outcome::Done(self.answer(content)),
        }
    }

    /// The `error_page` that answers in place of `status`.
    fn error_page(&mut self, status: StatusCode) -> Option<ErrorPage> {
        let pages = Arc::clone(&self.location()?.settings.error_pages);
        if self.flow.error_page_given || pages.pages.is_empty() || self.flow.changes_left == 0 {
            return None;
        }
        self.flow.error_page_given = !pages.recursive;
        pages.pages.iter().find(|page| page.statuses.contains(&status.as_u16())).cloned()
    }

    /// Whether the location has an `error_page` for `status`: then `proxy_intercept_errors` keeps a server's answer
    /// from the client.
    pub(super) fn has_error_page(&self, status: StatusCode) -> bool {
        self.location().is_some_and(|location| {
            location.settings.error_pages.pages.iter().any(|page| page.statuses.contains(&status.as_u16()))
        })
    }

    /// Whether something may answer in place of the page of `failure`.
    pub fn has_page_for(&self, failure: Failure) -> bool {
        let status = failure.status().and_then(|code| StatusCode::from_u16(code).ok());
        !self.flow.error_page_given && status.is_some_and(|status| self.has_error_page(status))
    }

    fn give_page(&mut self, page: &ErrorPage, around: Around<'_>) -> Outcome {
        let target = self.render(&page.target, around);
        match page.status {
            PageStatus::Kept => {}
            PageStatus::Changed(status) => self.flow.status = Some(status),
            PageStatus::Answered => self.flow.status = None,
        }
        if target.starts_with(b"@") || target.starts_with(b"/") {
            return self.go_to(&target, around);
        }
        let status = match page.status {
            PageStatus::Changed(status) if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) => status,
            _ => StatusCode::FOUND,
        };
        self.flow.status = Some(status);
        Outcome::Done(self.answer(Content::Redirect { status, location: target }))
    }

    /// Has `@name` or another URI of this server answer.
    pub(super) fn go_to(&mut self, target: &[u8], around: Around<'_>) -> Outcome {
        if let Some(name) = target.strip_prefix(b"@") {
            return self.go_to_named(name, around);
        }
        let mut parts = target.splitn(2, |byte| *byte == b'?');
        let path = parts.next().unwrap_or_default().to_vec();
        let arguments = parts.next().unwrap_or_default().to_vec();
        // A request for a page has no body, whatever the one that failed had.
        self.flow.is_get = true;
        self.go_inside(path, arguments, around)
    }

    /// Has the location answer that a server names: as [`go_to`](Self::go_to), for a path that is escaped.
    pub(super) fn go_where_asked(&mut self, target: &[u8], around: Around<'_>) -> Outcome {
        if target.starts_with(b"@") {
            return self.go_to(target, around);
        }
        let mut parts = target.splitn(2, |byte| *byte == b'?');
        let path = percent_decode(parts.next().unwrap_or_default()).collect();
        let arguments = parts.next().unwrap_or_default().to_vec();
        self.flow.is_get = true;
        self.go_inside(path, arguments, around)
    }

    /// Begins again with another URI: nginx's internal redirect.
    pub(super) fn go_inside(&mut self, path: Vec<u8>, arguments: Vec<u8>, around: Around<'_>) -> Outcome {
        if !self.may_change() {
            return self.cycle(path, around);
        }
        self.uri.set_path(path);
        self.uri.set_arguments(arguments);
        self.flow.internal = true;
        self.flow.leaves_location = false;
        self.flow.follows_whole_alias = false;
        self.leave_location(around);
        Outcome::Goto(Phase::ServerRewrite)
    }

    pub(super) fn go_to_named(&mut self, name: &[u8], around: Around<'_>) -> Outcome {
        if !self.may_change() {
            return self.cycle(name.to_vec(), around);
        }
        let server = self.routed().and_then(|routed| around.rules.http.servers.get(routed.server.0));
        let Some(location) = server.and_then(|server| server.named(name)).cloned() else {
            self.flow.notes.push(Note::NoNamedLocation(name.to_vec()));
            self.ending.generated = Some(Generated::Internal);
            return self.special(Content::internal_error(), around);
        };
        self.flow.internal = true;
        self.flow.uri_changed = false;
        if let Some(routed) = self.routed_mut() {
            routed.location = location;
        }
        self.limit_methods(around);
        Outcome::Goto(Phase::Rewrite)
    }

    /// Counts one more change of the URI; false if it was one too many.
    pub(super) fn may_change(&mut self) -> bool {
        self.flow.changes_left = self.flow.changes_left.saturating_sub(1);
        self.flow.changes_left > 0
    }

    /// The URI has changed too often.
    pub(super) fn cycle(&mut self, at: Vec<u8>, around: Around<'_>) -> Outcome {
        self.flow.notes.push(Note::Cycle(at));
        self.ending.generated = Some(Generated::Internal);
        self.special(Content::internal_error(), around)
    }

    /// The server's own settings hold until a location is found again.
    pub(super) fn leave_location(&mut self, around: Around<'_>) {
        if let Some(routed) = self.routed_mut()
            && let Some(server) = around.rules.http.servers.get(routed.server.0)
        {
            routed.location = Arc::clone(&server.fallback);
        }
    }

    pub(super) fn answer(&mut self, content: Content) -> Step {
        self.ending.generated.get_or_insert(content.reason());
        Step::Answer(content)
    }

    pub(super) fn close(&mut self) -> Step {
        self.ending.generated = Some(Generated::Return);
        self.ending.silent = true;
        Step::Close
    }
}
