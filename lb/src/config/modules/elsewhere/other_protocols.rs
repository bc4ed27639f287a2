//! Servers that are spoken to in other protocols than HTTP: FastCGI, uwsgi, SCGI, memcached.
//!
//! What passes a request to such a server is refused. The settings beside it do nothing without it, and files that
//! were made for many purposes have them (`include fastcgi_params`): they are without effect.

use crate::config::table::{Family, Fate};

pub(super) const FAMILIES: &[Family] = &[
    Family { module: "ngx_http_fastcgi_module", fate: Fate::Refused("FastCGI is not spoken: put an HTTP server before the application (for PHP-FPM, an nginx or Caddy of its own) and pass to that with `proxy_pass`"), lines: "fastcgi_pass LI address" },
    Family { module: "ngx_http_fastcgi_module, settings", fate: Fate::Ignored("nothing is passed to FastCGI servers"), lines: "\
fastcgi_allow_upstream HSL string …
fastcgi_bind HSL address [transparent] | off
fastcgi_bind_dynamic HSL on | off = off
fastcgi_buffer_size HSL size = 4k|8k
fastcgi_buffering HSL on | off = on
fastcgi_buffers HSL number size = 8 4k|8k
fastcgi_busy_buffers_size HSL size = 8k|16k
fastcgi_cache HSL zone | off = off
fastcgi_cache_background_update HSL on | off = off
fastcgi_cache_bypass HSL string …
fastcgi_cache_key HSL string
fastcgi_cache_lock HSL on | off = off
fastcgi_cache_lock_age HSL time = 5s
fastcgi_cache_lock_timeout HSL time = 5s
fastcgi_cache_max_range_offset HSL number
fastcgi_cache_methods HSL GET | HEAD | POST … = GET HEAD
fastcgi_cache_min_uses HSL number = 1
fastcgi_cache_path H path [levels=levels] [use_temp_path=on|off] keys_zone=name:size [inactive=time] [max_size=size] [min_free=size] …
fastcgi_cache_purge HSL string …
fastcgi_cache_revalidate HSL on | off = off
fastcgi_cache_use_stale HSL error | timeout | invalid_header | updating | http_500 | http_503 | http_403 | http_404 | http_429 | off … = off
fastcgi_cache_valid HSL [code …] time
fastcgi_catch_stderr HSL string
fastcgi_connect_timeout HSL time = 60s
fastcgi_force_ranges HSL on | off = off
fastcgi_hide_header HSL field
fastcgi_ignore_client_abort HSL on | off = off
fastcgi_ignore_headers HSL field …
fastcgi_index HSL name
fastcgi_intercept_errors HSL on | off = off
fastcgi_keep_conn HSL on | off = off
fastcgi_limit_rate HSL rate = 0
fastcgi_max_temp_file_size HSL size = 1024m
fastcgi_next_upstream HSL error | timeout | invalid_header | http_500 | http_503 | http_403 | http_404 | http_429 | non_idempotent | off … = error timeout
fastcgi_next_upstream_timeout HSL time = 0
fastcgi_next_upstream_tries HSL number = 0
fastcgi_no_cache HSL string …
fastcgi_param HSL parameter value [if_not_empty]
fastcgi_pass_header HSL field
fastcgi_pass_request_body HSL on | off = on
fastcgi_pass_request_headers HSL on | off = on
fastcgi_read_timeout HSL time = 60s
fastcgi_request_buffering HSL on | off = on
fastcgi_send_lowat HSL size = 0
fastcgi_send_timeout HSL time = 60s
fastcgi_socket_keepalive HSL on | off = off
fastcgi_split_path_info HSL regex
fastcgi_store HSL on | off | string = off
fastcgi_store_access HSL users:permissions … = user:rw
fastcgi_temp_file_write_size HSL size = 8k|16k
fastcgi_temp_path HSL path [level1 [level2 [level3]]] = fastcgi_temp" },
    Family { module: "ngx_http_uwsgi_module", fate: Fate::Refused("the uwsgi protocol is not spoken: start uWSGI with `--http-socket` and pass to that with `proxy_pass`"), lines: "uwsgi_pass LI address" },
    Family { module: "ngx_http_uwsgi_module, settings", fate: Fate::Ignored("nothing is passed to uwsgi servers"), lines: "\
uwsgi_allow_upstream HSL string …
uwsgi_bind HSL address [transparent] | off
uwsgi_bind_dynamic HSL on | off = off
uwsgi_buffer_size HSL size = 4k|8k
uwsgi_buffering HSL on | off = on
uwsgi_buffers HSL number size = 8 4k|8k
uwsgi_busy_buffers_size HSL size = 8k|16k
uwsgi_cache HSL zone | off = off
uwsgi_cache_background_update HSL on | off = off
uwsgi_cache_bypass HSL string …
uwsgi_cache_key HSL string
uwsgi_cache_lock HSL on | off = off
uwsgi_cache_lock_age HSL time = 5s
uwsgi_cache_lock_timeout HSL time = 5s
uwsgi_cache_max_range_offset HSL number
uwsgi_cache_methods HSL GET | HEAD | POST … = GET HEAD
uwsgi_cache_min_uses HSL number = 1
uwsgi_cache_path H path [levels=levels] [use_temp_path=on|off] keys_zone=name:size [inactive=time] [max_size=size] [min_free=size] …
uwsgi_cache_purge HSL string …
uwsgi_cache_revalidate HSL on | off = off
uwsgi_cache_use_stale HSL error | timeout | invalid_header | updating | http_500 | http_503 | http_403 | http_404 | http_429 | off … = off
uwsgi_cache_valid HSL [code …] time
uwsgi_connect_timeout HSL time = 60s
uwsgi_force_ranges HSL on | off = off
uwsgi_hide_header HSL field
uwsgi_ignore_client_abort HSL on | off = off
uwsgi_ignore_headers HSL field …
uwsgi_intercept_errors HSL on | off = off
uwsgi_limit_rate HSL rate = 0
uwsgi_max_temp_file_size HSL size = 1024m
uwsgi_modifier1 HSL number = 0
uwsgi_modifier2 HSL number = 0
uwsgi_next_upstream HSL error | timeout | invalid_header | http_500 | http_503 | http_403 | http_404 | http_429 | non_idempotent | off … = error timeout
uwsgi_next_upstream_timeout HSL time = 0
uwsgi_next_upstream_tries HSL number = 0
uwsgi_no_cache HSL string …
uwsgi_param HSL parameter value [if_not_empty]
uwsgi_pass_header HSL field
uwsgi_pass_request_body HSL on | off = on
uwsgi_pass_request_headers HSL on | off = on
uwsgi_read_timeout HSL time = 60s
uwsgi_request_buffering HSL on | off = on
uwsgi_send_timeout HSL time = 60s
uwsgi_socket_keepalive HSL on | off = off
uwsgi_ssl_certificate HSL file
uwsgi_ssl_certificate_cache HSL off | max=N [inactive=time] [valid=time] = off
uwsgi_ssl_certificate_key HSL file
uwsgi_ssl_ciphers HSL ciphers = DEFAULT
uwsgi_ssl_conf_command HSL name value
uwsgi_ssl_crl HSL file
uwsgi_ssl_key_log HSL path
uwsgi_ssl_name HSL name
uwsgi_ssl_password_file HSL file
uwsgi_ssl_protocols HSL [SSLv2] [SSLv3] [TLSv1] [TLSv1.1] [TLSv1.2] [TLSv1.3] = TLSv1.2 TLSv1.3
uwsgi_ssl_server_name HSL on | off = off
uwsgi_ssl_session_reuse HSL on | off = on
uwsgi_ssl_trusted_certificate HSL file
uwsgi_ssl_verify HSL on | off = off
uwsgi_ssl_verify_depth HSL number = 1
uwsgi_store HSL on | off | string = off
uwsgi_store_access HSL users:permissions … = user:rw
uwsgi_string HSL string
uwsgi_temp_file_write_size HSL size = 8k|16k
uwsgi_temp_path HSL path [level1 [level2 [level3]]] = uwsgi_temp" },
    Family { module: "ngx_http_scgi_module", fate: Fate::Refused("SCGI is not spoken: put an HTTP server before the application and pass to that with `proxy_pass`"), lines: "scgi_pass LI address" },
    Family { module: "ngx_http_scgi_module, settings", fate: Fate::Ignored("nothing is passed to SCGI servers"), lines: "\
scgi_allow_upstream HSL string …
scgi_bind HSL address [transparent] | off
scgi_bind_dynamic HSL on | off = off
scgi_buffer_size HSL size = 4k|8k
scgi_buffering HSL on | off = on
scgi_buffers HSL number size = 8 4k|8k
scgi_busy_buffers_size HSL size = 8k|16k
scgi_cache HSL zone | off = off
scgi_cache_background_update HSL on | off = off
scgi_cache_bypass HSL string …
scgi_cache_key HSL string
scgi_cache_lock HSL on | off = off
scgi_cache_lock_age HSL time = 5s
scgi_cache_lock_timeout HSL time = 5s
scgi_cache_max_range_offset HSL number
scgi_cache_methods HSL GET | HEAD | POST … = GET HEAD
scgi_cache_min_uses HSL number = 1
scgi_cache_path H path [levels=levels] [use_temp_path=on|off] keys_zone=name:size [inactive=time] [max_size=size] [min_free=size] …
scgi_cache_purge HSL string …
scgi_cache_revalidate HSL on | off = off
scgi_cache_use_stale HSL error | timeout | invalid_header | updating | http_500 | http_503 | http_403 | http_404 | http_429 | off … = off
scgi_cache_valid HSL [code …] time
scgi_connect_timeout HSL time = 60s
scgi_force_ranges HSL on | off = off
scgi_hide_header HSL field
scgi_ignore_client_abort HSL on | off = off
scgi_ignore_headers HSL field …
scgi_intercept_errors HSL on | off = off
scgi_limit_rate HSL rate = 0
scgi_max_temp_file_size HSL size = 1024m
scgi_next_upstream HSL error | timeout | invalid_header | http_500 | http_503 | http_403 | http_404 | http_429 | non_idempotent | off … = error timeout
scgi_next_upstream_timeout HSL time = 0
scgi_next_upstream_tries HSL number = 0
scgi_no_cache HSL string …
scgi_param HSL parameter value [if_not_empty]
scgi_pass_header HSL field
scgi_pass_request_body HSL on | off = on
scgi_pass_request_headers HSL on | off = on
scgi_read_timeout HSL time = 60s
scgi_request_buffering HSL on | off = on
scgi_send_timeout HSL time = 60s
scgi_socket_keepalive HSL on | off = off
scgi_store HSL on | off | string = off
scgi_store_access HSL users:permissions … = user:rw
scgi_temp_file_write_size HSL size = 8k|16k
scgi_temp_path HSL path [level1 [level2 [level3]]] = scgi_temp" },
    Family { module: "ngx_http_memcached_module", fate: Fate::Refused("memcached is not spoken: put an HTTP server before it and pass to that with `proxy_pass`"), lines: "memcached_pass LI address" },
    Family { module: "ngx_http_memcached_module, settings", fate: Fate::Ignored("nothing is passed to memcached"), lines: "\
memcached_allow_upstream HSL string …
memcached_bind HSL address [transparent] | off
memcached_bind_dynamic HSL on | off = off
memcached_buffer_size HSL size = 4k|8k
memcached_connect_timeout HSL time = 60s
memcached_force_ranges HSL on | off = off
memcached_gzip_flag HSL flag
memcached_next_upstream HSL error | timeout | invalid_response | not_found | off … = error timeout
memcached_next_upstream_timeout HSL time = 0
memcached_next_upstream_tries HSL number = 0
memcached_read_timeout HSL time = 60s
memcached_send_timeout HSL time = 60s
memcached_socket_keepalive HSL on | off = off" },
];
