//! Keys distributed over few objects, and waiting outside objects.

use anchorhold::shard_name;
use conformance::{Race, Reached, SHARDS};
use host_tests::Client;

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "a key of a sharded mount is always served by its own object",
        "",
        keys,
    ),
    Case::together("a request that is handed on whole keeps its key", "", raw),
    Case::together(
        "an app waits, and gives up a call that takes too long",
        "",
        races,
    ),
];

fn keys(client: &Client) {
    for (path, key) in [
        ("ann", "ann"),
        ("a%2Fb", "a/b"),
        ("%C3%BC%20", "ü "),
        ("0", "0"),
    ] {
        let reached: Reached = client.get(&format!("/shards/{path}/bound")).json();
        let expected = Reached {
            shard: Some(shard_name(key, SHARDS)),
            key: key.to_owned(),
        };
        assert_eq!(reached, expected);
    }
    for path in ["/shards", "/shards/", "/shards//bound", "/shards/ann"] {
        let _ = client.get(path).expect_status(404);
    }
}

fn raw(client: &Client) {
    let answer = client.send("POST", "/shards/a%2Fb/raw?c=d", &[], Some(b"body"));
    let reached: Reached = answer.expect("it answers").json();
    let expected = Reached {
        shard: Some(shard_name("a/b", SHARDS)),
        key: "a/b /a%2Fb/raw c=d".to_owned(),
    };
    assert_eq!(reached, expected);
}

fn races(client: &Client) {
    let race = |object: u64, app: u64| -> Race {
        client
            .get(&format!("/race?object_ms={object}&app_ms={app}"))
            .json()
    };
    assert!(race(1, 20_000).answered);
    let given_up = race(20_000, 200);
    assert!(!given_up.answered, "{given_up:?}");
    assert!((199..10_000).contains(&given_up.took_ms), "{given_up:?}");
    assert!(race(1, 20_000).answered, "the object is reached again");
}
