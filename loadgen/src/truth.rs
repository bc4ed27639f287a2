//! The backends' own counts before and after a run (`--truth`), against what was sent.
//!
//! A source is asked over a connection of its own, before the first request and after the last, so that it costs
//! the run nothing. It answers with an event stream, as a backend's `/rps` does, or with one JSON object, as its
//! `/` does (docs/wire.md); either holds `total_requests`, and usually `server`. A stream's first event is a
//! reading of up to a second ago; the second one is of now, and is the one that counts. A JSON answer counts the
//! very request that asked for it, which is taken off the count after the run.
//!
//! The amplification is the whole of what the backends counted, divided by what was sent. It is given only when
//! every source could be read, both times and of the same server: a part of the truth is none. A server that was
//! restarted begins again at zero, and may since have passed its count before the run; that it counted less than it
//! answered, by its name in the answers, gives it away.

use std::io;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::summary::{BackendShare, Truth, TruthSource};
use crate::target::Target;

/// Where a backend is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As typed.
    pub url: String,
    /// The same taken apart, with a path.
    pub target: Target,
}

/// A backend's count at one time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reading {
    /// How it calls itself.
    #[serde(default)]
    pub server: Option<String>,
    /// Requests since it started.
    pub total_requests: u64,
    /// The last of them was the one that asked.
    #[serde(skip)]
    pub counts_itself: bool,
}

/// Why a source could not be read.
#[derive(Debug, Error)]
pub enum TruthError {
    /// It did not answer in time.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    TimedOut,
    /// The connection failed.
    #[error("{0}")]
    Connection(#[from] io::Error),
    /// What came is not HTTP.
    #[error("not an HTTP answer: {0}")]
    Http(#[from] httparse::Error),
    /// The status is not 200.
    #[error("status {0}")]
    Status(u16),
    /// A signal ended the wait for it.
    #[error("interrupted before it answered")]
    Interrupted,
    /// The answer ended, or grew too long, without a count.
    #[error("no total_requests in the answer")]
    NoCount,
}

/// What was asked of all sources at one time, in their order.
pub type Readings = Vec<Result<Reading, TruthError>>;

/// What a bare origin is asked for: a stream, which is not counted itself.
pub const DEFAULT_PATH: &str = "/rps";

/// Far above the second that a stream takes to give its second event.
const PATIENCE: Duration = Duration::from_secs(5);

/// Far above two events, or one JSON object.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// Asks all sources at once, until all have answered or `given_up` is ready.
pub async fn read(sources: &[Source], given_up: impl Future<Output = ()>) -> Readings {
    let mut asking = JoinSet::new();
    for (index, source) in sources.iter().enumerate() {
        let target = source.target.clone();
        asking.spawn(async move {
            let reading = timeout(PATIENCE, ask(&target)).await.unwrap_or(Err(TruthError::TimedOut));
            (index, reading)
        });
    }
    let mut readings: Readings = sources.iter().map(|_| Err(TruthError::Interrupted)).collect();
    let all_answered = async {
        while let Some(answered) = asking.join_next().await {
            if let Ok((index, reading)) = answered {
                readings[index] = reading;
            }
        }
    };
    tokio::select! {
        // Without sources there is nothing to give up.
        biased;
        () = all_answered => {}
        () = given_up => {}
    }
    readings
}

/// Holds what the backends counted between two readings against the number of requests that were sent, and against
/// what each of them answered.
pub fn compare(
    sources: &[Source],
    before: Readings,
    after: Readings,
    sent: u64,
    backends: &[BackendShare],
) -> Truth {
    let sources: Vec<_> = sources
        .iter()
        .zip(before.into_iter().zip(after))
        .map(|(source, (before, after))| difference(source.url.clone(), before, after))
        .map(|source| believed(source, backends))
        .collect();
    let counted = sources.iter().filter_map(|source| source.counted).sum();
    let is_whole = sources.iter().all(|source| source.counted.is_some()) && sent > 0;
    Truth { sources, counted, amplification: is_whole.then(|| counted as f64 / sent as f64) }
}

fn difference(
    url: String,
    before: Result<Reading, TruthError>,
    after: Result<Reading, TruthError>,
) -> TruthSource {
    let source = |server, counted, error| TruthSource { url, server, counted, error };
    let (before, after) = match (before, after) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(error), Ok(after)) => {
            return source(after.server, None, Some(format!("before the run: {error}")));
        }
        (Ok(before), Err(error)) => {
            return source(before.server, None, Some(format!("after the run: {error}")));
        }
        (Err(error), Err(_)) => return source(None, None, Some(error.to_string())),
    };
    if before.server != after.server {
        let name = |server: Option<String>| server.unwrap_or_else(|| "an unnamed server".to_owned());
        let error = format!("{} before the run, {} after it", name(before.server), name(after.server));
        return source(None, None, Some(error));
    }
    let own = u64::from(after.counts_itself);
    match after.total_requests.checked_sub(before.total_requests.saturating_add(own)) {
        Some(counted) => source(after.server, Some(counted), None),
        None => {
            let error = format!(
                "restarted: its count went from {} to {}",
                before.total_requests, after.total_requests
            );
            source(after.server, None, Some(error))
        }
    }
}

/// A count of less than the answers is not of the whole run.
fn believed(source: TruthSource, backends: &[BackendShare]) -> TruthSource {
    let is_its = |backend: &&BackendShare| source.server.as_ref() == Some(&backend.name);
    let answers = backends.iter().find(is_its).map_or(0, |backend| backend.answers);
    match source.counted {
        Some(counted) if counted < answers => {
            let error = format!(
                "counted {counted} of the {answers} that it answered: restarted, or it does not count all"
            );
            TruthSource { counted: None, error: Some(error), ..source }
        }
        _ => source,
    }
}

async fn ask(target: &Target) -> Result<Reading, TruthError> {
    let mut stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream, application/json\r\nConnection: close\r\n\r\n",
        target.path, target.authority
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        let is_over = stream.read_buf(&mut answer).await? == 0 || answer.len() > ANSWER_LIMIT_BYTES;
        if let Some(reading) = find(&answer, is_over)? {
            return Ok(reading);
        }
        if is_over {
            return Err(TruthError::NoCount);
        }
    }
}

/// The count in as much of an answer as has come; `is_over` says that no more will.
fn find(answer: &[u8], is_over: bool) -> Result<Option<Reading>, TruthError> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(answer)? else { return Ok(None) };
    if head.code != Some(200) {
        return Err(TruthError::Status(head.code.unwrap_or_default()));
    }
    let header = |name: &str, word: &str| {
        head.headers.iter().any(|header| {
            header.name.eq_ignore_ascii_case(name)
                && String::from_utf8_lossy(header.value).to_ascii_lowercase().contains(word)
        })
    };
    let raw = answer.get(length..).unwrap_or_default();
    let body = if header("transfer-encoding", "chunked") { unchunked(raw) } else { raw.to_vec() };
    if !header("content-type", "text/event-stream") {
        let reading = serde_json::from_slice::<Reading>(&body).ok();
        return Ok(reading.map(|reading| Reading { counts_itself: true, ..reading }));
    }
    // A line is complete when its end has come.
    let complete = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut events = body[..complete]
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"data:"))
        .filter_map(|data| serde_json::from_slice::<Reading>(data).ok());
    let first = events.next();
    let second = events.next();
    // A stream that ends after one event has said all it will.
    Ok(if is_over { second.or(first) } else { second })
}

/// The content of the chunks that have come, the last perhaps in part.
fn unchunked(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((start, length))) = httparse::parse_chunk_size(raw) {
        let end = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(start);
        body.extend_from_slice(raw.get(start..end.min(raw.len())).unwrap_or_default());
        // Behind the content stands a line end.
        let Some(rest) = raw.get(end.saturating_add(2)..).filter(|_| length > 0) else { break };
        raw = rest;
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(server: &str, total_requests: u64) -> Reading {
        Reading { server: Some(server.to_owned()), total_requests, counts_itself: false }
    }

    #[test]
    fn a_count_is_found_in_whatever_pieces_it_comes() {
        let event =
            |total| format!("data: {{\"server\":\"b1\",\"current_rps\":1,\"total_requests\":{total}}}\n\n");
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
        let json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        let table: Vec<(String, Option<Reading>)> = vec![
            (
                format!(
                    "{stream}Transfer-Encoding: chunked\r\n\r\n{}{}{}",
                    chunk("retry: 1000\n\n"),
                    chunk(&event(5)),
                    chunk(&event(7))
                ),
                Some(reading("b1", 7)),
            ),
            (
                format!("{stream}\r\nretry: 1000\n\n: hello\n\n{}{}", event(5), event(9)),
                Some(reading("b1", 9)),
            ),
            (format!("{stream}\r\n{}", event(5)), Some(reading("b1", 5))),
            (
                format!(
                    "{json}Content-Length: 40\r\n\r\n{{\"total_requests\":12,\"server\":\"b1\",\"x\":[1]}}"
                ),
                Some(Reading { counts_itself: true, ..reading("b1", 12) }),
            ),
            (
                format!("{json}\r\n{{\"total_requests\":12}}"),
                Some(Reading { server: None, total_requests: 12, counts_itself: true }),
            ),
            (format!("{json}\r\n{{\"requests\":12}}"), None),
            (format!("{stream}\r\ndata: soon\n\n"), None),
        ];
        for (answer, expected) in table {
            let bytes = answer.as_bytes();
            let found = (0..=bytes.len())
                .map(|end| find(&bytes[..end], end == bytes.len()).unwrap())
                .find(Option::is_some)
                .flatten();
            assert_eq!(found, expected, "{answer}");
        }
        assert!(matches!(find(b"HTTP/1.1 404 X\r\n\r\n", true), Err(TruthError::Status(404))));
        assert!(matches!(find(b"SSH-2.0\r\n", true), Err(TruthError::Http(_))));
    }

    #[test]
    fn counts_are_compared_only_where_both_are_known() {
        let source = |url: &str| Source { url: url.to_owned(), target: url.parse().unwrap() };
        let gone = || Err(TruthError::Status(503));
        let compare = |before: Readings, after: Readings| {
            let sources: Vec<_> = before.iter().map(|_| source("http://b")).collect();
            compare(&sources, before, after, 100, &[])
        };
        let whole = compare(
            vec![Ok(reading("b1", 1000)), Ok(reading("b2", 5))],
            vec![Ok(reading("b1", 1070)), Ok(reading("b2", 55))],
        );
        assert_eq!((whole.counted, whole.amplification), (120, Some(1.2)));
        assert_eq!((whole.sources[1].server.as_deref(), whole.sources[1].counted), (Some("b2"), Some(50)));
        let table: Vec<(Result<Reading, _>, Result<Reading, _>, &str)> = vec![
            (gone(), gone(), "status 503"),
            (gone(), Ok(reading("b1", 1)), "before the run: status 503"),
            (Ok(reading("b1", 1)), gone(), "after the run: status 503"),
            (Ok(reading("b1", 9)), Ok(reading("b1", 3)), "restarted: its count went from 9 to 3"),
            (Ok(reading("b1", 1)), Ok(reading("b2", 3)), "b1 before the run, b2 after it"),
        ];
        for (before, after, expected) in table {
            let truth = compare(vec![Ok(reading("b1", 0)), before], vec![Ok(reading("b1", 50)), after]);
            assert_eq!(truth.sources[1].error.as_deref(), Some(expected));
            assert_eq!((truth.counted, truth.amplification, truth.sources[1].counted), (50, None, None));
        }
    }

    #[test]
    fn a_count_below_the_answers_is_not_believed() {
        let sources = [Source { url: "http://b".to_owned(), target: "http://b".parse().unwrap() }];
        let backend = |name: &str| BackendShare {
            name: name.to_owned(),
            answers: 50,
            share: 0.5,
            errors: 0,
            classes: [("2xx".to_owned(), 50)].into(),
            latency_ms: None,
        };
        let backends = [backend("b1"), backend("b2")];
        let restarted = "counted 49 of the 50 that it answered: restarted, or it does not count all";
        // Its name, its count before and after, and what is made of them.
        let table = [
            ("b2", 0, 49, None, Some(restarted)),
            ("b2", 0, 50, Some(50), None),
            ("b2", 7, 60, Some(53), None),
            ("another", 0, 1, Some(1), None),
        ];
        for (name, before, after, counted, error) in table {
            let [before, after] = [before, after].map(|total| vec![Ok(reading(name, total))]);
            let truth = compare(&sources, before, after, 100, &backends);
            let source = &truth.sources[0];
            assert_eq!((source.counted, source.error.as_deref()), (counted, error), "{name}");
            assert_eq!(truth.amplification.is_some(), counted.is_some(), "{name}");
        }
    }
}
