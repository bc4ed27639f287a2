//! The directives of nginx's other standard HTTP modules, of NGINX Plus's, and of what is built beside them often:
//! none is implemented. They are listed so that a configuration that relies on one is told why it cannot run, and
//! one that switches it off runs.

use crate::config::table::{
    FLAG, Family, HTTP, LEVELS, LOCATION, NUMBER, Row, SERVER, at_least, no_effect, refused,
};

const NO_COMPRESSION: &str = "answers are not compressed here; let the servers do it";
const NO_ACCESS_RULES: &str = "clients cannot be told apart yet, and ignoring it would let everyone in";
const NO_LIMITS: &str = "rates and numbers of connections cannot be limited yet";
const NO_TLS: &str = "there is no TLS yet";
const NO_FILES: &str = "no file is served";
const NO_VARIABLES: &str = "variables are defined by set, map, geo and split_clients alone";
const BODIES_AS_THEY_ARE: &str = "bodies are passed on as they are";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    refused("allow", LEVELS, NO_ACCESS_RULES).harmless(&["all"]),
    refused("auth_basic", LEVELS, NO_ACCESS_RULES).harmless(&["off"]),
    refused("auth_request", LEVELS, NO_ACCESS_RULES).harmless(&["off"]),
    refused("auth_jwt", LEVELS, NO_ACCESS_RULES).harmless(&["off"]),
    refused("autoindex", LEVELS, NO_FILES).harmless(&["off"]),
    refused("charset", LEVELS, BODIES_AS_THEY_ARE).harmless(&["off"]),
    refused("gunzip", LEVELS, NO_COMPRESSION).harmless(&["off"]),
    refused("gzip", LEVELS, NO_COMPRESSION).harmless(&["off"]),
    refused("gzip_static", LEVELS, NO_COMPRESSION).harmless(&["off"]),
    refused("http2", HTTP.or(SERVER), "only HTTP/1.1 is spoken yet").harmless(&["off"]),
    refused("http3", HTTP.or(SERVER), "only HTTP/1.1 is spoken yet").harmless(&["off"]),
    refused("limit_conn", LEVELS, NO_LIMITS),
    refused("limit_conn_zone", HTTP, NO_LIMITS),
    refused("limit_req", LEVELS, NO_LIMITS),
    refused("limit_req_zone", HTTP, NO_LIMITS),
    refused("mirror", LEVELS, "requests are not sent twice").harmless(&["off"]),
    refused("real_ip_header", LEVELS,
        "the client is who connected; ignoring it would log and pass on another address"),
    refused("real_ip_recursive", LEVELS, "the client is who connected").harmless(&["off"]),
    refused("set_real_ip_from", LEVELS,
        "the client is who connected; ignoring it would log and pass on another address"),
    refused("ssi", LEVELS, BODIES_AS_THEY_ARE).harmless(&["off"]),
    refused("ssl", SERVER.or(HTTP), NO_TLS).harmless(&["off"]),
    refused("status_zone", SERVER.or(LOCATION),
        "statistics are kept for every server and upstream, under names of our own"),
    refused("stub_status", SERVER.or(LOCATION), "metrics are at /metrics of the admin listener"),
    refused("sub_filter", LEVELS, BODIES_AS_THEY_ARE),
    refused("userid", LEVELS, "clients are not marked").harmless(&["off"]),
    refused("index", LEVELS, NO_FILES),
    no_effect("map_hash_bucket_size", HTTP, NUMBER, "maps take the room that they need"),
    no_effect("map_hash_max_size", HTTP, NUMBER, "maps take the room that they need"),
    no_effect("gzip_vary", LEVELS, FLAG, "nothing is compressed here, so nothing varies by it"),
    no_effect("gzip_disable", LEVELS, at_least(1, "regex …"), "nothing is compressed here"),
];

#[rustfmt::skip]
pub(super) const FAMILIES: &[Family] = &[
    Family { module: "ngx_http_access_module", reason: NO_ACCESS_RULES, names: "\
        deny" },
    Family { module: "ngx_http_addition_module", reason: BODIES_AS_THEY_ARE, names: "\
        add_after_body add_before_body addition_types" },
    Family { module: "ngx_http_api_module", reason: "there is no API; health and metrics are on the admin listener (`--admin`)", names: "\
        api status status_format" },
    Family { module: "ngx_http_auth_basic_module and its like", reason: NO_ACCESS_RULES, names: "\
        auth_basic_user_file auth_jwt_claim_set auth_jwt_header_set auth_jwt_key_cache auth_jwt_key_file \
        auth_jwt_key_request auth_jwt_leeway auth_jwt_require auth_jwt_type auth_oidc auth_request_set \
        oidc_provider secure_link secure_link_md5 secure_link_secret session_log session_log_format \
        session_log_zone valid_referers referer_hash_bucket_size referer_hash_max_size" },
    Family { module: "ngx_http_autoindex_module and other servers of files", reason: NO_FILES, names: "\
        ancient_browser ancient_browser_value autoindex_exact_size autoindex_format autoindex_localtime \
        create_full_put_path dav_access dav_methods f4f f4f_buffer_size flv hls hls_buffers \
        hls_forward_args hls_fragment hls_mp4_buffer_size hls_mp4_max_buffer_size image_filter \
        image_filter_buffer image_filter_interlace image_filter_jpeg_quality image_filter_sharpen \
        image_filter_transparency image_filter_webp_quality min_delete_depth modern_browser \
        modern_browser_value mp4 mp4_buffer_size mp4_limit_rate mp4_limit_rate_after mp4_max_buffer_size \
        mp4_start_key_frame random_index" },
    Family { module: "ngx_http_charset_module, sub, ssi, xslt, slice", reason: BODIES_AS_THEY_ARE, names: "\
        charset_map charset_types override_charset slice source_charset ssi_last_modified \
        ssi_min_file_chunk ssi_silent_errors ssi_types ssi_value_length sub_filter_last_modified \
        sub_filter_once sub_filter_types xml_entities xslt_last_modified xslt_param xslt_string_param \
        xslt_stylesheet xslt_types" },
    Family { module: "ngx_http_fastcgi_module, uwsgi, scgi, memcached, grpc, tunnel", reason: "servers are spoken to in HTTP/1 alone", names: "\
        fastcgi_allow_upstream fastcgi_bind fastcgi_buffer_size fastcgi_buffering fastcgi_buffers \
        fastcgi_busy_buffers_size fastcgi_cache fastcgi_cache_background_update fastcgi_cache_bypass \
        fastcgi_cache_key fastcgi_cache_lock fastcgi_cache_lock_age fastcgi_cache_lock_timeout \
        fastcgi_cache_max_range_offset fastcgi_cache_methods fastcgi_cache_min_uses fastcgi_cache_path \
        fastcgi_cache_purge fastcgi_cache_revalidate fastcgi_cache_use_stale fastcgi_cache_valid \
        fastcgi_catch_stderr fastcgi_connect_timeout fastcgi_force_ranges fastcgi_hide_header \
        fastcgi_ignore_client_abort fastcgi_ignore_headers fastcgi_index fastcgi_intercept_errors \
        fastcgi_keep_conn fastcgi_limit_rate fastcgi_max_temp_file_size fastcgi_next_upstream \
        fastcgi_next_upstream_timeout fastcgi_next_upstream_tries fastcgi_no_cache fastcgi_param \
        fastcgi_pass fastcgi_pass_header fastcgi_pass_request_body fastcgi_pass_request_headers \
        fastcgi_read_timeout fastcgi_request_buffering fastcgi_send_lowat fastcgi_send_timeout \
        fastcgi_socket_keepalive fastcgi_split_path_info fastcgi_store fastcgi_store_access \
        fastcgi_temp_file_write_size fastcgi_temp_path uwsgi_allow_upstream uwsgi_bind uwsgi_buffer_size \
        uwsgi_buffering uwsgi_buffers uwsgi_busy_buffers_size uwsgi_cache uwsgi_cache_background_update \
        uwsgi_cache_bypass uwsgi_cache_key uwsgi_cache_lock uwsgi_cache_lock_age \
        uwsgi_cache_lock_timeout uwsgi_cache_max_range_offset uwsgi_cache_methods uwsgi_cache_min_uses \
        uwsgi_cache_path uwsgi_cache_purge uwsgi_cache_revalidate uwsgi_cache_use_stale \
        uwsgi_cache_valid uwsgi_connect_timeout uwsgi_force_ranges uwsgi_hide_header \
        uwsgi_ignore_client_abort uwsgi_ignore_headers uwsgi_intercept_errors uwsgi_limit_rate \
        uwsgi_max_temp_file_size uwsgi_modifier1 uwsgi_modifier2 uwsgi_next_upstream \
        uwsgi_next_upstream_timeout uwsgi_next_upstream_tries uwsgi_no_cache uwsgi_param uwsgi_pass \
        uwsgi_pass_header uwsgi_pass_request_body uwsgi_pass_request_headers uwsgi_read_timeout \
        uwsgi_request_buffering uwsgi_send_timeout uwsgi_socket_keepalive uwsgi_ssl_certificate \
        uwsgi_ssl_certificate_cache uwsgi_ssl_certificate_key uwsgi_ssl_ciphers uwsgi_ssl_conf_command \
        uwsgi_ssl_crl uwsgi_ssl_name uwsgi_ssl_password_file uwsgi_ssl_protocols uwsgi_ssl_server_name \
        uwsgi_ssl_session_reuse uwsgi_ssl_trusted_certificate uwsgi_ssl_verify uwsgi_ssl_verify_depth \
        uwsgi_store uwsgi_store_access uwsgi_string uwsgi_temp_file_write_size uwsgi_temp_path \
        scgi_allow_upstream scgi_bind scgi_buffer_size scgi_buffering scgi_buffers \
        scgi_busy_buffers_size scgi_cache scgi_cache_background_update scgi_cache_bypass scgi_cache_key \
        scgi_cache_lock scgi_cache_lock_age scgi_cache_lock_timeout scgi_cache_max_range_offset \
        scgi_cache_methods scgi_cache_min_uses scgi_cache_path scgi_cache_purge scgi_cache_revalidate \
        scgi_cache_use_stale scgi_cache_valid scgi_connect_timeout scgi_force_ranges scgi_hide_header \
        scgi_ignore_client_abort scgi_ignore_headers scgi_intercept_errors scgi_limit_rate \
        scgi_max_temp_file_size scgi_next_upstream scgi_next_upstream_timeout scgi_next_upstream_tries \
        scgi_no_cache scgi_param scgi_pass scgi_pass_header scgi_pass_request_body \
        scgi_pass_request_headers scgi_read_timeout scgi_request_buffering scgi_send_timeout \
        scgi_socket_keepalive scgi_store scgi_store_access scgi_temp_file_write_size scgi_temp_path \
        memcached_allow_upstream memcached_bind memcached_buffer_size memcached_connect_timeout \
        memcached_force_ranges memcached_gzip_flag memcached_next_upstream \
        memcached_next_upstream_timeout memcached_next_upstream_tries memcached_pass \
        memcached_read_timeout memcached_send_timeout memcached_socket_keepalive grpc_allow_upstream \
        grpc_bind grpc_buffer_size grpc_connect_timeout grpc_hide_header grpc_ignore_headers \
        grpc_intercept_errors grpc_next_upstream grpc_next_upstream_timeout grpc_next_upstream_tries \
        grpc_pass grpc_pass_header grpc_read_timeout grpc_send_timeout grpc_set_header \
        grpc_socket_keepalive grpc_ssl_certificate grpc_ssl_certificate_cache grpc_ssl_certificate_key \
        grpc_ssl_ciphers grpc_ssl_conf_command grpc_ssl_crl grpc_ssl_key_log grpc_ssl_name \
        grpc_ssl_password_file grpc_ssl_protocols grpc_ssl_server_name grpc_ssl_session_reuse \
        grpc_ssl_trusted_certificate grpc_ssl_verify grpc_ssl_verify_depth tunnel_allow_upstream \
        tunnel_pass" },
    Family { module: "ngx_http_gzip_module", reason: NO_COMPRESSION, names: "\
        gunzip_buffers gzip_buffers gzip_comp_level gzip_http_version gzip_min_length gzip_proxied \
        gzip_types gzip_window gzip_hash gzip_no_buffer postpone_gzipping" },
    Family { module: "ngx_http_limit_conn_module, limit_req", reason: NO_LIMITS, names: "\
        limit_conn_dry_run limit_conn_log_level limit_conn_status limit_req_dry_run limit_req_log_level \
        limit_req_status limit_zone" },
    Family { module: "ngx_http_geoip_module and other definitions of variables", reason: NO_VARIABLES, names: "\
        geoip_city geoip_country geoip_org geoip_proxy geoip_proxy_recursive keyval keyval_zone \
        num_map perl perl_modules perl_require perl_set userid_domain userid_expires \
        userid_flags userid_mark userid_name userid_p3p userid_path userid_service js_access \
        js_body_filter js_content js_fetch_buffer_size js_fetch_ciphers \
        js_fetch_max_response_buffer_size js_fetch_protocols js_fetch_timeout \
        js_fetch_trusted_certificate js_fetch_verify js_fetch_verify_depth js_header_filter js_import \
        js_include js_path js_periodic js_preload_object js_set js_shared_dict_zone js_var" },
    Family { module: "ngx_http_mirror_module", reason: "requests are not sent twice", names: "\
        mirror_request_body" },
    Family { module: "ngx_otel_module", reason: "traces are not exported; metrics are at /metrics of the admin listener", names: "\
        otel_exporter otel_resource_attr otel_service_name otel_span_attr otel_span_name otel_trace \
        otel_trace_context" },
    Family { module: "ngx_http_ssl_module", reason: NO_TLS, names: "\
        ssl_alpn ssl_buffer_size ssl_certificate ssl_certificate_cache ssl_certificate_compression \
        ssl_certificate_key ssl_ciphers ssl_client_certificate ssl_conf_command ssl_crl ssl_dhparam \
        ssl_early_data ssl_ecdh_curve ssl_ech_file ssl_key_log ssl_ocsp ssl_ocsp_cache \
        ssl_ocsp_responder ssl_password_file ssl_prefer_server_ciphers ssl_protocols \
        ssl_reject_handshake ssl_session_cache ssl_session_ticket_key ssl_session_tickets \
        ssl_session_timeout ssl_stapling ssl_stapling_file ssl_stapling_responder ssl_stapling_verify \
        ssl_trusted_certificate ssl_verify_client ssl_verify_depth acme_certificate acme_issuer \
        acme_shared_zone" },
    Family { module: "ngx_http_v2_module, ngx_http_v3_module", reason: "only HTTP/1.1 is spoken yet", names: "\
        http2_body_preread_size http2_chunk_size http2_idle_timeout http2_max_concurrent_pushes \
        http2_max_concurrent_streams http2_max_field_size http2_max_header_size http2_max_requests \
        http2_push http2_push_preload http2_recv_buffer_size http2_recv_timeout http2_streams_index_size \
        http3_hq http3_max_concurrent_streams http3_max_table_capacity http3_stream_buffer_size \
        quic_active_connection_id_limit quic_bpf quic_gso quic_host_key quic_mtu quic_retry \
        quic_stream_buffer_size" },
    Family { module: "ngx_http_internal_redirect_module, empty_gif, degradation", reason: "it has no counterpart here", names: "\
        degradation degrade empty_gif internal_redirect" },
];
