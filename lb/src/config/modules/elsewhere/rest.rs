//! What is not done here at all, each with the reason.

use super::{NO_FILES, NO_SCRIPTS, NO_VARIABLES};
use crate::config::table::{Family, Fate};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        module: "ngx_http_dav_module and other servers of files",
        fate: Fate::Refused(NO_FILES),
        lines: "\
create_full_put_path HSL on | off = off
dav_access HSL users:permissions … = user:rw
dav_methods HSL off | method … = off
min_delete_depth HSL number = 0
f4f L
f4f_buffer_size HSL size = 512k
flv L
hls L
hls_buffers HSL number size = 8 2m
hls_forward_args HSL on | off = off
hls_fragment HSL time = 5s
hls_mp4_buffer_size HSL size = 512k
hls_mp4_max_buffer_size HSL size = 10m
mp4 L
mp4_buffer_size HSL size = 512K
mp4_limit_rate HSL on | off | factor = off
mp4_limit_rate_after HSL time = 60s
mp4_max_buffer_size HSL size = 10M
mp4_start_key_frame HSL on | off = off
random_index L on | off = off
client_body_in_file_only HSL on | clean | off = off",
    },
    Family {
        module: "ngx_http_browser_module, geoip, keyval, num_map",
        fate: Fate::Refused(NO_VARIABLES),
        lines: "\
ancient_browser HSL string …
ancient_browser_value HSL string = 1
modern_browser HSL browser version
modern_browser_value HSL string = 1
geoip_city H file
geoip_country H file
geoip_org H file
geoip_proxy H address | CIDR
geoip_proxy_recursive H on | off = off
keyval H key $variable zone=name
keyval_zone H zone=name:size [state=file] [timeout=time] [type=string|ip|prefix] [sync]
num_map H string $variable { … }",
    },
    Family {
        module: "ngx_http_js_module, perl",
        fate: Fate::Refused(NO_SCRIPTS),
        lines: "\
js_access HSL module.function
js_body_filter LIX module.function [buffer_type=string | buffer]
js_content LIX module.function
js_context_reuse HSL number = 128
js_engine HSL njs | qjs = njs
js_fetch_buffer_size HSL size = 16k
js_fetch_ciphers HSL ciphers = HIGH:!aNULL:!MD5
js_fetch_max_response_buffer_size HSL size = 1m
js_fetch_protocols HSL [TLSv1] [TLSv1.1] [TLSv1.2] [TLSv1.3] = TLSv1 TLSv1.1 TLSv1.2
js_fetch_timeout HSL time = 60s
js_fetch_trusted_certificate HSL file
js_fetch_verify HSL on | off = on
js_fetch_verify_depth HSL number = 100
js_header_filter LIX module.function
js_import HSL module.js | export_name from module.js
js_include H file
js_path HSL path
js_periodic L module.function [interval=time] [jitter=number] [worker_affinity=mask]
js_preload_object HSL name.json | name from file.json
js_set HSL $variable module.function [nocache]
js_shared_dict_zone H zone=name:size [timeout=time] [type=string|number] [evict] [state=file]
js_var HSL $variable [value]
perl LX module::function | 'sub { … }'
perl_modules H path
perl_require H module
perl_set H $variable module::function | 'sub { … }'",
    },
    Family {
        module: "ngx_http_api_module, status",
        fate: Fate::Refused("there is no API; health and metrics are on the admin listener (`--admin`)"),
        lines: "\
api L [write=on|off] = off
status L
status_format L json | jsonp [callback] = json
status_zone SLI zone",
    },
    Family {
        module: "ngx_otel_module",
        fate: Fate::Refused("traces are not exported; metrics are at /metrics of the admin listener"),
        lines: "\
otel_exporter H { … }
otel_resource_attr H name value
otel_service_name H name = unknown_service:nginx
otel_span_attr HSL name value
otel_span_name HSL name
otel_trace HSL on | off | $variable = off
otel_trace_context HSL extract | inject | propagate | ignore = ignore",
    },
    Family {
        module: "ngx_http_session_log_module",
        fate: Fate::Refused("sessions are not logged; `access_log` has the requests"),
        lines: "\
session_log HSL name | off = off
session_log_format H name string …
session_log_zone H path zone=name:size [format=format] [timeout=time] [id=id] [md5=md5]",
    },
    Family {
        module: "ngx_http_tunnel_module",
        fate: Fate::Refused("CONNECT is not tunnelled"),
        lines: "\
allow_connect HSL on | off = off
tunnel_allow_upstream HSL string …
tunnel_bind HSL address | off
tunnel_bind_dynamic HSL on | off = off
tunnel_buffer_size HSL size = 16k
tunnel_connect_timeout HSL time = 60s
tunnel_next_upstream HSL error | timeout | denied | off … = error timeout
tunnel_next_upstream_timeout HSL time = 0
tunnel_next_upstream_tries HSL number = 0
tunnel_pass SLI [address]
tunnel_read_timeout HSL time = 60s
tunnel_send_lowat HSL size = 0
tunnel_send_timeout HSL time = 60s
tunnel_socket_keepalive HSL on | off = off",
    },
    Family {
        module: "ngx_http_empty_gif_module, degradation, internal_redirect",
        fate: Fate::Refused("it has no counterpart here"),
        lines: "\
degradation H sbrk=size
degrade L 204 | 444
empty_gif L
internal_redirect L uri",
    },
];
