//! The loop of HTTP/2 around Pingora's proxy, in one process.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use lb::connection::Http2Limits;
use tokio::net::TcpStream;

use super::connection_support::{House, PATIENCE, eventually};

const LIMITS: Http2Limits = Http2Limits {
    concurrent_streams: 100,
    window: 65_536,
    requests: 1000,
    lifetime: Duration::from_secs(3600),
    send_timeout: PATIENCE,
};

async fn connect(house: &House) -> SendRequest<Bytes> {
    *house.front.http2.lock().unwrap() = Some(LIMITS);
    let stream = TcpStream::connect(house.address()).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    send
}

async fn get(send: &mut SendRequest<Bytes>, path: &str) -> Result<(u16, Vec<u8>), h2::Error> {
    let request = Request::get(format!("http://test{path}")).body(()).unwrap();
    let (answer, _) = send.send_request(request, true)?;
    let answer = answer.await?;
    let status = answer.status().as_u16();
    let (mut body, mut bytes) = (answer.into_body(), Vec::new());
    while let Some(data) = body.data().await {
        bytes.extend_from_slice(&data?);
    }
    Ok((status, bytes))
}

#[tokio::test]
async fn each_stream_has_its_own_facts() {
    let house = House::open().await;
    let mut send = connect(&house).await;
    let mut other = send.clone();
    let (first, second) = tokio::join!(get(&mut send, "/a"), get(&mut other, "/b?c"));
    assert_eq!((first.unwrap(), second.unwrap()), ((200, b"/a".to_vec()), (200, b"/b?c".to_vec())));
    eventually("both are written down", || house.state.seen.lock().unwrap().len() == 2).await;
    let mut seen = house.state.seen.lock().unwrap().clone();
    seen.sort_by_key(|one| one.number);
    let told: Vec<_> =
        seen.iter().map(|one| (one.number, one.line.as_str(), one.status, one.serial)).collect();
    assert_eq!(told, [(1, "GET /a HTTP/2.0", 200, 1), (2, "GET /b?c HTTP/2.0", 200, 1)]);
}

#[tokio::test]
async fn a_panic_costs_one_stream() {
    let house = House::open().await;
    let mut send = connect(&house).await;
    let error = get(&mut send, "/panic").await.unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::PROTOCOL_ERROR));
    assert_eq!(get(&mut send, "/a").await.unwrap().0, 200);
}

#[tokio::test]
async fn what_is_refused_is_reported() {
    let house = House::open().await;
    let mut send = connect(&house).await;
    let request = Request::get("http://test/%zz").body(()).unwrap();
    let (answer, _) = send.send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 400);
    let refused = house.refused();
    assert_eq!(
        (refused[0].status, refused[0].line.as_str(), refused[0].number),
        (400, "GET /%zz HTTP/2.0", 1)
    );
    assert!(refused[0].body_bytes_sent > 0 && refused[0].bytes_sent > refused[0].body_bytes_sent);
}
