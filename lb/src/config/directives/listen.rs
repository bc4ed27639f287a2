//! `listen`.

use crate::config::address;
use crate::config::diagnostics::Report;
use crate::config::draft::{ListenDraft, ServerDraft};
use crate::config::model::ListenAddress;
use crate::config::syntax::Directive;
use crate::config::values;

/// nginx's default on Linux.
pub(in crate::config) const DEFAULT_BACKLOG: u32 = 511;

const ACCEPTED: &str = "default_server, backlog=number and ipv6only=on|off";

pub(super) fn listen(server: &mut ServerDraft, directive: &Directive, report: &mut Report) {
    server.listen_seen = true;
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
    let mut listen = ListenDraft {
        addresses,
        default_server: false,
        backlog: None,
        ipv6_only: None,
        sets_options: false,
        position: directive.position.clone(),
    };
    for (index, word) in directive.words().enumerate().skip(1) {
        parameter(&mut listen, word, index, directive, report);
    }
    server.listens.push(listen);
}

fn parameter(listen: &mut ListenDraft, word: &str, index: usize, directive: &Directive, report: &mut Report) {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let position = directive.argument_position(index);
    match (name, value) {
        ("default_server" | "default", None) => listen.default_server = true,
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
        ("ssl" | "http2" | "quic" | "http3", None) => {
            report.unsupported(directive, index, "only HTTP/1.1 without TLS is spoken for now");
        }
        ("proxy_protocol", None) => {
            report.unsupported(directive, index, "the PROXY protocol is not read");
        }
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
