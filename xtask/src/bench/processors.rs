//! The processors on which the programs and their load run. If the scheduler moves both, two runs
//! of one program differ by a quarter.

use std::thread::available_parallelism;

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The processors of this process. A process that a thread starts runs on the thread's processors.
pub(super) struct Processors {
    all: CpuSet,
    programs: CpuSet,
    load: CpuSet,
}

impl Processors {
    /// Assigns one to the load and the others to the programs. A single processor is used for both.
    pub(super) fn divided() -> Result<Self> {
        let this_thread = Pid::from_raw(0);
        let all = sched_getaffinity(this_thread).context("cannot ask for the processors")?;
        let mut numbers =
            (0..CpuSet::count()).filter(|number| all.is_set(*number).unwrap_or(false));
        let (mut programs, mut load) = (all, all);
        if available_parallelism()?.get() > 1
            && let Some(for_load) = numbers.next_back()
        {
            programs.unset(for_load)?;
            load = CpuSet::new();
            load.set(for_load)?;
        }
        Ok(Self {
            all,
            programs,
            load,
        })
    }

    /// Runs `start`, whose child processes run on the processors of the programs.
    pub(super) fn for_programs<T>(&self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        self.on(&self.programs, start)
    }

    /// Runs `start`, whose child processes run on the processor of the load.
    pub(super) fn for_load<T>(&self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        self.on(&self.load, start)
    }

    fn on<T>(&self, processors: &CpuSet, start: impl FnOnce() -> Result<T>) -> Result<T> {
        let this_thread = Pid::from_raw(0);
        sched_setaffinity(this_thread, processors).context("cannot choose the processors")?;
        let started = start();
        sched_setaffinity(this_thread, &self.all).context("cannot choose the processors")?;
        started
    }
}
