//! The core's decisions, carried out on sockets.

use std::collections::HashMap;
use std::fmt;

use anchorhold::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::core::{Index, Limits, Refusal, SlowConsumer, Subscriber, Verdict, check_topic};
use super::protocol::{Command, Event};

/// RFC 6455's registry of close codes: come back later.
const TRY_AGAIN_LATER: u16 = 1013;
/// The same registry: this side failed.
const INTERNAL_ERROR: u16 = 1011;
const NORMAL: u16 = 1000;
/// Stands for a Close that brought no code, and is never sent itself.
const NO_CODE: u16 = 1005;

/// What a hub keeps with each socket: its subscriber, and what an object of your own adds.
///
/// It is all that survives an eviction, and so the truth about the socket's topics. Up to 16,320
/// bytes, of which the subscriber takes at most about 8,600 under the default
/// [`Limits`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session<T = ()> {
    subscriber: Subscriber,
    own: T,
    /// The hub has closed the socket. Its connection may last until the peer answers, and a wake in
    /// that time may not bring it back.
    #[serde(default)]
    dropped: bool,
}

impl<T> Session<T> {
    /// The subscriber.
    #[must_use]
    pub fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }

    /// What was given to [`Hub::accept`].
    #[must_use]
    pub fn own(&self) -> &T {
        &self.own
    }
}

/// How many subscribers an event was handed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Sockets that took it. One that breaks before its peer has read it is among them: only an
    /// acknowledgement tells.
    pub delivered: usize,
}

/// What a hub tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Open sockets.
    pub sockets: usize,
    /// Topics with a subscriber.
    pub topics: usize,
    /// Slow consumers dropped since `awake_since`.
    pub dropped: u64,
    /// Since when the object is in memory.
    pub awake_since: Timestamp,
}

/// A hub on the sockets of one object, to be kept in a `#[memory]` field.
///
/// It holds nothing that is not in the sockets' [`Session`]s; [`wake`](Self::wake) builds it of them
/// again. `T` is what an object of your own keeps with each socket beside the subscriptions:
/// who it is, what it may.
pub struct Hub<T = ()> {
    limits: Limits,
    members: HashMap<u64, Member<T>>,
    index: Index,
    /// Accepted, but the platform has not opened them yet: their handles come with the next event.
    expected: Vec<u64>,
    dropped: u64,
    awake_since: Timestamp,
}

struct Member<T> {
    socket: Socket<Session<T>>,
    session: Session<T>,
}

/// Why a member got no event.
enum Loss {
    Slow(SlowConsumer),
    /// The socket takes no more: it is closed, or the host's own bound is reached.
    Gone,
}

impl<T> Default for Hub<T> {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            members: HashMap::new(),
            index: Index::default(),
            expected: Vec::new(),
            dropped: 0,
            awake_since: Timestamp::from_millis(0),
        }
    }
}

impl<T> fmt::Debug for Hub<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hub")
            .field("limits", &self.limits)
            .field("sockets", &self.members.len())
            .field("topics", &self.index.topics())
            .finish_non_exhaustive()
    }
}

impl<T: Clone + Serialize + DeserializeOwned + 'static> Hub<T> {
    /// A hub of the object's open sockets; for `#[init]`.
    ///
    /// A socket whose session does not fit (it is of another version of `T`) is closed with 1011, so
    /// that its client connects again.
    #[must_use]
    pub fn wake(ctx: &Ctx, limits: Limits) -> Self {
        let mut hub = Self {
            limits,
            awake_since: ctx.now(),
            ..Self::default()
        };
        for socket in ctx.sockets::<Session<T>>().all() {
            hub.admit(socket);
        }
        hub
    }

    /// Accepts a socket; for `#[websocket]`. `topics` are names separated by commas.
    ///
    /// # Errors
    /// 400 for a topic that is empty or too long, 409 `too_many_topics`, 503 `overloaded` for a hub
    /// with as many sockets as it may have.
    pub fn accept(
        &mut self,
        ctx: &Ctx,
        topics: &str,
        acknowledges: bool,
        own: T,
    ) -> Result<Accept<Session<T>>, Error> {
        self.admit_expected(ctx);
        if self.members.len() >= self.limits.sockets {
            return Err(Error::new(
                503,
                "overloaded",
                format!(
                    "this hub has {} sockets, which is the limit; spread the topics over more hubs",
                    self.limits.sockets
                ),
            ));
        }
        let mut id = ctx.random();
        while self.members.contains_key(&id) {
            id = ctx.random();
        }
        let mut subscriber = Subscriber::new(id, acknowledges);
        for topic in topics.split(',').filter(|_| !topics.is_empty()) {
            subscriber.subscribe(topic, &self.limits)?;
        }
        ctx.sockets::<Session<T>>()
            .set_automatic_response(Some(("ping", "pong")))?;
        self.expected.push(id);
        // Tags are fixed once a socket is accepted, so they cannot be the topics. This one finds
        // the socket that the platform is about to open.
        let session = Session {
            subscriber,
            own,
            dropped: false,
        };
        Ok(Accept::new(session).tag(tag(id)))
    }

    /// Does what a client says; for `#[message(text)]`.
    ///
    /// # Errors
    /// As [`Command::parse`] and [`carry_out`](Self::carry_out): the framework answers with an error
    /// message, and the socket stays open.
    pub fn receive(
        &mut self,
        ctx: &Ctx,
        socket: &Socket<Session<T>>,
        text: &str,
    ) -> Result<(), Error> {
        let command = Command::parse(text, self.limits.message_bytes)?;
        self.carry_out(ctx, socket, command)
    }

    /// Does what a command says that an object of your own has looked at.
    ///
    /// # Errors
    /// 400 for a topic that is empty or too long, and for an acknowledgement without
    /// acknowledgements or of an event that was never sent; 409 `too_many_topics`; 413 for an
    /// event over the limit; 409 `closing` on a socket that the hub has dropped.
    pub fn carry_out(
        &mut self,
        ctx: &Ctx,
        socket: &Socket<Session<T>>,
        command: Command,
    ) -> Result<(), Error> {
        self.admit_expected(ctx);
        let id = socket.session()?.subscriber.id();
        let Some(member) = self.members.get_mut(&id) else {
            return Err(Error::conflict("closing", "this socket is being closed"));
        };
        match command {
            Command::Subscribe { topic } => {
                let limits = &self.limits;
                if member.change(|subscriber| subscriber.subscribe(&topic, limits))? {
                    self.index.insert(&topic, id);
                }
            }
            Command::Unsubscribe { topic } => {
                if member.change(|subscriber| Ok(subscriber.unsubscribe(&topic)))? {
                    self.index.remove(&topic, id);
                }
            }
            Command::Publish { topic, data } => {
                self.send(&topic, &data, Some(id))?;
            }
            Command::Ack { seq } => {
                member.acknowledge(seq)?;
            }
        }
        Ok(())
    }

    /// Sends an event to the subscribers of a topic; for calls and routes.
    ///
    /// # Errors
    /// 400 for a topic that is empty or too long, 413 for an event over the limit.
    pub fn publish(&mut self, ctx: &Ctx, topic: &str, data: &Value) -> Result<Published, Error> {
        self.admit_expected(ctx);
        self.send(topic, data, None)
    }

    /// Forgets a socket that has closed, and answers its Close; for `#[close]`.
    pub fn closed(&mut self, ctx: &Ctx, socket: &Socket<Session<T>>, event: &CloseEvent) {
        self.failed(ctx, socket);
        if event.clean {
            let code = if event.code == NO_CODE {
                NORMAL
            } else {
                event.code
            };
            // Refused if this side closed first: then there is nothing to answer.
            let _ = socket.close(code, &event.reason);
        }
    }

    /// Forgets a socket that has failed; for `#[error]`.
    pub fn failed(&mut self, ctx: &Ctx, socket: &Socket<Session<T>>) {
        self.admit_expected(ctx);
        if let Ok(session) = socket.session() {
            self.remove(session.subscriber.id());
        }
    }

    /// What there is.
    pub fn status(&mut self, ctx: &Ctx) -> Status {
        self.admit_expected(ctx);
        Status {
            sockets: self.members.len(),
            topics: self.index.topics(),
            dropped: self.dropped,
            awake_since: self.awake_since,
        }
    }

    fn admit_expected(&mut self, ctx: &Ctx) {
        for id in std::mem::take(&mut self.expected) {
            // None if it was refused or went away in between.
            for socket in ctx.sockets::<Session<T>>().tagged(&tag(id)) {
                self.admit(socket);
            }
        }
    }

    fn admit(&mut self, socket: Socket<Session<T>>) {
        match socket.session() {
            Ok(session) if session.dropped => {}
            Ok(session) => {
                let id = session.subscriber.id();
                for topic in session.subscriber.topics() {
                    self.index.insert(topic, id);
                }
                self.members.insert(id, Member { socket, session });
            }
            Err(_) => {
                let reason = "the hub cannot read this socket's session: connect again";
                // It may be closed already.
                let _ = socket.close(INTERNAL_ERROR, reason);
            }
        }
    }

    fn remove(&mut self, id: u64) -> Option<Member<T>> {
        let member = self.members.remove(&id)?;
        for topic in member.session.subscriber.topics() {
            self.index.remove(topic, id);
        }
        Some(member)
    }

    fn send(&mut self, topic: &str, data: &Value, except: Option<u64>) -> Result<Published, Error> {
        check_topic(topic, &self.limits)?;
        let event = Event::new(topic, data, self.limits.message_bytes)?;
        let mut delivered = 0;
        let mut losses = Vec::new();
        for id in self.index.subscribers(topic) {
            if except == Some(id) {
                continue;
            }
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            match member.deliver(&event, &self.limits) {
                Ok(()) => delivered += 1,
                Err(loss) => losses.push((id, loss)),
            }
        }
        for (id, loss) in losses {
            self.lose(id, &loss);
        }
        Ok(Published { delivered })
    }

    fn lose(&mut self, id: u64, loss: &Loss) {
        let Some(mut member) = self.remove(id) else {
            return;
        };
        let reason = match loss {
            Loss::Slow(rule) => {
                self.dropped += 1;
                rule.to_string()
            }
            Loss::Gone => "the socket takes no more".to_owned(),
        };
        member.session.dropped = true;
        // Both fail on a socket that is gone, which is as well.
        let _ = member.socket.set_session(&member.session);
        let _ = member.socket.close(TRY_AGAIN_LATER, &reason);
    }
}

impl<T: Clone + Serialize + DeserializeOwned> Member<T> {
    fn deliver(&mut self, event: &Event, limits: &Limits) -> Result<(), Loss> {
        let unread = self.socket.buffered();
        let bytes = event.text().len();
        match self.session.subscriber.offer(bytes, unread, limits) {
            Verdict::Send => self.socket.send_text(event.text()).map_err(|_| Loss::Gone),
            Verdict::SendNumbered(seq) => self
                .socket
                .send_text(&event.numbered(seq))
                .and_then(|()| self.socket.set_session(&self.session))
                .map_err(|_| Loss::Gone),
            Verdict::Drop(rule) => Err(Loss::Slow(rule)),
        }
    }

    /// Changes the subscriptions, with the socket first: what cannot be kept there did not happen.
    fn change(
        &mut self,
        change: impl FnOnce(&mut Subscriber) -> Result<bool, Refusal>,
    ) -> Result<bool, Error> {
        let mut session = self.session.clone();
        let changed = change(&mut session.subscriber)?;
        if changed {
            self.socket.set_session(&session)?;
            self.session = session;
        }
        Ok(changed)
    }

    fn acknowledge(&mut self, seq: u64) -> Result<(), Error> {
        if self.session.subscriber.acknowledge(seq)? {
            self.socket.set_session(&self.session)?;
        }
        Ok(())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::TooManyTopics { .. } => Self::conflict("too_many_topics", message),
            Refusal::TopicName { .. } | Refusal::NotAcknowledging | Refusal::NeverSent { .. } => {
                Self::bad_request("bad_request", message)
            }
        }
    }
}

fn tag(id: u64) -> String {
    format!("{id:016x}")
}
