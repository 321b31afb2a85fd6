//! Values at limits, and values that encodings handle wrongly.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// Texts with characters that are special somewhere: empty, a byte order mark, two that UTF-16 and
/// UTF-8 sort differently, quotes.
const TEXTS: [&str; 14] = [
    "",
    "text",
    "0",
    "null",
    "\"quoted\"\\",
    "line\r\nbreak\ttab",
    "\0zero\0",
    "\u{feff}mark",
    "\u{7f}\u{80}",
    "e\u{301} and \u{e9}",
    "\u{ffff}",
    "\u{10000}\u{10ffff}",
    "\u{202e}right to left",
    "fence",
];

pub fn text() -> BoxedStrategy<String> {
    static LONG: LazyLock<Vec<String>> = LazyLock::new(|| {
        vec![
            "x".repeat(1_025),
            "\u{e9}".repeat(2_000),
            "\u{10ffff}".repeat(500),
        ]
    });
    prop_oneof![
        12 => select(TEXTS.as_slice()).prop_map(str::to_owned),
        1 => select(LONG.as_slice()),
    ]
    .boxed()
}

/// Returns keys of storage: ordinary ones, those at the limit of 2,048 bytes, reserved ones, odd
/// ones.
pub fn key() -> BoxedStrategy<String> {
    static LONG: LazyLock<Vec<String>> = LazyLock::new(|| {
        let long = [
            "k".repeat(2_047),
            "\u{e9}".repeat(1_024),
            "\u{10000}".repeat(512),
        ];
        let short = ["k".repeat(2_048), "k".repeat(2_049)];
        long.into_iter().chain(short).collect()
    });
    prop_oneof![
        6 => select(["k", "k/1", "k/2", "l", "K"].as_slice()).prop_map(str::to_owned),
        2 => select(TEXTS.as_slice()).prop_map(str::to_owned),
        1 => select(LONG.as_slice()),
        1 => select(["number", "map/k", "log", "__anchorhold/x", "__anchorhold", "_cf_KV"].as_slice())
            .prop_map(str::to_owned),
    ]
    .boxed()
}

/// Returns numbers at the limits of the types on the way.
fn number() -> BoxedStrategy<Value> {
    let limits = vec![
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(9_007_199_254_740_991_i64),
        json!(9_007_199_254_740_993_i64),
        json!(-9_007_199_254_740_993_i64),
        json!(4_294_967_296_i64),
        json!(2_147_483_648_i64),
        json!(0.1),
        json!(-0.0),
        json!(1.0),
        json!(1e300),
        json!(f64::MAX),
        json!(5e-324),
        json!(1e15),
        json!(123_456_789.125),
    ];
    select(limits).boxed()
}

pub fn integer() -> BoxedStrategy<i64> {
    select(
        [
            0,
            1,
            -1,
            7,
            i64::MIN,
            i64::MAX,
            1 << 53,
            (1 << 53) + 1,
            -(1 << 53) - 1,
        ]
        .as_slice(),
    )
    .boxed()
}

pub fn real() -> BoxedStrategy<f64> {
    select(
        [
            0.0,
            -0.0,
            1.0,
            0.1,
            1e300,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            9e15,
        ]
        .as_slice(),
    )
    .boxed()
}

/// Returns any value that JSON has.
pub fn value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number(),
        text().prop_map(Value::String),
        select([40, 100].as_slice()).prop_map(nested),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
    .boxed()
}

/// Returns nested arrays.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!("innermost"), |inner, _| json!([inner]))
}

/// Returns possible parameters of a statement. An array represents bytes.
pub fn parameter() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Null),
        number(),
        text().prop_map(Value::String),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| json!(bytes)),
        select([1, 2, 3, 13].as_slice()).prop_map(|number| json!(number)),
    ]
    .boxed()
}
