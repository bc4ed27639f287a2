//! HTTP/2 to clients: nginx's `ngx_http_v2_module`.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{
    Argument, Arguments, Flag, HTTP, LEVELS, NUMBER, Number, Row, SERVER, SIZE, Size, TIME, at_least,
    no_effect, one, settings,
};

const BY_HEADER_BUFFERS: &str =
    "it is obsolete, in nginx too: `large_client_header_buffers` limits the header";
const NO_PUSH: &str = "it is obsolete, in nginx too: no browser takes pushed answers any more";

settings! {
    /// How HTTP/2 is spoken.
    Http2 {
        "http2" in HTTP.or(SERVER),
        enabled: bool as Flag = false,
        "Whether HTTP/2 is spoken: where a plain connection begins with its preface, and over TLS where ALPN says so",
        differs "`Expect: 100-continue` is answered";

        "http2_max_concurrent_streams" in HTTP.or(SERVER),
        max_concurrent_streams: u64 as Number = 128,
        "How many requests a connection may have at once";

        "http2_body_preread_size" in HTTP.or(SERVER),
        body_preread_bytes: u64 as PrereadSize = 64 << 10,
        "How much of a request body a client may send before it is read",
        differs "it stays the window while the body is read, where nginx opens it wide";

        "http2_chunk_size" in LEVELS,
        chunk_bytes: u64 as ChunkSize = 8 << 10,
        "The longest piece of an answer in one frame";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("http2_recv_buffer_size", HTTP, SIZE, "each connection is read as it comes, without a buffer for all of a worker").without("256k"),
    no_effect("http2_idle_timeout", HTTP.or(SERVER), TIME, "it is obsolete, in nginx too: `keepalive_timeout` ends an idle connection").without("3m"),
    no_effect("http2_recv_timeout", HTTP.or(SERVER), TIME, "it is obsolete, in nginx too: `client_header_timeout` ends a connection that stops within a header").without("30s"),
    no_effect("http2_max_requests", HTTP.or(SERVER), NUMBER, "it is obsolete, in nginx too: `keepalive_requests` limits the requests of a connection").without("1000"),
    no_effect("http2_max_field_size", HTTP.or(SERVER), SIZE, BY_HEADER_BUFFERS).without("4k"),
    no_effect("http2_max_header_size", HTTP.or(SERVER), SIZE, BY_HEADER_BUFFERS).without("16k"),
    no_effect("http2_pool_size", HTTP.or(SERVER), SIZE, "memory is not taken from pools of fixed size").without("4k"),
    no_effect("http2_streams_index_size", HTTP.or(SERVER), NUMBER, "its tables grow by themselves").without("32"),
    no_effect("http2_push", LEVELS, at_least(1, "uri | off"), NO_PUSH).without("off").repeatable(),
    no_effect("http2_push_preload", LEVELS, one("on | off"), NO_PUSH).without("off"),
    no_effect("http2_max_concurrent_pushes", HTTP.or(SERVER), NUMBER, NO_PUSH).without("10"),
];

/// `http2_body_preread_size`: a window, which has 31 bits.
struct PrereadSize;

impl Argument for PrereadSize {
    type Value = u64;

    const ARGUMENTS: Arguments = SIZE;

    fn read(into: &mut Option<u64>, directive: &Directive, report: &mut Report) {
        let mut given = None;
        Size::read(&mut given, directive, report);
        match given {
            Some(bytes) if bytes > MOST_PREREAD => report.emerg_hint(
                "the maximum body preread buffer size is 2147483647",
                &directive.argument_position(0),
                "a window of HTTP/2 has 31 bits",
            ),
            given => *into = given,
        }
    }

    fn print(value: &u64) -> String {
        Size::print(value)
    }
}

const MOST_PREREAD: u64 = (1 << 31) - 1;

/// `http2_chunk_size`: of what fits into the frames that every client takes.
struct ChunkSize;

const LEAST_CHUNK: u64 = 1;
const MOST_CHUNK: u64 = 16 << 10;

impl Argument for ChunkSize {
    type Value = u64;

    const ARGUMENTS: Arguments = SIZE;

    fn read(into: &mut Option<u64>, directive: &Directive, report: &mut Report) {
        let mut given = None;
        Size::read(&mut given, directive, report);
        *into = given.map(|bytes| bytes.clamp(LEAST_CHUNK, MOST_CHUNK));
    }

    fn print(value: &u64) -> String {
        Size::print(value)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, in_server, refused, warnings};

    #[test]
    fn the_settings_are_those_of_the_server_and_the_chunks_those_of_the_location() {
        let text = "http2_chunk_size 4k; server { listen 80; http2 on; http2_max_concurrent_streams 7; \
                    location / { http2_chunk_size 64k; } } server { listen 80; server_name b; }";
        let config = accepted(&in_http(text));
        let [first, second] = &config.http.servers[..] else { panic!("two servers") };
        let http2 = &first.fallback.settings.http2;
        assert_eq!((http2.enabled, http2.max_concurrent_streams, http2.chunk_bytes), (true, 7, 4096));
        // No longer than the frames that every client takes.
        assert_eq!(first.locations[0].settings.http2.chunk_bytes, 16_384);
        assert!(!second.fallback.settings.http2.enabled);
        assert!(!config.http.listeners[0].http2);
    }

    #[test]
    fn listen_says_it_for_the_address() {
        let text = "server { listen 80; } server { listen 80 http2; server_name b; }";
        assert!(accepted(&in_http(text)).http.listeners[0].http2);
        let said = warnings(&in_server("listen 80 http2;"));
        assert!(said[0].contains("the \"listen ... http2\" directive is deprecated"), "{said:?}");
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("http2 maybe;", "invalid value \"maybe\" in \"http2\" directive, it must be \"on\" or \"off\""),
            ("http2_body_preread_size 2g;", "\"http2_body_preread_size\" directive invalid value"),
            ("http2_body_preread_size 2048m;", "the maximum body preread buffer size is 2147483647"),
            ("location / { http2 on; }", "\"http2\" directive is not allowed here"),
        ] {
            refused(&in_server(text), message);
        }
        for obsolete in
            ["http2_push off", "http2_max_requests 9", "http2_max_field_size 8k", "http2_recv_timeout 1s"]
        {
            let said = warnings(&in_server(&format!("{obsolete};")));
            assert!(said.is_empty() || said[0].contains("obsolete"), "{said:?}");
        }
    }
}
