//! nginx's rewriting, error pages and internal redirects, by tables: a configuration and a request in, what is done out.
#![allow(clippy::unwrap_used)]

use crate::request::testing::{Asked, Rig};
use crate::request::{FileKind, Note};

/// `server` is what stands in the server block; each row is a target and what becomes of it.
fn each(server: &str, rows: &[(&str, &str)]) {
    let rig = Rig::of(&format!("server {{ listen 81; {server} }}"));
    for (target, expected) in rows {
        let (_, said) = rig.run(&Asked::of(target), &[]);
        assert_eq!(&said, expected, "{server} {target}");
    }
}

const TELL: &str = "location / { return 200 $uri?$args; }";

#[test]
fn rewrite_changes_uri_and_arguments() {
    for (rewrite, target, expected) in [
        ("rewrite ^/a/(.*)$ /b/$1;", "/a/x?q=1", "return 200 /b/x?q=1"),
        ("rewrite ^/a/(.*)$ /b/$1?;", "/a/x?q=1", "return 200 /b/x?"),
        ("rewrite ^/a/(.*)$ /b?name=$1;", "/a/x?q=1", "return 200 /b?name=x&q=1"),
        ("rewrite ^/a/(.*)$ /b?name=$1?;", "/a/x?q=1", "return 200 /b?name=x"),
        ("rewrite ^/a/(.*)$ /b?name=$1?;", "/a/x%20y%26z", "return 200 /b?name=x%20y%26z"),
        ("rewrite ^/a/(?<rest>.*)$ /$rest/$rest;", "/a/x", "return 200 /x/x?"),
        ("rewrite ^/nothing /b;", "/a/x", "return 200 /a/x?"),
        ("rewrite ^/a /b; rewrite ^/b /c;", "/a", "return 200 /c?"),
        ("rewrite ^/a /b last; rewrite ^/b /c;", "/a", "return 200 /b?"),
        ("rewrite ^/a /b break; rewrite ^/b /c;", "/a", "return 200 /b?"),
        ("rewrite ^/a /b; break; rewrite ^/b /c;", "/a", "return 200 /b?"),
        ("rewrite ^/a/(.*)$ /b/$1 redirect;", "/a/x?q=1", "return 302 /b/x?q=1"),
        ("rewrite ^/a/(.*)$ /b/$1 permanent;", "/a/x?q=1", "return 301 /b/x?q=1"),
        ("rewrite ^/a/(.*)$ /b?n=$1 permanent;", "/a/x?q=1", "return 301 /b?n=x&q=1"),
        ("rewrite ^/a/(.*)$ /b/$1? permanent;", "/a/x?q=1", "return 301 /b/x"),
        ("rewrite ^/a/(.*)$ https://$host/$1;", "/a/x%20y?q", "return 302 https://host.example/x%20y?q"),
        ("rewrite ^/a/(.*)$ /$1 redirect;", "/a/%2Fb%3F", "return 302 /b?"),
        ("rewrite ^ ${http_none};", "/a", "500 internal"),
        ("rewrite ^/(a)/ /b; rewrite ^/none /c; return 200 $1|;", "/a/x", "return 200 |"),
        ("rewrite ^/(?<kept>a)/ /b; rewrite ^/none /c; return 200 $kept|$1;", "/a/x", "return 200 a|"),
        ("rewrite ^/(a)/ /b; if ($uri ~ ^/c) { } return 200 $1|;", "/a/x", "return 200 |"),
        ("rewrite ^/(a)/ /b; if ($uri !~* ^/c) { } return 200 $1|;", "/a/x", "return 200 |"),
    ] {
        each(&format!("{rewrite} {TELL}"), &[(target, expected)]);
    }
}

#[test]
fn a_location_is_looked_for_again_unless_break_says_not() {
    let locations = "location /a { rewrite ^/a(.*)$ /b$1 last; return 200 never; }
        location /b { return 200 b:$uri; }
        location /c { rewrite ^/c(.*)$ /b$1 break; return 200 never; proxy_pass http://127.0.0.1:9; }
        location /d { rewrite ^/d(.*)$ /b$1; }
        location /loop { rewrite ^ /loop; }
        location /e { rewrite ^/e(.*)$ /b$1; return 200 e:$uri; }";
    each(
        locations,
        &[
            ("/a/x", "return 200 b:/b/x"),
            ("/c/x", "proxy 127.0.0.1:9"),
            ("/d/x", "return 200 b:/b/x"),
            ("/e/x", "return 200 e:/b/x"),
            ("/loop", "500 internal"),
        ],
    );
}

#[test]
fn if_asks_what_nginx_asks() {
    let tests = "set $yes no;
        if ($http_flag) { set $yes flag; }
        if ($http_flag = two) { set $yes two; }
        if ($http_flag != two) { set $yes $yes-other; }
        if ($http_flag ~ ^t(.)) { set $yes $yes-$1; }
        if ($http_flag ~* ^T) { set $yes $yes-any; }
        if ($http_flag !~ o$) { set $yes $yes-not; }
        if ($http_flag !~* O$) { set $yes $yes-noti; }
        return 200 $yes;";
    let rig = Rig::of(&format!("server {{ listen 81; {tests} }}"));
    for (flag, expected) in [
        ("", "no-other-not-noti"),
        ("0", "no-other-not-noti"),
        ("00", "flag-other-not-noti"),
        ("two", "two-w-any"),
        ("tick", "flag-other-i-any-not-noti"),
        ("Top", "flag-other-any-not-noti"),
    ] {
        let fields = [("flag", flag)];
        let asked = Asked { fields: &fields, ..Asked::of("/") };
        assert_eq!(rig.run(&asked, &[]).1, format!("return 200 {expected}"), "{flag}");
    }
}

#[test]
fn if_looks_at_files_and_goes_on_where_it_stopped() {
    let tests = "location / { set $is '';
        if (-f $uri) { set $is $is-file; }
        if (-d $uri) { set $is $is-directory; }
        if (-e $uri) { set $is $is-there; }
        if (!-e $uri) { set $is $is-missing; }
        if (-x $uri) { set $is $is-executable; }
        return 200 $is; }";
    let rig = Rig::of(&format!("server {{ listen 81; {tests} }}"));
    let files = [
        ("/file", FileKind::File { executable: false }),
        ("/program", FileKind::File { executable: true }),
        ("/directory", FileKind::Directory),
        ("/socket", FileKind::Other),
    ];
    for (path, expected) in [
        ("/file", "-file-there"),
        ("/program", "-file-there-executable"),
        ("/directory", "-directory-there-executable"),
        ("/socket", "-there"),
        ("/none", "-missing"),
    ] {
        assert_eq!(rig.run(&Asked::of(path), &files).1, format!("return 200 {expected}"), "{path}");
    }
}

#[test]
fn what_stands_in_an_if_holds_from_there_on() {
    let locations =
        "location / { if ($arg_other) { proxy_pass http://127.0.0.1:8; } proxy_pass http://127.0.0.1:9; }
        location /small { if ($arg_x) { set $y 1; } proxy_pass http://127.0.0.1:7; }";
    each(
        locations,
        &[
            ("/", "proxy 127.0.0.1:9"),
            ("/?other=1", "proxy 127.0.0.1:8"),
            ("/small?x=1", "proxy 127.0.0.1:7"),
        ],
    );
}

#[test]
fn error_pages_answer_in_place_of_a_status() {
    let locations = "error_page 404 /missing; error_page 403 =200 /missing; error_page 410 = /gone;
        error_page 502 /gone; error_page 401 http://elsewhere/; error_page 402 =301 http://elsewhere/;
        location = /missing { internal; return 200 $uri-$request_method; }
        location /gone { return 200 $uri; }
        location / { return 404; }
        location /403 { return 403; } location /410 { return 410; } location /502 { return 502; }
        location /401 { return 401; } location /402 { return 402; } location /418 { return 418; }
        location /text { return 404 text; }
        location /own { error_page 404 =503 /missing; return 404; }
        location /none { error_page 500 /missing; return 404; }
        location /again { error_page 404 /again2; return 404; }
        location /again2 { error_page 404 /missing; return 404; }
        location /recursive { recursive_error_pages on; error_page 404 /again2; return 404; }
        location /cycle { recursive_error_pages on; error_page 404 /cycle; return 404; }
        location /lost { error_page 404 @lost; return 404; }";
    each(
        locations,
        &[
            ("/", "return 404 /missing-GET"),
            ("/missing", "return 404 /missing-GET"),
            ("/403", "return 200 /missing-GET"),
            ("/410", "return 200 /gone"),
            ("/502", "return 502 /gone"),
            ("/401", "return 302 http://elsewhere/"),
            ("/402", "return 301 http://elsewhere/"),
            ("/418", "418 return"),
            ("/text", "return 404 text"),
            ("/own", "return 503 /missing-GET"),
            ("/none", "404 return"),
            ("/again", "404 return"),
            ("/recursive", "return 404 /missing-GET"),
            ("/cycle", "500 internal"),
            ("/lost", "500 internal"),
        ],
    );
}

#[test]
fn the_conditions_of_a_request_are_judged_for_a_text_of_status_200() {
    let rig = Rig::of(
        "server { listen 81; location / { return 200 x; } location /201 { return 201 x; }
         location /page { error_page 412 /201; return 200 x; } location /as { error_page 404 =200 /; return 404; } }",
    );
    let (never, star, tag) = ("if-unmodified-since", ("if-none-match", "*"), ("if-match", "\"x\""));
    for (field, target, expected) in [
        (star, "/", "return 304"),
        (star, "/201", "return 201 x"),
        (star, "/as", "return 304"),
        (("if-none-match", "\"x\""), "/", "return 200 x"),
        (("if-modified-since", "Thu, 01 Jan 2015 00:00:00 GMT"), "/", "return 200 x"),
        ((never, "Thu, 01 Jan 2015 00:00:00 GMT"), "/", "412 return"),
        (tag, "/", "412 return"),
        (tag, "/201", "return 201 x"),
        (tag, "/page", "return 412 x"),
    ] {
        let said = rig.run(&Asked { fields: &[field], ..Asked::of(target) }, &[]).1;
        assert_eq!(said, expected, "{field:?} {target}");
    }
}

#[test]
fn a_text_sees_its_own_status() {
    for (server, expected) in [
        ("location / { return 201 x; }", 201),
        ("location / { return 302 /x; }", 302),
        ("error_page 404 /p; location /p { return 200 x; } location / { return 404; }", 404),
    ] {
        let rig = Rig::of(&format!("server {{ listen 81; {server} }}"));
        let (state, _) = rig.run(&Asked::of("/"), &[]);
        assert_eq!(state.status().map(|status| status.as_u16()), Some(expected), "{server}");
    }
}

#[test]
fn what_went_wrong_is_noted() {
    let rig = Rig::of(
        "server { listen 81; location / { return 200 $later; } location /set { set $later x; }
         location /loop { rewrite ^ /loop; } location /log { rewrite_log on; rewrite ^/log$ /logged break; return 204; } }",
    );
    let notes = |target: &str| rig.run(&Asked::of(target), &[]).0.take_notes();
    assert_eq!(notes("/"), [Note::Uninitialized("later".into())]);
    assert_eq!(notes("/loop"), [Note::Cycle(b"/loop".to_vec())]);
    assert!(matches!(&*notes("/log"), [Note::Tried { matches: true, .. }, Note::Rewritten { .. }]));
}
