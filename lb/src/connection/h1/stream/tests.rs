#![allow(clippy::unwrap_used)]
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::super::chunks::ChunkScanner;
use super::super::input::HELD_BYTES;
use super::super::output::WRITE_BUFFER_BYTES;
use super::*;

/// Our end and the client's.
fn pair() -> (ClientStream, UnixStream) {
    let (ours, client) = UnixStream::pair().unwrap();
    (ClientStream::in_test(ours), client)
}

/// The next `count` bytes that the client gets.
async fn received(client: &mut UnixStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let read = tokio::time::timeout(Duration::from_secs(10), client.read_exact(&mut bytes)).await;
    read.expect("nothing more comes").unwrap();
    bytes
}

/// True if a read has to wait.
async fn read_waits(stream: &mut ClientStream) -> bool {
    std::future::poll_fn(|cx| {
        let mut bytes = [0; 64];
        let read = Pin::new(&mut *stream).poll_read(cx, &mut ReadBuf::new(&mut bytes));
        Poll::Ready(read.is_pending())
    })
    .await
}

/// Reads, which must have to wait each time, until so many bytes are held back.
async fn hold(stream: &mut ClientStream, count: usize) {
    let held = async {
        while stream.input.held().0 < count {
            assert!(read_waits(stream).await, "a byte passed the limit");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), held).await.expect("they are not held back");
}

#[tokio::test]
async fn small_writes_wait_for_the_flush_and_large_ones_take_them_along() {
    let (mut stream, mut client) = pair();
    stream.begin_request(ReadLimit::After(0), BytesMut::new(), false, Arc::default());
    stream.write_all(b"header ").await.unwrap();
    stream.write_all(b"body").await.unwrap();
    assert_eq!(stream.calls(), 0);
    stream.flush().await.unwrap();
    assert_eq!((received(&mut client, 11).await.as_slice(), stream.calls()), (&b"header body"[..], 1));

    stream.write_all(b"header ").await.unwrap();
    let body = vec![b'x'; WRITE_BUFFER_BYTES];
    stream.write_all(&body).await.unwrap();
    assert_eq!(received(&mut client, 7 + body.len()).await, [b"header ", body.as_slice()].concat());
    assert_eq!(stream.calls(), 2);

    let slices = [IoSlice::new(b"5\r\n"), IoSlice::new(&body), IoSlice::new(b"\r\n")];
    assert_eq!(stream.write_vectored(&slices).await.unwrap(), body.len() + 5);
    assert_eq!(received(&mut client, body.len() + 5).await, [b"5\r\n", body.as_slice(), b"\r\n"].concat());
    assert_eq!(stream.calls(), 3);
}

#[tokio::test]
async fn a_lent_piece_waits_where_it_lies() {
    let (mut stream, mut client) = pair();
    stream.begin_request(ReadLimit::After(0), BytesMut::new(), false, Arc::default());
    let body = Bytes::from(vec![b'x'; 2 * WRITE_BUFFER_BYTES]);
    stream.write_all(b"header ").await.unwrap();
    stream.lend(body.clone());
    stream.write_all(&body).await.unwrap();
    assert_eq!(stream.calls(), 0);
    stream.write_all(b" end").await.unwrap();
    let whole = [b"header ", body.as_ref(), b" end"].concat();
    assert_eq!(received(&mut client, whole.len()).await, whole, "with what comes next");
    assert_eq!(stream.calls(), 1);

    stream.lend(body.clone());
    stream.write_all(&body).await.unwrap();
    assert_eq!(stream.calls(), 1);
    stream.flush().await.unwrap();
    assert_eq!(received(&mut client, body.len()).await, body, "with a flush");

    stream.write_all(&body).await.unwrap();
    assert_eq!(
        (received(&mut client, body.len()).await, stream.calls()),
        (body.to_vec(), 3),
        "not lent again"
    );

    stream.write_all(b"header ").await.unwrap();
    stream.lend(body.clone());
    stream.write_all(&body).await.unwrap();
    assert_eq!((stream.waiting_bytes(), stream.calls()), (body.len(), 3));
    drop(stream);
    assert_eq!(
        received(&mut client, 7 + body.len()).await,
        [b"header ", body.as_ref()].concat(),
        "with the end"
    );
}

#[tokio::test]
async fn a_read_that_has_to_wait_sends_what_waits() {
    let (mut stream, mut client) = pair();
    stream.begin_request(ReadLimit::After(0), BytesMut::new(), false, Arc::default());
    stream.write_all(b"trickle ").await.unwrap();
    let lent = Bytes::from_static(b"piece");
    stream.lend(lent.clone());
    stream.write_all(&lent).await.unwrap();
    assert_eq!(stream.calls(), 0);
    assert!(read_waits(&mut stream).await);
    assert_eq!((received(&mut client, 13).await.as_slice(), stream.calls()), (&b"trickle piece"[..], 1));
}

#[tokio::test]
async fn bytes_arrive_whole_and_in_order_when_the_client_reads_slowly() {
    let (mut stream, mut client) = pair();
    stream.begin_request(ReadLimit::After(0), BytesMut::new(), false, Arc::default());
    let expected: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    let mut left = Bytes::from(expected.clone());
    let writer = tokio::spawn(async move {
        let mut random = fastrand::Rng::with_seed(7);
        while !left.is_empty() {
            let now = left.split_to(random.usize(1..20_000).min(left.len()));
            if random.bool() {
                stream.lend(now.clone());
            }
            stream.write_all(&now).await.unwrap();
        }
        stream.flush().await.unwrap();
        stream
    });
    let mut received = Vec::new();
    while received.len() < expected.len() {
        let mut bytes = [0; 4_099];
        let count = client.read(&mut bytes).await.unwrap();
        received.extend_from_slice(&bytes[..count]);
    }
    assert!(received == expected);
    drop(writer.await.unwrap());
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0, "nothing comes twice");
}

#[tokio::test]
async fn reads_end_at_the_limit_and_the_rest_comes_back() {
    let (mut stream, mut client) = pair();
    stream.begin_request(ReadLimit::After(4), BytesMut::from(&b"surplus "[..]), false, Arc::default());
    client.write_all(b"bodynext").await.unwrap();
    let mut bytes = [0; 64];
    assert_eq!(stream.read(&mut bytes).await.unwrap(), 4);
    assert_eq!(&bytes[..4], b"body");
    hold(&mut stream, 12).await;
    assert_eq!(stream.end_request(), "surplus next");
}

#[tokio::test]
async fn a_chunked_body_ends_where_its_grammar_says() {
    let (mut stream, mut client) = pair();
    stream.begin_request(ReadLimit::Chunked(ChunkScanner::default()), BytesMut::new(), false, Arc::default());
    client.write_all(b"3\r\nabc\r\n").await.unwrap();
    let mut bytes = [0; 64];
    assert_eq!(stream.read(&mut bytes).await.unwrap(), 8);
    client.write_all(b"0\r\n\r\nGET / ").await.unwrap();
    assert_eq!(stream.read(&mut bytes).await.unwrap(), 5);
    assert_eq!(&bytes[..5], b"0\r\n\r\n");
    client.write_all(b"HTTP/1.1").await.unwrap();
    hold(&mut stream, 14).await;
    assert_eq!(stream.end_request(), "GET / HTTP/1.1");
}

#[tokio::test]
async fn a_body_with_wrong_framing_fails_every_read_and_the_client_is_still_there() {
    let (mut stream, mut client) = pair();
    stream.begin_request(ReadLimit::Chunked(ChunkScanner::default()), BytesMut::new(), false, Arc::default());
    client.write_all(b"3\r\nabc\r\n;x\r\n\r\n").await.unwrap();
    for _ in 0..2 {
        let error = stream.read(&mut [0; 64]).await.unwrap_err();
        assert!(super::super::input::is_invalid_body(&error), "{error}");
    }
    assert!(!stream.ended);
}

#[tokio::test]
async fn what_follows_a_request_for_another_protocol_passes_once_a_server_has_agreed() {
    for agreed in [false, true] {
        let (mut stream, mut client) = pair();
        let reply = Arc::new(RequestReply::default());
        stream.begin_request(ReadLimit::After(2), BytesMut::new(), true, reply.clone());
        client.write_all(b"bodyahead").await.unwrap();
        let mut bytes = [0; 4];
        assert_eq!(stream.read(&mut bytes).await.unwrap(), 2);
        hold(&mut stream, 7).await;
        if agreed {
            reply.switch_protocols();
            client.write_all(b" and later").await.unwrap();
            let mut other = [0; 17];
            stream.read_exact(&mut other).await.unwrap();
            assert_eq!(&other, b"dyahead and later");
        }
        assert_eq!(stream.end_request(), if agreed { "" } else { "dyahead" });
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_given_up() {
    let (mut stream, client) = pair();
    let reply = Arc::new(RequestReply::default());
    reply.set_send_timeout(Duration::from_secs(10));
    stream.begin_request(ReadLimit::After(0), BytesMut::new(), false, reply);
    let body = vec![b'x'; 8 << 20];
    let begun = tokio::time::Instant::now();
    let error = stream.write_all(&body).await.unwrap_err();
    assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, 10));

    stream.write_all(b"more").await.unwrap();
    let error = stream.flush().await.unwrap_err();
    assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, 20), "a flush too");
    drop(client);
}

#[tokio::test]
async fn the_end_of_the_connection_passes_the_limit() {
    let (mut stream, mut client) = pair();
    stream.begin_request(ReadLimit::After(0), BytesMut::new(), false, Arc::default());
    client.write_all(b"next").await.unwrap();
    drop(client);
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_held_back_is_bounded() {
    let (mut stream, client) = pair();
    stream.begin_request(ReadLimit::After(0), BytesMut::new(), false, Arc::default());
    let (_read, mut write) = client.into_split();
    let sender = tokio::spawn(async move { write.write_all(&vec![0; 4 << 20]).await });
    hold(&mut stream, HELD_BYTES).await;
    for _ in 0..100 {
        assert!(read_waits(&mut stream).await);
        tokio::task::yield_now().await;
    }
    let held = stream.input.held().0;
    assert!((HELD_BYTES..HELD_BYTES + READ_BYTES).contains(&held) && !sender.is_finished(), "{held}");
    sender.abort();
}

#[tokio::test]
async fn nothing_is_kept_between_requests() {
    let (mut stream, _client) = pair();
    stream.begin_request(ReadLimit::After(0), BytesMut::new(), false, Arc::default());
    stream.write_all(b"answer").await.unwrap();
    stream.lend(Bytes::from_static(b"piece"));
    stream.flush().await.unwrap();
    drop(stream.end_request());
    assert_eq!((stream.output.memory(), stream.input.held()), ((0, false), (0, 0)));
    // But for the count of calls, which only tests have.
    let bytes = size_of::<ClientStream>() - size_of::<usize>();
    assert!(bytes <= 160, "{bytes}");
}
