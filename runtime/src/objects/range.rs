//! Ranges of what the objects' requests say.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// Whether the value of a field is in its range.
///
/// # Errors
/// What the value is, and what it may be.
pub(super) fn in_range<N: PartialOrd + Display>(
    field: &str,
    value: N,
    range: RangeInclusive<N>,
) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(format!(
        "`{field}` is {value}, and not from {least} to {most}"
    ))
}
