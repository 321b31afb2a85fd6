//! The chat room, as its clients and its administrator meet it.

use std::time::Duration;

use anchorhold::objects::ChatRoom;
use anchorhold::objects::chat_room::core::Retention;
use anchorhold::objects::chat_room::{
    self, CREATE_MESSAGES, ChatRoomStub, Draft, Event, History, KICKED, Message, MessageLog,
    Restriction, Role, SILENT, Settings, TOO_FAST, Welcome, core,
};
use anchorhold::prelude::*;
use anchorhold::{CallError, SimSocket};
use serde_json::{Value, json};

mod history;
mod in_a_product;
mod product;
mod rules;

fn room(sim: &Sim) -> ChatRoomStub {
    sim.objects::<ChatRoom>().named("lobby")
}

async fn open(sim: &Sim, query: &str) -> (SimSocket, Welcome) {
    let mut socket = sim
        .connect(&room(sim), &format!("/ws?{query}"))
        .await
        .unwrap_or_else(|error| panic!("{query}: {error}"));
    match socket.receive_json().await {
        Event::Welcome(welcome) => (socket, welcome),
        other => panic!("a welcome comes first, and not {other:?}"),
    }
}

async fn refused(sim: &Sim, query: &str) -> u16 {
    match sim.connect(&room(sim), &format!("/ws?{query}")).await {
        Err(error) => error.status(),
        Ok(_) => panic!("{query} was accepted"),
    }
}

fn say(socket: &SimSocket, text: &str, client_id: Option<&str>) {
    socket.send_json(&json!({ "type": "post", "text": text, "client_id": client_id }));
}

/// The next event must be a message.
async fn message(socket: &mut SimSocket) -> Message {
    match socket.receive_json().await {
        Event::Message(message) => message,
        other => panic!("a message was due, {other:?} came"),
    }
}

/// The code of the error that must be next.
async fn error(socket: &mut SimSocket) -> String {
    match socket.receive_json().await {
        Event::Error { code, .. } => code,
        other => panic!("an error was due, {other:?} came"),
    }
}

async fn post(sim: &Sim, user: &str, text: &str, client_id: Option<&str>) -> Message {
    let client_id = client_id.map(str::to_owned);
    let stub = room(sim);
    stub.post(user, text, client_id).await.unwrap()
}

async fn configure(sim: &Sim, settings: Settings) {
    room(sim).configure(settings).await.unwrap();
}

/// Settings for a user who posts as fast as the test can.
fn fast() -> Settings {
    Settings {
        rate_limit: 10_000,
        rate_window_ms: 100_000,
        ..Settings::default()
    }
}

async fn history(sim: &Sim, before: Option<u64>, limit: Option<u64>) -> History {
    room(sim).history(before, limit).await.unwrap()
}

fn ids(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.id).collect()
}

fn joined(user: &str) -> Event {
    Event::Joined {
        user: user.to_owned(),
    }
}

fn left(user: &str) -> Event {
    Event::Left {
        user: user.to_owned(),
    }
}

#[anchorhold::test]
async fn two_members_see_each_other(sim: Sim) {
    let (mut ann, welcome) = open(&sim, "user=ann").await;
    assert_eq!(
        welcome,
        Welcome {
            user: "ann".to_owned(),
            role: Role::Writer,
            members: vec!["ann".to_owned()],
            history: vec![],
            more: false,
            gap: false,
            newest: 0,
        }
    );
    let (mut bob, welcome) = open(&sim, "user=bob").await;
    assert_eq!(welcome.members, ["ann", "bob"]);
    assert_eq!(ann.receive_json::<Event>().await, joined("bob"));

    say(&bob, "hi", Some("b1"));
    for socket in [&mut ann, &mut bob] {
        let event: Value = socket.receive_json().await;
        let at = sim.now().as_millis();
        assert_eq!(
            event,
            json!({ "type": "message", "id": 1, "user": "bob", "text": "hi", "at": at, "client_id": "b1" })
        );
    }
    bob.send_json(&json!({ "type": "typing" }));
    assert_eq!(
        ann.receive_json::<Value>().await,
        json!({ "type": "typing", "user": "bob" })
    );
    bob.close(1000, "bye");
    assert_eq!(ann.receive_json::<Event>().await, left("bob"));
    assert_eq!(room(&sim).members().await.unwrap(), ["ann"]);
}

#[anchorhold::test]
async fn several_sockets_of_one_user_are_one_member(sim: Sim) {
    let (mut watcher, _) = open(&sim, "user=watcher").await;
    let (first, _) = open(&sim, "user=ann").await;
    assert_eq!(watcher.receive_json::<Event>().await, joined("ann"));
    let (second, welcome) = open(&sim, "user=ann").await;
    assert_eq!(welcome.members, ["ann", "watcher"]);
    first.close(1000, "");
    sim.evict(&room(&sim)).await;
    let (third, _) = open(&sim, "user=ann").await;
    second.close(1000, "");
    sim.advance(Duration::from_millis(1)).await;
    third.close(1000, "");
    assert_eq!(
        watcher.receive_json::<Event>().await,
        left("ann"),
        "and nothing before it"
    );
}

#[anchorhold::test]
async fn the_roster_survives_eviction_and_so_does_a_departure(sim: Sim) {
    let (mut ann, _) = open(&sim, "user=ann").await;
    let (bob, _) = open(&sim, "user=bob").await;
    let (carl, _) = open(&sim, "user=carl&role=reader").await;
    for name in ["bob", "carl"] {
        assert_eq!(ann.receive_json::<Event>().await, joined(name));
    }
    sim.evict(&room(&sim)).await;
    assert_eq!(room(&sim).members().await.unwrap(), ["ann", "bob", "carl"]);
    sim.evict(&room(&sim)).await;
    // The object wakes for the departure of a member that it has not seen in this memory.
    bob.close(1000, "");
    assert_eq!(ann.receive_json::<Event>().await, left("bob"));
    sim.evict(&room(&sim)).await;
    say(&ann, "still here", None);
    assert_eq!(message(&mut ann).await.user, "ann");
    say(&carl, "and I read", None);
    let mut carl = carl;
    assert_eq!(carl.receive_json::<Event>().await, left("bob"));
    assert_eq!(message(&mut carl).await.text, "still here");
    assert_eq!(error(&mut carl).await, "read_only", "the role survives too");
}

#[anchorhold::test]
async fn direct_messages_reach_only_their_user(sim: Sim) {
    let (mut ann, _) = open(&sim, "user=ann").await;
    let (mut bob, _) = open(&sim, "user=bob").await;
    let (mut second, _) = open(&sim, "user=bob").await;
    let (mut eve, _) = open(&sim, "user=eve").await;
    for _ in 0..2 {
        ann.receive_json::<Event>().await;
    }
    for socket in [&mut bob, &mut second] {
        assert_eq!(socket.receive_json::<Event>().await, joined("eve"));
    }
    ann.send_json(&json!({ "type": "direct", "to": "bob", "text": "psst", "client_id": "d" }));
    for socket in [&mut ann, &mut bob, &mut second] {
        assert_eq!(
            socket.receive_json::<Event>().await,
            Event::Direct {
                user: "ann".to_owned(),
                to: "bob".to_owned(),
                text: "psst".to_owned(),
                at: sim.now(),
                client_id: Some("d".to_owned()),
            }
        );
    }
    ann.send_json(&json!({ "type": "direct", "to": "nobody", "text": "psst" }));
    assert_eq!(error(&mut ann).await, "not_here");
    say(&ann, "all", None);
    assert_eq!(message(&mut eve).await.text, "all", "and nothing before it");
    assert_eq!(
        history(&sim, None, None).await.messages.len(),
        1,
        "it is not kept"
    );
}

#[anchorhold::test]
async fn a_ping_is_answered_asleep_and_silence_after_it_ends_the_socket(sim: Sim) {
    let (mut watcher, _) = open(&sim, "user=watcher").await;
    let (mut pinging, _) = open(&sim, "user=pinging").await;
    assert_eq!(watcher.receive_json::<Event>().await, joined("pinging"));
    sim.evict(&room(&sim)).await;
    let wakes = |sim: &Sim| {
        sim.trace()
            .iter()
            .filter(|line| line.contains("wake"))
            .count()
    };
    let before = wakes(&sim);
    for _ in 0..3 {
        sim.advance(Duration::from_secs(30)).await;
        pinging.send_text("ping");
        assert_eq!(
            pinging.receive().await,
            Some(anchorhold::Message::Text("pong".to_owned()))
        );
    }
    assert_eq!(wakes(&sim), before, "nobody was woken");
    sim.advance(Duration::from_secs(119)).await;
    assert_eq!(room(&sim).members().await.unwrap(), ["pinging", "watcher"]);
    sim.advance(Duration::from_secs(31)).await;
    assert_eq!(pinging.receive().await, None);
    assert_eq!(pinging.closed().map(|event| event.code), Some(SILENT));
    assert_eq!(watcher.receive_json::<Event>().await, left("pinging"));
    // The watcher has never pinged: it is not held to it, and nothing is left to watch.
    let quiet = sim.trace().len();
    sim.advance(Duration::from_secs(1_000)).await;
    let last = sim.trace()[quiet..]
        .iter()
        .filter(|line| line.contains("alarm"))
        .count();
    assert_eq!(last, 0, "{:?}", &sim.trace()[quiet..]);
    assert_eq!(room(&sim).members().await.unwrap(), ["watcher"]);
}

#[anchorhold::test]
async fn a_socket_that_talks_is_not_silent(sim: Sim) {
    let (mut ann, _) = open(&sim, "user=ann").await;
    ann.send_text("ping");
    ann.receive().await;
    for number in 0..20 {
        sim.advance(Duration::from_secs(60)).await;
        sim.evict(&room(&sim)).await;
        say(&ann, &number.to_string(), None);
        message(&mut ann).await;
    }
}

#[anchorhold::test]
async fn guard_decides_the_identity_of_a_member(sim: Sim) {
    let app = App::new()
        .mount::<ChatRoom>("/rooms/{name}")
        .guard(async |mut visit| {
            let Some(token) = visit.request.header("authorization") else {
                return Err(Error::unauthorized("log in first"));
            };
            let role = if token == "carl" {
                Role::Reader
            } else {
                Role::Writer
            };
            visit.request = chat_room::identified(visit.request, &token, role).await?;
            Ok(visit)
        });
    sim.app(app);
    let body = json!({ "user": "ann", "text": "I am ann" });
    let claim = |token: Option<&str>| {
        let request = Request::new("POST", "/rooms/lobby/messages")
            .with_json(&body)
            .unwrap();
        match token {
            Some(token) => request.with_header("authorization", token),
            None => request,
        }
    };
    assert_eq!(sim.fetch(claim(None)).await.status(), 401);
    let response = sim.fetch(claim(Some("eve"))).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.read_json::<Message>().unwrap().user, "eve");
    assert_eq!(sim.fetch(claim(Some("carl"))).await.status(), 403);
    // A post is one, whatever it says of an upgrade.
    for upgrade in ["websocket", "h2c"] {
        let posing = |token| claim(Some(token)).with_header("upgrade", upgrade);
        let response = sim.fetch(posing("eve")).await;
        assert_eq!(response.status(), 201);
        assert_eq!(response.read_json::<Message>().unwrap().user, "eve");
        assert_eq!(sim.fetch(posing("carl")).await.status(), 403);
    }
    let members = Request::new("GET", "/rooms/lobby/members").with_header("authorization", "carl");
    assert_eq!(sim.fetch(members).await.status(), 200);
}
