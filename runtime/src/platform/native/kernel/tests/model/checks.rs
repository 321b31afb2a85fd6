//! What the model checks of limits and durations, by its own records.

use super::super::TestEffect;
use super::{Model, OBJECTS};
use crate::object::id::RawId;
use crate::platform::native::kernel::gate::OUTPUT;
use crate::platform::native::kernel::tests::id;
use crate::platform::native::kernel::{Effect, Event, ObjectIndex};

/// How long a run of an alarm counts as starting at most.
const STARTING_MS: i64 = 1_000;

impl Model {
    /// Delivers an event, which must be accepted if and only if the mailbox has room for it.
    pub(super) fn deliver(&mut self, object: ObjectIndex, work: u32, bytes: usize) {
        let of_object = self.accepted.values().filter(|(of, _)| *of == object);
        let (events, waiting) = of_object.fold((0, 0), |(events, waiting), (_, bytes)| {
            (events + 1, waiting + bytes)
        });
        let (held, steady) = (self.state(object).outputs.len(), self.now.steady);
        // The model's outputs have one byte.
        let total = waiting + held * (OUTPUT + 1) + bytes;
        let has_room = events < self.limits.mailbox_events && total <= self.limits.mailbox_bytes;
        if has_room {
            self.state(object).last_active = steady;
        }
        self.accepted.insert(work, (object, bytes));
        self.handle(Event::Arrived {
            object,
            work,
            bytes,
        });
        assert_eq!(
            self.accepted.contains_key(&work),
            has_room,
            "an event of {bytes} bytes behind {events} events, with {total} bytes in all"
        );
    }

    /// Records what a tick must give up, because the disk has taken too long by the steady clock.
    pub(super) fn lose_overdue(&mut self) {
        let overdue = self.now.steady - self.limits.commit_ms;
        let is_overdue = |since: Option<i64>| since.is_some_and(|since| since <= overdue);
        let objects = self.objects.iter();
        let lost: Vec<_> = objects
            .filter(|(_, state)| is_overdue(state.unsynced_since()))
            .map(|(object, _)| *object)
            .collect();
        for object in lost {
            self.failures += 1;
            self.lose(object);
        }
    }

    /// Checks that a tick evicts only what was idle for long enough by the steady clock.
    pub(super) fn check_evictions(&self, effects: &[TestEffect]) {
        for effect in effects {
            if let Effect::Leave {
                object,
                reset: None,
            } = effect
            {
                let idle = self.now.steady - self.objects[object].last_active;
                assert!(
                    idle >= self.limits.idle_ms,
                    "an object was evicted that had been idle for {idle} ms"
                );
            }
        }
    }

    /// Checks that the kernel gives up writes when the disk's time is over, and no earlier.
    pub(super) fn check_writes(&self) {
        for (object, state) in &self.objects {
            assert_eq!(
                self.kernel.has_unsynced_writes(*object),
                state.unsynced_since().is_some(),
                "unsynced writes of object {} since {:?}, now {:?}",
                state.number,
                state.unsynced_since(),
                self.now
            );
        }
    }

    /// Checks that after a crash at any point, the index wakes an object at or before its own
    /// alarm.
    pub(super) fn check_alarms(&self) {
        for number in 0..OBJECTS {
            let stored = self.disk[usize::from(number)];
            for at in [stored.committed, stored.durable].into_iter().flatten() {
                let indexed = self.index.find(id(number));
                assert!(
                    indexed.is_some_and(|indexed| indexed <= at),
                    "object {number}: {indexed:?} is after {at}"
                );
            }
        }
    }

    /// Records that an alarm fires. Checks how many do.
    pub(super) fn fires(&mut self, id: RawId) {
        let earlier = self.runs.insert(id, self.now.steady);
        assert_eq!(earlier, None, "an alarm fires while its run is under way");
        let is_starting = |since: &&i64| self.now.steady < **since + STARTING_MS;
        let starting = self.runs.values().filter(is_starting).count();
        assert!(
            starting <= self.limits.alarm_starts && self.runs.len() <= self.limits.alarm_runs,
            "{starting} of {} runs are starting",
            self.runs.len()
        );
    }
}
