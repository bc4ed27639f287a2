//! The header of the PROXY protocol: what a load balancer in front of this one says of the client, before anything else
//! on the connection. Versions 1 (a line of text) and 2 (binary), as
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt> describes them.
//!
//! [`parse`] is pure: bytes in, and out comes that more are needed, a header with its length, or what is wrong. It
//! keeps nothing between two calls; a header is at most 4,096 bytes and nearly always comes whole. It says how far the
//! header goes and never looks beyond, so that whoever reads takes no byte of what follows, be it TLS or HTTP.
//!
//! It is stricter than nginx with version 1: an address that is none, or of another family than announced, is a broken
//! header and not the text of a variable. It is as lenient as nginx with what the protocol may grow: a command, a family
//! or a transport that is not known makes a connection whose header says nothing. The crate `ppp` refuses exactly those,
//! takes version 1 as text alone, and leaves the limits and the values inside `ssl` to its caller; what would be left of
//! this file is not shorter, and the bytes come from strangers.

#[cfg(any(test, fuzzing))]
mod fuzz;
mod read;
mod tlv;

use std::net::{IpAddr, SocketAddr};

#[cfg(any(test, fuzzing))]
pub(crate) use fuzz::check;
pub use read::ReadError;
pub(in crate::connection) use read::read;

/// The longest header of version 1, its line end included.
const LONGEST_V1: usize = 107;
/// The longest header of version 2; nginx's limit.
const LONGEST_V2: usize = 4096;
/// Signature, version, command, family and length of version 2.
const V2_HEAD: usize = 16;

const V1_START: &[u8] = b"PROXY ";
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a header says: who the client is, and whom it wanted to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxied {
    /// The client's end of the connection to the proxy in front.
    pub source: SocketAddr,
    /// The other end of that connection.
    pub destination: SocketAddr,
    /// The values of version 2, as they came.
    tlvs: Box<[u8]>,
}

/// What the bytes so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The beginning of a header, all of them.
    Partial,
    /// A header.
    Complete {
        /// Its length; the rest belongs to what follows.
        bytes: usize,
        /// What it says; nothing where the proxy speaks for itself (`LOCAL`), does not know (`UNKNOWN`), or has a client
        /// without an address (a Unix socket).
        proxied: Option<Proxied>,
    },
}

/// What makes bytes no header, in nginx's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// No header, or one that contradicts itself; its beginning, up to the end of its line.
    #[error("broken header: \"{}\"", .0.escape_ascii())]
    Header(Box<[u8]>),
    /// A version of the binary header that does not exist.
    #[error("unknown PROXY protocol version: {0}")]
    Version(u8),
    /// More than 4,096 bytes are announced.
    #[error("header is too large")]
    TooLarge,
}

impl Broken {
    fn header(bytes: &[u8]) -> Self {
        let shown = &bytes[..bytes.len().min(LONGEST_V1)];
        let end = shown.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(shown.len());
        Self::Header(shown[..end].into())
    }
}

/// Looks at all that has come so far.
///
/// # Errors
///
/// When no further byte would make it a header.
pub fn parse(bytes: &[u8]) -> Result<Progress, Broken> {
    if is_beginning(bytes, V2_START) {
        v2(bytes)
    } else if is_beginning(bytes, V1_START) {
        v1(bytes)
    } else {
        Err(Broken::header(bytes))
    }
}

/// Whether `bytes` begin with `start`, or may come to.
fn is_beginning(bytes: &[u8], start: &[u8]) -> bool {
    let common = bytes.len().min(start.len());
    bytes[..common] == start[..common]
}

fn v1(bytes: &[u8]) -> Result<Progress, Broken> {
    let Some(line_end) = memchr::memchr(b'\n', &bytes[..bytes.len().min(LONGEST_V1)]) else {
        return if bytes.len() < LONGEST_V1 { Ok(Progress::Partial) } else { Err(Broken::header(bytes)) };
    };
    let line = bytes[..line_end].strip_suffix(b"\r").and_then(|line| line.strip_prefix(V1_START));
    let said = line
        .and_then(|line| std::str::from_utf8(line).ok())
        .and_then(|line| if line.starts_with("UNKNOWN") { Some(None) } else { v1_addresses(line).map(Some) });
    match said {
        Some(proxied) => Ok(Progress::Complete { bytes: line_end + 1, proxied }),
        None => Err(Broken::header(bytes)),
    }
}

fn v1_addresses(line: &str) -> Option<Proxied> {
    let mut words = line.split(' ');
    let is_v6 = match words.next()? {
        "TCP4" => false,
        "TCP6" => true,
        _ => return None,
    };
    let address = |text: &str| text.parse().ok().filter(|address: &IpAddr| address.is_ipv6() == is_v6);
    let port = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_digit()));
    let (source, destination) = (address(words.next()?)?, address(words.next()?)?);
    let (source_port, destination_port) = (port(words.next()?)?, port(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    Some(Proxied {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
        tlvs: Box::default(),
    })
}

const PROXY: u8 = 1;
const STREAM: u8 = 1;
const INET: u8 = 1;
const INET6: u8 = 2;

fn v2(bytes: &[u8]) -> Result<Progress, Broken> {
    let version = bytes.get(V2_START.len()).map(|byte| byte >> 4);
    if let Some(version) = version.filter(|version| *version != 2) {
        return Err(Broken::Version(version));
    }
    let Some((head, rest)) = bytes.split_at_checked(V2_HEAD) else { return Ok(Progress::Partial) };
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if V2_HEAD + length > LONGEST_V2 {
        return Err(Broken::TooLarge);
    }
    let Some(body) = rest.get(..length) else { return Ok(Progress::Partial) };
    let (command, family, transport) = (head[12] & 0xf, head[13] >> 4, head[13] & 0xf);
    let addresses = match (command, transport, family) {
        (PROXY, STREAM, INET) => v2_addresses::<4>(body),
        (PROXY, STREAM, INET6) => v2_addresses::<16>(body),
        _ => return Ok(Progress::Complete { bytes: V2_HEAD + length, proxied: None }),
    };
    match addresses {
        Some(proxied) => Ok(Progress::Complete { bytes: V2_HEAD + length, proxied: Some(proxied) }),
        None => Err(Broken::Header(bytes[..V2_HEAD].into())),
    }
}

/// Two addresses of `LENGTH` bytes, two ports, and values.
fn v2_addresses<const LENGTH: usize>(body: &[u8]) -> Option<Proxied>
where
    IpAddr: From<[u8; LENGTH]>,
{
    let (source, rest) = body.split_first_chunk::<LENGTH>()?;
    let (destination, rest) = rest.split_first_chunk::<LENGTH>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let (destination_port, tlvs) = rest.split_first_chunk::<2>()?;
    Some(Proxied {
        source: SocketAddr::new(IpAddr::from(*source), u16::from_be_bytes(*source_port)),
        destination: SocketAddr::new(IpAddr::from(*destination), u16::from_be_bytes(*destination_port)),
        tlvs: tlvs.into(),
    })
}

#[cfg(test)]
mod tests;
