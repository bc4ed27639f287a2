//! The directives of nginx's other standard HTTP modules, of NGINX Plus's, and of what is built beside them often.
//! They are listed so that a configuration that relies on one is told why it cannot run, and whether that is for
//! now or for good; one that switches it off runs.

mod bodies;
mod edge;
mod guards;
mod other_protocols;
mod rest;

use crate::config::diagnostics::Package;
use crate::config::table::{Family, HTTP, NUMBER, Row, no_effect};

static GRPC: Package = Package { name: "gRPC", switches: "", switched_on_by: "nothing says `grpc_pass`" };
static AUTHENTICATION: Package = Package {
    name: "authentication",
    switches: "auth_jwt_key_request auth_require",
    switched_on_by: "nothing asks who the client is",
};
static SLICE: Package = Package { name: "slice", switches: "slice", switched_on_by: "nothing says `slice`" };
static VISITORS: Package =
    Package { name: "userid", switches: "userid", switched_on_by: "nothing says `userid on`" };

/// The package that a variable of nginx's comes with.
pub(in crate::config) fn pending_variable(name: &str) -> Option<&'static Package> {
    match name {
        "slice_range" => Some(&SLICE),
        "uid_got" | "uid_set" | "uid_reset" => Some(&VISITORS),
        _ => None,
    }
}

const NO_FILES: &str = "files are sent as they are, and never written";
const NO_VARIABLES: &str = "variables are defined by set, map, geo and split_clients alone";
const NO_SCRIPTS: &str = "no scripts are run";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("map_hash_bucket_size", HTTP, NUMBER, "maps take the room that they need"),
    no_effect("map_hash_max_size", HTTP, NUMBER, "maps take the room that they need"),
];

pub(super) const FAMILIES: &[&[Family]] =
    &[edge::FAMILIES, guards::FAMILIES, bodies::FAMILIES, other_protocols::FAMILIES, rest::FAMILIES];
