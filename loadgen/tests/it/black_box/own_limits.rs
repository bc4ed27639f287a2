//! What ends at the program's own limits, or at those of the machine that it runs on: said so, and never blamed on the
//! target.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use std::process::Command;
use std::thread;
use std::time::Duration;

use super::failures::assert_only;
use super::scripted::{Finished, Server, finish, loadgen, run, start};

#[test]
fn words_that_are_no_utf8_have_status_2() {
    let wrong = OsStr::from_bytes(b"http://a\xff");
    let plain = || loadgen(&["-n", "1"]);
    let mut url = plain();
    url.arg("-u").arg(wrong);
    let mut variable = plain();
    variable.env("LOADGEN_URL", wrong);
    let mut ab = loadgen(&["ab", "http://a"]);
    ab.arg(wrong);
    let mut ab_variable = loadgen(&["ab", "http://a", "http://b"]);
    ab_variable.env("LOADGEN_URL", wrong);
    let cases = [
        (url, "for argument 4"),
        (variable, "for 'LOADGEN_URL'"),
        (ab, "for argument 3"),
        (ab_variable, "for 'LOADGEN_URL'"),
    ];
    for (mut command, expected) in cases {
        let finished = finish(start(&mut command));
        assert_eq!((finished.status, finished.stdout.as_str()), (2, ""), "{command:?}: {finished:?}");
        let message = format!("error: invalid value 'http://a\u{fffd}' {expected}: expected text in UTF-8\n");
        assert_eq!(finished.stderr, message, "{command:?}");
    }
}

#[test]
fn counts_that_no_machine_could_serve_have_status_2() {
    let huge = usize::MAX.to_string();
    let table: &[(&[&str], &str)] = &[
        (&["-c", &huge, "-d", "1s"], "for '--concurrent': expected a number from 1 to 100000"),
        (&["-c", "100001", "-n", "1"], "'100001' for '--concurrent'"),
        (&["-c", "5000", "--threads", "5000"], "'5000' for '--threads': expected a number from 1 to 512"),
        (&["ab", "http://a", "http://b", "-c", &huge], "for '--concurrent'"),
        (&["ab", "http://a", "http://b", "--threads", "513"], "'513' for '--threads'"),
    ];
    for (words, expected) in table {
        let finished = run(words);
        assert_eq!((finished.status, finished.stdout.as_str()), (2, ""), "{words:?}: {finished:?}");
        assert!(finished.stderr.contains(expected), "{words:?}: {}", finished.stderr);
    }
}

/// Answers so slowly that all connections are needed.
fn slow() -> Server {
    Server::start(|mut client| {
        while client.request().is_some() {
            thread::sleep(Duration::from_millis(20));
            client.answer(200, "b1");
        }
    })
}

/// Runs the program after `ulimit` with these words, without the descriptors that whoever runs the tests left open:
/// they count too.
fn limited(limit: &str, words: &[&str]) -> Finished {
    let closed = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-";
    let script = format!("{closed} && ulimit {limit} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_loadgen")]).args(words);
    finish(start(&mut command))
}

#[test]
fn a_shortage_of_descriptors_is_the_generators_own() {
    let server = slow();
    let words = ["--threads", "1", "-n", "40", "-c", "40", "-u", &server.url()];
    let finished = limited("-n 20", &[&["--json"], &words[..]].concat());
    assert_eq!(finished.status, 5, "{finished:?}");
    let result = finished.json();
    let failed = result["requests"]["failed"].as_u64().unwrap();
    assert!((20..40).contains(&failed), "{result:#}");
    assert_only(&result, "no_resources", failed);
    assert_eq!(result["requests"]["successful"], server.requests());
    let connections = &result["connections"];
    assert_eq!((&connections["asked"], &connections["peak"]), (&40.into(), &server.connections().into()));
    let reasons = result["generator"]["saturated"].as_array().unwrap();
    assert!(reasons[0].as_str().unwrap().contains("no file descriptor"), "{result:#}");

    let finished = limited("-n 20", &words);
    assert_eq!(finished.status, 5, "{finished:?}");
    for expected in [
        "\nConnections: 40 asked for, ",
        "\nWARNING: the generator was the bottleneck",
        " requests found no file descriptor",
    ] {
        assert!(finished.stdout.contains(expected), "no {expected:?} in {}", finished.stdout);
    }
}

#[test]
fn the_soft_limit_of_descriptors_is_raised() {
    let server = slow();
    let finished =
        limited("-S -n 20", &["--json", "--threads", "1", "-n", "40", "-c", "40", "-u", &server.url()]);
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.json()["connections"], serde_json::json!({ "asked": 40, "opened": 40, "peak": 40 }));
}

#[test]
fn a_comparison_whose_threads_cannot_start_ends_at_once() {
    let server = slow();
    let url = server.url();
    let words = ["ab", "--json", "-c", "8", "--threads", "8", "--slice", "10ms", &url, &url];
    let finished = limited("-n 24", &words);
    assert_eq!((finished.status, finished.stdout.as_str()), (1, ""), "{finished:?}");
    assert!(finished.stderr.contains("not all of 8 threads could start: "), "{finished:?}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_run_whose_threads_cannot_start_sends_nothing() {
    let server = slow();
    let url = server.url();
    for pacing in [&["-n", "80"][..], &["-d", "1s", "-r", "80"]] {
        let words = [&["--json", "-c", "8", "--threads", "8", "-u", &url], pacing].concat();
        let finished = limited("-n 24", &words);
        assert_eq!((finished.status, finished.stdout.as_str()), (1, ""), "{finished:?}");
        assert!(finished.stderr.contains("not all of 8 threads could start: "), "{finished:?}");
        assert_eq!(server.requests(), 0, "{pacing:?}");
    }
}
