//! The header fields `RateLimit` and `RateLimit-Policy`, and responses with them.

use super::core::{Decision, Reason};
use super::policy::Policy;
use crate::{Error, Response};
use std::time::Duration;

/// Returns the value of the `RateLimit-Policy` field for one limit: `"api";q=100;w=60`.
///
/// It is a structured field (RFC 9651) of *RateLimit header fields for HTTP*
/// (draft-ietf-httpapi-ratelimit-headers-11, section 3): a string with the policy's name, the quota
/// `q`, and the window `w` in whole seconds. Fractions of a second are rounded up, because the
/// field does not have a finer unit. A client that keeps to a longer window stays within the limit.
#[must_use]
pub fn policy_field(name: &str, policy: &Policy) -> String {
    quota_field(name, policy.limit, policy.window_ms)
}

fn quota_field(name: &str, limit: u64, window_ms: u64) -> String {
    let window = window_ms.div_ceil(1_000).max(1);
    format!("{};q={limit};w={window}", quoted(name))
}

/// Returns the value of the `RateLimit` field for one decision: `"api";r=99;t=1`.
///
/// It is defined in section 4 of the same draft: `r` is the remaining quota, and `t` the effective
/// window: the number of seconds until more quota is available, rounded up.
#[must_use]
pub fn limit_field(name: &str, decision: &Decision) -> String {
    let reset = decision.reset_ms.div_ceil(1_000);
    format!("{};r={};t={reset}", quoted(name), decision.remaining)
}

/// Encodes a string of a structured field. Characters that are not allowed in one become question
/// marks.
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
    /// Adds the rate limit header fields to a response: `RateLimit-Policy`, `RateLimit` and, on a
    /// refusal, `Retry-After` in seconds (rounded up, at least 1). `name` is the name of the policy.
    /// A decision without a limit ([`Reason::Unavailable`]) gets only `Retry-After`.
    ///
    /// ```
    /// # use anchorhold::{Response, Timestamp};
    /// # use anchorhold::objects::rate_limiter::{Algorithm, Policy, Usage};
    /// let policy = Policy::new(Algorithm::FixedWindow, 100, 60_000);
    /// let decision = policy.peek(&Usage::None, 1, Timestamp::from_millis(0));
    /// let response = decision.tell(Response::empty(204), "api");
    /// assert_eq!(response.header("ratelimit-policy"), Some("\"api\";q=100;w=60"));
    /// assert_eq!(response.header("ratelimit"), Some("\"api\";r=100;t=0"));
    /// ```
    #[must_use]
    pub fn tell(&self, mut response: Response, name: &str) -> Response {
        if self.limit > 0 {
            let policy = quota_field(name, self.limit, self.window_ms);
            response = response
                .with_header("ratelimit-policy", &policy)
                .with_header("ratelimit", &limit_field(name, self));
        }
        if self.allowed {
            return response;
        }
        let seconds = self.retry_after_ms.div_ceil(1_000).max(1);
        response.with_header("retry-after", &seconds.to_string())
    }

    /// Returns an error if the cost was refused, for `decision.granted()?` in a handler or a guard.
    ///
    /// # Errors
    /// 429 `limited`, or 503 `limiter_unavailable` if the limiter did not answer, both with
    /// `Retry-After`.
    pub fn granted(&self) -> Result<(), Error> {
        if self.allowed {
            return Ok(());
        }
        let after = Duration::from_millis(self.retry_after_ms.max(1));
        if self.reason == Reason::Unavailable {
            let message = "the rate limiter does not answer; try again later";
            return Err(Error::new(503, "limiter_unavailable", message).retry_after(after));
        }
        let message = format!(
            "over the limit of {}; try again in {} ms",
            self.limit, self.retry_after_ms
        );
        Err(Error::new(429, "limited", message).retry_after(after))
    }
}
