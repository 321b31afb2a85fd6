//! A limiter in a product: strangers behind a mount, limits in the app's code, deployments that are
//! not complete.

use super::*;

#[anchorhold::test]
async fn a_mount_lets_clients_only_look(sim: Sim) {
    sim.app(App::new().mount_sharded::<RateLimiter>("/limits/{key}", 1));
    let limit = policy(Algorithm::FixedWindow, 2, 60_000);
    let _ = limiter(&sim).check(Check::new("ann", limit)).await.unwrap();
    let body = r#"{"algorithm": "fixed_window", "limit": 2, "window_ms": 60000}"#;
    for (method, path) in [
        ("DELETE", "/limits/ann"),
        ("POST", "/limits/ann/check"),
        ("POST", "/limits/ann"),
        ("PUT", "/limits/ann"),
    ] {
        let status = sim
            .fetch(Request::new(method, path).with_body(body))
            .await
            .status();
        assert!(matches!(status, 404 | 405), "{method} {path}: {status}");
    }
    let query = "/limits/ann?algorithm=fixed_window&limit=2&window_ms=60000";
    for _ in 0..3 {
        let looked = sim.fetch(Request::new("GET", query)).await;
        assert_eq!(looked.read_json::<Decision>().unwrap().remaining, 1);
    }
}

#[anchorhold::test]
async fn limits_with_other_quantities_count_apart(sim: Sim) {
    let limiter = limiter(&sim);
    let logins = policy(Algorithm::SlidingWindow, 5, 60_000);
    let reads = policy(Algorithm::SlidingWindow, 500, 60_000);
    for _ in 0..20 {
        assert!(
            limiter
                .check(Check::new("ann", reads))
                .await
                .unwrap()
                .allowed
        );
    }
    let decision = limiter.check(Check::new("ann", logins)).await.unwrap();
    assert_eq!((decision.allowed, decision.remaining), (true, 4));
}

/// Strangers who choose the window must not leave a row for each, for up to a year.
#[anchorhold::test]
async fn a_key_has_a_bounded_number_of_rows(sim: Sim) {
    let limiter = limiter(&sim);
    let mut refused = None;
    for window in 1..=100 {
        let limit = policy(Algorithm::FixedWindow, 5, 86_400_000 + window);
        if let Err(error) = limiter.check(Check::new("ann", limit)).await {
            refused = Some(error.to_string());
        }
    }
    assert_eq!(limiter.status().await.unwrap().usages, 32);
    let refused = refused.unwrap_or_default();
    assert!(refused.contains("counted under 32 limits"), "{refused}");
    // Another key, a limit that is counted already, and what has expired are not concerned.
    let known = policy(Algorithm::FixedWindow, 5, 86_400_001);
    for key in ["ann", "bob"] {
        assert!(limiter.check(Check::new(key, known)).await.unwrap().allowed);
    }
    sim.advance(Duration::from_hours(25)).await;
    assert!(
        limiter
            .check(Check::new("ann", known))
            .await
            .unwrap()
            .allowed
    );
}

#[anchorhold::test]
async fn a_guard_that_fails_open_serves_before_the_deployment_is_complete(sim: Sim) {
    let env = sim.env();
    let open = Guard::new(4).fail_open();
    let closed = Guard::new(4);
    // A policy that is not set yet.
    let unset = open.check(&env, Check::new("ann", "reads")).await.unwrap();
    assert_eq!((unset.allowed, unset.reason), (true, Reason::Unavailable));
    assert_eq!(
        closed
            .check(&env, Check::new("ann", "reads"))
            .await
            .unwrap_err()
            .status(),
        404
    );
    // No edge sets the header from which the key is.
    let limit = policy(Algorithm::FixedWindow, 1, 60_000);
    for _ in 0..3 {
        let nameless = open.check(&env, Check::new("", limit)).await.unwrap();
        assert_eq!(
            (nameless.allowed, nameless.reason),
            (true, Reason::Unavailable)
        );
    }
    let refused = closed.check(&env, Check::new("", limit)).await.unwrap();
    assert!(!refused.allowed);
    let error = refused.granted().unwrap_err();
    assert_eq!((error.status(), error.code()), (503, "limiter_unavailable"));
}
