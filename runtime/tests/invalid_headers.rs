//! A header that HTTP does not allow fails closed: it is never left out, and never leaves the old one.

use anchorhold::Visit;
use anchorhold::prelude::*;

#[durable_object]
struct Mirror {}

#[durable_object]
impl Mirror {
    #[get("/user")]
    async fn user(&self, request: Request) -> Response {
        let user = request.header("x-user").unwrap_or_default();
        Response::text(200, user)
    }

    #[get("/answer")]
    async fn answer(&self, request: Request) -> Response {
        let value = request.query_value("value").unwrap_or_default();
        Response::text(200, "answered").with_header("x-value", &value)
    }

    #[rpc]
    async fn send_out(&self, ctx: &Ctx, value: String) -> Result<u16, Error> {
        let request = Request::new("GET", "https://example.com/").with_header("x-value", &value);
        Ok(ctx.fetch(request).await?.status())
    }
}

/// Values that HTTP does not allow, or that the two hosts would send as different bytes.
const INVALID: [&str; 6] = ["a\nb", "a\rb", "a\0b", "a\u{7f}b", "é", "a\u{1f600}b"];
const INVALID_NAMES: [&str; 5] = ["", "x user", "x-user\n", "x:user", "xé"];

fn claimed(path: &str) -> Request {
    Request::new("GET", path).with_header("x-user", "claimed")
}

fn assert_refused(response: &Response, value: &str) {
    let body = String::from_utf8(response.body().unwrap().to_vec()).unwrap();
    assert_eq!(response.status(), 500, "{value:?}: {body}");
    assert!(
        body.contains(r#""code":"configuration""#),
        "{value:?}: {body}"
    );
    assert!(body.contains("header"), "{value:?}: {body}");
}

#[anchorhold::test]
async fn header_that_a_guard_cannot_set_ends_the_request(sim: Sim) {
    for value in INVALID {
        sim.app(App::new().mount::<Mirror>("/mirrors/{name}").guard(
            async move |mut visit: Visit| {
                visit.request = visit.request.with_header("x-user", value);
                assert_eq!(visit.request.header("x-user"), None, "the claim is gone");
                Ok(visit)
            },
        ));
        assert_refused(&sim.fetch(claimed("/mirrors/a/user")).await, value);
    }
    for name in INVALID_NAMES {
        sim.app(App::new().mount::<Mirror>("/mirrors/{name}").guard(
            async move |mut visit: Visit| {
                // A valid one afterwards does not make up for it.
                visit.request = visit
                    .request
                    .with_header(name, "x")
                    .with_header("x-user", "ann");
                Ok(visit)
            },
        ));
        assert_refused(&sim.fetch(claimed("/mirrors/a/user")).await, name);
    }
}

#[anchorhold::test]
async fn header_that_is_allowed_replaces_the_old_one(sim: Sim) {
    for (value, seen) in [
        ("ann", "ann"),
        ("", ""),
        ("a b\tc", "a b\tc"),
        (" padded ", "padded"),
    ] {
        sim.app(App::new().mount::<Mirror>("/mirrors/{name}").guard(
            async move |mut visit: Visit| {
                visit.request = visit.request.with_header("X-User", value);
                Ok(visit)
            },
        ));
        let response = sim.fetch(claimed("/mirrors/a/user")).await;
        assert_eq!(
            (response.status(), response.body().unwrap()),
            (200, seen.as_bytes())
        );
    }
}

#[anchorhold::test]
async fn request_with_a_header_that_cannot_be_sent_is_not_sent(sim: Sim) {
    sim.answer_outgoing(async |_| Response::empty(204));
    let mirror = sim.objects::<Mirror>().named("a");
    for value in INVALID {
        let request = claimed("/user").with_header("x-user", value);
        let refused = mirror
            .fetch(request)
            .await
            .map(|response| response.status());
        assert!(
            matches!(refused, Err(CallError::Configuration(_))),
            "{value:?}: {refused:?}"
        );
        let refused = mirror
            .send_out(value.to_owned())
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains("header `x-value`"), "{value:?}: {refused}");
    }
    assert_eq!(mirror.send_out("fine".to_owned()).await.unwrap(), 204);
}

#[anchorhold::test]
async fn response_with_a_header_that_cannot_be_sent_is_an_error(sim: Sim) {
    sim.app(
        App::new()
            .mount::<Mirror>("/mirrors/{name}")
            .get("/own", async |request: Request, _| {
                let value = request.query_value("value").unwrap_or_default();
                Ok(Response::text(200, "answered").with_header("x-value", &value))
            })
            .get("/status", async |request: Request, _| {
                let status = request
                    .query_value("value")
                    .and_then(|value| value.parse().ok());
                Ok(Response::empty(status.unwrap_or(200)))
            }),
    );
    for value in INVALID {
        for path in ["/own", "/mirrors/a/answer"] {
            let request = Request::new("GET", path).with_query_value("value", value);
            assert_refused(&sim.fetch(request).await, value);
        }
    }
    for status in ["0", "42", "100", "101", "199", "600", "1000"] {
        let request = Request::new("GET", "/status").with_query_value("value", status);
        let response = sim.fetch(request).await;
        assert_eq!(response.status(), 500, "{status}");
    }
}
