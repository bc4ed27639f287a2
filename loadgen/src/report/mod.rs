//! What people and scripts see of a run. Readers only: nothing here changes what is measured.
//!
//! After a run, [`text`], [`json`] and [`html`] each show one [`Summary`](crate::summary::Summary). During a run,
//! [`view`] shows [`live`] figures: on a [`terminal`], or as plain lines of [`progress`].

pub mod figures;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod html;
pub mod json;
pub mod live;
pub mod progress;
pub mod schema;
pub mod svg;
pub mod terminal;
pub mod text;
pub mod view;
pub mod words;
