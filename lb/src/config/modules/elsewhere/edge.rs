//! The edge: gRPC to servers, HTTP/3 and ACME.

use super::GRPC;
use crate::config::table::{Family, Fate};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        module: "ngx_http_grpc_module",
        fate: Fate::Pending(&GRPC),
        lines: "\
grpc_allow_upstream HSL string …
grpc_bind_dynamic HSL on | off = off",
    },
    Family {
        module: "ngx_http_v3_module",
        fate: Fate::Refused("HTTP/3 is not spoken; browsers fall back to what is"),
        lines: "\
http3 HS on | off = on
http3_hq HS on | off = off
http3_max_concurrent_streams HS number = 128
http3_max_table_capacity HS size = 4096
http3_stream_buffer_size HS size = 64k
quic_active_connection_id_limit HS number = 2
quic_bpf M on | off = off
quic_gso HS on | off = off
quic_host_key HS file
quic_mtu HS size = 65527
quic_retry HS on | off = off
quic_stream_buffer_size HS size = 64k",
    },
    Family {
        module: "ngx_http_acme_module",
        fate: Fate::Refused("certificates are not fetched here; let certbot or another client of ACME do it"),
        lines: "\
acme_issuer H name { … }
acme_shared_zone H zone=name:size = zone=ngx_acme_shared:256k
acme_certificate S issuer [identifier …] [key=algorithm] [challenge=type]",
    },
];
