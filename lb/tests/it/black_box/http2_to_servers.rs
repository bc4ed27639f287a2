//! HTTP/2 to servers, and `grpc_pass`, with clients of HTTP/1. What a client of HTTP/2 and gRPC sees of it `deploy/edge/`
//! holds with real ones.

use super::http2_backend::Http2Backend;
use super::secure_backend::Authority;
use super::support::{Balancer, Client, eventually, get};

fn post(client: &mut Client, path: &str, body: &str) -> (u16, String) {
    client
        .send(format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let answer = client.receive().unwrap();
    (answer.status, answer.body)
}

fn start(server: &Http2Backend, pass: &str) -> Balancer {
    Balancer::start(&format!(
        "upstream up {{ health_check off; server {}; }} server {{ listen LISTEN; location / {{ {pass} }} }}",
        server.address
    ))
}

#[test]
fn requests_share_a_connection() {
    let authority = Authority::new("authority");
    let certified = authority.certify(&["up"]);
    for (certified, pass, uri) in [
        (None, "proxy_pass http://up; proxy_http_version 2;", "http://up/x?y"),
        (Some(&certified), "proxy_pass https://up; proxy_http_version 2;", "https://up/x?y"),
        (None, "grpc_pass up;", "http://up/x?y"),
        (Some(&certified), "grpc_pass grpcs://up;", "https://up/x?y"),
    ] {
        let server = Http2Backend::start(certified);
        let balancer = start(&server, pass);
        let mut client = Client::connect(balancer.address);
        for body in ["one", "", "three"] {
            let answered = post(&mut client, "/x?y", body);
            assert_eq!(answered, (200, body.to_owned()), "{pass}\n{}", balancer.log());
        }
        assert_eq!(get(balancer.address, "/trailers").body, "before", "HTTP/1 has no room for trailers");
        assert_eq!(server.connections(), 1, "{pass}");
        assert_eq!(server.requests()[0], format!("POST {uri}|content-length: 3"), "{pass}");
    }
}

#[test]
fn a_long_body_goes_both_ways() {
    let certified = Authority::new("authority").certify(&["up"]);
    let server = Http2Backend::start(Some(&certified));
    let balancer = start(&server, "proxy_pass https://up; proxy_http_version 2; client_max_body_size 0;");
    let body = super::support::text(3_000_000);
    let mut client = Client::connect(balancer.address);
    let (status, echo) = post(&mut client, "/", &body);
    assert!(status == 200 && echo == body, "{status} {}", echo.len());
}

#[test]
fn a_request_that_the_server_has_not_begun_is_sent_again() {
    let server = Http2Backend::start(None);
    let balancer = start(&server, "grpc_pass up;");
    let mut client = Client::connect(balancer.address);
    assert_eq!(post(&mut client, "/refused", "x"), (200, "x".to_owned()), "{}", balancer.log());
    assert_eq!(server.requests().len(), 2);
    eventually("it is counted", || balancer.metric("lb_retries_total{reason=\"stale_connection\"}") == 1);
    assert_eq!(post(&mut client, "/reset", "x").0, 502);
    assert_eq!(server.requests().len(), 3, "what it has begun is not sent again");
}

#[test]
fn a_silent_server_runs_out_of_time() {
    let server = Http2Backend::start(None);
    let balancer = start(&server, "grpc_pass up; grpc_read_timeout 200ms;");
    assert_eq!(get(balancer.address, "/silent").status, 504);
    eventually("the stream ends", || server.resets() == 1);
    balancer
        .says("upstream timed out (110: Connection timed out) while reading response header from upstream");
}

#[test]
fn a_client_that_goes_ends_the_server_s_stream() {
    let certified = Authority::new("authority").certify(&["up"]);
    let server = Http2Backend::start(Some(&certified));
    let balancer = start(&server, "grpc_pass grpcs://up;");
    let mut client = Client::connect(balancer.address);
    client.send("GET /silent HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually("the request arrives", || server.requests().len() == 1);
    drop(client);
    eventually("the stream ends", || server.resets() == 1);
    assert_eq!(get(balancer.address, "/").status, 200);
    assert_eq!(server.connections(), 1, "the connection goes on");
}

#[test]
fn connections_of_different_identities_never_mix() {
    let certified = Authority::new("authority").certify(&["a", "b"]);
    let server = Http2Backend::start(Some(&certified));
    let balancer = Balancer::start(&format!(
        "upstream up {{ health_check off; server {}; }} grpc_ssl_server_name on; grpc_ssl_name $arg_name;
         server {{ listen LISTEN; location / {{ grpc_pass grpcs://up; }} location /p {{ proxy_pass https://up; proxy_http_version 2; }} }}",
        server.address
    ));
    for _ in 0..3 {
        for path in ["/?name=a", "/?name=b", "/p"] {
            assert_eq!(get(balancer.address, path).status, 200, "{}", balancer.log());
        }
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_server_that_does_not_speak_http_2_is_an_error() {
    let server = super::support::Backend::start("plain");
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN; location / {{ grpc_pass {}; grpc_connect_timeout 1s; grpc_read_timeout 1s; }} }}",
        server.address
    ));
    let mut client = Client::connect(balancer.address);
    assert_eq!(post(&mut client, "/", "x").0, 502);
    balancer.says("upstream sent invalid header while reading response header from upstream");
}
