//! What can be tested of lb from outside, in one program: linking is what a test program costs most. Apart from it
//! stand those that need a process of their own (`process`, `connection_memory`), a machine of their own
//! (`connection_idle_stop`), or optimisation (`upstream_pick_cost`).

mod black_box;
mod config_against_nginx;
mod config_mistakes;
mod config_mutations;
mod config_reference;
mod connection;
mod connection_http2;
mod connection_listeners;
mod connection_support;
mod free_port;
mod healthcheck;
mod layering;
mod log_files;
mod phase_seams;
mod upstream_dns;
mod upstream_health;
mod upstream_scale;
mod upstream_support;
