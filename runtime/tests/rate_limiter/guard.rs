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
    assert_eq!(
        guard
            .check(&env, Check::new("k", "unset"))
            .await
            .unwrap_err()
            .status(),
        404
    );
}
