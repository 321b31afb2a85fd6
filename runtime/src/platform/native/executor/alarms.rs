//! Moves alarms between the index on disk, the kernel's timetable and the objects' databases.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::yield_now;

use super::super::kernel::{AlarmOutcome, IndexedAlarm};
use super::super::sim::FaultKind;
use super::super::store::{Change, Due};
use super::residents::Resident;
use super::slot::{Life, Slot};
use super::turns::NoCaller;
use super::work::Work;
use super::{Event, Shard};
use crate::error::fault::Fault;
use crate::object::id::RawId;
use crate::turn::LocalFuture;

/// Alarms due within this time are in memory. The index holds the rest.
const HORIZON_MS: i64 = 120_000;
const HORIZON_STEP: Duration = Duration::from_secs(60);
/// How many entries of the index are read at a time. Other work can run in between.
const PAGE: usize = 1_000;
/// How long an alarm's run may take (P32).
const RUN_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// How far an alarm may have been moved while it was due. The engine sets an overdue alarm to the
/// next millisecond, and checks which runs are due.
const OVERDUE_BY_MS: i64 = 1;

impl Shard {
    /// Keeps the alarms of the near future in memory.
    pub(super) async fn load_alarms(self: Rc<Self>) {
        loop {
            let wanted = self.loading_wanted.notified();
            let mut loading = Loading::begin(&self);
            while loading.load_page(&self) {
                yield_now().await;
            }
            let mut wanted = pin!(wanted);
            tokio::select! {
                biased;
                () = &mut wanted => {}
                () = tokio::time::sleep(HORIZON_STEP) => {}
            }
        }
    }

    pub(in super::super) fn load_alarms_now(self: &Rc<Self>) {
        let mut loading = Loading::begin(self);
        while loading.load_page(self) {}
    }

    /// Reloads alarms after the date was set. Pauses that the index keeps are then meaningless.
    pub(super) fn load_alarms_by_new_date(self: &Rc<Self>) {
        self.change_index(vec![Change::EndPauses]);
        self.load_alarms_now();
    }

    pub(super) fn fire_alarm(self: &Rc<Self>, id: RawId) {
        match (
            self.point(&[FaultKind::Crash, FaultKind::LateAlarm]),
            &self.simulation,
        ) {
            (Some(FaultKind::Crash), _) => {}
            (Some(_), Some(simulation)) => {
                self.later(simulation.up_to(120_000), move |shard| shard.fire_now(id));
            }
            _ => self.fire_now(id),
        }
    }

    fn fire_now(self: &Rc<Self>, id: RawId) {
        let known = self
            .kernel
            .borrow()
            .find(id)
            .and_then(|object| self.slot_at(object));
        let found = known.map_or_else(|| self.alarm_slot(id), Ok);
        match found {
            Ok(slot) => self.handle(Event::Arrived {
                object: slot.index,
                work: Work::Alarm { id },
                bytes: 0,
            }),
            Err(outcome) => self.handle(Event::AlarmFinished { id, outcome }),
        }
    }

    /// Returns the slot of an object that only the index knows.
    fn alarm_slot(self: &Rc<Self>, id: RawId) -> Result<Rc<Slot>, AlarmOutcome> {
        let entry = match self.disk.index().find(id) {
            Ok(entry) => entry,
            Err(error) => {
                self.index_is_unreadable(&error);
                return Err(AlarmOutcome::Postponed);
            }
        };
        // The object's own database would know, but it can only be found by its class.
        let entry = entry.ok_or(AlarmOutcome::Stale { actual: None })?;
        let Some(class) = self.class(&entry.class) else {
            self.class_is_missing(&entry.class);
            return Err(AlarmOutcome::Postponed);
        };
        let slot = self.slot(class, id);
        *slot.name.borrow_mut() = entry.name.map(Into::into);
        Ok(slot)
    }

    /// Logs an error once. The alarms of the class remain in the index and are checked again with
    /// each horizon.
    fn class_is_missing(&self, class: &str) {
        let known = &mut self.told_of.borrow_mut().missing_classes;
        if !known.iter().any(|known| known == class) {
            tracing::error!(
                class,
                "the app lacks a class whose objects have alarms: they are kept, and run when a version with this class is started"
            );
            known.push(class.to_owned());
        }
    }

    fn index_is_unreadable(&self, error: &crate::error::StorageError) {
        let told = &mut self.told_of.borrow_mut().unreadable_index;
        if !std::mem::replace(told, true) {
            tracing::error!(
                %error,
                "the index of alarms cannot be read: alarms are late until it can; they are not lost"
            );
        }
    }

    /// Returns the date up to which the index is known to wake an object that wakes with an alarm.
    /// That is the alarm's date, regardless of later writes. Corrects an entry that is missing or
    /// too late (because of an earlier fault or an old backup), and adds a name that it lacks. Then
    /// returns `None`, because nothing is known until the correction is on disk.
    pub(super) fn indexed(&self, slot: &Slot, at: i64) -> Option<i64> {
        let entry = match self.disk.index().find(slot.id) {
            Ok(entry) => entry,
            Err(error) => {
                self.index_is_unreadable(&error);
                return None;
            }
        };
        if let Some(entry) = &entry
            && entry.at <= at
            && entry.class == slot.class.name
            && (entry.name.is_some() || slot.name.borrow().is_none())
        {
            return Some(at);
        }
        if entry.as_ref().is_none_or(|entry| entry.at > at) {
            tracing::warn!(class = slot.class.name, id = %slot.id, "an alarm was missing from the index; it is restored");
        }
        self.change_index(vec![Change::Record(slot.index_entry(at))]);
        None
    }

    pub(super) fn start_alarm(self: &Rc<Self>, resident: &Resident, id: RawId) {
        let Resident { life, instance } = resident;
        let object = life.slot.index;
        let now = self.clock.now();
        let outcome = match life.alarm() {
            Ok(Some(at)) if at <= now.saturating_add(OVERDUE_BY_MS) => {
                self.trace_due_runs(life);
                let lost_tries = self.kernel.borrow_mut().start_tries(id);
                let run = tokio::time::timeout(RUN_TIMEOUT, instance.alarm(lost_tries));
                let run: LocalFuture<'static, _> = Box::pin(run);
                let shard = Rc::clone(self);
                self.drive(life, 0, run, NoCaller, move |life, _, result| {
                    let result = match result {
                        Ok(Ok(result)) => result,
                        Ok(Err(_)) => {
                            // A failed try like others: uncommitted writes are discarded.
                            let fault =
                                Fault::TimedOut("an alarm may run for 15 minutes".to_owned());
                            life.end(fault.clone(), true);
                            Err(fault)
                        }
                        Err(fault) => Err(fault),
                    };
                    shard.alarm_ended(life, id, result);
                });
                return;
            }
            Ok(actual) => AlarmOutcome::Stale { actual },
            Err(error) => {
                tracing::error!(%error, %id, "an alarm cannot be read");
                self.failed_outcome()
            }
        };
        self.handle(Event::AlarmFinished { id, outcome });
        self.handle(Event::Finished { object, bytes: 0 });
    }

    /// The engine has set the alarm to the time that the pending runs need, or removed it. Deleting
    /// it here if it still has its old date (P28) could remove a new alarm if the clock was set
    /// back.
    fn alarm_ended(&self, life: &Rc<Life>, id: RawId, result: Result<bool, Fault>) {
        if result.is_ok() && self.point(&[FaultKind::RepeatedAlarm]).is_some() {
            // The end of the run is lost in transit. The run ends when the second delivery finds
            // nothing due.
            life.slot.handle(Event::Arrived {
                object: life.slot.index,
                work: Work::Alarm { id },
                bytes: 0,
            });
            return;
        }
        let outcome = match result {
            Ok(true) => AlarmOutcome::Done,
            Ok(false) => AlarmOutcome::NothingDue,
            Err(fault) => {
                tracing::warn!(%id, reason = fault.summary().2, "an alarm's run is to be repeated");
                let random = self.random.next_u32();
                match life.ends_by_the_disk() {
                    true => AlarmOutcome::Lost { random },
                    false => AlarmOutcome::Failed { random },
                }
            }
        };
        // Reported by its slot, because a machine that has crashed reports no ends.
        life.slot.handle(Event::AlarmFinished { id, outcome });
    }

    pub(super) fn alarm_failed(self: &Rc<Self>, id: RawId) {
        let outcome = self.failed_outcome();
        self.handle(Event::AlarmFinished { id, outcome });
    }

    fn failed_outcome(&self) -> AlarmOutcome {
        AlarmOutcome::Failed {
            random: self.random.next_u32(),
        }
    }
}

/// One reading of the index, up to the horizon or as far as there is room.
struct Loading {
    until: i64,
    after: Option<(i64, RawId)>,
}

impl Loading {
    fn begin(shard: &Rc<Shard>) -> Self {
        let until = shard.clock.now().saturating_add(HORIZON_MS);
        shard.handle(Event::AlarmsLoading { until });
        Self { until, after: None }
    }

    /// Loads a page. Returns whether there is another.
    fn load_page(&mut self, shard: &Rc<Shard>) -> bool {
        let page = match shard.disk.index().due(self.until, self.after, PAGE) {
            Ok(page) => page,
            Err(error) => {
                shard.index_is_unreadable(&error);
                Vec::new()
            }
        };
        if !page.is_empty() {
            shard.told_of.borrow_mut().unreadable_index = false;
        }
        self.after = page.last().map(|due| (due.date(), due.id));
        let is_full = page.len() == PAGE;
        let alarms = page
            .into_iter()
            .filter(|due| shard.home_of(due.id) == shard.number && shard.can_run(due))
            .map(|due| IndexedAlarm {
                id: due.id,
                at: due.at,
                pause: due.pause,
            })
            .collect();
        shard.handle(Event::AlarmsLoaded {
            alarms,
            last: !is_full,
        });
        let reached = self.after.map_or(i64::MAX, |(at, _)| at);
        if is_full && reached > shard.kernel.borrow().alarm_horizon() {
            // There is no room for the rest.
            shard.handle(Event::AlarmsLoaded {
                alarms: Vec::new(),
                last: true,
            });
            return false;
        }
        is_full
    }
}

impl Shard {
    /// Alarms of classes that the app lacks remain in the index, where they take no memory.
    fn can_run(&self, due: &Due) -> bool {
        let is_known = self.class(&due.class).is_some();
        if !is_known {
            self.class_is_missing(&due.class);
        }
        is_known
    }
}
