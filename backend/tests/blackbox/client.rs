//! A small HTTP/1.1 client that hides nothing.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// Nothing here takes longer, unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A connection that may carry several requests.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Answer {
    /// A header's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a request and does not wait for the answer.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &[u8]) {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
        let mut stream = self.stream.get_ref();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
    }

    /// Reads the answer's header; the body is still to come.
    pub(crate) fn read_head(&mut self) -> Answer {
        let status_line = self.read_line();
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.read_line();
            let Some((key, value)) = line.split_once(": ") else { break };
            headers.push((key.to_ascii_lowercase(), value.to_owned()));
        }
        Answer { status, headers, body: Vec::new() }
    }

    /// Reads an answer to a request with `method`, body included.
    pub(crate) fn read_answer(&mut self, method: &str) -> Answer {
        let mut answer = self.read_head();
        if method == "HEAD" {
            return answer;
        }
        match answer.header("content-length").map(|length| length.parse().unwrap()) {
            Some(length) => {
                answer.body.resize(length, 0);
                self.stream.read_exact(&mut answer.body).unwrap();
            }
            None => while self.read_chunk().is_some_and(|chunk| answer.body.write_all(&chunk).is_ok()) {},
        }
        answer
    }

    /// Reads the next chunk of a chunked body; `None` for the last, which is empty.
    pub(crate) fn read_chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.read_line();
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("not a chunk size: {size:?}"));
        let mut chunk = vec![0; size];
        self.stream.read_exact(&mut chunk).unwrap();
        assert_eq!(self.read_line(), "", "a chunk ends with an empty line");
        (size > 0).then_some(chunk)
    }

    /// Reads the next event of an event stream, as its data; comments and other fields are skipped. `None` at the
    /// stream's end.
    pub(crate) fn read_event(&mut self) -> Option<String> {
        loop {
            let chunk = String::from_utf8(self.read_chunk()?).unwrap();
            if let Some(data) = chunk.strip_prefix("data: ") {
                return Some(data.trim_end().to_owned());
            }
        }
    }

    /// Waits for the other side to close; returns what it sent before.
    pub(crate) fn read_to_close(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        rest
    }

    /// Whether nothing at all arrives for this long.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.stream.get_ref().set_read_timeout(Some(time)).unwrap();
        let silent =
            self.stream.fill_buf().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        self.stream.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "the connection ended within a line: {line:?}");
        line.truncate(line.len() - 2);
        line
    }
}

/// One request on a connection of its own.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> Answer {
    let mut connection = Connection::open(address);
    connection.send(method, path, body);
    connection.read_answer(method)
}

pub(crate) fn fetch(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, b"")
}
