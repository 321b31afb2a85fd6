//! A panic in the app's own code is one answer with 500, and nothing else.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use anchorhold::Visit;
use anchorhold::prelude::*;

#[durable_object]
struct Thing {}

#[durable_object]
impl Thing {
    #[get("/")]
    fn answer(&self) -> u64 {
        42
    }
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("secret: in drop");
    }
}

/// Panics in the call itself, before there is a future.
fn panics_at_once(_: Request, _: Env) -> std::future::Ready<Result<Response, Error>> {
    panic!("secret: at once")
}

fn guard_panics_at_once(visit: Visit) -> std::future::Ready<Result<Visit, Error>> {
    assert!(visit.name != "at-once", "secret: guard at once");
    std::future::ready(Ok(visit))
}

fn app() -> App {
    App::new()
        .get("/at-once", panics_at_once)
        .get("/in-the-future", async |_, _| {
            panic!("secret: in the future")
        })
        .post("/after-an-await", async |_, env: Env| {
            env.sleep(Duration::from_millis(1)).await;
            panic!("secret: after an await")
        })
        .get("/in-drop", async |_, env: Env| {
            let _held = PanicsWhenDropped;
            env.sleep(Duration::from_secs(5)).await;
            Ok(Response::text(200, "done"))
        })
        .get("/healthz", async |_, _| Ok(Response::text(200, "ok")))
        .mount::<Thing>("/things/{name}")
}

fn assert_panicked(response: &Response) {
    assert_eq!(response.status(), 500);
    let body = String::from_utf8(response.body().unwrap().to_vec()).unwrap();
    assert!(body.contains(r#""code":"panicked""#), "{body}");
    assert!(!body.contains("secret"), "{body}");
}

async fn assert_serves(sim: &Sim) {
    let response = sim.fetch(Request::new("GET", "/healthz")).await;
    assert_eq!(response.status(), 200);
}

#[anchorhold::test]
async fn handler_that_panics_is_answered_with_500_and_no_detail(sim: Sim) {
    sim.app(app());
    for (method, path) in [
        ("GET", "/at-once"),
        ("HEAD", "/at-once"),
        ("GET", "/in-the-future"),
        ("POST", "/after-an-await"),
        ("GET", "/in-drop"),
    ] {
        assert_panicked(&sim.fetch(Request::new(method, path)).await);
        assert_serves(&sim).await;
    }
}

#[anchorhold::test]
async fn guard_that_panics_is_answered_with_500_and_the_object_is_not_reached(sim: Sim) {
    sim.app(app().guard(guard_panics_at_once));
    assert_panicked(&sim.fetch(Request::new("GET", "/things/at-once")).await);
    let reached = sim.fetch(Request::new("GET", "/things/other")).await;
    assert_eq!(reached.status(), 200);

    sim.app(app().guard(async |visit: Visit| {
        visit.env.sleep(Duration::from_millis(1)).await;
        assert!(visit.name != "later", "secret: guard later");
        Ok(visit)
    }));
    assert_panicked(&sim.fetch(Request::new("GET", "/things/later")).await);
    let reached = sim.fetch(Request::new("GET", "/things/other")).await;
    assert_eq!(reached.status(), 200);
}

#[anchorhold::test]
async fn handler_that_panics_when_its_client_leaves_affects_no_other_request(sim: Sim) {
    sim.app(app());
    {
        let mut request = pin!(sim.fetch(Request::new("GET", "/in-drop")));
        std::future::poll_fn(|context| {
            assert!(request.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    assert_serves(&sim).await;
}
