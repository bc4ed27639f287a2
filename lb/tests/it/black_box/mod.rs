//! The `lb` binary from outside: real configuration files, real sockets, scripted servers that count.

#![expect(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod admin;
mod answer_hygiene;
mod balancing;
mod balancing_methods;
mod bodies;
mod byte_counts;
mod cache;
mod clients;
mod command_line;
mod files;
mod guards;
mod http2;
mod http2_backend;
mod http2_to_servers;
mod large_answers;
mod messages;
mod proxy_settings;
mod reload;
mod replaced_answers;
mod request_bodies;
mod secure_backend;
mod secure_servers;
mod stop;
mod subrequests;
mod support;
mod survival;
mod tls;
mod tls_clients;
mod tls_memory;
mod tls_sessions;
mod tls_support;
mod upgrades;
mod uploads;
mod workers;
