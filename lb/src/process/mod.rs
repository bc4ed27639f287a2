//! The process as the operating system and its operator see it: signals, identity, limits, pid file, daemon.
//!
//! Everything here concerns the one process as a whole and is called from the start-up sequence or the signal
//! loop, never from a request. There are no worker processes: what NGINX divides between a master that stays root
//! and workers that do not, one process does here in order, so a privilege given up is gone for good; the modules
//! say what follows from that.

pub mod daemon;
pub mod environment;
pub mod pid_file;
mod prepare;
mod signal_loop;
pub mod signals;
pub mod start;
pub mod user;
mod workers;
