//! What people and scripts see of a run. Readers only: nothing here changes what is measured.

pub mod json;
pub mod progress;
pub mod text;
