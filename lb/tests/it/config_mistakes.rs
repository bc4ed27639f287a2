//! A file with ten different mistakes: all ten are named, each with its file and line.

use std::path::Path;

use lb::config::model::Severity;
use lb::config::{Source, load};

#[test]
fn ten_mistakes_are_named_at_once() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let path = directory.join("ten-mistakes.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    // Each mistake carries its message in a comment at the end of its line.
    let expected: Vec<String> = text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let (_, message) = line.split_once("# mistake: ")?;
            Some(format!("[emerg] {message} in {}:{}", path.display(), index + 1))
        })
        .collect();
    assert_eq!(expected.len(), 10);

    let source = Source { path: path.clone(), prefix: directory, ..Source::default() };
    let findings = load(&source).unwrap_err();
    let mistakes = findings.iter().filter(|finding| finding.severity == Severity::Emerg);
    let said: Vec<String> = mistakes.map(ToString::to_string).collect();

    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(&expected) {
        assert!(said.starts_with(expected.as_str()), "said     {said}\nexpected {expected}");
    }
}
