//! The definition of an address's check.

use std::time::Duration;

/// The check of an address. Upstreams that define the same check of the same address share its probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::upstream) struct Definition {
    pub(in crate::upstream) kind: Kind,
    /// Time from the beginning of one probe to the beginning of the next.
    pub(in crate::upstream) period: Duration,
    /// The most time that a probe may take.
    pub(in crate::upstream) timeout: Duration,
}

/// The kind of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::upstream) enum Kind {
    /// Establishes a TCP connection.
    Tcp,
    /// And does a TLS handshake on it, in the way that has this number.
    Tls(u64),
}

impl Definition {
    /// The same with a handshake.
    pub(in crate::upstream) fn over_tls(number: u64) -> Self {
        Self { kind: Kind::Tls(number), ..Self::TCP }
    }

    /// The check of every upstream without `health_check off`.
    pub(in crate::upstream) const TCP: Self =
        Self { kind: Kind::Tcp, period: Duration::from_secs(1), timeout: Duration::from_secs(1) };
}
