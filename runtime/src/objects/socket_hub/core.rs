//! The decisions of a hub: subscriptions, deliveries and slow consumers.
//!
//! State and counters in, decision out: it does not use sockets, a clock or the platform. Your own
//! object may embed it, or the [`Hub`](super::Hub), which carries out these decisions on real
//! sockets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

/// The limits of a hub. Every list and queue of the hub is bounded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The number of sockets of one hub. The platform's own limit is 32,768.
    pub sockets: usize,
    /// The number of topics of one socket. They are stored with the socket, in 16,320 bytes: 64
    /// topics of 128 bytes leave half of that.
    pub topics: usize,
    /// The bytes of a topic's name.
    pub topic_bytes: usize,
    /// The bytes of one whole message as JSON, from a client to the hub or from the hub to a
    /// client.
    pub message_bytes: usize,
    /// The number of events that a socket with acknowledgements may have unacknowledged.
    pub unacknowledged_events: u64,
    /// The bytes of those events. A single event may exceed the limit. If the limit is too small, a
    /// burst that is faster than its acknowledgements drops a client that reads well.
    pub unacknowledged_bytes: usize,
    /// The bytes that may wait for a socket's peer, on a host that reports them
    /// ([`Socket::buffered`](crate::Socket::buffered)). A single event may exceed the limit.
    /// Because it is larger than `unacknowledged_bytes` by default, it affects only sockets without
    /// acknowledgements and clients that acknowledge before they read.
    pub unread_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets: 10_000,
            topics: 64,
            topic_bytes: 128,
            message_bytes: 64 * 1024,
            unacknowledged_events: 4_096,
            unacknowledged_bytes: 4 * 1024 * 1024,
            unread_bytes: 8 * 1024 * 1024,
        }
    }
}

/// The reason why a subscription or an acknowledgement was refused. The socket stays open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name is empty or too long.
    #[error("`topic` has {bytes} bytes; must have 1 to {limit}")]
    TopicName {
        /// The bytes of the name.
        bytes: usize,
        /// The maximum.
        limit: usize,
    },
    /// The socket has reached its limit of topics.
    #[error(
        "this socket has {limit} topics, which is the limit; unsubscribe from some, or open another socket"
    )]
    TooManyTopics {
        /// The maximum.
        limit: usize,
    },
    /// The socket was opened without `acks=true`.
    #[error("this socket has no acknowledgements; open it with `acks=true`")]
    NotAcknowledging,
    /// No event with this number has been sent yet.
    #[error("`seq` is {seq}, and the last event sent is {sent}")]
    NeverSent {
        /// The number that was acknowledged.
        seq: u64,
        /// The number of the last event sent.
        sent: u64,
    },
}

/// The limit that a slow consumer exceeded. Its text is the reason of the close and has at most 123
/// bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlowConsumer {
    /// Another event would exceed the limit of unacknowledged events.
    #[error("slow consumer: more than {limit} unacknowledged events")]
    Events {
        /// The maximum.
        limit: u64,
    },
    /// Another event would exceed the limit of unacknowledged bytes.
    #[error("slow consumer: more than {limit} unacknowledged bytes")]
    Bytes {
        /// The maximum.
        limit: usize,
    },
    /// Another event would exceed the limit of unread bytes.
    #[error("slow consumer: more than {limit} unread bytes")]
    Unread {
        /// The maximum.
        limit: usize,
    },
}

/// What to do with one event for one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it without a number.
    Send,
    /// Send it with this number, which the client acknowledges.
    SendNumbered(u64),
    /// Do not send it. Close the socket for this reason.
    Drop(SlowConsumer),
}

/// One subscriber. A hub stores it with its socket, where it survives the object's eviction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscriber {
    id: u64,
    topics: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
}

impl Subscriber {
    /// Creates a subscriber without topics. `id` must be unique among the sockets of the hub.
    /// `acknowledges` means that its client opted in to acknowledgements.
    #[must_use]
    pub fn new(id: u64, acknowledges: bool) -> Self {
        Self {
            id,
            topics: BTreeSet::new(),
            window: acknowledges.then(Window::default),
        }
    }

    /// Returns its identity.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the topics that it subscribes to, in order.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(String::as_str)
    }

    /// Returns the unacknowledged events, or `None` without acknowledgements.
    #[must_use]
    pub fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// Subscribes to a topic. Returns `false` if it was subscribed already.
    ///
    /// # Errors
    /// The name is empty or too long, or the limit of topics is reached.
    pub fn subscribe(&mut self, topic: &str, limits: &Limits) -> Result<bool, Refusal> {
        check_topic(topic, limits)?;
        if self.topics.contains(topic) {
            return Ok(false);
        }
        if self.topics.len() >= limits.topics {
            return Err(Refusal::TooManyTopics {
                limit: limits.topics,
            });
        }
        Ok(self.topics.insert(topic.to_owned()))
    }

    /// Unsubscribes from a topic. Returns `false` if it was not subscribed.
    pub fn unsubscribe(&mut self, topic: &str) -> bool {
        self.topics.remove(topic)
    }

    /// Decides about an event. `bytes` is the length of its text without a number. `unread` is the
    /// number of bytes that wait for the peer, where the host reports it. An event to be sent
    /// counts as unacknowledged from now on.
    ///
    /// A subscriber that has acknowledged or read everything gets the event whatever the limits: a
    /// client that keeps up is never dropped.
    pub fn offer(&mut self, bytes: usize, unread: Option<usize>, limits: &Limits) -> Verdict {
        if let Some(unread) = unread
            && unread > 0
            && unread.saturating_add(bytes) > limits.unread_bytes
        {
            return Verdict::Drop(SlowConsumer::Unread {
                limit: limits.unread_bytes,
            });
        }
        let Some(window) = &mut self.window else {
            return Verdict::Send;
        };
        let events = window.events();
        if events > 0 && events >= limits.unacknowledged_events {
            return Verdict::Drop(SlowConsumer::Events {
                limit: limits.unacknowledged_events,
            });
        }
        if events > 0 && window.bytes.saturating_add(bytes) > limits.unacknowledged_bytes {
            return Verdict::Drop(SlowConsumer::Bytes {
                limit: limits.unacknowledged_bytes,
            });
        }
        Verdict::SendNumbered(window.push(bytes))
    }

    /// Records that the client has processed every event up to number `seq`. Returns `false` if
    /// that was known.
    ///
    /// # Errors
    /// The socket has no acknowledgements, or no event with this number was sent.
    pub fn acknowledge(&mut self, seq: u64) -> Result<bool, Refusal> {
        let window = self.window.as_mut().ok_or(Refusal::NotAcknowledging)?;
        if seq > window.sent {
            return Err(Refusal::NeverSent {
                seq,
                sent: window.sent,
            });
        }
        Ok(window.release(seq))
    }
}

/// Checks the name of a topic.
///
/// # Errors
/// The name is empty or too long.
pub fn check_topic(topic: &str, limits: &Limits) -> Result<(), Refusal> {
    if topic.is_empty() || topic.len() > limits.topic_bytes {
        return Err(Refusal::TopicName {
            bytes: topic.len(),
            limit: limits.topic_bytes,
        });
    }
    Ok(())
}

/// The events that were sent and not acknowledged.
///
/// In memory the sizes of up to 128 runs of events are known. Only three numbers are stored with the socket, so that the
/// stored size is the same for every client. The bytes of events that were unacknowledged at an
/// eviction are released when all of those events are acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Totals")]
pub struct Window {
    sent: u64,
    acknowledged: u64,
    bytes: usize,
    #[serde(skip_serializing)]
    sizes: VecDeque<Run>,
    #[serde(skip_serializing)]
    events_of_run: u64,
}

/// The maximum number of runs of one window, so that a client that never acknowledges costs 2 kB at
/// most. Ten thousand of them would otherwise hold 655 MB of sizes.
const MAX_RUNS: usize = 128;

/// Events up to `last`, which are released together.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    last: u64,
    bytes: usize,
    events: u64,
}

/// The stored form of a window.
#[derive(Default, Deserialize)]
struct Totals {
    sent: u64,
    acknowledged: u64,
    bytes: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self::from(Totals::default())
    }
}

impl From<Totals> for Window {
    fn from(totals: Totals) -> Self {
        let Totals {
            sent,
            acknowledged,
            bytes,
        } = totals;
        let under_way = (acknowledged < sent).then(|| Run {
            last: sent,
            bytes,
            events: sent - acknowledged,
        });
        Self {
            sent,
            acknowledged: acknowledged.min(sent),
            bytes: under_way.map_or(0, |run| run.bytes),
            sizes: under_way.into_iter().collect(),
            events_of_run: 1,
        }
    }
}

impl Window {
    /// Returns the number of the last event that was sent. The first event has number 1.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns how many events are not acknowledged.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.sent - self.acknowledged
    }

    /// Returns how many bytes those events have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn push(&mut self, bytes: usize) -> u64 {
        self.sent += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        match self.sizes.back_mut() {
            Some(run) if run.events < self.events_of_run => {
                run.last = self.sent;
                run.bytes = run.bytes.saturating_add(bytes);
                run.events += 1;
            }
            _ => self.sizes.push_back(Run {
                last: self.sent,
                bytes,
                events: 1,
            }),
        }
        if self.sizes.len() > MAX_RUNS {
            self.merge_runs();
        }
        self.sent
    }

    /// Makes runs of twice as many events. Their bytes are then released together, which is never
    /// too early.
    fn merge_runs(&mut self) {
        self.events_of_run *= 2;
        let mut merged: VecDeque<Run> = VecDeque::with_capacity(MAX_RUNS + 1);
        for run in self.sizes.drain(..) {
            match merged.back_mut() {
                Some(before) if before.events + run.events <= self.events_of_run => {
                    before.last = run.last;
                    before.bytes = before.bytes.saturating_add(run.bytes);
                    before.events += run.events;
                }
                _ => merged.push_back(run),
            }
        }
        self.sizes = merged;
    }

    fn release(&mut self, seq: u64) -> bool {
        if seq <= self.acknowledged {
            return false;
        }
        self.acknowledged = seq;
        while let Some(run) = self.sizes.front()
            && run.last <= seq
        {
            self.bytes = self.bytes.saturating_sub(run.bytes);
            self.sizes.pop_front();
        }
        if self.sizes.is_empty() {
            self.events_of_run = 1;
        }
        true
    }
}

/// The subscribers of each topic. With it the cost of an event depends on its subscribers instead
/// of all sockets of the hub.
///
/// It is kept only in memory. The sessions of the sockets are the source of truth, from which it is
/// rebuilt after a wake.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// A hash map could be flooded with collisions: clients choose the names, and on wasm the
    /// standard hash does not have a random key.
    by_topic: BTreeMap<String, BTreeSet<u64>>,
}

impl Index {
    /// Adds a subscriber to one topic.
    pub fn insert(&mut self, topic: &str, id: u64) {
        match self.by_topic.get_mut(topic) {
            Some(subscribers) => {
                subscribers.insert(id);
            }
            None => {
                self.by_topic.insert(topic.to_owned(), BTreeSet::from([id]));
            }
        }
    }

    /// Removes a subscriber from one topic.
    pub fn remove(&mut self, topic: &str, id: u64) {
        if let Some(subscribers) = self.by_topic.get_mut(topic) {
            subscribers.remove(&id);
            // Clients choose the names of topics, so empty ones must not accumulate.
            if subscribers.is_empty() {
                self.by_topic.remove(topic);
            }
        }
    }

    /// Returns the subscribers of a topic.
    pub fn subscribers(&self, topic: &str) -> impl Iterator<Item = u64> {
        self.by_topic.get(topic).into_iter().flatten().copied()
    }

    /// Returns how many topics have a subscriber.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.by_topic.len()
    }
}

#[cfg(test)]
mod tests;
