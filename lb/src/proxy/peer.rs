//! An upstream server as Pingora takes it.

use pingora::Result;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};

use crate::connection::facts::HopFields;
use crate::request::ProxyTarget;
use crate::upstream::Peer;

/// The peer with the timeouts of its location. Pingora's own constructors look names up; from an address they cannot fail.
pub(super) fn http_peer(peer: &Peer, target: &ProxyTarget, hop_fields: HopFields) -> Result<Box<HttpPeer>> {
    let mut http_peer = match peer.address() {
        SocketAddr::Inet(address) => HttpPeer::new(*address, false, String::new()),
        SocketAddr::Unix(address) => {
            let path = address.as_pathname().and_then(std::path::Path::to_str).unwrap_or_default();
            HttpPeer::new_uds(path, false, String::new())?
        }
    };
    http_peer.group_key = target.connection_group;
    let options = &mut http_peer.options;
    options.connection_timeout = Some(target.proxy.settings.connect_timeout);
    options.read_timeout = Some(target.proxy.settings.read_timeout);
    options.write_timeout = Some(target.proxy.settings.send_timeout);
    options.idle_timeout = Some(target.upstream.model().keepalive.timeout);
    if hop_fields != HopFields::More {
        // `request/headers/to_server` takes out the one there may be; Pingora would search for ten.
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::preserve();
    }
    Ok(Box::new(http_peer))
}
