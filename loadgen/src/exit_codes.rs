//! What the exit status of `loadgen` says, in one place.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | every request succeeded |
//! | 1 | the run took place but some request failed, or `loadgen` itself could not finish |
//! | 2 | usage: the command line made no sense; nothing was sent |
//! | 3 | reserved: a service level objective was missed |
//! | 4 | the target could not be reached; nothing was sent |
//! | 5 | reserved: the generator was the bottleneck, so the figures are not the target's |
//!
//! A run that Ctrl-C ended is judged like any other: what was sent decides.

/// Every request that was started succeeded.
pub const SUCCESS: i32 = 0;
/// Some request failed, or `loadgen` itself could not finish (a thread or an output was refused).
pub const FAILED: i32 = 1;
/// The command line made no sense; nothing was sent.
pub const USAGE: i32 = 2;
/// A service level objective was missed. Reserved: no objective can be stated yet.
pub const OBJECTIVE_MISSED: i32 = 3;
/// The name did not resolve, or no address accepted a connection; nothing was sent.
pub const UNREACHABLE: i32 = 4;
/// The generator was the bottleneck. Reserved: a closed loop cannot fall behind its schedule.
pub const SATURATED: i32 = 5;
