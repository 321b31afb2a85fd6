//! From checks to decisions: lists are applied before the limit, shadow mode after it. Several
//! checks are decided together.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use super::core::{Decision, Reason};
use super::policy::Policy;
use super::request::{Check, List, Listing};
use super::store::{Change, Store};
use super::usage::Usage;
use crate::objects::millis::millis;
use crate::{Error, Response, Timestamp};

/// The limit that applies to one check.
pub(super) struct Applied {
    pub(super) policy: Policy,
    /// Its name in header fields.
    pub(super) name: String,
    /// The name under which the key's usage is stored.
    pub(super) counter: String,
    pub(super) shadow: bool,
}

/// Checks with the limits that apply to them.
pub(super) type Questions<'a> = [(&'a Check, &'a Applied)];

/// The usage of a key under one counter, before and after the current checks.
struct Account {
    policy: Policy,
    before: Usage,
    after: Usage,
    listing: Option<Listing>,
}

impl Applied {
    /// Decides by the lists, or else by the limit.
    pub(super) fn decide(
        &self,
        listing: Option<&Listing>,
        now: Timestamp,
        limit: impl FnOnce(&Policy) -> Decision,
    ) -> Decision {
        if let Some(listing) = listing {
            return self.listed(listing, now);
        }
        let decision = limit(&self.policy);
        if decision.allowed || !self.shadow {
            return decision;
        }
        Decision {
            allowed: true,
            retry_after_ms: 0,
            reason: Reason::Shadow,
            ..decision
        }
    }

    /// Returns the HTTP response: the decision as JSON, and the rate limit header fields.
    pub(super) fn answer(&self, status: u16, decision: &Decision) -> Result<Response, Error> {
        Ok(decision.tell(Response::json(status, decision)?, &self.name))
    }

    fn listed(&self, listing: &Listing, now: Timestamp) -> Decision {
        match listing.list {
            List::Allow => Decision::all_left(Some(&self.policy), Reason::AllowListed),
            List::Deny => {
                // A listing without an end does not have a right time to retry. One window later is
                // not too often.
                let wait = listing
                    .until
                    .map_or(self.policy.window(), |until| until - now);
                Decision::nothing_left(Some(&self.policy), wait, Reason::DenyListed)
            }
        }
    }
}

/// Decisions that do not depend on a usage.
impl Decision {
    pub(super) fn all_left(policy: Option<&Policy>, reason: Reason) -> Self {
        let limit = policy.map_or(0, |policy| policy.limit);
        Self {
            allowed: true,
            limit,
            window_ms: policy.map_or(0, |policy| policy.window_ms),
            remaining: limit,
            reset_ms: 0,
            retry_after_ms: 0,
            reason,
        }
    }

    pub(super) fn nothing_left(policy: Option<&Policy>, wait: Duration, reason: Reason) -> Self {
        let wait = millis(wait);
        Self {
            allowed: false,
            limit: policy.map_or(0, |policy| policy.limit),
            window_ms: policy.map_or(0, |policy| policy.window_ms),
            remaining: 0,
            reset_ms: wait,
            retry_after_ms: wait,
            reason,
        }
    }
}

/// Decides all checks. The changes to be stored are empty unless all are allowed.
pub(super) fn together<'a>(
    store: &Store,
    questions: &Questions<'a>,
    now: Timestamp,
) -> Result<(Vec<Decision>, Vec<Change<'a>>), Error> {
    let mut accounts: BTreeMap<(&str, &str), Account> = BTreeMap::new();
    let mut decisions = Vec::with_capacity(questions.len());
    for (check, applied) in questions {
        let account = match accounts.entry((&check.key, &applied.counter)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let (before, listing) = store.read(&check.key, &applied.counter, now)?;
                let (policy, after) = (applied.policy, before.clone());
                unknown.insert(Account {
                    policy,
                    before,
                    after,
                    listing,
                })
            }
        };
        account.policy = applied.policy;
        decisions.push(applied.decide(account.listing.as_ref(), now, |policy| {
            policy.take(&mut account.after, check.cost, now)
        }));
    }
    if decisions.iter().all(|decision| decision.allowed) {
        let used = accounts
            .into_iter()
            .filter(|(_, account)| account.before != account.after);
        let mut changes = Vec::new();
        for ((key, counter), account) in used {
            changes.push(Change {
                key,
                counter,
                usage: account.after,
                policy: account.policy,
                is_new: account
                    .before
                    .expires(&account.policy)
                    .is_none_or(|end| end <= now),
            });
        }
        return Ok((decisions, changes));
    }
    for ((check, applied), decision) in questions.iter().zip(&mut decisions) {
        if decision.allowed
            && let Some(account) = accounts.get(&(check.key.as_str(), applied.counter.as_str()))
        {
            *decision = Decision {
                allowed: false,
                retry_after_ms: 0,
                reason: Reason::OtherRefused,
                ..applied.policy.peek(&account.before, check.cost, now)
            };
        }
    }
    Ok((decisions, Vec::new()))
}
