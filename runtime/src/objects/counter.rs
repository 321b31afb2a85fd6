//! A counter that is incremented, read and reset, within bounds and within 64 bits.
//!
//! [`Counter`] is the object. [`Bounds`] is its arithmetic, for use in your own objects.
//!
//! ```
//! use anchorhold::objects::Counter;
//! use anchorhold::prelude::*;
//!
//! #[anchorhold::app]
//! fn app() -> App {
//!     App::new().mount::<Counter>("/counters/{name}")
//! }
//!
//! async fn count_a_visit(env: &Env) -> Result<i64, Error> {
//!     Ok(env.objects::<Counter>().named("visits").increment(1).await?)
//! }
//! ```

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// The time for which a counter remembers a request.
pub const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// The maximum number of requests that a counter remembers. It counts no further requests with an
/// identifier until one of them is over.
pub const MAX_REMEMBERED: u64 = 10_000;
/// The length of a request's identifier, in bytes.
pub const REQUEST_ID_BYTES: RangeInclusive<usize> = 1..=128;

/// A counted request.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Counted {
    by: i64,
    value: i64,
    until: Timestamp,
}

/// A named counter. It starts at 0. Without other bounds it is limited only by 64 bits.
///
/// | method | route | answer |
/// | --- | --- | --- |
/// | `increment(by)` | `POST /increment` `{"by": 5}` | the new value |
/// | `increment_once(by, request_id)` | the same with `"request_id"` | the new value, as it was when the request was counted |
/// | `value()` | `GET /` | the value |
/// | `reset()` | `POST /reset` | the value that it had |
/// | `bounds()` | `GET /bounds` | `{"lower": 0, "upper": 10}` |
/// | `set_bounds(lower, upper)` | `PUT /bounds` `{"lower": 0, "upper": 10}` | 204 |
///
/// Every method is one turn: concurrent increments both count. A client that can reach the routes
/// may reset the counter and change its bounds. To prevent that, add a [guard](crate::App::guard)
/// to the app.
#[durable_object]
pub struct Counter {
    value: i64,
    bounds: Bounds,
    /// The number of `requests`.
    remembered: u64,
    requests: StoredMap<String, Counted>,
    /// The identifiers of `requests`, by the time from which they may be forgotten.
    expiring: StoredMap<String, String>,
}

#[durable_object]
impl Counter {
    /// Adds `by`, which may be negative. Returns the new value.
    ///
    /// # Errors
    /// The sum is outside of the bounds or of 64 bits. The value does not change then.
    #[rpc]
    fn increment(&mut self, by: i64) -> Result<i64, CounterError> {
        self.value = self.bounds.add(self.value, by)?;
        Ok(self.value)
    }

    /// Adds `by`, as [`increment`](CounterStub::increment), at most once for each `request_id`: a
    /// retry within an hour returns the value that the first try has returned. Use a random
    /// identifier (a UUID) of 1 to 128 bytes for each increment.
    ///
    /// # Errors
    /// As [`increment`](CounterStub::increment); a refused request is not remembered. Also
    /// [`CounterError::RequestId`], [`CounterError::RequestConflict`] and
    /// [`CounterError::TooManyRequests`].
    #[rpc]
    fn increment_once(
        &mut self,
        ctx: &Ctx,
        by: i64,
        request_id: &str,
    ) -> Result<i64, CounterError> {
        if !REQUEST_ID_BYTES.contains(&request_id.len()) {
            return Err(CounterError::RequestId {
                bytes: request_id.len(),
            });
        }
        let (now, id) = (ctx.now(), request_id.to_owned());
        self.forget(now)?;
        // One whose time is over may wait for its turn to be deleted.
        if let Some(counted) = self
            .requests
            .get(&id)?
            .filter(|counted| now < counted.until)
        {
            return if counted.by == by {
                Ok(counted.value)
            } else {
                Err(CounterError::RequestConflict { by: counted.by })
            };
        }
        if self.remembered >= MAX_REMEMBERED {
            return Err(CounterError::TooManyRequests);
        }
        let value = self.increment(by)?;
        let until = now + REMEMBERED;
        if let Some(before) = self.requests.insert(&id, &Counted { by, value, until })? {
            self.expiring.remove(&expiry_key(before.until, &id))?;
        } else {
            self.remembered += 1;
        }
        self.expiring.insert(&expiry_key(until, &id), &id)?;
        Ok(value)
    }

    #[post("/increment")]
    fn increment_over_http(
        &mut self,
        ctx: &Ctx,
        by: i64,
        request_id: Option<String>,
    ) -> Result<i64, CounterError> {
        match request_id {
            Some(id) => self.increment_once(ctx, by, &id),
            None => self.increment(by),
        }
    }

    /// Returns the value.
    #[rpc]
    #[get("/")]
    fn value(&self) -> i64 {
        self.value
    }

    /// Sets the counter to 0. Returns the previous value, so that a caller that collects the count
    /// counts every increment exactly once.
    #[rpc]
    #[post("/reset")]
    fn reset(&mut self) -> i64 {
        std::mem::take(&mut self.value)
    }

    /// Returns the bounds.
    #[rpc]
    #[get("/bounds")]
    fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Replaces the bounds, both inclusive. `None` means no bound.
    ///
    /// # Errors
    /// The bounds exclude 0 or the current value. They do not change then.
    #[rpc]
    #[put("/bounds")]
    fn set_bounds(&mut self, lower: Option<i64>, upper: Option<i64>) -> Result<(), CounterError> {
        let bounds = Bounds::new(lower, upper)?;
        bounds.check(self.value)?;
        self.bounds = bounds;
        Ok(())
    }
}

impl Counter {
    /// Forgets two requests whose time is over. Each new one adds one, so the old ones disappear,
    /// without an alarm.
    fn forget(&mut self, now: Timestamp) -> Result<(), StorageError> {
        for (key, id) in self.expiring.entries(None, 2)? {
            if expiry_key(now, &id) < key {
                break;
            }
            self.expiring.remove(&key)?;
            self.requests.remove(&id)?;
            self.remembered = self.remembered.saturating_sub(1);
        }
        Ok(())
    }
}

/// In the order of the times.
fn expiry_key(until: Timestamp, id: &str) -> String {
    format!("{:020}/{id}", until.as_millis().max(0))
}

/// The inclusive range of a counter. It always contains 0, where counting starts.
///
/// ```
/// use anchorhold::objects::counter::Bounds;
///
/// let seats = Bounds::new(Some(0), Some(40)).unwrap();
/// assert_eq!(seats.add(38, 2), Ok(40));
/// assert_eq!(
///     seats.add(38, 3).unwrap_err().to_string(),
///     "`by`: 38 + 3 is 41, above the upper bound of 40"
/// );
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    lower: Option<i64>,
    upper: Option<i64>,
}

impl Bounds {
    /// Creates bounds. `None` means no bound at that end.
    ///
    /// # Errors
    /// [`CounterError::WithoutZero`]: the bounds exclude 0.
    pub fn new(lower: Option<i64>, upper: Option<i64>) -> Result<Self, CounterError> {
        let bounds = Self { lower, upper };
        if bounds.exceeded_by(0).is_some() {
            return Err(CounterError::WithoutZero { bounds });
        }
        Ok(bounds)
    }

    /// Returns the smallest value, or `None` without a lower bound.
    #[must_use]
    pub fn lower(&self) -> Option<i64> {
        self.lower
    }

    /// Returns the largest value, or `None` without an upper bound.
    #[must_use]
    pub fn upper(&self) -> Option<i64> {
        self.upper
    }

    /// Returns `value + by`.
    ///
    /// # Errors
    /// [`CounterError::Overflow`] or [`CounterError::OutOfBounds`].
    pub fn add(&self, value: i64, by: i64) -> Result<i64, CounterError> {
        let sum = value
            .checked_add(by)
            .ok_or(CounterError::Overflow { value, by })?;
        match self.exceeded_by(sum) {
            Some(bound) => Err(CounterError::OutOfBounds { value, by, bound }),
            None => Ok(sum),
        }
    }

    /// Checks that a counter whose value is `value` may be given these bounds.
    ///
    /// # Errors
    /// [`CounterError::Outside`]: the value exceeds a bound.
    pub fn check(&self, value: i64) -> Result<(), CounterError> {
        match self.exceeded_by(value) {
            Some(bound) => Err(CounterError::Outside { value, bound }),
            None => Ok(()),
        }
    }

    /// Returns the bound that `value` exceeds.
    fn exceeded_by(&self, value: i64) -> Option<i64> {
        let lower = self.lower.filter(|lower| value < *lower);
        lower.or(self.upper.filter(|upper| value > *upper))
    }
}

/// The reason why a counter was not changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum CounterError {
    /// The sum needs more than 64 bits. 400, `overflow`.
    #[error("`by`: {value} + {by} does not fit in 64 bits")]
    Overflow {
        /// The counter's value.
        value: i64,
        /// The number to add.
        by: i64,
    },
    /// The sum exceeds a bound. 400, `out_of_bounds`.
    #[error("`by`: {value} + {by} is {}, {}", i128::from(*value) + i128::from(*by), beyond(i128::from(*value) + i128::from(*by), *bound))]
    OutOfBounds {
        /// The counter's value.
        value: i64,
        /// The number to add.
        by: i64,
        /// The bound that the sum exceeds.
        bound: i64,
    },
    /// The bounds exclude 0. 400, `bad_request`.
    #[error("{}", without_zero(bounds))]
    WithoutZero {
        /// The bounds.
        bounds: Bounds,
    },
    /// The identifier of a request has the wrong length. 400, `bad_request`.
    #[error("`request_id` has {bytes} bytes; must have 1 to 128")]
    RequestId {
        /// Its length.
        bytes: usize,
    },
    /// The identifier belongs to another request. 409, `request_conflict`.
    #[error("`request_id` was used to add {by}; give each request its own")]
    RequestConflict {
        /// The number that was added.
        by: i64,
    },
    /// Too many requests are remembered. 429, `too_many_requests`.
    #[error("10000 requests with a `request_id` were counted in the last hour, which is the limit")]
    TooManyRequests,
    /// The counter's storage failed. Nothing was changed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The counter's value is outside of the new bounds. 409, `out_of_bounds`.
    #[error("the counter is at {value}, {}: reset it first, or choose wider bounds", beyond(i128::from(*value), *bound))]
    Outside {
        /// The counter's value.
        value: i64,
        /// The bound that the value exceeds.
        bound: i64,
    },
}

fn beyond(value: i128, bound: i64) -> String {
    if value > i128::from(bound) {
        format!("above the upper bound of {bound}")
    } else {
        format!("below the lower bound of {bound}")
    }
}

fn without_zero(bounds: &Bounds) -> String {
    let wrong = match (bounds.lower, bounds.upper) {
        (Some(lower), _) if lower > 0 => format!("`lower`: {lower} is above 0"),
        (_, Some(upper)) => format!("`upper`: {upper} is below 0"),
        _ => "`lower` and `upper`".to_owned(),
    };
    format!("{wrong}; counting starts at 0, so the bounds must include 0")
}

impl ObjectError for CounterError {
    fn status(&self) -> u16 {
        match self {
            Self::Outside { .. } | Self::RequestConflict { .. } => 409,
            Self::TooManyRequests => 429,
            Self::Storage(error) => error.status(),
            _ => 400,
        }
    }

    fn code(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Storage(error) => return error.code(),
            Self::RequestId { .. } => "bad_request",
            Self::RequestConflict { .. } => "request_conflict",
            Self::TooManyRequests => "too_many_requests",
            Self::Overflow { .. } => "overflow",
            Self::OutOfBounds { .. } | Self::Outside { .. } => "out_of_bounds",
            Self::WithoutZero { .. } => "bad_request",
        })
    }
}

impl From<CounterError> for Error {
    fn from(error: CounterError) -> Self {
        Self::of(&error)
    }
}
