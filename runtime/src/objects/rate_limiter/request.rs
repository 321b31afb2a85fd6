//! What a limiter is asked, and what it keeps in its settings.

use serde::{Deserialize, Serialize};

use super::core::Decision;
use super::policy::{Algorithm, Policy};
use crate::{Error, Timestamp};

/// The longest key, in bytes: a stranger may choose it, and it is stored.
pub const MAX_KEY: usize = 256;
/// The longest name of a policy, in bytes.
pub const MAX_POLICY_NAME: usize = 64;
/// How many policies one object has at most; they are one stored value.
pub const MAX_POLICIES: usize = 256;
/// How many checks are decided together at most.
pub const MAX_CHECKS: usize = 1_000;

/// One question to a [`RateLimiter`](super::RateLimiter): may `key` use `cost` under this limit?
///
/// ```
/// use anchorhold::objects::rate_limiter::{Algorithm, Check, Policy};
///
/// let by_name = Check::new("ann", "api");
/// let given = Check::new("ann", Policy::new(Algorithm::SlidingWindow, 100, 60_000)).cost(5);
/// ```
///
/// To a TypeScript caller it is one object: `{ key: "ann", policy: "api" }`, or
/// `{ key: "ann", algorithm: "sliding_window", limit: 100, window_ms: 60000, cost: 5 }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Check {
    /// Whose usage it is: 1 to 256 bytes.
    pub key: String,
    /// Under which limit.
    pub rule: Rule,
    /// How much is to be used, from 1 to the limit.
    pub cost: u64,
}

/// A limit: a stored policy by its name, or one that the caller gives.
///
/// A key's usage is counted apart for each name, algorithm and window. So a limit may change at run
/// time and what was used still counts, while another algorithm or window begins at nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A policy that was [set](super::RateLimiterStub::set_policy) under this name.
    Named(String),
    /// A policy that comes with the question.
    Given(Policy),
}

impl Check {
    /// A check of cost 1.
    pub fn new(key: impl Into<String>, rule: impl Into<Rule>) -> Self {
        Self {
            key: key.into(),
            rule: rule.into(),
            cost: 1,
        }
    }

    /// Another cost.
    #[must_use]
    pub fn cost(mut self, cost: u64) -> Self {
        self.cost = cost;
        self
    }
}

impl From<Policy> for Rule {
    fn from(policy: Policy) -> Self {
        Self::Given(policy)
    }
}

impl From<&str> for Rule {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

/// A check as it travels in calls.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    algorithm: Option<Algorithm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost: Option<u64>,
}

/// What a body or a query string says of a check; its key is in the path.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Terms {
    pub(super) policy: Option<String>,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) limit: Option<u64>,
    pub(super) window_ms: Option<u64>,
    pub(super) cost: Option<u64>,
}

impl Terms {
    pub(super) fn check(self, key: String) -> Result<Check, Error> {
        let rule = match (self.policy, self.algorithm, self.limit, self.window_ms) {
            (Some(name), None, None, None) => Rule::Named(name),
            (None, Some(algorithm), Some(limit), Some(window_ms)) => {
                Rule::Given(Policy::new(algorithm, limit, window_ms))
            }
            (Some(_), ..) => {
                return Err(bad_request(
                    "`policy` names a stored limit: leave out `algorithm`, `limit` and `window_ms`",
                ));
            }
            (None, algorithm, limit, _) => {
                let missing = match (algorithm, limit) {
                    (None, _) => "algorithm",
                    (_, None) => "limit",
                    _ => "window_ms",
                };
                return Err(bad_request(format!(
                    "`{missing}` is missing: give `algorithm`, `limit` and `window_ms`, or a `policy`"
                )));
            }
        };
        Ok(Check {
            key,
            rule,
            cost: self.cost.unwrap_or(1),
        })
    }
}

impl TryFrom<Form> for Check {
    type Error = Error;

    fn try_from(form: Form) -> Result<Self, Error> {
        let Form {
            key,
            policy,
            algorithm,
            limit,
            window_ms,
            cost,
        } = form;
        let terms = Terms {
            policy,
            algorithm,
            limit,
            window_ms,
            cost,
        };
        terms.check(key)
    }
}

impl From<Check> for Form {
    fn from(Check { key, rule, cost }: Check) -> Self {
        let (policy, given) = match rule {
            Rule::Named(name) => (Some(name), None),
            Rule::Given(policy) => (None, Some(policy)),
        };
        Self {
            key,
            policy,
            algorithm: given.map(|policy| policy.algorithm),
            limit: given.map(|policy| policy.limit),
            window_ms: given.map(|policy| policy.window_ms),
            cost: Some(cost),
        }
    }
}

/// What was decided of several checks together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// Whether all were allowed. If not, none has used anything.
    pub allowed: bool,
    /// In how many milliseconds it is worth asking for all again; 0 if they were allowed.
    pub retry_after_ms: u64,
    /// One for each check, in their order.
    pub decisions: Vec<Decision>,
}

/// A stored policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPolicy {
    /// The name that checks give.
    pub name: String,
    /// The limit.
    pub policy: Policy,
    /// Whether it only watches: what it would refuse is let through and counted.
    pub shadow: bool,
    /// How often it would have refused while it only watched.
    pub shadow_refusals: u64,
}

/// A key with a limit of its own under a stored policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The name of the policy.
    pub name: String,
    /// The key.
    pub key: String,
    /// What holds for it instead.
    pub policy: Policy,
}

/// What a list does to a key, whatever the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// It is always let through, and uses nothing.
    Allow,
    /// It is never let through.
    Deny,
}

/// A key on a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The key.
    pub key: String,
    /// Which list.
    pub list: List,
    /// When it leaves the list by itself, if it does.
    pub until: Option<Timestamp>,
}

/// What a limiter holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// How many usages are stored: one for each key and limit that is not forgotten yet.
    pub usages: u64,
    /// When stale ones are swept next; `None` if there is nothing that goes stale.
    pub next_sweep: Option<Timestamp>,
}

pub(super) fn check_key(key: &str) -> Result<(), Error> {
    match key.len() {
        0 => Err(bad_request("`key` is empty")),
        length if length > MAX_KEY => Err(bad_request(format!(
            "`key` has {length} bytes, over the limit of {MAX_KEY}; a hash of it may be the key"
        ))),
        _ => Ok(()),
    }
}

pub(super) fn check_policy_name(name: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=MAX_POLICY_NAME).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(bad_request(format!(
        "`policy` has 1 to {MAX_POLICY_NAME} letters, digits, `-`, `_` and `.`"
    )))
}

pub(super) fn bad_request(message: impl Into<String>) -> Error {
    Error::bad_request("bad_request", message)
}
