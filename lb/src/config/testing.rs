//! What the tests of this room share: snippets in their places, and what comes of them.

use super::diagnostics::Diagnostic;
use super::model::{Config, Severity};
use super::syntax::files::InMemory;
use super::{Loaded, Source, load_from};

pub(super) const FILE: &str = "/conf/nginx.conf";
pub(super) const PREFIX: &str = "/prefix";

pub(super) fn load_files(files: &InMemory) -> Result<Loaded, Vec<Diagnostic>> {
    let source = Source { path: FILE.into(), prefix: PREFIX.into(), ..Source::default() };
    load_from(&source, files, true)
}

pub(super) fn load_text(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    // As where nginx is installed: the directory of its default logs is there.
    load_files(&InMemory::default().with(FILE, text).with(format!("{PREFIX}/logs/old.log"), ""))
}

pub(super) fn in_main(text: &str) -> String {
    format!("events {{}} {text}")
}

pub(crate) fn in_http(text: &str) -> String {
    in_main(&format!("http {{ {text} }}"))
}

/// In an upstream that already has a server.
pub(super) fn in_upstream(text: &str) -> String {
    in_http(&format!("upstream u {{ server 127.0.0.1:1; {text} }}"))
}

pub(crate) fn in_server(text: &str) -> String {
    in_http(&format!("upstream group {{ server 127.0.0.1:1; }} server {{ {text} }}"))
}

pub(crate) fn in_location(text: &str) -> String {
    in_server(&format!("location / {{ {text} }}"))
}

/// The model of a text that must be accepted.
#[track_caller]
pub(crate) fn accepted(text: &str) -> Config {
    match load_text(text) {
        Ok(loaded) => loaded.config,
        Err(findings) => panic!("{text}\n{findings:#?}"),
    }
}

/// The warnings of a text that must be accepted.
#[track_caller]
pub(super) fn warnings(text: &str) -> Vec<String> {
    match load_text(text) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
        Err(findings) => panic!("{text}\n{findings:#?}"),
    }
}

/// All errors of a text, as printed; none when it is accepted.
pub(super) fn errors(text: &str) -> Vec<String> {
    let findings = load_text(text).err().unwrap_or_default();
    findings.iter().filter(|finding| finding.severity == Severity::Emerg).map(ToString::to_string).collect()
}

/// Holds that a text is refused for one reason alone, which begins so.
#[track_caller]
pub(super) fn refused(text: &str, message: &str) {
    let errors = errors(text);
    let expected = format!("[emerg] {message}");
    assert!(
        errors.len() == 1 && errors[0].starts_with(&expected),
        "{text}\nexpected {expected}\ngot {errors:#?}"
    );
}
