//! Files by tables: a configuration, a request and a file system in, what is done out.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use http::StatusCode;

use crate::request::testing::{Asked, Rig, said};
use crate::request::{Event, FileKind, Note, Opening, State};

const FILE: FileKind = FileKind::File { executable: false };
const DIRECTORY: FileKind = FileKind::Directory;

const DISK: [(&str, FileKind); 10] = [
    ("/w/", DIRECTORY),
    ("/w/a.txt", FILE),
    ("/w/d", DIRECTORY),
    ("/w/d/", DIRECTORY),
    ("/w/d/index.html", FILE),
    ("/w/e/", DIRECTORY),
    ("/w/e", DIRECTORY),
    ("/w/app.html", FILE),
    ("/w/closed.txt", FileKind::Forbidden),
    ("/w/pipe", FileKind::Other),
];

#[track_caller]
fn each(server: &str, rows: &[(&str, &str)]) {
    let rig = Rig::of(&format!("server {{ listen 81; root /w; {server} }}"));
    for (target, expected) in rows {
        let (_, said) = rig.run(&Asked::of(target), &DISK);
        assert_eq!(&said, expected, "{server} {target}");
    }
}

#[test]
fn a_location_without_more_answers_with_files() {
    each(
        "location / { }",
        &[
            ("/a.txt", "file /w/a.txt"),
            ("/none", "404 not_found"),
            ("/closed.txt", "403 file"),
            ("/pipe", "404 not_found"),
            ("/d", "return 301 /d/"),
            ("/d?x=1", "return 301 /d/?x=1"),
            ("/d/", "file /w/d/index.html"),
            ("/e/", "403 file"),
            ("/f/", "404 not_found"),
        ],
    );
    // The server's own settings are a location as well.
    each("", &[("/a.txt", "file /w/a.txt")]);
    each(
        "autoindex on;",
        &[("/e/", "file /w/e/"), ("/d/", "file /w/d/index.html"), ("/f/", "404 not_found")],
    );
}

#[test]
fn methods_that_change_something_are_not_allowed() {
    let rig = Rig::of(
        "server { listen 81; root /w; autoindex on; location /l { limit_except GET { deny all; } } }",
    );
    for (method, target, expected) in [
        ("HEAD", "/a.txt", "file /w/a.txt"),
        ("POST", "/a.txt", "405 file"),
        ("POST", "/none", "404 not_found"),
        ("POST", "/d/", "405 file"),
        ("POST", "/e/", "403 file"),
        ("DELETE", "/a.txt", "405 file"),
        ("DELETE", "/e/", "405 file"),
        ("HEAD", "/l", "404 not_found"),
        ("POST", "/l", "403 forbidden"),
    ] {
        let (state, said) = rig.run(&Asked { method, ..Asked::of(target) }, &DISK);
        assert_eq!(said, expected, "{method} {target}");
        assert_eq!(state.flow.notes.contains(&Note::ForbiddenByRule), target == "/l" && method == "POST");
    }
}

#[test]
fn limit_except_inherits_settings_and_no_program() {
    let rig = Rig::of(
        "server { listen 81; root /w;
         location /a.txt { limit_except POST { } return 301 /x; }
         location /d { limit_except GET { } set $y 1; if ($y) { return 404; } }
         location /none { limit_except POST { allow all; } rewrite ^ /a.txt; }
         location /tried { limit_except POST { } try_files /a.txt =418; }
         location /p { limit_except GET { deny all; } return 200 x; proxy_pass http://127.0.0.1:9; }
         location /q { limit_except GET { allow all; } return 200 x; proxy_pass http://127.0.0.1:9; } }",
    );
    for (method, target, expected) in [
        ("GET", "/a.txt", "file /w/a.txt"),
        ("POST", "/a.txt", "return 301 /x"),
        ("PUT", "/d", "405 file"),
        ("HEAD", "/d", "404 return"),
        ("GET", "/none", "404 not_found"),
        ("GET", "/tried", "404 not_found"),
        ("POST", "/tried", "405 file"),
        ("GET", "/p", "return 200 x"),
        ("PUT", "/p", "403 forbidden"),
        ("PUT", "/q", "proxy 127.0.0.1:9"),
    ] {
        let said = rig.run(&Asked { method, ..Asked::of(target) }, &DISK).1;
        assert_eq!(said, expected, "{method} {target}");
    }
}

#[test]
fn a_method_is_refused_before_the_conditions_are_judged() {
    let rig = Rig::of("server { listen 81; root /w; }");
    for (method, expected) in [("GET", "412 file"), ("POST", "405 file")] {
        let asked = Asked { method, ..Asked::of("/a.txt") };
        let mut state = State::default();
        assert!(rig.begin(&mut state, &asked).waits());
        let refused = Event::Opened(Opening::Refused(StatusCode::PRECONDITION_FAILED));
        assert_eq!(said(&state.step(refused, rig.around(&asked), Instant::now())), expected, "{method}");
    }
}

#[test]
fn index_files_are_looked_for_in_order() {
    each(
        "location / { index none.html $arg_i index.html; }",
        &[
            ("/d/?i=no", "file /w/d/index.html"),
            ("/e/?i=no", "403 file"),
            ("/?i=a.txt", "file /w/a.txt"),
            // An empty name is the directory itself, which is there, again and again.
            ("/d/", "500 internal"),
        ],
    );
    each("location /e/ { index none /app.html; } location / { }", &[("/e/", "file /w/app.html")]);
    each("index $arg_i;", &[("/d/?i=../a.txt", "404 not_found")]);
    // The index file's own location answers.
    each("location = /d/index.html { return 200 here; }", &[("/d/", "return 200 here")]);
}

#[test]
fn alias_takes_the_place_of_the_locations_path() {
    let locations =
        "location /x/ { alias /w/d/; } location /i { alias /w/; } location = /one { alias /w/a.txt; }
        location /r/ { alias /w/; rewrite ^/r/(.*)$ /$1 break; }";
    each(
        locations,
        &[
            ("/x/", "file /w/d/index.html"),
            ("/x/index.html", "file /w/d/index.html"),
            ("/one", "file /w/a.txt"),
            ("/i../etc/passwd", "404 not_found"),
            ("/r/a.txt", "500 internal"),
        ],
    );
}

#[test]
fn try_files_takes_the_first_that_is_there() {
    each(
        "location / { try_files $uri $uri/ /app.html; }",
        &[
            ("/a.txt", "file /w/a.txt"),
            ("/d", "return 301 /d/"),
            ("/d/", "file /w/d/index.html"),
            ("/some/route?x=1", "file /w/app.html"),
        ],
    );
    each(
        "location / { try_files $uri =404; } location /t { try_files /none =418; } location /c { try_files /none =444; }",
        &[("/none", "404 not_found"), ("/d", "404 not_found"), ("/t", "418 return"), ("/c", "close")],
    );
    each(
        "location / { try_files /none /q?u=$uri; } location = /q { return 200 $uri?$args; }",
        &[("/b?x=1", "return 200 /q?u=/b")],
    );
    each("location / { try_files /../etc/passwd /none /a.txt =404; }", &[("/", "file /w/a.txt")]);
    each("location / { try_files $uri /x; }", &[("/none", "500 internal")]);
    each("try_files /a.txt =404;", &[("/none", "file /w/a.txt")]);
    each(
        "location /x/ { alias /w/; try_files $uri =404; }",
        &[("/x/a.txt", "file /w/a.txt"), ("/x/b", "404 not_found")],
    );
}

#[test]
fn a_server_is_asked_for_what_the_client_wrote() {
    let rig = Rig::of(
        "server { listen 81; root /w; location / { try_files /a.txt =404; proxy_pass http://127.0.0.1:9; } }",
    );
    let (state, said) = rig.run(&Asked::of("/x"), &DISK);
    assert_eq!(said, "proxy 127.0.0.1:9");
    assert!(!state.uri.is_changed());
}

#[test]
fn an_error_page_may_be_a_file() {
    each("error_page 404 /app.html; location / { }", &[("/none", "file /w/app.html")]);
    let rig = Rig::of("server { listen 81; root /w; error_page 404 405 /app.html; }");
    let (state, said) = rig.run(&Asked { method: "DELETE", ..Asked::of("/a.txt") }, &DISK);
    assert_eq!(
        (said.as_str(), state.status().map(|status| status.as_u16())),
        ("file /w/app.html", Some(405))
    );
}

#[test]
fn variables_tell_directory_and_path() {
    each("location / { return 200 $document_root|$request_filename; }", &[("/a/b", "return 200 /w|/w/a/b")]);
    each(
        "location /x/ { alias /v/; return 200 $document_root|$request_filename; }",
        &[("/x/a", "return 200 /v/|/v/a"), ("/x/..a", "return 200 /v/|/v/..a")],
    );
    each(
        "location / { if (-f $request_filename) { return 200 here; } return 404; }",
        &[("/a.txt", "return 200 here")],
    );
}

#[test]
fn what_is_missing_is_told() {
    let note = |server: &str, target: &str| {
        let rig = Rig::of(&format!("server {{ listen 81; root /w; {server} }}"));
        rig.run(&Asked::of(target), &DISK).0.flow.notes
    };
    assert_eq!(note("", "/f/"), [Note::IndexNotFound(b"/w/f/index.html".to_vec())]);
    assert_eq!(note("log_not_found off;", "/f/"), []);
    assert_eq!(note("", "/e/"), [Note::NoIndex(b"/w/e/".to_vec())]);
    assert_eq!(note("index closed.txt;", "/"), [Note::IndexForbidden(b"/w/closed.txt".to_vec())]);
    assert_eq!(note("", "/a.txt/"), [Note::IndexNotFound(b"/w/a.txt/index.html".to_vec())]);
}
