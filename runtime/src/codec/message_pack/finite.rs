//! Finds floating-point numbers that JSON cannot represent: NaN and the infinities.

use rmp::Marker;

use super::nesting::{Part, next_part};

type ToJson = fn(&mut &[u8]) -> Result<Vec<u8>, String>;

/// Fails if the value at the front of `bytes` contains NaN or an infinity. The error names the
/// field. `key_as_json` shows a key of a map. The value must not nest too deeply.
pub(super) fn check(bytes: &[u8], key_as_json: ToJson) -> Result<(), String> {
    // Each part of a value is looked at once, and its path is only determined for the error.
    let mut rest = bytes;
    while let Some((part, after)) = next_part(rest) {
        if part == Part::Plain && number(rest).is_some_and(|number| !number.is_finite()) {
            let mut path = String::new();
            find(&mut &*bytes, &mut path, key_as_json);
            return Err(path);
        }
        rest = after;
    }
    Ok(())
}

/// Returns the floating-point number at the front of `bytes`.
fn number(bytes: &[u8]) -> Option<f64> {
    let (&marker, rest) = bytes.split_first()?;
    match Marker::from_u8(marker) {
        Marker::F32 => rest
            .first_chunk()
            .map(|bytes| f64::from(f32::from_be_bytes(*bytes))),
        Marker::F64 => rest.first_chunk().map(|bytes| f64::from_be_bytes(*bytes)),
        _ => None,
    }
}

/// Advances past one value. If a number in it is not finite, returns `true`, and `path` is the
/// error, which begins with the path of that number.
fn find(bytes: &mut &[u8], path: &mut String, key_as_json: ToJson) -> bool {
    let whole = *bytes;
    let Some((part, rest)) = next_part(whole) else {
        return false;
    };
    *bytes = rest;
    let Part::Container { entries } = part else {
        if let Some(number) = number(whole)
            && !number.is_finite()
        {
            let name = match number {
                f64::INFINITY => "infinity",
                f64::NEG_INFINITY => "negative infinity",
                _ => "NaN",
            };
            let field = std::mem::take(path);
            *path = match field.trim_start_matches('.') {
                "" => String::new(),
                field => format!("`{field}`: "),
            };
            path.push_str(name);
            path.push_str(" has no form in JSON");
            return true;
        }
        return false;
    };
    let is_map = matches!(
        Marker::from_u8(whole[0]),
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32
    );
    let length = path.len();
    for index in 0..if is_map { entries / 2 } else { entries } {
        if is_map {
            let key = *bytes;
            if find(bytes, path, key_as_json) {
                return true;
            }
            let key = key_as_json(&mut &key[..key.len() - bytes.len()]);
            let key = key.ok().and_then(|key| String::from_utf8(key).ok());
            path.push('.');
            path.push_str(key.as_deref().unwrap_or("?").trim_matches('"'));
        } else {
            path.push_str(&format!("[{index}]"));
        }
        if find(bytes, path, key_as_json) {
            return true;
        }
        path.truncate(length);
    }
    false
}
