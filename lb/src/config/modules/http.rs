//! `http`, `server` and `location`: nginx's `ngx_http_core_module`, but for the directives that have a file of
//! their own beside this one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::diagnostics::Report;
use crate::config::model::HeaderLimits;
use crate::config::syntax::Directive;
use crate::config::table::Effect::{Level, Opens, Server};
use crate::config::table::draft::Settings;
use crate::config::table::{
    Block, FLAG, HTTP, LEVELS, LOCATION, NUMBER, OFFSET, Row, SECONDS, SERVER, SIZE, TIME, UPSTREAM,
    at_least, no_effect, one, refused, row, words,
};
use crate::config::values;

use super::{listen, server_name};

/// nginx's default `connection_pool_size`, below which it refuses header buffers.
const SMALLEST_HEADER_BUFFER: u64 = 512;

/// nginx's default `client_header_buffer_size`: the buffer before the large ones.
const FIRST_HEADER_BUFFER: usize = 1024;

const NO_FILES: &str = "no file is served";
const NO_HASH: &str = "its hash tables grow by themselves";

#[rustfmt::skip]
pub(in crate::config) const ROWS: &[Row] = &[
    row("server", HTTP, words(0, 0, "{ … }"), "", Opens(Block::Server), "A virtual server").repeatable(),
    row("location", SERVER | LOCATION, words(1, 2, "[= | ^~] path { … }"), "", Opens(Block::Location),
        "Settings for the requests whose normalised path begins with this (or, with `=`, is this); regular expressions and named locations are refused").repeatable(),
    row("listen", SERVER, at_least(1, "address[:port] | port | unix:path [default_server] [backlog=number] [ipv6only=on|off]"), "*:80, or *:8000 unless root", Server(listen::listen),
        "Where the server accepts connections; `reuseport`, `deferred`, `bind`, `so_keepalive`, `rcvbuf`, `sndbuf`, `fastopen` and `multipath` are accepted without effect, `ssl`, `http2`, `quic` and `proxy_protocol` are refused").repeatable(),
    row("server_name", SERVER, at_least(1, "name …"), "\"\"", Server(server_name::server_name),
        "The names it answers to: exact, `*.example.org`, `.example.org`, `www.example.*`, or `~` and a regular expression (without look-around and back-references)").repeatable(),
    row("client_header_timeout", HTTP | SERVER, TIME, "60s", Level(|s, d, r| s.client_header_timeout = r.milliseconds(d, 0)),
        "How long a client may take for the whole request header; then 408"),
    row("large_client_header_buffers", HTTP | SERVER, words(2, 2, "number size"), "4 8k", Level(large_client_header_buffers),
        "Limits of the request header: a line (414), a field (400) of at most `size`, all of at most `number` times as much"),
    row("client_body_timeout", LEVELS, TIME, "60s", Level(|s, d, r| s.client_body_timeout = r.milliseconds(d, 0)),
        "How long a client may pause within a request body; then 408"),
    row("client_max_body_size", LEVELS, OFFSET, "1m", Level(client_max_body_size),
        "The largest request body (413); 0 is no limit"),
    row("send_timeout", LEVELS, TIME, "60s", Level(|s, d, r| s.send_timeout = r.milliseconds(d, 0)),
        "How long a client may take no byte of an answer; then the connection is closed"),
    row("keepalive_timeout", LEVELS, words(1, 2, "timeout [header_timeout]"), "75s", Level(keepalive_timeout),
        "How long an idle client connection stays open (0: closes after each answer), and what the Keep-Alive field tells"),
    row("keepalive_requests", LEVELS, NUMBER, "1000", Level(|s, d, r| s.keepalive_requests = r.number(d, 0)),
        "How many requests a client connection may carry"),
    row("server_tokens", LEVELS, one("on | off | build"), "on", Level(server_tokens),
        "Whether the version is told in `Server` and on error pages; `build` means `on`"),
    row("types", LEVELS, words(0, 0, "{ type extension …; … }"), "text/html html; image/gif gif; image/jpeg jpg", Level(types),
        "Media types by extension, for the texts of `return`").with_block().repeatable(),
    row("default_type", LEVELS, one("type"), "text/plain", Level(|s, d, _| s.default_type = Some(d.argument(0).to_owned())),
        "The media type where `types` has none"),

    no_effect("aio", LEVELS, words(1, 1, "…"), NO_FILES),
    no_effect("aio_write", LEVELS, FLAG, NO_FILES),
    no_effect("client_body_buffer_size", LEVELS, SIZE,
        "request bodies of up to 64 KiB are read before a server is picked, longer ones are streamed"),
    no_effect("client_body_in_single_buffer", LEVELS, FLAG,
        "request bodies of up to 64 KiB are read before a server is picked, longer ones are streamed"),
    no_effect("client_body_temp_path", LEVELS, words(1, 4, "path …"),
        "request bodies are never written to disk"),
    no_effect("client_header_buffer_size", HTTP | SERVER, SIZE,
        "the limits are those of `large_client_header_buffers`"),
    no_effect("connection_pool_size", HTTP | SERVER, SIZE, "memory is not taken from pools of fixed size"),
    no_effect("directio", LEVELS, words(1, 1, "size | off"), NO_FILES),
    no_effect("directio_alignment", LEVELS, OFFSET, NO_FILES),
    no_effect("etag", LEVELS, FLAG, NO_FILES),
    no_effect("if_modified_since", LEVELS, one("off | exact | before"), NO_FILES),
    no_effect("keepalive_disable", LEVELS, at_least(1, "none | browser …"),
        "the browsers that need it (Internet Explorer 6, Safari 5) are gone"),
    no_effect("keepalive_min_timeout", LEVELS, TIME,
        "an idle connection is closed when it has to be, no sooner"),
    no_effect("keepalive_time", LEVELS, TIME,
        "a connection lives for `keepalive_requests` requests, however long they take"),
    no_effect("lingering_close", LEVELS, one("off | on | always"),
        "connections are closed as Pingora closes them"),
    no_effect("lingering_time", LEVELS, TIME, "connections are closed as Pingora closes them"),
    no_effect("lingering_timeout", LEVELS, TIME, "connections are closed as Pingora closes them"),
    no_effect("log_not_found", LEVELS, FLAG, NO_FILES),
    no_effect("log_subrequest", LEVELS, FLAG, "there are no subrequests"),
    no_effect("max_ranges", LEVELS, NUMBER, "ranges are cut by the servers behind"),
    no_effect("msie_padding", LEVELS, FLAG, "Internet Explorer 6 is gone"),
    no_effect("msie_refresh", LEVELS, FLAG, "Internet Explorer 6 is gone"),
    no_effect("open_file_cache", LEVELS, at_least(1, "…"), NO_FILES),
    no_effect("open_file_cache_errors", LEVELS, FLAG, NO_FILES),
    no_effect("open_file_cache_min_uses", LEVELS, NUMBER, NO_FILES),
    no_effect("open_file_cache_valid", LEVELS, SECONDS, NO_FILES),
    no_effect("output_buffers", LEVELS, words(2, 2, "number size"), NO_FILES),
    no_effect("postpone_output", LEVELS, SIZE, "what a server sends is passed on at once"),
    no_effect("read_ahead", LEVELS, SIZE, NO_FILES),
    no_effect("request_pool_size", HTTP | SERVER, SIZE, "memory is not taken from pools of fixed size"),
    no_effect("reset_timedout_connection", LEVELS, FLAG,
        "connections that timed out are closed in the ordinary way"),
    no_effect("send_lowat", LEVELS, SIZE, "Linux ignores it, as nginx does there"),
    no_effect("sendfile", LEVELS, FLAG, NO_FILES),
    no_effect("sendfile_max_chunk", LEVELS, SIZE, NO_FILES),
    no_effect("server_names_hash_bucket_size", HTTP, NUMBER, NO_HASH),
    no_effect("server_names_hash_max_size", HTTP, NUMBER, NO_HASH),
    no_effect("subrequest_output_buffer_size", LEVELS, SIZE, "there are no subrequests"),
    no_effect("tcp_nodelay", LEVELS, FLAG, "small writes are never held back"),
    no_effect("tcp_nopush", LEVELS, FLAG, "it goes with sendfile, and no file is served"),
    no_effect("types_hash_bucket_size", LEVELS, NUMBER, NO_HASH),
    no_effect("types_hash_max_size", LEVELS, NUMBER, NO_HASH),
    no_effect("variables_hash_bucket_size", HTTP, NUMBER, NO_HASH),
    no_effect("variables_hash_max_size", HTTP, NUMBER, NO_HASH),

    refused("absolute_redirect", LEVELS,
        "redirects of `return` to a path always name scheme and host").harmless(&["on"]),
    refused("alias", LOCATION, NO_FILES),
    refused("allow_connect", LEVELS, "CONNECT is not tunnelled").harmless(&["off"]),
    refused("auth_delay", LEVELS, "there is no authentication that could be delayed").harmless(&["0", "0s"]),
    refused("chunked_transfer_encoding", LEVELS,
        "answers of unknown length are always chunked for HTTP/1.1").harmless(&["on"]),
    refused("client_body_in_file_only", LEVELS,
        "request bodies are never written to disk").harmless(&["off"]),
    refused("disable_symlinks", LEVELS, NO_FILES).harmless(&["off"]),
    refused("early_hints", LEVELS, "103 responses are not passed on"),
    refused("error_page", LEVELS, "error pages cannot be replaced yet"),
    refused("ignore_invalid_headers", HTTP | SERVER,
        "malformed header fields are never passed on").harmless(&["on"]),
    refused("internal", LOCATION, "there are no internal redirects that could reach it"),
    refused("limit_except", LOCATION, "methods cannot be restricted yet").with_block(),
    refused("limit_rate", LEVELS, "the rate of answers cannot be limited").harmless(&["0"]),
    refused("limit_rate_after", LEVELS, "the rate of answers cannot be limited").harmless(&["0"]),
    refused("max_headers", HTTP | SERVER, "the number of header fields is limited by the parser"),
    refused("merge_slashes", HTTP | SERVER,
        "slashes are always merged for the choice of a location").harmless(&["on"]),
    refused("port_in_redirect", LEVELS,
        "redirects of `return` to a path always name the port").harmless(&["on"]),
    refused("recursive_error_pages", LEVELS, "error pages cannot be replaced yet").harmless(&["off"]),
    refused("root", LEVELS, NO_FILES),
    refused("satisfy", LEVELS, "there are no access rules to combine").harmless(&["all"]),
    refused("server_name_in_redirect", LEVELS,
        "redirects of `return` to a path name the host that the client asked for").harmless(&["off"]),
    refused("try_files", SERVER | LOCATION, NO_FILES),
    refused("underscores_in_headers", HTTP | SERVER,
        "fields with underscores in their names are not passed on").harmless(&["off"]),
    refused("if", SERVER | LOCATION | UPSTREAM, "there are no conditions").with_block(),
];

fn large_client_header_buffers(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    let number = values::number(directive.argument(0)).filter(|&number| number > 0);
    let size = values::size(directive.argument(1)).filter(|&size| size > 0);
    let (Some(number), Some(size)) = (number, size) else {
        let hint = format!(
            "\"{} {}\" is not a number and a size such as 4 8k",
            directive.argument(0),
            directive.argument(1)
        );
        report.emerg_hint(
            "\"large_client_header_buffers\" directive invalid value",
            &directive.argument_position(0),
            hint,
        );
        return;
    };
    if size < SMALLEST_HEADER_BUFFER {
        report.emerg_hint(
            "the \"large_client_header_buffers\" size must be equal to or greater than \"connection_pool_size\"",
            &directive.argument_position(1),
            format!("{SMALLEST_HEADER_BUFFER} bytes at least"),
        );
        return;
    }
    let line_bytes = usize::try_from(size).unwrap_or(usize::MAX);
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    let total_bytes = line_bytes.saturating_mul(number).saturating_add(FIRST_HEADER_BUFFER);
    settings.header_limits = Some(HeaderLimits { line_bytes, total_bytes });
}

fn client_max_body_size(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    settings.client_max_body_bytes = report.offset(directive, 0).map(|bytes| (bytes > 0).then_some(bytes));
}

fn keepalive_timeout(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    let Some(timeout) = report.milliseconds(directive, 0) else { return };
    let header = match directive.arguments.len() {
        2 => match report.seconds(directive, 1) {
            Some(header) => Some(header),
            None => return,
        },
        _ => None,
    };
    settings.keepalive_timeout = Some((timeout, header));
}

fn server_tokens(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    match directive.argument(0) {
        "on" | "build" => settings.server_tokens = Some(true),
        "off" => settings.server_tokens = Some(false),
        other => report.emerg_hint(
            format!("invalid value \"{other}\""),
            &directive.argument_position(0),
            "\"server_tokens\" accepts on, off and build; texts of one's own are NGINX Plus's",
        ),
    }
}

fn types(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    let table = Arc::make_mut(settings.types.get_or_insert_with(Arc::default));
    for entry in directive.block.iter().flatten() {
        if entry.block.is_some() {
            let hint =
                format!("\"types\" holds types and their extensions, and \"{}\" opens a block", entry.name);
            report.emerg_hint("unexpected \"{\"", &entry.position, hint);
            continue;
        }
        if entry.name == "include" {
            report.emerg("invalid number of arguments in \"include\" directive", &entry.position);
            continue;
        }
        for extension in entry.words() {
            add_type(table, extension, entry, report);
        }
    }
}

/// As in nginx, the last type of an extension stands, and the clash is said.
fn add_type(table: &mut HashMap<String, String>, extension: &str, entry: &Directive, report: &mut Report) {
    let previous = table.insert(extension.to_ascii_lowercase(), entry.name.clone());
    if let Some(previous) = previous {
        let message = format!(
            "duplicate extension \"{extension}\", content type: \"{}\", previous content type: \"{previous}\"",
            entry.name
        );
        report.warn(message, &entry.position);
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
        let location = &config.http.servers[0].locations[0];
        assert_eq!(location.client_body_timeout, Duration::from_secs(1));
        assert_eq!(location.client_max_body_bytes, Some(2048));
        assert_eq!(location.send_timeout, Duration::from_secs(3));
        assert_eq!(location.keepalive_timeout, Duration::from_secs(4));
        assert_eq!(location.keepalive_header, Some(Duration::from_secs(5)));
        assert_eq!(location.keepalive_requests, 6);
        assert!(!location.server_tokens);
        assert_eq!(location.default_type, "a/b");
        assert_eq!(location.types.len(), 2);
        assert_eq!(location.types["e"], "c/d");
    }

    #[test]
    fn silence_means_nginxs_defaults() {
        let server = &accepted(&in_http("server { }")).http.servers[0];
        assert_eq!(server.client_header_timeout, Duration::from_secs(60));
        assert_eq!(server.header_limits, HeaderLimits { line_bytes: 8192, total_bytes: 4 * 8192 + 1024 });
        let location = &server.fallback;
        assert_eq!(location.client_max_body_bytes, Some(1 << 20));
        assert_eq!(location.keepalive_timeout, Duration::from_secs(75));
        assert_eq!((location.keepalive_header, location.keepalive_requests), (None, 1000));
        assert!(location.server_tokens);
        assert_eq!((location.default_type.as_str(), location.types.len()), ("text/plain", 3));
    }

    #[test]
    fn limits_and_switches() {
        let server = |text: &str| accepted(&in_server(text)).http.servers.pop().unwrap();
        assert_eq!(server("client_max_body_size 0;").fallback.client_max_body_bytes, None);
        assert!(server("server_tokens build;").fallback.server_tokens);
        let limits = server("large_client_header_buffers 2 1k;").header_limits;
        assert_eq!(limits, HeaderLimits { line_bytes: 1024, total_bytes: 3072 });
        let huge =
            server("large_client_header_buffers 9223372036854775807 9223372036854775807;").header_limits;
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
            ("root /x;", "nginx's directive \"root\" is not supported: no file is served"),
            ("merge_slashes off;", "nginx's directive \"merge_slashes\" is not supported"),
        ];
        for (text, message) in cases {
            refused(&in_server(text), message);
        }
        assert_eq!(warnings(&in_server("merge_slashes on; satisfy all;")), Vec::<String>::new());
        assert!(
            warnings(&in_server("types { a/b x; c/d x; }"))[0]
                .contains("duplicate extension \"x\", content type: \"c/d\", previous content type: \"a/b\"")
        );
        assert!(
            warnings(&in_http("sendfile on;"))[0]
                .contains("\"sendfile\" has no effect here: no file is served")
        );
    }
}
