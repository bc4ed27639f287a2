//! `listen`.

use crate::config::address::{self, ListenAddress};
use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, Row, SERVER, at_least, row};
use crate::config::values;

/// nginx's default on Linux.
pub(in crate::config) const DEFAULT_BACKLOG: u32 = 511;

const ACCEPTED: &str = "default_server, ssl, http2, proxy_protocol, backlog=number and ipv6only=on|off";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("listen", SERVER, at_least(1, "address[:port] | port | unix:path [default_server] [ssl] [http2] [proxy_protocol] [backlog=number] [ipv6only=on|off]"), Reads(listen),
        "Where the server accepts connections").repeatable()
        .differs("`reuseport`, `deferred`, `bind`, `so_keepalive`, `rcvbuf`, `sndbuf`, `fastopen` and `multipath` are accepted without effect; `quic` is refused").without("*:80, or *:8000 unless root"),
];

/// One `listen`.
#[derive(Debug)]
pub(in crate::config) struct Listen {
    pub(in crate::config) addresses: Vec<ListenAddress>,
    pub(in crate::config) default_server: bool,
    pub(in crate::config) ssl: bool,
    /// `http2`, the older way to say `http2 on`.
    pub(in crate::config) http2: bool,
    /// Whether connections begin with a PROXY protocol header; one `listen` of an address is enough.
    pub(in crate::config) proxy_protocol: bool,
    pub(in crate::config) backlog: Option<u32>,
    pub(in crate::config) ipv6_only: Option<bool>,
    /// Whether it sets an option of the socket: only one `listen` of an address may.
    pub(in crate::config) sets_options: bool,
    pub(in crate::config) position: Position,
}

impl Listen {
    /// A `listen` of these addresses and no more.
    pub(in crate::config) fn plain(addresses: Vec<ListenAddress>, position: Position) -> Self {
        Self {
            addresses,
            default_server: false,
            ssl: false,
            http2: false,
            proxy_protocol: false,
            backlog: None,
            ipv6_only: None,
            sets_options: false,
            position,
        }
    }
}

/// All `listen`s of a server: none that was understood is not the same as none at all.
pub(in crate::config) type Listens = Vec<Listen>;

fn listen(block: &mut Block, directive: &Directive, report: &mut Report) {
    // A server that has a `listen` does not take the default, understood or not.
    block.edit(|_: &mut Listens| {});
    let text = directive.argument(0);
    let addresses = match address::listen(text) {
        Ok(addresses) => addresses,
        Err(error) => {
            let message = format!("{error} in \"{text}\" of the \"listen\" directive");
            let hint =
                "\"listen\" accepts 80, *:80, 127.0.0.1:80, [::]:80 and unix:/path; names are not looked up";
            report.emerg_hint(message, &directive.argument_position(0), hint);
            return;
        }
    };
    if text == "localhost" || text.starts_with("localhost:") {
        report.warn("\"localhost\" in the \"listen\" directive means 127.0.0.1 here", &directive.position);
    }
    let mut listen = Listen::plain(addresses, directive.position.clone());
    for (index, word) in directive.words().enumerate().skip(1) {
        parameter(&mut listen, word, index, directive, report);
    }
    block.edit(|listens: &mut Listens| listens.push(listen));
}

fn parameter(listen: &mut Listen, word: &str, index: usize, directive: &Directive, report: &mut Report) {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let position = directive.argument_position(index);
    match (name, value) {
        ("default_server" | "default", None) => listen.default_server = true,
        ("ssl", None) => listen.ssl = true,
        ("proxy_protocol", None) => listen.proxy_protocol = true,
        ("backlog", Some(value)) => {
            let backlog = values::number(value).filter(|&backlog| backlog > 0);
            listen.sets_options = true;
            match backlog.and_then(|backlog| i32::try_from(backlog).ok()) {
                Some(backlog) => listen.backlog = Some(backlog.unsigned_abs()),
                None => report.emerg(format!("invalid backlog \"{word}\""), &position),
            }
        }
        ("ipv6only", Some(value)) => {
            listen.sets_options = true;
            match value {
                "on" => listen.ipv6_only = Some(true),
                "off" => listen.ipv6_only = Some(false),
                _ => report.emerg_hint(
                    format!("invalid ipv6only flags \"{value}\""),
                    &position,
                    "it must be \"on\" or \"off\"",
                ),
            }
        }
        ("bind" | "reuseport" | "deferred" | "multipath", None)
        | ("so_keepalive" | "rcvbuf" | "sndbuf" | "fastopen", Some(_)) => {
            listen.sets_options = true;
            socket_option(name, value, &listen.addresses, directive, index, report);
        }
        ("http2", None) => {
            listen.http2 = true;
            report.warn(
                "the \"listen ... http2\" directive is deprecated, use the \"http2\" directive instead",
                &directive.position,
            );
        }
        ("quic", None) => report.unsupported(directive, index, "HTTP/3 is not spoken"),
        ("setfib" | "accept_filter", Some(_)) => {
            report.unsupported(directive, index, "Linux has no such option");
        }
        _ => report.invalid_parameter(directive, index, ACCEPTED),
    }
}

/// Options of the socket that change performance at most: checked, and without effect.
fn socket_option(
    name: &str,
    value: Option<&str>,
    addresses: &[ListenAddress],
    directive: &Directive,
    index: usize,
    report: &mut Report,
) {
    let position = directive.argument_position(index);
    let unix = addresses.iter().any(|address| matches!(address, ListenAddress::Unix(_)));
    let (valid, reason) = match (name, value) {
        ("bind", _) => (true, None),
        ("reuseport", _) => (true, Some("the threads share one listening socket")),
        ("deferred", _) => (true, Some("a connection is accepted when it is complete")),
        ("multipath", _) => (true, Some("TCP is spoken on one path")),
        ("fastopen", Some(value)) => {
            (values::number(value).is_some(), Some("data in the first packet is not asked for"))
        }
        ("rcvbuf" | "sndbuf", Some(value)) => {
            (values::size(value).is_some(), Some("the system sizes the socket's buffers"))
        }
        ("so_keepalive", Some("on" | "off")) => (!unix, Some("idle connections end by keepalive_timeout")),
        ("so_keepalive", Some(value)) => {
            (value.contains(':') && !unix, Some("idle connections end by keepalive_timeout"))
        }
        _ => (false, None),
    };
    if !valid {
        let (word, value) = (directive.argument(index), value.unwrap_or_default());
        let message = match name {
            "so_keepalive" => format!("invalid so_keepalive value: \"{value}\""),
            "rcvbuf" | "sndbuf" | "fastopen" => format!("invalid {name} \"{value}\""),
            _ => format!("invalid parameter \"{word}\""),
        };
        report.emerg(message, &position);
        return;
    }
    if let Some(reason) = reason {
        let word = directive.argument(index);
        report
            .warn(format!("\"{word}\" in the \"listen\" directive has no effect here: {reason}"), &position);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, in_server, refused, warnings};

    #[test]
    fn a_listener_for_each_address() {
        let config = accepted(&in_http(
            "server { listen 80; listen [::]:80 ipv6only=off; } \
             server { listen 80 default_server backlog=7; listen unix:/run/lb.sock; listen 7000-7001; }",
        ));
        let listeners = &config.http.listeners;
        let addresses: Vec<String> = listeners.iter().map(|listener| listener.address.to_string()).collect();
        let expected = ["0.0.0.0:80", "[::]:80", "unix:/run/lb.sock", "0.0.0.0:7000", "0.0.0.0:7001"];
        assert_eq!(addresses, expected);
        assert_eq!(
            (listeners[0].default_server.0, listeners[0].servers.len(), listeners[0].backlog),
            (1, 2, 7)
        );
        assert_eq!((listeners[1].ipv6_only, listeners[1].backlog), (false, 511));
        assert!(listeners[0].ipv6_only);
    }

    #[test]
    fn without_listen_the_port_depends_on_who_asks() {
        let config = accepted(&in_http("server { }"));
        assert_eq!(config.http.listeners[0].address.to_string(), "0.0.0.0:80");
        let source = crate::config::Source { path: "/c".into(), ..Default::default() };
        let files = crate::config::files::InMemory::default().with("/c", "events {} http { server { } }");
        let config = crate::config::load_from(&source, &files, false).unwrap().config;
        assert_eq!(config.http.listeners[0].address.to_string(), "0.0.0.0:8000");
    }

    #[test]
    fn one_listen_of_an_address_says_that_a_proxy_is_in_front() {
        for (text, expected) in [
            ("server { listen 80; } server { listen 80 proxy_protocol; }", [true, false]),
            ("server { listen 80 proxy_protocol; } server { listen 80; }", [true, false]),
            ("server { listen 80; listen 81 proxy_protocol; }", [false, true]),
        ] {
            let config = accepted(&in_http(&format!("{text} server {{ listen 81; }}")));
            let found: Vec<bool> = config.http.listeners.iter().map(|one| one.proxy_protocol).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn localhost_is_one_address() {
        assert!(warnings(&in_server("listen localhost:80;"))[0].contains("means 127.0.0.1 here"));
    }

    #[test]
    fn options_of_the_socket_are_accepted_with_a_word() {
        assert_eq!(warnings(&in_server("listen 80 bind default_server;")), Vec::<String>::new());
        for option in
            ["reuseport", "deferred", "so_keepalive=on", "so_keepalive=30m::10", "rcvbuf=8k", "fastopen=3"]
        {
            let warnings = warnings(&in_server(&format!("listen 80 {option};")));
            assert!(
                warnings[0].contains(&format!("\"{option}\" in the \"listen\" directive has no effect")),
                "{option}"
            );
        }
    }

    #[test]
    fn mistakes() {
        let cases = [
            ("listen example.org:80;", "host not found in \"example.org:80\" of the \"listen\" directive"),
            ("listen 80 ssl;", "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive"),
            ("listen 80 proxy_protocol=on;", "invalid parameter \"proxy_protocol=on\""),
            ("listen 80 backlog=x;", "invalid backlog \"backlog=x\""),
            ("listen 80 backlog=4294967296;", "invalid backlog"),
            ("listen [::]:80 ipv6only=maybe;", "invalid ipv6only flags \"maybe\""),
            ("listen 80 rcvbuf=x;", "invalid rcvbuf \"x\""),
            ("listen 80 defualt_server;", "invalid parameter \"defualt_server\""),
            ("listen 80; listen 80;", "a duplicate listen 0.0.0.0:80"),
        ];
        for (text, message) in cases {
            refused(&in_server(text), message);
        }
        refused(
            &in_http("server { listen 80 default_server; } server { listen 80 default_server; }"),
            "a duplicate default server for 0.0.0.0:80",
        );
        refused(
            &in_http("server { listen 80 backlog=1; } server { listen 80 backlog=1; }"),
            "duplicate listen options for 0.0.0.0:80",
        );
    }
}
