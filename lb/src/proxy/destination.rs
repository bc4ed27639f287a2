//! Where a request goes: the upstream of its `proxy_pass`, which is looked for with each request where the URL has
//! variables.

use std::sync::Arc;
use std::time::Instant;

use pingora_proxy::Session;

use super::context::Request;
use super::record;
use crate::config::model::{Destination, Proxy, Resolver, SentUri};
use crate::request::{Failure, ProxyTarget};
use crate::routing::passed::Passed;
use crate::script::Template;

/// The servers of a `proxy_pass`. A failure has been logged.
pub(super) async fn target(
    session: &Session,
    request: &mut Request,
    proxy: Arc<Proxy>,
    now: Instant,
) -> Result<ProxyTarget, Failure> {
    match &proxy.destination {
        Destination::Fixed(id) => Ok(ProxyTarget {
            upstream: request.facts.snapshot.upstreams.by_id(*id).clone(),
            connection_group: request.facts.snapshot.connection_group(*id),
            proxy,
        }),
        Destination::PerRequest { url, resolver } => {
            // What looks names up is large, and stands apart: Pingora moves the futures of its hooks.
            Box::pin(named(session, request, &proxy, url, resolver.as_deref(), now)).await
        }
    }
}

async fn named(
    session: &Session,
    request: &mut Request,
    proxy: &Proxy,
    url: &Template,
    resolver: Option<&Resolver>,
    now: Instant,
) -> Result<ProxyTarget, Failure> {
    let mut rendered = Vec::new();
    url.render(&mut request.values(session.req_header(), None, now), &mut rendered);
    let parse = if proxy.is_grpc { Passed::parse_grpc } else { Passed::parse };
    let passed = match parse(&rendered) {
        Ok(passed) => passed,
        Err(error) => {
            record::no_destination(session, request, &error);
            return Err(Failure::Status(500));
        }
    };
    let snapshot = Arc::clone(request.snapshot());
    match snapshot.upstreams.upstream_for(&passed, resolver).await {
        Ok(upstream) => Ok(ProxyTarget {
            connection_group: snapshot.connection_group_named(upstream.name()),
            upstream,
            proxy: Arc::new(Proxy {
                host: passed.proxy_host().into(),
                port: passed.port,
                tls: proxy.tls.filter(|_| passed.scheme.is_secure()),
                uri: passed.uri.map_or(SentUri::Own, SentUri::Exactly),
                ..proxy.clone()
            }),
        }),
        Err(error) => {
            record::no_destination(session, request, &error);
            Err(Failure::Status(502))
        }
    }
}
