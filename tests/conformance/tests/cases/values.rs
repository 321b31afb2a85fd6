//! Values of types that JSON, a query string or JavaScript represents differently from Rust.

use host_tests::{Answer, Client};
use serde_json::{Value, json};

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "a value that is written as JSON is read from it",
        "",
        json_both_ways,
    ),
    Case::together(
        "an integer has up to 128 bits in a path and a query string",
        "",
        integers,
    ),
    Case::together(
        "a repeated name in a query string is a list, and an error for one value",
        "",
        queries,
    ),
    Case::together(
        "a number that JSON cannot represent is an error that names its field",
        "",
        numbers,
    ),
    Case::together("a boolean of SQL is read into a `bool`", "", booleans),
];

/// Sends a body that is JSON already.
fn send(client: &Client, method: &str, path: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/json")];
    let answer = client.send(method, path, &headers, Some(body.as_bytes()));
    answer.expect("the host answers")
}

fn json_both_ways(client: &Client) {
    let object = client.at("/values/json");
    // Compared as text: `serde_json` reads no integer beyond 64 bits without its type.
    let values = concat!(
        r#"{"large":340282366920938463463374607431768211455,"#,
        r#""small":-170141183460469231731687303715884105728,"#,
        r#""counts":{"18446744073709551615":"most"},"flags":{"false":-1,"true":1},"#,
        r#""levels":{"Low":0.5,"High":1e+300}}"#
    );
    let request = |method: &str, path: &str, body: &str| {
        let answer = send(&object, method, path, body);
        answer.expect_status(200).text()
    };
    assert_eq!(request("PUT", "/values", values), values);
    for path in ["/values", "/by-rpc"] {
        assert_eq!(object.get(path).expect_status(200).text(), values);
    }
    let named = concat!(
        r#"{"large":340282366920938463463374607431768211455,"#,
        r#""counts":{"18446744073709551615":"most"}}"#
    );
    let text = request("POST", "/named", named);
    assert!(text.starts_with(&named[..named.len() / 2]), "{text}");
    for (body, named) in [
        (json!({ "large": "x" }), "`large`"),
        (json!({ "counts": { "x": "y" } }), "`counts"),
        (json!({ "flags": { "yes": 1 } }), "`flags"),
    ] {
        let answer = object.put("/values", body).expect_status(400);
        assert!(answer.text().contains(named), "{}", answer.text());
    }
}

fn integers(client: &Client) {
    let object = client.at("/values/integers");
    let (large, small) = (u128::MAX, i128::MIN);
    let answer = object.get(&format!("/integers/{large}?small={small}"));
    assert_eq!(
        answer.expect_status(200).text(),
        format!("[{large},{small}]")
    );
    object.get("/integers/-1?small=0").expect_status(400);
}

fn queries(client: &Client) {
    let object = client.at("/values/queries");
    for (query, found) in [
        ("", json!([[], null, null, null])),
        ("tags=a", json!([["a"], null, null, null])),
        (
            "tags=a&on=1&tags=b&pages=7&pages=9&by=-1e3",
            json!([["a", "b"], [7, 9], true, -1000.0]),
        ),
        ("on=off", json!([[], null, false, null])),
    ] {
        let answer = object.get(&format!("/search?{query}")).expect_status(200);
        let search: Value = answer.json();
        let parts = ["tags", "pages", "on", "by"].map(|part| search[part].clone());
        assert_eq!(json!(parts), found, "{query}");
    }
    for (path, named) in [
        ("/search?on=1&on=0", "`on`"),
        ("/search?by=NaN", "`by`"),
        ("/search?pages=1&pages=x", "`pages"),
        ("/one?by=1&by=2", "`by`"),
        ("/one?by=inf", "`by`"),
        ("/one?by=1&on=yes", "`on`"),
    ] {
        let answer = object.get(path).expect_status(400);
        assert!(answer.text().contains(named), "{path}: {}", answer.text());
    }
    let answer = object.get("/one?by=1e3&on=0").expect_status(200);
    assert_eq!(answer.json::<Value>(), json!([1000.0, false]));
}

fn numbers(client: &Client) {
    let object = client.at("/values/numbers");
    object.post("/divide", json!({ "by": 2.0 })).done();
    let answer = object.post("/divide", json!({ "by": 0.0 }));
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert!(answer.text().contains("`ratio`"), "{}", answer.text());
    assert_eq!(object.get("/ratio").json::<f64>(), 0.5);
    for path in ["/quotient?by=0", "/response?by=0"] {
        let answer = object.get(path);
        assert_eq!(answer.status, 500, "{path}: {}", answer.text());
        assert!(answer.text().contains("quotient"), "{}", answer.text());
    }
    let answer = send(&object, "POST", "/divide", r#"{"by":1e999}"#);
    assert_eq!(answer.status, 400, "{}", answer.text());
}

fn booleans(client: &Client) {
    let answer = client.get("/values/booleans/booleans").expect_status(200);
    assert_eq!(
        answer.json::<Value>(),
        json!([[true, false, null], [true, false, true]])
    );
}
