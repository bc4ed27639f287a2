//! Ends the program when it does not end itself: the last resort of somebody who presses Ctrl-C.
//!
//! A run hears signals itself, and answers them with a summary ([`crate::run`]). It cannot while it waits for whoever
//! should read its output, a pipe into a program that stands still for one. So a thread of its own hears them too. The
//! first signal is left to the run; so is the second, for `PATIENCE`; the third ends the program at once. What was
//! not written by then is lost, which is what somebody asks for who insists.

use std::io::{self, Write};
use std::process::exit;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::exit_codes;
use crate::report::terminal;

/// After a second signal the requests in flight are cut off, commands of `--at` are ended, and the reports are written;
/// this is twice what that takes.
const PATIENCE: Duration = Duration::from_secs(3);

/// For what is said at the very end: standard error may be what nobody reads.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Hears signals from here on.
///
/// # Errors
/// When the system refuses the thread or a signal handler.
pub fn watch() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handlers = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    thread::Builder::new().name("loadgen-signals".to_owned()).spawn(move || {
        runtime.block_on(insisted(handlers));
        give_up()
    })?;
    Ok(())
}

/// Waits until somebody has insisted on the end.
async fn insisted((mut interrupts, mut terminations): (Signal, Signal)) {
    let mut heard = 0;
    let mut deadline = Instant::now();
    loop {
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
            () = sleep_until(deadline), if heard == 2 => return,
        }
        heard += 1;
        match heard {
            1 => {}
            2 => deadline = Instant::now() + PATIENCE,
            _ => return,
        }
    }
}

fn give_up() -> ! {
    let (said, is_said) = mpsc::channel();
    let _ = thread::Builder::new().spawn(move || {
        terminal::leave();
        let _ = writeln!(io::stderr(), "error: ended by signals before everything was written");
        let _ = said.send(());
    });
    let _ = is_said.recv_timeout(LAST_WORDS);
    exit(exit_codes::FAILED)
}
