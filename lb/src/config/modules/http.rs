//! What of nginx's `ngx_http_core_module` has no file of its own beside this one.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Opens;
use crate::config::table::{
    Argument, Arguments, Block, FLAG, Flag, HTTP, LEVELS, NUMBER, Row, SERVER, SIZE, TIME, at_least,
    no_effect, one, row, settings, words,
};

const NO_HASH: &str = "its hash tables grow by themselves";

/// What opens the block that all others of HTTP stand in.
#[rustfmt::skip]
pub(super) const SERVER_BLOCK: &[Row] = &[
    row("server", HTTP, words(0, 0, "{ … }"), Opens(|d, _, _| Block::new(SERVER, d.position.clone())),
        "A virtual server").repeatable(),
];

settings! {
    /// What an answer tells of this program, and how requests are read.
    HttpCore {
        "absolute_redirect" in LEVELS,
        absolute_redirect: bool as Flag = true,
        "Whether a redirect to a path of this program names scheme and host";

        "port_in_redirect" in LEVELS,
        port_in_redirect: bool as Flag = true,
        "Whether an absolute redirect to a path of this program names the port that the client connected to, where that is not 80";

        "server_name_in_redirect" in LEVELS,
        server_name_in_redirect: bool as Flag = false,
        "Whether an absolute redirect to a path of this program names the first `server_name`, rather than the host that the client asked for";

        "merge_slashes" in HTTP.or(SERVER),
        merge_slashes: bool as Flag = true,
        "Whether slashes in a row count as one when a location is looked for";

        "server_tokens" in LEVELS,
        server_tokens: bool as ServerTokens = true,
        "Whether the version is told in `Server` and on error pages",
        differs "`build` means `on`; the name is that of this program; texts of one's own are refused, as in nginx without a subscription";

        "chunked_transfer_encoding" in LEVELS,
        chunked_transfer_encoding: bool as Flag = true,
        "Whether an answer of unknown length goes to an HTTP/1.1 client in chunks; without them the end of the connection ends it";

        "log_subrequest" in LEVELS,
        log_subrequest: bool as Flag = false,
        "Whether subrequests have lines of their own in the access log";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("client_body_buffer_size", LEVELS, SIZE,
        "request bodies of up to 64 KiB are read before a server is picked, longer ones are streamed").without("8k|16k"),
    no_effect("client_body_in_single_buffer", LEVELS, FLAG,
        "request bodies of up to 64 KiB are read before a server is picked, longer ones are streamed").without("off"),
    no_effect("client_body_temp_path", LEVELS, words(1, 4, "path …"),
        "request bodies are never written to disk").without("client_body_temp"),
    no_effect("client_header_buffer_size", HTTP.or(SERVER), SIZE,
        "the limits are those of `large_client_header_buffers`").without("1k"),
    no_effect("connection_pool_size", HTTP.or(SERVER), SIZE, "memory is not taken from pools of fixed size").without("256|512"),
    no_effect("keepalive_disable", LEVELS, at_least(1, "none | browser …"),
        "the browsers that need it (Internet Explorer 6, Safari 5) are gone").without("msie6"),
    no_effect("keepalive_min_timeout", LEVELS, TIME,
        "an idle connection is closed when it has to be, no sooner").without("0"),
    no_effect("lingering_close", LEVELS, one("off | on | always"),
        "connections are closed as Pingora closes them").without("on"),
    no_effect("lingering_time", LEVELS, TIME, "connections are closed as Pingora closes them").without("30s"),
    no_effect("lingering_timeout", LEVELS, TIME, "connections are closed as Pingora closes them").without("5s"),
    no_effect("msie_padding", LEVELS, FLAG, "Internet Explorer 6 is gone").without("on"),
    no_effect("msie_refresh", LEVELS, FLAG, "Internet Explorer 6 is gone").without("off"),
    no_effect("postpone_output", LEVELS, SIZE, "what a server sends is passed on at once").without("1460"),
    no_effect("request_pool_size", HTTP.or(SERVER), SIZE, "memory is not taken from pools of fixed size").without("4k"),
    no_effect("reset_timedout_connection", LEVELS, FLAG,
        "connections that timed out are closed in the ordinary way").without("off"),
    no_effect("send_lowat", LEVELS, SIZE, "Linux ignores it, as nginx does there").without("0"),
    no_effect("server_names_hash_bucket_size", HTTP, NUMBER, NO_HASH).without("32|64|128"),
    no_effect("server_names_hash_max_size", HTTP, NUMBER, NO_HASH).without("512"),
    no_effect("subrequest_output_buffer_size", LEVELS, SIZE, "no answer of a subrequest is kept in memory for its sake").without("4k|8k"),
    no_effect("tcp_nodelay", LEVELS, FLAG, "small writes are never held back").without("on"),
    no_effect("types_hash_bucket_size", LEVELS, NUMBER, NO_HASH).without("64"),
    no_effect("types_hash_max_size", LEVELS, NUMBER, NO_HASH).without("1024"),
    no_effect("variables_hash_bucket_size", HTTP, NUMBER, NO_HASH).without("64"),
    no_effect("variables_hash_max_size", HTTP, NUMBER, NO_HASH).without("1024"),


];

/// Whether the version is told.
struct ServerTokens;

impl Argument for ServerTokens {
    type Value = bool;

    const ARGUMENTS: Arguments = one("on | off | build");

    fn read(into: &mut Option<bool>, directive: &Directive, report: &mut Report) {
        match directive.argument(0) {
            "on" | "build" => *into = Some(true),
            "off" => *into = Some(false),
            other => report.emerg_hint(
                format!("invalid value \"{other}\""),
                &directive.argument_position(0),
                "\"server_tokens\" accepts on, off and build; texts of one's own are NGINX Plus's",
            ),
        }
    }

    fn print(value: &bool) -> String {
        if *value { "on" } else { "off" }.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::config::model::HeaderLimits;
    use crate::config::testing::{accepted, in_http, in_location, in_server, refused, warnings};

    #[test]
    fn settings_reach_the_location() {
        let config = accepted(&in_location(
            "return 204; client_body_timeout 1s; client_max_body_size 2k; send_timeout 3s; keepalive_timeout 4s 5s; \
             keepalive_requests 6; server_tokens off; default_type a/b; types { c/d E f; }",
        ));
        let settings = &config.http.servers[0].locations[0].settings;
        assert_eq!(settings.client.body_timeout, Duration::from_secs(1));
        assert_eq!(settings.client.max_body_bytes, Some(2048));
        assert_eq!(settings.client.send_timeout, Duration::from_secs(3));
        assert_eq!(settings.keepalive.timeout.idle, Duration::from_secs(4));
        assert_eq!(settings.keepalive.timeout.header, Some(Duration::from_secs(5)));
        assert_eq!(settings.keepalive.requests, 6);
        assert!(!settings.core.server_tokens);
        assert_eq!(settings.types.default, "a/b");
        assert_eq!(settings.types.by_extension.len(), 2);
        assert_eq!(settings.types.by_extension["e"], "c/d");
    }

    #[test]
    fn silence_means_nginxs_defaults() {
        let settings = &accepted(&in_http("server { }")).http.servers[0].fallback.settings;
        assert_eq!(settings.client.header_timeout, Duration::from_secs(60));
        assert_eq!(
            settings.client.header_limits,
            HeaderLimits { line_bytes: 8192, total_bytes: 4 * 8192 + 1024 }
        );
        assert_eq!(settings.client.max_body_bytes, Some(1 << 20));
        assert_eq!(settings.keepalive.timeout.idle, Duration::from_secs(75));
        assert_eq!((settings.keepalive.timeout.header, settings.keepalive.requests), (None, 1000));
        assert!(settings.core.server_tokens);
        assert_eq!((settings.types.default.as_str(), settings.types.by_extension.len()), ("text/plain", 3));
    }

    #[test]
    fn limits_and_switches() {
        let server = |text: &str| accepted(&in_server(text)).http.servers[0].fallback.settings.clone();
        assert_eq!(server("client_max_body_size 0;").client.max_body_bytes, None);
        assert!(server("server_tokens build;").core.server_tokens);
        let core = server(
            "absolute_redirect off; port_in_redirect off; server_name_in_redirect on; merge_slashes off;",
        )
        .core;
        assert!(!core.absolute_redirect && !core.port_in_redirect && !core.merge_slashes);
        assert!(core.server_name_in_redirect);
        let limits = server("large_client_header_buffers 2 1k;").client.header_limits;
        assert_eq!(limits, HeaderLimits { line_bytes: 1024, total_bytes: 3072 });
        let huge = server("large_client_header_buffers 9223372036854775807 9223372036854775807;")
            .client
            .header_limits;
        assert_eq!(huge.total_bytes, usize::MAX);
    }

    #[test]
    fn mistakes() {
        let cases = [
            ("client_header_timeout 1x;", "\"client_header_timeout\" directive invalid value"),
            ("client_body_timeout 1x;", "\"client_body_timeout\" directive invalid value"),
            ("client_max_body_size 1x;", "\"client_max_body_size\" directive invalid value"),
            ("send_timeout 1x;", "\"send_timeout\" directive invalid value"),
            ("keepalive_timeout 1x;", "\"keepalive_timeout\" directive invalid value"),
            ("keepalive_timeout 1 1ms;", "\"keepalive_timeout\" directive invalid value"),
            ("keepalive_requests 1k;", "\"keepalive_requests\" directive invalid number"),
            ("large_client_header_buffers 4 1g;", "\"large_client_header_buffers\" directive invalid value"),
            (
                "large_client_header_buffers 4 511;",
                "the \"large_client_header_buffers\" size must be equal to",
            ),
            ("server_tokens \"lb 1\";", "invalid value \"lb 1\""),
            ("types { a/b { } }", "unexpected \"{\" in /conf/nginx.conf:1"),
            ("types { include; }", "invalid number of arguments in \"include\" directive"),
            ("merge_slashes perhaps;", "invalid value \"perhaps\" in \"merge_slashes\" directive"),
        ];
        for (text, message) in cases {
            refused(&in_server(text), message);
        }
        assert_eq!(warnings(&in_server("satisfy all;")), Vec::<String>::new());
        assert!(
            warnings(&in_server("types { a/b x; c/d x; }"))[0]
                .contains("duplicate extension \"x\", content type: \"c/d\", previous content type: \"a/b\"")
        );
    }
}
