//! The edge: TLS and gRPC to servers.

use super::{GRPC, TLS_TO_SERVERS};
use crate::config::table::{Family, Fate};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        module: "ngx_http_grpc_module",
        fate: Fate::Pending(&GRPC),
        lines: "\
grpc_allow_upstream HSL string …
grpc_bind_dynamic HSL on | off = off
grpc_ssl_certificate_cache HSL off | max=N [inactive=time] [valid=time] = off
grpc_ssl_ciphers HSL ciphers = DEFAULT
grpc_ssl_conf_command HSL name value
grpc_ssl_key_log HSL path
grpc_ssl_password_file HSL file
grpc_ssl_protocols HSL [SSLv2] [SSLv3] [TLSv1] [TLSv1.1] [TLSv1.2] [TLSv1.3] = TLSv1.2 TLSv1.3",
    },
    Family {
        module: "ngx_http_proxy_module, TLS",
        fate: Fate::Pending(&TLS_TO_SERVERS),
        lines: "\
proxy_ssl_alpn HSL protocol …
proxy_ssl_certificate_cache HSL off | max=N [inactive=time] [valid=time] = off
proxy_ssl_ciphers HSL ciphers = DEFAULT
proxy_ssl_conf_command HSL name value
proxy_ssl_key_log HSL path
proxy_ssl_password_file HSL file
proxy_ssl_protocols HSL [SSLv2] [SSLv3] [TLSv1] [TLSv1.1] [TLSv1.2] [TLSv1.3] = TLSv1.2 TLSv1.3",
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
