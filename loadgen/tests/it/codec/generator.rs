//! Makes answers that are right by construction, and breaks them.

use fastrand::Rng;

use super::Verdict;

/// An answer with what it means.
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) head_request: bool,
    pub(crate) verdict: Verdict,
}

const STATUSES: [u16; 12] = [200, 200, 200, 201, 204, 206, 304, 404, 500, 503, 101, 999];
const NAMES: [&str; 6] = ["Server", "Date", "x", "Content-Lengthy", "X-Backends", "!#$%&'*+-.^_`|~9"];
const BACKENDS: [&str; 4] = ["b1", "backend-2", "\u{fc}", ""];

/// Bytes that mean something somewhere in an answer.
const MEANINGFUL: &[u8] = b"\r\n\r\n \t:;,019afHT/.\0\x7f\xff-+x";

/// Pieces that make one kind of answer look like another.
const SPLICES: [&str; 10] = [
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "\r\n",
    "\n",
    "0\r\n\r\n",
    "3\r\nabc\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "18446744073709551615",
    ", 3",
];

/// A right answer of random framing.
pub(crate) fn answer(random: &mut Rng) -> Answer {
    let head_request = random.u8(..8) == 0;
    let mut bytes = Vec::new();
    while random.u8(..8) == 0 {
        let interim =
            ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early\r\nLink: </a>\r\nX-Backend: no\r\n\r\n"];
        bytes.extend_from_slice(interim[random.usize(..2)].as_bytes());
    }
    let status = STATUSES[random.usize(..STATUSES.len())];
    let minor_version = u8::from(random.u8(..6) > 0);
    let bodiless = head_request || status < 200 || matches!(status, 204 | 304);

    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    for _ in 0..random.usize(..4) {
        fields.push((NAMES[random.usize(..NAMES.len())].to_owned(), text(random)));
    }
    let backend = random.bool().then(|| BACKENDS[random.usize(..BACKENDS.len())].as_bytes().to_vec());
    fields.extend(backend.iter().map(|name| ("X-Backend".to_owned(), name.clone())));
    let connection = ["", "close", "keep-alive", "Keep-Alive, x", "x, CLOSE"][random.usize(..5)];
    if !connection.is_empty() {
        fields.push(("Connection".to_owned(), connection.into()));
    }
    let body = text(random);
    let framing = random.u8(..5);
    let mut closes = false;
    let mut encoded = false;
    let content = match framing {
        0 | 1 => {
            fields.push(("Content-Length".to_owned(), length(random, body.len())));
            body
        }
        2 | 3 => {
            encoded = true;
            let coding = ["chunked", "Chunked", "gzip, chunked", "gzip ,\tCHUNKED"][random.usize(..4)];
            fields.push(("Transfer-Encoding".to_owned(), coding.into()));
            chunks(random, &body)
        }
        _ => {
            closes = !bodiless;
            body
        }
    };
    random.shuffle(&mut fields);

    let reason: &[u8] = [&b" OK"[..], b" ", b"", b" Not \xe4 reason"][random.usize(..4)];
    bytes.extend_from_slice(format!("HTTP/1.{minor_version} {status}").as_bytes());
    bytes.extend_from_slice(reason);
    bytes.extend_from_slice(line_end(random));
    for (name, value) in fields {
        bytes.extend_from_slice(cased(random, &name).as_bytes());
        bytes.extend_from_slice([": ", ":", ":\t ", ": "][random.usize(..4)].as_bytes());
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(["", "", " ", " \t"][random.usize(..4)].as_bytes());
        bytes.extend_from_slice(line_end(random));
    }
    bytes.extend_from_slice(line_end(random));
    if !bodiless {
        bytes.extend_from_slice(&content);
    }

    let says = |option: &str| connection.to_lowercase().split(", ").any(|other| other == option);
    let persists = minor_version == 1 || (says("keep-alive") && !encoded);
    let keep_alive = persists && !says("close") && status != 101;
    let verdict = match closes {
        true => Verdict::UntilClose { status, backend },
        false => Verdict::Complete { status, backend, keep_alive, length: bytes.len() },
    };
    Answer { bytes, head_request, verdict }
}

/// Changes a few things, with an eye to where it hurts.
pub(crate) fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..=bytes.len());
        // Half of the time at a line end, where the grammar turns.
        let ends: Vec<_> = (0..bytes.len()).filter(|index| bytes[*index] == b'\n').collect();
        let at = if random.bool() && !ends.is_empty() { ends[random.usize(..ends.len())] } else { at };
        let any = if random.bool() { MEANINGFUL[random.usize(..MEANINGFUL.len())] } else { random.u8(..) };
        match random.u8(..8) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = any,
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            3 => bytes.insert(at, any),
            4 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
            5 => {
                let end = (at + random.usize(..20)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            6 => {
                let end = (at + random.usize(..20)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let at = if random.bool() { (at + 1).min(bytes.len()) } else { at };
                let splice = SPLICES[random.usize(..SPLICES.len())];
                bytes.splice(at..at, splice.bytes());
            }
        }
    }
}

/// Cuts bytes into pieces at random places.
pub(crate) fn pieces<'a>(random: &mut Rng, bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = (0..random.usize(..5)).map(|_| random.usize(..=bytes.len())).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn line_end(random: &mut Rng) -> &'static [u8] {
    if random.u8(..10) == 0 { b"\n" } else { b"\r\n" }
}

fn cased(random: &mut Rng, name: &str) -> String {
    match random.u8(..4) {
        0 => name.to_lowercase(),
        1 => name.to_uppercase(),
        _ => name.to_owned(),
    }
}

/// What may stand in a value, without blanks at its ends.
fn text(random: &mut Rng) -> Vec<u8> {
    let inner: Vec<u8> =
        (0..random.usize(..40)).map(|_| b"ab0 \t:;,\"\x80\xff"[random.usize(..11)]).collect();
    [b"v", &inner[..], b"v"].concat()
}

fn length(random: &mut Rng, length: usize) -> Vec<u8> {
    match random.u8(..4) {
        0 => format!("{length}, {length}"),
        1 => format!("00{length}"),
        _ => length.to_string(),
    }
    .into_bytes()
}

fn chunks(random: &mut Rng, mut body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !body.is_empty() {
        let (chunk, rest) = body.split_at(random.usize(1..=body.len()));
        size_line(random, &mut bytes, chunk.len());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        body = rest;
    }
    size_line(random, &mut bytes, 0);
    for _ in 0..random.usize(..3).saturating_sub(1) {
        bytes.extend_from_slice(b"Digest: ");
        bytes.extend_from_slice(&text(random));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn size_line(random: &mut Rng, bytes: &mut Vec<u8>, size: usize) {
    let size = match random.u8(..4) {
        0 => format!("{size:X}"),
        1 => format!("{size:016x}"),
        _ => format!("{size:x}"),
    };
    bytes.extend_from_slice(size.as_bytes());
    bytes.extend_from_slice(["", "", "", ";a=b", " ; a=\"b\"", " \t"][random.usize(..6)].as_bytes());
    bytes.extend_from_slice(b"\r\n");
}
