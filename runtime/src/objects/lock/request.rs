//! The requests and responses of a lock, and their limits.

use std::ops::RangeInclusive;
use std::time::Duration;

use anchorhold::Timestamp;
use serde::{Deserialize, Serialize};

use super::LockError;
use crate::objects::millis::millis;
use crate::objects::range::in_range;

/// The length of a holder's name and of a request id, in bytes.
pub const NAME_BYTES: RangeInclusive<usize> = 1..=128;
/// A lease lasts from 1 ms to a day. Renew it to hold the lock for longer.
pub const TTL_MILLIS: RangeInclusive<u64> = 1..=24 * 60 * 60 * 1_000;
/// A call waits for up to 5 minutes. To wait longer, retry with the same request id.
pub const WAIT_MILLIS: RangeInclusive<u64> = 0..=5 * 60 * 1_000;
/// The lock-delay is up to a minute, as in Consul.
pub const LOCK_DELAY_MILLIS: RangeInclusive<u64> = 0..=60 * 1_000;
/// The length of the reason that an administrator gives, in bytes.
pub const REASON_BYTES: RangeInclusive<usize> = 1..=1_024;

/// Whether a lease excludes others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Excludes all other leases.
    #[default]
    Exclusive,
    /// Excludes exclusive leases only.
    Shared,
}

/// A request for the lock. Over HTTP and from JavaScript it is an object with these fields.
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
    /// The holder's name, for humans and for the status; 1 to 128 bytes. It does not prove
    /// anything: only the lease does.
    pub holder: String,
    /// The duration of the lease unless renewed, in milliseconds; 1 to 86,400,000 (a day).
    pub ttl_ms: u64,
    /// The time to wait in the queue if the lock is not free, in milliseconds; 0 to 300,000 (5
    /// minutes). The default is 0.
    #[serde(default)]
    pub wait_ms: u64,
    /// Makes the request idempotent: the same id and holder get the same lease while it is active,
    /// and the same place in the queue. It must be 1 to 128 unguessable bytes (a random UUID),
    /// because the id is enough to get the lease.
    #[serde(default)]
    pub request_id: Option<String>,
    /// The mode, in JSON `exclusive` (the default) or `shared`.
    #[serde(default)]
    pub mode: Mode,
    /// The lock-delay in milliseconds; 0 to 60,000, 0 by default. If this lease expires (and is not
    /// released), the lock is granted to no request for this time.
    #[serde(default)]
    pub lock_delay_ms: u64,
}

impl Acquire {
    /// Creates an exclusive request that does not wait.
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

    /// Waits in the queue for up to `wait`.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait_ms = millis(wait);
        self
    }

    /// Makes the request idempotent; see [`request_id`](Self::request_id).
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Requests a shared lease, which may be active together with other shared ones.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.mode = Mode::Shared;
        self
    }

    /// Keeps the lock from all requests for this time if this lease expires, so that operations of
    /// its holder that are still in flight can fail. The idea and its name are Consul's.
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

/// A request to extend a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// The secret of the lease.
    pub lease: String,
    /// The duration of the lease from now, in milliseconds; 1 to 86,400,000 (a day).
    pub ttl_ms: u64,
    /// If given, the lease must be this holder's.
    #[serde(default)]
    pub holder: Option<String>,
    /// If given, the lease must have this token.
    #[serde(default)]
    pub token: Option<u64>,
}

/// A request to release a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The secret of the lease.
    pub lease: String,
    /// If given, the lease must be this holder's.
    #[serde(default)]
    pub holder: Option<String>,
    /// If given, the lease must have this token.
    #[serde(default)]
    pub token: Option<u64>,
}

impl Release {
    /// Creates a request to release the lease with this secret.
    pub fn of(lease: impl Into<String>) -> Self {
        Self {
            lease: lease.into(),
            holder: None,
            token: None,
        }
    }
}

impl Renew {
    /// Creates a request to extend the lease with this secret to `ttl` from now.
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
    /// The person or service that orders it; 1 to 128 bytes.
    pub by: String,
    /// The reason, for the record; 1 to 1,024 bytes.
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

/// A granted lease, as its holder gets it. Keep `lease` secret. Pass `token` to the protected
/// resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The fencing token. It is larger than that of every earlier lease of this lock, and at least
    /// the time of the grant in milliseconds. So it is also larger than the tokens that were granted
    /// between a backup and its restore.
    pub token: u64,
    /// The secret with which the lease is renewed and released: 128 random bits in hexadecimal
    /// digits.
    pub lease: String,
    /// When the lease ends unless renewed, by the clock of the lock's host.
    pub expires_at: Timestamp,
}

/// The public information about a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// `true` if there is an active lease.
    pub held: bool,
    /// The holder. With several shared leases, the holder of the newest.
    pub holder: Option<String>,
    /// The newest token ever, whether or not its lease is still active; 0 before the first.
    pub token: u64,
    /// When the last active lease ends unless renewed.
    pub expires_at: Option<Timestamp>,
    /// The number of waiting requests.
    pub waiting: usize,
}

/// All information about a lock except secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// The active leases, oldest first.
    pub leases: Vec<Holder>,
    /// The waiting requests, in order of arrival.
    pub queue: Vec<InQueue>,
    /// After an expiry: the lock is not granted before this time.
    pub delayed_until: Option<Timestamp>,
    /// The newest token ever.
    pub token: u64,
}

/// An active lease, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The holder's name.
    pub holder: String,
    /// Whether it excludes others.
    pub mode: Mode,
    /// The fencing token.
    pub token: u64,
    /// When it was granted.
    pub since: Timestamp,
    /// When it ends unless renewed.
    pub expires_at: Timestamp,
}

/// A waiting request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InQueue {
    /// The holder's name.
    pub holder: String,
    /// The requested mode.
    pub mode: Mode,
    /// When it started to wait.
    pub since: Timestamp,
}

/// An entry of the record of broken leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// When the lock was broken.
    pub at: Timestamp,
    /// The person or service that ordered it.
    pub by: String,
    /// The reason.
    pub reason: String,
    /// The leases that ended.
    pub leases: Vec<Holder>,
}

/// The state of a request that was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancelled {
    /// The request was waiting. Its caller gets the error `cancelled`.
    Waiting,
    /// The request had been granted. Its lease is released.
    Granted,
    /// The lock does not know the request: it was never made, or is over.
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
        "`{field}` has {} bytes; must have {} to {}",
        text.len(),
        limit.start(),
        limit.end()
    )))
}

fn check_number(field: &str, number: u64, limit: RangeInclusive<u64>) -> Result<(), LockError> {
    in_range(field, number, limit).map_err(LockError::Invalid)
}
