//! An upstream server as Pingora takes it, and the header that it gets.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr as SocketAddress;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use http::Method;
use pingora::Result;
use pingora::connectors::l4::BindTo;
use pingora::http::RequestHeader;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora_proxy::Session;
use tokio::net::TcpSocket;

use super::context::{self, Request};
use super::{finish, http2};
use crate::config::model::{BindAddress, DroppedNames, HttpVersion};
use crate::connection::facts::{Framing, HopFields};
use crate::request::ProxyTarget;
use crate::request::headers::to_server::{self, SentBody, ToServer};
use crate::system_error::SystemError;
use crate::upstream::Peer;

/// Changes a socket before it connects.
type SocketHook = Arc<dyn Fn(&TcpSocket) -> Result<()> + Send + Sync>;

/// Sets `SO_KEEPALIVE` and, as nginx does, none of its times: those are the system's. A socket that cannot have it serves
/// all the same.
static SOCKET_KEEPALIVE: LazyLock<SocketHook> = LazyLock::new(|| {
    Arc::new(|socket| {
        if let Err(error) = socket.set_keepalive(true) {
            crate::alert!("setsockopt(SO_KEEPALIVE) failed, ignored {}", SystemError(&error));
        }
        Ok(())
    })
});

/// The peer with the timeouts of its location. Pingora's own constructors look names up; from an address they cannot fail.
pub(super) fn http_peer(
    peer: &Peer,
    target: &ProxyTarget,
    hop_fields: HopFields,
    bind: Option<SocketAddress>,
) -> Result<Box<HttpPeer>> {
    let mut http_peer = Box::new(match peer.address() {
        SocketAddr::Inet(address) => HttpPeer::new(*address, false, String::new()),
        SocketAddr::Unix(address) => {
            let path = address.as_pathname().and_then(std::path::Path::to_str).unwrap_or_default();
            HttpPeer::new_uds(path, false, String::new())?
        }
    });
    http_peer.group_key = target.connection_group;
    let options = &mut http_peer.options;
    options.connection_timeout = Some(target.proxy.settings.connect_timeout);
    options.read_timeout = Some(target.proxy.settings.read_timeout);
    options.write_timeout = Some(target.proxy.settings.send_timeout);
    options.idle_timeout = Some(target.upstream.model().keepalive.timeout);
    if target.proxy.settings.http_version == HttpVersion::Http2 {
        http2::prepare(options, target.upstream.model().keepalive.connections);
    }
    if target.proxy.settings.socket_keepalive {
        options.upstream_tcp_sock_tweak_hook = Some(Arc::clone(&SOCKET_KEEPALIVE));
    }
    if let (Some(address), SocketAddr::Inet(_)) = (bind, peer.address()) {
        // A connection from another address is another connection; Pingora's pool does not see the difference.
        http_peer.group_key = apart(target.connection_group, address);
        let mut bind_to = BindTo::default();
        bind_to.addr = Some(address);
        http_peer.options.bind_to = Some(bind_to);
    }
    if hop_fields != HopFields::More {
        // `request/headers/to_server` takes out the one there may be; Pingora would search for ten.
        http_peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::preserve();
    }
    Ok(http_peer)
}

/// The group of connections from one address, of those of a group.
fn apart(group: u64, address: SocketAddress) -> u64 {
    let mut hasher = DefaultHasher::new();
    (group, address).hash(&mut hasher);
    hasher.finish()
}

/// The address that the connection comes from (`proxy_bind`), where the location says one.
pub(super) fn bind_address(session: &Session, request: &mut Request) -> Option<SocketAddress> {
    let bind = request.state.proxying()?.target.proxy.settings.bind.clone()?;
    match bind {
        BindAddress::Fixed(address) => Some(address),
        BindAddress::PerRequest(template) => {
            let mut text = Vec::new();
            template.render(&mut request.values(session.req_header(), None, Instant::now()), &mut text);
            BindAddress::parse(std::str::from_utf8(&text).ok()?)
        }
    }
}

/// Changes the header as received into the one for the server of the try under way.
pub(super) fn request_header(
    upstream_request: &mut RequestHeader,
    session: &Session,
    request: &mut Request,
    now: Instant,
) -> Result<()> {
    let is_upgrade = session.as_downstream().is_upgrade_req();
    let Some(proxying) = request.state.proxying() else { return context::unexpected() };
    let (proxy, location) = (Arc::clone(&proxying.target.proxy), Arc::clone(&proxying.routed.location));
    let closes = proxying.last_on_connection
        || proxy.settings.http_version == HttpVersion::Http10
        || proxying.target.upstream.model().keepalive.connections == 0;
    if let Some(method) = &proxy.settings.method {
        let mut written = Vec::new();
        method.render(&mut request.values(session.req_header(), None, now), &mut written);
        // What renders to no method leaves the client's.
        if let Ok(method) = Method::from_bytes(&written) {
            upstream_request.set_method(method);
        }
    } else if request.state.is_get() && upstream_request.method != Method::HEAD {
        upstream_request.set_method(Method::GET);
    }
    // What was read ahead and not yet sent is no loss. Pingora has nobody send a body in the place of one that is gone.
    request.body_is_gone = session.as_ref().retry_buffer_truncated() && request.outgrown.is_empty();
    let http_2 = proxy.settings.http_version == HttpVersion::Http2;
    // Over HTTP/2 Pingora ends a request whose client sends no body with the header.
    let ends_with_header = http_2 && request.facts.shape.framing == Framing::Empty;
    let may_set_body = !request.body_is_gone && !ends_with_header;
    let set_body = proxy.settings.set_body.as_ref().filter(|_| may_set_body).cloned();
    request.own_body = set_body.map(|body| {
        let mut own = Vec::new();
        body.render(&mut request.values(session.req_header(), None, now), &mut own);
        own.into()
    });
    let body = match &request.own_body {
        Some(own) => SentBody::Own(own.len()),
        None if proxy.settings.pass_request_body && !request.body_is_gone => SentBody::Client,
        None => SentBody::Nothing,
    };
    let shape = &request.facts.shape;
    let to = ToServer {
        client_fields: proxy.settings.pass_request_headers,
        body,
        set: &proxy.set_headers,
        dropped_names: match shape.unusual_names {
            true => location.settings.client.dropped_names(),
            false => DroppedNames::Nothing,
        },
        has_connection: shape.hop_fields == HopFields::OnlyConnection,
        upgrades: shape.upgrade,
        closes: closes && !is_upgrade,
        http_2,
        // Pingora has taken the field out of what goes to the server.
        wants_trailers: proxy.is_grpc && to_server::welcomes_trailers(&session.req_header().headers),
    };
    let sent = request.facts.path_and_query();
    let parsed = upstream_request.raw_path();
    if let Some(target) = to_server::request_target(sent, parsed, &request.state, &location, &proxy) {
        let made = matches!(target, Cow::Owned(_));
        let set = upstream_request.set_raw_path(&target);
        // What no `Uri` can hold of the client's own target stays escaped.
        if made {
            set?;
        }
    }
    to_server::prepare(upstream_request, &to, |template| {
        finish::field_value(request, session.req_header(), None, template, now)
    })?;
    if http_2 { http2::address(upstream_request, proxy.tls.is_some()) } else { Ok(()) }
}
