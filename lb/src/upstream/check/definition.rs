//! How an address is checked.

use std::time::Duration;

/// How an address is checked. Upstreams that define the same check of the same address share its probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::upstream) struct Definition {
    pub(in crate::upstream) kind: Kind,
    /// From the beginning of one probe to the beginning of the next.
    pub(in crate::upstream) period: Duration,
    /// How long a probe may take.
    pub(in crate::upstream) timeout: Duration,
}

/// What a probe does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::upstream) enum Kind {
    /// Connects.
    Tcp,
}

impl Definition {
    /// The check of every upstream without `health_check off`.
    pub(in crate::upstream) const TCP: Self =
        Self { kind: Kind::Tcp, period: Duration::from_secs(1), timeout: Duration::from_secs(1) };
}
