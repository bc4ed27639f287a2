//! What the cache had for a request.

/// `$upstream_cache_status`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing.
    Miss,
    /// It was not asked (`proxy_cache_bypass`).
    Bypass,
    /// An answer that was no longer fresh; a server has answered.
    Expired,
    /// An answer that was no longer fresh, which was given as no server answered.
    Stale,
    /// An answer that was no longer fresh, which was given while another request renews it.
    Updating,
    /// An answer that was no longer fresh, and a server says that it holds.
    Revalidated,
    /// A fresh answer.
    Hit,
}

impl Status {
    /// How many there are.
    pub const COUNT: usize = 7;

    /// All, in nginx's order.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Miss, Self::Bypass, Self::Expired, Self::Stale, Self::Updating, Self::Revalidated, Self::Hit];

    /// nginx's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Miss => "MISS",
            Self::Bypass => "BYPASS",
            Self::Expired => "EXPIRED",
            Self::Stale => "STALE",
            Self::Updating => "UPDATING",
            Self::Revalidated => "REVALIDATED",
            Self::Hit => "HIT",
        }
    }

    /// Its label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Miss => "miss",
            Self::Bypass => "bypass",
            Self::Expired => "expired",
            Self::Stale => "stale",
            Self::Updating => "updating",
            Self::Revalidated => "revalidated",
            Self::Hit => "hit",
        }
    }
}
