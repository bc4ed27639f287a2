//! Limits a panic to one connection where that is possible, and ends the process otherwise.
//!
//! A panic on a worker thread unwinds its task, which is the task of one connection (or the watch over one idle
//! connection to a server). Its guards run, so that counts stay right, its sockets close, and the other connections
//! are not affected. It is logged at `[alert]` and counted in `lb_panics_total`.
//!
//! Elsewhere a panic ends something that the process needs and that nothing would restart: the signal loop, an accept
//! loop, the probes, the writer of a log. A process without one of them is worse than one that its supervisor starts
//! again. So the default is to end it, with a line at `[emerg]` and SIGABRT, and code that may fail alone declares
//! so: a thread with [`expendable_thread`], a piece of work with [`expendable`].
//!
//! Without [`install`], in tests, panics behave as in any program.

use std::any::Any;
use std::cell::Cell;
use std::fmt::Display;
use std::panic::PanicHookInfo;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

thread_local! {
    static EXPENDABLE: Cell<bool> = const { Cell::new(false) };
}

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Replaces the standard hook, which writes several lines to standard error. Once per process, after the logger is
/// installed.
pub fn install() {
    std::panic::set_hook(Box::new(report));
}

/// The number of panics that ended a connection, since the start.
pub fn count() -> u64 {
    PANICS.load(Relaxed)
}

/// From now on, a panic on this thread ends its own task and nothing more.
pub fn expendable_thread() {
    EXPENDABLE.set(true);
}

/// Runs `work`, whose panic ends that and nothing more.
pub fn expendable<T>(work: impl FnOnce() -> T) -> T {
    let _restore = Restore(EXPENDABLE.replace(true));
    work()
}

/// Ends the process, because a part that it needs has ended.
pub fn end_process(reason: &dyn Display) -> ! {
    crate::emerg!("{reason}; the process cannot go on");
    log::logger().flush();
    std::process::abort()
}

fn report(panic: &PanicHookInfo<'_>) {
    let words = words(panic.payload());
    let at = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
    if !EXPENDABLE.get() {
        let name = std::thread::current().name().unwrap_or("without a name").to_owned();
        end_process(&format_args!("thread {name} panicked{at}: {words}"));
    }
    PANICS.fetch_add(1, Relaxed);
    crate::alert!("panicked{at}: {words}");
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Restores the thread's mark, also while a panic unwinds.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        EXPENDABLE.set(self.0);
    }
}

/// A task that the process needs, on an expendable thread.
pub struct Vital<F>(Pin<Box<F>>);

impl<F> Vital<F> {
    /// A panic in `task` ends the process.
    pub fn new(task: F) -> Self {
        Self(Box::pin(task))
    }
}

impl<F: Future> Future for Vital<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _restore = Restore(EXPENDABLE.replace(false));
        self.0.as_mut().poll(context)
    }
}
