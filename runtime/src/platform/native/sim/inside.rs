//! Inspects what objects hold, without running any of their code.

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
    /// Calls `look` with the object's value. If the object is in memory, the value includes changes
    /// of turns that are not stored yet. Otherwise the value is loaded from the last commit. None
    /// of the object's code runs, `#[init]` included, and the run is not affected. Private fields
    /// are accessible to tests in the module of the struct.
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
    /// Panics if the object cannot be loaded, if an `async fn(&mut self)` of it is running, or if
    /// another version of its class is in memory.
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

    /// Returns the rows of a query of the object's own database, like
    /// [`Sql::query`](crate::Sql::query). They include uncommitted writes of turns. Writes of the
    /// statement itself are rolled back.
    ///
    /// If the object is not in memory, its migrations run on a copy of its database, as a turn
    /// would run them. Its `#[init]` does not run.
    ///
    /// # Errors
    /// Fails if SQLite refuses the statement, if a row does not fit `T`, or if the object cannot be
    /// loaded.
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

    /// Returns one stored field by its name, as it is in the object's database. It includes
    /// uncommitted writes of turns. Returns `None` if no turn has changed the field. If the test
    /// can name the struct's type and access its fields, [`inside`](Self::inside) shows the value
    /// in memory.
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
    /// Fails if the value does not fit `T`, or if the database cannot be read.
    ///
    /// # Panics
    /// Panics if the class has no stored field of this name. The entries of a `StoredMap` or
    /// `StoredLog` are not fields.
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

    /// Returns the object's pending runs of alarms, earliest first. A run whose handler is running
    /// is included, with the time of its retry.
    ///
    /// # Panics
    /// Panics if the object cannot be loaded.
    pub fn pending_runs(&self, stub: &impl Stub) -> Vec<PendingRun> {
        match self.with_database(stub, PendingRun::all_in) {
            Ok(runs) => runs,
            Err(error) => panic!("the pending runs cannot be read: {error}"),
        }
    }

    /// Returns the objects of a class that were written to, in the order of their identifiers. An
    /// object that was only read stores nothing and is not included.
    #[must_use]
    pub fn all<T: DurableObject>(&self) -> Vec<ObjectId<T>> {
        let ids = self.0.shard.all_of(T::__description());
        ids.into_iter().map(ObjectId::new).collect()
    }

    /// Calls `check` after the end of every turn of any object. The first error fails the test at
    /// once. The failure shows the name, the location of this call, the error and the trace so far.
    /// The check inspects objects with [`inside`](Self::inside) and [`rows`](Self::rows). It cannot
    /// await.
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
            // Weak, because `self` owns the shard.
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

    /// Waits until an invariant is violated.
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
        Err(_) => panic!("invalid stub: its class is not part of the app"),
    }
}
