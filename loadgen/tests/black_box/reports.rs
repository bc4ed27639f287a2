//! What is written besides the summary: JSON that keeps its schema, the HTML report, completions, a live view that
//! stays away where there is no terminal.

use std::io::Read;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use boon::{Compiler, Schemas};
use serde_json::Value;

use crate::scripted::{Server, loadgen, run, run_json, start};

/// Where the schema stands in the repository.
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/loadgen.schema.json");

/// When set, the schema is written instead of compared.
const WRITE: &str = "LOADGEN_WRITE_SCHEMA";

#[test]
fn the_schema_in_the_repository_is_that_of_the_types() {
    let expected = loadgen::report::schema::schema().unwrap();
    if env::var_os(WRITE).is_some() {
        fs::write(SCHEMA, &expected).unwrap();
    }
    let actual = fs::read_to_string(SCHEMA).unwrap_or_default();
    assert!(
        actual == expected,
        "docs/loadgen.schema.json is not what the types say; write it anew with\n    {WRITE}=1 cargo test -p loadgen schema"
    );
}

/// What is wrong with `value` by the schema in the repository.
fn complaints(value: &Value) -> Option<String> {
    let schema = serde_json::from_str(&fs::read_to_string(SCHEMA).unwrap()).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("loadgen.schema.json", schema).unwrap();
    let index = compiler.compile("loadgen.schema.json", &mut schemas).unwrap();
    schemas.validate(value, index).err().map(|error| error.to_string())
}

#[test]
fn what_runs_print_keeps_the_schema() {
    let server = Server::start(|mut client| {
        while let Some(request) = client.request() {
            client.answer(
                if request.index % 7 == 3 { 503 } else { 200 },
                ["b1", "b2"][request.index as usize % 2],
            );
        }
    });
    for options in ["-n 200 -c 4", "-d 250ms -c 2", "-n 1"] {
        let (_, result) = run_json(&server, options);
        assert_eq!(complaints(&result), None, "{options}: {result:#}");
    }
    // The check itself must be able to fail.
    let (_, good) = run_json(&server, "-n 20");
    let changed = |path: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value;
        bad
    };
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("requests");
    for bad in [changed("/elapsed_s", "1".into()), changed("/backends/0/answers", (-1).into()), without] {
        assert!(complaints(&bad).is_some(), "{bad:#}");
    }
}

#[test]
fn the_report_is_a_page_that_says_how_it_was_called() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.html");
    let server = Server::of_backends(&["b1", "<b2>"]);
    // What was there before is gone, however long it was.
    fs::write(&path, "x".repeat(1_000_000)).unwrap();
    let path_text = path.to_str().unwrap();
    let url = server.url();
    let finished =
        run(&["-n", "200", "-c", "2", "-u", &url, "--html", path_text, "-H", "Authorization: Bearer 123"]);
    assert_eq!((finished.status, finished.stderr.as_str()), (0, ""), "{}", finished.stdout);
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{page}");
    for text in [url.as_str(), "Every request succeeded", "&lt;b2&gt;", "&#39;Authorization: …&#39;"] {
        assert!(page.contains(text), "no {text} in {page}");
    }
    assert!(!page.contains("Bearer 123") && !page.contains("<b2>"), "{page}");
}

#[test]
fn a_report_that_cannot_be_written_costs_no_request() {
    let server = Server::of_backends(&["b1"]);
    let finished = run(&["-n", "20", "-u", &server.url(), "--html", "/nowhere/run.html"]);
    assert_eq!(finished.status, 1);
    assert!(finished.stderr.contains("failed to open '/nowhere/run.html' for --html"), "{}", finished.stderr);
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_standard_output_that_refuses_costs_no_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.html");
    let path_text = path.to_str().unwrap();
    let server = Server::of_backends(&["b1"]);
    let url = server.url();
    // Full: nothing can be written at all.
    let mut command = loadgen(&["--json", "-n", "50", "-u", &url, "--html", path_text]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: failed to write to stdout: "), "{stderr}");
    assert!(fs::read_to_string(&path).unwrap().ends_with("</html>\n"));
    // Closed in the midst of the lines, as `head` does: the run ends, and the report tells of it.
    fs::remove_file(&path).unwrap();
    let mut command = loadgen(&["--verbose", "-d", "60s", "-u", &url, "--html", path_text]);
    let mut child = start(&mut command);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 64]).unwrap();
    drop(stdout);
    let begun = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "the run went on for {:?}", begun.elapsed());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: failed to write to stdout: "), "{stderr}");
    assert!(fs::read_to_string(&path).unwrap().ends_with("</html>\n"));
}

#[test]
fn completions_are_scripts_of_their_shell() {
    for (shell, begins) in
        [("bash", "_loadgen() {"), ("zsh", "#compdef loadgen"), ("fish", "complete -c loadgen")]
    {
        let finished = run(&["completions", shell]);
        assert_eq!((finished.status, finished.stderr.as_str()), (0, ""), "{shell}");
        assert!(finished.stdout.contains(begins) && finished.stdout.contains("html"), "{}", finished.stdout);
    }
    assert_eq!(run(&["completions", "tcsh"]).status, 2);
    // The completions of bash are at least a script to bash.
    let script = run(&["completions", "bash"]).stdout;
    let checked = Command::new("bash").args(["-n", "-c", &script]).status().unwrap();
    assert!(checked.success());
}
