//! Looking inside: what objects hold, without running anything of theirs.

use std::future::pending;
use std::panic::Location;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use super::super::seam::remote::Remote;
use super::super::store::Database;
use super::host::Sim;
use super::pending_run::PendingRun;
use crate::error::StorageError;
use crate::object::id::ObjectId;
use crate::object::{DurableObject, Stub};
use crate::storage::fields::decode_field;
use crate::storage::sql::decode_rows;

impl Sim {
    /// Calls `look` with the object's value: the one in memory, with what turns have changed and not
    /// yet stored; or one loaded for the occasion from what was committed last. Nothing of the object
    /// runs, not even `#[init]`, and the run goes on as without it. Private fields are
    /// reachable where the test is in the module of the struct.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// #[durable_object]
    /// struct Counter {
    ///     value: i64,
    /// }
    ///
    /// #[durable_object]
    /// impl Counter {
    ///     #[rpc]
    ///     fn increment(&mut self, by: i64) {
    ///         self.value += by;
    ///     }
    /// }
    ///
    /// #[anchorhold::test]
    /// async fn increment_adds(sim: Sim) {
    ///     let counter = sim.objects::<Counter>().named("a");
    ///     counter.increment(2).await.unwrap();
    ///     sim.inside(&counter, |counter: &Counter| assert_eq!(counter.value, 2));
    /// }
    /// ```
    ///
    /// # Panics
    /// The object cannot be loaded, an `async fn(&mut self)` of it is under way, or another version
    /// of its class is in memory.
    pub fn inside<S: Stub, R>(&self, stub: &S, look: impl FnOnce(&S::Object) -> R) -> R {
        let remote = remote_of(stub);
        let looked = self
            .0
            .shard
            .look_inside(S::Object::__description(), remote.id(), |object| {
                object.downcast_ref().map(look)
            });
        match looked {
            Ok(Some(result)) => result,
            Ok(None) => panic!(
                "another version of {} is in memory: evict the object first",
                S::Object::CLASS
            ),
            Err(fault) => panic!("the object cannot be looked into: {}", fault.summary().2),
        }
    }

    /// The rows of a query of the object's own database, as [`Sql::query`](crate::Sql::query) gives
    /// them, with what turns have written and not yet committed. What the statement itself writes is
    /// taken back. An object that is not in memory is asked as a turn would ask it: its migrations run
    /// on a copy. Its `#[init]` does not.
    ///
    /// # Errors
    /// SQLite refuses the statement, a row does not fit `T`, or the object cannot be loaded.
    pub fn rows<T: DeserializeOwned>(
        &self,
        stub: &impl Stub,
        statement: &str,
    ) -> Result<Vec<T>, StorageError> {
        self.with_database(stub, |database| {
            let mut rows = Ok(Vec::new());
            database.transaction(&mut || {
                rows = database.sql(statement, &[]).and_then(decode_rows);
                false
            })?;
            rows
        })
    }

    /// One stored field by its name, as the object's database has it, with what turns have written and
    /// not yet committed. `None` if no turn has changed the field. Where the struct's type and its
    /// private fields are at hand, [`inside`](Self::inside) shows the value in memory.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # #[durable_object]
    /// # struct Counter { value: i64 }
    /// # #[durable_object]
    /// # impl Counter {
    /// #     #[rpc]
    /// #     fn increment(&mut self, by: i64) { self.value += by; }
    /// # }
    /// #[anchorhold::test]
    /// async fn increment_is_stored(sim: Sim) {
    ///     let counter = sim.objects::<Counter>().named("a");
    ///     counter.increment(2).await.unwrap();
    ///     assert_eq!(sim.field(&counter, "value"), Ok(Some(2)));
    /// }
    /// ```
    ///
    /// # Errors
    /// The value does not fit `T`, or the database cannot be read.
    ///
    /// # Panics
    /// The class has no stored field of this name. The entries of a `StoredMap` or `StoredLog` are no
    /// fields of their own.
    pub fn field<S: Stub, T: DeserializeOwned>(
        &self,
        stub: &S,
        field: &str,
    ) -> Result<Option<T>, StorageError> {
        let keys = S::Object::__description().class.keys;
        assert!(
            keys.contains(&field),
            "{} has no stored field `{field}`; it has: {}",
            S::Object::CLASS,
            keys.join(", ")
        );
        let stored = self.with_database(stub, |database| database.get(field))?;
        stored.map(|bytes| decode_field(field, &bytes)).transpose()
    }

    /// The runs of alarms that the object has pending, earliest first. One whose handler is at work
    /// is among them, with the time of its retry.
    ///
    /// # Panics
    /// The object cannot be loaded.
    pub fn pending_runs(&self, stub: &impl Stub) -> Vec<PendingRun> {
        match self.with_database(stub, PendingRun::all_in) {
            Ok(runs) => runs,
            Err(error) => panic!("the pending runs cannot be read: {error}"),
        }
    }

    /// The objects of a class that were written to, in the order of their identifiers. One that was
    /// only asked leaves nothing behind, and is not among them.
    #[must_use]
    pub fn all<T: DurableObject>(&self) -> Vec<ObjectId<T>> {
        let ids = self.0.shard.all_of(T::__description());
        ids.into_iter().map(ObjectId::new).collect()
    }

    /// Has `check` called after the end of every turn, of whichever object. The first error fails
    /// the test at once, with the name, this call's place, the error and the trace so far. The check looks by
    /// [`inside`](Self::inside) and [`rows`](Self::rows); it cannot await.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # #[durable_object]
    /// # struct Account { balance: i64 }
    /// # #[durable_object]
    /// # impl Account {}
    /// # async fn example(sim: Sim) {
    /// sim.invariant("no account is overdrawn", |sim| {
    ///     for id in sim.all::<Account>() {
    ///         let account = sim.objects::<Account>().id(&id);
    ///         let balance = sim.inside(&account, |account: &Account| account.balance);
    ///         if balance < 0 {
    ///             return Err(format!("{id} has {balance}"));
    ///         }
    ///     }
    ///     Ok(())
    /// });
    /// # }
    /// ```
    #[track_caller]
    pub fn invariant(
        &self,
        name: impl Into<String>,
        check: impl Fn(&Self) -> Result<(), String> + 'static,
    ) {
        let name = format!("`{}` of {}", name.into(), Location::caller());
        let mut invariants = self.0.invariants.borrow_mut();
        invariants.push((name, Rc::new(check)));
        if invariants.len() == 1
            && let Some(simulation) = self.0.shard.simulation()
        {
            // Weak: the shard belongs to this.
            let inner = Rc::downgrade(&self.0);
            simulation.after_turns(Rc::new(move || {
                let sim = inner.upgrade().map(Sim)?;
                sim.first_violation()
            }));
        }
    }

    pub(super) fn violation(&self) -> Option<String> {
        let simulation = self.0.shard.simulation()?;
        simulation.violation()
    }

    /// Waits until an invariant does not hold.
    pub(super) async fn violated(&self) -> String {
        match self.0.shard.simulation() {
            Some(simulation) => simulation.violated().await,
            None => pending().await,
        }
    }

    fn first_violation(&self) -> Option<String> {
        let invariants = self.0.invariants.borrow().clone();
        invariants.iter().find_map(|(name, check)| {
            let error = check(self).err()?;
            Some(format!("the invariant {name} does not hold: {error}"))
        })
    }

    fn with_database<S: Stub, R>(
        &self,
        stub: &S,
        read: impl FnOnce(&Database) -> Result<R, StorageError>,
    ) -> Result<R, StorageError> {
        let id = remote_of(stub).id();
        let description = S::Object::__description();
        self.0.shard.look_at_database(description, id, read)
    }
}

fn remote_of(stub: &impl Stub) -> &Remote {
    match &stub.core().remote {
        Ok(remote) => remote,
        Err(_) => panic!("the stub leads to no object: its class is not part of the app"),
    }
}
