//! The process towards the operating system and its operator: signals, identity, limits, pid file, daemon.
//!
//! The start-up sequence or the signal loop calls everything here, never a request. There are no worker processes:
//! NGINX divides the work between a master that stays root and workers that do not, and one process does it here in
//! order, so a privilege given up is gone for good; the modules tell the consequences.

pub mod daemon;
pub mod environment;
pub mod pid_file;
mod prepare;
mod real_ip;
mod signal_loop;
pub mod signals;
mod stapling;
pub mod start;
pub mod user;
mod workers;
