//! Checkers for tests: was what the callers saw possible?
//!
//! - [`History`] records calls that overlap, and [checks](History::check) that some order of them
//!   explains every response ("linearizable") according to a [`Model`]: a sequential description of
//!   the object. [`models`] has those of common objects.
//! - [`Deliveries`] counts requests: each that was acknowledged must be found in the end, exactly
//!   once or at least once.
//!
//! Both know that a call may fail and have taken effect nevertheless, so they are at home in tests
//! with crashes. Neither depends on the simulator. Neither uses threads, randomness or the clock.
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

mod deliveries;
mod history;
mod model;
pub mod models;
mod report;
mod search;
mod verdict;

pub use deliveries::{Deliveries, DeliveryError};
pub use history::{History, Operation, Outcome, Pending};
pub use model::{Model, PerKey};
pub use report::{NotLinearizable, Undecided, Violation};
