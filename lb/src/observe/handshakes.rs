//! The labels of TLS handshakes: how they ended.

/// A handshake that was done: the `protocol` and `session` labels of `lb_tls_handshakes_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Handshake {
    /// TLS 1.2
    Tls12,
    /// TLS 1.2, an earlier session resumed.
    Tls12Resumed,
    /// TLS 1.3
    Tls13,
    /// TLS 1.3, an earlier session resumed.
    Tls13Resumed,
}

impl Handshake {
    /// The number of ways.
    pub const COUNT: usize = 4;

    /// All, in the order of their counters.
    pub const ALL: [Self; Self::COUNT] = [Self::Tls12, Self::Tls12Resumed, Self::Tls13, Self::Tls13Resumed];

    /// The labels' values.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Tls12 => ("TLSv1.2", "new"),
            Self::Tls12Resumed => ("TLSv1.2", "resumed"),
            Self::Tls13 => ("TLSv1.3", "new"),
            Self::Tls13Resumed => ("TLSv1.3", "resumed"),
        }
    }
}

/// Why a handshake was not done: the `reason` label of `lb_tls_handshake_failures_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum HandshakeFailure {
    /// The client took longer than `client_header_timeout`.
    TimedOut,
    /// The client left.
    Closed,
    /// The client ended it, such as for a certificate that it does not trust.
    ClientAlert,
    /// The client offers no version that is spoken here.
    Protocol,
    /// The client offers no suite, no group or no signature that is spoken here.
    Cipher,
    /// The client offers no protocol above TLS that is spoken here.
    Alpn,
    /// `ssl_reject_handshake`
    Rejected,
    /// The client spoke HTTP.
    PlainHttp,
    /// What the client sent breaks the rules of TLS.
    Invalid,
}

impl HandshakeFailure {
    /// The number of reasons.
    pub const COUNT: usize = 9;

    /// All reasons, in the order of their counters.
    pub const ALL: [Self; Self::COUNT] = [
        Self::TimedOut,
        Self::Closed,
        Self::ClientAlert,
        Self::Protocol,
        Self::Cipher,
        Self::Alpn,
        Self::Rejected,
        Self::PlainHttp,
        Self::Invalid,
    ];

    /// The label's value.
    pub fn label(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Closed => "closed",
            Self::ClientAlert => "client_alert",
            Self::Protocol => "protocol",
            Self::Cipher => "cipher",
            Self::Alpn => "alpn",
            Self::Rejected => "rejected",
            Self::PlainHttp => "plain_http",
            Self::Invalid => "invalid",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_its_counter() {
        for (index, handshake) in Handshake::ALL.into_iter().enumerate() {
            assert_eq!(handshake as usize, index);
        }
        for (index, failure) in HandshakeFailure::ALL.into_iter().enumerate() {
            assert_eq!(failure as usize, index, "{}", failure.label());
        }
    }
}
