//! Whether a connection is as secure as the server of a request asks: before any phase, as in nginx.

use http::StatusCode;

use super::phases::{Around, Content};
use super::state::State;
use super::values::Outside;
use crate::config::model::{ServerId, Tls, VerifyClient};
use crate::observe::reasons::Generated;
use crate::routing::host::bare_name;
use crate::tls::Verdict;

impl State {
    /// The page for a request to `server` on a connection that is not secure enough for it, and the server whose page it
    /// is.
    pub(super) fn insecure(
        listener: usize,
        host: Option<&[u8]>,
        server: ServerId,
        around: Around<'_>,
    ) -> Option<(ServerId, Content)> {
        let tls = &around.rules.http.servers[server.0].fallback.settings.tls;
        if let Some(initial) = misdirected(listener, host, tls, around) {
            let page = Content::Page(Generated::Misdirected, StatusCode::MISDIRECTED_REQUEST);
            return Some((initial, page));
        }
        not_as_asked(tls, around.outside).map(|page| (server, page))
    }
}

/// The server of the TLS handshake, where the request's host belongs to another one, with these settings, that verifies
/// its clients: the handshake may have been another one there, and so nginx does not let the request through.
fn misdirected(listener: usize, host: Option<&[u8]>, tls: &Tls, around: Around<'_>) -> Option<ServerId> {
    let name = around.outside.tls()?.name()?;
    if tls.verify_client == VerifyClient::Off || *bare_name(host.unwrap_or_default()) == *name.as_bytes() {
        return None;
    }
    let initial = around.rules.routes.server(listener, Some(name.as_bytes())).ok()?;
    Some(initial.id)
}

fn not_as_asked(tls: &Tls, outside: &dyn Outside) -> Option<Content> {
    if outside.is_plain_where_tls_is_spoken() {
        return Some(page(Generated::PlainHttp, 497));
    }
    let session = outside.tls().filter(|_| tls.verify_client != VerifyClient::Off)?;
    match session.verdict {
        Verdict::Trusted => None,
        Verdict::Absent if tls.verify_client == VerifyClient::On => {
            Some(page(Generated::ClientCertificate, 496))
        }
        Verdict::Absent => None,
        Verdict::Refused(refusal) => {
            let accepted =
                tls.verify_client == VerifyClient::OptionalNoCa && refusal.is_of_unknown_authority();
            (!accepted).then(|| page(Generated::ClientCertificate, 495))
        }
    }
}

/// The page of one of nginx's own statuses.
fn page(reason: Generated, status: u16) -> Content {
    Content::Page(reason, StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST))
}
