//! One resident object's handle to the platform.

use std::cell::{Cell, OnceCell};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::super::clock;
use super::super::drive::batching::Batching;
use super::super::drive::memory::Memory;
use super::super::drive::timer::Sleep;
use super::super::drive::{habits, promise, tasks, wear};
use super::super::js::bindings::{self, Kv, Sql, State, Storage, WebSocket};
use super::super::js::failure::{message_of, sql_error, storage_error, thrown};
use super::env::Env;
use super::socket::{Socket, Upgrade};
use crate::error::StorageError;
use crate::error::fault::Fault;
use crate::object::id::RawId;
use crate::platform::{HandlerKey, SegmentEnd};
use crate::schedule::run::Try;
use crate::socket::SocketError;
use crate::storage::ListRange;
use crate::storage::sql::{SqlRows, SqlValue};
use crate::time::within;
use crate::turn::LocalFuture;

/// How long an initialisation may take (P14).
const INITIALISATION_LIMIT: Duration = Duration::from_secs(30);

/// One resident object's handle to its platform. A clone is the same handle.
#[derive(Clone)]
pub(crate) struct ObjectState(Rc<Inner>);

struct Inner {
    memory: Memory,
    storage: Storage,
    kv: Kv,
    sql: OnceCell<Sql>,
    env: Env,
    name: OnceCell<Option<String>>,
    batching: Rc<Batching>,
    /// Counts the writes of the object's own code, which a failed turn rolls back.
    writes: Cell<u64>,
}

impl ObjectState {
    /// Fails for an object that is not backed by SQLite.
    pub(in super::super) fn new(state: State, env: JsValue) -> Result<Self, Fault> {
        let storage = state.storage();
        let kv = storage
            .kv()
            .map_err(|error| Fault::Storage(storage_error(&error)))?;
        Ok(Self(Rc::new(Inner {
            kv,
            storage,
            sql: OnceCell::new(),
            env: Env::new(env),
            name: OnceCell::new(),
            batching: Rc::default(),
            writes: Cell::new(0),
            memory: Memory::new(state),
        })))
    }

    pub(in super::super) fn memory(&self) -> &Memory {
        &self.0.memory
    }

    pub(in super::super) fn raw(&self) -> &State {
        self.0.memory.raw()
    }

    pub(crate) fn id(&self) -> RawId {
        self.0.memory.id()
    }

    pub(crate) fn name(&self) -> Option<String> {
        self.0.name.get_or_init(|| self.raw().id().name()).clone()
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let value = self.0.kv.get(key).map_err(|error| storage_error(&error))?;
        if value.is_undefined() {
            return Ok(None);
        }
        stored(key, &value).map(Some)
    }

    fn note_write(&self) {
        self.0.batching.note_write();
        self.0.writes.set(self.0.writes.get() + 1);
    }

    pub(crate) fn put(&self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        self.note_write();
        bindings::put(&self.0.kv, key, value).map_err(|error| storage_error(&error))
    }

    /// Makes the last writes of a turn that succeeded. An error ends the activation, so no rollback
    /// is needed. Thus a handler that only changes fields needs no savepoint.
    pub(crate) fn store_fields<'a>(
        &self,
        entries: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) -> Result<(), StorageError> {
        for (key, value) in entries {
            self.0.batching.note_write();
            match value {
                Some(value) => bindings::put(&self.0.kv, key, value),
                None => self.0.kv.delete(key).map(drop),
            }
            .map_err(|error| storage_error(&error))?;
        }
        Ok(())
    }

    pub(crate) fn delete(&self, key: &str) -> Result<bool, StorageError> {
        self.note_write();
        self.0.kv.delete(key).map_err(|error| storage_error(&error))
    }

    pub(crate) fn list(&self, range: &ListRange) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let flat = bindings::list(
            &self.0.kv,
            range.start.as_deref(),
            range.end.as_deref(),
            range.prefix.as_deref(),
            range.reverse,
            range
                .limit
                .map(|limit| i32::try_from(limit).unwrap_or(i32::MAX).cast_unsigned()),
        )
        .map_err(|error| storage_error(&error))?;
        (0..flat.length())
            .step_by(2)
            .map(|index| {
                let key = flat.get(index).as_string().unwrap_or_default();
                let value = stored(&key, &flat.get(index + 1))?;
                Ok((key, value))
            })
            .collect()
    }

    /// Also deletes the alarm, as from compatibility date 2026-02-24 on (P44).
    pub(crate) fn delete_all(&self) -> Result<(), StorageError> {
        self.note_write();
        bindings::delete_all(&self.0.storage).map_err(|error| storage_error(&error))
    }

    pub(crate) fn release_storage_if_empty(&self) {
        if let Err(error) = bindings::release_if_empty(&self.0.storage) {
            tracing::warn!(
                error = message_of(&error),
                "empty storage could not be deleted"
            );
        }
    }

    /// Runs one stretch of a turn without an await. If `body` fails, its writes are rolled back.
    ///
    /// The savepoint cannot be opened by the first write in the middle of a stretch, because it is
    /// one call of the platform's. So the handlers that write get one at the start.
    ///
    /// # Errors
    /// Fails if only a reset can roll back what `body` wrote.
    pub(crate) fn segment(
        &self,
        handler: HandlerKey,
        body: &mut dyn FnMut() -> SegmentEnd,
    ) -> Result<(), Fault> {
        // Without a context, a handler can only write through a `Storage` that the object kept from
        // another turn.
        let learns = handler.takes_context;
        let before = self.0.writes.get();
        let has_savepoint = learns && !habits::only_reads(handler);
        let mut end = SegmentEnd::Failure;
        if has_savepoint {
            let mut keeps = || {
                end = body();
                end != SegmentEnd::Failure
            };
            self.transaction(&mut keeps).map_err(Fault::Storage)?;
        } else {
            end = body();
        }
        let wrote = self.0.writes.get() != before;
        if learns && wrote {
            habits::note_write(handler);
        } else if learns && end != SegmentEnd::Await {
            habits::note_end(handler);
        }
        if wrote && end == SegmentEnd::Failure && !has_savepoint {
            return Err(Fault::Reset(
                "a turn failed after its handler's first write: try again".to_owned(),
            ));
        }
        Ok(())
    }

    pub(crate) fn transaction(&self, body: &mut dyn FnMut() -> bool) -> Result<(), StorageError> {
        // If panics unwind, the engine catches them.
        let mut body = AssertUnwindSafe(body);
        let mut run = move || {
            let body = &mut body;
            (**body)()
        };
        let refused = bindings::transaction(&self.0.storage, &mut run);
        if refused.is_undefined() {
            return Ok(());
        }
        Err(storage_error(&refused))
    }

    pub(crate) fn sql(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<SqlRows, StorageError> {
        let sql = self.0.sql.get_or_init(|| self.0.storage.sql());
        let parameter_count = parameters.len();
        let parameters: Array = parameters.iter().map(sql_to_js).collect();
        let answer = bindings::query(sql, statement, parameters)
            .map_err(|error| sql_error(&error, parameter_count))?;
        let rows_written = count_from_js(&answer.get(2));
        if rows_written > 0 {
            self.note_write();
        }
        let columns: Vec<String> = Array::from(&answer.get(0))
            .iter()
            .map(|column| column.as_string().unwrap_or_default())
            .collect();
        let mut values = Array::from(&answer.get(1))
            .into_iter()
            .map(|value| sql_from_js(&value));
        let mut rows = Vec::new();
        while let Some(first) = values.next() {
            let mut row = Vec::with_capacity(columns.len());
            row.push(first);
            row.extend(values.by_ref().take(columns.len() - 1));
            rows.push(row);
        }
        Ok(SqlRows {
            columns,
            rows,
            rows_written,
        })
    }

    #[expect(
        clippy::unused_self,
        reason = "the other host tells a wake's writes apart"
    )]
    pub(crate) fn loaded(&self) -> Result<(), StorageError> {
        Ok(())
    }

    /// The platform does not tell which tries its storage has lost.
    #[expect(clippy::unused_self, reason = "the other host needs it")]
    pub(crate) fn begin_try(&self, _: Try) {}

    pub(crate) fn sync(&self) -> LocalFuture<'static, Result<(), StorageError>> {
        let synced = self.0.storage.sync();
        Box::pin(async move {
            JsFuture::from(synced)
                .await
                .map(|_| ())
                .map_err(|error| storage_error(&error))
        })
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds stay below 2^53 for 285,000 years"
    )]
    pub(crate) fn set_alarm(&self, at_ms: Option<i64>) -> Result<(), StorageError> {
        self.note_write();
        bindings::set_alarm(&self.0.storage, at_ms.map(|at| at as f64))
            .map_err(|error| storage_error(&error))
    }

    /// Ensures that the alarm is set to this time or earlier.
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds stay below 2^53 for 285,000 years"
    )]
    pub(crate) fn ensure_alarm(&self, at_ms: i64) -> Result<(), StorageError> {
        self.note_write();
        bindings::ensure_alarm(&self.0.storage, at_ms as f64).map_err(|error| storage_error(&error))
    }

    pub(crate) fn accept_socket(
        &self,
        tags: &[String],
        attachment: &[u8],
    ) -> Result<(Socket, Upgrade), SocketError> {
        let ends = bindings::accept(self.raw(), tags.to_vec(), attachment)
            .map_err(|error| SocketError::new(message_of(&error)))?;
        let [client, server] = [0, 1].map(|end| ends.get(end).unchecked_into::<WebSocket>());
        Ok((Socket::new(server, self.raw().clone()), Upgrade(client)))
    }

    pub(crate) fn sockets(&self, tag: Option<&str>) -> Vec<Socket> {
        let sockets = self.raw().web_sockets(tag).into_iter();
        let sockets =
            sockets.map(|socket| Socket::new(socket.unchecked_into(), self.raw().clone()));
        match tag {
            Some(_) => sockets.collect(),
            // Without a tag, the platform lists the newest first.
            None => sockets.rev().collect(),
        }
    }

    pub(crate) fn set_automatic_response(&self, pair: Option<(&str, &str)>) {
        let (request, response) = pair.unzip();
        bindings::set_automatic_response(self.raw(), request, response);
    }

    pub(crate) fn automatic_response(&self) -> Option<(String, String)> {
        let mut pair = bindings::automatic_response(self.raw()).into_iter();
        pair.next().zip(pair.next())
    }

    pub(crate) fn now(&self) -> i64 {
        clock::now()
    }

    pub(crate) fn random(&self, into: &mut [u8]) {
        clock::random(into);
    }

    pub(crate) fn sleep(&self, duration: Duration) -> LocalFuture<'static, ()> {
        Box::pin(Sleep::new(duration))
    }

    pub(crate) fn wait_until(&self, future: LocalFuture<'static, ()>) {
        promise::drive_in_background(&self.0.memory, future);
    }

    /// Drives an initialisation. A failure, or more than 30 s, resets the object (P14).
    ///
    /// Events wait for the object's own readiness, in their order. The platform's gate is not used:
    /// after a panic, the event that rebuilds the object is already inside the gate.
    pub(crate) fn block_concurrency_while(&self, future: LocalFuture<'static, Result<(), Fault>>) {
        let memory = self.0.memory.clone();
        promise::drive(
            &self.0.memory,
            Box::pin(async move {
                match within(Sleep::new(INITIALISATION_LIMIT), future).await {
                    Some(Ok(())) => {}
                    Some(Err(fault)) => {
                        // Not a reset with its own message, so that events on their way receive the
                        // cause, as those that wait here do.
                        memory.take_doom();
                        tasks::end(&memory);
                        bindings::fail_start(memory.raw(), &thrown(&fault))?;
                    }
                    None => memory.doom("the initialisation took more than 30 s"),
                }
                Ok(JsValue::UNDEFINED)
            }),
        );
    }

    /// Calls `abandon` to forget the running turn, because nothing unwinds here that could.
    pub(crate) fn abort(&self, reason: &str, abandon: fn()) -> ! {
        abandon();
        tasks::end(&self.0.memory);
        // The platform ends execution inside the call. No frame of Rust returns.
        let _ = bindings::abort(self.raw(), reason, wear::of_an_abort());
        wasm_bindgen::throw_str(reason)
    }

    /// Ends this activation when the current event is answered.
    pub(crate) fn reset(&self, reason: &str) {
        self.0.memory.doom(reason);
    }

    /// Waits for the events that arrive together with this one, if the object is busy writing.
    pub(crate) async fn gather(&self) {
        self.0.batching.gather(&self.0.memory).await;
    }

    pub(crate) fn env(&self) -> Env {
        self.0.env.clone()
    }
}

/// A stored value in the runtime's encoding. This crate writes it as a `Uint8Array`. Any other
/// value was written by another program and is decoded by its type.
fn stored(key: &str, value: &JsValue) -> Result<Vec<u8>, StorageError> {
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        return Ok(bytes.to_vec());
    }
    bindings::encode_stored(value).map_err(|error| StorageError::Undecodable {
        subject: format!("`{key}`"),
        message: message_of(&error),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the common code refuses integers beyond 2^53"
)]
fn sql_to_js(value: &SqlValue) -> JsValue {
    match value {
        SqlValue::Null => JsValue::NULL,
        SqlValue::Integer(integer) => JsValue::from_f64(*integer as f64),
        SqlValue::Real(real) => JsValue::from_f64(*real),
        SqlValue::Text(text) => JsValue::from_str(text),
        SqlValue::Blob(bytes) => Uint8Array::from(bytes.as_slice()).into(),
    }
}

fn sql_from_js(value: &JsValue) -> SqlValue {
    if let Some(number) = value.as_f64() {
        SqlValue::Real(number)
    } else if let Some(text) = value.as_string() {
        SqlValue::Text(text)
    } else if value.is_null() {
        SqlValue::Null
    } else {
        SqlValue::Blob(Uint8Array::new(value).to_vec())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of rows"
)]
fn count_from_js(value: &JsValue) -> u64 {
    value.as_f64().unwrap_or_default() as u64
}
