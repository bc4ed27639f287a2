//! Proxying: nginx's `ngx_http_proxy_module`.

use http::HeaderName;

use crate::config::address;
use crate::config::diagnostics::Report;
use crate::config::model::{NextUpstream, ServerAddress, SetHeader};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Level;
use crate::config::table::draft::{ProxyPass, Settings};
use crate::config::table::{
    FLAG, HTTP, LEVELS, LOCATION, NUMBER, Row, SIZE, TIME, at_least, no_effect, one, refused, row, words,
};

const STREAMED: &str = "answers are streamed with buffers of their own size and never written to disk";
const NO_CACHE: &str = "nothing is cached";
const NO_TLS: &str = "there is no TLS to servers yet";
const BODY_AS_IT_IS: &str =
    "the request is passed on with the method, the fields and the body that the client sent";

#[rustfmt::skip]
pub(in crate::config) const ROWS: &[Row] = &[
    row("proxy_pass", LOCATION, one("http://upstream[URI] | http://address[:port][URI]"), "", Level(proxy_pass),
        "Passes requests on. With a URI part, that replaces what the location matched of the normalised path; without, the request's own URI goes as it came. Variables and `https://` are refused"),
    row("proxy_set_header", LEVELS, words(2, 2, "field value"), "Host $proxy_host", Level(proxy_set_header),
        "Sets a request field; an empty value sends none. A level that has any inherits none. `Connection`, `Upgrade` and the fields that frame a message are set by the connection itself, and WebSocket works without them").repeatable(),
    row("proxy_http_version", LEVELS, one("1.0 | 1.1"), "1.1", Level(proxy_http_version),
        "The HTTP version towards servers"),
    row("proxy_connect_timeout", LEVELS, TIME, "60s", Level(|s, d, r| s.proxy.connect_timeout = r.milliseconds(d, 0)),
        "How long connecting to a server may take"),
    row("proxy_read_timeout", LEVELS, TIME, "60s", Level(|s, d, r| s.proxy.read_timeout = r.milliseconds(d, 0)),
        "How long a server may pause within an answer"),
    row("proxy_send_timeout", LEVELS, TIME, "60s", Level(|s, d, r| s.proxy.send_timeout = r.milliseconds(d, 0)),
        "How long a server may take no byte of a request"),
    row("proxy_next_upstream", LEVELS, at_least(1, "error | timeout | off …"), "error timeout", Level(proxy_next_upstream),
        "On which failures another server is tried; the other conditions of nginx are refused for now").repeatable(),
    row("proxy_hide_header", LEVELS, one("field"), "", Level(proxy_hide_header),
        "Fields of servers' answers that clients do not get, beside `Date`, `Server`, `X-Pad` and `X-Accel-Expires`, `-Redirect`, `-Limit-Rate`, `-Buffering` and `-Charset`").repeatable(),
    row("proxy_pass_header", LEVELS, one("field"), "", Level(proxy_pass_header),
        "Fields that clients get although they are hidden otherwise").repeatable(),
    row("proxy_redirect", LEVELS, words(1, 2, "default | off"), "default", Level(proxy_redirect),
        "Whether a `Location` or `Refresh` that names the address of `proxy_pass` is turned into one of ours; redirects of one's own are refused for now"),
    row("proxy_buffering", LEVELS, FLAG, "on", Level(|s, d, r| s.proxy.buffering = r.flag(d, 0)),
        "Accepted both ways; answers are streamed through in any case"),
    row("proxy_request_buffering", LEVELS, FLAG, "on", Level(|s, d, r| s.proxy.request_buffering = r.flag(d, 0)),
        "Whether a request body of up to 64 KiB is read before a server is picked; longer ones are streamed in any case"),
    row("proxy_ignore_headers", LEVELS, at_least(1, "field …"), "", Level(proxy_ignore_headers),
        "Fields of servers' answers that steer nothing. Only `X-Accel-Redirect` steers anything: an answer with it is 502 for now").repeatable(),

    no_effect("proxy_buffer_size", LEVELS, SIZE, STREAMED),
    no_effect("proxy_buffers", LEVELS, words(2, 2, "number size"), STREAMED),
    no_effect("proxy_busy_buffers_size", LEVELS, SIZE, STREAMED),
    no_effect("proxy_max_temp_file_size", LEVELS, SIZE, STREAMED).harmless(&["0"]),
    no_effect("proxy_temp_file_write_size", LEVELS, SIZE, STREAMED),
    no_effect("proxy_temp_path", LEVELS, words(1, 4, "path …"), STREAMED),
    no_effect("proxy_cache_bypass", LEVELS, at_least(1, "string …"), NO_CACHE).repeatable(),
    no_effect("proxy_no_cache", LEVELS, at_least(1, "string …"), NO_CACHE).repeatable(),
    no_effect("proxy_headers_hash_bucket_size", LEVELS, NUMBER, "there is no hash table to size"),
    no_effect("proxy_headers_hash_max_size", LEVELS, NUMBER, "there is no hash table to size"),
    no_effect("proxy_send_lowat", LEVELS, SIZE, "Linux ignores it, as nginx does there"),
    no_effect("proxy_socket_keepalive", LEVELS, FLAG,
        "idle upstream connections end by `keepalive_timeout`, and dead ones are replaced"),

    refused("proxy_allow_upstream", LEVELS, "servers cannot be filtered by address"),
    refused("proxy_bind", LEVELS,
        "the address that connections to servers come from cannot be chosen").harmless(&["off"]),
    refused("proxy_cache", LEVELS, NO_CACHE).harmless(&["off"]),
    refused("proxy_cache_background_update", LEVELS, NO_CACHE).harmless(&["off"]),
    refused("proxy_cache_convert_head", LEVELS, NO_CACHE),
    refused("proxy_cache_key", LEVELS, NO_CACHE),
    refused("proxy_cache_lock", LEVELS, NO_CACHE).harmless(&["off"]),
    refused("proxy_cache_lock_age", LEVELS, NO_CACHE),
    refused("proxy_cache_lock_timeout", LEVELS, NO_CACHE),
    refused("proxy_cache_max_range_offset", LEVELS, NO_CACHE),
    refused("proxy_cache_methods", LEVELS, NO_CACHE),
    refused("proxy_cache_min_uses", LEVELS, NO_CACHE),
    refused("proxy_cache_path", HTTP, NO_CACHE),
    refused("proxy_cache_purge", LEVELS, NO_CACHE),
    refused("proxy_cache_revalidate", LEVELS, NO_CACHE).harmless(&["off"]),
    refused("proxy_cache_use_stale", LEVELS, NO_CACHE).harmless(&["off"]),
    refused("proxy_cache_valid", LEVELS, NO_CACHE),
    refused("proxy_cookie_domain", LEVELS, "cookies are passed on as they are").harmless(&["off"]),
    refused("proxy_cookie_flags", LEVELS, "cookies are passed on as they are").harmless(&["off"]),
    refused("proxy_cookie_path", LEVELS, "cookies are passed on as they are").harmless(&["off"]),
    refused("proxy_force_ranges", LEVELS, "ranges are cut by the servers behind").harmless(&["off"]),
    refused("proxy_ignore_client_abort", LEVELS, "a request ends when its client goes").harmless(&["off"]),
    refused("proxy_intercept_errors", LEVELS, "error pages cannot be replaced yet").harmless(&["off"]),
    refused("proxy_limit_rate", LEVELS, "the rate of answers cannot be limited").harmless(&["0"]),
    refused("proxy_method", LEVELS, BODY_AS_IT_IS),
    refused("proxy_next_upstream_timeout", LEVELS,
        "not yet: tries are limited by the number of servers").harmless(&["0", "0s"]),
    refused("proxy_next_upstream_tries", LEVELS,
        "not yet: tries are limited by the number of servers").harmless(&["0"]),
    refused("proxy_pass_request_body", LEVELS, BODY_AS_IT_IS).harmless(&["on"]),
    refused("proxy_pass_request_headers", LEVELS, BODY_AS_IT_IS).harmless(&["on"]),
    refused("proxy_pass_trailers", LEVELS, "trailers are not passed on").harmless(&["off"]),
    refused("proxy_request_dynamic", LEVELS, BODY_AS_IT_IS),
    refused("proxy_set_body", LEVELS, BODY_AS_IT_IS),
    refused("proxy_ssl_alpn", LEVELS, NO_TLS),
    refused("proxy_ssl_certificate", LEVELS, NO_TLS),
    refused("proxy_ssl_certificate_cache", LEVELS, NO_TLS),
    refused("proxy_ssl_certificate_key", LEVELS, NO_TLS),
    refused("proxy_ssl_ciphers", LEVELS, NO_TLS),
    refused("proxy_ssl_conf_command", LEVELS, NO_TLS),
    refused("proxy_ssl_crl", LEVELS, NO_TLS),
    refused("proxy_ssl_key_log", LEVELS, NO_TLS),
    refused("proxy_ssl_name", LEVELS, NO_TLS),
    refused("proxy_ssl_password_file", LEVELS, NO_TLS),
    refused("proxy_ssl_protocols", LEVELS, NO_TLS),
    refused("proxy_ssl_server_name", LEVELS, NO_TLS).harmless(&["off"]),
    refused("proxy_ssl_session_reuse", LEVELS, NO_TLS),
    refused("proxy_ssl_trusted_certificate", LEVELS, NO_TLS),
    refused("proxy_ssl_verify", LEVELS, NO_TLS).harmless(&["off"]),
    refused("proxy_ssl_verify_depth", LEVELS, NO_TLS),
    refused("proxy_store", LEVELS, "answers are never written to disk").harmless(&["off"]),
    refused("proxy_store_access", LEVELS, "answers are never written to disk"),
];

/// The port that `http://` means.
const DEFAULT_PORT: u16 = 80;

fn proxy_pass(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    let url = directive.argument(0);
    let position = directive.argument_position(0);
    let scheme = |name: &str| url.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if scheme("https://") {
        report.unsupported(directive, 0, NO_TLS);
        return;
    }
    if url.contains('$') {
        report.unsupported(
            directive,
            0,
            "servers are known before requests come: name an upstream or an address without variables",
        );
        return;
    }
    if !scheme("http://") {
        report.emerg_hint("invalid URL prefix", &position, format!("\"{url}\" does not begin with http://"));
        return;
    }
    let written = &url["http://".len()..];
    match address::target(written, DEFAULT_PORT) {
        Ok(target) if target.uri.bytes().any(|byte| byte <= b' ' || byte == 0x7f) => {
            report.emerg_hint(
                "\"proxy_pass\" directive invalid value",
                &position,
                "a URI holds neither blanks nor control characters",
            );
        }
        Ok(target) => {
            settings.proxy_pass = Some(ProxyPass { written: written.to_owned(), target, position });
        }
        Err(error) => report.emerg_hint(
            format!("{error} in upstream \"{written}\""),
            &position,
            "\"proxy_pass\" accepts http:// and the name of an upstream or an address, with a URI if need be",
        ),
    }
}

/// Request fields that belong to the connection to the server, and what becomes of a wish about them.
fn kept_by_the_connection(name: &HeaderName, value: &str) -> Option<Kept> {
    let value = value.trim();
    let is = |wish: &str| value.eq_ignore_ascii_case(wish);
    match name.as_str() {
        // What every configuration with WebSocket or keep-alive writes, and what happens anyway.
        "connection" if value.is_empty() || is("upgrade") || is("keep-alive") || is("$http_connection") => {
            Some(Kept::AsWished)
        }
        "upgrade" if value.is_empty() || is("$http_upgrade") || is("websocket") => Some(Kept::AsWished),
        "connection" | "upgrade" => Some(Kept::Ignored(
            "upstream connections are kept alive and upgraded as the client and the server agree",
        )),
        "keep-alive" | "te" | "expect" if value.is_empty() => Some(Kept::AsWished),
        "keep-alive" | "te" | "trailer" => Some(Kept::Ignored("it belongs to the connection")),
        "expect" => Some(Kept::Ignored("a client that expects 100 is answered here")),
        "transfer-encoding" | "content-length" => Some(Kept::Ignored("the length of the body is what it is")),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    AsWished,
    Ignored(&'static str),
}

fn proxy_set_header(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    // Even one that is left out ends the inheritance from the level above.
    let headers = settings.proxy.set_headers.get_or_insert_default();
    let (name, value) = (report.field_name(directive, 0), report.header_value(directive, 1));
    let (Some(name), Some(value)) = (name, value) else { return };
    match kept_by_the_connection(name.name(), directive.argument(1)) {
        None => headers.push(SetHeader { name, value }),
        Some(Kept::AsWished) => {}
        Some(Kept::Ignored(reason)) => report.warn(
            format!("\"proxy_set_header {}\" has no effect here: {reason}", directive.argument(0)),
            &directive.position,
        ),
    }
}

fn proxy_redirect(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    match directive.argument(0) {
        "off" => settings.proxy.redirect = Some(false),
        "default" => settings.proxy.redirect = Some(true),
        _ => report.not_yet(directive, 0),
    }
}

fn proxy_http_version(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    match directive.argument(0) {
        "1.0" => settings.proxy.http_1_0 = Some(true),
        "1.1" => settings.proxy.http_1_0 = Some(false),
        "2" => report.not_yet(directive, 0),
        other => report.emerg_hint(
            format!("invalid value \"{other}\""),
            &directive.argument_position(0),
            "\"proxy_http_version\" accepts 1.0 and 1.1",
        ),
    }
}

fn proxy_next_upstream(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    const OFF: NextUpstream = NextUpstream { error: false, timeout: false };
    // Said again at one level, it adds to what was said there.
    let mut off = settings.proxy.next_upstream == Some(OFF);
    let mut next = settings.proxy.next_upstream.unwrap_or(OFF);
    for (index, word) in directive.words().enumerate() {
        let seen = match word {
            "error" => std::mem::replace(&mut next.error, true),
            "timeout" => std::mem::replace(&mut next.timeout, true),
            "off" => std::mem::replace(&mut off, true),
            "denied" | "invalid_header" | "non_idempotent" | "updating" | "http_500" | "http_502"
            | "http_503" | "http_504" | "http_403" | "http_404" | "http_429" => {
                report.not_yet(directive, index);
                false
            }
            _ => {
                report.emerg_hint(
                    format!("invalid value \"{word}\""),
                    &directive.argument_position(index),
                    "\"proxy_next_upstream\" accepts error, timeout and off",
                );
                false
            }
        };
        if seen {
            report.warn(format!("duplicate value \"{word}\""), &directive.argument_position(index));
        }
    }
    // `off` outweighs what stands beside it.
    settings.proxy.next_upstream = Some(if off { OFF } else { next });
}

fn proxy_hide_header(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    settings.proxy.hide_headers.get_or_insert_default().extend(report.header_name(directive, 0));
}

fn proxy_pass_header(settings: &mut Settings, directive: &Directive, report: &mut Report) {
    settings.proxy.pass_headers.get_or_insert_default().extend(report.header_name(directive, 0));
}

fn proxy_ignore_headers(settings: &mut Settings, directive: &Directive, _report: &mut Report) {
    let names_it = directive.words().any(|word| word.eq_ignore_ascii_case("X-Accel-Redirect"));
    let ignores = settings.proxy.ignores_accel_redirect.get_or_insert(false);
    *ignores |= names_it;
}

/// Whether a `proxy_pass` can mean an upstream of that name.
pub(in crate::config) fn names_upstream(pass: &ProxyPass, name: &str) -> bool {
    !matches!(pass.target.address, ServerAddress::Unix(_)) && pass.target.host.eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use crate::config::model::{Action, Location, NextUpstream, Proxy, SentValue, ServerAddress};
    use crate::config::testing::{accepted, in_location, refused, warnings};
    use crate::script::{Named, Template, Variable};
    use std::sync::Arc;
    use std::time::Duration;

    fn proxy_of(location: &Location) -> Arc<Proxy> {
        match &location.action {
            Action::Proxy(proxy) => Arc::clone(proxy),
            other => panic!("{other:?}"),
        }
    }

    fn proxy(text: &str) -> Arc<Proxy> {
        proxy_of(&accepted(&in_location(text)).http.servers[0].locations[0])
    }

    #[test]
    fn proxy_pass_names_an_upstream_or_makes_one() {
        let config = accepted(&in_location("proxy_pass http://group/api/;"));
        let proxy = proxy_of(&config.http.servers[0].locations[0]);
        let upstream = &config.http.upstreams[proxy.upstream.0];
        assert_eq!((upstream.name.as_str(), upstream.implicit), ("group", false));
        assert_eq!((proxy.host.as_str(), proxy.port, proxy.uri.as_deref()), ("group", 80, Some("/api/")));

        let config = accepted(&in_location("proxy_pass http://10.0.0.1:5001;"));
        let proxy = proxy_of(&config.http.servers[0].locations[0]);
        let upstream = &config.http.upstreams[proxy.upstream.0];
        assert_eq!((upstream.name.as_str(), upstream.implicit), ("10.0.0.1:5001", true));
        assert_eq!(upstream.servers[0].address, ServerAddress::Inet("10.0.0.1:5001".parse().unwrap()));
        assert_eq!((proxy.host.as_str(), proxy.port, proxy.uri.as_deref()), ("10.0.0.1:5001", 5001, None));
    }

    #[test]
    fn proxy_host_leaves_out_the_port_of_the_scheme() {
        let cases = [
            ("http://a.example:80", "a.example"),
            ("http://a.example:81", "a.example:81"),
            ("http://a.example", "a.example"),
            ("http://[::1]:5001", "[::1]:5001"),
            ("http://unix:/tmp/a.sock:/x", "localhost"),
        ];
        for (url, host) in cases {
            assert_eq!(proxy(&format!("proxy_pass {url};")).host, host, "{url}");
        }
        assert_eq!(proxy("proxy_pass http://unix:/tmp/a.sock:/x;").uri.as_deref(), Some("/x"));
        assert_eq!(proxy("proxy_pass http://a.example?b=c;").uri.as_deref(), Some("/?b=c"));
    }

    #[test]
    fn proxy_pass_refuses() {
        let cases = [
            ("proxy_pass group;", "invalid URL prefix"),
            ("proxy_pass http://;", "no host in upstream \"\""),
            ("proxy_pass http://a:0;", "invalid port in upstream \"a:0\""),
            ("proxy_pass http://GROUP:81;", "upstream \"GROUP\" may not have port 81"),
            ("proxy_pass https://a;", "\"https://a\" in the \"proxy_pass\" directive is not supported"),
            ("proxy_pass http://$host;", "\"http://$host\" in the \"proxy_pass\" directive is not supported"),
            ("proxy_pass \"http://a/b c\";", "\"proxy_pass\" directive invalid value"),
        ];
        for (text, message) in cases {
            refused(&in_location(text), message);
        }
    }

    #[test]
    fn a_name_that_is_no_upstream_is_doubted() {
        let text = in_location("proxy_pass http://gruop;");
        assert!(
            warnings(&text)[0]
                .contains("\"gruop\" is no upstream and will be looked up; did you mean \"group\"?")
        );
        assert_eq!(warnings(&in_location("proxy_pass http://elsewhere;")), Vec::<String>::new());
        assert_eq!(warnings(&in_location("proxy_pass http://gruop:80;")), Vec::<String>::new());
        refused(&in_location("proxy_pass http://127.0.0.300;"), "host not found in upstream \"127.0.0.300\"");
    }

    #[test]
    fn host_is_set_unless_the_configuration_sets_it() {
        let default = proxy("proxy_pass http://group;");
        assert_eq!(default.set_headers.len(), 1);
        assert_eq!(default.set_headers[0].value, SentValue::Constant(HeaderValue::from_static("group")));
        let own = proxy("proxy_pass http://group; proxy_set_header host $host; proxy_set_header X-A b;");
        let names: Vec<&str> = own.set_headers.iter().map(|header| header.name.name().as_str()).collect();
        assert_eq!(names, ["host", "x-a"]);
    }

    #[test]
    fn what_a_request_cannot_change_is_made_once() {
        let proxy = proxy(
            "proxy_pass http://group; proxy_set_header X-A $proxy_host:$proxy_port; proxy_set_header X-B \"\";
             proxy_set_header X-C $host; proxy_set_header X-A more;",
        );
        let fields: Vec<_> = proxy
            .set_headers
            .iter()
            .map(|field| (field.name.name().as_str(), field.value.clone(), field.again))
            .collect();
        let constant = |text| SentValue::Constant(HeaderValue::from_static(text));
        assert_eq!(
            fields,
            [
                ("host", constant("group"), false),
                ("x-a", constant("group:80"), false),
                ("x-b", SentValue::Nothing, false),
                ("x-c", SentValue::PerRequest(Template::variable(Variable::Named(Named::Host))), false),
                ("x-a", constant("more"), true),
            ]
        );
    }

    #[test]
    fn fields_of_the_connection_are_left_out_with_a_word_where_that_differs() {
        let silent = ["Connection \"\"", "Connection upgrade", "Upgrade $http_upgrade", "TE \"\""];
        for field in silent {
            let text = in_location(&format!("proxy_pass http://group; proxy_set_header {field};"));
            assert_eq!(warnings(&text), Vec::<String>::new(), "{field}");
            assert_eq!(
                proxy_of(&accepted(&text).http.servers[0].locations[0]).set_headers.len(),
                1,
                "{field}"
            );
        }
        let told =
            ["Connection close", "Keep-Alive x", "Transfer-Encoding chunked", "Content-Length 0", "Expect x"];
        for field in told {
            let text = in_location(&format!("proxy_pass http://group; proxy_set_header {field};"));
            let name = field.split(' ').next().unwrap();
            assert!(
                warnings(&text)[0].contains(&format!("\"proxy_set_header {name}\" has no effect")),
                "{field}"
            );
            assert_eq!(
                proxy_of(&accepted(&text).http.servers[0].locations[0]).set_headers.len(),
                1,
                "{field}"
            );
        }
        refused(&in_location("proxy_set_header \"a b\" c;"), "\"proxy_set_header\" directive invalid value");
        refused(
            &in_location("proxy_set_header a \"b\\nc: d\";"),
            "\"proxy_set_header\" directive invalid value",
        );
        refused(&in_location("proxy_set_header a $nope;"), "unknown \"nope\" variable");
    }

    #[test]
    fn times_version_and_buffering() {
        let read = proxy(
            "proxy_pass http://group; proxy_connect_timeout 1s; proxy_read_timeout 2m; proxy_send_timeout 3; \
             proxy_http_version 1.0; proxy_buffering off;",
        );
        assert_eq!(read.connect_timeout, Duration::from_secs(1));
        assert_eq!(read.read_timeout, Duration::from_secs(120));
        assert_eq!(read.send_timeout, Duration::from_secs(3));
        assert!(read.http_1_0 && !read.buffering);
        let default = proxy("proxy_pass http://group;");
        assert_eq!(default.connect_timeout, Duration::from_secs(60));
        assert!(!default.http_1_0 && default.buffering);
        refused(
            &in_location("proxy_http_version 2;"),
            "\"2\" in the \"proxy_http_version\" directive is not supported yet",
        );
        refused(&in_location("proxy_http_version 1.2;"), "invalid value \"1.2\"");
        refused(&in_location("proxy_read_timeout 1x;"), "\"proxy_read_timeout\" directive invalid value");
    }

    #[test]
    fn next_upstream_is_what_is_listed() {
        let next = |text: &str| proxy(&format!("proxy_pass http://group; {text}")).next_upstream;
        let both = |error, timeout| NextUpstream { error, timeout };
        assert_eq!(next(""), both(true, true));
        assert_eq!(next("proxy_next_upstream error;"), both(true, false));
        assert_eq!(next("proxy_next_upstream timeout;"), both(false, true));
        assert_eq!(next("proxy_next_upstream off;"), both(false, false));
        assert_eq!(next("proxy_next_upstream error off;"), both(false, false));
        assert_eq!(next("proxy_next_upstream error; proxy_next_upstream timeout;"), both(true, true));
        assert_eq!(next("proxy_next_upstream off; proxy_next_upstream timeout;"), both(false, false));
        refused(
            &in_location("proxy_next_upstream http_503;"),
            "\"http_503\" in the \"proxy_next_upstream\" directive is not supported yet",
        );
        refused(&in_location("proxy_next_upstream http_418;"), "invalid value \"http_418\"");
    }

    #[test]
    fn pass_header_outweighs_hiding() {
        let names = |text: &str| {
            let proxy = proxy(&format!("proxy_pass http://group; {text}"));
            proxy.hidden_headers.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("").len(), 6);
        assert!(names("proxy_hide_header X-Powered-By;").contains(&"x-powered-by".to_owned()));
        assert!(!names("proxy_pass_header X-Pad;").contains(&"x-pad".to_owned()));
        assert_eq!(names("proxy_hide_header x-a; proxy_pass_header X-A;").len(), 6);
        assert_eq!(names("proxy_hide_header X-Pad;").len(), 6, "hidden once");
        assert_eq!(names("proxy_hide_header Server; proxy_hide_header Date;").len(), 6, "replaced anyway");
        let passes_server = |text: &str| proxy(&format!("proxy_pass http://group; {text}")).passes_server;
        assert!(passes_server("proxy_pass_header server;"));
        assert!(!passes_server("proxy_pass_header Date;"));
    }

    #[test]
    fn what_would_change_traffic_is_refused_unless_switched_off() {
        for name in ["proxy_cache", "proxy_bind", "proxy_intercept_errors", "proxy_store"] {
            let text = in_location(&format!("{name} off; proxy_pass http://group;"));
            assert_eq!(warnings(&text), Vec::<String>::new());
            refused(
                &in_location(&format!("{name} x;")),
                &format!("nginx's directive \"{name}\" is not supported"),
            );
        }
    }
}
