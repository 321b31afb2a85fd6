//! Determines the nesting depth of an encoded value without recursion.
//!
//! The decoder's own limit does not count the variants of enums: decoding a recursive enum could
//! overflow the stack, which ends the process. The encoder has no limit at all, and a value that is
//! too deep to be decoded must not be stored.

use rmp::Marker;

/// The maximum nesting depth. It is that of `serde_json`, so that JSON and MessagePack refuse the
/// same values.
pub(super) const MAX_DEPTH: usize = 128;

/// Returns `true` if the value at the front of `bytes` nests deeper than the decoder allows.
/// Invalid bytes are left to the decoder.
pub(super) fn is_too_deep(mut bytes: &[u8]) -> bool {
    // Each level takes at least one byte.
    if bytes.len() < MAX_DEPTH {
        return false;
    }
    // The number of remaining values in each open container.
    let mut open: Vec<u64> = Vec::new();
    while let Some((part, rest)) = next_part(bytes) {
        bytes = rest;
        if let Part::Container { entries } = part {
            if open.len() + 1 >= MAX_DEPTH {
                return true;
            }
            if entries > 0 {
                open.push(entries);
                continue;
            }
        }
        while let Some(left) = open.last_mut() {
            *left -= 1;
            if *left > 0 {
                break;
            }
            open.pop();
        }
        if open.is_empty() {
            return false;
        }
    }
    false
}

enum Part {
    Plain,
    Container { entries: u64 },
}

/// Returns the value or the head of a container at the front of `bytes`, and the remaining bytes.
/// Returns `None` if the bytes end within it.
fn next_part(bytes: &[u8]) -> Option<(Part, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let container = |entries| Part::Container { entries };
    let (length, rest) = match Marker::from_u8(first) {
        Marker::FixArray(entries) => return Some((container(entries.into()), rest)),
        Marker::FixMap(pairs) => return Some((container(2 * u64::from(pairs)), rest)),
        Marker::Array16 => {
            return number(rest, 2).map(|(entries, rest)| (container(entries), rest));
        }
        Marker::Array32 => {
            return number(rest, 4).map(|(entries, rest)| (container(entries), rest));
        }
        Marker::Map16 => return number(rest, 2).map(|(pairs, rest)| (container(2 * pairs), rest)),
        Marker::Map32 => return number(rest, 4).map(|(pairs, rest)| (container(2 * pairs), rest)),
        Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => {
            (0, rest)
        }
        Marker::U8 | Marker::I8 => (1, rest),
        Marker::U16 | Marker::I16 => (2, rest),
        Marker::U32 | Marker::I32 | Marker::F32 => (4, rest),
        Marker::U64 | Marker::I64 | Marker::F64 => (8, rest),
        Marker::FixStr(length) => (length.into(), rest),
        Marker::Str8 | Marker::Bin8 => number(rest, 1)?,
        Marker::Str16 | Marker::Bin16 => number(rest, 2)?,
        Marker::Str32 | Marker::Bin32 => number(rest, 4)?,
        // An extension has one byte for its type.
        Marker::FixExt1 => (2, rest),
        Marker::FixExt2 => (3, rest),
        Marker::FixExt4 => (5, rest),
        Marker::FixExt8 => (9, rest),
        Marker::FixExt16 => (17, rest),
        Marker::Ext8 => number(rest, 1).map(|(length, rest)| (length + 1, rest))?,
        Marker::Ext16 => number(rest, 2).map(|(length, rest)| (length + 1, rest))?,
        Marker::Ext32 => number(rest, 4).map(|(length, rest)| (length + 1, rest))?,
        Marker::Reserved => return None,
    };
    let rest = rest.get(usize::try_from(length).ok()?..)?;
    Some((Part::Plain, rest))
}

/// Reads a big-endian length of `width` bytes.
fn number(bytes: &[u8], width: usize) -> Option<(u64, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(width)?;
    let number = digits
        .iter()
        .fold(0, |number, digit| number << 8 | u64::from(*digit));
    Some((number, rest))
}
