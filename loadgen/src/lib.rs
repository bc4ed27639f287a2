//! An HTTP/1.1 load tester, closed loop and open, that knows which backend answered.
//!
//! One run flows through the modules in this order: [`cli`] holds what was typed, [`plan`] what it means,
//! with [`mix`] for several URLs and [`tls`] for whom to believe, [`reach`] finds addresses that accept,
//! [`engine`] sends requests (in an open loop when the [`schedule`] says so) and speaks [`wire`], every thread
//! keeps its own [`record`] and [`punctuality`], and [`run`] turns the engine's events into one [`summary`]
//! that the modules under [`report`] print. On the way the threads' [`slots`] meet in the [`collector`], which
//! makes the [`timeline`]; [`failover`], [`shares`], [`objective`] and [`honesty`] judge what came of it.
//! [`fault`] does something to the target meanwhile, [`truth`] asks the backends what they saw.
//!
//! [`ab`] compares two targets: the same engine, two at a time, stopping and going.
//!
//! It is a library only so that tests and benches can reach the parts; the program is `loadgen`.

pub mod ab;
pub mod cli;
pub mod collector;
pub mod descriptors;
pub mod engine;
pub mod exit_codes;
pub mod failover;
pub mod fault;
pub mod honesty;
pub mod mix;
pub mod objective;
pub mod plan;
pub mod punctuality;
pub mod reach;
pub mod record;
pub mod report;
pub mod run;
pub mod schedule;
pub mod shares;
pub mod signals;
pub mod silence;
pub mod slots;
pub mod summary;
pub mod target;
pub mod timeline;
pub mod tls;
pub mod truth;
pub mod wire;
