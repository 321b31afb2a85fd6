//! What runs in the objects: turns, runs of alarms, resets.

use super::{FIRST_WORK, Model, alarm_work};
use crate::error::fault::Fault;
use crate::platform::native::kernel::tests::id;
use crate::platform::native::kernel::{AlarmOutcome, Event, ObjectIndex};

impl Model {
    /// A client's event.
    pub(super) fn arrive(&mut self) {
        let number = self.below(u64::from(super::OBJECTS)) as u8;
        let object = self.object(number);
        let most = if self.below(4) == 0 { 400 } else { 9 };
        let bytes = self.below(most) as usize;
        self.arrivals += 1;
        self.deliver(object, FIRST_WORK + self.arrivals, bytes);
    }

    pub(super) fn turn(&mut self, object: ObjectIndex, work: u32, bytes: usize) {
        if self.below(2) == 0 {
            self.write(object);
        }
        if !self.calm && self.below(4) == 0 {
            let at = (self.below(3) > 0).then(|| self.now.wall + 1 + (self.random % 150) as i64);
            self.set_alarm(object, at);
        }
        for _ in 0..self.below(3) {
            self.sent += 1;
            let output = self.sent;
            let state = self.state(object);
            state.outputs.push_back((output, state.written));
            self.handle(Event::Emitted { object, output });
        }
        if !self.calm && self.below(12) == 0 {
            let discard = self.below(2) == 0;
            self.reset(object, discard);
        }
        self.finish(object, work, bytes);
    }

    pub(super) fn alarm(&mut self, object: ObjectIndex) {
        let number = self.state(object).number;
        let (id, work) = (id(number), alarm_work(number));
        let outcome = match self.alarm_of(object) {
            Some(at) if at <= self.now.wall => {
                self.fired += 1;
                match self.below(if self.calm { 3 } else { 6 }) {
                    // The handler sets another alarm.
                    0 if !self.calm => {
                        let at = self.now.wall + 1 + self.below(50) as i64;
                        self.set_alarm(object, Some(at));
                        AlarmOutcome::Done
                    }
                    0..3 => {
                        self.set_alarm(object, None);
                        AlarmOutcome::Done
                    }
                    3 => {
                        self.failures += 1;
                        AlarmOutcome::Failed { random: 0 }
                    }
                    4 => {
                        // It fails after setting its alarm, which is rolled back.
                        self.set_alarm(object, None);
                        let outcome = AlarmOutcome::Failed { random: 0 };
                        self.handle(Event::AlarmFinished { id, outcome });
                        self.finish(object, work, 0);
                        self.reset(object, true);
                        return;
                    }
                    _ => {
                        // It succeeds, but its writes are lost with another turn's.
                        self.set_alarm(object, None);
                        let outcome = AlarmOutcome::Done;
                        self.handle(Event::AlarmFinished { id, outcome });
                        self.finish(object, work, 0);
                        self.reset(object, true);
                        return;
                    }
                }
            }
            actual => AlarmOutcome::Stale { actual },
        };
        self.handle(Event::AlarmFinished { id, outcome });
        self.finish(object, work, 0);
    }

    pub(super) fn finish(&mut self, object: ObjectIndex, work: u32, bytes: usize) {
        self.accepted.remove(&work);
        let steady = self.now.steady;
        let state = self.state(object);
        state.running -= 1;
        state.last_active = steady;
        self.handle(Event::Finished { object, bytes });
    }

    /// Ends an activation. What it wrote is committed, or rolled back with `discard`.
    fn reset(&mut self, object: ObjectIndex, discard: bool) {
        self.failures += 1;
        if discard {
            self.roll_back(object);
        }
        self.handle(Event::Reset {
            object,
            fault: Fault::Panicked,
            discard,
        });
    }

    fn set_alarm(&mut self, object: ObjectIndex, at: Option<i64>) {
        let state = self.state(object);
        state.open_alarm = Some(at);
        state.touched = true;
        self.set += usize::from(at.is_some());
        self.write(object);
    }

    fn write(&mut self, object: ObjectIndex) {
        let steady = self.now.steady;
        let state = self.state(object);
        state.written += 1;
        state.open_since.get_or_insert(steady);
        self.handle(Event::Wrote { object });
    }
}
