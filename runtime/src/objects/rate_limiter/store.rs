//! The storage of usages and listings: one row each, with its expiry.

use serde::Deserialize;

use super::policy::Policy;
use super::request::{List, Listing, MAX_LIMITS_PER_KEY};
use super::usage::Usage;
use crate::{Error, Sql, StorageError, Timestamp};

/// The tables, for the object's migrations. Both are indexed by their expiry, for the sweep.
pub(super) const TABLES: &str = "
    CREATE TABLE usage (
        key TEXT NOT NULL, counter TEXT NOT NULL, usage TEXT NOT NULL, expires INTEGER NOT NULL,
        PRIMARY KEY (key, counter)
    ) WITHOUT ROWID;
    CREATE INDEX usage_expires ON usage (expires);
    CREATE TABLE listing (key TEXT PRIMARY KEY, list TEXT NOT NULL, expires INTEGER) WITHOUT ROWID;
    CREATE INDEX listing_expires ON listing (expires) WHERE expires IS NOT NULL";

/// The maximum number of rows that one sweep deletes. It takes a few milliseconds, in which the
/// object answers no call.
const SWEPT_AT_ONCE: u32 = 1_000;

/// A usage to be stored after a decision.
pub(super) struct Change<'a> {
    pub(super) key: &'a str,
    pub(super) counter: &'a str,
    pub(super) usage: Usage,
    pub(super) policy: Policy,
    /// Nothing was stored for it.
    pub(super) is_new: bool,
}

pub(super) struct Store(pub(super) Sql);

#[derive(Deserialize)]
struct Row {
    usage: Option<String>,
    list: Option<String>,
    listed_until: Option<Timestamp>,
}

impl Store {
    /// Returns the usage of a key under one counter, and its listing.
    pub(super) fn read(
        &self,
        key: &str,
        counter: &str,
        now: Timestamp,
    ) -> Result<(Usage, Option<Listing>), Error> {
        let row: Option<Row> = self.0.query_first(
            "SELECT usage.usage, listing.list, listing.expires AS listed_until FROM (SELECT 1)
                LEFT JOIN usage ON usage.key = ? AND usage.counter = ?
                LEFT JOIN listing ON listing.key = ? AND (listing.expires IS NULL OR listing.expires > ?)",
            (key, counter, key, now),
        )?;
        let Some(row) = row else {
            return Ok((Usage::None, None));
        };
        let usage = match row.usage {
            Some(text) => serde_json::from_str(&text).map_err(|error| {
                Error::internal(format!("the usage of `{key}` cannot be read: {error}"))
            })?,
            None => Usage::None,
        };
        let listing = row.list.map(|list| Listing {
            key: key.to_owned(),
            list: if list == "allow" {
                List::Allow
            } else {
                List::Deny
            },
            until: row.listed_until,
        });
        Ok((usage, listing))
    }

    /// Stores a usage. Returns its expiry, or `None` if it equals no usage and is not stored.
    pub(super) fn write(
        &self,
        change: &Change<'_>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let Change {
            key,
            counter,
            usage,
            policy,
            is_new,
        } = change;
        let Some(expires) = usage.expires(policy) else {
            self.0.execute(
                "DELETE FROM usage WHERE key = ? AND counter = ?",
                (*key, *counter),
            )?;
            return Ok(None);
        };
        if *is_new {
            self.check_room(key, counter, now)?;
        }
        let text = serde_json::to_string(usage)
            .map_err(|error| Error::internal(format!("a usage cannot be written: {error}")))?;
        self.0.execute(
            "INSERT INTO usage (key, counter, usage, expires) VALUES (?, ?, ?, ?)
                ON CONFLICT (key, counter) DO UPDATE SET usage = excluded.usage, expires = excluded.expires",
            (*key, *counter, text, expires),
        )?;
        Ok(Some(expires))
    }

    /// Clients may choose the limits, and each one is a row. An expired row of the same limit is
    /// replaced.
    fn check_room(&self, key: &str, counter: &str, now: Timestamp) -> Result<(), Error> {
        let counted: Option<u64> = self.0.query_first(
            "SELECT count(*) FROM usage WHERE key = ? AND counter <> ? AND expires > ?",
            (key, counter, now),
        )?;
        if counted.unwrap_or(0) < MAX_LIMITS_PER_KEY {
            return Ok(());
        }
        Err(Error::conflict(
            "too_many_limits",
            format!(
                "`key` is counted under {MAX_LIMITS_PER_KEY} limits, which is the most; use fewer limits, or wait until one is unused"
            ),
        ))
    }

    pub(super) fn forget(&self, key: &str) -> Result<(), StorageError> {
        self.0
            .execute("DELETE FROM usage WHERE key = ?", (key,))
            .map(|_| ())
    }

    pub(super) fn put_listing(&self, listing: &Listing) -> Result<(), StorageError> {
        let list = match listing.list {
            List::Allow => "allow",
            List::Deny => "deny",
        };
        self.0
            .execute(
                "INSERT OR REPLACE INTO listing (key, list, expires) VALUES (?, ?, ?)",
                (&listing.key, list, listing.until),
            )
            .map(|_| ())
    }

    pub(super) fn remove_listing(&self, key: &str, now: Timestamp) -> Result<bool, StorageError> {
        let removed: Option<Option<Timestamp>> = self.0.query_first(
            "DELETE FROM listing WHERE key = ? RETURNING expires",
            (key,),
        )?;
        Ok(removed.is_some_and(|expires| expires.is_none_or(|expires| expires > now)))
    }

    /// Returns the active listings after a key, in the order of their keys.
    pub(super) fn listings(
        &self,
        after: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Listing>, StorageError> {
        self.0.query(
            "SELECT key, list, expires AS until FROM listing
                WHERE key > ? AND (expires IS NULL OR expires > ?) ORDER BY key LIMIT ?",
            (after, now, limit),
        )
    }

    pub(super) fn count(&self) -> Result<u64, StorageError> {
        Ok(self
            .0
            .query_first("SELECT count(*) FROM usage", ())?
            .unwrap_or(0))
    }

    /// Deletes a part of the expired rows. Returns the next expiry of the others, or `None` if
    /// there is none.
    pub(super) fn sweep(&self, now: Timestamp) -> Result<Option<Timestamp>, StorageError> {
        self.0.execute(
            "DELETE FROM usage WHERE (key, counter) IN
                (SELECT key, counter FROM usage WHERE expires <= ? ORDER BY expires LIMIT ?)",
            (now, SWEPT_AT_ONCE),
        )?;
        self.0.execute(
            "DELETE FROM listing WHERE key IN
                (SELECT key FROM listing WHERE expires <= ? ORDER BY expires LIMIT ?)",
            (now, SWEPT_AT_ONCE),
        )?;
        let next: Option<Option<Timestamp>> = self.0.query_first(
            "SELECT min(expires) FROM
                (SELECT min(expires) AS expires FROM usage UNION ALL SELECT min(expires) FROM listing)",
            (),
        )?;
        Ok(next.flatten())
    }
}
