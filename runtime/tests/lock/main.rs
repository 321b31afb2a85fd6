//! The lock, as its callers meet it.

use std::time::Duration;

use anchorhold::objects::Lock;
use anchorhold::objects::lock::{
    Acquire, Break, Cancelled, Fence, Held, Lease, LeaseLost, LockError, Mode, Obstacle, Release,
    Renew, StaleToken,
};
use anchorhold::prelude::*;

mod fencing;
mod history;
mod in_a_product;
mod product;

type Refused<T> = Result<T, CallError<LockError>>;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn request(holder: &str) -> Acquire {
    Acquire::new(holder, seconds(30))
}

/// The code of an application error.
#[track_caller]
fn code<T: std::fmt::Debug>(result: Refused<T>) -> String {
    match result {
        Err(CallError::Application(error)) => error.code().into_owned(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn end(lease: &Lease) -> Release {
    Release::of(&lease.lease)
}

#[anchorhold::test]
async fn a_lease_is_renewed_and_released_by_its_secret(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    assert_eq!(lease.expires_at, sim.now() + seconds(30));
    sim.advance(seconds(20)).await;
    let renewed = lock
        .renew(Renew::of(&lease.lease, seconds(30)))
        .await
        .unwrap();
    assert_eq!(
        (renewed.token, &renewed.lease, renewed.expires_at),
        (lease.token, &lease.lease, sim.now() + seconds(30))
    );
    let status = lock.status().await.unwrap();
    assert_eq!(
        (status.held, status.holder.as_deref(), status.token),
        (true, Some("ann"), lease.token)
    );
    // A guess, the right secret for another holder, and for another token.
    let mut wrong = [
        end(&lease),
        end(&lease),
        Release::of("0".repeat(32)),
        Release::of(""),
    ];
    wrong[0].holder = Some("bob".to_owned());
    wrong[1].token = Some(2);
    for wrong in wrong {
        assert_eq!(code(lock.release(wrong.clone()).await), "lost", "{wrong:?}");
    }
    lock.release(end(&lease)).await.unwrap();
    assert_eq!(code(lock.release(end(&lease)).await), "lost");
    assert_eq!(
        code(lock.renew(Renew::of(&lease.lease, seconds(1))).await),
        "lost"
    );
    let status = lock.status().await.unwrap();
    assert_eq!(
        (status.held, status.holder, status.token),
        (false, None, lease.token)
    );
}

#[anchorhold::test]
async fn a_try_is_refused_at_once_and_names_the_holder(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    let before = sim.now();
    for (holder, own) in [("bob", false), ("ann", true)] {
        let error = lock.acquire(request(holder)).await.unwrap_err();
        assert_eq!(
            error,
            CallError::Application(LockError::Held(Obstacle::Lease {
                holder: "ann".to_owned(),
                expires_at: lease.expires_at,
                own,
            }))
        );
    }
    assert_eq!(sim.now(), before);
    assert_eq!(lock.status().await.unwrap().waiting, 0);
}

#[anchorhold::test]
async fn those_who_wait_are_served_in_their_order(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let mut lease = lock.acquire(request("first")).await.unwrap();
    let waiting: Vec<_> = (0..20)
        .map(|number| lock.acquire(request(&number.to_string()).wait(seconds(60))))
        .collect();
    let inspection = lock.inspect().await.unwrap();
    let queue: Vec<_> = inspection
        .queue
        .iter()
        .map(|waits| waits.holder.clone())
        .collect();
    assert_eq!(
        queue,
        (0..20).map(|number| number.to_string()).collect::<Vec<_>>()
    );
    for (number, next) in waiting.into_iter().enumerate() {
        // A newcomer does not overtake, not even when the lock comes free.
        assert_eq!(code(lock.acquire(request("newcomer")).await), "held");
        lock.release(end(&lease)).await.unwrap();
        let before = lease.token;
        lease = next.await.unwrap();
        assert!(lease.token > before);
        let holder = lock.status().await.unwrap().holder;
        assert_eq!(holder, Some(number.to_string()));
    }
}

#[anchorhold::test]
async fn one_whose_time_is_over_is_skipped(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    let start = sim.now();
    let brief = lock.acquire(request("bob").wait(seconds(2)));
    let patient = lock.acquire(request("cid").wait(seconds(20)));
    assert_eq!(code(brief.await), "held");
    assert_eq!(sim.now() - start, seconds(2));
    assert_eq!(lock.status().await.unwrap().waiting, 1);
    lock.release(end(&lease)).await.unwrap();
    assert!(patient.await.unwrap().token > lease.token);
}

/// The one that gave up was the only thing in the way of those behind it.
#[anchorhold::test]
async fn those_behind_one_that_gives_up_move_up(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    lock.acquire(request("reader").shared()).await.unwrap();
    let writer = lock.acquire(request("writer").wait(seconds(2)));
    let late_reader = lock.acquire(request("late").shared().wait(seconds(20)));
    assert_eq!(code(lock.acquire(request("try").shared()).await), "held");
    assert_eq!(code(writer.await), "held");
    let start = sim.now();
    late_reader.await.unwrap();
    assert_eq!(sim.now(), start);
}

#[anchorhold::test]
async fn a_request_is_cancelled_wherever_it_is(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let first = lock.acquire(request("ann").request_id("1")).await.unwrap();
    let second = lock.acquire(request("bob").request_id("2").wait(seconds(20)));
    let third = lock.acquire(request("cid").request_id("3").wait(seconds(20)));
    let cancel = async |id: &str| lock.cancel(id).await.unwrap();
    assert_eq!(cancel("2").await, Cancelled::Waiting);
    assert_eq!(code(second.await), "cancelled");
    assert_eq!(cancel("2").await, Cancelled::Unknown);
    assert_eq!(cancel("1").await, Cancelled::Granted);
    assert_eq!(code(lock.release(end(&first)).await), "lost");
    assert!(third.await.unwrap().token > first.token);
}

#[anchorhold::test]
async fn an_expired_lease_goes_to_the_next_and_its_holder_is_refused(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let expired = lock.acquire(request("ann")).await.unwrap();
    let next = lock
        .acquire(request("bob").wait(seconds(60)))
        .await
        .unwrap();
    assert_eq!(sim.now(), expired.expires_at);
    assert!(next.token > expired.token);
    assert_eq!(
        code(lock.renew(Renew::of(&expired.lease, seconds(9))).await),
        "lost"
    );
    assert_eq!(code(lock.release(end(&expired)).await), "lost");
    assert_eq!(lock.status().await.unwrap().holder.as_deref(), Some("bob"));
    lock.release(end(&next)).await.unwrap();
}

#[anchorhold::test]
async fn the_expiry_wakes_the_object_and_a_lock_at_rest_does_not(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let alarms = || {
        let trace = sim.trace();
        let kinds = trace.iter().filter_map(|line| line.split(' ').nth(1));
        kinds.filter(|kind| *kind == "alarm").count()
    };
    lock.acquire(request("ann")).await.unwrap();
    sim.crash().await;
    sim.advance(seconds(40)).await;
    assert_eq!(alarms(), 1, "of the lease that expired");
    let lease = lock.acquire(request("ann")).await.unwrap();
    for _ in 0..10 {
        sim.advance(seconds(20)).await;
        lock.renew(Renew::of(&lease.lease, seconds(30)))
            .await
            .unwrap();
    }
    lock.release(end(&lease)).await.unwrap();
    let after_release = alarms();
    sim.advance(seconds(10_000)).await;
    assert_eq!(alarms(), after_release, "a free lock has no alarm");
}

#[anchorhold::test]
async fn a_renewed_lease_expires_at_its_new_end(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    sim.advance(seconds(20)).await;
    let renew = Renew::of(&lease.lease, seconds(30));
    let renewed = lock.renew(renew).await.unwrap();
    let next = lock.acquire(request("bob").wait(seconds(60))).await;
    assert!(next.unwrap().token > renewed.token);
    assert_eq!(sim.now(), renewed.expires_at);
}

#[anchorhold::test]
async fn a_lock_delay_follows_an_expiry_and_no_release(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let delayed = |holder| request(holder).lock_delay(seconds(10));
    let lease = lock.acquire(delayed("ann")).await.unwrap();
    lock.release(end(&lease)).await.unwrap();
    let lease = lock.acquire(delayed("ann")).await.unwrap();
    let next = lock.acquire(request("bob").wait(seconds(60)));
    sim.advance(seconds(31)).await;
    let until = lease.expires_at + seconds(10);
    assert_eq!(lock.inspect().await.unwrap().delayed_until, Some(until));
    let status = lock.status().await.unwrap();
    assert_eq!((status.held, status.waiting), (false, 1));
    next.await.unwrap();
    assert_eq!(sim.now(), until);
}

#[anchorhold::test]
async fn a_repeated_request_gets_its_lease_again_whatever_died_between(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let mine = || request("ann").request_id("7f");
    let lease = lock.acquire(mine()).await.unwrap();
    assert_eq!(lock.acquire(mine()).await.unwrap(), lease);
    sim.evict(&lock).await;
    assert_eq!(lock.acquire(mine()).await.unwrap(), lease);
    sim.crash().await;
    assert_eq!(lock.acquire(mine()).await.unwrap(), lease);
    for other in [request("eve").request_id("7f"), mine().shared()] {
        assert_eq!(code(lock.acquire(other).await), "request_conflict");
    }
    lock.release(end(&lease)).await.unwrap();
    let again = lock.acquire(mine()).await.unwrap();
    assert!(again.token > lease.token, "a lease that is over is over");
}

#[anchorhold::test]
async fn a_repeated_request_keeps_its_place(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    let mine = || request("bob").request_id("7f").wait(seconds(20));
    let broken_off = lock.acquire(mine());
    let behind = lock.acquire(request("cid").wait(seconds(20)));
    let again = lock.acquire(mine());
    assert_eq!(code(broken_off.await), "superseded");
    assert_eq!(lock.status().await.unwrap().waiting, 2);
    lock.release(end(&lease)).await.unwrap();
    let lease = again.await.unwrap();
    lock.release(end(&lease)).await.unwrap();
    assert!(behind.await.unwrap().token > lease.token);
}

#[anchorhold::test]
async fn a_caller_that_hangs_up_is_skipped(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    let hangs_up = lock.acquire(request("bob").wait(seconds(20)));
    let next = lock.acquire(request("cid").wait(seconds(20)));
    assert_eq!(lock.status().await.unwrap().waiting, 2);
    drop(hangs_up);
    sim.advance(Duration::ZERO).await;
    assert_eq!(lock.status().await.unwrap().waiting, 1);
    let released_at = sim.now();
    lock.release(end(&lease)).await.unwrap();
    assert!(next.await.unwrap().token > lease.token);
    assert_eq!(sim.now(), released_at);
}

#[anchorhold::test]
async fn a_lease_for_a_caller_that_has_just_hung_up_goes_to_the_next(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    let hangs_up = lock.acquire(request("bob").wait(seconds(20)));
    let next = lock.acquire(request("cid").wait(seconds(20)));
    assert_eq!(lock.status().await.unwrap().waiting, 2);
    let released_at = sim.now();
    // The release is on its way first, and hands the lock to a caller that is gone.
    let release = lock.release(end(&lease));
    drop(hangs_up);
    release.await.unwrap();
    next.await.unwrap();
    assert_eq!(sim.now(), released_at);
}

#[anchorhold::test]
async fn a_repeated_request_keeps_the_lease_that_its_first_caller_left(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    let mine = || request("bob").request_id("7f").wait(seconds(20));
    let hangs_up = lock.acquire(mine());
    assert_eq!(lock.status().await.unwrap().waiting, 1);
    let release = lock.release(end(&lease));
    let again = lock.acquire(mine());
    drop(hangs_up);
    release.await.unwrap();
    let lease = again.await.unwrap();
    sim.advance(Duration::ZERO).await;
    let status = lock.status().await.unwrap();
    assert_eq!(
        (status.holder.as_deref(), status.token),
        (Some("bob"), lease.token)
    );
    lock.release(end(&lease)).await.unwrap();
}

#[anchorhold::test]
async fn readers_share_and_a_writer_is_not_starved(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let shared = |holder: &str| request(holder).shared().wait(seconds(20));
    let one = lock.acquire(shared("one")).await.unwrap();
    let two = lock.acquire(shared("two")).await.unwrap();
    let writer = lock.acquire(request("writer").wait(seconds(20)));
    let three = lock.acquire(shared("three"));
    let four = lock.acquire(shared("four"));
    let inspection = lock.inspect().await.unwrap();
    assert!(
        inspection
            .leases
            .iter()
            .all(|lease| lease.mode == Mode::Shared)
    );
    assert_eq!((inspection.leases.len(), inspection.queue.len()), (2, 3));
    lock.release(end(&one)).await.unwrap();
    assert_eq!(lock.status().await.unwrap().waiting, 3);
    lock.release(end(&two)).await.unwrap();
    let writer = writer.await.unwrap();
    assert_eq!(lock.status().await.unwrap().waiting, 2);
    lock.release(end(&writer)).await.unwrap();
    let tokens = [
        writer.token,
        three.await.unwrap().token,
        four.await.unwrap().token,
    ];
    assert!(tokens.is_sorted(), "{tokens:?}");
}

#[anchorhold::test]
async fn an_administrator_breaks_it_on_the_record(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let order = || Break {
        by: "root".to_owned(),
        reason: "ann's machine burnt down".to_owned(),
    };
    let lease = lock
        .acquire(request("ann").lock_delay(seconds(5)))
        .await
        .unwrap();
    let next = lock.acquire(request("bob").wait(seconds(60)));
    sim.advance(seconds(1)).await;
    let broken = lock.break_lock(order()).await.unwrap();
    assert_eq!((broken.at, broken.by.as_str()), (sim.now(), "root"));
    assert_eq!(
        (broken.leases[0].holder.as_str(), broken.leases[0].token),
        ("ann", lease.token)
    );
    assert_eq!(code(lock.release(end(&lease)).await), "lost");
    let next = next.await.unwrap();
    assert!(next.token > lease.token);
    assert_eq!(sim.now() - broken.at, seconds(5));
    sim.crash().await;
    assert_eq!(lock.broken().await.unwrap(), [broken]);
    for _ in 0..105 {
        lock.break_lock(order()).await.unwrap();
    }
    let record = lock.broken().await.unwrap();
    assert_eq!((record.len(), record[0].leases.len()), (100, 0));
    assert!(lock.acquire(request("ann")).await.unwrap().token > next.token);
}

#[anchorhold::test]
async fn a_crash_forgets_the_queue_and_nothing_else(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    let mine = || request("bob").request_id("7f").wait(seconds(20));
    let waiting = lock.acquire(mine());
    assert_eq!(lock.status().await.unwrap().waiting, 1);
    sim.crash().await;
    assert!(waiting.await.unwrap_err().is_retryable());
    let again = lock.acquire(mine());
    let status = lock.status().await.unwrap();
    assert_eq!((status.holder.as_deref(), status.waiting), (Some("ann"), 1));
    lock.release(end(&lease)).await.unwrap();
    assert!(again.await.unwrap().token > lease.token);
}

#[anchorhold::test]
async fn what_is_out_of_range_is_refused_by_name(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let long = "x".repeat(129);
    let wrong = [
        ("holder", request("")),
        ("holder", request(&long)),
        ("ttl_ms", Acquire::new("a", Duration::ZERO)),
        ("ttl_ms", Acquire::new("a", seconds(86_401))),
        ("wait_ms", request("a").wait(seconds(301))),
        ("request_id", request("a").request_id("")),
        ("request_id", request("a").request_id(&long)),
        ("lock_delay_ms", request("a").lock_delay(seconds(61))),
    ];
    for (field, request) in wrong {
        let error = lock.acquire(request).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&format!("`{field}`")), "{message}");
        assert_eq!(code::<()>(Err(error)), "bad_request");
    }
    assert_eq!(code(lock.cancel("").await), "bad_request");
    assert_eq!(
        code(lock.renew(Renew::of("x", Duration::ZERO)).await),
        "bad_request"
    );
    lock.acquire(request("a")).await.unwrap();
}

#[anchorhold::test]
async fn a_full_queue_refuses_the_next(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    lock.acquire(request("ann")).await.unwrap();
    let waiting: Vec<_> = (0..1_000)
        .map(|number| {
            let holder = (number / 100).to_string();
            lock.acquire(request(&holder).wait(seconds(20)))
        })
        .collect();
    assert_eq!(lock.status().await.unwrap().waiting, waiting.len());
    assert_eq!(
        code(lock.acquire(request("cid").wait(seconds(20))).await),
        "overloaded"
    );
    assert_eq!(code(lock.acquire(request("cid")).await), "held");
}

/// A call that gives up lets those behind it go first, and its own failure takes nothing from them.
#[anchorhold::test]
async fn lease_survives_the_failure_of_the_call_that_made_way_for_it(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let shared = |holder: &str| request(holder).shared();
    let first = lock.acquire(shared("ann")).await.unwrap();
    let exclusive = lock.acquire(request("bob").wait(seconds(2)));
    let behind = async {
        sim.advance(seconds(1)).await;
        lock.acquire(shared("cid").wait(seconds(60))).await
    };
    let (refused, granted) = futures_util::future::join(exclusive, behind).await;
    assert_eq!(code(refused), "held");
    let granted = granted.unwrap();
    sim.evict(&lock).await;
    lock.release(end(&granted)).await.unwrap();
    lock.release(end(&first)).await.unwrap();
}
