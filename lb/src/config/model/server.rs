//! A `server` block.

use std::sync::Arc;
use std::time::Duration;

use super::{Location, Position, Return};

/// A `server` block.
#[derive(Debug)]
pub struct Server {
    /// `server_name`s as matched; a server without any has the empty exact name, as in nginx.
    pub names: Vec<ServerName>,
    /// The first `server_name` as written (`$server_name`); empty when none.
    pub first_name: String,
    /// `client_header_timeout`: for the whole header, from its first byte.
    pub client_header_timeout: Duration,
    /// `large_client_header_buffers`: how many lines' worth of header a client may send.
    pub header_limits: HeaderLimits,
    /// `return` directly in the server: answered before any location is looked for.
    pub answer: Option<Return>,
    /// What applies where no location matches (and to `answer`): the server's own settings.
    pub fallback: Arc<Location>,
    /// Locations, nested ones flattened, in order of appearance.
    pub locations: Vec<Arc<Location>>,
    /// Where the block begins.
    pub position: Position,
}

/// `large_client_header_buffers number size`, read as limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderLimits {
    /// The longest request line (else 414) and the longest header field (else 400), in bytes.
    pub line_bytes: usize,
    /// The whole header (else 400), in bytes: number x size, plus nginx's 1 KiB first buffer.
    pub total_bytes: usize,
}

/// One name of a server. All are lower case.
#[derive(Debug, Clone)]
pub enum ServerName {
    /// `www.example.org`; the empty string matches requests without a Host.
    Exact(String),
    /// `*.example.org` holds `.example.org`.
    LeadingWildcard(String),
    /// `.example.org` holds `.example.org` and matches `example.org` too.
    DomainAndSubdomains(String),
    /// `mail.*` holds `mail.`.
    TrailingWildcard(String),
    /// `~^www\d+\.example\.org$`, matched in order of appearance, case-insensitively.
    Regex(regex::Regex),
}
