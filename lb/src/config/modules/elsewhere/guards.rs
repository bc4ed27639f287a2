//! The guards: who may come in, how often, and how many at a time.

use super::{ACCESS, AUTHENTICATION, LIMITS};
use crate::config::table::{Family, Fate};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        module: "ngx_http_referer_module, secure_link",
        fate: Fate::Pending(&ACCESS),
        lines: "\
valid_referers SL none | blocked | server_names | string …
referer_hash_bucket_size SL size = 64
referer_hash_max_size SL size = 2048
secure_link HSL expression
secure_link_md5 HSL expression
secure_link_secret HSL word",
    },
    Family {
        module: "ngx_http_auth_basic_module, auth_jwt",
        fate: Fate::Pending(&AUTHENTICATION),
        lines: "\
satisfy HSL all | any = all
auth_basic HSLX string | off = off
auth_basic_user_file HSLX file
auth_delay HSL time = 0s
auth_jwt HSLX string [token=$variable] | off = off
auth_jwt_claim_set H $variable name …
auth_jwt_header_set H $variable name …
auth_jwt_key_cache HSL time = 0
auth_jwt_key_file HSLX file
auth_jwt_key_request HSLX uri
auth_jwt_leeway HSL time = 0s
auth_jwt_require HSLX $value … [error=401 | 403]
auth_jwt_type HSLX signed | encrypted | nested = signed
auth_require HSLX $value … [error=4xx | 5xx]",
    },
    Family {
        module: "ngx_http_limit_req_module, ngx_http_limit_conn_module",
        fate: Fate::Pending(&LIMITS),
        lines: "\
limit_conn HSL zone number
limit_conn_dry_run HSL on | off = off
limit_conn_log_level HSL info | notice | warn | error = error
limit_conn_status HSL code = 503
limit_conn_zone H key zone=name:size
limit_req HSL zone=name [burst=number] [nodelay | delay=number]
limit_req_dry_run HSL on | off = off
limit_req_log_level HSL info | notice | warn | error = error
limit_req_status HSL code = 503
limit_req_zone H key zone=name:size rate=rate [sync]
limit_zone H name $variable size",
    },
    Family {
        module: "ngx_http_oidc_module",
        fate: Fate::Refused("single sign-on is not done here; a service behind `auth_request` can"),
        lines: "\
auth_oidc HSL name | off = off
oidc_provider H name { … }",
    },
];
