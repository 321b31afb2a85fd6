//! The Durable Object: stores usages and settings, and asks the core.

use std::collections::BTreeMap;
use std::time::Duration;

use anchorhold::Storage;
use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

use super::core::{Decision, Reason};
use super::decide::{self, Applied};
use super::policy::{MAX_WINDOW_MS, Policy, check_range};
use super::request::{
    Check, Decisions, List, Listing, MAX_CHECKS, MAX_POLICIES, NamedPolicy, Override, Rule, Status,
    Terms, bad_request, check_key, check_policy_name,
};
use super::store::{Change, Store, TABLES};

/// Sweeps start at multiples of this. Stale rows are kept for at most this long, and a key that
/// stays busy does not cause additional sweeps.
const SWEEP_GRID_MS: i64 = 10_000;
/// The pause between two parts of a long sweep, in which waiting calls are served.
const SWEEP_PAUSE: Duration = Duration::from_millis(1);
/// The number of overrides or listings that one call returns.
const PAGE: u32 = 100;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredPolicy {
    policy: Policy,
    shadow: bool,
}

/// A limiter for many keys, or one shard of it.
///
/// The app and its objects ask it by RPC, mostly through a [`Guard`](super::Guard). A mount lets
/// clients only look: `GET /{key}` with the fields `algorithm`, `limit`, `window_ms` and `cost`, or
/// `policy` and `cost`, in the query answers 200 with a [`Decision`] and the fields `RateLimit` and
/// `RateLimit-Policy`, and uses nothing. A client can neither use up quota, its own or another's,
/// nor reset it.
///
/// Settings belong to one object: with several shards, change them in each.
///
/// A limit, window or cost out of range is 400. So is a cost over the limit, which would always be
/// refused. A policy that is not set is 404.
#[durable_object(migrations = [TABLES])]
pub struct RateLimiter {
    policies: BTreeMap<String, StoredPolicy>,
    overrides: StoredMap<String, Policy>,
    shadow_refusals: StoredMap<String, u64>,
    /// The pending sweep, if it is known.
    #[memory]
    sweep_at: Option<Timestamp>,
}

#[durable_object]
impl RateLimiter {
    /// Decides a check, and uses its cost if it is allowed.
    ///
    /// # Errors
    /// 400 if the check is out of range, 404 if its policy is not set.
    #[rpc]
    fn check(&mut self, ctx: &Ctx, check: Check) -> Result<Decision, Error> {
        let decisions = self.take(ctx, &[check])?;
        let only = decisions.into_iter().next();
        only.ok_or_else(|| Error::internal("a check has one decision"))
    }

    /// Decides up to 1,000 checks together. If one is refused, no quota is used. The checks may be
    /// of different keys of this object, and several may be of one key.
    ///
    /// # Errors
    /// As [`check`](RateLimiterStub::check), for any of them. No quota is used then.
    #[rpc]
    fn check_all(&mut self, ctx: &Ctx, checks: Vec<Check>) -> Result<Decisions, Error> {
        check_count(&checks)?;
        let decisions = self.take(ctx, &checks)?;
        Ok(Decisions {
            allowed: decisions.iter().all(|decision| decision.allowed),
            at: ctx.now(),
            retry_after_ms: decisions
                .iter()
                .map(|decision| decision.retry_after_ms)
                .max()
                .unwrap_or(0),
            decisions,
        })
    }

    /// Gives back the costs of checks that were allowed at the time `at`
    /// ([`Decisions::at`]), as far as they still count. Call it at most once per check: it does not
    /// know whether the checks were made. If the call fails, the costs count until they expire.
    ///
    /// # Errors
    /// As [`check_all`](RateLimiterStub::check_all). Nothing is given back then.
    #[rpc]
    fn give_back(&mut self, ctx: &Ctx, checks: Vec<Check>, at: Timestamp) -> Result<(), Error> {
        check_count(&checks)?;
        let (now, store) = (ctx.now(), store(ctx));
        for check in &checks {
            let applied = self.applied(check)?;
            let (mut usage, _) = store.read(&check.key, &applied.counter, now)?;
            applied.policy.give_back(&mut usage, check.cost, at, now);
            let change = Change {
                key: &check.key,
                counter: &applied.counter,
                usage,
                policy: applied.policy,
                is_new: false,
            };
            store.write(&change, now)?;
        }
        Ok(())
    }

    /// Returns what [`check`](RateLimiterStub::check) would decide, and the quota that is left.
    /// Uses nothing.
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

    /// Resets the usage of a key, under every limit.
    ///
    /// # Errors
    /// 400 if the key is too long.
    #[rpc]
    fn reset(&mut self, ctx: &Ctx, key: &str) -> Result<(), Error> {
        check_key(key)?;
        Ok(store(ctx).forget(key)?)
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

    /// Stores a policy under a name, or replaces it. In shadow mode, requests that it would refuse
    /// are allowed and counted. The policy takes effect with the next check. After a change of the
    /// limit, earlier usage still counts. After a change of the algorithm or window, counting
    /// starts at zero.
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
                format!("this limiter has {MAX_POLICIES} policies, which is the limit; remove one"),
            ));
        }
        let shadow = shadow.unwrap_or(false);
        self.policies
            .insert(name.to_owned(), StoredPolicy { policy, shadow });
        Ok(())
    }

    /// Removes a policy. Returns `true` if it existed. Its overrides are kept for a policy of the
    /// same name.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn remove_policy(&mut self, name: &str) -> Result<bool, Error> {
        self.shadow_refusals.remove(&name.to_owned())?;
        Ok(self.policies.remove(name).is_some())
    }

    /// Returns the stored policies, by name.
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

    /// Sets the limit of one key under a named policy.
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

    /// Removes a key's own limit. Returns `true` if it had one.
    ///
    /// # Errors
    /// 400 if the key or the name is out of range, or storage failed.
    #[rpc]
    fn remove_override(&mut self, name: &str, key: &str) -> Result<bool, Error> {
        check_policy_name(name)?;
        check_key(key)?;
        Ok(self.overrides.remove(&override_key(name, key))?.is_some())
    }

    /// Returns up to 100 overrides of a policy, in the order of their keys. For the next page, pass
    /// the last key as `after`.
    ///
    /// # Errors
    /// 400 if the name is out of range, or storage failed.
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

    /// Puts a key on the allow list or the deny list, and removes it from the other. It stays there
    /// for `for_ms` milliseconds (up to 366 days), or until it is removed. Lists apply under every
    /// limit.
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

    /// Removes a key from its list. Returns `true` if it was on one.
    ///
    /// # Errors
    /// 400 if the key is out of range, or storage failed.
    #[rpc]
    fn take_off_list(&mut self, ctx: &Ctx, key: &str) -> Result<bool, Error> {
        check_key(key)?;
        Ok(store(ctx).remove_listing(key, ctx.now())?)
    }

    /// Returns up to 100 listed keys, in their order. For the next page, pass the last key as
    /// `after`.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn listings(&self, ctx: &Ctx, after: Option<String>) -> Result<Vec<Listing>, Error> {
        Ok(store(ctx).listings(&after.unwrap_or_default(), ctx.now(), PAGE)?)
    }

    /// Returns how much is stored, and when it is swept. It counts rows, so do not call it for
    /// every request.
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

    /// Deletes a part of the expired rows. The next sweep depends on the rows that are left.
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

    /// Writes the changes atomically, and schedules their sweep.
    fn keep(&mut self, ctx: &Ctx, changes: &[Change<'_>]) -> Result<(), Error> {
        let now = ctx.now();
        let write = |storage: &Storage| {
            let store = Store(storage.sql());
            let mut earliest: Option<Timestamp> = None;
            for change in changes {
                let expires = store.write(change, now)?;
                earliest = [earliest, expires].into_iter().flatten().min();
            }
            Ok::<_, Error>(earliest)
        };
        let earliest = match changes {
            // A single statement is atomic without a transaction.
            [] | [_] => write(&ctx.storage())?,
            _ => ctx.storage().transaction(write)?,
        };
        self.sweep_after(ctx, earliest)
    }

    /// Ensures that a sweep follows soon after a time, if there is one.
    fn sweep_after(&mut self, ctx: &Ctx, time: Option<Timestamp>) -> Result<(), Error> {
        let Some(time) = time else { return Ok(()) };
        let now = ctx.now();
        let from = time.max(now).as_millis();
        let due = Timestamp::from_millis(
            (from.div_euclid(SWEEP_GRID_MS) + 1).saturating_mul(SWEEP_GRID_MS),
        );
        // If the sweep should have run by now, only the schedule knows its state: it may be
        // starting, waiting for a retry, or dropped.
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

    /// Returns the limit that applies to a check. Checks every range.
    fn applied(&self, check: &Check) -> Result<Applied, Error> {
        check_key(&check.key)?;
        let (name, given) = match &check.rule {
            Rule::Named(name) => (name, None),
            Rule::Limit { name, policy } => (name, Some(*policy)),
            Rule::Given(policy) => {
                policy.validate()?;
                policy.validate_cost(check.cost)?;
                let name = policy.algorithm.name().to_owned();
                // Without a name, only its quantities distinguish a limit from others.
                let counter = format!("{name} {} {}", policy.limit, policy.window_ms);
                return Ok(Applied {
                    policy: *policy,
                    name,
                    counter,
                    shadow: false,
                });
            }
        };
        check_policy_name(name)?;
        if let Some(policy) = given {
            policy.validate()?;
        }
        let stored = self.policies.get(name);
        let common = stored.map(|stored| stored.policy).or(given);
        let own = self.overrides.get(&override_key(name, &check.key))?;
        let policy = common.map(|common| own.unwrap_or(common)).ok_or_else(|| {
            Error::not_found(format!("no policy `{name}` is set in this limiter"))
        })?;
        let applied = Applied {
            policy,
            name: name.clone(),
            counter: format!("{name} {} {}", policy.algorithm.name(), policy.window_ms),
            shadow: stored.is_some_and(|stored| stored.shadow),
        };
        applied.policy.validate_cost(check.cost)?;
        Ok(applied)
    }
}

fn check_count(checks: &[Check]) -> Result<(), Error> {
    if checks.len() <= MAX_CHECKS {
        return Ok(());
    }
    Err(bad_request(format!(
        "`checks` has {} entries, over the limit of {MAX_CHECKS}",
        checks.len()
    )))
}

fn store(ctx: &Ctx) -> Store {
    Store(ctx.storage().sql())
}

/// Unambiguous, because the name of a policy cannot contain a slash.
fn override_key(name: &str, key: &str) -> String {
    format!("{name}/{key}")
}
