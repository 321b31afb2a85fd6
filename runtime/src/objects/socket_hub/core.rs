//! What a hub decides: who subscribes to what, who gets an event, who reads too slowly.
//!
//! State and counters in, decision out; no socket, no clock, no platform. An object of your own may
//! embed it, or the [`Hub`](super::Hub), which carries these decisions out on real sockets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

/// How much a hub takes. Every list and queue of the hub has its bound here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sockets of one hub. The platform's own limit is 32,768.
    pub sockets: usize,
    /// Topics of one socket. They are kept with the socket, in 16,320 bytes: 64 topics of 128
    /// bytes leave half of that.
    pub topics: usize,
    /// Bytes of a topic's name.
    pub topic_bytes: usize,
    /// Bytes of one message, whole, as JSON: a client's to the hub and the hub's to a client.
    pub message_bytes: usize,
    /// Events that a socket with acknowledgements may owe an acknowledgement for.
    pub unacknowledged_events: u64,
    /// Bytes of those events. One event fits whatever its size. Too few, and a burst that comes
    /// faster than the acknowledgements can be back drops a client that reads well.
    pub unacknowledged_bytes: usize,
    /// Bytes that may wait for a socket's peer, on a host that tells
    /// ([`Socket::buffered`](crate::Socket::buffered)). One event fits whatever its size. More than
    /// `unacknowledged_bytes`, it concerns only sockets without acknowledgements, and clients
    /// that acknowledge what they have not read.
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

/// Why a subscription or an acknowledgement is not taken. The socket stays open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No name, or too long a name.
    #[error("`topic` has {bytes} bytes, and not from 1 to {limit}")]
    TopicName {
        /// What it has.
        bytes: usize,
        /// What it may have.
        limit: usize,
    },
    /// The socket has as many topics as it may.
    #[error(
        "this socket has {limit} topics, which is the limit; unsubscribe from some, or open another socket"
    )]
    TooManyTopics {
        /// How many it may have.
        limit: usize,
    },
    /// The socket was opened without `acks=true`.
    #[error("this socket has no acknowledgements; open it with `acks=true`")]
    NotAcknowledging,
    /// An event of this number is still to come.
    #[error("`seq` is {seq}, and the last event sent is {sent}")]
    NeverSent {
        /// The number that was acknowledged.
        seq: u64,
        /// The number of the last event.
        sent: u64,
    },
}

/// Which bound a slow consumer went over. Its text is the reason of the close, at most 123 bytes
/// long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlowConsumer {
    /// Another event would be one more than may be unacknowledged.
    #[error("slow consumer: more than {limit} unacknowledged events")]
    Events {
        /// How many may be.
        limit: u64,
    },
    /// Another event would be more bytes than may be unacknowledged.
    #[error("slow consumer: more than {limit} unacknowledged bytes")]
    Bytes {
        /// How many may be.
        limit: usize,
    },
    /// Another event would be more bytes than may wait to be read.
    #[error("slow consumer: more than {limit} unread bytes")]
    Unread {
        /// How many may wait.
        limit: usize,
    },
}

/// What becomes of one event for one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it as it is.
    Send,
    /// Send it with this number, which the client acknowledges.
    SendNumbered(u64),
    /// Do not send it: close the socket, for this reason.
    Drop(SlowConsumer),
}

/// One subscriber: what a hub keeps with its socket, where it outlives the object's memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscriber {
    id: u64,
    topics: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
}

impl Subscriber {
    /// A subscriber to nothing yet. The identity is unique among the sockets of the hub;
    /// `acknowledges` says whether its client opted in to acknowledgements.
    #[must_use]
    pub fn new(id: u64, acknowledges: bool) -> Self {
        Self {
            id,
            topics: BTreeSet::new(),
            window: acknowledges.then(Window::default),
        }
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What it subscribes to, in order.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(String::as_str)
    }

    /// What it has not acknowledged; `None` without acknowledgements.
    #[must_use]
    pub fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// Subscribes; `false` if it had.
    ///
    /// # Errors
    /// The name is empty or too long, or there are as many topics as may be.
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

    /// Unsubscribes; `false` if it was not subscribed.
    pub fn unsubscribe(&mut self, topic: &str) -> bool {
        self.topics.remove(topic)
    }

    /// Decides about an event of `bytes`, as the socket's text would have it without a number.
    /// `unread` is what waits for the peer where the host tells. An event to be sent counts as
    /// unacknowledged from now on.
    ///
    /// A subscriber that owes nothing, or whose peer has read everything, gets the event whatever
    /// the limits say: who keeps up is never dropped.
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

    /// The client has taken every event up to number `seq`; `false` if that was known.
    ///
    /// # Errors
    /// The socket has no acknowledgements, or no event of this number was sent.
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

/// Whether a name may be a topic's.
///
/// # Errors
/// It is empty or too long.
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
/// In memory the size of each is known. Kept with the socket are three numbers, so that it costs
/// the same for every client; what was under way when the object left memory is released
/// when all of it is acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Totals")]
pub struct Window {
    sent: u64,
    acknowledged: u64,
    bytes: usize,
    #[serde(skip_serializing)]
    sizes: VecDeque<Run>,
}

/// Events that are released together: those up to `last`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    last: u64,
    bytes: usize,
}

/// What is kept of a window.
#[derive(Deserialize)]
struct Totals {
    sent: u64,
    acknowledged: u64,
    bytes: usize,
}

impl From<Totals> for Window {
    fn from(totals: Totals) -> Self {
        let Totals {
            sent,
            acknowledged,
            bytes,
        } = totals;
        let under_way = (acknowledged < sent).then_some(Run { last: sent, bytes });
        Self {
            sent,
            acknowledged: acknowledged.min(sent),
            bytes: under_way.map_or(0, |run| run.bytes),
            sizes: under_way.into_iter().collect(),
        }
    }
}

impl Window {
    /// The number of the last event that was sent; the first has number 1.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// How many events are not acknowledged.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.sent - self.acknowledged
    }

    /// How many bytes those have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn push(&mut self, bytes: usize) -> u64 {
        self.sent += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.sizes.push_back(Run {
            last: self.sent,
            bytes,
        });
        self.sent
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
        true
    }
}

/// Which subscribers a topic has: an event costs its subscribers, and not every socket of the hub.
///
/// Kept in memory only. The sessions of the sockets are the truth, and it is built of them again
/// after a wake.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// Strangers choose the names, and on wasm the standard hash has no random key: a hash map could be
    /// filled with collisions.
    by_topic: BTreeMap<String, BTreeSet<u64>>,
}

impl Index {
    /// Enters a subscriber under one topic.
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

    /// Takes a subscriber out from under one topic.
    pub fn remove(&mut self, topic: &str, id: u64) {
        if let Some(subscribers) = self.by_topic.get_mut(topic) {
            subscribers.remove(&id);
            // Topics are names that strangers choose: an empty one may not stay.
            if subscribers.is_empty() {
                self.by_topic.remove(topic);
            }
        }
    }

    /// The subscribers of a topic.
    pub fn subscribers(&self, topic: &str) -> impl Iterator<Item = u64> {
        self.by_topic.get(topic).into_iter().flatten().copied()
    }

    /// How many topics have a subscriber.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.by_topic.len()
    }
}

#[cfg(test)]
mod tests;
