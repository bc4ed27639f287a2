//! A background task that runs while it has users: started with the first use, ended with the last.
//!
//! Configurations overlap for a moment on reload and share probes and followed names. Counting uses keeps the task
//! running for the new configuration when the old one ends its use.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// The uses of the task.
#[derive(Debug, Default)]
pub(in crate::upstream) struct SharedTask(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    count: usize,
    stop: Option<watch::Sender<()>>,
}

/// Keeps the task running until it is dropped.
#[derive(Debug)]
pub(in crate::upstream) struct TaskUse(Arc<SharedTask>);

impl SharedTask {
    /// Begins a use; spawns `task` on the current tokio runtime if it is the first.
    pub(in crate::upstream) fn enter<F>(self: &Arc<Self>, task: impl FnOnce() -> F) -> TaskUse
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut state = self.0.lock();
        state.count += 1;
        if state.stop.is_none() {
            let (stop, mut stopped) = watch::channel(());
            state.stop = Some(stop);
            let task = task();
            tokio::spawn(async move {
                tokio::select! {
                    () = task => {}
                    // Nothing is ever sent: the wait ends when the sender is dropped.
                    _ = stopped.changed() => {}
                }
            });
        }
        TaskUse(Arc::clone(self))
    }
}

impl Drop for TaskUse {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.count -= 1;
        if state.count == 0 {
            state.stop = None;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A task that holds a receiver for as long as it runs, and a way to wait for its end.
    fn task(alive: &watch::Sender<u32>) -> impl Future<Output = ()> + Send + 'static {
        let alive = alive.subscribe();
        async move {
            let _alive = alive;
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn the_task_runs_from_the_first_use_to_the_last() {
        let shared = Arc::new(SharedTask::default());
        let alive = watch::Sender::new(0);
        let first = shared.enter(|| task(&alive));
        let second = shared.enter(|| task(&alive));
        assert_eq!(alive.receiver_count(), 1, "one task for two uses");
        drop(first);
        tokio::task::yield_now().await;
        assert_eq!(alive.receiver_count(), 1);
        drop(second);
        tokio::time::timeout(std::time::Duration::from_secs(5), alive.closed()).await.unwrap();
        let _third = shared.enter(|| task(&alive));
        assert_eq!(alive.receiver_count(), 1, "and again");
    }
}
