//! What ends at the program's own limits, or at those of the machine that it runs on: said so, and never blamed on the
//! target.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::scripted::{finish, loadgen, run, start};

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
