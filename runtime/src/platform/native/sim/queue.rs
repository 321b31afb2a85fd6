//! The jobs of one thread of the simulated disk.

use std::cell::RefCell;
use std::collections::VecDeque;

use tokio::sync::Notify;

/// Jobs in their order. A running job stays first until it is taken.
pub(in super::super) struct Queue<Job> {
    jobs: RefCell<VecDeque<Job>>,
    added: Notify,
}

impl<Job> Default for Queue<Job> {
    fn default() -> Self {
        Self {
            jobs: RefCell::default(),
            added: Notify::new(),
        }
    }
}

impl<Job> Queue<Job> {
    pub(in super::super) fn push(&self, job: Job) {
        self.jobs.borrow_mut().push_back(job);
        self.added.notify_one();
    }

    /// Waits until there is a job.
    pub(in super::super) async fn has_job(&self) {
        while self.jobs.borrow().is_empty() {
            self.added.notified().await;
        }
    }

    /// Takes the first job.
    pub(in super::super) fn take(&self) -> Option<Job> {
        self.jobs.borrow_mut().pop_front()
    }

    /// Returns what `look` makes of the jobs.
    pub(in super::super) fn with<R>(&self, look: impl FnOnce(&mut VecDeque<Job>) -> R) -> R {
        look(&mut self.jobs.borrow_mut())
    }

    /// Drops all jobs, because the process has ended.
    pub(super) fn clear(&self) {
        let dropped = self.jobs.take();
        drop(dropped);
    }
}
