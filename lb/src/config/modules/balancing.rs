//! The balancing methods of `upstream` blocks: nginx's `ngx_http_upstream_least_conn_module` and its neighbours.
//!
//! A directive names the method; the last one of a block holds. Which parameters a `server` may have depends on the
//! method above it, not on one below it, as in nginx.

use crate::config::table::{Row, UPSTREAM, refused};

const NOT_YET: &str = "this balancing method does not exist yet";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    refused("hash", UPSTREAM, NOT_YET),
    refused("ip_hash", UPSTREAM, NOT_YET),
    refused("least_conn", UPSTREAM, NOT_YET),
    refused("least_time", UPSTREAM, NOT_YET),
    refused("random", UPSTREAM, NOT_YET),
];

/// How a server is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BalancingMethod {
    /// By turns, in proportion to the weights: nginx's default, which has no directive.
    #[default]
    RoundRobin,
}
