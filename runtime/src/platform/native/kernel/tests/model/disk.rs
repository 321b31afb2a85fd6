//! The disk: databases that open and close, commits, syncs, and the index of alarms.

use super::super::index::Change;
use super::Model;
use crate::error::fault::Fault;
use crate::platform::native::kernel::tests::id;
use crate::platform::native::kernel::{Effect, Event, ObjectIndex};

/// The alarm in one object's database.
#[derive(Clone, Copy, Default)]
pub(super) struct Stored {
    pub(super) committed: Option<i64>,
    pub(super) durable: Option<i64>,
}

impl Model {
    /// Commits what is settled, after the index has its alarms.
    pub(super) fn settle(&mut self, latest: Option<i64>) {
        let mut alarms = Vec::new();
        for object in self.kernel.dirty().to_vec() {
            if self.state(object).touched {
                alarms.push((object, self.alarm_of(object)));
            }
        }
        let earlier = self.kernel.alarms_to_record(&alarms, latest);
        if earlier.is_empty() {
            self.handle(Event::Settled);
            return;
        }
        let entries = earlier
            .into_iter()
            .map(|(object, at)| (object, id(self.state(object).number), at));
        let record = Change::Record(entries.collect());
        self.index.send(record);
    }

    pub(super) fn change_index(&mut self) {
        let Some(change) = self.index.next_change() else {
            return;
        };
        let is_record = matches!(change, Change::Record(_));
        let fails = is_record && !self.calm && self.below(20) == 0;
        if !fails {
            self.index.make(&change);
        }
        if let Change::Record(entries) = change {
            for (object, _, at) in entries {
                let is_expected = self.kernel.alarm_recorded(object, at, !fails);
                if is_expected && fails {
                    self.failures += 1;
                    self.lose(object);
                    let fault = Fault::Panicked;
                    self.handle(Event::CommitFailed { object, fault });
                }
            }
            self.settle(Some(self.now.wall));
        }
    }

    pub(super) fn commit(&mut self, objects: Vec<ObjectIndex>) {
        for &object in &objects {
            if std::mem::take(&mut self.state(object).touched) {
                let alarm = self.alarm_of(object);
                assert!(self.kernel.alarm_committing(object, alarm));
            }
        }
        for &object in &objects {
            let state = self.state(object);
            state.committed = state.written;
            state.committing_since = state.open_since.take();
            let number = usize::from(state.number);
            if let Some(alarm) = state.open_alarm.take() {
                self.disk[number].committed = alarm;
            }
            self.syncing.push(number as u8);
        }
        self.waiting.push(Effect::Commit { objects });
    }

    pub(super) fn load_alarms(&mut self) {
        let until = self.now.wall + 100;
        self.handle(Event::AlarmsLoading { until });
        let alarms = self.index.all();
        self.handle(Event::AlarmsLoaded { alarms, last: true });
    }

    pub(super) fn wake(&mut self, object: ObjectIndex) {
        let (number, steady) = (self.state(object).number, self.now.steady);
        let alarm = self.disk[usize::from(number)].committed;
        let indexed = self.index.find(id(number));
        let is_readable = self.calm || self.below(10) > 0;
        let covers = |at: &i64| is_readable && indexed.is_some_and(|indexed| indexed <= *at);
        let indexed = alarm.filter(covers);
        if !self.calm && self.below(10) == 0 {
            self.failures += 1;
            let fault = Fault::Panicked;
            self.handle(Event::WakeFailed { object, fault });
        } else {
            // Data read from a log was made durable before.
            let stored = &mut self.disk[usize::from(number)];
            stored.durable = stored.committed;
            let state = self.state(object);
            state.written = state.committed;
            state.durable = state.committed;
            state.resident = true;
            state.last_active = steady;
            self.handle(Event::Woken {
                object,
                alarm,
                indexed,
            });
        }
    }

    /// Completes a sync. Sometimes the disk fails, and then holds either state.
    pub(super) fn synced(&mut self, objects: Vec<ObjectIndex>) {
        let mut failed = Vec::new();
        self.syncing.clear();
        for object in objects {
            let fails = !self.calm && self.below(20) == 0;
            let Some(state) = self.objects.get_mut(&object) else {
                continue;
            };
            if fails {
                self.failures += 1;
                failed.push((object, Fault::Panicked));
                self.lose(object);
                continue;
            }
            state.durable = state.committed;
            state.committing_since = None;
            let stored = &mut self.disk[usize::from(state.number)];
            stored.durable = stored.committed;
        }
        self.handle(Event::Synced { failed });
    }

    pub(super) fn roll_back(&mut self, object: ObjectIndex) {
        let state = self.state(object);
        state.open_alarm = None;
        state.open_since = None;
        state.written = state.committed;
    }

    /// Gives up what is not durable. The disk may hold either state of a commit in flight.
    pub(super) fn lose(&mut self, object: ObjectIndex) {
        self.roll_back(object);
        self.state(object).committing_since = None;
    }
}
