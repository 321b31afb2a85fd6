//! The restrictions of users, stored in SQL.

use anchorhold::{Error, Sql, StorageError, Timestamp};

use super::protocol::{Restriction, Standing};

pub(super) const CREATE: &str = "
    CREATE TABLE standing (
        user TEXT PRIMARY KEY,
        restriction TEXT NOT NULL,
        until INTEGER,
        reason TEXT NOT NULL
    ) WITHOUT ROWID";

/// The maximum number of restricted users of one room. A longer list is the work of a program, and
/// names that clients choose freely cannot be listed exhaustively.
const MAX_STANDINGS: u64 = 10_000;

pub(super) struct Standings {
    sql: Sql,
    now: Timestamp,
}

impl Standings {
    pub(super) fn new(sql: Sql, now: Timestamp) -> Self {
        Self { sql, now }
    }

    /// Returns the decision that applies to a user now.
    pub(super) fn of(&self, user: &str) -> Result<Option<Standing>, StorageError> {
        self.sql.query_first(
            "SELECT user, restriction, until, reason FROM standing
                WHERE user = ? AND (until IS NULL OR until > ?)",
            (user, self.now),
        )
    }

    /// Refuses a banned user.
    pub(super) fn check_not_banned(&self, user: &str) -> Result<Option<Restriction>, Error> {
        match self.of(user)? {
            Some(standing) if standing.restriction == Restriction::Banned => Err(Error::new(
                403,
                "banned",
                told("you are banned from this room", &standing),
            )),
            standing => Ok(standing.map(|standing| standing.restriction)),
        }
    }

    /// Refuses a user who may not post.
    pub(super) fn check_may_post(&self, user: &str) -> Result<(), Error> {
        match self.check_not_banned(user)? {
            Some(_) => Err(read_only()),
            None => Ok(()),
        }
    }

    pub(super) fn set(&self, standing: &Standing) -> Result<(), Error> {
        self.sql
            .execute("DELETE FROM standing WHERE until <= ?", (self.now,))?;
        let others: Option<u64> = self.sql.query_first(
            "SELECT COUNT(*) FROM standing WHERE user <> ?",
            (&standing.user,),
        )?;
        if others >= Some(MAX_STANDINGS) {
            return Err(Error::conflict(
                "too_many_standings",
                format!("{MAX_STANDINGS} users of this room are restricted, which is the limit"),
            ));
        }
        let restriction = match standing.restriction {
            Restriction::Banned => "banned",
            Restriction::Muted => "muted",
        };
        self.sql.execute(
            "INSERT OR REPLACE INTO standing (user, restriction, until, reason) VALUES (?, ?, ?, ?)",
            (
                &standing.user,
                restriction,
                standing.until,
                &standing.reason,
            ),
        )?;
        Ok(())
    }

    pub(super) fn lift(&self, user: &str) -> Result<bool, StorageError> {
        let was = self.of(user)?.is_some();
        self.sql
            .execute("DELETE FROM standing WHERE user = ?", (user,))?;
        Ok(was)
    }

    pub(super) fn all(&self) -> Result<Vec<Standing>, StorageError> {
        self.sql.query(
            "SELECT user, restriction, until, reason FROM standing
                WHERE until IS NULL OR until > ? ORDER BY user",
            (self.now,),
        )
    }
}

pub(super) fn read_only() -> Error {
    Error::new(403, "read_only", "you can only read in this room")
}

fn told(what: &str, standing: &Standing) -> String {
    if standing.reason.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {}", standing.reason)
    }
}
