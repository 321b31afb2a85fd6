//! What makes a lock safe: the protected resource refuses tokens from the past.

use std::borrow::Cow;

use anchorhold::{Error, ObjectError};
use serde::{Deserialize, Serialize};

/// Kept by the protected resource, in the same storage as what it protects: refuses the tokens of
/// holders that have lost the lock and do not know it yet.
///
/// A lease alone does not exclude: its holder can be paused, swapped out or cut off until after the
/// expiry, and then go on writing. Martin Kleppmann's "How to do distributed locking" (2016) shows the
/// case; the token that the resource checks is its remedy, and the one of Burrows' Chubby (2006), which
/// calls it a sequencer.
///
/// ```
/// use anchorhold::objects::lock::{Fence, StaleToken};
/// use anchorhold::prelude::*;
///
/// /// What only the lock's holder may write.
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
    /// The newest token of an exclusive lease that was seen.
    exclusive: u64,
    /// The newest token of a shared lease that was seen.
    shared: u64,
}

impl Fence {
    /// Admits the work of an exclusive holder, and from now on refuses every older one, shared or
    /// exclusive. The same token is admitted as often as it comes.
    ///
    /// # Errors
    /// [`StaleToken`]: a later holder was here already.
    pub fn admit(&mut self, token: u64) -> Result<(), StaleToken> {
        let newest = self.newest();
        if token < newest {
            return Err(StaleToken { token, newest });
        }
        self.exclusive = token;
        Ok(())
    }

    /// Admits the work of a shared holder: shared holders refuse older exclusive ones, and not each
    /// other.
    ///
    /// # Errors
    /// [`StaleToken`]: a later exclusive holder was here already.
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

    /// The newest token seen; 0 before the first.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.exclusive.max(self.shared)
    }
}

/// The token is older than one that was seen: its holder has lost the lock. Status 409, code
/// `stale_token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("token {token} is stale: token {newest} was here already, so its holder has lost the lock")]
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
