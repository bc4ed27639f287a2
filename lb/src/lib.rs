//! Cirque's load balancer as a library: everything but the list of steps in `main.rs`.
//!
//! `ARCHITECTURE.md` has the map of the modules, and the dependencies that each may have.

pub mod admin;
pub mod balance;
pub mod build_info;
pub mod cache;
pub mod cli;
pub mod config;
pub mod connection;
pub mod content;
pub mod files;
pub mod filter;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod healthcheck;
pub mod limits;
pub mod observe;
pub mod open_files;
pub mod passwords;
pub mod process;
pub mod proxy;
pub mod request;
pub mod routing;
pub mod script;
pub mod server;
pub mod suggestion;
pub mod system_error;
pub mod tls;
pub mod tokens;
pub mod upstream;
