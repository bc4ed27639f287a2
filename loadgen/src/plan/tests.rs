use structopt::StructOpt;

use super::*;

fn plan(words: &[&str]) -> Result<Plan, PlanError> {
    let arguments = Arguments::from_iter_safe(["loadgen"].iter().chain(words)).unwrap();
    check(arguments, 4, |path| match path {
        "./body.txt" => Ok(b"from a file".to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    })
}

pub(super) fn plan_with(words: &[&str], file: &[u8]) -> Result<Plan, PlanError> {
    let arguments = Arguments::from_iter_safe(["loadgen"].iter().chain(words)).unwrap();
    check(arguments, 4, |_| Ok(file.to_vec()))
}

fn request(words: &[&str]) -> String {
    String::from_utf8(plan(words).unwrap().mix.requests()[0].bytes.clone()).unwrap()
}

#[test]
fn defaults_are_those_of_the_original() {
    let plan = plan(&[]).unwrap();
    assert_eq!(plan.goal, Goal::Number(1000));
    assert_eq!((plan.concurrency, plan.threads, plan.connections()), (1, 1, 1));
    assert_eq!(plan.mix.urls(), "http://localhost:80");
    assert_eq!((plan.trust, plan.requests_per_connection), (Trust::System, None));
    assert_eq!(plan.method, "GET");
    assert_eq!(plan.timeout, Duration::from_secs(30));
    assert_eq!(plan.output, Output::Text);
    assert!(plan.resend);
}

#[test]
fn connections_and_threads_follow_from_what_there_is_to_do() {
    let table: &[(&[&str], usize, &[usize])] = &[
        (&["-c", "10"], 10, &[3, 3, 2, 2]),
        (&["-c", "3"], 3, &[1, 1, 1]),
        (&["-c", "50", "-n", "2"], 2, &[1, 1]),
        (&["-c", "50", "-d", "1s", "--threads", "2"], 50, &[25, 25]),
        (&["-c", "2", "--threads", "64"], 2, &[1, 1]),
        (&["-r", "10"], 100, &[25, 25, 25, 25]),
        (&["-r", "0.5", "-d", "5s"], 3, &[1, 1, 1]),
    ];
    for (words, connections, shares) in table {
        let plan = plan(words).unwrap();
        assert_eq!(plan.connections(), *connections, "{words:?}");
        let actual: Vec<_> = (0..plan.threads).map(|thread| plan.connections_of(thread)).collect();
        assert_eq!(actual, *shares, "{words:?}");
    }
}

#[test]
fn an_open_loop_ends_where_its_goal_says() {
    let second = Duration::from_secs(1);
    let table: &[(&[&str], u64, Goal)] = &[
        (&["-r", "2k", "-d", "3s"], 6000, Goal::Time(3 * second)),
        (&["-r", "2k", "-n", "500"], 500, Goal::Number(500)),
        (&["-r", "2k"], 1000, Goal::Number(DEFAULT_NUMBER)),
        (&["--stages", "0:0, 1s:100, 1500ms:100"], 100, Goal::Time(3 * second / 2)),
        (&["--stages", "0s:1k,1m:1k"], 60_000, Goal::Time(60 * second)),
    ];
    for (words, total, goal) in table {
        let plan = plan(words).unwrap();
        assert_eq!(plan.goal, *goal, "{words:?}");
        let Pacing::Open { schedule, catch_up: false } = plan.pacing else {
            panic!("no open loop: {words:?}")
        };
        assert_eq!(schedule.total(), *total, "{words:?}");
    }
    assert!(matches!(plan(&["-r", "1", "--catch-up"]).unwrap().pacing, Pacing::Open { catch_up: true, .. }));
    assert_eq!(plan(&["-c", "3"]).unwrap().pacing, Pacing::Closed);
}

#[test]
fn times_have_units() {
    let table = [
        ("250us", Some(Duration::from_micros(250))),
        ("500ms", Some(Duration::from_millis(500))),
        ("10s", Some(Duration::from_secs(10))),
        ("10", Some(Duration::from_secs(10))),
        ("1.5s", Some(Duration::from_millis(1500))),
        ("2m", Some(Duration::from_secs(120))),
        ("1h", Some(Duration::from_secs(3600))),
        ("0s", None),
        ("", None),
        ("s", None),
        ("-1s", None),
        ("1d", None),
        ("1s5", None),
        ("1.2.3s", None),
        ("99999999999h", None),
    ];
    for (text, expected) in table {
        assert_eq!(time("--duration", text).ok(), expected, "{text:?}");
    }
}

#[test]
fn a_body_is_a_size_or_a_file_and_makes_it_a_post() {
    assert!(request(&["--body", "3"]).ends_with("Content-Length: 3\r\n\r\nxxx"));
    assert!(request(&["--body", "3"]).starts_with("POST / "));
    assert!(request(&["--body", "2k"]).contains("Content-Length: 2048\r\n"));
    assert!(request(&["--body", "./body.txt", "--method", "put"]).starts_with("PUT / "));
    assert!(request(&["--body", "./body.txt"]).ends_with("\r\n\r\nfrom a file"));
    for value in ["missing.txt", "2t", "2048m"] {
        let error = plan(&["--body", value]).unwrap_err();
        assert!(error.to_string().contains(&format!("'{value}' for '--body'")), "{error}");
    }
}

#[test]
fn only_idempotent_requests_are_resent() {
    let table: &[(&[&str], bool)] = &[
        (&[], true),
        (&["--method", "HEAD"], true),
        (&["--method", "PUT", "--body", "1"], true),
        (&["--body", "1"], false),
        (&["--method", "PATCH"], false),
        (&["--no-resend"], false),
    ];
    for (words, expected) in table {
        assert_eq!(plan(words).unwrap().resend, *expected, "{words:?}");
    }
}

#[test]
fn headers_are_checked() {
    assert!(request(&["--header", "X-A:  b: c "]).contains("\r\nX-A: b: c\r\n"));
    for value in ["nothing", ": x", "A B: c", "A: b\r\nC: d", "Content-Length: 3"] {
        let error = plan(&["--header", value]).unwrap_err().to_string();
        assert!(error.contains("--header"), "{value:?}: {error}");
    }
}

#[test]
fn senseless_values_name_their_option() {
    let table: &[(&[&str], &str)] = &[
        (&["-n", "0"], "--number"),
        (&["-c", "0"], "--concurrent"),
        (&["--threads", "0"], "--threads"),
        (&["-d", "soon"], "'soon' for '--duration'"),
        (&["--timeout", "0"], "'0' for '--timeout'"),
        (&["--requests-per-connection", "0"], "--requests-per-connection"),
        (&["--url", "ftp://a"], "'ftp://a' for '--url'"),
        (&["--method", "GET /"], "'GET /' for '--method'"),
        (&["-r", "fast"], "'fast' for '--rate': 'fast' is no rate"),
        (&["-r", "0"], "'0' for '--rate': the rate is never above zero"),
        (&["-r", "0.000001", "-n", "1000"], "longer than a year"),
        (&["--stages", "0:1k"], "'0:1k' for '--stages': expected at least two points"),
        (&["--stages", "0:1k,soon:1"], "'soon:1' is no point"),
        (&["--stages", "0:1k,5s"], "'5s' is no point"),
        (&["--stages", "0:1k,5s:lots"], "'lots' is no rate"),
        (&["--stages", "1s:1k,5s:1k"], "the first point has to be at 0"),
        (&["--stages", "0:1k,5s:1k,4s:2k"], "the times have to rise"),
        (&["--stages", "0:0,5s:0"], "the rate is never above zero"),
        (&["--catch-up"], "'--catch-up' makes sense only with"),
        (&["--method", "connect"], "'connect' for '--method'"),
    ];
    for (words, expected) in table {
        let error = plan(words).unwrap_err().to_string();
        assert!(error.contains(expected), "{words:?}: {error}");
    }
}

#[test]
fn what_is_counted_is_checked() {
    let all = plan(&[
        "-d",
        "10s",
        "--slot",
        "50ms",
        "--at",
        "5s",
        "later",
        "--at",
        "1s",
        "first",
        "--truth",
        "http://b1:81",
        "--truth",
        "b2/",
        "--expect-shares",
        "b1=3, b2=0.5",
        "--slo",
        "p99<5ms",
        "--backend-header",
        "Via",
        "--backend-header",
        "X-Served-By",
    ])
    .unwrap();
    assert_eq!(all.slot, Duration::from_millis(50));
    let faults: Vec<_> =
        all.faults.iter().map(|fault| (fault.at.as_secs(), fault.command.as_str())).collect();
    assert_eq!(faults, [(1, "first"), (5, "later")]);
    let paths: Vec<_> = all.truth.iter().map(|source| source.target.path.as_str()).collect();
    assert_eq!(paths, ["/rps", "/"]);
    assert_eq!(all.expected_shares, [("b1".to_owned(), 3.0), ("b2".to_owned(), 0.5)]);
    assert_eq!((all.objectives.len(), all.expectations.backend_headers.len()), (1, 2));
    assert_eq!(plan(&[]).unwrap().expectations.backend_headers, [BACKEND_HEADER]);

    let table: &[(&[&str], &str)] = &[
        (&["--slot", "100us"], "'100us' for '--slot'"),
        (&["--slot", "2h"], "expected a time from 1ms to 1h"),
        (&["--at", "soon", "true"], "'soon' for '--at'"),
        (&["--at", "1s", " "], "expected a time and a command"),
        (&["-d", "5s", "--at", "5s", "true"], "'5s' for '--at': expected a time within --duration 5s"),
        (&["--truth", "https://b1"], "'https://b1' for '--truth': backends are asked over http only"),
        (&["--truth", "http://"], "'http://' for '--truth': it names no host"),
        (&["--expect-shares", "b1=3"], "'b1=3' for '--expect-shares': expected a weight above zero"),
        (&["--expect-shares", "b1=3,b2"], "'b1=3,b2'"),
        (&["--expect-shares", "b1=3,b1=1"], "'b1=3,b1=1'"),
        (&["--expect-shares", "b1=3,b2=0"], "'b1=3,b2=0'"),
        (&["--slo", "p99"], "'p99' for '--slo': expected MEASURE<LIMIT"),
        (&["--backend-header", "a b"], "'a b' for '--backend-header'"),
    ];
    for (words, expected) in table {
        let error = plan(words).unwrap_err().to_string();
        assert!(error.contains(expected), "{words:?}: {error}");
    }
}
