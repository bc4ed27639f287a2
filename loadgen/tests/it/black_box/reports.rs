//! What is written besides the summary: JSON that keeps its schema, the HTML report, completions, a live view that
//! stays away where there is no terminal.

use std::io::Read;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use boon::{Compiler, Schemas};
use loadgen::report::schema;
use serde_json::Value;

use super::scripted::{Server, loadgen, run, run_json, start};

/// Where the schemas stand in the repository.
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// That of a run's summary.
const SCHEMA: &str = "loadgen.schema.json";

/// That of a comparison.
const AB_SCHEMA: &str = "loadgen-ab.schema.json";

/// When set, the schemas are written instead of compared.
const WRITE: &str = "LOADGEN_WRITE_SCHEMA";

#[test]
fn the_schemas_in_the_repository_are_those_of_the_types() {
    for (name, expected) in [(SCHEMA, schema::of_run()), (AB_SCHEMA, schema::of_comparison())] {
        let (path, expected) = (format!("{DOCS}/{name}"), expected.unwrap());
        if env::var_os(WRITE).is_some() {
            fs::write(&path, &expected).unwrap();
        }
        let actual = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            actual == expected,
            "docs/{name} is not what the types say; write it anew with\n    {WRITE}=1 cargo test -p loadgen schema"
        );
    }
}

/// What is wrong with `value` by the schema of this name in the repository.
fn complaints(name: &str, value: &Value) -> Option<String> {
    let schema = serde_json::from_str(&fs::read_to_string(format!("{DOCS}/{name}")).unwrap()).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource(name, schema).unwrap();
    let index = compiler.compile(name, &mut schemas).unwrap();
    schemas.validate(value, index).err().map(|error| error.to_string())
}

/// `good` with something else at a place.
fn changed(good: &Value, place: &str, value: Value) -> Value {
    let mut bad = good.clone();
    *bad.pointer_mut(place).unwrap() = value;
    bad
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
        assert_eq!(complaints(SCHEMA, &result), None, "{options}: {result:#}");
    }
    // The check itself must be able to fail.
    let (_, good) = run_json(&server, "-n 20");
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("requests");
    let changed = |place, value| changed(&good, place, value);
    for bad in [changed("/elapsed_s", "1".into()), changed("/backends/0/answers", (-1).into()), without] {
        assert!(complaints(SCHEMA, &bad).is_some(), "{bad:#}");
    }
}

#[test]
fn what_comparisons_print_keeps_the_schema() {
    let [a, b] = [0, 7].map(|every| {
        Server::start(move |mut client| {
            while let Some(request) = client.request() {
                thread::sleep(Duration::from_millis(1));
                client.answer(if every > 0 && request.index % every == 3 { 503 } else { 200 }, "b1");
            }
        })
    });
    let compare = |words: &[&str]| {
        let finished = run(&[&["ab", "--json", "-c", "2", "--slice", "20ms"], words].concat());
        let result = finished.json();
        assert_eq!(complaints(AB_SCHEMA, &result), None, "{words:?}: {result:#}");
        result
    };
    compare(&["--aa", &a.url()]);
    let good = compare(&["--aa", &a.url(), &b.url()]);
    let mut without = good.clone();
    without["comparison"].as_object_mut().unwrap().remove("finding");
    for bad in [
        changed(&good, "/slice_s", "1".into()),
        changed(&good, "/comparison/estimates/0/measure", "p42".into()),
        changed(&good, "/comparison/pair_values/3/a/requests", (-1).into()),
        without,
    ] {
        assert!(complaints(AB_SCHEMA, &bad).is_some(), "{bad:#}");
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
