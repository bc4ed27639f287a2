//! A level's program as nginx runs it: `set`, `rewrite`, `if`, `break`, `return`, one after another.
//!
//! A test of a file stops the program until the answer is there; it goes on where it stopped. Source of the rules:
//! `ngx_http_rewrite_module` and `ngx_http_script`.

use std::sync::Arc;

use http::StatusCode;

use super::escape;
use super::flow::{FileKind, Note, Question};
use super::phases::{Around, Content, Outcome, Step};
use super::state::State;
use crate::config::model::{
    Assigned, Condition, FileTest, Operation, Program, Replacement, Return, ReturnContent, Rewrite, SizeValue,
};
use crate::content::file::conditional::Verdict;
use crate::files::Links;
use crate::observe::reasons::Generated;
use crate::script::{LimitReached, Pattern, Template};

/// Why a condition has no answer yet.
enum Open {
    /// The file system has to be asked.
    Ask(Question),
    /// A regular expression took more steps than it may.
    Limit,
}

impl From<LimitReached> for Open {
    fn from(_: LimitReached) -> Self {
        Self::Limit
    }
}

/// What became of a `rewrite`.
enum Rewritten {
    /// The program goes on.
    No,
    /// The URI is another.
    Changed,
    /// The answer is known.
    Answer(Content),
}

impl State {
    /// Runs `program` from where it stands.
    pub(super) fn run_program(&mut self, program: &Program, around: Around<'_>) -> Outcome {
        let mut at = self.flow.at;
        while let Some(operation) = program.get(at) {
            at += 1;
            match operation {
                Operation::Set(assigned, value) => self.set(*assigned, value, around),
                Operation::Break => {
                    self.flow.uri_changed = false;
                    break;
                }
                Operation::Return(to) => return self.run_return(to, around),
                Operation::If(block) => match self.holds(&block.condition, around) {
                    Ok(true) => {
                        if let (Some(inside), Some(routed)) = (&block.location, self.routed_mut()) {
                            routed.location = Arc::clone(inside);
                        }
                    }
                    Ok(false) => at += block.length,
                    Err(Open::Ask(question)) => {
                        self.flow.at = at - 1;
                        return Outcome::Done(Step::Ask(question));
                    }
                    Err(Open::Limit) => return self.internal_error(around),
                },
                Operation::Rewrite(rewrite) => match self.run_rewrite(rewrite, around) {
                    Ok(Rewritten::No) => {}
                    Ok(Rewritten::Changed) if rewrite.ends => break,
                    Ok(Rewritten::Changed) => {}
                    Ok(Rewritten::Answer(content)) => return self.special(content, around),
                    Err(LimitReached { .. }) => return self.internal_error(around),
                },
            }
        }
        self.flow.at = 0;
        Outcome::Next
    }

    fn set(&mut self, assigned: Assigned, value: &Template, around: Around<'_>) {
        let value = self.render(value, around);
        self.assign(assigned, value, around);
    }

    /// Gives a variable its value.
    pub(super) fn assign(&mut self, assigned: Assigned, value: Vec<u8>, around: Around<'_>) {
        match assigned {
            Assigned::Arguments => self.uri.set_arguments(value),
            Assigned::LimitRate => match SizeValue::checked(&value) {
                Some(rate) => self.set_limit_rate(rate),
                None => self.note(Note::InvalidLimitRate(value)),
            },
            Assigned::Slot(slot) => self.variables.assign(slot, around.rules.http.definitions.len(), value),
        }
    }

    fn holds(&mut self, condition: &Condition, around: Around<'_>) -> Result<bool, Open> {
        match condition {
            Condition::Holds(variable) => {
                let value = self.value(variable, around);
                Ok(!value.is_empty() && value != b"0")
            }
            Condition::Equals { variable, value, negated } => {
                let left = self.value(variable, around);
                Ok((left == self.render(value, around)) != *negated)
            }
            Condition::Matches { variable, pattern, negated } => {
                let subject = self.value(variable, around);
                Ok(self.matches(pattern, &subject, around)? != *negated)
            }
            Condition::File { test, path, negated } => match self.flow.found.take() {
                Some(found) => Ok(passes(*test, found) != *negated),
                None => Err(Open::Ask(self.question(path, around))),
            },
        }
    }

    fn question(&mut self, path: &Template, around: Around<'_>) -> Question {
        let path = self.render(path, around);
        let location = self.location().cloned();
        let links = location.map_or(Links::Followed, |location| self.links(&location, &path, around));
        Question { path, links }
    }

    /// Whether `pattern` matches. If so its groups are the request's from here on; otherwise there are no numbered groups
    /// any more, as in nginx, where named ones keep their values.
    pub(super) fn matches(
        &mut self,
        pattern: &Pattern,
        subject: &[u8],
        around: Around<'_>,
    ) -> Result<bool, LimitReached> {
        let Some(captures) = pattern.captures(subject)? else {
            self.variables.unmatched();
            return Ok(false);
        };
        self.variables.matched(pattern, captures, around.rules.http.definitions.len());
        Ok(true)
    }

    fn run_rewrite(&mut self, rewrite: &Rewrite, around: Around<'_>) -> Result<Rewritten, LimitReached> {
        let target = around.outside.target();
        let path = self.uri.path(target).to_vec();
        let matches = self.matches(&rewrite.pattern, &path, around)?;
        self.note_rewrite(|| Note::Tried { pattern: rewrite.pattern.as_str().into(), path, matches });
        if !matches {
            return Ok(Rewritten::No);
        }
        let own = if rewrite.keeps_arguments { self.uri.arguments(target).unwrap_or_default() } else { b"" };
        let own = own.to_vec();
        match &rewrite.replacement {
            Replacement::Redirect { status, url, has_arguments } => {
                let mut location = escape::unescape_redirect(&self.render_escaped(url, around));
                if !own.is_empty() {
                    location.push(if *has_arguments { b'&' } else { b'?' });
                    location.extend_from_slice(&own);
                }
                Ok(Rewritten::Answer(Content::Redirect { status: *status, location }))
            }
            Replacement::Uri { path, arguments, stays } => {
                let path = self.render(path, around);
                if path.is_empty() {
                    self.flow.notes.push(Note::EmptyUri);
                    return Ok(Rewritten::Answer(Content::internal_error()));
                }
                match arguments {
                    Some(arguments) => {
                        let mut arguments = self.render_escaped(arguments, around);
                        if !own.is_empty() {
                            arguments.push(b'&');
                            arguments.extend_from_slice(&own);
                        }
                        self.uri.set_arguments(arguments);
                    }
                    None if !rewrite.keeps_arguments => self.uri.set_arguments(Vec::new()),
                    None => {}
                }
                self.note_rewrite(|| Note::Rewritten { path: path.clone(), arguments: own });
                self.uri.set_path(path);
                self.flow.internal = true;
                self.flow.uri_changed = !stays;
                self.flow.leaves_location |= stays;
                Ok(Rewritten::Changed)
            }
        }
    }

    fn run_return(&mut self, to: &Return, around: Around<'_>) -> Outcome {
        // nginx answers nobody with these: it closes the connection.
        let closes = match to.status.as_u16() {
            444 => true,
            408 | 499 => matches!(to.content, ReturnContent::Standard),
            _ => false,
        };
        if closes {
            self.flow.status = Some(to.status);
            return Outcome::Done(self.close());
        }
        // The texts see it as `$status`.
        self.flow.status.get_or_insert(to.status);
        match &to.content {
            // A success without a text is an empty text, not a page.
            ReturnContent::Standard if to.status.is_success() => self.text(to.status, Vec::new(), around),
            ReturnContent::Standard => self.special(Content::Page(Generated::Return, to.status), around),
            ReturnContent::Text(text) => {
                let body = self.render(text, around);
                self.text(to.status, body, around)
            }
            ReturnContent::Location(url) => {
                let location = self.render(url, around);
                self.special(Content::Redirect { status: to.status, location }, around)
            }
        }
    }

    /// The request's conditions are judged as for a file, of which neither time nor tag is known.
    fn text(&mut self, status: StatusCode, body: Vec<u8>, around: Around<'_>) -> Outcome {
        let status = self.flow.status.unwrap_or(status);
        let is_inside = self.outer().is_some();
        let compared = self.location().filter(|_| status == StatusCode::OK && !is_inside);
        let compared = compared.map(|location| location.settings.static_files.if_modified_since);
        match compared.map_or(Verdict::Serve, |compared| around.outside.conditions(compared)) {
            Verdict::Serve => Outcome::Done(self.answer(Content::Text { status, body })),
            Verdict::NotModified => {
                let status = StatusCode::NOT_MODIFIED;
                Outcome::Done(self.answer(Content::Text { status, body: Vec::new() }))
            }
            Verdict::PreconditionFailed => {
                let status = StatusCode::PRECONDITION_FAILED;
                self.special(Content::Page(Generated::Return, status), around)
            }
        }
    }

    /// A text whose groups are escaped where the client's path was, as they would change the meaning of what they stand
    /// in.
    fn render_escaped(&mut self, template: &Template, around: Around<'_>) -> Vec<u8> {
        let target = around.outside.target();
        let path = crate::routing::path::Target::split(target).path;
        if !path.iter().any(|byte| matches!(byte, b'%' | b'+')) {
            return self.render(template, around);
        }
        let mut out = Vec::new();
        template.render(&mut escape::CapturesEscaped(self.evaluation(around)), &mut out);
        out
    }

    pub(super) fn internal_error(&mut self, around: Around<'_>) -> Outcome {
        self.flow.notes.push(Note::MatchLimit);
        self.special(Content::internal_error(), around)
    }

    fn note_rewrite(&mut self, note: impl FnOnce() -> Note) {
        if self.location().is_some_and(|location| location.settings.rewriting.log) {
            self.flow.notes.push(note());
        }
    }
}

fn passes(test: FileTest, found: FileKind) -> bool {
    match (test, found) {
        (_, FileKind::Missing | FileKind::Forbidden) => false,
        (FileTest::Exists, _) => true,
        (FileTest::IsFile, FileKind::File { .. }) | (FileTest::IsDirectory, FileKind::Directory) => true,
        (FileTest::IsExecutable, FileKind::File { executable }) => executable,
        (FileTest::IsExecutable, FileKind::Directory) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
