//! The section "In a product" of the counter's page.

use anchorhold::objects::Counter;
use anchorhold::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Like {
    /// A random identifier, which the client keeps until it has an answer.
    request_id: String,
}

fn app() -> App {
    App::new()
        .object::<Counter>()
        .get("/posts/{post}/likes", async |request: Request, env: Env| {
            let post = request.path_value("post").unwrap_or_default();
            let likes = env.objects::<Counter>().named(post).value().await?;
            Response::json(200, &likes)
        })
        .post(
            "/posts/{post}/likes",
            async |mut request: Request, env: Env| {
                let like: Like = request.json().await?;
                let post = request.path_value("post").unwrap_or_default();
                let counter = env.objects::<Counter>().named(post);
                let likes = counter.increment_once(1, &like.request_id).await?;
                Response::json(200, &likes)
            },
        )
}

#[anchorhold::test]
async fn clients_can_only_count_up_and_only_once(sim: Sim) {
    sim.app(app());
    let ask = async |method: &str, path: &str, body: &str| {
        let request = Request::new(method, path).with_body(body);
        sim.fetch(request).await
    };
    let like = r#"{"request_id": "7c9e6679"}"#;
    for _ in 0..3 {
        let answer = ask("POST", "/posts/p/likes", like).await;
        assert_eq!(
            (answer.status(), answer.read_json::<i64>().unwrap()),
            (200, 1)
        );
    }
    let answer = ask("POST", "/posts/p/likes", r#"{"request_id": "550e8400"}"#).await;
    assert_eq!(answer.read_json::<i64>().unwrap(), 2);
    for (path, body) in [
        ("/posts/p/likes/reset", ""),
        ("/counters/p/reset", ""),
        ("/posts/p/reset", ""),
    ] {
        assert_eq!(ask("POST", path, body).await.status(), 404);
    }
    let answer = ask("GET", "/posts/p/likes", "").await;
    assert_eq!(answer.read_json::<i64>().unwrap(), 2);
}
