//! The balancing methods of `upstream` blocks: nginx's `ngx_http_upstream_least_conn_module` and its neighbours.
//!
//! A directive names the method; the last one of a block holds. Which parameters a `server` may have depends on the
//! method above it, not on one below it, as in nginx.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, Row, UPSTREAM, refused, row, words};
use crate::script::Template;

const NOT_YET: &str = "this balancing method does not exist yet";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("least_conn", UPSTREAM, words(0, 0, ""), Reads(|u, d, r| set(u, BalancingMethod::LeastConn, d, r)),
        "The server with the fewest requests in flight in proportion to its weight is asked; among equal ones they take turns").repeatable(),
    row("ip_hash", UPSTREAM, words(0, 0, ""), Reads(|u, d, r| set(u, BalancingMethod::IpHash, d, r)),
        "The client's address decides: the first three bytes of an IPv4 address, all of an IPv6 address. No server below it may be a `backup`").repeatable(),
    row("hash", UPSTREAM, words(1, 2, "key [consistent]"), Reads(hash),
        "The key decides, a string with variables; where it is empty, round robin does. `consistent`: a server that comes or goes moves few keys but its own (ketama). No server below it may be a `backup`").repeatable(),
    row("random", UPSTREAM, words(0, 2, "[two [least_conn]]"), Reads(random),
        "Chance decides, in proportion to the weights. `two`: between two servers drawn so, of which the one with fewer requests in flight in proportion to its weight is asked. No server below it may be a `backup`").repeatable(),
    refused("least_time", UPSTREAM, NOT_YET),
];

/// How a server is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BalancingMethod {
    /// By turns, in proportion to the weights: nginx's default, which has no directive.
    #[default]
    RoundRobin,
    /// `least_conn`: the fewest requests in flight in proportion to the weight.
    LeastConn,
    /// `ip_hash`: the client's address decides.
    IpHash,
    /// `hash`: a key decides.
    Hash {
        /// Rendered once per request.
        key: Template,
        /// On a ring, where a server that comes or goes moves few keys but its own.
        consistent: bool,
    },
    /// `random`: chance decides.
    Random {
        /// Between two, of which the one with fewer requests in flight in proportion to its weight is taken.
        two: bool,
    },
}

impl BalancingMethod {
    /// Whether a `server` may be a `backup`.
    pub fn has_backups(&self) -> bool {
        match self {
            Self::RoundRobin | Self::LeastConn => true,
            Self::IpHash | Self::Hash { .. } | Self::Random { .. } => false,
        }
    }
}

fn hash(upstream: &mut Block, directive: &Directive, report: &mut Report) {
    let Some(key) = report.template(directive, 0) else { return };
    let consistent = match directive.arguments.get(1).map(|word| word.text.as_str()) {
        None => false,
        Some("consistent") => true,
        Some(_) => {
            report.invalid_parameter(directive, 1, "a key and \"consistent\"");
            return;
        }
    };
    set(upstream, BalancingMethod::Hash { key, consistent }, directive, report);
}

fn random(upstream: &mut Block, directive: &Directive, report: &mut Report) {
    let words: Vec<&str> = directive.words().collect();
    match words.as_slice() {
        [] => set(upstream, BalancingMethod::Random { two: false }, directive, report),
        ["two"] | ["two", "least_conn"] => {
            set(upstream, BalancingMethod::Random { two: true }, directive, report);
        }
        ["two", other, ..] if other.starts_with("least_time=") => report.not_yet(directive, 1),
        ["two", ..] => report.invalid_parameter(directive, 1, "\"two\" and \"two least_conn\""),
        [_, ..] => report.invalid_parameter(directive, 0, "\"two\" and \"two least_conn\""),
    }
}

fn set(upstream: &mut Block, method: BalancingMethod, directive: &Directive, report: &mut Report) {
    upstream.edit(|given: &mut Option<BalancingMethod>| {
        if given.replace(method).is_some() {
            report.warn("load balancing method redefined", &directive.position);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::BalancingMethod;
    use crate::config::testing::{accepted, in_http, in_upstream, refused, warnings};

    fn method(text: &str) -> BalancingMethod {
        accepted(&in_upstream(text)).http.upstreams.pop().unwrap().method
    }

    #[test]
    fn the_method_is_that_of_the_last_directive() {
        assert_eq!(method(""), BalancingMethod::RoundRobin);
        assert_eq!(method("least_conn;"), BalancingMethod::LeastConn);
        assert_eq!(warnings(&in_upstream("least_conn;")), Vec::<String>::new());
        assert_eq!(
            warnings(&in_upstream("least_conn; least_conn;")),
            ["[warn] load balancing method redefined in /conf/nginx.conf:1"]
        );
    }

    #[test]
    fn least_conn_takes_no_arguments_and_has_backups() {
        refused(&in_upstream("least_conn 1;"), "invalid number of arguments in \"least_conn\" directive");
        accepted(&in_http("upstream u { least_conn; server 127.0.0.1; server 127.0.0.1 backup; }"));
    }

    #[test]
    fn hash_takes_a_key() {
        for (text, expected) in [("hash $arg_k-x;", false), ("hash $arg_k-x consistent;", true)] {
            let BalancingMethod::Hash { key, consistent } = method(text) else { panic!("{text}") };
            assert_eq!((key.variables().count(), consistent), (1, expected), "{text}");
        }
        refused(&in_upstream("hash;"), "invalid number of arguments in \"hash\" directive");
        refused(&in_upstream("hash $uri continuous;"), "invalid parameter \"continuous\"");
        refused(&in_upstream("hash $;"), "invalid variable name");
        refused(&in_upstream("hash $no_such;"), "unknown \"no_such\" variable");
        refused(
            &in_upstream("hash $uri; server 127.0.0.1 backup;"),
            "balancing method does not support parameter \"backup\"",
        );
    }

    #[test]
    fn random_draws_one_or_two() {
        for (text, two) in [("random;", false), ("random two;", true), ("random two least_conn;", true)] {
            assert_eq!(method(text), BalancingMethod::Random { two }, "{text}");
        }
        refused(&in_upstream("random three;"), "invalid parameter \"three\"");
        refused(&in_upstream("random two most_conn;"), "invalid parameter \"most_conn\"");
        refused(
            &in_upstream("random two least_time=header;"),
            "\"least_time=header\" in the \"random\" directive is not supported yet",
        );
        refused(
            &in_upstream("random two least_conn x;"),
            "invalid number of arguments in \"random\" directive",
        );
        refused(
            &in_upstream("random; server 127.0.0.1 backup;"),
            "balancing method does not support parameter \"backup\"",
        );
    }

    #[test]
    fn ip_hash_has_no_backups_below_it() {
        assert_eq!(method("ip_hash;"), BalancingMethod::IpHash);
        assert_eq!(method("ip_hash; least_conn;"), BalancingMethod::LeastConn);
        refused(&in_upstream("ip_hash x;"), "invalid number of arguments in \"ip_hash\" directive");
        refused(
            &in_upstream("ip_hash; server 127.0.0.1 backup;"),
            "balancing method does not support parameter \"backup\" in /conf/nginx.conf:1",
        );
        accepted(&in_upstream("server 127.0.0.1 backup; ip_hash;"));
        accepted(&in_upstream("ip_hash; least_conn; server 127.0.0.1 backup;"));
    }
}
