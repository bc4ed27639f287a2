//! A server on a connection with TLS: which one it is, and how Pingora gets it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr as SocketAddress};
use std::sync::Arc;
use std::time::Instant;

use pingora::Result;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::upstreams::peer::HttpPeer;
use pingora_proxy::Session;

use super::context::Request;
use crate::config::model::HttpVersion;
use crate::script::Template;
use crate::upstream::tls::{Dial, Identity, Kept};
use crate::upstream::{Peer, tls};

/// The address that Pingora compares with none.
const EVERYWHERE: SocketAddress = SocketAddress::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// How the next server is connected to; `None` where no TLS is spoken.
pub(super) fn dial(
    session: &Session,
    request: &mut Request,
    peer: &Peer,
    bind: Option<SocketAddress>,
    kept: &Arc<Kept>,
) -> Result<Option<Arc<Dial>>> {
    let Some(identity) = identity(session, request)? else { return Ok(None) };
    let target = &request.proxying()?.target;
    let settings = &target.proxy.settings;
    let reach = tls::Reach {
        address: peer.address().clone(),
        bind,
        keepalive: settings.socket_keepalive,
        timeout: settings.connect_timeout,
    };
    let http_2 = settings.http_version == HttpVersion::Http2;
    let keepalive = &target.upstream.model().keepalive;
    Ok(Some(Dial::new(
        reach,
        identity,
        http_2,
        kept,
        (target.connection_group, keepalive.connections, keepalive.timeout),
    )))
}

/// As what the server is connected to.
fn identity(session: &Session, request: &mut Request) -> Result<Option<Identity>> {
    let snapshot = Arc::clone(request.snapshot());
    let proxy = &request.proxying()?.target.proxy;
    let Some(context) = proxy.tls.and_then(|id| snapshot.upstreams.tls(id)) else { return Ok(None) };
    let settings = context.settings();
    let shown = context.shows_by_request().then_some((&settings.certificate, &settings.certificate_key));
    if settings.name.is_none() && shown.is_none() {
        return Ok(Some(Identity::new(context, &proxy.host, None)));
    }
    let host = proxy.host.clone();
    let mut values = request.values(session.req_header(), None, Instant::now());
    let mut render = |template: &Template| {
        let mut text = Vec::new();
        template.render(&mut values, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    let name = settings.name.as_ref().map_or_else(|| host.to_string(), &mut render);
    let shown = match shown {
        Some((Some(certificate), Some(key))) => {
            let names = (render(&certificate.text), render(&key.text));
            // The empty name shows none.
            (!names.0.is_empty()).then(|| (names.0.into(), names.1.into()))
        }
        _ => None,
    };
    Ok(Some(Identity::new(context, &name, shown)))
}

/// Has Pingora connect so.
pub(super) fn through(http_peer: &mut HttpPeer, dial: &Arc<Dial>) {
    http_peer.options.custom_l4 = Some(Arc::clone(dial) as _);
    // The timeouts of the two steps are the dial's.
    http_peer.options.connection_timeout = None;
    if dial.is_http_2() {
        // Pingora finds its connections by this number. What it asks of a connection before it uses it again is whether it
        // leads to the address; to this one all do.
        http_peer._address = SocketAddr::Inet(EVERYWHERE);
        http_peer.group_key = dial.group();
    }
}
