//! What of nginx's proxy module has no effect here or is refused, with the reasons.

use crate::config::table::{LEVELS, NUMBER, Row, SIZE, no_effect, refused, words};

const STREAMED: &str = "answers are streamed with buffers of their own size and never written to disk";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("proxy_buffer_size", LEVELS, SIZE, STREAMED),
    no_effect("proxy_buffers", LEVELS, words(2, 2, "number size"), STREAMED),
    no_effect("proxy_busy_buffers_size", LEVELS, SIZE, STREAMED),
    no_effect("proxy_max_temp_file_size", LEVELS, SIZE, STREAMED).harmless(&["0"]),
    no_effect("proxy_temp_file_write_size", LEVELS, SIZE, STREAMED),
    no_effect("proxy_temp_path", LEVELS, words(1, 4, "path …"), STREAMED),
    no_effect("proxy_headers_hash_bucket_size", LEVELS, NUMBER, "there is no hash table to size"),
    no_effect("proxy_headers_hash_max_size", LEVELS, NUMBER, "there is no hash table to size"),
    no_effect("proxy_send_lowat", LEVELS, SIZE, "Linux ignores it, as nginx does there"),

    refused("proxy_allow_upstream", LEVELS, "servers cannot be filtered by address"),
    refused("proxy_request_dynamic", LEVELS, "what is sent is decided before a server is asked"),
    refused("proxy_store", LEVELS, "answers are never written to disk").harmless(&["off"]),
    refused("proxy_store_access", LEVELS, "answers are never written to disk"),
];
