//! Options of a listing of entries.

use crate::error::StorageError;
use crate::limits::{INTERNAL_END, INTERNAL_PREFIX};

/// Selects the entries that [`Storage::list`](crate::Storage::list) returns.
///
/// ```
/// use anchorhold::List;
/// let newest_ten = List::all().prefix("message/").reverse().limit(10);
/// ```
#[derive(Clone, Debug, Default)]
pub struct List {
    start: Option<String>,
    start_after: Option<String>,
    end: Option<String>,
    prefix: Option<String>,
    reverse: bool,
    limit: Option<usize>,
}

impl List {
    /// Selects every entry.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }
    /// Starts at this key, inclusive.
    #[must_use]
    pub fn start(mut self, key: impl Into<String>) -> Self {
        self.start = Some(key.into());
        self
    }
    /// Starts after this key. Cannot be combined with [`start`](Self::start).
    #[must_use]
    pub fn start_after(mut self, key: impl Into<String>) -> Self {
        self.start_after = Some(key.into());
        self
    }
    /// Ends before this key.
    #[must_use]
    pub fn end(mut self, key: impl Into<String>) -> Self {
        self.end = Some(key.into());
        self
    }
    /// Selects the keys that start with this prefix.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }
    /// Lists from the last key to the first. `start` and `end` keep their meanings.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }
    /// Limits the number of entries. Zero is an error.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(super) fn range(&self) -> Result<ListRange, StorageError> {
        if self.start.is_some() && self.start_after.is_some() {
            return Err(StorageError::Usage(
                "list: `start` and `start_after` cannot be combined".to_owned(),
            ));
        }
        if self.limit == Some(0) {
            return Err(StorageError::Usage(
                "list: `limit` is 0; must be at least 1".to_owned(),
            ));
        }
        // The smallest key after K is K with a zero byte.
        let start = self
            .start
            .clone()
            .or_else(|| self.start_after.as_ref().map(|key| format!("{key}\0")));
        Ok(ListRange {
            start,
            end: self.end.clone(),
            prefix: self.prefix.clone(),
            reverse: self.reverse,
            limit: self.limit,
        })
    }
}

/// A validated range, in the form that the hosts take.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListRange {
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) reverse: bool,
    pub(crate) limit: Option<usize>,
}

/// Splits a range into the parts before and after the runtime's own entries, which are contiguous
/// in the key space. The parts are in the order in which they are read.
pub(super) fn around_internal(range: ListRange) -> Vec<ListRange> {
    let prefix = range.prefix.as_deref().unwrap_or_default();
    if prefix.starts_with(INTERNAL_PREFIX) {
        return Vec::new();
    }
    if !INTERNAL_PREFIX.starts_with(prefix) {
        return vec![range];
    }
    let earlier = |end: &String| end.as_str() < INTERNAL_PREFIX;
    let later = |start: &String| start.as_str() > INTERNAL_END;
    let before = ListRange {
        end: range
            .end
            .clone()
            .filter(earlier)
            .or_else(|| Some(INTERNAL_PREFIX.to_owned())),
        ..range.clone()
    };
    let after = ListRange {
        start: range
            .start
            .clone()
            .filter(later)
            .or_else(|| Some(INTERNAL_END.to_owned())),
        ..range
    };
    let mut parts = vec![before, after];
    if parts[0].reverse {
        parts.reverse();
    }
    parts.retain(|part| match (&part.start, &part.end) {
        (Some(start), Some(end)) => start < end,
        _ => true,
    });
    parts
}

#[cfg(test)]
mod tests {
    use super::{List, around_internal};

    /// The bounds of the ranges that are read, as `start..end`.
    fn read(list: &List) -> Vec<String> {
        around_internal(list.range().expect("a range"))
            .iter()
            .map(|part| {
                assert_eq!(part.limit, list.limit, "no part is read without the limit");
                let bound = |key: &Option<String>| key.clone().unwrap_or_default();
                format!("{}..{}", bound(&part.start), bound(&part.end))
            })
            .collect()
    }

    #[test]
    fn list_reads_around_the_runtimes_own_entries_and_never_without_its_limit() {
        let all = List::all().limit(1);
        assert_eq!(read(&all), ["..__anchorhold/", "__anchorhold0.."]);
        assert_eq!(
            read(&all.clone().reverse()),
            ["__anchorhold0..", "..__anchorhold/"]
        );
        assert_eq!(read(&all.clone().start("a")), ["a.."]);
        assert_eq!(read(&all.clone().end("A")), ["..A"]);
        assert_eq!(
            read(&all.clone().start("A").end("b")),
            ["A..__anchorhold/", "__anchorhold0..b"]
        );
        assert_eq!(
            read(&all.clone().start("__anchorhold/x").end("__anchorhold/y")),
            Vec::<String>::new()
        );
        assert_eq!(read(&all.clone().prefix("message/")), [".."]);
        assert_eq!(
            read(&all.clone().prefix("__")),
            ["..__anchorhold/", "__anchorhold0.."]
        );
        assert_eq!(
            read(&all.prefix("__anchorhold/migrations")),
            Vec::<String>::new()
        );
    }
}
