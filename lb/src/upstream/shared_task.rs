//! A background task that runs while anybody needs it: started with the first use, ended with the last.
//!
//! Configurations overlap for a moment on reload and share probes and followed names; counting task_uses is what keeps
//! the new one's task going when the old one lets go.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// Who needs the task.
#[derive(Debug, Default)]
pub(super) struct SharedTask(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    count: usize,
    stop: Option<watch::Sender<()>>,
}

/// Keeps the task going until it is dropped.
#[derive(Debug)]
pub(super) struct TaskUse(Arc<SharedTask>);

impl SharedTask {
    /// Takes a use; spawns `task` on the current tokio runtime if it is the first.
    pub(super) fn take<F>(self: &Arc<Self>, task: impl FnOnce() -> F) -> TaskUse
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
                    // Nothing is ever sent: it ends when the sender is dropped.
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
    async fn the_task_runs_from_the_first_lease_to_the_last() {
        let task_uses = Arc::new(SharedTask::default());
        let alive = watch::Sender::new(0);
        let first = task_uses.take(|| task(&alive));
        let second = task_uses.take(|| task(&alive));
        assert_eq!(alive.receiver_count(), 1, "one task for two task_uses");
        drop(first);
        tokio::task::yield_now().await;
        assert_eq!(alive.receiver_count(), 1);
        drop(second);
        tokio::time::timeout(std::time::Duration::from_secs(5), alive.closed()).await.unwrap();
        let _third = task_uses.take(|| task(&alive));
        assert_eq!(alive.receiver_count(), 1, "and again");
    }
}
