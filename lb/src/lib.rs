//! Cirque's load balancer as a library: everything but the list of steps in `main.rs`.
//!
//! The rooms, and what each may know, are drawn in `ARCHITECTURE.md`.

pub mod balance;
pub mod build_info;
pub mod cli;
pub mod config;
pub mod connection;
pub mod edge;
pub mod handler;
pub mod healthcheck;
pub mod observe;
pub mod process;
pub mod proxy;
pub mod routing;
pub mod snapshot;
pub mod upstream;
