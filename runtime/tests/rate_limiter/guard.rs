//! A limiter asked by other objects, through its guard.

use super::*;

/// Refuses strangers by a limiter, before they reach anything else.
#[durable_object]
struct Shop {
    sold: u64,
    #[memory]
    limiter: Guard,
}

#[durable_object]
impl Shop {
    #[rpc]
    async fn buy(&mut self, ctx: &Ctx, who: &str) -> Result<u64, Error> {
        let limit = policy(Algorithm::FixedWindow, 2, 60_000);
        self.limiter
            .check(&ctx.env(), Check::new(who, limit))
            .await?
            .granted()?;
        self.sold += 1;
        Ok(self.sold)
    }
}

#[anchorhold::test]
async fn a_guard_works_from_another_object(sim: Sim) {
    let shop = sim.objects::<Shop>().named("s");
    assert_eq!(shop.buy("ann").await.unwrap(), 1);
    assert_eq!(shop.buy("ann").await.unwrap(), 2);
    let CallError::Application(error) = shop.buy("ann").await.unwrap_err() else {
        panic!("the shop itself refuses");
    };
    assert_eq!((error.status(), error.code()), (429, "limited"));
    assert_eq!(
        ObjectError::retry_after(&error),
        Some(Duration::from_secs(60))
    );
    assert_eq!(shop.buy("bob").await.unwrap(), 3);
}

#[anchorhold::test]
async fn a_guard_remembers_who_is_blocked(sim: Sim) {
    let guard = Guard::new(4);
    let env = sim.env();
    let limit = policy(Algorithm::FixedWindow, 1, 30_000);
    let ask = async || guard.check(&env, Check::new("k", limit)).await.unwrap();
    assert!(ask().await.allowed);
    assert_eq!(ask().await.retry_after_ms, 30_000);
    let asked = sim.trace().len();
    milliseconds(&sim, 1_000).await;
    assert_eq!(ask().await.retry_after_ms, 29_000);
    assert_eq!(
        sim.trace()
            .iter()
            .skip(asked)
            .filter(|line| line.contains("start"))
            .count(),
        0
    );
    // A reset is seen when what is remembered is 10 s old.
    sim.objects::<RateLimiter>()
        .sharded("k", 4)
        .reset("k")
        .await
        .unwrap();
    assert!(!ask().await.allowed);
    milliseconds(&sim, 9_000).await;
    assert!(ask().await.allowed);
}

#[anchorhold::test]
async fn a_guard_fails_open_or_closed_as_configured(sim: Sim) {
    let env = sim.env();
    let limit = policy(Algorithm::FixedWindow, 5, 1_000);
    let hasty = Guard::new(4).timeout(Duration::ZERO);
    let closed = hasty
        .clone()
        .fail_closed()
        .check(&env, Check::new("k", limit))
        .await
        .unwrap();
    assert_eq!(
        (closed.allowed, closed.reason),
        (false, Reason::Unavailable)
    );
    let open = hasty
        .fail_open()
        .check(&env, Check::new("k", limit))
        .await
        .unwrap();
    assert_eq!((open.allowed, open.reason), (true, Reason::Unavailable));
    assert!(open.granted().is_ok());

    // One that dies on the way is unavailable too; a mistake of the caller's is an error, even open.
    let guard = Guard::new(4).fail_open();
    let asked = guard.check(&env, Check::new("k", limit));
    let mut asked = std::pin::pin!(asked);
    assert!(
        std::future::poll_fn(|context| std::task::Poll::Ready(
            asked.as_mut().poll(context).is_pending()
        ))
        .await
    );
    sim.crash().await;
    assert_eq!(asked.await.unwrap().reason, Reason::Unavailable);
    let error = guard
        .check(&env, Check::new("k", limit).cost(6))
        .await
        .unwrap_err();
    assert_eq!(error.status(), 400);
}

/// Limits of a user and of an address: the keys are on different shards.
#[anchorhold::test]
async fn limits_of_several_shards_are_used_together_or_not_at_all(sim: Sim) {
    let env = sim.env();
    for algorithm in Algorithm::ALL {
        let guard = Guard::new(16);
        let of_user = policy(algorithm, 2, 60_000);
        let of_address = policy(algorithm, 3, 60_000);
        let (ann, bob, address) = ("ann", "bob", "203.0.113.7");
        assert_ne!(
            anchorhold::shard_name(ann, 16),
            anchorhold::shard_name(address, 16)
        );
        let ask = async |user: &str| {
            let both = vec![Check::new(address, of_address), Check::new(user, of_user)];
            guard.check_all(&env, both).await.unwrap()
        };
        let left = async |key: &str, limit: Policy| {
            let shard = sim.objects::<RateLimiter>().sharded(key, 16);
            shard.peek(Check::new(key, limit)).await.unwrap().remaining
        };
        assert!(ask(ann).await.allowed && ask(ann).await.allowed);
        let refused = ask(ann).await;
        let reasons = refused.decisions.iter().map(|decision| {
            assert!(!decision.allowed);
            (decision.reason, decision.remaining)
        });
        assert_eq!(
            (refused.allowed, reasons.collect::<Vec<_>>()),
            (
                false,
                vec![(Reason::OtherRefused, 1), (Reason::OverLimit, 0)]
            ),
            "{algorithm:?}"
        );
        assert_eq!(left(address, of_address).await, 1, "{algorithm:?}");
        assert!(ask(bob).await.allowed);
        let refused = ask(bob).await;
        assert_eq!(refused.decisions[0].reason, Reason::OverLimit);
        assert_eq!(refused.decisions[1].reason, Reason::OtherRefused);
        assert_eq!(left(bob, of_user).await, 1, "{algorithm:?}");
        for key in [ann, bob, address] {
            let shard = sim.objects::<RateLimiter>().sharded(key, 16);
            shard.reset(key).await.unwrap();
        }
    }
}

#[anchorhold::test]
async fn until_ready_waits_no_longer_than_it_may(sim: Sim) {
    let env = sim.env();
    let guard = Guard::new(4);
    let limit = policy(Algorithm::TokenBucket, 2, 1_000);
    let start = sim.now();
    for _ in 0..6 {
        let ready = guard.until_ready(&env, Check::new("api", limit), Duration::from_secs(5));
        assert!(ready.await.unwrap().allowed);
    }
    assert_eq!(sim.now() - start, Duration::from_millis(2_000));
    let asked = sim.now();
    let ready = guard.until_ready(&env, Check::new("api", limit), Duration::from_millis(499));
    assert!(!ready.await.unwrap().allowed);
    assert_eq!(sim.now(), asked);
}

/// A limit in the code needs no set-up, counts under its name, and can be replaced at run time.
#[anchorhold::test]
async fn limits_in_code(sim: Sim) {
    const LOW: Limit = Limit::new("reads", Policy::new(Algorithm::SlidingLog, 2, 60_000));
    const HIGH: Limit = Limit::new("reads", Policy::new(Algorithm::SlidingLog, 4, 60_000));
    const OTHER: Limit = Limit::new("writes", Policy::new(Algorithm::SlidingLog, 2, 60_000));
    let limiter = limiter(&sim);
    let ask = async |limit: Limit| limiter.check(Check::new("ann", limit)).await.unwrap();
    assert!(ask(LOW).await.allowed && ask(LOW).await.allowed);
    assert!(!ask(LOW).await.allowed);
    assert_eq!(ask(OTHER).await.remaining, 1);
    let raised = ask(HIGH).await;
    assert_eq!(
        (raised.limit, raised.remaining, raised.window_ms),
        (4, 1, 60_000)
    );
    assert!(
        !ask(LOW).await.allowed,
        "a lowered limit counts what was used"
    );
    let stored = policy(Algorithm::SlidingLog, 10, 60_000);
    limiter.set_policy("reads", stored, None).await.unwrap();
    assert_eq!((ask(LOW).await.limit, ask(LOW).await.remaining), (10, 5));
}

#[anchorhold::test]
async fn an_app_is_limited_by_its_guard(sim: Sim) {
    const VISITS: Limit = Limit::new("visits", Policy::new(Algorithm::FixedWindow, 2, 60_000));
    sim.app(
        App::new()
            .mount::<Shop>("/shops/{name}")
            .object::<RateLimiter>()
            .guard(Guard::new(4).guard(|visit| {
                let address = visit.request.client_address();
                let address = address.map(|address| address.to_string());
                vec![Check::new(address.unwrap_or_default(), VISITS)]
            })),
    );
    let visit = async |address: &str| {
        let request = Request::new("GET", "/shops/s");
        sim.fetch_from(address.parse().unwrap(), request).await
    };
    for status in [404, 404, 429] {
        assert_eq!(visit("203.0.113.7").await.status(), status);
    }
    let refused = visit("203.0.113.7").await;
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(visit("203.0.113.8").await.status(), 404);
}
