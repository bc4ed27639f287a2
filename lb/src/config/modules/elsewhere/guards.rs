//! The guards: who may come in, how often, and how many at a time.

use super::AUTHENTICATION;
use crate::config::table::{Family, Fate};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        module: "auth_jwt",
        fate: Fate::Pending(&AUTHENTICATION),
        lines: "\
auth_jwt_key_request HSLX uri
auth_require HSLX $value … [error=4xx | 5xx]",
    },
    Family {
        module: "ngx_http_limit_conn_module",
        fate: Fate::Refused("it is of nginx's past; `limit_conn_zone` has taken its place"),
        lines: "limit_zone H name $variable size",
    },
    Family {
        module: "ngx_http_oidc_module",
        fate: Fate::Refused("single sign-on is not done here; a service behind `auth_request` can"),
        lines: "\
auth_oidc HSL name | off = off
oidc_provider H name { … }",
    },
];
