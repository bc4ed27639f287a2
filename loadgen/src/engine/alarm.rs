//! Wakes a task at a time, finer than the runtime's own timers, which count whole milliseconds: a timerfd
//! that the runtime's poller watches. What else was tried is in docs/decisions/005-pacing.md.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// One timer. To be made within a runtime.
pub(super) struct Alarm {
    timer: AsyncFd<Descriptor>,
}

/// What the poller asks for and nix does not offer.
struct Descriptor(TimerFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Alarm {
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, to make the caller promise that the descriptor is open and stays the \
                      same; Descriptor owns it, and the workspace forbids unsafe code"
        )]
        let timer = AsyncFd::with_interest(Descriptor(timer), Interest::READABLE)?;
        Ok(Self { timer })
    }

    /// Sets when it goes off next, in place of what was set before; a time of zero is taken for a nanosecond.
    pub(super) fn set(&self, after: Duration) -> io::Result<()> {
        // Zero would switch the timer off.
        let after = TimeSpec::from_duration(after.max(Duration::from_nanos(1)));
        Ok(self.timer.get_ref().0.set(Expiration::OneShot(after), TimerSetTimeFlags::empty())?)
    }

    /// Ready when it has gone off; seldom also when it has not, so look at the clock.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The count of expirations is never read: the poller tells edges, and setting the timer anew makes
        // another. That saves a system call per request.
        ready!(self.timer.poll_read_ready(context))?.clear_ready();
        Poll::Ready(Ok(()))
    }

    /// Waits until a point in time.
    pub(super) async fn until(&self, time: Instant) -> io::Result<()> {
        loop {
            let left = time.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.set(left)?;
            poll_fn(|context| self.poll(context)).await?;
        }
    }
}
