//! Key-value storage and transactions.

use anchorhold::StorageError;
use conformance::{Listing, Step, StepResult};
use host_tests::Client;
use serde_json::{Value, json};

use crate::case::Case;

/// The maximum size of key and value together, in bytes.
const MAX_ENTRY: usize = 2 * 1024 * 1024;
/// The length of MessagePack's header for a text over 65,535 bytes.
const TEXT_HEADER: usize = 5;

pub const CASES: &[Case] = &[
    Case::together("a key has up to 2,048 bytes", "P38", keys)
        .remark("P38's limit of values is that of KV-backed objects; ours are SQLite-backed: P39"),
    Case::together("key and value have up to 2 MiB", "P39", entries)
        .remark("the limit of 10 GB an object is not filled up here"),
    Case::together("up to 128 keys in one operation", "P40", many_keys),
    Case::together(
        "a multi-get sorts by UTF-8 and leaves missing keys out",
        "P41",
        multi_get,
    ),
    Case::together(
        "nothing is a value, and is not a missing key",
        "P42",
        nothing,
    )
    .remark("Rust has no `undefined` to refuse"),
    Case::together("bounds, order and limit of a listing", "P43", listing),
    Case::together(
        "contradictory listings are refused",
        "P43",
        refused_listings,
    ),
    Case::together("deleteAll leaves nothing", "P44", delete_all)
        .remark("its part about the alarm: see `deleteAll deletes the alarm`"),
    Case::together(
        "a failed transaction leaves nothing and resets nothing",
        "P45 P46 P47",
        transactions,
    ),
    Case::together("transactions nest", "P45 P47", nested_transactions),
    Case::together(
        "stored fields and internal keys are protected",
        "",
        protected_keys,
    ),
];

pub fn run(client: &Client, object: &str, script: &[Step]) -> Vec<StepResult> {
    client
        .post(&format!("/storage/{object}/run"), script)
        .json()
}

/// Returns the results of a script that must succeed.
#[track_caller]
pub fn run_well(client: &Client, object: &str, script: &[Step]) -> Vec<Value> {
    run(client, object, script)
        .into_iter()
        .map(|result| result.expect("the step succeeds"))
        .collect()
}

fn get(key: &str) -> Step {
    Step::Get {
        key: key.to_owned(),
    }
}

fn put(key: &str, value: impl Into<Value>) -> Step {
    Step::Put {
        key: key.to_owned(),
        value: value.into(),
    }
}

fn all() -> Step {
    Step::List(Listing::default())
}

fn is_limit(result: &StepResult) -> bool {
    matches!(result, Err(StorageError::Limit(_)))
}

fn is_usage(result: &StepResult) -> bool {
    matches!(result, Err(StorageError::Usage(_)))
}

fn keys(client: &Client) {
    let longest = "k".repeat(2_048);
    // The limit counts bytes, not characters.
    let multibyte = "ü".repeat(1_025);
    let results = run(
        client,
        "keys",
        &[
            put(&longest, 1),
            get(&longest),
            put(&format!("{longest}k"), 1),
            get(&format!("{longest}k")),
            put(&multibyte, 1),
            put("", 1),
        ],
    );
    assert_eq!(results[1], Ok(json!(1)));
    assert!(is_limit(&results[2]), "{:?}", results[2]);
    assert!(is_limit(&results[3]), "{:?}", results[3]);
    assert!(is_limit(&results[4]), "{:?}", results[4]);
    assert!(is_usage(&results[5]), "{:?}", results[5]);
}

fn entries(client: &Client) {
    let largest = MAX_ENTRY - "k".len() - TEXT_HEADER;
    let put = |bytes| Step::PutText {
        key: "k".to_owned(),
        bytes,
    };
    let results = run(
        client,
        "entries",
        &[put(largest), put(largest + 1), get("k")],
    );
    assert_eq!(results[0], Ok(Value::Null));
    assert!(is_limit(&results[1]), "{:?}", results[1]);
    let kept = results[2]
        .as_ref()
        .expect("the first value is there")
        .as_str()
        .map(str::len);
    assert_eq!(kept, Some(largest));
}

fn many_keys(client: &Client) {
    let keys = |count: usize| {
        (0..count)
            .map(|number| format!("{number:03}"))
            .collect::<Vec<_>>()
    };
    let entries = |count| keys(count).into_iter().map(|key| (key, json!(1))).collect();
    let results = run(
        client,
        "many-keys",
        &[
            Step::PutMany {
                entries: entries(129),
            },
            all(),
            Step::PutMany {
                entries: entries(128),
            },
            Step::GetMany { keys: keys(129) },
            Step::GetMany { keys: keys(128) },
            Step::DeleteMany { keys: keys(129) },
            Step::DeleteMany { keys: keys(128) },
            all(),
        ],
    );
    for over in [0, 3, 5] {
        assert!(is_limit(&results[over]), "step {over}: {:?}", results[over]);
    }
    assert_eq!(results[1], Ok(json!([])), "a refused put writes nothing");
    assert_eq!(
        results[4]
            .as_ref()
            .ok()
            .and_then(Value::as_array)
            .map(Vec::len),
        Some(128)
    );
    assert_eq!(results[6], Ok(json!(128)));
    assert_eq!(results[7], Ok(json!([])));
}

fn multi_get(client: &Client) {
    // In UTF-16 the last of these sorts before the previous one.
    let sorted = ["A", "a", "ä", "\u{ffff}", "\u{10000}"];
    let results = run_well(
        client,
        "multi-get",
        &[
            Step::PutMany {
                entries: sorted
                    .iter()
                    .rev()
                    .map(|key| ((*key).to_owned(), json!(1)))
                    .collect(),
            },
            Step::GetMany {
                keys: ["\u{10000}", "missing", "ä", "\u{ffff}", "A", "a", "a"]
                    .map(str::to_owned)
                    .to_vec(),
            },
            all(),
        ],
    );
    let found = sorted.map(|key| json!([key, 1]));
    assert_eq!(results[1], json!(found));
    assert_eq!(results[2], json!(sorted), "a listing has the same order");
}

fn nothing(client: &Client) {
    let results = run_well(
        client,
        "nothing",
        &[
            put("k", Value::Null),
            all(),
            Step::Delete {
                key: "k".to_owned(),
            },
            all(),
        ],
    );
    assert_eq!(results[1], json!(["k"]));
    assert_eq!(results[2], json!(true));
    assert_eq!(results[3], json!([]));
}

fn listing(client: &Client) {
    let key = |key: &str| Some(key.to_owned());
    let listings = [
        (Listing::default(), json!(["a", "b", "b/1", "b/2", "c"])),
        (
            Listing {
                start: key("b"),
                end: key("c"),
                ..Listing::default()
            },
            json!(["b", "b/1", "b/2"]),
        ),
        (
            Listing {
                start_after: key("b"),
                ..Listing::default()
            },
            json!(["b/1", "b/2", "c"]),
        ),
        (
            Listing {
                prefix: key("b/"),
                ..Listing::default()
            },
            json!(["b/1", "b/2"]),
        ),
        (
            Listing {
                limit: Some(2),
                ..Listing::default()
            },
            json!(["a", "b"]),
        ),
        (
            Listing {
                reverse: true,
                limit: Some(2),
                ..Listing::default()
            },
            json!(["c", "b/2"]),
        ),
        (
            Listing {
                reverse: true,
                start: key("b"),
                end: key("c"),
                ..Listing::default()
            },
            json!(["b/2", "b/1", "b"]),
        ),
        (
            Listing {
                start: key("b/2"),
                prefix: key("b"),
                ..Listing::default()
            },
            json!(["b/2"]),
        ),
        (
            Listing {
                start: key("d"),
                ..Listing::default()
            },
            json!([]),
        ),
        (
            Listing {
                start: key("c"),
                end: key("a"),
                ..Listing::default()
            },
            json!([]),
        ),
    ];
    let mut script = vec![Step::PutMany {
        entries: ["c", "b/2", "a", "b", "b/1"]
            .map(|key| (key.to_owned(), json!(1)))
            .to_vec(),
    }];
    script.extend(
        listings
            .iter()
            .map(|(listing, _)| Step::List(listing.clone())),
    );
    let results = run_well(client, "listing", &script);
    for (result, (listing, expected)) in results[1..].iter().zip(&listings) {
        assert_eq!(result, expected, "{listing:?}");
    }
}

fn refused_listings(client: &Client) {
    let key = || Some("k".to_owned());
    let results = run(
        client,
        "refused-listings",
        &[
            Step::List(Listing {
                start: key(),
                start_after: key(),
                ..Listing::default()
            }),
            Step::List(Listing {
                limit: Some(0),
                ..Listing::default()
            }),
        ],
    );
    for result in &results {
        assert!(is_usage(result), "{result:?}");
    }
}

fn delete_all(client: &Client) {
    let object = client.at("/storage/delete-all");
    let count = || sql("SELECT count(*) FROM migrated");
    object.put("/field", json!({ "value": 5 })).done();
    run_well(
        client,
        "delete-all",
        &[
            put("k", 1),
            sql("CREATE TABLE t (x)"),
            sql("INSERT INTO t VALUES (1)"),
        ],
    );
    let refused = run(
        client,
        "delete-all",
        &[Step::Transaction {
            steps: vec![Step::DeleteAll],
            keep: true,
        }],
    );
    let inside = refused[0]
        .as_ref()
        .expect("the transaction itself succeeds");
    assert!(
        inside[0].get("Err").is_some(),
        "deleteAll inside a transaction: {inside}"
    );
    assert_eq!(object.get("/field").json::<i64>(), 5);

    run_well(client, "delete-all", &[Step::DeleteAll]);
    assert_eq!(object.get("/field").json::<i64>(), 0);
    let after = run(
        client,
        "delete-all",
        &[all(), sql("SELECT * FROM t"), count()],
    );
    assert_eq!(after[0], Ok(json!([])));
    assert!(
        matches!(after[1], Err(StorageError::Sql(_))),
        "the table is gone: {:?}",
        after[1]
    );
    assert_eq!(after[2], Ok(json!([[1]])), "the migrations have run anew");
    object.put("/field", json!({ "value": 6 })).done();
    assert_eq!(object.get("/field").json::<i64>(), 6);
}

fn sql(statement: &str) -> Step {
    Step::Sql {
        statement: statement.to_owned(),
        parameters: Vec::new(),
    }
}

fn transactions(client: &Client) {
    let transaction = |keep| Step::Transaction {
        steps: vec![put("k", 2), sql("INSERT INTO t VALUES (2)"), get("k")],
        keep,
    };
    let results = run(
        client,
        "transactions",
        &[
            sql("CREATE TABLE t (x)"),
            put("k", 1),
            transaction(false),
            get("k"),
            sql("SELECT count(*) FROM t"),
            transaction(true),
            get("k"),
            sql("SELECT count(*) FROM t"),
        ],
    );
    assert_eq!(
        results[2],
        Err(StorageError::Usage("rolled back".to_owned()))
    );
    assert_eq!(results[3], Ok(json!(1)));
    assert_eq!(results[4], Ok(json!([[0]])));
    assert_eq!(
        results[5].as_ref().expect("kept")[2],
        json!({ "Ok": 2 }),
        "it reads its own writes"
    );
    assert_eq!(results[6], Ok(json!(2)));
    assert_eq!(results[7], Ok(json!([[1]])));
}

fn nested_transactions(client: &Client) {
    let nested = |outer, inner| Step::Transaction {
        steps: vec![
            put("outer", 1),
            Step::Transaction {
                steps: vec![put("inner", 1)],
                keep: inner,
            },
        ],
        keep: outer,
    };
    let clear = || Step::DeleteMany {
        keys: vec!["outer".to_owned(), "inner".to_owned()],
    };
    let results = run(
        client,
        "nested",
        &[
            nested(true, false),
            all(),
            clear(),
            nested(false, true),
            all(),
            nested(true, true),
            all(),
        ],
    );
    assert_eq!(results[1], Ok(json!(["outer"])));
    assert_eq!(results[4], Ok(json!([])));
    assert_eq!(results[6], Ok(json!(["inner", "outer"])));
}

fn protected_keys(client: &Client) {
    let results = run(
        client,
        "protected",
        &[
            put("field", 1),
            Step::Delete {
                key: "field".to_owned(),
            },
            put("__anchorhold/migrations", 0),
            all(),
        ],
    );
    for result in &results[..3] {
        assert!(is_usage(result), "{result:?}");
    }
    assert_eq!(results[3], Ok(json!([])), "internal keys are not listed");
}
