//! The parts of a chart that know nothing of load testing: text that cannot break out of its element, axes with round
//! numbers, scales, shapes. Pure.

pub mod markup;
pub mod scale;
pub mod shape;
pub mod ticks;
