//! A lock in a product: backups, greedy callers, clocks that are set back, callers that give up.

use super::*;

/// A restored backup has an old token, and the protected resource has seen newer ones.
#[anchorhold::test]
async fn tokens_stay_above_those_granted_since_a_backup(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let now = u64::try_from(sim.now().as_millis()).unwrap();
    let mut newest = 0;
    for _ in 0..5 {
        let lease = lock.acquire(request("ann")).await.unwrap();
        assert!(lease.token > newest && lease.token >= now, "{lease:?}");
        newest = lease.token;
        lock.release(end(&lease)).await.unwrap();
    }
    // Another lock under another name stands for one whose storage is older.
    sim.advance(seconds(1)).await;
    let restored = sim.objects::<Lock>().named("b");
    let lease = restored.acquire(request("ann")).await.unwrap();
    assert!(lease.token > newest, "{} after {newest}", lease.token);
}

#[anchorhold::test]
async fn one_holder_does_not_take_every_place(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    let greedy: Vec<_> = (0..1_001)
        .map(|_| lock.acquire(request("eve").wait(seconds(300))))
        .collect();
    let bob = lock.acquire(request("bob").wait(seconds(300)));
    assert_eq!(lock.status().await.unwrap().waiting, 101);
    let mut refused = 0;
    for (place, answer) in greedy.into_iter().enumerate() {
        if place >= 100 {
            assert_eq!(code(answer.await), "too_many_waiting");
            refused += 1;
        }
    }
    assert_eq!(refused, 901);
    lock.release(end(&lease)).await.unwrap();
    drop(bob);
}

/// The lease ends one lease after the step, however often the status is read meanwhile.
#[anchorhold::test]
async fn a_clock_that_is_set_back_makes_no_lease_endless(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let ten = Acquire::new("ann", seconds(10));
    lock.acquire(ten).await.unwrap();
    sim.advance(seconds(1)).await;
    sim.set_clock(sim.now() - seconds(3_600)).await;
    for _ in 0..20 {
        sim.advance(seconds(1)).await;
        lock.status().await.unwrap();
    }
    assert!(!lock.status().await.unwrap().held);
    lock.acquire(request("bob")).await.unwrap();
}

/// A call that has been granted the lease, and is cancelled before it is answered, has no lease.
#[anchorhold::test(seeds = 50)]
async fn a_cancelled_request_has_no_lease(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let lease = lock.acquire(request("ann")).await.unwrap();
    let waiting = lock.acquire(request("bob").wait(seconds(60)).request_id("bob's"));
    sim.advance(seconds(1)).await;
    let mut waiting = std::pin::pin!(waiting);
    let released = lock.release(end(&lease));
    let cancelled = lock.cancel("bob's");
    released.await.unwrap();
    let cancelled = cancelled.await.unwrap();
    let answered_before = std::future::poll_fn(|context| {
        std::task::Poll::Ready(waiting.as_mut().poll(context).is_ready())
    })
    .await;
    assert!(matches!(cancelled, Cancelled::Granted | Cancelled::Waiting));
    if !answered_before {
        assert_eq!(code(waiting.await), "cancelled");
    }
    assert!(!lock.status().await.unwrap().held);
}
