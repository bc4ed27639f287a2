//! A second parser of answers: slow, and written line by line after RFC 9112, without a look at the first.
//! It is given everything at once, keeps copies of what it reads, and shares no code with the codec.
//!
//! Where the RFC leaves a choice it chooses as the codec does: a line of a head may end with a line feed
//! alone (2.2), blanks may stand behind a chunk's size, 101 ends the exchange as nobody asked for it, and an
//! HTTP/1.0 answer with a transfer encoding closes (6.1).

use super::Verdict;

/// What the grammar says of some bytes.
enum Reading<T> {
    /// They begin with this, which ends there.
    Whole(T, usize),
    /// They could become it with more behind them.
    Partial,
    /// Never.
    Bad,
}

/// A status line with the fields below it.
struct Head {
    minor_version: u8,
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
}

/// As many fields as anyone sends.
const FIELD_LIMIT: usize = 128;

/// `None` where it does not say: a head without end whose last line may be wrong already.
pub(crate) fn judge(input: &[u8], head_request: bool) -> Option<Verdict> {
    if input.is_empty() {
        return Some(Verdict::Nothing);
    }
    let mut at = 0;
    let head = loop {
        let head = match read_head(&input[at..]) {
            Reading::Whole(head, length) => {
                at += length;
                head
            }
            Reading::Partial if is_harmless(&input[at..]) => return Some(Verdict::CutOff),
            Reading::Partial => return None,
            Reading::Bad => return Some(Verdict::Malformed),
        };
        if !framing_is_consistent(&head) {
            return Some(Verdict::Malformed);
        }
        if head.status == 101 || head.status >= 200 {
            break head;
        }
    };

    let status = head.status;
    let backend = head.values("x-backend").first().cloned();
    let encodings = head.values("transfer-encoding");
    let chunked = encodings.last().is_some_and(|value| {
        let text = String::from_utf8_lossy(value).to_lowercase();
        text.rsplit(',').next().map(|coding| coding.trim_matches([' ', '\t'])) == Some("chunked")
    });
    let bodiless = head_request || status < 200 || status == 204 || status == 304;
    let end = if bodiless {
        Reading::Whole((), at)
    } else if let Some(length) = lengths(&head).and_then(|lengths| lengths.first().copied()) {
        match at as u128 + u128::from(length) {
            end if end <= input.len() as u128 => Reading::Whole((), end as usize),
            _ => Reading::Partial,
        }
    } else if chunked {
        read_chunks(input, at)
    } else {
        return Some(Verdict::UntilClose { status, backend });
    };
    Some(match end {
        Reading::Partial => Verdict::CutOff,
        Reading::Bad => Verdict::Malformed,
        Reading::Whole((), length) => {
            let options: Vec<String> = head.list("connection");
            let has = |option: &str| options.iter().any(|other| other == option);
            let persists = match head.minor_version {
                0 => has("keep-alive") && encodings.is_empty(),
                _ => true,
            };
            let keep_alive = persists && !has("close") && status != 101;
            Verdict::Complete { status, backend, keep_alive, length }
        }
    })
}

impl Head {
    fn values(&self, name: &str) -> Vec<Vec<u8>> {
        let fields = self.fields.iter().filter(|(other, _)| other.to_lowercase() == name);
        fields.map(|(_, value)| value.clone()).collect()
    }

    fn list(&self, name: &str) -> Vec<String> {
        let lines: Vec<String> =
            self.values(name).iter().map(|value| String::from_utf8_lossy(value).to_lowercase()).collect();
        let items = lines.iter().flat_map(|line| line.split(','));
        items.map(|item| item.trim_matches([' ', '\t']).to_owned()).collect()
    }
}

/// All announced lengths; `None` when one is no number.
fn lengths(head: &Head) -> Option<Vec<u64>> {
    let items = head.list("content-length");
    items
        .iter()
        .map(|item| match item.chars().all(|c| c.is_ascii_digit()) {
            true => item.parse().ok(),
            false => None,
        })
        .collect()
}

fn framing_is_consistent(head: &Head) -> bool {
    let Some(lengths) = lengths(head) else { return false };
    let agrees = lengths.windows(2).all(|pair| pair[0] == pair[1]);
    agrees && (lengths.is_empty() || head.values("transfer-encoding").is_empty())
}

/// A head that broke off is surely no error yet if what there is could have been cut from a proper one.
fn is_harmless(input: &[u8]) -> bool {
    // As many line ends and colons as make any beginning of a head whole.
    let completions: [&[u8]; 6] =
        [b"\r\n\r\n", b"\n\r\n", b"\r\n", b"\n", b":\r\n\r\n", b"TTP/1.1 200\r\n\r\n"];
    let status_line = b"HTTP/1.1 200\r\n\r\n";
    let is_start = status_line.starts_with(input) || (input.len() < 12 && b"HTTP/1.0".starts_with(input));
    is_start || completions.iter().any(|end| matches!(read_head(&[input, end].concat()), Reading::Whole(..)))
}

fn read_head(input: &[u8]) -> Reading<Head> {
    let mut lines = Vec::new();
    let mut rest = input;
    loop {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            return if lines_are_fine(&lines) { Reading::Partial } else { Reading::Bad };
        };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = &rest[end + 1..];
        lines.push(line);
        if line.is_empty() {
            break;
        }
    }
    let length = input.len() - rest.len();
    lines.pop();
    let Some((first, others)) = lines.split_first() else { return Reading::Bad };
    let Some((minor_version, status)) = status_line(first) else { return Reading::Bad };
    let Some(fields) = others.iter().map(|line| field(line)).collect::<Option<Vec<_>>>() else {
        return Reading::Bad;
    };
    if fields.len() > FIELD_LIMIT {
        return Reading::Bad;
    }
    Reading::Whole(Head { minor_version, status, fields }, length)
}

fn lines_are_fine(lines: &[&[u8]]) -> bool {
    lines.iter().enumerate().all(|(index, line)| match index {
        0 => status_line(line).is_some(),
        _ => field(line).is_some(),
    })
}

/// HTTP-version SP status-code [ SP reason-phrase ]
fn status_line(line: &[u8]) -> Option<(u8, u16)> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (minor, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b" ")?;
    if !matches!(minor, b'0' | b'1') || rest.len() < 3 || !rest[..3].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let status: u16 = String::from_utf8_lossy(&rest[..3]).parse().ok()?;
    let reason_is_fine = rest.len() == 3 || (rest[3] == b' ' && rest[4..].iter().all(|byte| is_text(*byte)));
    (status >= 100 && reason_is_fine).then_some((minor - b'0', status))
}

/// field-name ":" OWS field-value OWS
fn field(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) || !value.iter().all(|byte| is_text(*byte))
    {
        return None;
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    Some((String::from_utf8_lossy(name).into_owned(), value[start..end].to_vec()))
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x7e | 0x80..)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !br#""(),/:;<=>?@[\]{}"#.contains(&byte)
}

/// *chunk last-chunk trailer-section CRLF, from `at` on.
fn read_chunks(input: &[u8], mut at: usize) -> Reading<()> {
    loop {
        let size = match read_line(input, at, is_size_line, is_size_line) {
            Reading::Whole(line, end) => {
                at = end;
                let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                u64::from_str_radix(&String::from_utf8_lossy(&line[..digits]), 16).expect("16 digits at most")
            }
            Reading::Partial => return Reading::Partial,
            Reading::Bad => return Reading::Bad,
        };
        if size == 0 {
            break;
        }
        let end = at as u128 + u128::from(size);
        if end >= input.len() as u128 {
            return Reading::Partial;
        }
        at = end as usize;
        match &input[at..] {
            [b'\r', b'\n', ..] => at += 2,
            [b'\r'] => return Reading::Partial,
            _ => return Reading::Bad,
        }
    }
    loop {
        let is_line = |line: &[u8]| line.is_empty() || field(line).is_some();
        let may_be_line = |line: &[u8]| is_line(line) || line.iter().all(|byte| is_token(*byte));
        match read_line(input, at, is_line, may_be_line) {
            Reading::Whole([], end) => return Reading::Whole((), end),
            Reading::Whole(_, end) => at = end,
            Reading::Partial => return Reading::Partial,
            Reading::Bad => return Reading::Bad,
        }
    }
}

/// chunk-size [ blanks ] [ ";" chunk-ext ]
fn is_size_line(line: &[u8]) -> bool {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = &line[digits..];
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = &rest[blanks..];
    (1..=16).contains(&digits)
        && (rest.is_empty() || (rest[0] == b';' && rest.iter().all(|byte| is_text(*byte))))
}

/// A line that ends with CRLF and with nothing less.
fn read_line(
    input: &[u8],
    at: usize,
    is_line: impl Fn(&[u8]) -> bool,
    may_become_line: impl Fn(&[u8]) -> bool,
) -> Reading<&[u8]> {
    let rest = &input[at..];
    let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return if rest.is_empty() || may_become_line(rest) { Reading::Partial } else { Reading::Bad };
    };
    match (is_line(&rest[..end]), &rest[end..]) {
        (true, [b'\r', b'\n', ..]) => Reading::Whole(&rest[..end], at + end + 2),
        (true, [b'\r']) => Reading::Partial,
        _ => Reading::Bad,
    }
}
