//! The section "In a product" of the limiter's page.

use std::time::Duration;

use anchorhold::objects::RateLimiter;
use anchorhold::objects::rate_limiter::{Algorithm, Check, Guard, Limit, Policy};
use anchorhold::prelude::*;
use serde::Deserialize;

const BY_USER: Limit = Limit::new("logins", Policy::new(Algorithm::SlidingLog, 5, 900_000));
const BY_ADDRESS: Limit = Limit::new("addresses", Policy::new(Algorithm::TokenBucket, 20, 60_000));

#[derive(Deserialize)]
struct Login {
    user: String,
}

fn app() -> App {
    let limiter = Guard::new(16).timeout(Duration::from_millis(500));
    App::new()
        .object::<RateLimiter>()
        .post("/login", move |mut request: Request, env: Env| {
            let limiter = limiter.clone();
            async move {
                let login: Login = request.json().await?;
                let address = request.client_network();
                let address = address.ok_or_else(|| Error::forbidden("no address"))?;
                let limits = vec![
                    Check::new(format!("address {address}"), BY_ADDRESS),
                    Check::new(format!("user {}", login.user), BY_USER),
                ];
                limiter.check_all(&env, limits).await?.granted()?;
                // … compare the password …
                Ok(Response::text(200, format!("welcome, {}", login.user)))
            }
        })
}

#[anchorhold::test]
async fn logins_are_limited_by_user_and_address(sim: Sim) {
    sim.app(app());
    let login = async |user: &str, address: &str| {
        let request = Request::new("POST", "/login").with_body(format!(r#"{{"user": "{user}"}}"#));
        sim.fetch_from(address.parse().unwrap(), request).await
    };
    for _ in 0..5 {
        assert_eq!(login("ann", "203.0.113.7").await.status(), 200);
    }
    // Refused tries for one user use no quota of the address.
    for _ in 0..50 {
        let refused = login("ann", "203.0.113.7").await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.header("retry-after"), Some("900"));
    }
    for user in 0..15 {
        let status = login(&user.to_string(), "203.0.113.7").await.status();
        assert_eq!(status, 200, "{user}");
    }
    assert_eq!(login("bob", "203.0.113.7").await.status(), 429);
    assert_eq!(login("bob", "203.0.113.8").await.status(), 200);
    // One client usually has a whole network of IPv6.
    for number in 0..20 {
        let status = login(&format!("six{number}"), &format!("2001:db8::{number}")).await;
        assert_eq!(status.status(), 200, "{number}");
    }
    let refused = login("seven", "2001:db8::ffff").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(login("eight", "2001:db8:0:1::1").await.status(), 200);
}
