//! A chat room whose members post, reconnect and post again while everything fails: a message that
//! was acknowledged is in the history once, and every member sees one order without a hole. Where the
//! room keeps only the newest messages, members learn what they have missed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use anchorhold::check::models::{Log, LogOp, LogOutput};
use anchorhold::check::{Deliveries, History};
use anchorhold::objects::ChatRoom;
use anchorhold::objects::chat_room::{Event, Message, Settings, Welcome};
use anchorhold::prelude::*;
use anchorhold::{Faults, SimSocket};
use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::json;

use crate::clients;

type RoomStub = <ChatRoom as DurableObject>::Stub;
type Posts = History<LogOp<String>, LogOutput<String>>;

const MEMBERS: u64 = 3;
const POSTS: usize = 6;
/// What each member posts when nothing fails any more.
const AFTERWARDS: &str = "afterwards";
/// In virtual time: a slow disk takes 20 s, and several may follow one another.
const PATIENCE: Duration = Duration::from_secs(600);

fn room(sim: &Sim) -> RoomStub {
    sim.objects::<ChatRoom>().named("lobby")
}

/// What all members know together.
struct World {
    posts: Posts,
    /// By user and client's identifier, or by user and text.
    sent: Deliveries<(String, String)>,
    messages: RefCell<BTreeMap<u64, Message>>,
    /// How many messages the room keeps.
    kept: u64,
}

impl World {
    fn see(&self, message: &Message) {
        let mut messages = self.messages.borrow_mut();
        let known = messages
            .entry(message.id)
            .or_insert_with(|| message.clone());
        assert_eq!(known, message, "one number, two messages");
    }
}

/// The index of a message in the log, which numbers begin one after.
fn appended(message: &Message) -> LogOutput<String> {
    LogOutput::Appended(usize::try_from(message.id - 1).unwrap())
}

struct Member<'a> {
    sim: &'a Sim,
    world: &'a World,
    name: String,
    choices: Rng,
    socket: Option<SimSocket>,
    /// The newest message that it has.
    last: u64,
}

impl Member<'_> {
    async fn run(mut self) {
        for number in 0..POSTS {
            let pause = Duration::from_millis(self.choices.u64(0..3_000));
            self.sim.env().sleep(pause).await;
            let text = format!("{}/{number}", self.name);
            match self.choices.u8(0..6) {
                0 => self.call(&text).await,
                1 => self.read().await,
                _ => self.post(&text).await,
            }
            match self.choices.u8(0..8) {
                0 => self.socket = None,
                1 => {
                    if let Some(socket) = self.socket.take() {
                        socket.close(1_000, "");
                    }
                }
                _ => {}
            }
        }
    }

    /// Posts by a call, once and without an identifier.
    async fn call(&mut self, text: &str) {
        let op = LogOp::Append(text.to_owned());
        let posted = self.world.posts.begin(&self.name, op);
        let key = (self.name.clone(), text.to_owned());
        let call = room(self.sim).post(&self.name, text, None);
        match self.world.sent.call(key, call).await {
            Ok(message) => {
                posted.returned(appended(&message));
                self.world.see(&message);
            }
            // Where the clock was set back.
            Err(CallError::Application(error)) => {
                assert_eq!(error.code(), "limited", "{error}");
                posted.failed("limited");
            }
            Err(error) => posted.unknown(error.to_string()),
        }
    }

    async fn read(&mut self) {
        let call = room(self.sim).history(None, Some(1_000));
        let op = LogOp::ReadFrom(0);
        let read = self
            .world
            .posts
            .call(&self.name, op, call, |answer| match answer {
                Ok(history) => {
                    LogOutput::Items(history.messages.into_iter().map(|one| one.text).collect())
                }
                Err(error) => panic!("{error}"),
            });
        // Whatever comes of it is in the history of calls.
        let _ = read.await;
    }

    /// Posts over the socket until the message has come back, in one connection or another.
    async fn post(&mut self, text: &str) {
        let op = LogOp::Append(text.to_owned());
        let posted = self.world.posts.begin(&self.name, op);
        let key = (self.name.clone(), text.to_owned());
        self.world.sent.asked(key.clone());
        for _ in 0..8 {
            if self.socket.is_none() && !self.connect().await {
                let pause = Duration::from_millis(self.choices.u64(0..2_000));
                self.sim.env().sleep(pause).await;
                continue;
            }
            if let Some(socket) = &self.socket {
                socket.send_json(&json!({ "type": "post", "text": text, "client_id": text }));
            }
            while let Some(message) = self.next().await {
                if message.user == self.name && message.text == text {
                    posted.returned(appended(&message));
                    self.world.sent.acknowledged(key);
                    return;
                }
            }
            self.socket = None;
        }
    }

    async fn connect(&mut self) -> bool {
        let path = format!("/ws?user={}&since={}", self.name, self.last);
        let Ok(socket) = self.sim.connect(&room(self.sim), &path).await else {
            return false;
        };
        self.socket = Some(socket);
        let Some(Event::Welcome(welcome)) = self.event().await else {
            self.socket = None;
            return false;
        };
        let Welcome {
            members,
            history,
            newest,
            ..
        } = welcome;
        assert!(members.contains(&self.name), "{members:?}");
        let first = newest.saturating_sub(self.world.kept) + 1;
        assert_eq!(
            welcome.gap,
            self.last + 1 < first,
            "{} has {}, and the room keeps {first} to {newest}",
            self.name,
            self.last
        );
        assert!(!welcome.more, "everything that is kept is in the welcome");
        self.last = self.last.max(first - 1);
        for message in history {
            self.follow(&message);
        }
        assert_eq!(self.last, newest, "the welcome leaves out the newest");
        true
    }

    /// The next message of the connection; none if that has ended.
    async fn next(&mut self) -> Option<Message> {
        loop {
            match self.event().await? {
                Event::Message(message) if message.id <= self.last => {
                    // The answer to a message that was sent again.
                    assert_eq!(message.user, self.name, "a message came twice");
                    self.world.see(&message);
                    return Some(message);
                }
                Event::Message(message) => {
                    self.follow(&message);
                    return Some(message);
                }
                Event::Welcome(welcome) => panic!("a second welcome: {welcome:?}"),
                // The room failed; what was posted is posted again.
                Event::Error { .. } => return None,
                _ => {}
            }
        }
    }

    fn follow(&mut self, message: &Message) {
        assert_eq!(
            message.id,
            self.last + 1,
            "{} misses a message, or has one twice",
            self.name
        );
        self.last = message.id;
        self.world.see(message);
    }

    async fn event(&mut self) -> Option<Event> {
        let socket = self.socket.as_mut()?;
        let received = tokio::time::timeout(PATIENCE, socket.receive()).await;
        match received.expect("a socket that is open answers") {
            Some(anchorhold::Message::Text(text)) => Some(serde_json::from_str(&text).unwrap()),
            Some(other) => panic!("{other:?}"),
            None => None,
        }
    }
}

/// Lets the members do what they do, in a room that keeps so many messages, until all faults end.
async fn run_members(sim: &Sim, kept: u64) -> World {
    let world = World {
        posts: clients::history(sim),
        sent: Deliveries::exactly_once(),
        messages: RefCell::default(),
        kept,
    };
    let members = (0..MEMBERS).map(|number| Member {
        sim,
        world: &world,
        name: format!("user{number}"),
        choices: clients::choices(sim, number),
        socket: None,
        last: 0,
    });
    join_all(members.map(Member::run)).await;
    clients::heal(sim).await;
    world
}

#[anchorhold::test(seed = 1, seeds = 300, faults = Faults::all())]
async fn acknowledged_messages_are_in_the_history_once_and_in_order(sim: Sim) {
    let world = run_members(&sim, Settings::default().history_messages).await;
    for number in 0..MEMBERS {
        let user = format!("user{number}");
        let call = async || room(&sim).post(&user, AFTERWARDS, None).await;
        if call().await.is_err() {
            sim.advance(Duration::from_secs(1)).await;
            let post = call().await;
            assert!(post.is_ok(), "{user} is kept from posting: {post:?}");
        }
    }
    let history = room(&sim).history(None, Some(1_000)).await.unwrap();
    let numbers = history.messages.iter().map(|message| message.id);
    assert!(
        numbers.eq(1..=history.messages.len() as u64),
        "the numbers have a hole: {history:?}"
    );
    for message in &history.messages {
        world.see(message);
    }
    assert_eq!(
        world.messages.borrow().len(),
        history.messages.len(),
        "a message that a member has seen is gone"
    );
    let stored = history
        .messages
        .into_iter()
        .filter(|message| message.text != AFTERWARDS)
        .map(|message| (message.user, message.text));
    world.sent.check(stored).unwrap();
    world.posts.check(&Log::new()).unwrap();

    // All have left, and the watch has nobody to look after.
    sim.advance(Duration::from_secs(3_600)).await;
    assert_eq!(room(&sim).members().await.unwrap(), [""; 0]);
}

/// Without faults until the room is set up.
#[anchorhold::test(seed = 1, seeds = 100)]
async fn members_learn_what_they_have_missed(sim: Sim) {
    let kept = clients::choices(&sim, MEMBERS).u64(1..6);
    let settings = Settings {
        history_messages: kept,
        ..Settings::default()
    };
    room(&sim).configure(settings).await.unwrap();
    sim.set_faults(Faults::all());
    let world = run_members(&sim, kept).await;
    let history = room(&sim).history(None, Some(1_000)).await.unwrap();
    let numbers: Vec<u64> = history.messages.iter().map(|message| message.id).collect();
    let newest = numbers.last().copied().unwrap_or(0);
    let first = newest.saturating_sub(kept) + 1;
    assert_eq!(
        numbers,
        Vec::from_iter(first..=newest),
        "the newest are kept"
    );
    for message in &history.messages {
        world.see(message);
    }
}
