//! The Durable Object: keeps usages and settings, and asks the core.

use std::collections::BTreeMap;
use std::time::Duration;

use anchorhold::Storage;
use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

use super::core::{Decision, Reason};
use super::decide::{self, Applied};
use super::policy::{Algorithm, MAX_WINDOW_MS, Policy, check_range};
use super::request::{
    Check, Decisions, List, Listing, MAX_CHECKS, MAX_POLICIES, NamedPolicy, Override, Rule, Status,
    Terms, bad_request, check_key, check_policy_name,
};
use super::store::{Change, Store, TABLES};

/// Sweeps begin at whole multiples of this: stale rows lie for so long at most, and a key that
/// stays busy costs no sweep of its own.
const SWEEP_GRID_MS: i64 = 10_000;
/// Between two parts of a sweep that takes several: time for those who wait.
const SWEEP_PAUSE: Duration = Duration::from_millis(1);
/// The overrides or listings that one call returns.
const PAGE: u32 = 100;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredPolicy {
    policy: Policy,
    shadow: bool,
}

/// A limiter of many keys: a shard, if there are several.
///
/// Over HTTP, for a key of up to 256 bytes:
///
/// - `POST /{key}/check` with `{"algorithm", "limit", "window_ms", "cost"}` or `{"policy", "cost"}`
///   (`cost` is 1 unless given) answers 200 or 429, both with a [`Decision`];
/// - `GET /{key}` with the same in the query tells the decision and uses nothing;
/// - `DELETE /{key}` forgets what the key has used: 204.
///
/// Answers carry the fields `RateLimit` and `RateLimit-Policy`, a 429 also `Retry-After`. Settings
/// are changed by RPC only. They are this object's own: with several shards, each is told.
///
/// A limit, window or cost out of range is 400, and so is a cost over the limit, which would be
/// refused for ever. A policy that is not set is 404.
#[durable_object(migrations = [TABLES])]
pub struct RateLimiter {
    policies: BTreeMap<String, StoredPolicy>,
    overrides: StoredMap<String, Policy>,
    shadow_refusals: StoredMap<String, u64>,
    /// The pending sweep, as far as it is known.
    #[memory]
    sweep_at: Option<Timestamp>,
}

#[durable_object]
impl RateLimiter {
    /// Decides, and uses the cost if it is allowed.
    ///
    /// # Errors
    /// 400 if the check is out of range, 404 if its policy is not set.
    #[rpc]
    fn check(&mut self, ctx: &Ctx, check: Check) -> Result<Decision, Error> {
        let decisions = self.take(ctx, &[check])?;
        let only = decisions.into_iter().next();
        only.ok_or_else(|| Error::internal("a check has one decision"))
    }

    /// Decides up to 1,000 checks together: if one is refused, none uses anything. They may be of
    /// different keys of this object, and several of one key.
    ///
    /// # Errors
    /// As [`check`](RateLimiterStub::check), for any of them; nothing is used then.
    #[rpc]
    fn check_all(&mut self, ctx: &Ctx, checks: Vec<Check>) -> Result<Decisions, Error> {
        if checks.len() > MAX_CHECKS {
            return Err(bad_request(format!(
                "`checks` has {} entries, over the limit of {MAX_CHECKS}",
                checks.len()
            )));
        }
        let decisions = self.take(ctx, &checks)?;
        Ok(Decisions {
            allowed: decisions.iter().all(|decision| decision.allowed),
            retry_after_ms: decisions
                .iter()
                .map(|decision| decision.retry_after_ms)
                .max()
                .unwrap_or(0),
            decisions,
        })
    }

    /// Tells what [`check`](RateLimiterStub::check) would decide, and what is left; uses nothing.
    ///
    /// # Errors
    /// As [`check`](RateLimiterStub::check).
    #[rpc]
    fn peek(&self, ctx: &Ctx, check: Check) -> Result<Decision, Error> {
        let applied = self.applied(&check)?;
        let now = ctx.now();
        let (usage, listing) = store(ctx).read(&check.key, &applied.counter, now)?;
        Ok(applied.decide(listing.as_ref(), now, |policy| {
            policy.peek(&usage, check.cost, now)
        }))
    }

    /// Forgets what a key has used, under every limit.
    ///
    /// # Errors
    /// 400 if the key is too long.
    #[rpc]
    #[delete("/{key}")]
    fn reset(&mut self, ctx: &Ctx, key: &str) -> Result<(), Error> {
        check_key(key)?;
        Ok(store(ctx).forget(key)?)
    }

    #[post("/{key}/check")]
    #[expect(
        clippy::too_many_arguments,
        reason = "as one value, a body that is a list would be accepted"
    )]
    fn check_over_http(
        &mut self,
        ctx: &Ctx,
        key: String,
        policy: Option<String>,
        algorithm: Option<Algorithm>,
        limit: Option<u64>,
        window_ms: Option<u64>,
        cost: Option<u64>,
    ) -> Result<Response, Error> {
        let terms = Terms {
            policy,
            algorithm,
            limit,
            window_ms,
            cost,
        };
        let check = terms.check(key)?;
        let applied = self.applied(&check)?;
        let decision = self.check(ctx, check)?;
        applied.answer(if decision.allowed { 200 } else { 429 }, &decision)
    }

    #[get("/{key}")]
    fn peek_over_http(
        &self,
        ctx: &Ctx,
        key: String,
        #[query] terms: Terms,
    ) -> Result<Response, Error> {
        let check = terms.check(key)?;
        let applied = self.applied(&check)?;
        applied.answer(200, &self.peek(ctx, check)?)
    }

    /// Stores a policy under a name, or replaces it. In shadow it only watches: what it would refuse
    /// is let through, and counted. Takes effect with the next check; a changed limit counts what
    /// was used before, a changed algorithm or window begins at nothing.
    ///
    /// # Errors
    /// 400 if the name or the policy is out of range, 409 if there are 256 policies already.
    #[rpc]
    fn set_policy(
        &mut self,
        name: &str,
        policy: Policy,
        shadow: Option<bool>,
    ) -> Result<(), Error> {
        check_policy_name(name)?;
        policy.validate()?;
        if self.policies.len() >= MAX_POLICIES && !self.policies.contains_key(name) {
            return Err(Error::conflict(
                "too_many",
                format!("there are {MAX_POLICIES} policies already"),
            ));
        }
        let shadow = shadow.unwrap_or(false);
        self.policies
            .insert(name.to_owned(), StoredPolicy { policy, shadow });
        Ok(())
    }

    /// Removes a policy; whether there was one. Its overrides stay, for a policy of the same name.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn remove_policy(&mut self, name: &str) -> Result<bool, Error> {
        self.shadow_refusals.remove(&name.to_owned())?;
        Ok(self.policies.remove(name).is_some())
    }

    /// The stored policies, by name.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn policies(&self) -> Result<Vec<NamedPolicy>, Error> {
        self.policies
            .iter()
            .map(|(name, StoredPolicy { policy, shadow })| {
                Ok(NamedPolicy {
                    name: name.clone(),
                    policy: *policy,
                    shadow: *shadow,
                    shadow_refusals: self.shadow_refusals.get(name)?.unwrap_or(0),
                })
            })
            .collect()
    }

    /// Gives one key a limit of its own under a named policy.
    ///
    /// # Errors
    /// 400 if the key, the name or the policy is out of range.
    #[rpc]
    fn set_override(&mut self, name: &str, key: &str, policy: Policy) -> Result<(), Error> {
        check_policy_name(name)?;
        check_key(key)?;
        policy.validate()?;
        self.overrides.insert(&override_key(name, key), &policy)?;
        Ok(())
    }

    /// Takes a key's own limit back; whether there was one.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn remove_override(&mut self, name: &str, key: &str) -> Result<bool, Error> {
        check_policy_name(name)?;
        check_key(key)?;
        Ok(self.overrides.remove(&override_key(name, key))?.is_some())
    }

    /// Up to 100 overrides of a policy, in the order of their keys; the next ones `after` the last.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn overrides(&self, name: &str, after: Option<String>) -> Result<Vec<Override>, Error> {
        check_policy_name(name)?;
        let start = override_key(name, &after.unwrap_or_default());
        let prefix = override_key(name, "");
        let entries = self.overrides.entries(Some(&start), PAGE as usize + 1)?;
        Ok(entries
            .into_iter()
            .filter(|(entry, _)| *entry != start)
            .map_while(|(entry, policy)| {
                let key = entry.strip_prefix(&prefix)?.to_owned();
                Some(Override {
                    name: name.to_owned(),
                    key,
                    policy,
                })
            })
            .take(PAGE as usize)
            .collect())
    }

    /// Puts a key on the allow list or the deny list (and off the other), for some milliseconds (up
    /// to those of 366 days) or until it is taken off. Lists hold under every limit.
    ///
    /// # Errors
    /// 400 if the key or the time is out of range.
    #[rpc]
    fn put_on_list(
        &mut self,
        ctx: &Ctx,
        key: &str,
        list: List,
        for_ms: Option<u64>,
    ) -> Result<(), Error> {
        check_key(key)?;
        if let Some(millis) = for_ms {
            check_range("for_ms", millis, MAX_WINDOW_MS, " (366 days)")?;
        }
        let until = for_ms.map(|millis| ctx.now() + Duration::from_millis(millis));
        store(ctx).put_listing(&Listing {
            key: key.to_owned(),
            list,
            until,
        })?;
        self.sweep_after(ctx, until)
    }

    /// Takes a key off its list; whether it was on one.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn take_off_list(&mut self, ctx: &Ctx, key: &str) -> Result<bool, Error> {
        check_key(key)?;
        Ok(store(ctx).remove_listing(key, ctx.now())?)
    }

    /// Up to 100 keys on lists, in their order; the next ones `after` the last.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn listings(&self, ctx: &Ctx, after: Option<String>) -> Result<Vec<Listing>, Error> {
        Ok(store(ctx).listings(&after.unwrap_or_default(), ctx.now(), PAGE)?)
    }

    /// What is stored, and when it is swept. Counts rows: not for every request.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn status(&self, ctx: &Ctx) -> Result<Status, Error> {
        Ok(Status {
            usages: store(ctx).count()?,
            next_sweep: Self::schedules(ctx).next_sweep("")?,
        })
    }

    /// Forgets what has expired, some at a time. What is left decides when the next sweep is.
    #[alarm]
    fn sweep(&mut self, ctx: &Ctx) -> Result<(), Error> {
        self.sweep_at = None;
        match store(ctx).sweep(ctx.now())? {
            Some(next) if next <= ctx.now() => {
                Ok(Self::schedules(ctx).sweep().after(SWEEP_PAUSE)?)
            }
            next => self.sweep_after(ctx, next),
        }
    }
}

impl RateLimiter {
    fn take(&mut self, ctx: &Ctx, checks: &[Check]) -> Result<Vec<Decision>, Error> {
        let applied = checks
            .iter()
            .map(|check| self.applied(check))
            .collect::<Result<Vec<_>, _>>()?;
        let questions: Vec<_> = checks.iter().zip(&applied).collect();
        let (decisions, changes) = decide::together(&store(ctx), &questions, ctx.now())?;
        for (applied, decision) in applied.iter().zip(&decisions) {
            if decision.reason == Reason::Shadow {
                let refusals = self.shadow_refusals.get(&applied.name)?.unwrap_or(0);
                self.shadow_refusals
                    .insert(&applied.name, &(refusals + 1))?;
            }
        }
        self.keep(ctx, &changes)?;
        Ok(decisions)
    }

    /// Writes what has changed, all or nothing, and sees to it that it will be swept.
    fn keep(&mut self, ctx: &Ctx, changes: &[Change<'_>]) -> Result<(), Error> {
        let write = |storage: &Storage| {
            let store = Store(storage.sql());
            let mut earliest: Option<Timestamp> = None;
            for change in changes {
                let expires = store.write(change)?;
                earliest = [earliest, expires].into_iter().flatten().min();
            }
            Ok::<_, Error>(earliest)
        };
        let earliest = match changes {
            // One statement is all or nothing by itself.
            [] | [_] => write(&ctx.storage())?,
            _ => ctx.storage().transaction(write)?,
        };
        self.sweep_after(ctx, earliest)
    }

    /// Makes sure that a sweep follows soon after a time, if there is one.
    fn sweep_after(&mut self, ctx: &Ctx, time: Option<Timestamp>) -> Result<(), Error> {
        let Some(time) = time else { return Ok(()) };
        let now = ctx.now();
        let from = time.max(now).as_millis();
        let due = Timestamp::from_millis(
            (from.div_euclid(SWEEP_GRID_MS) + 1).saturating_mul(SWEEP_GRID_MS),
        );
        // One that should have run by now is known to the schedule only: it may be on its way,
        // waiting to be retried, or given up.
        let pending = match self.sweep_at.filter(|at| *at > now) {
            Some(at) => Some(at),
            None => Self::schedules(ctx).next_sweep("")?,
        };
        if pending.is_none_or(|at| due < at) {
            Self::schedules(ctx).sweep().at(due)?;
            self.sweep_at = Some(due);
        } else {
            self.sweep_at = pending;
        }
        Ok(())
    }

    /// The limit that a check is under, with everything in its range.
    fn applied(&self, check: &Check) -> Result<Applied, Error> {
        check_key(&check.key)?;
        let applied = match &check.rule {
            Rule::Given(policy) => {
                policy.validate()?;
                let name = policy.algorithm.name().to_owned();
                let counter = format!("{name} {}", policy.window_ms);
                Applied {
                    policy: *policy,
                    name,
                    counter,
                    shadow: false,
                }
            }
            Rule::Named(name) => {
                check_policy_name(name)?;
                let stored = self.policies.get(name).ok_or_else(|| {
                    Error::not_found(format!("no policy `{name}` is set in this limiter"))
                })?;
                let own = self.overrides.get(&override_key(name, &check.key))?;
                let policy = own.unwrap_or(stored.policy);
                let counter = format!("{name} {} {}", policy.algorithm.name(), policy.window_ms);
                Applied {
                    policy,
                    name: name.clone(),
                    counter,
                    shadow: stored.shadow,
                }
            }
        };
        applied.policy.validate_cost(check.cost)?;
        Ok(applied)
    }
}

fn store(ctx: &Ctx) -> Store {
    Store(ctx.storage().sql())
}

/// No policy's name has a slash.
fn override_key(name: &str, key: &str) -> String {
    format!("{name}/{key}")
}
