//! nginx itself as the judge: what `nginx -t` accepts we accept, what it refuses we refuse, in its words.
//!
//! Each case is one snippet. Where the two are meant to differ, the case says so and why; a difference that is not
//! listed fails, and so does a listed one that is gone. The nginx at hand is 1.22, ours follows 1.30.

use std::path::Path;
use std::process::Command;

use lb::config::diagnostics::Diagnostic;
use lb::config::model::Severity;
use lb::config::{Source, load};

/// Where a snippet stands.
#[derive(Clone, Copy)]
enum In {
    Main,
    Http,
    Server,
    Location,
    Upstream,
    /// The snippet is the whole file.
    File,
}

/// Who accepts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Both,
    /// Both refuse it, and we say what nginx says.
    Neither,
    /// Both refuse it, each in its own words.
    NeitherAlike(&'static str),
    OnlyNginx(&'static str),
    OnlyLb(&'static str),
}

use In::{File, Http, Location, Main, Server, Upstream};
use Verdict::{Both, Neither, NeitherAlike, OnlyLb, OnlyNginx};

mod serving;
mod structure;

const OLD: &str = "nginx 1.22 is older than the language we follow";

fn whole(place: In, snippet: &str) -> String {
    let head = "pid test.pid;\nevents {}\n";
    let http = "http {\naccess_log off;\n";
    let upstream = "upstream u { server 127.0.0.1:1; }\n";
    let server = "server {\nlisten 18080;\n";
    match place {
        File => snippet.to_owned(),
        Main => format!("pid test.pid;\n{snippet}\nevents {{}}\n"),
        Http if snippet.contains("access_log") => format!("{head}http {{\n{snippet}\n}}\n"),
        Http => format!("{head}{http}{snippet}\n}}\n"),
        Upstream => format!("{head}{http}upstream v {{\nserver 127.0.0.1:2;\n{snippet}\n}}\n}}\n"),
        Server => format!("{head}{http}{upstream}{server}{snippet}\n}}\n}}\n"),
        Location => format!("{head}{http}{upstream}{server}location / {{\n{snippet}\n}}\n}}\n}}\n"),
    }
}

/// The first `[emerg]` of nginx, or nothing when it accepts the file.
fn ask_nginx(directory: &Path) -> Option<String> {
    let output = Command::new("nginx")
        .args(["-t", "-p"])
        .arg(directory)
        .arg("-c")
        .arg(directory.join("nginx.conf"))
        .output()
        .expect("nginx must be installed: it is the judge of this test");
    if output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line =
        text.lines().find_map(|line| line.split_once("[emerg] ").map(|(_, message)| message.to_owned()));
    Some(line.unwrap_or(text))
}

fn ask_lb(directory: &Path) -> Result<(), Vec<Diagnostic>> {
    let source = Source {
        path: directory.join("nginx.conf"),
        prefix: directory.to_owned(),
        global_directives: None,
        default_error_log: None,
    };
    load(&source).map(|_| ())
}

/// What is left of a message without the place, which nginx gives for the end of a directive and we for its
/// beginning.
fn without_place<'a>(message: &'a str, directory: &Path) -> &'a str {
    let file = format!(" in {}", directory.join("nginx.conf").display());
    let message = message.split(&file).next().unwrap_or(message);
    // nginx puts its process and thread in front.
    message.split_once("#").and_then(|(_, rest)| rest.split_once(": ")).map_or(message, |(_, rest)| rest)
}

#[test]
fn accepts_and_refuses_what_nginx_does() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let mut wrong = Vec::new();
    let cases = || structure::CASES.iter().chain(serving::CASES);
    for &(place, snippet, expected) in cases() {
        let text = whole(place, snippet);
        std::fs::write(directory.join("nginx.conf"), &text).unwrap();
        let (nginx, lb) = (ask_nginx(directory), ask_lb(directory));
        let messages: Vec<String> = match &lb {
            Ok(()) => Vec::new(),
            Err(findings) => findings.iter().map(ToString::to_string).collect(),
        };
        let as_expected = match (expected, &nginx, &lb) {
            (Both, None, Ok(())) | (OnlyNginx(_), None, Err(_)) | (OnlyLb(_), Some(_), Ok(())) => true,
            (NeitherAlike(_), Some(_), Err(_)) => true,
            (Neither, Some(said), Err(findings)) => {
                let said = without_place(said, directory);
                findings.iter().any(|finding| finding.message == said)
            }
            _ => false,
        };
        if !as_expected {
            wrong.push(format!(
                "{snippet}\n  expected {expected:?}\n  nginx: {nginx:?}\n  lb:    {messages:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases().count(), wrong.join("\n"));
}

/// A configuration without anything that only one of the two knows, to be edited at random.
const TO_EDIT: &str = r#"worker_processes 2;
error_log stderr notice;
pid test.pid;
env PATH;
events { worker_connections 64; }
http {
    types { text/html html htm; text/css css; }
    default_type text/plain;
    log_format main '$remote_addr "$request" $status ${body_bytes_sent}' " $http_referer";
    access_log access.log main;
    keepalive_timeout 65s 60s;
    client_max_body_size 8m;
    upstream app {
        zone app 64k;
        server 127.0.0.1:5001 weight=3 max_fails=2 fail_timeout=1m;
        server unix:/run/app.sock backup;
        keepalive 64;
    }
    server {
        listen 18080 default_server backlog=64;
        listen 127.0.0.1:18081;
        server_name example.org *.example.org www.example.* "~^api\d{1,3}\.example\.com$";
        add_header X-A "b c" always;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Host $host;   # comment
            proxy_connect_timeout 2s;
            proxy_next_upstream error timeout;
            proxy_buffering off;
        }
        location /api/ {
            proxy_pass http://app/v1/;
            location /api/health { return 200 "ok\n"; }
        }
        location = /old { return 301 $scheme://$host/new?from=${request_uri}; }
    }
    server { listen 18080; server_name ""; return 444; }
}
"#;

/// What nginx may refuse alone: it asks DNS and the network, we do not while reading.
const OF_THE_WORLD: [&str; 2] = ["host not found in ", "bind() to "];

/// What we may refuse alone, as the cases above say.
const OF_OURS: [&str; 3] = [
    "invalid return code ",
    "\"add_header\" directive invalid value",
    "\"proxy_set_header\" directive invalid value",
];

/// One slip of the hand: a byte replaced, lost or added, a word lost, doubled or swapped.
fn edited(random: &mut fastrand::Rng) -> Vec<u8> {
    const TYPED: [&[u8]; 14] =
        [b"{", b"}", b";", b"\"", b"'", b"\\", b"$", b"${", b"#", b"\r\n", b" x ", b"1", b"-", b"="];
    let mut text = TO_EDIT.as_bytes().to_vec();
    let at = random.usize(..text.len());
    let typed = TYPED[random.usize(..TYPED.len())];
    match random.u8(0..6) {
        0 => drop(text.splice(at..=at, typed.iter().copied())),
        1 => drop(text.remove(at)),
        2 => drop(text.splice(at..at, typed.iter().copied())),
        which => {
            let mut words: Vec<&[u8]> = text.split_inclusive(|byte| b" \n;{}".contains(byte)).collect();
            let (one, other) = (random.usize(..words.len()), random.usize(..words.len()));
            match which {
                3 => drop(words.remove(one)),
                4 => words.insert(one, words[other]),
                _ => words.swap(one, other),
            }
            text = words.concat();
        }
    }
    text
}

#[test]
fn a_slip_gets_the_verdict_that_nginx_gives_it() {
    const SLIPS: u64 = 400;
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let (mut wrong, mut refused_by_both) = (Vec::new(), 0);
    for seed in 0..SLIPS {
        let text = edited(&mut fastrand::Rng::with_seed(seed));
        std::fs::write(directory.join("nginx.conf"), &text).unwrap();
        let (nginx, lb) = (ask_nginx(directory), ask_lb(directory));
        let alike = match (&nginx, &lb) {
            (None, Ok(())) => true,
            (Some(_), Err(_)) => {
                refused_by_both += 1;
                true
            }
            (Some(said), Ok(())) => OF_THE_WORLD.iter().any(|world| said.contains(world)),
            (None, Err(findings)) => findings
                .iter()
                .filter(|finding| finding.severity == Severity::Emerg)
                .all(|finding| OF_OURS.iter().any(|ours| finding.message.starts_with(ours))),
        };
        if !alike {
            wrong.push(format!("seed {seed}\n  nginx: {nginx:?}\n  lb:    {lb:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused_by_both > 100, "only {refused_by_both} slips were mistakes");
}
