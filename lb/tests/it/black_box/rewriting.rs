//! `rewrite`, `if`, `set`, `error_page` and internal redirects, through the whole program: what the client gets, and what
//! the servers see.

use super::support::*;

fn server(inside: &str) -> Balancer {
    Balancer::start(&format!("server {{ listen LISTEN; {inside} }}"))
}

#[test]
fn a_rewritten_uri_is_what_the_server_sees() {
    let backend = Backend::start("a");
    let balancer = server(&format!(
        "location /old/ {{ rewrite ^/old/(.*)$ /new/$1 break; proxy_pass http://{0}; }}
         location /strip/ {{ rewrite ^/strip/(.*)$ /$1?from=strip break; proxy_pass http://{0}/base/; }}
         location /args {{ set $args x=1; proxy_pass http://{0}; }}",
        backend.address
    ));
    for (asked, seen) in [
        ("/old/a%20b?q=1", "/new/a%20b?q=1"),
        ("/strip/c?q=1", "/c?from=strip&q=1"),
        ("/args?y=2", "/args?x=1"),
    ] {
        assert_eq!(get(balancer.address, asked).status, 200, "{asked}");
        assert_eq!(backend.last_target(), seen, "{asked}");
    }
}

#[test]
fn another_location_answers_for_a_server_that_failed_or_said_no() {
    let (bad, good) = (Backend::start("bad"), Backend::start("good"));
    let balancer = server(&format!(
        "error_page 502 504 @fallback; error_page 404 = /missing; error_page 403 =200 /forbidden?x=1;
         location /down {{ proxy_pass http://{}; }}
         location /status {{ proxy_intercept_errors on; proxy_pass http://{}; }}
         location = /missing {{ internal; return 404 'nothing at $request_uri'; }}
         location = /forbidden {{ internal; proxy_pass http://{}; }}
         location @fallback {{ proxy_pass http://{}; }}",
        unused_address(),
        bad.address,
        good.address,
        good.address
    ));
    let answer = get(balancer.address, "/down?a=b");
    assert_eq!((answer.status, answer.body.as_str()), (502, "good"));
    assert_eq!(good.last_target(), "/down?a=b");
    bad.answers_with(404);
    let answer = get(balancer.address, "/status");
    assert_eq!((answer.status, answer.body.as_str()), (404, "nothing at /status"));
    bad.answers_with(403);
    let answer = get(balancer.address, "/status");
    assert_eq!((answer.status, answer.body.as_str()), (200, "good"));
    assert_eq!(good.last_target(), "/forbidden?x=1");
}
