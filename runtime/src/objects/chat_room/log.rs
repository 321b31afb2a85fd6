//! The history, stored in SQL.

use anchorhold::{Sql, Storage, StorageError, Timestamp};

use super::core::Retention;
use super::protocol::{History, Message};

/// The migration that creates the table, for your own object that embeds a [`MessageLog`].
pub const CREATE_MESSAGES: &str = "
    CREATE TABLE message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        user TEXT NOT NULL,
        text TEXT,
        at INTEGER NOT NULL,
        client_id TEXT,
        allowance_full_at INTEGER
    );
    CREATE UNIQUE INDEX message_by_client_id ON message (user, client_id)
        WHERE client_id IS NOT NULL;
    CREATE INDEX message_by_allowance ON message (allowance_full_at)
        WHERE allowance_full_at IS NOT NULL";

/// The largest number that SQL holds exactly here.
const MAX_INTEGER: u64 = 1 << 53;
/// Messages beyond the retention's count are swept in batches of this size. Until then readers do
/// not see them.
const BATCH: u64 = 64;
/// The maximum total of the texts of one page, in bytes. A page has at least one message.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// A log of messages in the table of [`CREATE_MESSAGES`]. Identifiers start at 1 and have no gaps.
/// Each `client_id` of a user is stored once.
///
/// A message that is no longer retained loses its text immediately, or within 64 further messages.
/// Its row is kept to recognise a retry: for 10,000 messages, or for the retention's age, whichever
/// is shorter. A row whose user's allowance is not full again is kept until it is.
pub struct MessageLog {
    storage: Storage,
    retention: Retention,
    now: Timestamp,
}

/// A message to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// The user who posts it.
    pub user: &'a str,
    /// The text.
    pub text: &'a str,
    /// The client's own identifier of the message.
    pub client_id: Option<&'a str>,
    /// The time at which the user's allowance is full again after this message; see
    /// [`Allowances`](super::core::Allowances).
    pub allowance_full_at: Option<Timestamp>,
}

/// The result of [`MessageLog::append`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It was stored.
    New(Message),
    /// The user had posted it before under the same `client_id`. This is the stored message. If its
    /// text is no longer retained, it has the text of the retry.
    Again(Message),
}

impl Appended {
    /// Returns the stored message.
    #[must_use]
    pub fn into_message(self) -> Message {
        match self {
            Self::New(message) | Self::Again(message) => message,
        }
    }
}

/// The messages after `since` that a client has missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The newest of them, oldest first, and whether there are more.
    pub history: History,
    /// `true` if some are no longer retained.
    pub gap: bool,
    /// The newest identifier.
    pub newest: u64,
}

impl MessageLog {
    /// Creates the log as of `now`.
    #[must_use]
    pub fn new(storage: Storage, retention: Retention, now: Timestamp) -> Self {
        Self {
            storage,
            retention,
            now,
        }
    }

    fn sql(&self) -> Sql {
        self.storage.sql()
    }

    /// Stores a message, or finds the message that is stored already, in one transaction.
    ///
    /// # Errors
    /// Storage failed. Nothing is stored then.
    pub fn append(&self, draft: &Draft<'_>) -> Result<Appended, StorageError> {
        let Draft {
            user,
            text,
            client_id,
            allowance_full_at,
        } = *draft;
        self.storage.transaction(|_| {
            if let Some(client_id) = client_id
                && let Some(stored) = self.posted_before(user, text, client_id)?
            {
                return Ok(Appended::Again(stored));
            }
            let id: Option<u64> = self.sql().query_first(
                "INSERT INTO message (user, text, at, client_id, allowance_full_at)
                    VALUES (?, ?, ?, ?, ?) RETURNING id",
                (user, text, self.now, client_id, allowance_full_at),
            )?;
            let id = id.ok_or_else(|| {
                StorageError::Sql("the message was inserted without an identifier".to_owned())
            })?;
            if id % BATCH == 0 {
                self.sweep_by_count(id, id.saturating_sub(self.retention.messages + BATCH))?;
            }
            Ok(Appended::New(Message {
                id,
                user: user.to_owned(),
                text: text.to_owned(),
                at: self.now,
                client_id: client_id.map(str::to_owned),
            }))
        })
    }

    /// Returns the message that `user` has posted before under this `client_id`. If its text is no
    /// longer retained, it has the text of the retry.
    ///
    /// # Errors
    /// Storage failed.
    pub fn posted_before(
        &self,
        user: &str,
        text: &str,
        client_id: &str,
    ) -> Result<Option<Message>, StorageError> {
        self.sql().query_first(
            "SELECT id, user, ifnull(text, ?) AS text, at, client_id FROM message
                WHERE user = ? AND client_id = ?",
            (text, user, client_id),
        )
    }

    /// Deletes the texts after `from` that are no longer retained by count, and the rows that are
    /// no longer needed to recognise retries.
    fn sweep_by_count(&self, newest: u64, from: u64) -> Result<(), StorageError> {
        self.sql().execute(
            "UPDATE message SET text = NULL WHERE id > ? AND id < ? AND text IS NOT NULL",
            (integer(from), integer(self.retention.first_kept(newest))),
        )?;
        self.sql().execute(
            "DELETE FROM message WHERE id < ? AND ifnull(allowance_full_at, 0) <= ?",
            (integer(self.retention.first_remembered(newest)), self.now),
        )?;
        Ok(())
    }

    /// Deletes what is no longer retained, by count and by age. Returns when to sweep again, or
    /// `None` if nothing is left to expire.
    ///
    /// # Errors
    /// Storage failed. Nothing is deleted then.
    pub fn sweep(&self) -> Result<Option<Timestamp>, StorageError> {
        self.storage.transaction(|_| {
            self.sweep_by_count(self.newest()?, 0)?;
            let Some(expired) = self.retention.expired_at(self.now) else {
                return Ok(None);
            };
            self.sql().execute(
                "DELETE FROM message WHERE at <= ? AND ifnull(allowance_full_at, 0) <= ?",
                (expired, self.now),
            )?;
            self.sql().execute(
                "UPDATE message SET text = NULL WHERE at <= ? AND text IS NOT NULL",
                (expired,),
            )?;
            let oldest: Option<Option<Timestamp>> = self
                .sql()
                .query_first("SELECT MIN(at) FROM message WHERE at > ?", (expired,))?;
            let whole: Option<Option<Timestamp>> = self.sql().query_first(
                "SELECT MAX(allowance_full_at) FROM message WHERE at <= ?",
                (expired,),
            )?;
            let oldest = oldest.flatten();
            let next = oldest.and_then(|oldest| self.retention.next_sweep(oldest));
            Ok([next, whole.flatten()].into_iter().flatten().min())
        })
    }

    /// Returns the identifier of the newest message ever stored, or 0 if there was none.
    ///
    /// # Errors
    /// Storage failed.
    pub fn newest(&self) -> Result<u64, StorageError> {
        // Not from the table of messages, which may all have expired.
        let newest = self
            .sql()
            .query_first("SELECT seq FROM sqlite_sequence WHERE name = 'message'", ())?;
        Ok(newest.unwrap_or(0))
    }

    /// Returns the newest messages before `before`, or the newest of all: at most `limit` messages
    /// and at most 4 MiB of text.
    ///
    /// # Errors
    /// Storage failed.
    pub fn before(&self, before: Option<u64>, limit: u64) -> Result<History, StorageError> {
        self.page(self.newest()?, 0, before.unwrap_or(MAX_INTEGER), limit)
    }

    /// Returns the newest messages that a client has missed which has everything up to `since`: at
    /// most `limit` messages and at most 4 MiB of text.
    ///
    /// # Errors
    /// Storage failed.
    pub fn after(&self, since: u64, limit: u64) -> Result<Missed, StorageError> {
        let newest = self.newest()?;
        if since >= newest {
            // The client has seen messages that this room never had, so they are another room's.
            let gap = since > newest;
            let history = if gap {
                self.before(None, limit)?
            } else {
                History::default()
            };
            return Ok(Missed {
                history,
                gap,
                newest,
            });
        }
        let history = self.page(newest, since, MAX_INTEGER, limit)?;
        let oldest: Option<Option<u64>> = self.sql().query_first(
            "SELECT MIN(id) FROM message WHERE id >= ? AND at > ? AND text IS NOT NULL",
            (integer(self.retention.first_kept(newest)), self.living()),
        )?;
        let gap = oldest.flatten().is_none_or(|oldest| oldest > since + 1);
        Ok(Missed {
            history,
            gap,
            newest,
        })
    }

    fn page(
        &self,
        newest: u64,
        after: u64,
        before: u64,
        limit: u64,
    ) -> Result<History, StorageError> {
        let first = self.retention.first_kept(newest).max(after + 1);
        // A message that lost its text under a smaller retention does not reappear under a larger
        // one. One more message than requested is read, to know whether there are more.
        let mut messages: Vec<Message> = self.sql().query(
            "SELECT id, user, text, at, client_id FROM message
                WHERE id >= ? AND id < ? AND at > ? AND text IS NOT NULL ORDER BY id DESC LIMIT ?",
            (
                integer(first),
                integer(before),
                self.living(),
                integer(limit.saturating_add(1)),
            ),
        )?;
        let mut bytes = 0;
        let fitting = messages
            .iter()
            .take_while(|message| {
                let is_first = bytes == 0;
                bytes += message.text.len();
                is_first || bytes <= MAX_PAGE_BYTES
            })
            .count()
            .min(usize::try_from(limit).unwrap_or(usize::MAX));
        let more = messages.len() > fitting;
        messages.truncate(fitting);
        messages.reverse();
        Ok(History { messages, more })
    }

    /// Returns the users whose allowances are not full, and when each one will be.
    ///
    /// # Errors
    /// Storage failed.
    pub fn allowances(&self) -> Result<Vec<(String, Timestamp)>, StorageError> {
        self.sql().query(
            "SELECT user, MAX(allowance_full_at) FROM message
                WHERE allowance_full_at > ? GROUP BY user",
            (self.now,),
        )
    }

    /// Returns the time after which messages are retained.
    fn living(&self) -> Timestamp {
        let always = Timestamp::from_millis(-integer(MAX_INTEGER));
        self.retention.expired_at(self.now).unwrap_or(always)
    }
}

/// Identifiers also come from clients. One beyond what SQL can hold is treated as the largest.
fn integer(value: u64) -> i64 {
    i64::try_from(value.min(MAX_INTEGER)).unwrap_or(i64::MAX)
}
