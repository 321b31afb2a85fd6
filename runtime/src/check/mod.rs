//! Checkers for tests: they verify that the responses which callers saw were possible.
//!
//! - [`History`] records overlapping calls. It [checks](History::check) that some order of them
//!   explains every response ("linearizable") according to a [`Model`]: a sequential description of
//!   the object. [`models`] has the models of common objects.
//! - [`Deliveries`] counts requests: each acknowledged request must have taken effect, exactly once
//!   or at least once.
//!
//! Both consider that a failed call may have taken effect, so they are suitable for tests with
//! crashes. They do not depend on the simulator. They use no threads, randomness or clock, so the
//! same history always gives the same result.
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
//! `unwrap` prints the first response that no order explains, an order that explains all responses
//! before it, and the operations that overlap with it. Here an object acknowledged a write that a
//! crash then lost:
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
//! two seconds in a debug build, even if one call in 20 has an unknown outcome. In general the time
//! and memory of the search may grow exponentially. The search then stops at a bound, with
//! [`NotLinearizable::Undecided`].
//!
//! The search is shorter, and finds more, if responses reveal what an operation did:
//!
//! - Write each value once. A read then reveals which write it saw.
//! - Let operations respond with what they did: a sum, an index, a token.
//! - Implement [`Model::keeps_state`] and [`Model::rules_out`] where they apply, and use [`PerKey`]
//!   for independent objects.
//! - End an operation that certainly failed with [`Pending::failed`]. Each unknown outcome makes
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
