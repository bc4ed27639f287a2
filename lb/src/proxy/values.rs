//! The values of nginx's variables for one request: what a [`Template`](crate::script::Template) asks
//! for when it is rendered, and nothing before.
//!
//! `$host` is worked out again each time it is asked for: nobody pays for it who does not log it.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue, Method, header};
use pingora::http::{RequestHeader, ResponseHeader};

use super::simple_values::{
    client_value, connection_value, cookie, host_field, joined, print, process_value, protocol, put,
    remote_user, seconds,
};
use super::wire_bytes;
use crate::cache::Account;
use crate::config::model::{Action, IfModifiedSince, Proxy, Server};
use crate::connection::facts::{Framing, HttpVersion};
use crate::connection::{ClientAddress, ConnectionFacts, Refused, RequestFacts};
use crate::content::file::conditional::{self, Validators, Verdict};
use crate::filter::Compressed;
use crate::request::{Outside, Proxying, State, Try};
use crate::routing::host;
use crate::script::{Named, Variable};
use crate::server::Snapshot;
use crate::tls::{Security, Session};

/// Everything that a variable may speak of beside what `request/` knows. The answer is absent while none is known.
pub struct RequestValues<'a> {
    /// What the connection loop knows, and the snapshot.
    pub facts: &'a RequestFacts<Snapshot>,
    /// `$request_id`, once asked for.
    pub request_id: &'a OnceLock<String>,
    /// The header as received.
    pub request: &'a RequestHeader,
    /// The answer, as sent or about to be.
    pub response: Option<&'a ResponseHeader>,
    /// Bytes sent to the client, header and framing included.
    pub bytes_sent: u64,
    /// The moment of rendering.
    pub now: Instant,
}

impl Outside for RequestValues<'_> {
    fn target(&self) -> &[u8] {
        self.facts.path_and_query()
    }

    fn method(&self) -> &str {
        self.request.method.as_str()
    }

    fn connected_from(&self) -> Option<SocketAddr> {
        self.facts.connection.client.inet()
    }

    fn proxied_from(&self) -> Option<SocketAddr> {
        self.facts.connection.proxied.as_ref().map(|proxied| proxied.source)
    }

    fn fields(&self, name: &HeaderName) -> Vec<&[u8]> {
        self.request.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
    }

    fn tls(&self) -> Option<&Session> {
        self.facts.connection.tls()
    }

    fn is_plain_where_tls_is_spoken(&self) -> bool {
        matches!(self.facts.connection.security, Security::PlainWhereTlsIsSpoken)
    }

    fn unix_seconds(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn announced(&self) -> Option<u64> {
        match self.facts.shape.framing {
            Framing::Length(bytes) => Some(bytes),
            Framing::Empty | Framing::Chunked => None,
        }
    }

    fn conditions(&self, compared: IfModifiedSince) -> Verdict {
        conditional::judge(&self.request.headers, Validators::default(), compared)
    }

    fn write(&self, state: &State, variable: &Variable, out: &mut Vec<u8>) -> bool {
        match variable {
            Variable::RequestHeader(name) => joined(&self.request.headers, name, out),
            Variable::SentHeader(name) => {
                self.response.is_some_and(|response| joined(&response.headers, name, out))
            }
            Variable::UpstreamHeader(name) => {
                let last = state.upstreams().last();
                let fields = last.and_then(|proxying| proxying.upstream_fields.as_deref());
                fields.is_some_and(|fields| joined(fields, name, out))
            }
            Variable::Cookie(name) => self
                .request
                .headers
                .get_all(header::COOKIE)
                .iter()
                .find_map(|line| cookie(line.as_bytes(), name.as_bytes()))
                .is_some_and(|value| put(value, out)),
            Variable::ProxyProtocolTlv(tlv) => {
                let proxied = self.facts.connection.proxied.as_ref();
                proxied.is_some_and(|proxied| proxied.write_tlv(*tlv, out))
            }
            Variable::Named(named) => Known { outside: self, state }.named(*named, out),
            // `request/` has them.
            Variable::Argument(_)
            | Variable::Capture(_)
            | Variable::Defined(_)
            | Variable::TokenClaim(_)
            | Variable::TokenHeader(_)
            | Variable::SentTrailer(_) => false,
        }
    }
}

/// Both sides of what is known.
struct Known<'a> {
    outside: &'a RequestValues<'a>,
    state: &'a State,
}

impl Known<'_> {
    fn named(&self, named: Named, out: &mut Vec<u8>) -> bool {
        match named {
            // `request/` has them.
            Named::Args
            | Named::IsArgs
            | Named::Uri
            | Named::DocumentRoot
            | Named::RequestFilename
            | Named::LimitConnStatus
            | Named::InvalidReferer
            | Named::SecureLink
            | Named::SecureLinkExpires
            | Named::TokenPayload
            | Named::LimitReqStatus
            | Named::LimitRate => false,
            Named::Host => self.host(out),
            Named::GzipRatio => self
                .state
                .compressed
                .and_then(Compressed::ratio)
                .is_some_and(|ratio| put(ratio.as_bytes(), out)),
            Named::Request => put(self.outside.facts.request_line(), out),
            Named::RequestUri => put(self.outside.facts.path_and_query(), out),
            Named::RequestMethod if let Some(outer) = self.state.outer() => put(outer.method.as_bytes(), out),
            Named::RequestMethod if self.state.is_get() && self.outside.request.method != Method::HEAD => {
                put(b"GET", out)
            }
            Named::RequestMethod => put(self.outside.request.method.as_str().as_bytes(), out),
            Named::ServerProtocol => put(protocol(self.outside.facts.shape.version), out),
            // A subrequest has no body, and yet the length of the client's.
            Named::ContentLength => match self.outside.announced() {
                Some(bytes) => print(out, bytes),
                None => joined(&self.outside.request.headers, &header::CONTENT_LENGTH, out),
            },
            Named::ContentType => joined(&self.outside.request.headers, &header::CONTENT_TYPE, out),
            Named::RequestLength => {
                print(out, self.outside.facts.head_bytes as u64 + self.outside.facts.reply.body_bytes())
            }
            Named::RequestTime => seconds(out, self.outside.now.duration_since(self.outside.facts.received)),
            Named::RequestId => put(self.request_id_text().as_bytes(), out),
            Named::RequestCompletion => {
                // While the header is made, nothing is complete.
                let ended = self.outside.response.is_some() && self.outside.bytes_sent > 0;
                let complete = ended && self.state.ending.failure.is_none();
                !complete || put(b"OK", out)
            }
            Named::RemoteUser => {
                remote_user(&self.outside.request.headers).is_some_and(|user| put(&user, out))
            }
            Named::ProxyAddXForwardedFor => self.forwarded_for(out),
            Named::ConnectionRequests => print(out, self.outside.facts.number),
            Named::ServerName => self.server().is_some_and(|server| put(server.first_name.as_bytes(), out)),
            Named::Status => match self.outside.response {
                Some(response) => print(out, u64::from(response.status.as_u16())),
                None => self.unanswered_status(out),
            },
            Named::BodyBytesSent if self.outside.facts.shape.version == HttpVersion::Http2 => {
                print(out, self.outside.facts.reply.content_bytes())
            }
            Named::BodyBytesSent => print(
                out,
                self.outside
                    .bytes_sent
                    .saturating_sub(self.outside.response.map_or(0, wire_bytes::response_head)),
            ),
            Named::BytesSent => print(out, self.outside.bytes_sent),
            Named::ProxyHost => self.proxied().is_some_and(|proxy| put(proxy.host.as_bytes(), out)),
            Named::ProxyPort => {
                self.proxied().is_some_and(|proxy| proxy.host.is_empty() || print(out, u64::from(proxy.port)))
            }
            Named::UpstreamAddr => self.upstream_addresses(out),
            Named::UpstreamStatus => self.each_try(
                out,
                |_| "502",
                |one, out| match one.status {
                    Some(status) => print(out, u64::from(status.as_u16())),
                    None => false,
                },
            ),
            Named::UpstreamCacheStatus => {
                self.cached(|cache| Some(cache.status?.word().as_bytes())).is_some_and(|word| put(word, out))
            }
            Named::UpstreamCacheKey => {
                self.cached(|cache| Some(cache.key.as_slice())).is_some_and(|key| put(key, out))
            }
            Named::UpstreamCacheLastModified => {
                self.cached(|cache| cache.last_modified.as_deref()).is_some_and(|modified| put(modified, out))
            }
            Named::UpstreamCacheEtag => {
                self.cached(|cache| cache.etag.as_deref()).is_some_and(|etag| put(etag, out))
            }
            Named::UpstreamConnectTime => {
                self.each_try(out, |_| "-", |one, out| one.connected.is_some_and(|time| seconds(out, time)))
            }
            Named::UpstreamHeaderTime => {
                self.each_try(out, |_| "-", |one, out| one.header.is_some_and(|time| seconds(out, time)))
            }
            Named::UpstreamResponseTime => self.each_try(
                out,
                |_| "0.000",
                |one, out| one.finished.is_some_and(|time| seconds(out, time)),
            ),
            Named::UpstreamResponseLength => {
                self.each_try(out, |_| "0", |one, out| print(out, one.bytes_received))
            }
            Named::UpstreamBytesReceived => self.each_try(
                out,
                |_| "0",
                |one, out| print(out, one.head_bytes_received + one.bytes_received),
            ),
            Named::UpstreamBytesSent => {
                self.each_try(out, |_| "0", |one, out| print(out, one.overhead_bytes_sent + one.bytes_sent))
            }
            Named::RemoteAddr | Named::RemotePort | Named::BinaryRemoteAddr => {
                client_value(self.client(), named, out)
            }
            Named::RealipRemoteAddr
            | Named::RealipRemotePort
            | Named::ProxyProtocolAddr
            | Named::ProxyProtocolPort
            | Named::ProxyProtocolServerAddr
            | Named::ProxyProtocolServerPort
            | Named::Connection
            | Named::ServerAddr
            | Named::ServerPort
            | Named::Scheme
            | Named::Http2
            | Named::Https
            | Named::ConnectionsActive
            | Named::ConnectionsReading
            | Named::ConnectionsWriting
            | Named::ConnectionsWaiting
            | Named::Tls(_) => connection_value(&self.outside.facts.connection, named, out),
            Named::Hostname
            | Named::Pid
            | Named::Version
            | Named::Pipe
            | Named::TimeLocal
            | Named::TimeIso8601
            | Named::DateGmt
            | Named::DateLocal
            | Named::Msec => process_value(named, out),
        }
    }

    fn cached<'s>(&'s self, of: impl Fn(&'s Account) -> Option<&'s [u8]>) -> Option<&'s [u8]> {
        of(self.state.cache.as_deref()?)
    }

    fn client(&self) -> ClientAddress {
        self.state.real_client().map_or(self.outside.facts.connection.client, ClientAddress::Inet)
    }

    /// nginx's `$host`: of the request line or the Host field, else the server's first name.
    fn host(&self, out: &mut Vec<u8>) -> bool {
        match host_field(self.outside.request) {
            Some(host) if !host.is_empty() => put(&host::bare_name(host), out),
            _ => self.server().is_some_and(|server| put(server.first_name.as_bytes(), out)),
        }
    }

    /// The status that stands in the log when nothing was sent: 499 when the client left, 444 when we chose
    /// silence, as nginx writes them.
    fn unanswered_status(&self, out: &mut Vec<u8>) -> bool {
        let ending = &self.state.ending;
        let status = match self.state.status() {
            Some(status) => status.as_u16(),
            None if ending.silent => 444,
            None => ending.failure.map_or(0, |failure| failure.status().unwrap_or(499)),
        };
        write!(out, "{status:03}").is_ok()
    }

    fn forwarded_for(&self, out: &mut Vec<u8>) -> bool {
        if joined(&self.outside.request.headers, &HeaderName::from_static("x-forwarded-for"), out) {
            out.extend_from_slice(b", ");
        }
        client_value(self.client(), Named::RemoteAddr, out)
    }

    fn request_id_text(&self) -> &str {
        self.outside.request_id.get_or_init(|| format!("{:032x}", fastrand::u128(..)))
    }

    /// The `proxy_pass` that was reached; of a URL with variables, what came of it.
    fn proxied(&self) -> Option<&Proxy> {
        if let Some(proxying) = self.state.proxying() {
            return Some(&proxying.target.proxy);
        }
        match &self.state.location().filter(|_| self.state.is_passed())?.action {
            Action::Proxy(configured) => Some(configured),
            Action::Files | Action::Connections => None,
        }
    }

    fn upstream_addresses(&self, out: &mut Vec<u8>) -> bool {
        self.each_try(
            out,
            |proxying| proxying.target.upstream.name(),
            |one, out| put(one.peer.name().as_bytes(), out),
        )
    }

    /// The server block, once it is known.
    fn server(&self) -> Option<&Server> {
        let routed = self.state.routed()?;
        self.outside.facts.snapshot.config.http.servers.get(routed.server.0)
    }

    /// One value per try, separated by a comma and a space, and by a colon where the request went on to another location;
    /// `-` where a try has none. `missing` stands for the pick that found no server at all.
    fn each_try(
        &self,
        out: &mut Vec<u8>,
        missing: impl Fn(&Proxying) -> &str,
        value: impl Fn(&Try, &mut Vec<u8>) -> bool,
    ) -> bool {
        let mut any = false;
        for proxying in self.state.upstreams() {
            // A try of which nothing has come yet is being asked for just now.
            let is_told = |one: &&Try| one.finished.is_some() || one.status.is_some();
            let tries = proxying.tries.iter().filter(is_told).count();
            if tries == 0 && !proxying.no_live_upstream {
                continue;
            }
            if any {
                out.extend_from_slice(b" : ");
            }
            for (index, one) in proxying.tries.iter().filter(is_told).enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                if !value(one, out) {
                    out.push(b'-');
                }
            }
            if proxying.no_live_upstream {
                if tries > 0 {
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(missing(proxying).as_bytes());
            }
            any = true;
        }
        any
    }
}

/// What is known of a request that was refused before anybody parsed it: enough for its line in the access log.
pub struct RefusedValues<'a> {
    /// The address's default server, which logs it.
    pub server: &'a Server,
    /// The connection.
    pub connection: &'a ConnectionFacts,
    /// What the connection loop says.
    pub refused: &'a Refused<'a>,
    /// The moment of rendering.
    pub now: Instant,
}

impl Outside for RefusedValues<'_> {
    fn target(&self) -> &[u8] {
        b""
    }

    fn method(&self) -> &str {
        ""
    }

    fn connected_from(&self) -> Option<SocketAddr> {
        self.connection.client.inet()
    }

    fn proxied_from(&self) -> Option<SocketAddr> {
        self.connection.proxied.as_ref().map(|proxied| proxied.source)
    }

    fn fields(&self, _: &HeaderName) -> Vec<&[u8]> {
        Vec::new()
    }

    fn announced(&self) -> Option<u64> {
        None
    }

    fn conditions(&self, _: IfModifiedSince) -> Verdict {
        Verdict::Serve
    }

    fn write(&self, _: &State, variable: &Variable, out: &mut Vec<u8>) -> bool {
        let Variable::Named(named) = variable else { return false };
        match named {
            Named::Request => !self.refused.request_line.is_empty() && put(self.refused.request_line, out),
            Named::Status => print(out, u64::from(self.refused.status.as_u16())),
            Named::BodyBytesSent => print(out, self.refused.body_bytes_sent),
            Named::BytesSent => print(out, self.refused.bytes_sent),
            Named::RequestLength => print(out, self.refused.bytes_received),
            Named::RequestTime => seconds(out, self.now.duration_since(self.refused.received)),
            Named::ConnectionRequests => print(out, self.refused.number),
            Named::RequestId => write!(out, "{:032x}", fastrand::u128(..)).is_ok(),
            Named::ServerProtocol => self.connection.http2 && put(b"HTTP/2.0", out),
            Named::Host | Named::ServerName => put(self.server.first_name.as_bytes(), out),
            _ => {
                client_value(self.connection.client, *named, out)
                    || connection_value(self.connection, *named, out)
                    || process_value(*named, out)
            }
        }
    }
}
