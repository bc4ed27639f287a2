//! The file system, asked by threads of its own: no call here blocks the worker that awaits it.
//!
//! A small file is opened, looked at and read in one visit to such a thread; a large one is read piece by piece and is
//! never in memory as a whole. What an answer is made of these is decided in `content/file`.

mod error;
mod kind;
mod links;
mod list;
mod open;

pub use self::error::{FileError, Meaning};
pub use self::kind::Kind;
pub use self::links::Links;
pub use self::list::{Entry, list};
pub use self::open::{
    Compressed, Found, Opened, PIECE_BYTES, SUFFIXES, Wanted, as_path, look_at, open, read, read_up_to,
};

use std::io;

/// Runs `work` on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
