//! The kinds of failure of an attempt at a server.

use crate::balance::Stage;

/// The kind of failure of an attempt at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The connection was refused or could not be made (no route, reset during the handshake).
    Connect,
    /// A connection, but no agreement on TLS: the server's certificate is not accepted, or it speaks something else.
    Handshake,
    /// No connection within `proxy_connect_timeout`.
    ConnectTimeout,
    /// Connected, but no byte came within `proxy_read_timeout`.
    ReadTimeout,
    /// Connected, but no byte could be sent within `proxy_send_timeout`.
    WriteTimeout,
    /// The server closed or reset the connection before its answer's header was complete.
    Closed,
    /// The server says that it has not begun with the request, and will not on this connection (HTTP/2).
    Unprocessed,
    /// The answer was not HTTP.
    InvalidAnswer,
    /// The answer had a status that `proxy_next_upstream` lists, and another server was asked.
    ListedStatus,
}

impl FailureKind {
    /// The stage at which the attempt failed.
    pub fn stage(self) -> Stage {
        match self {
            Self::Connect | Self::ConnectTimeout => Stage::Connect,
            // A server that can be connected to may fail so all the same.
            Self::Handshake
            | Self::ReadTimeout
            | Self::WriteTimeout
            | Self::Closed
            | Self::Unprocessed
            | Self::InvalidAnswer
            | Self::ListedStatus => Stage::Exchange,
        }
    }

    /// True if a probe now could tell more (`check::outcome` has the argument).
    pub fn wants_probe(self) -> bool {
        match self {
            Self::Connect | Self::ConnectTimeout | Self::Closed => true,
            // A probe that only connects would find nothing wrong.
            Self::Handshake => false,
            Self::ReadTimeout
            | Self::WriteTimeout
            | Self::Unprocessed
            | Self::InvalidAnswer
            | Self::ListedStatus => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FailureKind::*;

    #[test]
    fn a_probe_is_asked_for_where_it_can_tell_more() {
        for (kind, wanted) in [
            (Connect, true),
            (ConnectTimeout, true),
            (Closed, true),
            (Handshake, false),
            (Unprocessed, false),
            (ReadTimeout, false),
            (WriteTimeout, false),
            (InvalidAnswer, false),
            (ListedStatus, false),
        ] {
            assert_eq!(kind.wants_probe(), wanted, "{kind:?}");
        }
    }
}
