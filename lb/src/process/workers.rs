//! The threads that serve connections, each with its own runtime: `worker_processes` of them for requests, and one
//! for the admin surface, so that neither waits for the other.
//!
//! Not one runtime of several threads: tokio's would move a connection between threads, and Pingora's (`NoSteal`)
//! gives each task to a thread at random, including the watch over an idle connection to a server.
//! `docs/decisions/011-workers.md` has the figures.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::runtime::{Builder, Handle};

use crate::observe::panics;

/// The runtimes of the threads.
pub(super) struct Runtimes {
    pub(super) workers: Vec<Handle>,
    pub(super) admin: Handle,
}

/// Starts `count` workers, `worker-0` and so on, and `admin`. The threads live as long as the process. Must come
/// after `daemon`, which only the calling thread survives.
pub(super) fn start(count: usize) -> io::Result<Runtimes> {
    let workers =
        (0..count).map(|number| start_thread(format!("worker-{number}"))).collect::<io::Result<_>>()?;
    Ok(Runtimes { workers, admin: start_thread("admin".to_owned())? })
}

fn start_thread(name: String) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let thread = thread::Builder::new().name(name.clone());
    let serve = move || {
        panics::expendable_thread();
        // The runtime catches a panic in a connection's task. One in the runtime itself would leave the thread's
        // connections unserved.
        let _ = catch_unwind(AssertUnwindSafe(|| runtime.block_on(std::future::pending::<()>())));
        panics::end_process(&format_args!("thread {name} ended"))
    };
    thread.spawn(serve)?;
    Ok(handle)
}
