//! A limiter over HTTP.

use super::*;

/// An app whose clients choose their limits, as the demo's may.
fn app() -> App {
    App::new()
        .mount_sharded::<RateLimiter>("/limits/{key}", 4)
        .post("/limits/{key}/check", async |mut request, env| {
            let key = request.path_value("key").unwrap_or_default().to_owned();
            let check = Check::from_body(&key, &mut request).await?;
            let name = match &check.rule {
                Rule::Given(policy) => policy.algorithm.name().to_owned(),
                Rule::Limit { name, .. } | Rule::Named(name) => name.clone(),
            };
            let limiter = env.objects::<RateLimiter>().sharded(&key, 4);
            let decision = limiter.check(check).await?;
            let status = if decision.allowed { 200 } else { 429 };
            Ok(decision.tell(Response::json(status, &decision)?, &name))
        })
        .delete("/limits/{key}", async |request, env| {
            let key = request.path_value("key").unwrap_or_default();
            env.objects::<RateLimiter>()
                .sharded(key, 4)
                .reset(key)
                .await?;
            Ok(Response::empty(204))
        })
}

async fn check(sim: &Sim, path: &str, body: &str) -> Response {
    sim.fetch(Request::new("POST", path).with_body(body)).await
}

#[anchorhold::test]
async fn over_http(sim: Sim) {
    sim.app(app());
    let body = r#"{"algorithm": "sliding_log", "limit": 2, "window_ms": 1500}"#;
    let first = check(&sim, "/limits/a%2Fb/check", body).await;
    assert_eq!(first.status(), 200);
    assert_eq!(
        first.header("ratelimit-policy"),
        Some("\"sliding_log\";q=2;w=2")
    );
    assert_eq!(first.header("ratelimit"), Some("\"sliding_log\";r=1;t=2"));
    assert_eq!(first.header("retry-after"), None);
    let decision: Decision = first.read_json().unwrap();
    assert_eq!(
        (
            decision.allowed,
            decision.limit,
            decision.remaining,
            decision.retry_after_ms
        ),
        (true, 2, 1, 0)
    );
    milliseconds(&sim, 400).await;
    check(&sim, "/limits/a%2Fb/check", body).await;

    let refused = check(&sim, "/limits/a%2Fb/check", body).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(
        refused.header("retry-after"),
        Some("2"),
        "1,100 ms, rounded up"
    );
    assert_eq!(refused.header("ratelimit"), Some("\"sliding_log\";r=0;t=2"));
    let decision: Decision = refused.read_json().unwrap();
    assert_eq!(
        (
            decision.allowed,
            decision.remaining,
            decision.retry_after_ms
        ),
        (false, 0, 1_100)
    );

    let query = "algorithm=sliding_log&limit=2&window_ms=1500";
    let looked = sim
        .fetch(Request::new("GET", &format!("/limits/a%2Fb?{query}")))
        .await;
    assert_eq!(
        (looked.status(), looked.header("ratelimit")),
        (200, Some("\"sliding_log\";r=0;t=2"))
    );
    let other = sim
        .fetch(Request::new("GET", &format!("/limits/other?{query}")))
        .await;
    assert_eq!(other.read_json::<Decision>().unwrap().remaining, 2);
    // The mount and a caller by RPC reach the same object.
    let stub = sim.objects::<RateLimiter>().sharded("a/b", 4);
    let limit = policy(Algorithm::SlidingLog, 2, 1_500);
    assert!(!stub.check(Check::new("a/b", limit)).await.unwrap().allowed);

    assert_eq!(
        sim.fetch(Request::new("DELETE", "/limits/a%2Fb"))
            .await
            .status(),
        204
    );
    assert_eq!(check(&sim, "/limits/a%2Fb/check", body).await.status(), 200);

    stub.set_policy("api", limit, None).await.unwrap();
    let named = check(
        &sim,
        "/limits/a%2Fb/check",
        r#"{"policy": "api", "cost": 2}"#,
    )
    .await;
    assert_eq!(named.header("ratelimit"), Some("\"api\";r=0;t=2"));
}

#[anchorhold::test]
async fn what_does_not_fit_is_refused_by_name(sim: Sim) {
    sim.app(app());
    for (body, named) in [
        ("{}", "`algorithm` is missing"),
        ("", "the body is not a JSON object"),
        (
            r#"{"algorithm": "sliding_log", "window_ms": 1}"#,
            "`limit` is missing",
        ),
        (
            r#"{"algorithm": "sliding_log", "limit": 1}"#,
            "`window_ms` is missing",
        ),
        (
            r#"{"algorithm": "leaky", "limit": 1, "window_ms": 1}"#,
            "invalid `algorithm`",
        ),
        (
            r#"{"algorithm": "sliding_log", "limit": 0, "window_ms": 1}"#,
            "`limit` is 0",
        ),
        (
            r#"{"algorithm": "sliding_log", "limit": 1001, "window_ms": 1}"#,
            "`limit` is 1001",
        ),
        (
            r#"{"algorithm": "fixed_window", "limit": -1, "window_ms": 1}"#,
            "invalid `limit`",
        ),
        (
            r#"{"algorithm": "fixed_window", "limit": 1.5, "window_ms": 1}"#,
            "invalid `limit`",
        ),
        (
            r#"{"algorithm": "fixed_window", "limit": 1, "window_ms": 0}"#,
            "`window_ms` is 0",
        ),
        (
            r#"{"algorithm": "fixed_window", "limit": 1, "window_ms": 1e30}"#,
            "invalid `window_ms`",
        ),
        (
            r#"{"algorithm": "fixed_window", "limit": 1, "window_ms": 1, "cost": 0}"#,
            "`cost` is 0",
        ),
        (
            r#"{"algorithm": "fixed_window", "limit": 5, "window_ms": 1, "cost": 6}"#,
            "`cost` is 6; must be 1 to 5",
        ),
        (
            r#"{"algorithm": "fixed_window", "limit": 5, "window_ms": 1, "weight": 6}"#,
            "unknown field `weight`",
        ),
        (r#"{"policy": "api", "key": "k"}"#, "unknown field `key`"),
        (r#"["api"]"#, "not a JSON object"),
        ("null", "not a JSON object"),
        (r#"{"policy": "api", "limit": 5}"#, "`algorithm` is missing"),
        (r#"{"policy": "a b"}"#, "`policy` must be 1 to 64"),
    ] {
        let answer = check(&sim, "/limits/k/check", body).await;
        let text = String::from_utf8_lossy(answer.body().unwrap()).into_owned();
        assert!(
            answer.status() == 400 && text.contains(named),
            "{body}: {} {text}",
            answer.status()
        );
    }
    for (query, named) in [
        ("", "`algorithm` is missing"),
        ("?policy=api&limit=5", "`algorithm` is missing"),
        ("?algorithm=leaky", "invalid `algorithm`"),
        ("?algorithm=sliding_log&limit=", "invalid `limit`"),
        ("?policy=api&weight=6", "unknown field `weight`"),
        ("?policy=api&key=k", "unknown field `key`"),
    ] {
        let path = format!("/limits/k{query}");
        let answer = sim.fetch(Request::new("GET", &path)).await;
        let text = String::from_utf8_lossy(answer.body().unwrap()).into_owned();
        assert!(
            answer.status() == 400 && text.contains(named),
            "{path}: {} {text}",
            answer.status()
        );
    }
    let body = r#"{"algorithm": "fixed_window", "limit": 5, "window_ms": 1000}"#;
    let longest = format!("/limits/{}/check", "k".repeat(256));
    assert_eq!(check(&sim, &longest, body).await.status(), 200);
    let longer = format!("/limits/{}/check", "k".repeat(257));
    assert_eq!(check(&sim, &longer, body).await.status(), 400);
    assert_eq!(
        check(&sim, "/limits/k/check", r#"{"policy": "api"}"#)
            .await
            .status(),
        404
    );
    assert_eq!(check(&sim, "/limits/k", body).await.status(), 405);
}

/// The request and the response that the limiter's page shows.
#[anchorhold::test]
async fn documented_request_gets_the_documented_response(sim: Sim) {
    const PAGE: &str = include_str!("../../../docs/objects/rate-limiter.md");
    let block = |language: &str| {
        let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap();
        rest.split("```").next().unwrap()
    };
    sim.app(app());
    let address = block("sh").split('\'').nth(1).unwrap();
    let path = address.strip_prefix("localhost:8787").unwrap();
    let response = sim.fetch(Request::new("GET", path)).await;
    let (head, shown) = block("http").split_once("\n\n").unwrap();
    assert_eq!(response.status(), 200);
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        assert_eq!(response.header(name), Some(value));
    }
    let answered = response.body().unwrap_or_default();
    assert_eq!(String::from_utf8_lossy(answered), shown.trim_end());
}
