//! The `upstream` block: nginx's `ngx_http_upstream_module`, its `zone` and `keepalive` modules.

use std::time::Duration;

use super::balancing::BalancingMethod;
use crate::config::address::{self, ServerAddress};
use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Effect::{Opens, Reads};
use crate::config::table::{
    Argument, Arguments, Block, HTTP, LOCATION, Number, Row, TIME, Time, UPSTREAM, at_least, no_effect,
    refused, row, settings, words,
};
use crate::config::values;

const CHECKS: &str =
    "every server is probed by a connection each second, unless `off`; other checks are not supported yet";

#[rustfmt::skip]
pub(super) const BLOCK: &[Row] = &[
    row("upstream", HTTP, words(1, 1, "name { … }"), Opens(begin),
        "A group of servers for `proxy_pass`").repeatable(),
    row("server", UPSTREAM, at_least(1, "address [weight=number] [max_fails=number] [fail_timeout=time] [backup] [down] [resolve]"), Reads(server),
        "A server: address, name or `unix:path`, port 80 unless given. After `max_fails` failures within `fail_timeout` it rests for that time (0: never). A `backup` serves when no other can; `resolve` follows DNS and needs `zone` and `resolver`").repeatable().default(default_parameters)
        .differs("every server is probed by a connection each second, and a stale kept-alive connection is no failure"),
];

settings! {
    /// `keepalive connections` and its companions.
    #[derive(Copy, PartialEq, Eq)]
    UpstreamKeepalive {
        "keepalive" in UPSTREAM,
        connections: usize as Connections = 32,
        "How many idle connections are kept open; 0 closes each after its request",
        differs "it counts per worker, as in nginx, but as a sum over all upstreams, and may stand above the balancing method";

        "keepalive_requests" in UPSTREAM,
        requests: u64 as Number = 1000,
        "How many requests an upstream connection may carry";

        "keepalive_timeout" in UPSTREAM,
        timeout: Duration as Time = Duration::from_secs(60),
        "How long an idle upstream connection is kept";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("zone", UPSTREAM, words(1, 2, "name [size]"), Reads(zone),
        "Names the group's shared state. It is always shared here; nginx needs it for `resolve`, and so that one file drives both, so do we").repeatable(),
    row("health_check", UPSTREAM, at_least(0, "[off | interval=1s]"), Reads(health_check),
        "Whether every server is probed each second by a connection, with the TLS handshake of the locations that go there (not a directive of nginx in this place: write it as `#lb: health_check off;`)").default(default_probe),
    row("health_check", LOCATION, at_least(0, "[off | interval=1s]"), Reads(health_check),
        "The same, for the servers that this location's `proxy_pass` goes to (NGINX Plus's place for it; `off` is ours)").default(default_probe),
    no_effect("keepalive_time", UPSTREAM, TIME,
        "an upstream connection lives for `keepalive_requests` requests, however long they take"),

    refused("sticky", UPSTREAM, "sessions are not bound to servers yet"),
    refused("sticky_cookie_insert", UPSTREAM, "sessions are not bound to servers yet"),
    refused("queue", UPSTREAM, "requests do not wait for a server yet"),
    refused("state", UPSTREAM, "servers are those of the configuration"),
    refused("ntlm", UPSTREAM, "connections are not bound to clients"),
    refused("match", HTTP, "a health check is a TCP connection, which has nothing to match").with_block(),
];

/// The head of an `upstream` block: its name.
#[derive(Debug)]
pub(in crate::config) struct UpstreamName(pub(in crate::config) String);

fn begin(directive: &Directive, http: &Block, report: &mut Report) -> Block {
    let name = directive.argument(0);
    let taken = |other: &Block| {
        other.given::<UpstreamName>().is_some_and(|UpstreamName(other)| other.eq_ignore_ascii_case(name))
    };
    if http.children.iter().any(taken) {
        report.emerg(format!("duplicate upstream \"{name}\""), &directive.argument_position(0));
    }
    Block::new(UPSTREAM, directive.position.clone()).with(UpstreamName(name.to_owned()))
}

/// `server` in an `upstream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamServer {
    /// Where it is.
    pub address: ServerAddress,
    /// The address as written (`backend:5000`).
    pub written: String,
    /// `weight=`, from 1.
    pub weight: u32,
    /// `max_fails=`; 0 never takes it out.
    pub max_fails: u32,
    /// `fail_timeout=`: the window and the time out of use.
    pub fail_timeout: Duration,
    /// `backup`
    pub backup: bool,
    /// `down`
    pub down: bool,
    /// `resolve`: follow DNS while running. Only with [`ServerAddress::Name`].
    pub resolve: bool,
    /// Where it was written.
    pub position: Position,
}

impl UpstreamServer {
    /// A server without parameters.
    /// A server without parameters.
    pub fn plain(address: ServerAddress, written: String, position: Position) -> Self {
        Self {
            address,
            written,
            weight: 1,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
            backup: false,
            down: false,
            resolve: false,
            position,
        }
    }
}

fn default_parameters() -> String {
    let address = ServerAddress::Name { host: String::new(), port: DEFAULT_PORT };
    let server = UpstreamServer::plain(address, String::new(), Position { file: "".into(), line: 0 });
    let fail_timeout = values::written_time(server.fail_timeout);
    format!("weight={} max_fails={} fail_timeout={fail_timeout}", server.weight, server.max_fails)
}

const DEFAULT_PORT: u16 = 80;
const PARAMETERS: &str = "weight=number, max_fails=number, fail_timeout=time, backup, down and resolve";

/// All `server`s of an upstream: none that was understood is not the same as none at all.
pub(in crate::config) type UpstreamServers = Vec<UpstreamServer>;

fn server(upstream: &mut Block, directive: &Directive, report: &mut Report) {
    // An upstream that has a `server` is not told that it has none, understood or not.
    upstream.edit(|_: &mut UpstreamServers| {});
    let written = directive.argument(0).to_owned();
    let position = directive.argument_position(0);
    let address = match server_address(&written) {
        Ok(address) => address,
        Err(error) => {
            let hint = "a server is given as 10.0.0.1:5000, name:5000, [::1]:5000 or unix:/path";
            report.emerg_hint(format!("{error} in upstream \"{written}\""), &position, hint);
            return;
        }
    };
    let mut server = UpstreamServer::plain(address, written, directive.position.clone());
    for index in 1..directive.arguments.len() {
        let method = upstream.given::<Option<BalancingMethod>>().and_then(Option::as_ref);
        let without_backups = method.is_some_and(|method| !method.has_backups());
        if without_backups && directive.argument(index) == "backup" {
            let message = "balancing method does not support parameter \"backup\"";
            let hint = "round robin and least_conn have backups";
            report.emerg_hint(message, &directive.argument_position(index), hint);
            continue;
        }
        parameter(&mut server, directive, index, report);
    }
    upstream.edit(|servers: &mut UpstreamServers| servers.push(server));
}

fn server_address(written: &str) -> Result<ServerAddress, &'static str> {
    let target = address::target(written, DEFAULT_PORT);
    let is_socket = matches!(&target, Ok(target) if matches!(target.address, ServerAddress::Unix(_)));
    if !is_socket && written.contains('/') {
        return Err("invalid host");
    }
    let target = target?;
    if !target.uri.is_empty() {
        return Err("invalid host");
    }
    match &target.address {
        ServerAddress::Name { host, .. } if !address::is_host_name(host) => Err("host not found"),
        _ => Ok(target.address),
    }
}

fn parameter(server: &mut UpstreamServer, directive: &Directive, index: usize, report: &mut Report) {
    let word = directive.argument(index);
    let number = |text| values::number(text).and_then(|number| u32::try_from(number).ok());
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let read = match (name, value) {
        ("weight", Some(value)) => {
            number(value).filter(|&weight| weight > 0).map(|weight| server.weight = weight)
        }
        ("max_fails", Some(value)) => number(value).map(|fails| server.max_fails = fails),
        ("fail_timeout", Some(value)) => values::seconds(value).map(|time| server.fail_timeout = time),
        ("backup", None) => {
            server.backup = true;
            Some(())
        }
        ("down", None) => {
            server.down = true;
            Some(())
        }
        ("resolve", None) => {
            // nginx takes it for an address too, where there is nothing to follow.
            server.resolve = matches!(server.address, ServerAddress::Name { .. });
            Some(())
        }
        ("max_conns", Some("0")) => Some(()),
        ("slow_start", Some("0" | "0s")) => Some(()),
        ("max_conns" | "slow_start" | "service" | "route", Some(_)) | ("drain", None) => {
            report.not_yet(directive, index);
            return;
        }
        _ => None,
    };
    if read.is_none() {
        report.invalid_parameter(directive, index, PARAMETERS);
    }
}

/// `keepalive connections [local]`.
struct Connections;

impl Argument for Connections {
    type Value = usize;

    const ARGUMENTS: Arguments = words(1, 2, "connections [local]");

    fn read(into: &mut Option<usize>, directive: &Directive, report: &mut Report) {
        let written = directive.argument(0);
        match values::number(written).and_then(|number| usize::try_from(number).ok()) {
            Some(connections) => *into = Some(connections),
            None => report.emerg_hint(
                format!("invalid value \"{written}\" in \"keepalive\" directive"),
                &directive.argument_position(0),
                "it must be a number of connections; 0 keeps none",
            ),
        }
        if directive.arguments.len() > 1 && directive.argument(1) != "local" {
            report.invalid_parameter(directive, 1, "a number and \"local\"");
        }
    }

    fn print(value: &usize) -> String {
        value.to_string()
    }
}

/// `zone name [size]`.
#[derive(Debug)]
pub(in crate::config) struct Zone {
    pub(in crate::config) name: String,
    pub(in crate::config) bytes: Option<u64>,
    pub(in crate::config) position: Position,
}

/// Eight pages of memory: below that nginx finds no room for its own structures.
const SMALLEST_ZONE: u64 = 8 * 4096;

fn zone(upstream: &mut Block, directive: &Directive, report: &mut Report) {
    let name = directive.argument(0).to_owned();
    if name.is_empty() {
        report.emerg("invalid zone name \"\"", &directive.argument_position(0));
        return;
    }
    let bytes = match directive.arguments.get(1) {
        None => None,
        Some(word) => {
            let position = directive.argument_position(1);
            let Some(bytes) = values::size(&word.text) else {
                let hint = "it must be a size such as 64k or 1m";
                report.emerg_hint(format!("invalid zone size \"{}\"", word.text), &position, hint);
                return;
            };
            if bytes < SMALLEST_ZONE {
                report.emerg_hint(format!("zone \"{name}\" is too small"), &position, "32k at least");
                return;
            }
            Some(bytes)
        }
    };
    let zone = Zone { name, bytes, position: directive.position.clone() };
    upstream.edit(|given| *given = Some(zone));
}

/// Whether the servers are probed, where nothing says so.
pub(in crate::config) const PROBES: bool = true;

/// How often they are.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// `health_check` of an upstream or a location.
#[derive(Debug, Default)]
pub(in crate::config) struct HealthCheck(pub(in crate::config) Option<bool>);

fn default_probe() -> String {
    if PROBES { format!("interval={}", values::written_time(PROBE_INTERVAL)) } else { "off".to_owned() }
}

fn health_check(block: &mut Block, directive: &Directive, report: &mut Report) {
    let words: Vec<&str> = directive.words().collect();
    let wanted = match words.as_slice() {
        ["off"] => Some(false),
        [word] if word.strip_prefix("interval=").and_then(values::milliseconds) == Some(PROBE_INTERVAL) => {
            Some(true)
        }
        _ => None,
    };
    if wanted.is_none() {
        let written = words.iter().fold("health_check".to_owned(), |written, word| written + " " + word);
        report.emerg_hint(format!("\"{written}\" is not supported"), &directive.position, CHECKS);
        return;
    }
    block.edit(|HealthCheck(probes)| *probes = wanted);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::config::model::{ServerAddress, Upstream};
    use crate::config::testing::{accepted, errors, in_http, in_location, in_upstream, refused};

    fn upstream(text: &str) -> Upstream {
        accepted(&in_http(&format!("upstream u {{ {text} }}"))).http.upstreams.pop().unwrap()
    }

    #[test]
    fn servers_with_their_parameters() {
        let read = upstream(
            "server a:5000 weight=2 max_fails=3 fail_timeout=30s; server 127.0.0.1 backup down max_conns=0; \
             server unix:/run/a.sock max_fails=0;",
        );
        let [named, address, socket] = read.servers.as_slice() else { panic!("{read:?}") };
        assert_eq!(named.address, ServerAddress::Name { host: "a".into(), port: 5000 });
        assert_eq!((named.weight, named.max_fails, named.fail_timeout), (2, 3, Duration::from_secs(30)));
        assert_eq!(named.written, "a:5000");
        assert!(!named.backup && !named.down && !named.resolve);
        assert_eq!(address.address, ServerAddress::Inet("127.0.0.1:80".parse().unwrap()));
        assert!(address.backup && address.down);
        assert_eq!(
            (address.weight, address.max_fails, address.fail_timeout),
            (1, 1, Duration::from_secs(10))
        );
        assert_eq!((&socket.address, socket.max_fails), (&ServerAddress::Unix("/run/a.sock".into()), 0));
    }

    #[test]
    fn keepalive_is_on_by_default() {
        let keepalive = upstream("server a;").keepalive;
        assert_eq!((keepalive.connections, keepalive.requests), (32, 1000));
        assert_eq!(keepalive.timeout, Duration::from_secs(60));
        let keepalive =
            upstream("server a; keepalive 0; keepalive_requests 5; keepalive_timeout 6s;").keepalive;
        assert_eq!((keepalive.connections, keepalive.requests), (0, 5));
        assert_eq!(keepalive.timeout, Duration::from_secs(6));
        assert_eq!(upstream("server a; keepalive 4 local;").keepalive.connections, 4);
    }

    #[test]
    fn probes_are_on_unless_switched_off() {
        assert!(upstream("server a;").probe);
        assert!(upstream("server a; health_check interval=1s;").probe);
        assert!(!upstream("server a;\n#lb: health_check off;\n").probe);
        let of_location = accepted(&in_location("proxy_pass http://group;\n#lb: health_check off;\n"));
        assert!(!of_location.http.upstreams[0].probe);
        let of_address = accepted(&in_location("health_check off; proxy_pass http://127.0.0.1:9;"));
        assert!(of_address.http.upstreams[0].probe && !of_address.http.upstreams[1].probe);
        refused(&in_upstream("health_check;"), "\"health_check\" is not supported");
        refused(&in_upstream("health_check uri=/x;"), "\"health_check uri=/x\" is not supported");
        refused(&in_location("return 204; health_check off;"), "\"health_check\" needs a \"proxy_pass\"");
    }

    #[test]
    fn resolve_needs_what_it_needs_in_nginx() {
        let read = upstream("zone u 64k; resolver 127.0.0.11; server a resolve; server 127.0.0.1 resolve;");
        assert!(read.servers[0].resolve);
        assert!(!read.servers[1].resolve, "an address has nothing to follow");
        assert_eq!(read.zone.as_deref(), Some("u"));
        refused(
            &in_http("upstream u { server a resolve; }"),
            "resolving names at run time requires upstream \"u\" to be in shared memory in /conf/nginx.conf:1",
        );
        refused(
            &in_http("upstream u { zone u 64k; server a resolve; }"),
            "no resolver defined to resolve names at run time in upstream \"u\" in /conf/nginx.conf:1",
        );
    }

    #[test]
    fn zones_have_one_size() {
        let two = |first: &str, second: &str| {
            in_http(&format!(
                "upstream a {{ server a; zone {first}; }} upstream b {{ server b; zone {second}; }}"
            ))
        };
        assert_eq!(errors(&two("z 64k", "z")), Vec::<String>::new());
        refused(
            &two("z 64k", "z 1m"),
            "the size 1048576 of shared memory zone \"z\" conflicts with already declared size 65536",
        );
        refused(&two("z 64k", "y"), "zero size shared memory zone \"y\"");
        refused(&in_upstream("zone z 31k;"), "zone \"z\" is too small");
        refused(&in_upstream("zone z x;"), "invalid zone size \"x\"");
        refused(&in_upstream("zone \"\" 64k;"), "invalid zone name \"\"");
    }

    #[test]
    fn mistakes() {
        let cases = [
            ("server a weight=0;", "invalid parameter \"weight=0\""),
            ("server a weight=4294967296;", "invalid parameter \"weight=4294967296\""),
            ("server a max_fails=-1;", "invalid parameter \"max_fails=-1\""),
            ("server a fail_timeout=1ms;", "invalid parameter \"fail_timeout=1ms\""),
            ("server a bakcup;", "invalid parameter \"bakcup\""),
            ("server a weight;", "invalid parameter \"weight\""),
            ("server a max_conns=1;", "\"max_conns=1\" in the \"server\" directive is not supported yet"),
            ("server a drain;", "\"drain\" in the \"server\" directive is not supported yet"),
            ("server a/b;", "invalid host in upstream \"a/b\""),
            ("server weight=3;", "host not found in upstream \"weight=3\""),
            ("server 127.0.0.1.1:80;", "host not found in upstream \"127.0.0.1.1:80\""),
            ("server unx:/run/a.sock;", "invalid host in upstream \"unx:/run/a.sock\""),
            ("server unix:;", "no path in the unix domain socket in upstream \"unix:\""),
            ("server a:0;", "invalid port in upstream \"a:0\""),
            ("server \"\";", "no host in upstream \"\""),
            ("keepalive x;", "invalid value \"x\" in \"keepalive\" directive"),
            ("keepalive 1 global;", "invalid parameter \"global\""),
            (
                "least_time header;",
                "nginx's directive \"least_time\" is not supported: this balancing method does not exist yet",
            ),
            ("listen 80;", "\"listen\" directive is not allowed here"),
        ];
        for (text, message) in cases {
            refused(&in_upstream(text), message);
        }
        refused(&in_http("upstream u { }"), "no servers are inside upstream");
        refused(&in_http("upstream u { server a backup; }"), "no servers in upstream \"u\"");
        refused(&in_http("upstream u { server a; } upstream U { server a; }"), "duplicate upstream \"U\"");
        refused(&in_http("upstream { server a; }"), "invalid number of arguments in \"upstream\" directive");
        refused(&in_http("upstream u;"), "directive \"upstream\" has no opening \"{\"");
    }
}
