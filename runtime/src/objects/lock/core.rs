//! The decisions of a lock: state, queue and time in, leases out. It does no I/O and uses neither a
//! clock nor randomness.
//!
//! [`State`] must be durable: keep it in storage, and write it before a response leaves. [`Queue`]
//! holds the waiting requests and may be lost: its callers retry with the same request id. For each
//! event, an object that embeds them does this:
//!
//! 1. Call [`State::advance`] with the current time, which ends expired leases.
//! 2. Carry out the request: [`enter`](State::enter), [`renew`](State::renew),
//!    [`release`](State::release), [`cancel`](State::cancel) or
//!    [`break_leases`](State::break_leases).
//! 3. Call [`State::hand_over`], which grants the lock to the next request.
//! 4. If [`State::differs_from`] what was loaded, store it, and set an alarm for
//!    [`State::next_change`]. Then answer the callers whose leases were granted.
//!
//! # Time
//! The state keeps its own time, which is monotonic. If the host's clock steps back, the lock's
//! time continues from where it was. A backwards step therefore makes leases last longer and never
//! shorter. Leases that exclude each other do not overlap in this time. Times in responses are
//! converted to the host's clock.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use anchorhold::Timestamp;
use serde::{Deserialize, Serialize};

use super::request::{
    Acquire, Cancelled, Holder, InQueue, Inspection, Lease, Mode, Release, Renew, Status,
};
use super::{LockError, Obstacle};
use crate::objects::millis::millis;

/// The maximum number of waiting requests. The next one is refused as overloaded.
pub const MAX_WAITING: usize = 1_000;
/// The maximum number of waiting requests of one holder.
pub const MAX_WAITING_OF_HOLDER: usize = 100;
/// The maximum number of concurrent shared leases. The next request waits.
pub const MAX_SHARED: usize = 128;

/// The durable part of a lock. The default is a lock that was never held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    clock: Clock,
    /// The newest token. It outlives every lease, so that tokens always increase.
    token: u64,
    leases: Vec<Granted>,
    delayed_until: Option<Timestamp>,
}

/// The lock's own time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Clock {
    reached: Timestamp,
    /// The total by which the host's clock has stepped back.
    ahead_ms: u64,
}

/// A lease as the lock stores it, in the lock's own time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Granted {
    holder: String,
    request_id: Option<String>,
    mode: Mode,
    token: u64,
    secret: String,
    since: Timestamp,
    expires_at: Timestamp,
    lock_delay_ms: u64,
}

impl Clock {
    fn advance(&mut self, now: Timestamp) {
        let own = now + Duration::from_millis(self.ahead_ms);
        let stepped_back = self.reached - own;
        self.ahead_ms = self.ahead_ms.saturating_add(millis(stepped_back));
        self.reached = self.reached.max(own);
    }

    fn on_the_host(self, time: Timestamp) -> Timestamp {
        time - Duration::from_millis(self.ahead_ms)
    }
}

impl State {
    /// Sets the current time. Ends the leases and the lock-delay that are over.
    pub fn advance(&mut self, now: Timestamp) {
        self.clock.advance(now);
        let reached = self.clock.reached;
        let (living, expired) = std::mem::take(&mut self.leases)
            .into_iter()
            .partition(|lease| reached < lease.expires_at);
        self.leases = living;
        let expired: Vec<Granted> = expired;
        for lease in &expired {
            self.delay_after(lease, lease.expires_at);
        }
        self.delayed_until = self.delayed_until.filter(|until| reached < *until);
    }

    fn delay_after(&mut self, lease: &Granted, end: Timestamp) {
        if lease.lock_delay_ms > 0 {
            let until = end + Duration::from_millis(lease.lock_delay_ms);
            self.delayed_until = self.delayed_until.max(Some(until));
        }
    }

    /// Adds a request to the end of the queue. A repeated request takes its earlier place in the
    /// queue, or gets its existing lease.
    ///
    /// # Errors
    /// - [`LockError::Invalid`] or [`LockError::RequestConflict`].
    /// - [`LockError::Held`] if the request would have to wait and its `wait_ms` is 0.
    /// - [`LockError::Overloaded`] if the queue is full, [`LockError::TooManyWaiting`] if 100 requests
    ///   of the holder wait already.
    pub fn enter(&self, queue: &mut Queue, request: Acquire) -> Result<Entered, LockError> {
        request.check()?;
        if let Some(id) = &request.request_id {
            let same = |holder: &str, mode| {
                (holder == request.holder && mode == request.mode)
                    .then_some(())
                    .ok_or(LockError::RequestConflict)
            };
            if let Some(lease) = self
                .leases
                .iter()
                .find(|lease| lease.request_id.as_ref() == Some(id))
            {
                same(&lease.holder, lease.mode)?;
                return Ok(Entered::Holds(self.answer(lease)));
            }
            if let Some(index) = queue.position_of(id) {
                let before = &queue.waiting[index];
                same(&before.request.holder, before.request.mode)?;
                let (since, replaced) = (before.since, before.ticket);
                let ticket = queue.next_ticket();
                queue.waiting[index] = Waiting {
                    ticket,
                    request,
                    since,
                };
                return Ok(Entered::Waits {
                    ticket,
                    replaced: Some(replaced),
                });
            }
        }
        if request.wait_ms == 0 && !(queue.is_empty() && self.admits(request.mode)) {
            let obstacle = self.obstacle(queue.len(), &request.holder);
            return Err(LockError::Held(obstacle));
        }
        if queue.len() >= MAX_WAITING {
            return Err(LockError::Overloaded(MAX_WAITING));
        }
        if queue.waiting_of(&request.holder) >= MAX_WAITING_OF_HOLDER {
            return Err(LockError::TooManyWaiting(MAX_WAITING_OF_HOLDER));
        }
        let ticket = queue.next_ticket();
        queue.waiting.push_back(Waiting {
            ticket,
            request,
            since: self.clock.reached,
        });
        Ok(Entered::Waits {
            ticket,
            replaced: None,
        })
    }

    /// Grants the lock to the requests at the head of the queue that can have it: one exclusive
    /// request, or the shared ones up to the next exclusive one. Requests are served in order of
    /// arrival, so neither mode starves.
    ///
    /// `secret` generates the secret of a lease. Each must be unguessable and unique.
    pub fn hand_over(
        &mut self,
        queue: &mut Queue,
        mut secret: impl FnMut() -> String,
    ) -> Vec<(Ticket, Lease)> {
        let mut handed = Vec::new();
        while queue
            .waiting
            .front()
            .is_some_and(|first| self.admits(first.request.mode))
            && let Some(Waiting {
                ticket, request, ..
            }) = queue.waiting.pop_front()
        {
            handed.push((ticket, self.grant(request, secret())));
        }
        handed
    }

    /// Enters and grants a request in one step, for a lock without a queue. Call
    /// [`advance`](Self::advance) first.
    ///
    /// # Errors
    /// As [`enter`](Self::enter), or [`LockError::Held`].
    pub fn try_acquire(
        &mut self,
        request: Acquire,
        secret: impl FnMut() -> String,
    ) -> Result<Lease, LockError> {
        let mut queue = Queue::default();
        let holder = request.holder.clone();
        match self.enter(&mut queue, request)? {
            Entered::Holds(lease) => Ok(lease),
            Entered::Waits { .. } => self
                .hand_over(&mut queue, secret)
                .pop()
                .map(|(_, lease)| lease)
                .ok_or_else(|| LockError::Held(self.obstacle(0, &holder))),
        }
    }

    fn admits(&self, mode: Mode) -> bool {
        let beside_others = match mode {
            Mode::Exclusive => self.leases.is_empty(),
            Mode::Shared => {
                self.leases.len() < MAX_SHARED
                    && self.leases.iter().all(|lease| lease.mode == Mode::Shared)
            }
        };
        beside_others && self.delayed_until.is_none()
    }

    fn grant(&mut self, request: Acquire, secret: String) -> Lease {
        let since = self.clock.reached;
        // After the restore of a backup, the newest token is an old one. No token that was granted
        // since the backup is over the time at which it was granted, unless tokens were granted
        // faster than one per millisecond.
        let floor = u64::try_from(since.as_millis()).unwrap_or(0);
        self.token = floor.max(self.token + 1);
        let lease = Granted {
            holder: request.holder,
            request_id: request.request_id,
            mode: request.mode,
            token: self.token,
            secret,
            since,
            expires_at: since + Duration::from_millis(request.ttl_ms),
            lock_delay_ms: request.lock_delay_ms,
        };
        let answer = self.answer(&lease);
        self.leases.push(lease);
        answer
    }

    fn answer(&self, lease: &Granted) -> Lease {
        Lease {
            token: lease.token,
            lease: lease.secret.clone(),
            expires_at: self.clock.on_the_host(lease.expires_at),
        }
    }

    /// Extends a lease to `ttl_ms` from now, which may be less than it had left.
    ///
    /// # Errors
    /// [`LockError::Invalid`] or [`LockError::Lost`].
    pub fn renew(&mut self, request: &Renew) -> Result<Lease, LockError> {
        super::request::check_ttl(request.ttl_ms)?;
        let index = self.find(&request.lease, request.holder.as_deref(), request.token)?;
        let expires_at = self.clock.reached + Duration::from_millis(request.ttl_ms);
        self.leases[index].expires_at = expires_at;
        Ok(self.answer(&self.leases[index]))
    }

    /// Ends a lease. The next request can have the lock immediately.
    ///
    /// # Errors
    /// [`LockError::Lost`].
    pub fn release(&mut self, request: &Release) -> Result<(), LockError> {
        let index = self.find(&request.lease, request.holder.as_deref(), request.token)?;
        self.leases.remove(index);
        Ok(())
    }

    /// Returns the active lease with this secret. Compares every lease, so that the duration
    /// reveals nothing about any secret.
    fn find(
        &self,
        secret: &str,
        holder: Option<&str>,
        token: Option<u64>,
    ) -> Result<usize, LockError> {
        let mut found = None;
        for (index, lease) in self.leases.iter().enumerate() {
            if is_same_secret(&lease.secret, secret) {
                found = Some(index);
            }
        }
        found
            .filter(|index| {
                let lease = &self.leases[*index];
                holder.is_none_or(|holder| holder == lease.holder)
                    && token.is_none_or(|token| token == lease.token)
            })
            .ok_or(LockError::Lost)
    }

    /// Cancels a request: removes it from the queue, or releases its lease if it was granted.
    pub fn cancel(&mut self, queue: &mut Queue, request_id: &str) -> (Cancelled, Option<Ticket>) {
        if let Some(index) = queue.position_of(request_id) {
            let ticket = queue.waiting.remove(index).map(|waiting| waiting.ticket);
            return (Cancelled::Waiting, ticket);
        }
        let before = self.leases.len();
        self.leases
            .retain(|lease| lease.request_id.as_deref() != Some(request_id));
        if self.leases.len() < before {
            (Cancelled::Granted, None)
        } else {
            (Cancelled::Unknown, None)
        }
    }

    /// Ends every lease, and returns them. Their holders are not notified, as after an expiry, so
    /// their lock-delays start.
    pub fn break_leases(&mut self) -> Vec<Holder> {
        let leases = std::mem::take(&mut self.leases);
        for lease in &leases {
            self.delay_after(lease, self.clock.reached);
        }
        leases.iter().map(|lease| self.holder(lease)).collect()
    }

    /// Returns when [`advance`](Self::advance) will next change something, by the host's clock.
    /// Returns `None` without leases and lock-delay.
    #[must_use]
    pub fn next_change(&self) -> Option<Timestamp> {
        self.leases
            .iter()
            .map(|lease| lease.expires_at)
            .chain(self.delayed_until)
            .min()
            .map(|time| self.clock.on_the_host(time))
    }

    /// Returns `true` if the state must be stored: something was decided, or the host's clock
    /// stepped back. The passage of time alone is not worth a write.
    #[must_use]
    pub fn differs_from(&self, before: &Self) -> bool {
        let decided = |state: &Self| (state.clock.ahead_ms, state.token, state.delayed_until);
        decided(self) != decided(before) || self.leases != before.leases
    }

    /// Returns `true` if the lease with this token is active.
    #[must_use]
    pub fn has_lease(&self, token: u64) -> bool {
        self.leases.iter().any(|lease| lease.token == token)
    }

    /// Returns what a request of `holder` has to wait for, with `ahead` requests before it.
    #[must_use]
    pub fn obstacle(&self, ahead: usize, holder: &str) -> Obstacle {
        let last = self.leases.iter().map(|lease| lease.expires_at).max();
        match (self.leases.last(), last, self.delayed_until) {
            (Some(newest), Some(last), _) => Obstacle::Lease {
                holder: newest.holder.clone(),
                expires_at: self.clock.on_the_host(last),
                own: self.leases.iter().any(|lease| lease.holder == holder),
            },
            (_, _, Some(until)) => Obstacle::Delay {
                until: self.clock.on_the_host(until),
            },
            _ => Obstacle::Queue { waiting: ahead },
        }
    }

    /// Returns the public information.
    #[must_use]
    pub fn status(&self, queue: &Queue) -> Status {
        let last = self.leases.iter().map(|lease| lease.expires_at).max();
        Status {
            held: !self.leases.is_empty(),
            holder: self.leases.last().map(|lease| lease.holder.clone()),
            token: self.token,
            expires_at: last.map(|time| self.clock.on_the_host(time)),
            waiting: queue.len(),
        }
    }

    /// Returns everything except secrets and request ids.
    #[must_use]
    pub fn inspect(&self, queue: &Queue) -> Inspection {
        let in_queue = |waiting: &Waiting| InQueue {
            holder: waiting.request.holder.clone(),
            mode: waiting.request.mode,
            since: self.clock.on_the_host(waiting.since),
        };
        Inspection {
            leases: self.leases.iter().map(|lease| self.holder(lease)).collect(),
            queue: queue.waiting.iter().map(in_queue).collect(),
            delayed_until: self.delayed_until.map(|time| self.clock.on_the_host(time)),
            token: self.token,
        }
    }

    fn holder(&self, lease: &Granted) -> Holder {
        Holder {
            holder: lease.holder.clone(),
            mode: lease.mode,
            token: lease.token,
            since: self.clock.on_the_host(lease.since),
            expires_at: self.clock.on_the_host(lease.expires_at),
        }
    }
}

/// Identifies a waiting call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// The result of [`State::enter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The request already has its lease.
    Holds(Lease),
    /// The request waits.
    Waits {
        /// The call's ticket in the queue.
        ticket: Ticket,
        /// An earlier call of the same request, which no longer waits.
        replaced: Option<Ticket>,
    },
}

/// The waiting requests, in order of arrival. It is kept in memory only; if it is lost, continue
/// with an empty one.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    last_ticket: u64,
    waiting: VecDeque<Waiting>,
}

#[derive(Clone, Debug)]
struct Waiting {
    ticket: Ticket,
    request: Acquire,
    since: Timestamp,
}

impl Queue {
    fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    fn position_of(&self, request_id: &str) -> Option<usize> {
        self.waiting
            .iter()
            .position(|waiting| waiting.request.request_id.as_deref() == Some(request_id))
    }

    fn waiting_of(&self, holder: &str) -> usize {
        let of_holder = |waiting: &&Waiting| waiting.request.holder == holder;
        self.waiting.iter().filter(of_holder).count()
    }

    /// Removes a call that no longer waits. Returns how many were before it, or `None` if it was
    /// not in the queue.
    pub fn leave(&mut self, ticket: Ticket) -> Option<usize> {
        let index = self
            .waiting
            .iter()
            .position(|waiting| waiting.ticket == ticket)?;
        self.waiting.remove(index);
        Some(index)
    }

    /// Returns the number of waiting requests.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns `true` if the queue is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Compares in a time that depends only on the lengths.
fn is_same_secret(ours: &str, theirs: &str) -> bool {
    let difference = ours
        .bytes()
        .zip(theirs.bytes())
        .fold(0, |difference, (ours, theirs)| {
            black_box(difference | (ours ^ theirs))
        });
    ours.len() == theirs.len() && difference == 0
}
