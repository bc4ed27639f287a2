//! The worker threads, `worker_processes` of them, each with a runtime of its own.
//!
//! Not one runtime of several threads: tokio's would move a connection between threads, and Pingora's (`NoSteal`)
//! gives each task to a thread at random, the watch over an idle connection to a server among them.
//! `docs/decisions/009-workers.md` has the figures.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::runtime::{Builder, Handle};

use crate::observe::panics;

/// Starts `count` threads, `worker-0` and so on. They live as long as the process. Belongs after `daemon`, which only
/// the calling thread survives.
pub(super) fn start(count: usize) -> io::Result<Vec<Handle>> {
    (0..count).map(start_one).collect()
}

fn start_one(number: usize) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let serve = move || {
        panics::expendable_thread();
        // A panic in a connection's task is caught by the runtime. One in the runtime itself would leave the thread's
        // connections without anybody to serve them.
        let _ = catch_unwind(AssertUnwindSafe(|| runtime.block_on(std::future::pending::<()>())));
        panics::end_process(&format_args!("worker-{number} ended"))
    };
    thread::Builder::new().name(format!("worker-{number}")).spawn(serve)?;
    Ok(handle)
}
