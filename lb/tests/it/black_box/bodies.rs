//! Bodies that change on their way through the whole program, with the codings that NGINX alone has not: every byte, whatever
//! the framing, over both protocols, and the connection after.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use lb::filter::gunzip::Gunzip;
use lb::filter::{BodyFilter, Signal};

use super::http2::client::Http2Client;
use super::support::*;

const CODINGS: &str = "gzip on; gzip_http_version 1.0; gzip_types *; gzip_vary on; \
    brotli on; brotli_types *; brotli_comp_level 4; zstd on; zstd_types *;";
const FRAMINGS: [Framing; 4] =
    [Framing::Length, Framing::Chunks(&[65_536, 1, 40_000]), Framing::Chunks(&[17_000]), Framing::Close];

fn proxied(backend: &Backend, settings: &str) -> Balancer {
    Balancer::start(&format!(
        "server {{ listen LISTEN; http2 on; {settings} location / {{ proxy_pass http://{}; }} }}",
        backend.address
    ))
}

/// Header and body of an answer that ends with its connection.
fn asked(balancer: &Balancer, path: &str, accepted: &str) -> (Option<String>, Vec<u8>) {
    let mut client = Client::connect(balancer.address);
    client.send(format!("GET {path} HTTP/1.0\r\nHost: a\r\nAccept-Encoding: {accepted}\r\n\r\n"));
    let (mut headers, body) = client.receive_until_closed();
    (headers.remove("content-encoding"), body)
}

fn unpacked(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    match coding {
        "br" => drop(brotli::Decompressor::new(body, 4096).read_to_end(&mut text).unwrap()),
        "zstd" => text = zstd::stream::decode_all(body).unwrap(),
        "gzip" => {
            let (mut filter, mut input) = (Gunzip::new(), Bytes::copy_from_slice(body));
            loop {
                let passed = filter.pass(&mut input, Signal::End).unwrap();
                text.extend_from_slice(&passed.bytes);
                if !passed.more {
                    break;
                }
            }
        }
        other => panic!("{other}"),
    }
    text
}

#[test]
fn every_coding_carries_every_byte() {
    let backend = Backend::start("a");
    let balancer = proxied(&backend, CODINGS);
    for (accepted, coding) in [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
    ] {
        for framing in FRAMINGS {
            for bytes in [20, 70_000, 1_000_003] {
                backend.behave(Behaviour::Large(bytes, framing));
                let (told, body) = asked(&balancer, "/", accepted);
                assert_eq!(told.as_deref(), Some(coding), "{framing:?} {bytes}");
                assert!(unpacked(coding, &body) == text(bytes).into_bytes(), "{coding} {framing:?} {bytes}");
            }
        }
    }
}

#[test]
fn the_connection_goes_on_behind_a_changed_body() {
    let backend = Backend::start("a");
    let settings = "sub_filter abc <>; sub_filter_once off; sub_filter_types *;";
    let balancer = proxied(&backend, settings);
    let mut client = Client::connect(balancer.address);
    let mut over_http2 = Http2Client::connect(balancer.address);
    for framing in FRAMINGS {
        backend.behave(Behaviour::Large(300_000, framing));
        let expected = text(300_000).replace("abc", "<>");
        let answer = client.get("/").unwrap();
        assert_eq!(answer.headers.get("content-length"), None, "{framing:?}");
        assert!(answer.body == expected, "{framing:?}");
        assert!(over_http2.get("/").body == expected, "HTTP/2, {framing:?}");
        backend.behave(Behaviour::Answer);
        assert_eq!(client.get("/").unwrap().body, "a", "behind {framing:?}");
        assert_eq!(over_http2.get("/").body, "a", "HTTP/2, behind {framing:?}");
    }
}

#[test]
fn an_event_leaves_before_the_next_is_there() {
    let backend = Backend::start("a");
    backend.behave(Behaviour::Pieces(&[
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
    ]));
    let balancer = proxied(&backend, CODINGS);
    for (coding, enough) in [("br", 9), ("zstd", 9), ("gzip", 9)] {
        let mut client = Client::connect(balancer.address);
        client.send(format!("GET / HTTP/1.0\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n"));
        let mut text = Vec::new();
        // The server sends nothing more and does not close: what is needed for the text has to be there.
        let mut source = Answering { client, header_left: true };
        match coding {
            "br" => read_exactly(&mut brotli::Decompressor::new(&mut source, 1), enough, &mut text),
            "zstd" => {
                let reader = std::io::BufReader::with_capacity(1, &mut source);
                read_exactly(
                    &mut zstd::stream::read::Decoder::with_buffer(reader).unwrap(),
                    enough,
                    &mut text,
                );
            }
            _ => {
                let mut filter = Gunzip::new();
                while text.len() < enough {
                    let mut one = [0];
                    source.read_exact(&mut one).unwrap();
                    let mut input = Bytes::copy_from_slice(&one);
                    text.extend_from_slice(&filter.pass(&mut input, Signal::Flush).unwrap().bytes);
                }
            }
        }
        assert_eq!(text, b"data: 1\n\n", "{coding}");
    }
}

fn read_exactly(source: &mut impl Read, count: usize, text: &mut Vec<u8>) {
    text.resize(count, 0);
    source.read_exact(text).unwrap();
}

/// The body of an answer, as it comes.
struct Answering {
    client: Client,
    header_left: bool,
}

impl Read for Answering {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if std::mem::take(&mut self.header_left) {
            let mut header = Vec::new();
            while !header.ends_with(b"\r\n\r\n") {
                header.extend(self.client.read(1));
            }
        }
        let bytes = self.client.read(into.len().min(1));
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

#[test]
fn files_are_compressed_by_what_lies_beside_them_or_on_their_way() {
    let directory = tempfile::tempdir().unwrap();
    let large = text(200_000);
    let write = |name: &str, content: &[u8]| std::fs::write(Path::new(directory.path()).join(name), content);
    write("page", large.as_bytes()).unwrap();
    write("lib", b"plain").unwrap();
    write("lib.br", b"as br").unwrap();
    write("lib.zst", b"as zstd").unwrap();
    write("lib.gz", b"as gzip").unwrap();
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN; root {}; {CODINGS} brotli_static on; zstd_static on; gzip_static on; }}",
        directory.path().display()
    ));
    for (accepted, coding) in [("gzip, br", "br"), ("zstd", "zstd"), ("gzip", "gzip")] {
        let (told, body) = asked(&balancer, "/lib", accepted);
        assert_eq!((told.as_deref(), body), (Some(coding), format!("as {coding}").into_bytes()));
        let (told, body) = asked(&balancer, "/page", accepted);
        assert_eq!(told.as_deref(), Some(coding));
        assert!(unpacked(coding, &body) == large.as_bytes(), "{coding}");
    }
    assert_eq!(asked(&balancer, "/lib", "identity"), (None, b"plain".to_vec()));
}

#[test]
fn much_of_little_comes_in_pieces_and_waits_for_the_client() {
    const STREAM: &[u8] = include_bytes!("../../fixtures/thirty-megabytes-of-x.gz");

    let backend = Backend::start("a");
    backend.behave(Behaviour::Pieces(&[
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: 29192\r\n\r\n",
        STREAM,
    ]));
    let balancer = proxied(&backend, "gunzip on;");
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    eventually("it has come as far as it can without being read", || client.waiting_bytes() >= 50_000);
    let (headers, body) = client.receive_until_closed();
    assert_eq!(headers.get("content-encoding"), None);
    assert!(body.len() == 30_000_000 && body.iter().all(|byte| *byte == b'x'), "{}", body.len());
}
