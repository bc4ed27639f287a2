//! What can be tested of loadgen from outside, in one program: linking is what a test program costs most. Only
//! `allocations` stands apart, because it counts for the whole process.

mod black_box;
mod codec;
