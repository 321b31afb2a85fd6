//! The decisions of a lock: state, queue and time in, leases out. No I/O, no clock, no randomness.
//!
//! [`State`] is what must survive everything; keep it in storage, and write it before an answer
//! leaves. [`Queue`] is who waits, and may be lost: who waited comes again with the same request
//! id. An object of your own that embeds them does, for each event:
//!
//! 1. [`State::advance`] to the present, which ends what has expired;
//! 2. what the event asks for: [`enter`](State::enter), [`renew`](State::renew),
//!    [`release`](State::release), [`cancel`](State::cancel), [`break_leases`](State::break_leases);
//! 3. [`State::hand_over`], which gives the lock to the next request;
//! 4. if [`State::differs_from`] what was loaded: store it, and see to it that the object wakes at
//!    [`State::next_change`]; then answer those who got a lease.
//!
//! # Time
//! The state keeps a time of its own, which never runs backwards: where the host's clock steps
//! back, it goes on from where it was. So a step back makes leases last longer, never shorter, and
//! leases that exclude each other do not overlap in this time. What is told to callers is
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

/// How many requests wait at most; the next one is refused as overloaded.
pub const MAX_WAITING: usize = 1_000;
/// How many shared leases live at most; the next one waits.
pub const MAX_SHARED: usize = 128;

/// The durable half of a lock. The default is a lock that was never held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    clock: Clock,
    /// The newest token. It outlives every lease, which is what makes tokens increase for ever.
    token: u64,
    leases: Vec<Granted>,
    delayed_until: Option<Timestamp>,
}

/// The lock's own time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Clock {
    reached: Timestamp,
    /// By how much the host's clock has stepped back since, all in all.
    ahead_ms: u64,
}

/// A lease as the lock remembers it, in the lock's own time.
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
    /// Moves to the present, and ends the leases and the lock-delay that are over.
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

    /// Lets a request into the queue, at its end or in the place that the same request has there;
    /// or finds the lease that it has already.
    ///
    /// # Errors
    /// [`LockError::Invalid`], [`LockError::RequestConflict`]; [`LockError::Held`] if it would have to
    /// wait and does not; [`LockError::Overloaded`] if the queue is full.
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

    /// Gives the lock to those at the head of the queue that it admits: one exclusive request, or
    /// the shared ones up to the next exclusive one. The order is that of arrival, so neither starves.
    ///
    /// `secret` makes the secret of a lease: unguessable, and another for each.
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

    /// All of it in one, for a lock without waiting requests; call [`advance`](Self::advance) first.
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
        self.token += 1;
        let since = self.clock.reached;
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

    /// Lets a lease live for `ttl_ms` from now on, which may be less than it had left.
    ///
    /// # Errors
    /// [`LockError::Invalid`], or [`LockError::Lost`].
    pub fn renew(&mut self, request: &Renew) -> Result<Lease, LockError> {
        super::request::check_ttl(request.ttl_ms)?;
        let index = self.find(&request.lease, request.holder.as_deref(), request.token)?;
        let expires_at = self.clock.reached + Duration::from_millis(request.ttl_ms);
        self.leases[index].expires_at = expires_at;
        Ok(self.answer(&self.leases[index]))
    }

    /// Ends a lease; the lock is free for the next at once.
    ///
    /// # Errors
    /// [`LockError::Lost`].
    pub fn release(&mut self, request: &Release) -> Result<(), LockError> {
        let index = self.find(&request.lease, request.holder.as_deref(), request.token)?;
        self.leases.remove(index);
        Ok(())
    }

    /// The living lease of this secret. Every lease is compared to its end, so that the time it
    /// takes tells nothing of any secret.
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

    /// Takes a request back, wherever it is: out of the queue, or its lease if it has one by now.
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

    /// Ends every lease; what ended. Their holders do not know, as after an expiry, so their
    /// lock-delays begin.
    pub fn break_leases(&mut self) -> Vec<Holder> {
        let leases = std::mem::take(&mut self.leases);
        for lease in &leases {
            self.delay_after(lease, self.clock.reached);
        }
        leases.iter().map(|lease| self.holder(lease)).collect()
    }

    /// When [`advance`](Self::advance) will next change something, by the host's clock; `None` for
    /// a lock at rest.
    #[must_use]
    pub fn next_change(&self) -> Option<Timestamp> {
        self.leases
            .iter()
            .map(|lease| lease.expires_at)
            .chain(self.delayed_until)
            .min()
            .map(|time| self.clock.on_the_host(time))
    }

    /// Whether something was decided since, or the host's clock stepped back: the passage of time
    /// alone is not worth a write.
    #[must_use]
    pub fn differs_from(&self, before: &Self) -> bool {
        let decided = |state: &Self| (state.clock.ahead_ms, state.token, state.delayed_until);
        decided(self) != decided(before) || self.leases != before.leases
    }

    /// What a request of `holder` waits for, with `ahead` others before it.
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

    /// What anybody may know.
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

    /// Everything but secrets and request ids.
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

/// Names one call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What [`State::enter`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The request has its lease already.
    Holds(Lease),
    /// The request waits.
    Waits {
        /// Its name in the queue.
        ticket: Ticket,
        /// An earlier call of the same request, which waits no more.
        replaced: Option<Ticket>,
    },
}

/// The requests that wait, first come first. Of one memory: a lost queue is an empty one.
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

    /// Takes a call out that waits no more; how many were before it, if it was there.
    pub fn leave(&mut self, ticket: Ticket) -> Option<usize> {
        let index = self
            .waiting
            .iter()
            .position(|waiting| waiting.ticket == ticket)?;
        self.waiting.remove(index);
        Some(index)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the queue is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Compares in a time that depends on the lengths alone.
fn is_same_secret(ours: &str, theirs: &str) -> bool {
    let difference = ours
        .bytes()
        .zip(theirs.bytes())
        .fold(0, |difference, (ours, theirs)| {
            black_box(difference | (ours ^ theirs))
        });
    ours.len() == theirs.len() && difference == 0
}
