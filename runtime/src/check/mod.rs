//! Checkers for tests: was what the callers saw possible?
//!
//! - [`History`] records calls that overlap, and [checks](History::check) that some order of them
//!   explains every response ("linearizable") according to a [`Model`]: a sequential description of
//!   the object. [`models`] has those of common objects.
//! - [`Deliveries`] counts requests: each that was acknowledged must be found in the end, exactly
//!   once or at least once.
//!
//! Both know that a call may fail and have taken effect nevertheless, so they are at home in tests
//! with crashes. Neither depends on the simulator. Neither uses threads, randomness or the clock, so
//! the same history always gives the same result.
//!
//! ```
//! use anchorhold::check::History;
//! use anchorhold::check::models::{Counter, CounterOp};
//! use anchorhold::prelude::*;
//!
//! #[durable_object]
//! struct Visits {
//!     total: i64,
//! }
//!
//! #[durable_object]
//! impl Visits {
//!     #[rpc]
//!     fn add(&mut self, by: i64) -> i64 {
//!         self.total += by;
//!         self.total
//!     }
//! }
//!
//! # /*
//! #[anchorhold::test]
//! # */
//! async fn additions_survive_a_crash(sim: Sim) {
//!     let history = History::with_clock({
//!         let sim = sim.clone();
//!         move || sim.now()
//!     });
//!     let visits = sim.objects::<Visits>().named("a");
//!     for client in 0..3 {
//!         // The response is an error if the crash comes first. Then the call may have taken effect.
//!         let add = history.call(client, CounterOp::Add(1), visits.add(1), |Ok(total)| total);
//!         let (_, ()) = futures_util::future::join(add, sim.crash()).await;
//!     }
//!     history.check(&Counter).unwrap();
//! }
//! # anchorhold::__private::run_test(Some(1), "additions", additions_survive_a_crash);
//! ```

//!
//! # Violations
//! `unwrap` prints the first response that no order explains, an order that explains all before it,
//! and what overlapped with it. Here an object acknowledged a write that a crash took back:
//!
//! ```text
//! the history is not linearizable: no order of its operations explains this response
//!
//!     cyd: Read -> Value(0)
//!
//! An order that explains every response before it, with the state where it changes:
//!
//!     ann: Write(1) -> Written  then 1
//!     bob: Write(2) -> Written  then 2
//!
//! In the state 2 that response is not allowed, and no other order leads to a state in which it is.
//!
//! Operations that overlap with it, as time goes from left to right:
//!
//!     ├─────┤       bob: Write(2) -> Written                       from 0.020 s to 0.060 s
//!   >   ├───────┤   cyd: Read -> Value(0)                          from 0.030 s to 0.080 s
//!         ├───────  dan: Write(3) may have run (the host crashed)  from 0.040 s
//!             ├───  ann: Write(4) is still running                 from 0.070 s
//! ```
//!
//! # Long histories
//! A history of 1,000 operations by 10 clients of a register, counter or log is checked within some
//! two seconds in a debug build, also if one call in 20 has an unknown outcome. In general the search
//! may need time and memory that grow exponentially. It then ends at a bound, with
//! [`NotLinearizable::Undecided`].
//! It is shorter, and finds more, if answers tell soon what an operation did:
//!
//! - Write each value once. Then a read tells which write it saw.
//! - Let operations answer with what they did: a sum, an index, a token.
//! - Implement [`Model::keeps_state`] and [`Model::rules_out`] where they apply, and use [`PerKey`]
//!   for independent objects.
//! - End an operation that failed for certain with [`Pending::failed`]. Each unknown outcome makes
//!   the search longer.

mod deliveries;
mod history;
mod model;
pub mod models;
mod operation;
mod report;
mod search;
mod verdict;

pub use deliveries::{Deliveries, DeliveryError};
pub use history::{History, Pending};
pub use model::{Model, PerKey};
pub use operation::{Operation, Outcome};
pub use report::{NotLinearizable, Undecided, Violation};
