//! The caller's side: timeouts for a slow or unavailable limiter, and a cache of blocked keys.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use super::blocked::Blocked;
use super::core::{Decision, Reason};
use super::object::{RateLimiter, RateLimiterStub};
use super::request::{Check, Decisions, Rule};
use crate::{CallError, Env, Error, Timestamp, Visit, shard_name};

/// The default timeout of a call to the limiter.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Calls the limiters of an app, and decides when they do not answer.
///
/// A guard routes a key to its shard and waits at most for its timeout. Then it fails closed
/// (refuses) or open (allows), as configured. It caches the keys that were refused without any
/// quota left, and refuses them without a call until more is available, for at most 10 s. A flood
/// of one key therefore does not reach the limiter. A reset or a raised limit takes effect after 10
/// s at the latest.
///
/// A guard is shared by an app's handlers (clones share the cache), or is a `#[memory]` field of an
/// object:
///
/// ```
/// use anchorhold::objects::rate_limiter::{Algorithm, Check, Guard, Limit, Policy};
/// use anchorhold::prelude::*;
/// use std::time::Duration;
///
/// const QUOTES: Limit = Limit::new("quotes", Policy::new(Algorithm::SlidingWindow, 100, 60_000));
///
/// fn app() -> App {
///     let limiter = Guard::new(16).timeout(Duration::from_millis(200)).fail_open();
///     App::new().get("/quote", move |_, env: Env| {
///         let limiter = limiter.clone();
///         async move {
///             limiter.check(&env, Check::new("all", QUOTES)).await?.granted()?;
///             Ok(Response::text(200, "Festina lente."))
///         }
///     })
/// }
/// ```
#[derive(Clone)]
pub struct Guard {
    shards: u32,
    timeout: Duration,
    open: bool,
    blocked: Rc<RefCell<Blocked>>,
}

impl Guard {
    /// Creates a guard for this number of shards of [`RateLimiter`], which must be the number that
    /// the app mounts. The timeout is one second, and the guard fails closed.
    #[must_use]
    pub fn new(shards: u32) -> Self {
        Self {
            shards,
            timeout: TIMEOUT,
            open: false,
            blocked: Rc::default(),
        }
    }

    /// Sets the time within which the limiter must answer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Allows requests when the limiter does not answer. Use it for services that must continue and
    /// can bear a flood.
    #[must_use]
    pub fn fail_open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Refuses requests when the limiter does not answer. Use it for services that must not be
    /// flooded, such as a login.
    #[must_use]
    pub fn fail_closed(mut self) -> Self {
        self.open = false;
        self
    }

    /// Decides a check. The reason is [`Reason::Unavailable`] if the limiter is late, overloaded,
    /// reset or unreachable, or the key is empty. A late limiter may have used the cost
    /// nevertheless. A guard that fails open also allows the check, and logs a warning, if its
    /// policy is not set or the class is not bound.
    ///
    /// # Errors
    /// Errors that a retry would not fix: the check is out of range, its policy is not set, the
    /// class is not bound, or the call would wait for itself.
    pub async fn check(&self, env: &Env, check: Check) -> Result<Decision, Error> {
        if check.key.is_empty() {
            return Ok(self.unavailable(EMPTY_KEY));
        }
        let name = (check.key.clone(), counter(&check.rule));
        if let Some(decision) = self.blocked.borrow().get(&name, env.now()) {
            return Ok(decision);
        }
        let limiter = env
            .objects::<RateLimiter>()
            .sharded(&check.key, self.shards);
        let answer = env.timeout(self.timeout, limiter.check(check)).await;
        let decision = match self.settle(answer)? {
            Ok(decision) => decision,
            Err(why) => return Ok(self.unavailable(&why)),
        };
        if !decision.allowed && decision.remaining == 0 {
            self.blocked.borrow_mut().put(name, decision, env.now());
        }
        Ok(decision)
    }

    /// Decides up to 1,000 checks together: if one is refused, no quota is used. Their keys may
    /// belong to several shards, such as a user and an address.
    ///
    /// The checks of one shard are decided atomically. The shards are asked one after the other, in
    /// the order of their first checks, and those before a refusal get the costs back. Until then,
    /// and if that fails (which is logged), the costs count: concurrent checks may be refused that
    /// would fit. More than a limit is never allowed. After a refusal no further shard is asked:
    /// its decisions have the reason [`Reason::OtherRefused`] and the limit 0.
    ///
    /// # Errors
    /// As [`check`](Self::check), for any of them. No quota is used then.
    pub async fn check_all(&self, env: &Env, checks: Vec<Check>) -> Result<Decisions, Error> {
        let not_asked = Decision::nothing_left(None, Duration::ZERO, Reason::OtherRefused);
        let mut all = Decisions {
            allowed: true,
            at: env.now(),
            retry_after_ms: 0,
            decisions: vec![not_asked; checks.len()],
        };
        let named = |check: &Check| (check.key.clone(), counter(&check.rule));
        for (place, check) in checks.iter().enumerate() {
            let blocked = self.blocked.borrow().get(&named(check), env.now());
            if let Some(decision) = blocked {
                all.allowed = false;
                all.retry_after_ms = decision.retry_after_ms;
                all.decisions[place] = decision;
                return Ok(all);
            }
        }
        let mut used: Vec<Used> = Vec::new();
        for places in self.by_shard(&checks) {
            let part: Vec<Check> = places.iter().map(|place| checks[*place].clone()).collect();
            let decided = match self.check_shard(env, &part).await {
                Ok(decided) => decided,
                Err(error) => {
                    self.give_back(env, used).await;
                    return Err(error);
                }
            };
            all.allowed &= decided.allowed;
            all.retry_after_ms = all.retry_after_ms.max(decided.retry_after_ms);
            for (place, decision) in places.iter().zip(&decided.decisions) {
                all.decisions[*place] = *decision;
                let is_blocked = matches!(decision.reason, Reason::OverLimit | Reason::DenyListed)
                    && decision.remaining == 0;
                if is_blocked {
                    let name = named(&checks[*place]);
                    self.blocked.borrow_mut().put(name, *decision, env.now());
                }
            }
            if !decided.allowed {
                break;
            }
            // Allowed for other reasons, such as a list, they have used nothing.
            let costs = part.into_iter().zip(places).zip(decided.decisions);
            let costs = costs.filter(|(_, decision)| decision.reason == Reason::WithinLimit);
            let costs = costs.map(|(cost, _)| cost).collect();
            used.push(Used {
                costs,
                at: decided.at,
            });
        }
        if !all.allowed {
            for (check, place) in used.iter().flat_map(|used| &used.costs) {
                let decision = &mut all.decisions[*place];
                decision.allowed = false;
                decision.remaining = decision.remaining.saturating_add(check.cost);
                decision.reason = Reason::OtherRefused;
            }
            for decision in all.decisions.iter_mut().filter(|decision| decision.allowed) {
                decision.allowed = false;
                decision.reason = Reason::OtherRefused;
            }
            self.give_back(env, used).await;
        }
        Ok(all)
    }

    /// Waits until a check is allowed, for at most `longest`, and returns its decision. Returns a
    /// refusal at once if the wait would take longer.
    ///
    /// Waiting callers have no order. Use it for calls to a service that has a limit of its own.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn until_ready(
        &self,
        env: &Env,
        check: Check,
        longest: Duration,
    ) -> Result<Decision, Error> {
        let give_up = env.now() + longest;
        loop {
            let decision = self.check(env, check.clone()).await?;
            let wait = Duration::from_millis(decision.retry_after_ms.max(1));
            if decision.allowed || give_up < env.now() + wait {
                return Ok(decision);
            }
            env.sleep(wait).await;
        }
    }

    /// Returns a guard for [`App::guard`](crate::App::guard), which refuses requests over the
    /// limit with 429. `checks` returns the checks of a request, which are decided
    /// [together](Self::check_all). A request without checks is not limited.
    ///
    /// ```
    /// use anchorhold::objects::RateLimiter;
    /// use anchorhold::objects::rate_limiter::{Algorithm, Check, Guard, Limit, Policy};
    /// use anchorhold::prelude::*;
    ///
    /// const VISITS: Limit = Limit::new("visits", Policy::new(Algorithm::TokenBucket, 100, 60_000));
    ///
    /// fn limited(app: App) -> App {
    ///     app.object::<RateLimiter>().guard(Guard::new(16).guard(|visit| {
    ///         let address = visit.request.client_network();
    ///         let address = address.map(|address| address.to_string()).unwrap_or_default();
    ///         vec![Check::new(address, VISITS)]
    ///     }))
    /// }
    /// ```
    pub fn guard(
        self,
        checks: impl Fn(&Visit) -> Vec<Check> + 'static,
    ) -> impl Fn(Visit) -> Pin<Box<dyn Future<Output = Result<Visit, Error>>>> + 'static {
        move |visit| {
            let (this, checks) = (self.clone(), checks(&visit));
            Box::pin(async move {
                match <[Check; 1]>::try_from(checks) {
                    Ok([only]) => this.check(&visit.env, only).await?.granted()?,
                    Err(several) => this.check_all(&visit.env, several).await?.granted()?,
                }
                Ok(visit)
            })
        }
    }

    /// Returns the positions of the checks of each shard. Those with an empty key, which no shard
    /// decides, are apart, so that they do not decide about others.
    fn by_shard(&self, checks: &[Check]) -> Vec<Vec<usize>> {
        let mut shards: Vec<(String, Vec<usize>)> = Vec::new();
        for (place, check) in checks.iter().enumerate() {
            let shard = match check.key.is_empty() {
                true => String::new(),
                false => shard_name(&check.key, self.shards),
            };
            match shards.iter_mut().find(|(known, _)| *known == shard) {
                Some((_, places)) => places.push(place),
                None => shards.push((shard, vec![place])),
            }
        }
        shards.into_iter().map(|(_, places)| places).collect()
    }

    /// Decides checks of one shard.
    async fn check_shard(&self, env: &Env, checks: &[Check]) -> Result<Decisions, Error> {
        let why = if checks.iter().any(|check| check.key.is_empty()) {
            EMPTY_KEY.to_owned()
        } else {
            let answer = self.limiter(env, checks).check_all(checks.to_vec());
            match self.settle(env.timeout(self.timeout, answer).await)? {
                Ok(decisions) => return Ok(decisions),
                Err(why) => why,
            }
        };
        let decision = self.unavailable(&why);
        Ok(Decisions {
            allowed: decision.allowed,
            at: env.now(),
            retry_after_ms: decision.retry_after_ms,
            decisions: vec![decision; checks.len()],
        })
    }

    async fn give_back(&self, env: &Env, used: Vec<Used>) {
        for Used { costs, at } in used {
            let checks: Vec<Check> = costs.into_iter().map(|(check, _)| check).collect();
            if checks.is_empty() {
                continue;
            }
            let given = self.limiter(env, &checks).give_back(checks, at);
            match env.timeout(self.timeout, given).await {
                Some(Ok(())) => {}
                Some(Err(error)) => tracing::warn!(%error, "a rate limiter got no cost back"),
                None => tracing::warn!("a rate limiter got no cost back in time"),
            }
        }
    }

    /// Returns the shard of checks that have one.
    fn limiter(&self, env: &Env, checks: &[Check]) -> RateLimiterStub {
        let key = checks.first().map_or("", |check| &check.key);
        env.objects::<RateLimiter>().sharded(key, self.shards)
    }

    /// Returns the answer, or why there is none. Mistakes of the caller's are errors.
    fn settle<T>(
        &self,
        answer: Option<Result<T, CallError<Error>>>,
    ) -> Result<Result<T, String>, Error> {
        match answer {
            Some(Ok(answer)) => Ok(Ok(answer)),
            // A deployment that is not complete, which a guard that fails open bears.
            Some(Err(CallError::Application(error))) if error.status() == 404 && self.open => {
                Ok(Err(error.to_string()))
            }
            Some(Err(error @ CallError::Configuration(_))) if self.open => {
                Ok(Err(error.to_string()))
            }
            Some(Err(CallError::Application(error))) if error.status() < 500 => Err(error),
            Some(Err(error @ (CallError::Configuration(_) | CallError::CallCycle(_)))) => {
                Err(error.into())
            }
            Some(Err(error)) => Ok(Err(error.to_string())),
            None => Ok(Err("no answer in time".to_owned())),
        }
    }

    fn unavailable(&self, why: &str) -> Decision {
        tracing::warn!(why, open = self.open, "a rate limiter is unavailable");
        if self.open {
            Decision::all_left(None, Reason::Unavailable)
        } else {
            Decision::nothing_left(None, self.timeout, Reason::Unavailable)
        }
    }
}

/// Why a check without a key is not asked. It is a mistake of the deployment and not of the client:
/// a header that the edge should set, for one, is missing.
const EMPTY_KEY: &str = "the key is empty";

/// Costs that one shard has counted, with the positions of their checks.
struct Used {
    costs: Vec<(Check, usize)>,
    at: Timestamp,
}

impl Default for Guard {
    /// Creates a guard for 16 shards.
    fn default() -> Self {
        Self::new(16)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Guard")
            .field("shards", &self.shards)
            .field("timeout", &self.timeout)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// The key of the cache, besides the key of the check; see [`Rule`].
fn counter(rule: &Rule) -> String {
    match rule {
        Rule::Named(name) => name.clone(),
        Rule::Limit { name, policy } => {
            format!(
                "{name} {} {} {}",
                policy.algorithm.name(),
                policy.limit,
                policy.window_ms
            )
        }
        // The limit is included, because another limit over the same usage may not be exhausted.
        Rule::Given(policy) => {
            format!(
                "{} {} {}",
                policy.algorithm.name(),
                policy.limit,
                policy.window_ms
            )
        }
    }
}
