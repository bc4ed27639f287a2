//! `loadgen ab`: is B really faster or slower than A, or is it the machine that was?
//!
//! Two runs one after the other compare the targets and whatever else changed between the runs: temperature,
//! neighbours, a full page cache. Here time is cut into slices of about a second. A pair is one slice of each
//! target, side by side, so that what drifts slowly touches both alike and drops out of their ratio. Which of
//! the two comes first is drawn anew for every pair, because a fixed order (A, B, A, B, ...) leaves whatever
//! depends on the place in it in the result: a drift makes the second slice of every pair the slower one, and
//! on a laptop, or beside a task that runs every two seconds, it looks just like a slower B. A random order
//! turns that into noise, which the interval accounts for; a test here shows both.
//!
//! [`plan`] decides what happens when, [`driver`] does it, [`mod@slice`] adds up what the threads counted,
//! [`statistics`] says what follows from it, and [`report`] tells it, in the words of `verdict`. All but the
//! driver are pure.

pub mod driver;
pub mod plan;
pub mod report;
pub mod slice;
pub mod statistics;
pub mod summary;
mod verdict;

#[cfg(test)]
mod simulation;
