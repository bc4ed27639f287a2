//! What the upstream's balancing method maps to a server: made once per request, before its first pick, and only for
//! a method that asks for it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use pingora::http::RequestHeader;

use super::context::Request;
use crate::config::model::BalancingMethod;
use crate::connection::ClientAddress;
use crate::request::BalancingKey;

/// The key of a request; empty for a method without a key.
pub(super) fn of(request: &mut Request, received: &RequestHeader, now: Instant) -> BalancingKey {
    let Some(proxying) = request.state.proxying() else { return BalancingKey::new() };
    let upstream = Arc::clone(&proxying.target.upstream);
    match &upstream.model().method {
        BalancingMethod::RoundRobin | BalancingMethod::LeastConn | BalancingMethod::Random { .. } => {
            BalancingKey::new()
        }
        BalancingMethod::IpHash => of_address(request.client()),
        BalancingMethod::Hash { key, .. } => {
            let mut rendered = Vec::new();
            key.render(&mut request.values(received, None, now), &mut rendered);
            BalancingKey::from_vec(rendered)
        }
    }
}

/// nginx's key for `ip_hash`: the network of an IPv4 address, a whole IPv6 address, zeros for a client without one.
fn of_address(client: ClientAddress) -> BalancingKey {
    match client {
        ClientAddress::Inet(address) => match address.ip() {
            IpAddr::V4(ip) => BalancingKey::from_slice(&ip.octets()[..3]),
            IpAddr::V6(ip) => BalancingKey::from_slice(&ip.octets()),
        },
        ClientAddress::Unix => BalancingKey::from_slice(&[0; 3]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_address_is_taken_as_nginx_takes_it() {
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 2, 3];
        for (client, key) in [
            (ClientAddress::Inet("10.1.2.3:80".parse().unwrap()), &[10, 1, 2][..]),
            (ClientAddress::Inet("[::ffff:10.1.2.3]:80".parse().unwrap()), &mapped),
            (ClientAddress::Unix, &[0, 0, 0]),
        ] {
            assert_eq!(of_address(client).as_slice(), key, "{client:?}");
        }
    }
}
