//! Carries out the core's decisions on sockets.

use std::collections::HashMap;
use std::fmt;

use anchorhold::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::core::{Index, Limits, Refusal, SlowConsumer, Subscriber, Verdict, check_topic};
use super::protocol::{Command, Event};

/// A close code of RFC 6455's registry: try again later.
const TRY_AGAIN_LATER: u16 = 1013;
/// A close code of the same registry: internal error.
const INTERNAL_ERROR: u16 = 1011;
const NORMAL: u16 = 1000;
/// Means a Close without a code. It is never sent.
const NO_CODE: u16 = 1005;

/// The data that a hub stores with each socket: its subscriber, and the data of your own object.
///
/// It is all that survives an eviction, so it is the source of truth for the socket's topics. It
/// has up to 16,320 bytes, of which the subscriber takes at most about 8,600 under the default
/// [`Limits`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session<T = ()> {
    subscriber: Subscriber,
    own: T,
    /// `true` if the hub has closed the socket. Its connection may last until the peer answers, and
    /// a wake in that time must not readmit it.
    #[serde(default)]
    dropped: bool,
}

impl<T> Session<T> {
    /// Returns the subscriber.
    #[must_use]
    pub fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }

    /// Returns the value that was given to [`Hub::accept`].
    #[must_use]
    pub fn own(&self) -> &T {
        &self.own
    }
}

/// The number of subscribers that an event was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The number of sockets that accepted it. A socket whose connection breaks before its peer has
    /// read the event is counted: only an acknowledgement proves delivery.
    pub delivered: usize,
}

/// The status of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The number of open sockets.
    pub sockets: usize,
    /// The number of topics with a subscriber.
    pub topics: usize,
    /// The number of slow consumers dropped since `awake_since`.
    pub dropped: u64,
    /// The time at which the object was loaded into memory.
    pub awake_since: Timestamp,
}

/// A hub on the sockets of one object, to be kept in a `#[memory]` field.
///
/// All its data is also in the sockets' [`Session`]s, from which [`wake`](Self::wake) rebuilds it.
/// `T` is the data that your own object stores with each socket besides the subscriptions, such as
/// the user and its permissions.
pub struct Hub<T = ()> {
    limits: Limits,
    members: HashMap<u64, Member<T>>,
    index: Index,
    /// Accepted, but not yet opened by the platform: their handles become available with the next
    /// event.
    expected: Vec<u64>,
    dropped: u64,
    awake_since: Timestamp,
}

struct Member<T> {
    socket: Socket<Session<T>>,
    session: Session<T>,
}

/// The reason why a member was not sent an event.
enum Loss {
    Slow(SlowConsumer),
    /// The socket refuses messages: it is closed, or the host's own limit is reached.
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
    /// Creates a hub of the object's open sockets. Call it in `#[init]`.
    ///
    /// A socket whose session does not fit (it is of another version of `T`) is closed with 1011,
    /// so that its client reconnects.
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

    /// Accepts a socket. Call it in `#[websocket]`. `topics` are names separated by commas.
    ///
    /// # Errors
    /// 400 for a topic that is empty or too long, 409 `too_many_topics`, 503 `overloaded` if the
    /// hub has reached its limit of sockets.
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
        // The tag finds the socket that the platform is about to open. Topics cannot be tags,
        // because tags cannot be changed after a socket is accepted.
        let session = Session {
            subscriber,
            own,
            dropped: false,
        };
        Ok(Accept::new(session).tag(tag(id)))
    }

    /// Parses and carries out a client's message. Call it in `#[message(text)]`.
    ///
    /// # Errors
    /// As [`Command::parse`] and [`carry_out`](Self::carry_out). The framework answers with an
    /// error message, and the socket stays open.
    pub fn receive(
        &mut self,
        ctx: &Ctx,
        socket: &Socket<Session<T>>,
        text: &str,
    ) -> Result<(), Error> {
        let command = Command::parse(text, self.limits.message_bytes)?;
        self.carry_out(ctx, socket, command)
    }

    /// Carries out a command, which your own object may have checked first.
    ///
    /// # Errors
    /// - 400 for a topic that is empty or too long, for an acknowledgement on a socket without
    ///   acknowledgements, or of an event that was never sent.
    /// - 409 `too_many_topics`.
    /// - 409 `closing` on a socket that the hub has dropped.
    /// - 413 for an event over the limit.
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

    /// Sends an event to the subscribers of a topic. Call it in RPC methods and routes.
    ///
    /// # Errors
    /// 400 for a topic that is empty or too long, 413 for an event over the limit.
    pub fn publish(&mut self, ctx: &Ctx, topic: &str, data: &Value) -> Result<Published, Error> {
        self.admit_expected(ctx);
        self.send(topic, data, None)
    }

    /// Removes a socket that has closed, and answers its Close. Call it in `#[close]`.
    pub fn closed(&mut self, ctx: &Ctx, socket: &Socket<Session<T>>, event: &CloseEvent) {
        self.failed(ctx, socket);
        if event.clean {
            let code = if event.code == NO_CODE {
                NORMAL
            } else {
                event.code
            };
            // Fails if this side closed first: then there is nothing to answer.
            let _ = socket.close(code, &event.reason);
        }
    }

    /// Removes a socket that has failed. Call it in `#[error]`.
    pub fn failed(&mut self, ctx: &Ctx, socket: &Socket<Session<T>>) {
        self.admit_expected(ctx);
        if let Ok(session) = socket.session() {
            self.remove(session.subscriber.id());
        }
    }

    /// Returns the status of the hub.
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
            // There is none if the socket was refused or closed in between.
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
                // Fails if the socket is closed already.
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
            Loss::Gone => "the socket accepts no more messages".to_owned(),
        };
        member.session.dropped = true;
        // Both fail on a closed socket, which needs neither.
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

    /// Changes the subscriptions. The socket's session is written first, so that a change which
    /// cannot be stored does not take effect.
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
