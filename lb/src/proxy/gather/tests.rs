#![allow(clippy::unwrap_used)]
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;

fn body(bytes: usize, end: bool) -> HttpTask {
    HttpTask::Body(Some(Bytes::from(vec![b'x'; bytes])), end)
}

fn header(fields: &[(&'static str, &str)]) -> HttpTask {
    let mut header = ResponseHeader::build(200, None).unwrap();
    for (name, value) in fields {
        header.insert_header(*name, *value).unwrap();
    }
    HttpTask::Header(Box::new(header), false)
}

/// A session that has read a request, and its client.
async fn session() -> (Session, UnixStream) {
    let (ours, mut client) = UnixStream::pair().unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
    let mut session = Session::new_h1(Box::new(ClientStream::in_test(ours)));
    assert!(session.read_request().await.unwrap());
    (session, client)
}

/// The header of the answer that the client gets.
async fn received_head(client: &mut UnixStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    head
}

/// The next `count` bytes that it gets.
async fn received(client: &mut UnixStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    client.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// How many write calls were tried.
fn calls(gathering: &Gathering) -> usize {
    client_stream(gathering.whole()).unwrap().calls()
}

async fn gathering() -> (Gathering, UnixStream) {
    let (session, client) = session().await;
    (Gathering { whole: Some(session.downstream_session), filtering: None, home: Home::default() }, client)
}

#[tokio::test]
async fn a_batch_is_gathered_when_it_is_large_and_all_body_of_known_length() {
    let large = LARGE_BATCH_BYTES;
    let failed = || HttpTask::Failed(pingora::Error::new_up(pingora::ErrorType::ReadError));
    let length = || header(&[("content-length", "1000000")]);
    let cases = || {
        [
            (true, vec![body(large, false), body(1, true)]),
            (true, vec![body(large / 2, false), body(large / 2, false)]),
            (false, vec![body(large / 2, false), body(large / 2 - 1, false)]),
            (false, vec![body(large, true)]),
            (false, vec![body(large, false), body(0, false)]),
            (false, vec![body(large, false), HttpTask::Done]),
            (false, vec![body(large, false), HttpTask::Body(None, true)]),
            (false, vec![body(large, false), failed()]),
            (false, vec![body(large, false), HttpTask::Trailer(None)]),
            (false, vec![HttpTask::UpgradedBody(Some(vec![b'x'; large].into()), false), body(large, false)]),
            (false, vec![]),
        ]
    };
    let (mut gathering, _client) = gathering().await;
    for (_, tasks) in cases() {
        assert!(!gathering.is_gathered(&tasks), "before any header: {tasks:?}");
    }
    assert!(gathering.is_gathered(&[length(), body(1, false), body(large - 1, false)]));
    assert!(!gathering.is_gathered(&[
        header(&[("transfer-encoding", "chunked")]),
        body(1, false),
        body(large - 1, false)
    ]));
    gathering.write(length(), false).await.unwrap();
    for (expected, tasks) in cases() {
        assert_eq!(gathering.is_gathered(&tasks), expected, "{tasks:?}");
    }
}

#[tokio::test]
async fn a_full_piece_begins_it_and_nothing_less() {
    let piece = |bytes| Bytes::from(vec![b'x'; bytes]);
    let (mut session, _client) = session().await;
    let mut gathering = None;
    consider(&mut session, None, &mut gathering);
    consider(&mut session, Some(&piece(FULL_PIECE_BYTES - 1)), &mut gathering);
    assert!(gathering.is_none() && !session.as_downstream().is_custom());
    consider(&mut session, Some(&piece(FULL_PIECE_BYTES)), &mut gathering);
    assert!(gathering.is_some() && session.as_downstream().is_custom());
    consider(&mut session, Some(&piece(FULL_PIECE_BYTES)), &mut gathering);
    end(&mut session, &gathering.take().unwrap());
    assert!(session.as_downstream().as_http1().is_some(), "it began once");
}

#[tokio::test]
async fn a_batch_is_one_call_and_out_at_its_end() {
    let (mut gathering, mut client) = gathering().await;
    let third = LARGE_BATCH_BYTES / 3 + 1;
    let first = vec![header(&[("content-length", "1000000")]), body(third, false), body(2 * third, false)];
    assert!(!gathering.response_duplex_vec(first).await.unwrap());
    assert_eq!(calls(&gathering), 1);
    let head = received_head(&mut client).await.len();
    assert!((20..200).contains(&head), "{head}");
    received(&mut client, 3 * third).await;
    let second = vec![body(third, false), body(third, false), body(third, false)];
    assert!(!gathering.response_duplex_vec(second).await.unwrap());
    assert_eq!(calls(&gathering), 2);
    received(&mut client, 3 * third).await;
}

#[tokio::test]
async fn what_a_failed_write_should_have_taken_along_is_told() {
    let (mut session, client) = session().await;
    let home = begin(&mut session).unwrap();
    drop(client);
    let batch = vec![
        header(&[("content-length", "1000000")]),
        body(FULL_PIECE_BYTES, false),
        body(FULL_PIECE_BYTES, false),
        body(1, false),
    ];
    assert!(session.write_response_tasks(batch).await.is_err());
    let unsent = end(&mut session, &home);
    assert_eq!(
        (unsent, session.as_downstream().body_bytes_sent()),
        (2 * FULL_PIECE_BYTES, 2 * FULL_PIECE_BYTES)
    );
}

#[tokio::test]
async fn pieces_wait_for_the_last_of_their_batch() {
    let (mut gathering, mut client) = gathering().await;
    gathering.write(header(&[("content-length", "6000")]), true).await.unwrap();
    gathering.write(body(2000, false), true).await.unwrap();
    gathering.write(body(2000, false), true).await.unwrap();
    assert_eq!(calls(&gathering), 0, "lent, and kept where they lie");
    assert!(gathering.write(body(2000, true), false).await.unwrap());
    assert_eq!(calls(&gathering), 1);
    let head = received_head(&mut client).await;
    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", head.escape_ascii());
    assert!(received(&mut client, 6000).await == [b'x'; 6000]);
}

/// The body without the framing of chunks, which may differ.
fn without_chunks(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let line = body.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
        let chunk = &body[line + 2..];
        whole.extend_from_slice(&chunk[..size]);
        assert_eq!(&chunk[size..size + 2], b"\r\n");
        body = &chunk[size + 2..];
        if size == 0 {
            assert!(body.is_empty());
            return whole;
        }
    }
}

/// Sends two batches, and says what came of it: whether each was the end, what was counted, and the body received.
async fn outcome(fields: &[(&'static str, &str)], gathered: bool) -> (Vec<bool>, usize, Vec<u8>) {
    let (mut session, mut client) = session().await;
    let home = if gathered { Some(begin(&mut session).unwrap()) } else { None };
    let reader = tokio::spawn(async move {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        bytes
    });
    let large = LARGE_BATCH_BYTES;
    let mut ends = Vec::new();
    for batch in [
        vec![header(fields), body(7, false), body(large, false)],
        vec![body(large, false), body(large, true)],
    ] {
        ends.push(session.write_response_tasks(batch).await.unwrap());
    }
    session.as_downstream_mut().finish_body().await.unwrap();
    assert_eq!(session.as_downstream().is_custom(), gathered);
    if let Some(home) = home {
        end(&mut session, &home);
    }
    assert!(session.as_downstream().as_http1().is_some());
    let counted = session.as_downstream().body_bytes_sent();
    drop(session);
    let bytes = reader.await.unwrap();
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let received = bytes[head..].to_vec();
    (ends, counted, if fields[0].0 == "transfer-encoding" { without_chunks(&received) } else { received })
}

#[tokio::test]
async fn the_client_gets_what_pingora_alone_would_send() {
    let whole = 3 * LARGE_BATCH_BYTES + 7;
    for (fields, bytes) in [
        ([("content-length", whole.to_string().as_str())], whole),
        ([("transfer-encoding", "chunked")], whole),
        // More than was announced is cut off.
        ([("content-length", "9")], 9),
    ] {
        let ours = outcome(&fields, true).await;
        assert_eq!(ours.2.len(), bytes, "{fields:?}");
        assert!(ours == outcome(&fields, false).await, "{fields:?}");
    }
}

#[tokio::test]
async fn a_stream_that_is_not_ours_stays_as_it_is() {
    let (ours, _client) = UnixStream::pair().unwrap();
    let mut session = Session::new_h1(Box::new(pingora::protocols::l4::stream::Stream::from(ours)));
    assert!(begin(&mut session).is_none());
    assert!(session.as_downstream().as_http1().is_some());
}
