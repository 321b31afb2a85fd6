//! One resident object's handle to this platform.

use std::cell::Ref;
use std::future::Ready;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::Duration;

use super::super::executor::slot::{Life, Slot, WriteFault};
use super::super::kernel::Event;
use super::super::store::Database;
use super::accept::accept;
use super::remote::Env;
use super::socket::Socket;
use super::upgrade::Upgrade;
use crate::error::StorageError;
use crate::error::fault::Fault;
use crate::object::id::RawId;
use crate::platform::{Aborted, HandlerKey, SegmentEnd};
use crate::schedule::run::Try;
use crate::socket::SocketError;
use crate::storage::ListRange;
use crate::storage::sql::{SqlRows, SqlValue};
use crate::turn::LocalFuture;

/// One resident object's handle to its platform.
#[derive(Clone)]
pub(crate) struct ObjectState {
    life: Rc<Life>,
}

impl ObjectState {
    pub(in super::super) fn new(life: Rc<Life>) -> Self {
        Self { life }
    }

    fn slot(&self) -> &Rc<Slot> {
        &self.life.slot
    }

    pub(crate) fn id(&self) -> RawId {
        self.slot().id
    }

    pub(crate) fn name(&self) -> Option<String> {
        self.slot().name.borrow().as_deref().map(str::to_owned)
    }

    /// Reads. Returns the default for an object that has never written.
    fn read<T: Default>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        match self.life.stored()? {
            Some(database) => read(&database),
            None => Ok(T::default()),
        }
    }

    /// Writes. A failing disk ends this activation, because its memory may depend on lost writes.
    fn write<T>(
        &self,
        write: impl FnOnce(&Database) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let fault = self.slot().executor.fault_at_write(&self.life);
        if fault == Some(WriteFault::Panic) {
            resume_unwind(Box::new("injected"));
        }
        let result = self
            .life
            .database()
            .and_then(|database: Ref<'_, Database>| {
                if self.life.in_segment.get() {
                    database.enter_segment();
                }
                let result = match fault {
                    Some(WriteFault::NoRoom { spills }) => database.without_room(spills, write),
                    _ => write(&database),
                };
                if database.is_in_transaction() {
                    self.wrote();
                }
                result
            });
        result.inspect_err(|error| {
            if matches!(error, StorageError::Io(_)) {
                self.life.end(Fault::Storage(error.clone()), true);
            }
        })
    }

    fn wrote(&self) {
        if self.life.is_provisional() {
            return;
        }
        let slot = self.slot();
        slot.handle(Event::Wrote { object: slot.index });
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.read(|database| database.get(key))
    }

    pub(crate) fn put(&self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        self.write(|database| database.put(key, value))
    }

    pub(crate) fn delete(&self, key: &str) -> Result<bool, StorageError> {
        self.write(|database| database.delete(key))
    }

    /// Makes the last writes of a turn that succeeded. An error ends the activation, so no rollback
    /// is needed. Thus a turn that only changes fields needs no savepoint.
    pub(crate) fn store_fields<'a>(
        &self,
        entries: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) -> Result<(), StorageError> {
        self.life.in_segment.set(false);
        for (key, value) in entries {
            self.write(|database| {
                database.end_reading_segment();
                match value {
                    Some(value) => database.put(key, value),
                    None => database.delete(key).map(drop),
                }
            })?;
        }
        Ok(())
    }

    pub(crate) fn list(&self, range: &ListRange) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        self.read(|database| database.list(range))
    }

    pub(crate) fn delete_all(&self) -> Result<(), StorageError> {
        if self.life.stored()?.is_none() {
            return Ok(());
        }
        self.write(Database::delete_all)
    }

    /// Runs one stretch of a turn without an await. If `body` fails, its writes are rolled back. A
    /// stretch that does not write costs nothing.
    pub(crate) fn segment(
        &self,
        _: HandlerKey,
        body: &mut dyn FnMut() -> SegmentEnd,
    ) -> Result<(), Fault> {
        self.life.in_segment.set(true);
        let end = body();
        self.life.in_segment.set(false);
        match self.life.committable() {
            Some(database) => database
                .leave_segment(end != SegmentEnd::Failure)
                .map_err(Fault::Storage),
            None => Ok(()),
        }
    }

    pub(crate) fn transaction(&self, body: &mut dyn FnMut() -> bool) -> Result<(), StorageError> {
        self.write(|database| database.transaction(body))
    }

    pub(crate) fn sql(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<SqlRows, StorageError> {
        self.write(|database| database.sql(statement, parameters))
    }

    /// Records that the object is loaded from storage. Its own code has not run yet.
    pub(crate) fn loaded(&self) -> Result<(), StorageError> {
        self.life.loaded()
    }

    pub(crate) fn sync(&self) -> LocalFuture<'static, Result<(), StorageError>> {
        self.life.sync()
    }

    /// Notes a try of a run, of which the disk may lose what it writes.
    pub(crate) fn begin_try(&self, next: Try) {
        let slot = &self.life.slot;
        slot.handle(Event::TryBegins { id: slot.id, next });
    }

    /// An object without contents keeps its file.
    #[expect(
        clippy::unused_self,
        reason = "the other host's storage is billed while there is any"
    )]
    pub(crate) fn release_storage_if_empty(&self) {}

    /// Ensures that the alarm is set to this time or earlier.
    pub(crate) fn ensure_alarm(&self, at_ms: i64) -> Result<(), StorageError> {
        let alarm = self
            .life
            .stored()?
            .map_or(Ok(None), |database| database.alarm())?;
        match alarm {
            Some(at) if at <= at_ms => Ok(()),
            _ => self.set_alarm(Some(at_ms)),
        }
    }

    /// Sets the alarm to milliseconds since 1970. A time in the past means now (P24).
    pub(crate) fn set_alarm(&self, at_ms: Option<i64>) -> Result<(), StorageError> {
        let at = at_ms.map(|at| at.max(self.now()));
        self.write(|database| database.set_alarm(at))
    }

    pub(crate) fn accept_socket(
        &self,
        tags: &[String],
        attachment: &[u8],
    ) -> Result<(Socket, Upgrade), SocketError> {
        accept(self.slot(), tags, attachment)
    }

    /// Returns the sockets in the order in which they were accepted.
    pub(crate) fn sockets(&self, tag: Option<&str>) -> Vec<Socket> {
        let sockets = self.slot().sockets.borrow();
        match tag {
            None => sockets.clone(),
            Some(tag) => sockets
                .iter()
                .filter(|socket| socket.has_tag(tag))
                .cloned()
                .collect(),
        }
    }

    pub(crate) fn set_automatic_response(&self, pair: Option<(&str, &str)>) {
        let pair = pair.map(|(request, response)| (request.to_owned(), response.to_owned()));
        *self.slot().automatic_response.borrow_mut() = pair;
    }

    pub(crate) fn automatic_response(&self) -> Option<(String, String)> {
        self.slot().automatic_response.borrow().clone()
    }

    pub(crate) fn now(&self) -> i64 {
        self.slot().executor.clock().now()
    }

    pub(crate) fn random(&self, into: &mut [u8]) {
        self.slot().executor.random().fill(into);
    }

    pub(crate) fn sleep(&self, duration: Duration) -> LocalFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    /// There is nothing to wait for: the shard commits when no more work is ready.
    #[expect(
        clippy::unused_self,
        reason = "the other host's commits are the object's own"
    )]
    pub(crate) fn gather(&self) -> Ready<()> {
        std::future::ready(())
    }

    pub(crate) fn wait_until(&self, future: LocalFuture<'static, ()>) {
        Rc::clone(&self.slot().executor).continue_in_background(&self.life, future);
    }

    pub(crate) fn block_concurrency_while(&self, future: LocalFuture<'static, Result<(), Fault>>) {
        Rc::clone(&self.slot().executor).block_while(&self.life, future);
    }

    /// Discards uncommitted writes, and leaves the turn (P18).
    pub(crate) fn abort(&self, reason: &str, _: fn()) -> ! {
        self.life.end(Fault::Reset(reason.to_owned()), true);
        resume_unwind(Box::new(Aborted(reason.to_owned())))
    }

    /// Ends this activation after the current poll. Uncommitted writes are discarded.
    pub(crate) fn reset(&self, reason: &str) {
        self.life.end(Fault::Reset(reason.to_owned()), true);
    }

    pub(crate) fn env(&self) -> Env {
        Env::gated(Rc::clone(&self.life))
    }
}
