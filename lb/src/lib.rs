//! Cirque's load balancer as a library: everything but the list of steps in `main.rs`.
//!
//! The rooms, and what each may know, are drawn in `ARCHITECTURE.md`.

pub mod config;
pub mod connection;
pub mod handler;
pub mod observe;
