//! What becomes of work whose time is over.

use std::cell::Cell;
use std::future::{pending, ready};
use std::rc::Rc;
use std::time::Duration;

use anchorhold::prelude::*;

const MOMENT: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(3_600);

/// Tells when it is dropped.
struct Dropped(Rc<Cell<bool>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[anchorhold::test]
async fn work_is_dropped_when_its_time_is_over(sim: Sim) {
    let is_dropped = Rc::new(Cell::new(false));
    let dropped = Dropped(Rc::clone(&is_dropped));
    let work = async move {
        let _held = dropped;
        pending::<()>().await;
    };
    let ended = sim.env().timeout(MOMENT, work).await;
    assert_eq!((ended, is_dropped.get()), (None, true));
}

#[anchorhold::test]
async fn time_begins_with_the_call(sim: Sim) {
    let env = sim.env();
    let late = env.timeout(MOMENT, env.sleep(HOUR));
    env.sleep(2 * MOMENT).await;
    let before = sim.now();
    assert_eq!(late.await, None);
    assert_eq!(sim.now(), before, "it waited for its time again");
}

#[anchorhold::test]
async fn work_that_is_ready_at_its_end_wins(sim: Sim) {
    let env = sim.env();
    assert_eq!(env.timeout(Duration::ZERO, ready(7)).await, Some(7));
    let both = env.timeout(MOMENT, env.sleep(MOMENT));
    env.sleep(HOUR).await;
    assert_eq!(both.await, Some(()));
}
