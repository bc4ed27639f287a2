//! Where a request's body ends, counted at the server: a body that cannot be read in one way only reaches none, and what
//! follows a body is the next request.

use std::thread;
use std::time::Duration;

use super::support::{Backend, Balancer, Client, eventually, proxy_to};

const CHUNKED: &str = "POST /chunks HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Bodies that NGINX refuses with 400, and one (a line feed inside an extension) that two readers end differently.
const INVALID: [&str; 9] = [
    "\r\n\r\n",
    ";x\r\n\r\n",
    " \r\n\r\n",
    "\t;x\r\n\r\n",
    "3\r\nabc\r\n\r\n\r\n",
    "3\r\nabc\r\n;x\r\n\r\n",
    "3\r\nabc\r\n;x\r\n2\r\nde\r\n0\r\n\r\n",
    "3;a\n0\r\n\r\nabc\r\n0\r\n\r\n",
    "zz\r\n\r\n",
];

#[test]
fn a_chunked_body_with_wrong_framing_is_refused_and_reaches_no_server() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    for body in INVALID {
        let mut client = Client::connect(balancer.address);
        // What comes behind it is never a request: nobody knows where it begins.
        client.send(format!("{CHUNKED}{body}GET /behind HTTP/1.1\r\nHost: t\r\n\r\n"));
        let answer = client.receive().unwrap_or_else(|| panic!("no answer after {body:?}"));
        assert_eq!(answer.status, 400, "{body:?}");
        assert_eq!(answer.headers["connection"], "close", "{body:?}");
        assert!(client.is_closed_within(Duration::from_secs(5)), "{body:?}");
    }
    assert_eq!(backend.count(), 0, "{:?}", backend.seen());
}

#[test]
fn wrong_framing_that_comes_late_fails_the_request_at_both_ends() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    // More than is read before a server is picked.
    let begun = "x".repeat(70_000);
    for (sent, body) in INVALID.iter().enumerate() {
        let mut client = Client::connect(balancer.address);
        client.send(format!("{CHUNKED}{:x}\r\n{begun}\r\n", begun.len()));
        eventually("the server has the beginning", || backend.heads() == sent + 1);
        client.send(format!("{body}GET /behind HTTP/1.1\r\nHost: t\r\n\r\n"));
        let answer = client.receive().unwrap_or_else(|| panic!("no answer after {body:?}"));
        assert_eq!(answer.status, 400, "{body:?}");
        assert_eq!(answer.headers["connection"], "close", "{body:?}");
        assert!(client.is_closed_within(Duration::from_secs(5)), "{body:?}");
    }
    eventually("the server's connections are closed", || backend.cut_bodies() == INVALID.len());
    assert_eq!(backend.count(), 0, "a whole request: {:?}", backend.seen());
}

#[test]
fn wrong_framing_of_a_body_that_fits_reaches_no_server() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    for body in INVALID {
        let mut client = Client::connect(balancer.address);
        client.send(format!("{CHUNKED}5\r\nbegun\r\n{body}GET /behind HTTP/1.1\r\nHost: t\r\n\r\n"));
        assert_eq!(client.receive().unwrap().status, 400, "{body:?}");
        assert!(client.is_closed_within(Duration::from_secs(5)), "{body:?}");
    }
    assert_eq!(backend.heads(), 0);
}

#[test]
fn every_body_that_is_framed_as_it_should_be_arrives() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let mut client = Client::connect(balancer.address);
    let bodies = [
        ("0\r\n\r\n", ""),
        ("5;a=\"b\"\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5 \r\nhello\r\n0 ;a\r\nX-Trailer: 1\r\n\r\n", "hello"),
        ("A\r\n0123456789\r\n1\r\n;\r\n0\r\n\r\n", "0123456789;"),
    ];
    for (body, _) in bodies {
        for cut in [0, body.len() / 2] {
            client.send(format!("{CHUNKED}{}", &body[..cut]));
            thread::yield_now();
            client.send(&body[cut..]);
            assert_eq!(client.receive().expect("an answer").status, 200, "{body:?} cut at {cut}");
        }
    }
    let seen: Vec<_> = backend.seen().into_iter().map(|seen| String::from_utf8(seen.body).unwrap()).collect();
    let expected: Vec<_> = bodies.iter().flat_map(|(_, body)| [*body, *body]).collect();
    assert_eq!(seen, expected);
}
