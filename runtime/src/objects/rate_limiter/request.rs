//! The requests to a limiter, and its settings.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::core::Decision;
use super::policy::{Algorithm, Limit, Policy};
use crate::{Error, Request, Timestamp};

/// The longest key, in bytes. It is limited because clients may choose it, and it is stored.
pub const MAX_KEY: usize = 256;
/// The longest name of a policy, in bytes.
pub const MAX_POLICY_NAME: usize = 64;
/// The maximum number of policies of one object, which are one stored value.
pub const MAX_POLICIES: usize = 256;
/// The maximum number of limits under which one key is counted at a time: each one is a row.
pub const MAX_LIMITS_PER_KEY: u64 = 32;
/// The maximum number of checks that are decided together.
pub const MAX_CHECKS: usize = 1_000;

/// A request to a [`RateLimiter`](super::RateLimiter): may `key` use `cost` under this limit?
///
/// ```
/// use anchorhold::objects::rate_limiter::{Algorithm, Check, Limit, Policy};
///
/// const API: Limit = Limit::new("api", Policy::new(Algorithm::SlidingWindow, 100, 60_000));
///
/// let check = Check::new("ann", API).cost(5);
/// let stored = Check::new("ann", "set_by_rpc");
/// ```
///
/// A TypeScript caller passes one object:
/// `{ key: "ann", policy: "api", algorithm: "sliding_window", limit: 100, window_ms: 60000, cost: 5 }`,
/// or `{ key: "ann", policy: "api" }` for a stored policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Check {
    /// The key whose usage is counted; 1 to 256 bytes.
    pub key: String,
    /// The limit.
    pub rule: Rule,
    /// The cost, from 1 to the limit.
    pub cost: u64,
}

/// A limit: with a name, or without.
///
/// A key's usage is counted separately for each name, algorithm and window. If the limit of a name
/// is changed, earlier usage still counts. With another algorithm or window, counting starts at
/// zero. Without a name, each limit is counted separately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A policy that was [set](super::RateLimiterStub::set_policy) under this name.
    Named(String),
    /// A policy with a name, which come with the request. A policy that was
    /// [set](super::RateLimiterStub::set_policy) under the same name replaces it.
    Limit {
        /// The name: 1 to 64 letters, digits, `-`, `_` and `.`.
        name: String,
        /// The policy.
        policy: Policy,
    },
    /// A policy without a name, which comes with the request.
    Given(Policy),
}

impl Check {
    /// Creates a check with a cost of 1.
    pub fn new(key: impl Into<String>, rule: impl Into<Rule>) -> Self {
        Self {
            key: key.into(),
            rule: rule.into(),
            cost: 1,
        }
    }

    /// Reads a check of `key` from the JSON body of a request, which has the fields `algorithm`,
    /// `limit`, `window_ms`, `policy` and `cost`.
    ///
    /// The client chooses its own limit. Use it only where that is the purpose, as in the demo.
    ///
    /// # Errors
    /// 400 that names the field.
    pub async fn from_body(key: &str, request: &mut Request) -> Result<Self, Error> {
        let bytes = request.bytes().await?;
        let body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&bytes)
            .map_err(|error| bad_request(format!("the body is not a JSON object: {error}")))?;
        let mut terms = Terms::default();
        for (name, value) in body {
            match name.as_str() {
                "policy" => terms.policy = field(&name, value)?,
                "algorithm" => terms.algorithm = field(&name, value)?,
                "limit" => terms.limit = field(&name, value)?,
                "window_ms" => terms.window_ms = field(&name, value)?,
                "cost" => terms.cost = field(&name, value)?,
                _ => {
                    return Err(bad_request(format!(
                        "unknown field `{name}`; there are `policy`, `algorithm`, `limit`, `window_ms` and `cost`"
                    )));
                }
            }
        }
        terms.check(key.to_owned())
    }

    /// Sets the cost.
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

impl From<Limit> for Rule {
    fn from(Limit { name, policy }: Limit) -> Self {
        Self::Limit {
            name: name.to_owned(),
            policy,
        }
    }
}

impl From<&str> for Rule {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

/// A check as serialised in calls.
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

/// The fields of a check in a body or a query string. The key is in the path.
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
            (Some(name), Some(algorithm), Some(limit), Some(window_ms)) => Rule::Limit {
                name,
                policy: Policy::new(algorithm, limit, window_ms),
            },
            (_, algorithm, limit, _) => {
                let missing = match (algorithm, limit) {
                    (None, _) => "algorithm",
                    (_, None) => "limit",
                    _ => "window_ms",
                };
                return Err(bad_request(format!(
                    "`{missing}` is missing: give `algorithm`, `limit` and `window_ms`, or only a `policy`"
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
            Rule::Limit { name, policy } => (Some(name), Some(policy)),
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

/// The decision about several checks together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// `true` if all were allowed. If not, no quota was used.
    pub allowed: bool,
    /// The time of the decision, by the limiter's clock; see
    /// [`give_back`](super::RateLimiterStub::give_back).
    pub at: Timestamp,
    /// The milliseconds after which a retry of all checks is useful; 0 if they were allowed.
    pub retry_after_ms: u64,
    /// One decision per check, in the same order.
    pub decisions: Vec<Decision>,
}

impl Decisions {
    /// Returns an error if the checks were refused.
    ///
    /// # Errors
    /// As [`Decision::granted`], for the decision with the longest wait.
    pub fn granted(&self) -> Result<(), Error> {
        let refused = self.decisions.iter().filter(|decision| !decision.allowed);
        let reason = refused.max_by_key(|decision| decision.retry_after_ms);
        reason.map_or(Ok(()), Decision::granted)
    }
}

/// A stored policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPolicy {
    /// The name, to which checks refer.
    pub name: String,
    /// The limit.
    pub policy: Policy,
    /// `true` in shadow mode: requests that it would refuse are allowed and counted.
    pub shadow: bool,
    /// The number of requests that it would have refused in shadow mode.
    pub shadow_refusals: u64,
}

/// A key with its own limit under a stored policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The name of the policy.
    pub name: String,
    /// The key.
    pub key: String,
    /// The limit that replaces the policy's.
    pub policy: Policy,
}

/// The effect of a list on a key, whatever the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// The key is always allowed, and uses no quota.
    Allow,
    /// The key is always refused.
    Deny,
}

/// A key on a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The key.
    pub key: String,
    /// The list.
    pub list: List,
    /// When the entry expires, if it does.
    pub until: Option<Timestamp>,
}

/// The status of a limiter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The number of stored usages: one for each key and limit that has not expired.
    pub usages: u64,
    /// When stale ones are swept next, or `None` if there are none.
    pub next_sweep: Option<Timestamp>,
}

fn field<T: DeserializeOwned>(name: &str, value: serde_json::Value) -> Result<Option<T>, Error> {
    serde_json::from_value(value).map_err(|error| bad_request(format!("invalid `{name}`: {error}")))
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
        "`policy` must be 1 to {MAX_POLICY_NAME} letters, digits, `-`, `_` or `.`"
    )))
}

pub(super) fn bad_request(message: impl Into<String>) -> Error {
    Error::bad_request("bad_request", message)
}
