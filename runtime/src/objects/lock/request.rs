//! What callers of a lock send, and its limits.

use std::ops::RangeInclusive;
use std::time::Duration;

use anchorhold::Timestamp;
use serde::{Deserialize, Serialize};

use super::LockError;
use crate::objects::millis::millis;
use crate::objects::range::in_range;

/// A holder's name and a request id, in bytes.
pub const NAME_BYTES: RangeInclusive<usize> = 1..=128;
/// A lease lasts from 1 ms to a day; who needs longer renews.
pub const TTL_MILLIS: RangeInclusive<u64> = 1..=24 * 60 * 60 * 1_000;
/// A call waits for up to 5 minutes; who would wait longer comes again with the same request id.
pub const WAIT_MILLIS: RangeInclusive<u64> = 0..=5 * 60 * 1_000;
/// The lock-delay is up to a minute, as Consul's.
pub const LOCK_DELAY_MILLIS: RangeInclusive<u64> = 0..=60 * 1_000;
/// The reason that an administrator gives, in bytes.
pub const REASON_BYTES: RangeInclusive<usize> = 1..=1_024;

/// How a lease excludes others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Alone.
    #[default]
    Exclusive,
    /// Together with other shared leases.
    Shared,
}

/// A request for the lock; over HTTP and from JavaScript an object with these fields.
///
/// ```
/// use anchorhold::objects::lock::Acquire;
/// use std::time::Duration;
///
/// let request = Acquire::new("worker-7", Duration::from_secs(30))
///     .wait(Duration::from_secs(10))
///     .request_id("0b94e1d1-5a3e-4f0c-9a51-5e6f7a3c9d10");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acquire {
    /// Who asks, for people and for the status; 1 to 128 bytes. It proves nothing: the lease does.
    pub holder: String,
    /// How long the lease lasts unless renewed, in milliseconds; 1 to 86,400,000 (a day).
    pub ttl_ms: u64,
    /// How long to wait in the queue if the lock is not free, in milliseconds; 0 to 300,000 (5
    /// minutes). Left out: not at all.
    #[serde(default)]
    pub wait_ms: u64,
    /// Makes the request safe to repeat: the same id and holder get the same lease for as long as
    /// it lives, and the same place in the queue. 1 to 128 bytes that cannot be guessed (a
    /// random UUID): who knows it can fetch the lease.
    #[serde(default)]
    pub request_id: Option<String>,
    /// Exclusive unless it says `shared`.
    #[serde(default)]
    pub mode: Mode,
    /// If this lease expires (and is not released), the lock is granted to no request for so long, in
    /// milliseconds; 0 to 60,000. Left out: 0.
    #[serde(default)]
    pub lock_delay_ms: u64,
}

impl Acquire {
    /// An exclusive request that does not wait.
    pub fn new(holder: impl Into<String>, ttl: Duration) -> Self {
        Self {
            holder: holder.into(),
            ttl_ms: millis(ttl),
            wait_ms: 0,
            request_id: None,
            mode: Mode::Exclusive,
            lock_delay_ms: 0,
        }
    }

    /// Waits in the queue for up to so long.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait_ms = millis(wait);
        self
    }

    /// Makes the request safe to repeat; see [`request_id`](Self::request_id).
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Asks for a lease that other shared ones may live beside.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.mode = Mode::Shared;
        self
    }

    /// Keeps the lock from everybody for so long if this lease expires: time for what its holder
    /// still has under way to fail. The idea and its name are Consul's.
    #[must_use]
    pub fn lock_delay(mut self, delay: Duration) -> Self {
        self.lock_delay_ms = millis(delay);
        self
    }

    /// Checks every field against its limit.
    ///
    /// # Errors
    /// [`LockError::Invalid`] names the field, its value and its limit.
    pub fn check(&self) -> Result<(), LockError> {
        check_text("holder", &self.holder, NAME_BYTES)?;
        check_ttl(self.ttl_ms)?;
        check_number("wait_ms", self.wait_ms, WAIT_MILLIS)?;
        if let Some(id) = &self.request_id {
            check_text("request_id", id, NAME_BYTES)?;
        }
        check_number("lock_delay_ms", self.lock_delay_ms, LOCK_DELAY_MILLIS)
    }
}

/// Asks for more time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// The secret that came with the lease.
    pub lease: String,
    /// How long the lease lasts from now on, in milliseconds; 1 to 86,400,000 (a day).
    pub ttl_ms: u64,
    /// If given, the lease must be this holder's.
    #[serde(default)]
    pub holder: Option<String>,
    /// If given, the lease must have this token.
    #[serde(default)]
    pub token: Option<u64>,
}

/// Gives the lock back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The secret that came with the lease.
    pub lease: String,
    /// If given, the lease must be this holder's.
    #[serde(default)]
    pub holder: Option<String>,
    /// If given, the lease must have this token.
    #[serde(default)]
    pub token: Option<u64>,
}

impl Release {
    /// Ends the lease of this secret.
    pub fn of(lease: impl Into<String>) -> Self {
        Self {
            lease: lease.into(),
            holder: None,
            token: None,
        }
    }
}

impl Renew {
    /// Lets the lease of this secret live for `ttl` from now.
    pub fn of(lease: impl Into<String>, ttl: Duration) -> Self {
        Self {
            lease: lease.into(),
            ttl_ms: millis(ttl),
            holder: None,
            token: None,
        }
    }
}

/// An administrator's order to end every lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// Who orders it; 1 to 128 bytes.
    pub by: String,
    /// Why, for the record; 1 to 1,024 bytes.
    pub reason: String,
}

impl Break {
    /// Checks every field against its limit.
    ///
    /// # Errors
    /// [`LockError::Invalid`] names the field, its value and its limit.
    pub fn check(&self) -> Result<(), LockError> {
        check_text("by", &self.by, NAME_BYTES)?;
        check_text("reason", &self.reason, REASON_BYTES)
    }
}

/// What its holder gets. Keep `lease` secret; hand `token` to the protected resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The fencing token: larger than that of every lease this lock gave before.
    pub token: u64,
    /// The secret that renews and releases: 128 random bits in hexadecimal digits.
    pub lease: String,
    /// When it ends unless renewed, by the clock of the lock's host.
    pub expires_at: Timestamp,
}

/// What anybody may know of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether a lease lives.
    pub held: bool,
    /// The holder; with several shared leases, that of the newest.
    pub holder: Option<String>,
    /// The newest token of the lock's life, whether or not its lease still lives; 0 before the first.
    pub token: u64,
    /// When the last living lease ends unless renewed.
    pub expires_at: Option<Timestamp>,
    /// How many requests wait.
    pub waiting: usize,
}

/// Everything about a lock but its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// The leases that live, oldest first.
    pub leases: Vec<Holder>,
    /// The requests that wait, first come first.
    pub queue: Vec<InQueue>,
    /// After an expiry: the lock is not granted before this time.
    pub delayed_until: Option<Timestamp>,
    /// The newest token of the lock's life.
    pub token: u64,
}

/// A living lease, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who holds it.
    pub holder: String,
    /// How it excludes others.
    pub mode: Mode,
    /// Its fencing token.
    pub token: u64,
    /// When it was given.
    pub since: Timestamp,
    /// When it ends unless renewed.
    pub expires_at: Timestamp,
}

/// A request that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InQueue {
    /// Who waits.
    pub holder: String,
    /// What for.
    pub mode: Mode,
    /// Since when.
    pub since: Timestamp,
}

/// An entry of the record of broken leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// When.
    pub at: Timestamp,
    /// Who ordered it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The leases that ended.
    pub leases: Vec<Holder>,
}

/// What became of a request that was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancelled {
    /// It waited; its caller is answered with `cancelled`.
    Waiting,
    /// It had its lease already, which is released.
    Granted,
    /// The lock knows no such request: it was never made, or is over.
    Unknown,
}

pub(super) fn check_ttl(ttl_ms: u64) -> Result<(), LockError> {
    check_number("ttl_ms", ttl_ms, TTL_MILLIS)
}

pub(super) fn check_request_id(id: &str) -> Result<(), LockError> {
    check_text("request_id", id, NAME_BYTES)
}

fn check_text(field: &str, text: &str, limit: RangeInclusive<usize>) -> Result<(), LockError> {
    if limit.contains(&text.len()) {
        return Ok(());
    }
    Err(LockError::Invalid(format!(
        "`{field}` has {} bytes, and not from {} to {}",
        text.len(),
        limit.start(),
        limit.end()
    )))
}

fn check_number(field: &str, number: u64, limit: RangeInclusive<u64>) -> Result<(), LockError> {
    in_range(field, number, limit).map_err(LockError::Invalid)
}
