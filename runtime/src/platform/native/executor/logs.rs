//! Moves long write-ahead logs into their databases on another thread. The database is lent to that
//! thread meanwhile.

use std::rc::Rc;

use super::super::kernel::ObjectIndex;
use super::super::store::Database;
use super::{Event, Shard};
use crate::error::StorageError;
use crate::error::fault::Fault;

impl Shard {
    /// Moves the long logs of a durable batch's databases into them. This requires syncs, so
    /// another thread does it. Events for such an object wait meanwhile.
    pub(super) fn shorten_logs(self: &Rc<Self>) {
        for object in self.long_logs.take() {
            let life = self.life_at(object);
            let Some(life) = life.filter(|_| self.kernel.borrow().is_at_rest(object)) else {
                // Waits for a later commit.
                continue;
            };
            let is_long = life
                .committable()
                .is_some_and(|database| database.has_long_log());
            if is_long && let Some(database) = life.take_database() {
                life.is_lent.set(true);
                self.handle(Event::Lent { object });
                self.disk.shorten_log(object, database);
            }
        }
    }

    fn lose(self: &Rc<Self>, object: ObjectIndex, error: StorageError) {
        tracing::error!(%error, "the log of a database could not be moved into it");
        let fault = Fault::Storage(error);
        self.handle(Event::CommitFailed { object, fault });
    }

    /// Takes back a database that was lent.
    pub(super) fn take_back(
        self: &Rc<Self>,
        object: ObjectIndex,
        database: Database,
        shortened: Result<(), StorageError>,
    ) {
        if self.slot_at(object).is_none() {
            return;
        }
        let resident = self.residents.get(object);
        self.inside(|| match resident {
            Some(resident) => {
                resident.life.put_database(database);
                if let Err(error) = shortened {
                    self.lose(object, error);
                }
                self.handle(Event::TakenBack { object });
            }
            // It was to be closed meanwhile.
            None => {
                self.handle(Event::TakenBack { object });
                self.disk.close(object, database);
            }
        });
    }
}
