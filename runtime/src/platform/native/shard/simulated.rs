//! What only a simulated shard does: starting work in the seed's order, and crashing.

use std::rc::Rc;

use tokio::task::yield_now;

use super::super::disk::Disk;
use super::super::kernel::Limits;
use super::super::sim::Simulation;
use super::super::work::Work;
use super::{Event, Shard, new_kernel};
use crate::fault::Fault;
use crate::id::RawId;

impl Shard {
    /// Starts a simulated shard's tasks on the current runtime.
    pub(in super::super) fn start_simulated_tasks(self: &Rc<Self>) {
        self.start_tasks();
        self.keep_running("work", Self::start_ready_work);
        self.keep_running("inbox", Self::receive_one_by_one);
    }

    async fn start_ready_work(self: Rc<Self>) {
        let Some(simulation) = &self.simulation else {
            return;
        };
        loop {
            simulation.some_ready.notified().await;
            loop {
                yield_now().await;
                let Some((object, work, bytes)) = simulation.pick() else {
                    break;
                };
                self.start(object, work, bytes);
            }
        }
    }

    /// What the disk answers is a step like any other: events may fall before it, a crash too.
    async fn receive_one_by_one(self: Rc<Self>) {
        let Some(simulation) = &self.simulation else {
            return;
        };
        while let Some((inbound, machine)) = simulation.receive().await {
            simulation.delay().await;
            #[cfg(test)]
            simulation.while_the_disk_hangs().await;
            if simulation.is_running(machine) {
                self.receive_one(inbound);
            }
        }
    }

    /// The timer counts time that passes: it has to be set by the new time.
    pub(in super::super) fn clock_was_set(self: &Rc<Self>) {
        self.load_alarms_now();
        self.timer_changed.notify_one();
    }

    pub(in super::super) fn simulation(&self) -> Option<&Simulation> {
        self.simulation.as_ref()
    }

    pub(in super::super) fn is_resident(&self, id: RawId) -> bool {
        let object = self.kernel.borrow().find(id);
        let slot = object.and_then(|object| self.slot_at(object));
        slot.is_some_and(|slot| slot.resident.borrow().is_some())
    }

    pub(in super::super) fn request_eviction(self: &Rc<Self>, id: RawId) {
        let object = self.kernel.borrow().find(id);
        if let Some(object) = object {
            self.handle(Event::EvictionRequested { object });
        }
    }

    /// Everything but the disk is lost: memory, sockets, answers on their way, and writes that no
    /// commit has closed. What the old machine still reports reaches nobody: its objects are gone,
    /// and the answers of its disk are dropped.
    pub(in super::super) fn crash(self: &Rc<Self>) {
        let fault = Fault::Disconnected("the host crashed".to_owned());
        self.lose_memory(&fault);
        self.load_alarms_now();
    }

    /// Drops everything that this shard holds, which holds the shard in turn.
    pub(in super::super) fn lose_memory(self: &Rc<Self>, fault: &Fault) {
        let slots = std::mem::take(&mut *self.slots.borrow_mut());
        for slot in slots.into_iter().flatten() {
            slot.gone.set(true);
            for socket in std::mem::take(&mut *slot.sockets.borrow_mut()) {
                socket.cut_off();
            }
            let resident = slot.resident.borrow_mut().take();
            if let Some(resident) = resident {
                resident.life.cut_off(fault.clone());
                if let (Disk::Memory(memory), Some(database)) =
                    (&self.disk, resident.life.take_database())
                {
                    memory.keep(slot.id, database);
                }
            }
        }
        let lost = self.kernel.replace(new_kernel(Limits::default()));
        drop(lost);
        drop(std::mem::take(&mut *self.queue.borrow_mut()));
        for work in self.simulation.iter().flat_map(Simulation::crash) {
            if let Work::Task(task) = work {
                task.refuse(fault.clone());
            }
        }
    }
}
