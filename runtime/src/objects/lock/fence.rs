//! Fencing: the protected resource refuses stale tokens.

use std::borrow::Cow;

use anchorhold::{Error, ObjectError};
use serde::{Deserialize, Serialize};

/// Refuses the tokens of holders that have lost the lock without noticing. The protected resource
/// keeps it in the same storage as the protected data.
///
/// A lease alone does not guarantee exclusion: its holder can be paused, swapped out or cut off
/// until after the expiry, and then continue to write. Martin Kleppmann's "How to do distributed
/// locking" (2016) describes the case. The remedy is a token that the resource checks. Burrows'
/// Chubby (2006) has the same token and calls it a sequencer.
///
/// ```
/// use anchorhold::objects::lock::{Fence, StaleToken};
/// use anchorhold::prelude::*;
///
/// /// Data that only the lock's holder may write.
/// #[durable_object]
/// struct Ledger {
///     fence: Fence,
///     balance: i64,
/// }
///
/// #[durable_object]
/// impl Ledger {
///     #[rpc]
///     fn set(&mut self, token: u64, balance: i64) -> Result<(), StaleToken> {
///         self.fence.admit(token)?;
///         self.balance = balance;
///         Ok(())
///     }
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fence {
    /// The newest token seen of an exclusive lease.
    exclusive: u64,
    /// The newest token seen of a shared lease.
    shared: u64,
}

impl Fence {
    /// Admits the work of an exclusive holder. From then on every older token is refused, shared or
    /// exclusive. The same token can be admitted repeatedly.
    ///
    /// # Errors
    /// [`StaleToken`]: a newer holder was admitted before.
    pub fn admit(&mut self, token: u64) -> Result<(), StaleToken> {
        let newest = self.newest();
        if token < newest {
            return Err(StaleToken { token, newest });
        }
        self.exclusive = token;
        Ok(())
    }

    /// Admits the work of a shared holder. From then on older exclusive holders are refused. Shared
    /// holders do not refuse each other.
    ///
    /// # Errors
    /// [`StaleToken`]: a newer exclusive holder was admitted before.
    pub fn admit_shared(&mut self, token: u64) -> Result<(), StaleToken> {
        if token < self.exclusive {
            return Err(StaleToken {
                token,
                newest: self.exclusive,
            });
        }
        self.shared = self.shared.max(token);
        Ok(())
    }

    /// Returns the newest token seen, or 0 if there was none.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.exclusive.max(self.shared)
    }
}

/// The token is older than one seen before: its holder has lost the lock. Status 409, code
/// `stale_token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error(
    "token {token} is stale: the newer token {newest} was already seen, so its holder has lost the lock"
)]
pub struct StaleToken {
    /// The token that was refused.
    pub token: u64,
    /// The newest token seen.
    pub newest: u64,
}

impl ObjectError for StaleToken {
    fn status(&self) -> u16 {
        409
    }

    fn code(&self) -> Cow<'_, str> {
        Cow::Borrowed("stale_token")
    }
}

impl From<StaleToken> for Error {
    fn from(error: StaleToken) -> Self {
        Self::of(&error)
    }
}
