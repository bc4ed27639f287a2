//! Every kind of answer, in all ways to cut it in two and in three.

use super::{Verdict, decode, reference};

/// One answer and what a client may conclude from it.
struct Case {
    input: &'static str,
    head_request: bool,
    verdict: Verdict,
}

const B: &str = "b1";

fn complete(input: &'static str, status: u16, backend: Option<&str>, keep_alive: bool) -> Case {
    let backend = backend.map(|name| name.as_bytes().to_vec());
    let verdict = Verdict::Complete { status, backend, keep_alive, length: input.len() };
    Case { input, head_request: false, verdict }
}

fn to_head(case: Case) -> Case {
    Case { head_request: true, ..case }
}

fn other(verdict: Verdict, input: &'static str) -> Case {
    Case { input, head_request: false, verdict }
}

fn until_close(input: &'static str, status: u16) -> Case {
    other(Verdict::UntilClose { status, backend: None }, input)
}

fn table() -> Vec<Case> {
    let malformed = |input| other(Verdict::Malformed, input);
    let cut_off = |input| other(Verdict::CutOff, input);
    vec![
        // Length.
        complete("HTTP/1.1 200 OK\r\nX-Backend: b1\r\nContent-Length: 3\r\n\r\nabc", 200, Some(B), true),
        complete("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, None, true),
        complete("HTTP/1.1 200\r\ncontent-length:1\r\n\r\nx", 200, None, true),
        complete("HTTP/1.1 500 \r\nContent-Length: 1 , 1\r\n\r\nx", 500, None, true),
        complete("HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, None, true),
        complete("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx", 200, None, false),
        complete("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, None, false),
        complete("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, None, true),
        // Chunked, with extensions and trailers.
        complete("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, None, true),
        complete(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            200,
            None,
            true,
        ),
        complete(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;a=b\r\nx\r\n00 \r\nA: b\r\nC:\r\n\r\n",
            200,
            None,
            true,
        ),
        // Until the connection closes.
        until_close("HTTP/1.1 200 OK\r\n\r\n", 200),
        until_close("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200),
        until_close("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nabc", 200),
        until_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc", 200),
        // Interim answers.
        complete("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", 204, None, true),
        complete(
            "HTTP/1.1 103 Hints\r\nX-Backend: b0\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            None,
            true,
        ),
        complete("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", 101, None, false),
        // Without a body whatever the head says.
        complete("HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", 204, None, true),
        complete("HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n", 304, None, true),
        to_head(complete("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 200, None, true)),
        to_head(complete("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, None, true)),
        to_head(complete("HTTP/1.1 404 No\r\n\r\n", 404, None, true)),
        // Cut off.
        other(Verdict::Nothing, ""),
        cut_off("HTTP/1.1 200 O"),
        cut_off("HTTP/1.1 100 Continue\r\n\r\n"),
        cut_off("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"),
        cut_off("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc"),
        cut_off("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"),
        // Malformed heads.
        malformed("\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        malformed("HTTP/2 200\r\n\r\n"),
        malformed("HTTP/1.1 20 OK\r\n\r\n"),
        malformed("HTTP/1.1 099 OK\r\n\r\n"),
        malformed("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
        malformed("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
        malformed("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n"),
        malformed("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n"),
        malformed("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n"),
        malformed("HTTP/1.1 200 OK\r\nContent-Length: 1,2\r\n\r\nx"),
        malformed("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx"),
        malformed("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nx"),
        malformed("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        // Malformed chunks.
        malformed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"),
        malformed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"),
        malformed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n"),
        malformed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n"),
        malformed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000001\r\n"),
        malformed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n"),
    ]
}

#[test]
fn every_answer_means_the_same_in_all_pieces() {
    for Case { input, head_request, verdict } in table() {
        let bytes = input.as_bytes();
        assert_eq!(reference::judge(bytes, head_request), Some(verdict.clone()), "{input:?}");
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(decode(pieces, head_request), verdict, "{input:?} cut at {first} and {second}");
            }
        }
        assert_eq!(decode(bytes.chunks(1), head_request), verdict, "{input:?} in single bytes");
    }
}

#[test]
fn what_follows_a_complete_answer_is_seen_where_it_comes_with_it() {
    for Case { input, head_request, verdict } in table() {
        let Verdict::Complete { length, .. } = verdict else { continue };
        let surplus = format!("{input}HTTP/1.1 200 OK\r\n");
        let bytes = surplus.as_bytes();
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            // Exactly at its end, the answer is complete before anyone can know of more.
            let expected = if cut == length { verdict.clone() } else { Verdict::Malformed };
            assert_eq!(decode([first, second], head_request), expected, "{surplus:?} cut at {cut}");
        }
    }
}
