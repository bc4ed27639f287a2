//! Requests for another protocol: who gets one, and what becomes of the bytes behind a request that does not.

use super::support::{Backend, Balancer, Behaviour, Client, proxy_to};

const BEHIND: &str = "GET /behind HTTP/1.1\r\nHost: t\r\n\r\n";

#[test]
fn an_upgrade_that_connection_does_not_name_reaches_no_server() {
    let backend = Backend::start("a");
    // A server that agrees to whatever it takes for a wish.
    backend.behave(Behaviour::SwitchIfAsked);
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let fields = ["", "Connection: keep-alive\r\n", "Connection: upgrades, x\r\n"];
    for field in fields {
        let mut client = Client::connect(balancer.address);
        client.send(format!("GET /asks HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\n{field}\r\n{BEHIND}"));
        let answers = [client.receive(), client.receive()];
        let statuses = answers.map(|answer| answer.map(|answer| answer.status));
        assert_eq!(statuses, [Some(200), Some(200)], "{field:?}");
    }
    let seen = backend.seen();
    let lines: Vec<_> = seen.iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(lines, ["GET /asks HTTP/1.1", "GET /behind HTTP/1.1"].repeat(fields.len()));
    assert!(seen.iter().all(|seen| !seen.headers.contains_key("upgrade")), "{seen:?}");
}

#[test]
fn a_request_behind_a_refused_upgrade_is_served() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let bodies = [
        ("", "", ""),
        ("Content-Length: 5\r\n", "hello", "hello"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello"),
    ];
    for protocol in ["websocket", "h2c"] {
        for (field, body, _) in bodies {
            let mut client = Client::connect(balancer.address);
            client.send(format!(
                "POST /asks HTTP/1.1\r\nHost: t\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n{field}\r\n{body}{BEHIND}"
            ));
            let refused = client.receive().expect("an answer");
            assert_eq!((refused.status, refused.headers["connection"].as_str()), (200, "keep-alive"));
            assert_eq!(client.receive().expect("the next answer").status, 200, "{protocol} {field:?}");
            assert_eq!(client.get("/later").expect("and the one after").status, 200);
        }
    }
    let asked: Vec<_> = backend.seen().into_iter().step_by(3).map(|seen| seen.body).collect();
    let expected: Vec<_> = bodies.iter().map(|(_, _, body)| body.as_bytes().to_vec()).collect();
    assert_eq!(asked, [expected.clone(), expected].concat());
    assert_eq!(backend.count(), 3 * asked.len());
}

#[test]
fn a_wrong_chunk_behind_a_wish_for_an_upgrade_is_refused_too() {
    let backend = Backend::start("a");
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    let mut client = Client::connect(balancer.address);
    client.send(
        "POST / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n;x\r\n\r\n",
    );
    assert_eq!(client.receive().expect("an answer").status, 400);
    assert_eq!(backend.count(), 0);
}

#[test]
fn after_an_upgrade_every_byte_passes_sent_ahead_or_not() {
    let backend = Backend::start("a");
    backend.behave(Behaviour::SwitchIfAsked);
    let balancer = Balancer::start(&proxy_to(&[&backend], ""));
    // More than a read takes at once, and bytes that would be a request.
    let long = "x".repeat(10_000);
    for ahead in ["", "\r\n", BEHIND, long.as_str()] {
        let mut client = Client::connect(balancer.address);
        client.send(format!(
            "GET /asks HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n{ahead}"
        ));
        assert_eq!(client.receive().expect("an answer").status, 101);
        assert_eq!(client.read(ahead.len()), ahead.as_bytes());
        for later in ["one", BEHIND] {
            client.send(later);
            assert_eq!(client.read(later.len()), later.as_bytes());
        }
    }
    assert_eq!(backend.count(), 4);
}
