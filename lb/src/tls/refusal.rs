//! Why a certificate cannot be trusted, in OpenSSL's numbers and words.

/// Why a certificate cannot be trusted: OpenSSL's number and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// `X509_V_ERR_…`
    pub code: u16,
    /// As in `$ssl_client_verify`.
    pub words: &'static str,
}

impl Refusal {
    const fn new(code: u16, words: &'static str) -> Self {
        Self { code, words }
    }

    /// Whether `optional_no_ca` accepts it: nobody knows the authority, and nothing else is wrong.
    pub fn is_of_unknown_authority(self) -> bool {
        [SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER, UNVERIFIABLE].contains(&self)
    }
}

pub(super) const NO_CRL: Refusal = Refusal::new(3, "unable to get certificate CRL");
pub(super) const BAD_SIGNATURE: Refusal = Refusal::new(7, "certificate signature failure");
pub(super) const BAD_CRL_SIGNATURE: Refusal = Refusal::new(8, "CRL signature failure");
pub(super) const NOT_YET_VALID: Refusal = Refusal::new(9, "certificate is not yet valid");
pub(super) const EXPIRED: Refusal = Refusal::new(10, "certificate has expired");
pub(super) const CRL_NOT_YET_VALID: Refusal = Refusal::new(11, "CRL is not yet valid");
pub(super) const CRL_EXPIRED: Refusal = Refusal::new(12, "CRL has expired");
pub(super) const SELF_SIGNED: Refusal = Refusal::new(18, "self-signed certificate");
pub(super) const SELF_SIGNED_IN_CHAIN: Refusal =
    Refusal::new(19, "self-signed certificate in certificate chain");
pub(super) const NO_LOCAL_ISSUER: Refusal = Refusal::new(20, "unable to get local issuer certificate");
pub(super) const UNVERIFIABLE: Refusal = Refusal::new(21, "unable to verify the first certificate");
/// A chain with more authorities between than are allowed.
pub const TOO_LONG: Refusal = Refusal::new(22, "certificate chain too long");
pub(super) const REVOKED: Refusal = Refusal::new(23, "certificate revoked");
pub(super) const PATH_LENGTH: Refusal = Refusal::new(25, "path length constraint exceeded");
pub(super) const PURPOSE: Refusal = Refusal::new(26, "unsuitable certificate purpose");
pub(super) const CRITICAL_EXTENSION: Refusal = Refusal::new(34, "unhandled critical extension");
pub(super) const NAME_CONSTRAINT: Refusal = Refusal::new(47, "permitted subtree violation");
pub(super) const UNSPECIFIED: Refusal = Refusal::new(1, "unspecified certificate verification error");
