//! gRPC: nginx's `ngx_http_grpc_module`.
//!
//! Most of its directives are those of the proxy module under another name, and mean the same of another module's requests.
//! They are declared there once: the rows here are made of those rows. What they read is kept in a block of its own inside
//! the block, so that the two modules do not hear of each other.

use std::sync::Arc;

use super::proxy::{self, HttpVersion, ProxySettings, TlsToServers};
use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{
    Block, Contexts, IF_IN_LOCATION, LEVELS, LOCATION, Row, SIZE, no_effect, one, row,
};

#[rustfmt::skip]
pub(super) const PASS: &[Row] = &[
    row("grpc_pass", LOCATION.or(IF_IN_LOCATION), one("[grpc://]upstream | [grpc://]address[:port] | grpcs://…"), Reads(proxy::grpc_pass),
        "Passes gRPC requests on, over HTTP/2. With `grpcs://` TLS is spoken, as `grpc_ssl_*` say; with variables the address is known with each request"),
];

/// A row of the proxy module, or of its TLS, under another name.
macro_rules! like {
    ($($rows:path { $($name:literal like $other:literal,)+ })+) => {
        /// What the proxy module has under another name.
        pub(super) const SETTINGS: &[Row] = &[$($(
            Row {
                name: $name,
                effect: Reads(|block, directive, report| read(&$rows[index($rows, $other)], block, directive, report)),
                ..$rows[index($rows, $other)]
            },
        )+)+];
    };
}

like! {
    proxy::SETTINGS {
        "grpc_set_header" like "proxy_set_header",
        "grpc_connect_timeout" like "proxy_connect_timeout",
        "grpc_read_timeout" like "proxy_read_timeout",
        "grpc_send_timeout" like "proxy_send_timeout",
        "grpc_socket_keepalive" like "proxy_socket_keepalive",
        "grpc_next_upstream" like "proxy_next_upstream",
        "grpc_next_upstream_tries" like "proxy_next_upstream_tries",
        "grpc_next_upstream_timeout" like "proxy_next_upstream_timeout",
        "grpc_hide_header" like "proxy_hide_header",
        "grpc_pass_header" like "proxy_pass_header",
        "grpc_intercept_errors" like "proxy_intercept_errors",
        "grpc_ignore_headers" like "proxy_ignore_headers",
        "grpc_bind" like "proxy_bind",
    }
    proxy::tls::SETTINGS {
        "grpc_ssl_server_name" like "proxy_ssl_server_name",
        "grpc_ssl_name" like "proxy_ssl_name",
        "grpc_ssl_verify" like "proxy_ssl_verify",
        "grpc_ssl_verify_depth" like "proxy_ssl_verify_depth",
        "grpc_ssl_trusted_certificate" like "proxy_ssl_trusted_certificate",
        "grpc_ssl_crl" like "proxy_ssl_crl",
        "grpc_ssl_certificate" like "proxy_ssl_certificate",
        "grpc_ssl_certificate_key" like "proxy_ssl_certificate_key",
        "grpc_ssl_session_reuse" like "proxy_ssl_session_reuse",
        "grpc_ssl_password_file" like "proxy_ssl_password_file",
        "grpc_ssl_certificate_cache" like "proxy_ssl_certificate_cache",
        "grpc_ssl_protocols" like "proxy_ssl_protocols",
        "grpc_ssl_ciphers" like "proxy_ssl_ciphers",
        "grpc_ssl_conf_command" like "proxy_ssl_conf_command",
        "grpc_ssl_key_log" like "proxy_ssl_key_log",
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("grpc_buffer_size", LEVELS, SIZE, "answers are streamed with buffers of their own size"),
];

/// How gRPC requests go to servers.
#[derive(Debug, Clone)]
pub struct GrpcSettings {
    /// `grpc_*`
    pub passing: Arc<ProxySettings>,
    /// `grpc_ssl_*`
    pub tls: Arc<TlsToServers>,
}

impl Default for GrpcSettings {
    /// gRPC is HTTP/2, both sides speak at once so that no request waits until it is whole, and answers end with trailers.
    fn default() -> Self {
        let passing = ProxySettings {
            http_version: HttpVersion::Http2,
            request_buffering: false,
            pass_trailers: true,
            ..ProxySettings::default()
        };
        Self { passing: Arc::new(passing), tls: Arc::default() }
    }
}

impl GrpcSettings {
    /// The settings of a level: what `block` gives, and for the rest what holds `above`.
    pub(in crate::config) fn inherit(above: &Arc<Self>, block: &mut Block) -> Arc<Self> {
        let Some(Given(mut given)) = block.take() else { return Arc::clone(above) };
        Arc::new(Self {
            passing: ProxySettings::inherit(&above.passing, &mut given),
            tls: TlsToServers::inherit(&above.tls, &mut given),
        })
    }
}

/// What a level says, as the proxy module keeps it.
struct Given(Block);

impl Default for Given {
    fn default() -> Self {
        Self(Block::new(Contexts::NONE, Position { file: "".into(), line: 0 }))
    }
}

fn read(row: &Row, block: &mut Block, directive: &Directive, report: &mut Report) {
    if let Reads(reader) = row.effect {
        block.edit(|Given(given)| reader(given, directive, report));
    }
}

/// Where a directive is among rows; one that is not there stops the compiler.
const fn index(rows: &[Row], name: &str) -> usize {
    let mut index = 0;
    while !same(rows[index].name.as_bytes(), name.as_bytes()) {
        index += 1;
    }
    index
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::config::model::{Action, Destination, HttpVersion, Proxy, SentUri, SentValue};
    use crate::config::testing::{accepted, in_location, in_server, refused};
    use std::sync::Arc;

    fn passed(text: &str) -> Arc<Proxy> {
        let config = accepted(&in_location(text));
        match &config.http.servers[0].locations[0].action {
            Action::Proxy(proxy) => Arc::clone(proxy),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_address_may_have_a_scheme() {
        for (text, host, port, secure) in [
            ("group", "group", 80, false),
            ("127.0.0.1:5001", "127.0.0.1:5001", 5001, false),
            ("grpc://a:80", "a:80", 80, false),
            ("grpcs://a:444", "a:444", 444, true),
            ("GRPCS://a:443", "a:443", 443, true),
            ("unix:/tmp/x", "localhost", 80, false),
        ] {
            let proxy = passed(&format!("grpc_pass {text};"));
            assert_eq!((&*proxy.host, proxy.port, proxy.tls.is_some()), (host, port, secure), "{text}");
            assert!(proxy.is_grpc && proxy.uri == SentUri::Own);
            assert_eq!(proxy.settings.http_version, HttpVersion::Http2);
            assert!(matches!(&proxy.set_headers[0].value, SentValue::Constant(value) if value == host));
        }
        let named = passed("grpc_pass $arg_to;");
        assert!(matches!(named.destination, Destination::PerRequest { .. }) && named.tls.is_some());
        for (text, message) in [
            ("grpc_pass grpc://a/x;", "invalid host in upstream \"a/x\""),
            ("grpc_pass grpc://;", "no host in upstream \"\""),
            ("grpc_pass a:0;", "invalid port in upstream \"a:0\""),
            ("grpc_pass grpcs://a;", "no port in upstream \"a\""),
        ] {
            refused(&in_location(text), message);
        }
    }

    #[test]
    fn the_two_modules_do_not_hear_of_each_other() {
        let config = accepted(&in_server(
            "grpc_read_timeout 7s; proxy_send_timeout 9s; grpc_ssl_verify_depth 4; grpc_set_header A b;
             location /g { grpc_pass grpcs://a:443; grpc_send_timeout 8s; } location /p { proxy_pass https://a; }",
        ));
        let of = |index: usize| match &config.http.servers[0].locations[index].action {
            Action::Proxy(proxy) => Arc::clone(proxy),
            other => panic!("{other:?}"),
        };
        let seconds = Duration::from_secs;
        let (grpc, proxy) = (of(0), of(1));
        assert_eq!((grpc.settings.read_timeout, grpc.settings.send_timeout), (seconds(7), seconds(8)));
        assert_eq!((proxy.settings.read_timeout, proxy.settings.send_timeout), (seconds(60), seconds(9)));
        let depth = |proxy: &Proxy| config.http.tls_to_servers[proxy.tls.unwrap().0].settings.verify_depth;
        assert_eq!((depth(&grpc), depth(&proxy)), (4, 1));
        assert_eq!((grpc.set_headers.len(), proxy.set_headers.len()), (2, 1));
        refused(
            &in_location("grpc_pass grpcs://a:443; grpc_ssl_verify on;"),
            "no grpc_ssl_trusted_certificate for grpc_ssl_verify",
        );
        refused(&in_location("grpc_connect_timeout x;"), "\"grpc_connect_timeout\" directive invalid value");
    }
}
