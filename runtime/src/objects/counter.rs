//! A counter.

use anchorhold::prelude::*;

/// A named counter.
#[durable_object]
pub struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    /// Adds `by` and returns the new value; a sum that does not fit changes nothing.
    #[rpc]
    #[post("/increment")]
    fn increment(&mut self, by: i64) -> Result<i64, Error> {
        self.value = self.value.checked_add(by).ok_or_else(|| {
            Error::bad_request(
                "overflow",
                format!("`by`: {} + {by} does not fit 64 bits", self.value),
            )
        })?;
        Ok(self.value)
    }

    /// The value.
    #[rpc]
    #[get("/")]
    fn value(&self) -> i64 {
        self.value
    }
}
