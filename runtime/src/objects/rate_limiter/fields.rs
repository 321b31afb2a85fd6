//! The header fields `RateLimit` and `RateLimit-Policy`, and answers that carry them.

use super::core::Decision;
use super::policy::Policy;
use crate::{Error, Response};
use std::time::Duration;

/// The value of the `RateLimit-Policy` field for one limit: `"api";q=100;w=60`.
///
/// A structured field (RFC 9651) as *RateLimit header fields for HTTP* has it
/// (draft-ietf-httpapi-ratelimit-headers-10, section 3): a string that names the policy, `q` its
/// quota, `w` its window in whole seconds. A window of a broken number of seconds is rounded up:
/// the field has no finer unit, and a client that keeps to a longer window stays within the limit.
#[must_use]
pub fn policy_field(name: &str, policy: &Policy) -> String {
    let window = policy.window_ms.div_ceil(1_000).max(1);
    format!("{};q={};w={window}", quoted(name), policy.limit)
}

/// The value of the `RateLimit` field for one decision: `"api";r=99;t=1`.
///
/// As above, section 4: `r` is what remains, `t` in how many seconds more becomes available,
/// rounded up.
#[must_use]
pub fn limit_field(name: &str, decision: &Decision) -> String {
    let reset = decision.reset_ms.div_ceil(1_000);
    format!("{};r={};t={reset}", quoted(name), decision.remaining)
}

/// A string of a structured field. What such a string cannot hold becomes a question mark.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

impl Decision {
    /// Adds the fields that tell a client of its limit to an answer: `RateLimit-Policy`,
    /// `RateLimit` and, on a refusal, `Retry-After` in seconds (rounded up, at least 1).
    ///
    /// ```
    /// # use anchorhold::{Response, Timestamp};
    /// # use anchorhold::objects::rate_limiter::{Algorithm, Policy, Usage};
    /// let policy = Policy::new(Algorithm::FixedWindow, 100, 60_000);
    /// let decision = policy.peek(&Usage::None, 1, Timestamp::from_millis(0));
    /// let response = decision.tell(Response::empty(204), "api", &policy);
    /// assert_eq!(response.header("ratelimit-policy"), Some("\"api\";q=100;w=60"));
    /// assert_eq!(response.header("ratelimit"), Some("\"api\";r=100;t=0"));
    /// ```
    #[must_use]
    pub fn tell(&self, response: Response, name: &str, policy: &Policy) -> Response {
        let response = response
            .with_header("ratelimit-policy", &policy_field(name, policy))
            .with_header("ratelimit", &limit_field(name, self));
        if self.allowed {
            return response;
        }
        let seconds = self.retry_after_ms.div_ceil(1_000).max(1);
        response.with_header("retry-after", &seconds.to_string())
    }

    /// Whether to go on, for `decision.granted()?` in a handler or a guard.
    ///
    /// # Errors
    /// 429 `limited`, with `Retry-After`, if it was refused.
    pub fn granted(&self) -> Result<(), Error> {
        if self.allowed {
            return Ok(());
        }
        let message = format!(
            "over the limit of {}; try again in {} ms",
            self.limit, self.retry_after_ms
        );
        let after = Duration::from_millis(self.retry_after_ms.max(1));
        Err(Error::new(429, "limited", message).retry_after(after))
    }
}
