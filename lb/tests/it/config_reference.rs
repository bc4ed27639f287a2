//! `docs/directives.md` says what the program does.

use std::path::Path;

/// Set, it writes the document instead of comparing it.
const WRITE: &str = "LB_WRITE_REFERENCE";

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/directives.md");
    let expected = lb::config::directive_reference();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = written.lines().zip(expected.lines()).find(|(written, expected)| written != expected);
    assert!(
        written == expected,
        "docs/directives.md is out of date, first at {differing:?}; write it anew with\n\
         {WRITE}=1 cargo test -p lb --test it config_reference"
    );
}
