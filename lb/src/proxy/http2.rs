//! What HTTP/2 to a server asks of Pingora.

use std::time::Duration;

use http::uri::{PathAndQuery, Uri};
use http::{Version, header};
use pingora::http::RequestHeader;
use pingora::upstreams::peer::PeerOptions;
use pingora::{Error, ErrorType, OrErr, Result};

/// Requests that share a connection at most, if the server allows as many: what nginx allows its own clients.
const STREAMS_PER_CONNECTION: usize = 128;

/// Has Pingora speak HTTP/2 to a server that was said to expect it. `kept`: how many idle connections the upstream keeps.
pub(super) fn prepare(options: &mut PeerOptions, kept: usize) {
    options.set_http_version(2, 2);
    options.max_h2_streams = STREAMS_PER_CONNECTION;
    if kept == 0 {
        options.idle_timeout = Some(Duration::ZERO);
    }
}

/// Makes `Host` the authority. Pingora would do so itself, but takes a connection on which it speaks no TLS for one without.
pub(super) fn address(request: &mut RequestHeader, secure: bool) -> Result<()> {
    let host = request.remove_header(&header::HOST);
    let Some(host) = host.as_ref().map(header::HeaderValue::as_bytes).filter(|host| !host.is_empty()) else {
        return Error::e_explain(ErrorType::InternalError, "HTTP/2 asks for a host, and none is set");
    };
    // `OPTIONS *` stays as it is.
    let path = PathAndQuery::try_from(request.raw_path())
        .or_err(ErrorType::InternalError, "the request's target cannot be sent over HTTP/2")?;
    let uri = Uri::builder()
        .scheme(if secure { "https" } else { "http" })
        .authority(host)
        .path_and_query(path)
        .build()
        .or_err(ErrorType::InternalError, "the host cannot be sent over HTTP/2")?;
    request.set_uri(uri);
    request.set_version(Version::HTTP_2);
    Ok(())
}
