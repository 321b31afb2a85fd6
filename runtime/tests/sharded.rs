//! Mounts that spread keys over few objects.

use anchorhold::prelude::*;
use anchorhold::shard_name;
use serde::{Deserialize, Serialize};

/// Tells who was reached, and by which key.
#[durable_object]
struct Desk {}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Served {
    desk: Option<String>,
    key: String,
    topic: Option<String>,
}

#[durable_object]
impl Desk {
    #[rpc]
    #[get("/{key}")]
    fn serve(&self, ctx: &Ctx, key: String) -> Served {
        Served {
            desk: ctx.name(),
            key,
            topic: None,
        }
    }

    #[get("/{key}/topics/{topic}")]
    fn topic(&self, ctx: &Ctx, key: String, topic: String) -> Served {
        Served {
            desk: ctx.name(),
            key,
            topic: Some(topic),
        }
    }
}

async fn served(sim: &Sim, path: &str) -> Served {
    let response = sim.fetch(Request::new("GET", path)).await;
    assert_eq!(response.status(), 200, "{path}");
    response.read_json().unwrap()
}

#[anchorhold::test]
async fn a_key_is_always_served_by_its_own_object(sim: Sim) {
    sim.app(App::new().mount_sharded::<Desk>("/v1/desks/{key}", 5));
    for (path, key) in [
        ("ann", "ann"),
        ("a%2Fb", "a/b"),
        ("%C3%BC", "ü"),
        ("0", "0"),
    ] {
        let expected = Served {
            desk: Some(shard_name(key, 5)),
            key: key.to_owned(),
            topic: None,
        };
        assert_eq!(served(&sim, &format!("/v1/desks/{path}")).await, expected);
        assert_eq!(
            sim.objects::<Desk>()
                .sharded(key, 5)
                .serve(key.to_owned())
                .await
                .unwrap(),
            expected
        );
        let topic = served(&sim, &format!("/v1/desks/{path}/topics/t")).await;
        assert_eq!(
            topic,
            Served {
                topic: Some("t".to_owned()),
                ..expected
            }
        );
    }
    for path in [
        "/v1/desks",
        "/v1/desks/",
        "/v1/desks//topics/t",
        "/v1/desks/a/nothing",
    ] {
        assert_eq!(
            sim.fetch(Request::new("GET", path)).await.status(),
            404,
            "{path}"
        );
    }
}

#[anchorhold::test]
async fn a_guard_may_put_another_key_in_place(sim: Sim) {
    sim.app(
        App::new()
            .mount_sharded::<Desk>("/desks/{key}", 5)
            .guard(async |mut visit| {
                match visit.request.header("user") {
                    Some(user) => visit.name = format!("{user}/{}", visit.name),
                    None if visit.name == "mine" => return Err(Error::unauthorized("whose?")),
                    None => {}
                }
                Ok(visit)
            }),
    );
    let request = || Request::new("GET", "/desks/mine/topics/a%2Fb");
    assert_eq!(sim.fetch(request()).await.status(), 401);
    let answer = sim.fetch(request().with_header("user", "ann")).await;
    let expected = Served {
        desk: Some(shard_name("ann/mine", 5)),
        key: "ann/mine".to_owned(),
        topic: Some("a/b".to_owned()),
    };
    assert_eq!(answer.read_json::<Served>().unwrap(), expected);
    assert_eq!(served(&sim, "/desks/a%2Fb").await.key, "a/b");
}

#[anchorhold::test]
#[should_panic(expected = "there must be at least one object")]
async fn there_is_no_mount_over_no_objects(sim: Sim) {
    sim.app(App::new().mount_sharded::<Desk>("/desks/{key}", 0));
}
