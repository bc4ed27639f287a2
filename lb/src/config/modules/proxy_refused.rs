//! What of nginx's proxy module has no effect here or is refused, with the reasons.

use crate::config::table::{HTTP, LEVELS, NUMBER, Row, SIZE, at_least, no_effect, refused, words};

const STREAMED: &str = "answers are streamed with buffers of their own size and never written to disk";
const NO_CACHE: &str = "nothing is cached";
pub(super) const NO_TLS: &str = "there is no TLS to servers yet";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("proxy_buffer_size", LEVELS, SIZE, STREAMED),
    no_effect("proxy_buffers", LEVELS, words(2, 2, "number size"), STREAMED),
    no_effect("proxy_busy_buffers_size", LEVELS, SIZE, STREAMED),
    no_effect("proxy_max_temp_file_size", LEVELS, SIZE, STREAMED).harmless(&["0"]),
    no_effect("proxy_temp_file_write_size", LEVELS, SIZE, STREAMED),
    no_effect("proxy_temp_path", LEVELS, words(1, 4, "path …"), STREAMED),
    no_effect("proxy_cache_bypass", LEVELS, at_least(1, "string …"), NO_CACHE).repeatable(),
    no_effect("proxy_no_cache", LEVELS, at_least(1, "string …"), NO_CACHE).repeatable(),
    no_effect("proxy_headers_hash_bucket_size", LEVELS, NUMBER, "there is no hash table to size"),
    no_effect("proxy_headers_hash_max_size", LEVELS, NUMBER, "there is no hash table to size"),
    no_effect("proxy_send_lowat", LEVELS, SIZE, "Linux ignores it, as nginx does there"),

    refused("proxy_allow_upstream", LEVELS, "servers cannot be filtered by address"),
    refused("proxy_cache", LEVELS, NO_CACHE).harmless(&["off"]),
    refused("proxy_cache_background_update", LEVELS, NO_CACHE).harmless(&["off"]),
    refused("proxy_cache_convert_head", LEVELS, NO_CACHE),
    refused("proxy_cache_key", LEVELS, NO_CACHE),
    refused("proxy_cache_lock", LEVELS, NO_CACHE).harmless(&["off"]),
    refused("proxy_cache_lock_age", LEVELS, NO_CACHE),
    refused("proxy_cache_lock_timeout", LEVELS, NO_CACHE),
    refused("proxy_cache_max_range_offset", LEVELS, NO_CACHE),
    refused("proxy_cache_methods", LEVELS, NO_CACHE),
    refused("proxy_cache_min_uses", LEVELS, NO_CACHE),
    refused("proxy_cache_path", HTTP, NO_CACHE),
    refused("proxy_cache_purge", LEVELS, NO_CACHE),
    refused("proxy_cache_revalidate", LEVELS, NO_CACHE).harmless(&["off"]),
    refused("proxy_cache_use_stale", LEVELS, NO_CACHE).harmless(&["off"]),
    refused("proxy_cache_valid", LEVELS, NO_CACHE),
    refused("proxy_force_ranges", LEVELS, "ranges are cut by the servers behind").harmless(&["off"]),
    refused("proxy_ignore_client_abort", LEVELS, "a request ends when its client goes").harmless(&["off"]),
    refused("proxy_pass_trailers", LEVELS, "trailers are not passed on").harmless(&["off"]),
    refused("proxy_request_dynamic", LEVELS, "what is sent is decided before a server is asked"),
    refused("proxy_ssl_alpn", LEVELS, NO_TLS),
    refused("proxy_ssl_certificate", LEVELS, NO_TLS),
    refused("proxy_ssl_certificate_cache", LEVELS, NO_TLS),
    refused("proxy_ssl_certificate_key", LEVELS, NO_TLS),
    refused("proxy_ssl_ciphers", LEVELS, NO_TLS),
    refused("proxy_ssl_conf_command", LEVELS, NO_TLS),
    refused("proxy_ssl_crl", LEVELS, NO_TLS),
    refused("proxy_ssl_key_log", LEVELS, NO_TLS),
    refused("proxy_ssl_name", LEVELS, NO_TLS),
    refused("proxy_ssl_password_file", LEVELS, NO_TLS),
    refused("proxy_ssl_protocols", LEVELS, NO_TLS),
    refused("proxy_ssl_server_name", LEVELS, NO_TLS).harmless(&["off"]),
    refused("proxy_ssl_session_reuse", LEVELS, NO_TLS),
    refused("proxy_ssl_trusted_certificate", LEVELS, NO_TLS),
    refused("proxy_ssl_verify", LEVELS, NO_TLS).harmless(&["off"]),
    refused("proxy_ssl_verify_depth", LEVELS, NO_TLS),
    refused("proxy_store", LEVELS, "answers are never written to disk").harmless(&["off"]),
    refused("proxy_store_access", LEVELS, "answers are never written to disk"),
];
