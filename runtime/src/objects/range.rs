//! Range checks of fields in the objects' requests.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// Checks that the value of a field is in its range.
///
/// # Errors
/// The message contains the value and its range.
pub(super) fn in_range<N: PartialOrd + Display>(
    field: &str,
    value: N,
    range: RangeInclusive<N>,
) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(format!("`{field}` is {value}; must be {least} to {most}"))
}
