//! SQL's mathematical functions. The bundled SQLite is built without them.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_INNOCUOUS);

type Unary = fn(f64) -> f64;
type Binary = fn(f64, f64) -> f64;

const UNARY: &[(&str, Unary)] = &[
    ("acos", f64::acos),
    ("acosh", f64::acosh),
    ("asin", f64::asin),
    ("asinh", f64::asinh),
    ("atan", f64::atan),
    ("atanh", f64::atanh),
    ("ceil", f64::ceil),
    ("cos", f64::cos),
    ("cosh", f64::cosh),
    ("degrees", f64::to_degrees),
    ("exp", f64::exp),
    ("floor", f64::floor),
    ("ln", f64::ln),
    ("log", f64::log10),
    ("log2", f64::log2),
    ("radians", f64::to_radians),
    ("sin", f64::sin),
    ("sinh", f64::sinh),
    ("sqrt", f64::sqrt),
    ("tan", f64::tan),
    ("tanh", f64::tanh),
    ("trunc", f64::trunc),
];

const BINARY: &[(&str, Binary)] = &[
    ("atan2", f64::atan2),
    ("log", |base, value| value.ln() / base.ln()),
    ("mod", |dividend, divisor| dividend % divisor),
    ("pow", f64::powf),
];

pub(super) fn register(connection: &Connection) -> Result<()> {
    for &(name, function) in UNARY {
        connection.create_scalar_function(name, 1, FLAGS, move |context| {
            Ok(number(context, 0).map(function).and_then(defined))
        })?;
    }
    for &(name, function) in BINARY {
        connection.create_scalar_function(name, 2, FLAGS, move |context| {
            let operands = number(context, 0).zip(number(context, 1));
            Ok(operands
                .map(|(first, second)| function(first, second))
                .and_then(defined))
        })?;
    }
    connection.create_scalar_function("pi", 0, FLAGS, |_| Ok(std::f64::consts::PI))
}

/// Converts an operand. A value that is not a number, and does not read as one, makes the result
/// null.
#[expect(clippy::cast_precision_loss, reason = "as SQLite's own functions do")]
fn number(context: &Context<'_>, index: usize) -> Option<f64> {
    match context.get_raw(index) {
        ValueRef::Integer(integer) => Some(integer as f64),
        ValueRef::Real(real) => Some(real),
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// Converts "not a number" to null, because SQL has no such value.
fn defined(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}
