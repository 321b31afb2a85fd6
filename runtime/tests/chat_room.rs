//! The chat room, as its clients and its administrator meet it.

use std::time::Duration;

use anchorhold::objects::ChatRoom;
use anchorhold::objects::chat_room::{
    self, ChatRoomStub, Event, History, KICKED, Message, Restriction, Role, SILENT, Settings,
    Welcome, core,
};
use anchorhold::prelude::*;
use anchorhold::{CallError, SimSocket};
use serde_json::{Value, json};

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
async fn nothing_is_lost_or_doubled_between_the_welcome_and_what_follows(sim: Sim) {
    let (writer, _) = open(&sim, "user=writer").await;
    let mut readers = Vec::new();
    for number in 0..40 {
        for step in 0..3 {
            say(&writer, &format!("{number}.{step}"), None);
        }
        // The posts are on their way while this socket is opened.
        readers.push(open(&sim, &format!("user=reader{number}")).await);
    }
    for (reader, welcome) in &mut readers {
        let mut expected = welcome.newest;
        if let Some(last) = welcome.history.last() {
            assert_eq!(last.id, expected);
        }
        while expected < 120 {
            if let Event::Message(message) = reader.receive_json().await {
                expected += 1;
                assert_eq!(message.id, expected);
            }
        }
    }
}

#[anchorhold::test]
async fn a_resend_is_stored_once_and_answered_again(sim: Sim) {
    let (mut ann, _) = open(&sim, "user=ann").await;
    let (mut other, _) = open(&sim, "user=ann").await;
    say(&ann, "hi", Some("x"));
    let first = message(&mut ann).await;
    assert_eq!(message(&mut other).await, first);
    sim.crash().await;
    let (mut ann, welcome) = open(&sim, "user=ann&since=0").await;
    assert_eq!(welcome.history, std::slice::from_ref(&first));
    say(&ann, "hi", Some("x"));
    assert_eq!(message(&mut ann).await, first);
    assert_eq!(post(&sim, "ann", "hi", Some("x")).await, first);
    assert_eq!(
        post(&sim, "bob", "hi", Some("x")).await.id,
        2,
        "another user's"
    );
    assert_eq!(
        message(&mut ann).await.id,
        2,
        "the resends went to nobody else"
    );
    assert_eq!(ids(&history(&sim, None, None).await.messages), [1, 2]);
}

#[anchorhold::test]
async fn a_resend_is_recognised_after_its_message_has_left_the_history(sim: Sim) {
    configure(
        &sim,
        Settings {
            history_messages: 5,
            ..Settings::default()
        },
    )
    .await;
    let first = post(&sim, "ann", "early", Some("x")).await;
    for number in 0..200 {
        post(&sim, "bob", &number.to_string(), None).await;
    }
    assert_eq!(post(&sim, "ann", "early", Some("x")).await, first);
    let page = history(&sim, None, None).await;
    assert_eq!(
        (ids(&page.messages), page.more),
        ((197..=201).collect(), false)
    );
}

#[anchorhold::test]
async fn the_history_is_paged_and_bounded_by_count(sim: Sim) {
    configure(
        &sim,
        Settings {
            history_messages: 100,
            ..Settings::default()
        },
    )
    .await;
    for number in 1..=250 {
        assert_eq!(post(&sim, "ann", "text", None).await.id, number);
    }
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = history(&sim, before, Some(30)).await;
        before = page.messages.first().map(|message| message.id);
        found.splice(0..0, ids(&page.messages));
        if !page.more {
            break;
        }
    }
    assert_eq!(found, (151..=250).collect::<Vec<_>>());
    let stub = room(&sim);
    for limit in [0, 1_001] {
        let refused = stub.history(None, Some(limit)).await.unwrap_err();
        assert!(matches!(refused, CallError::Application(error) if error.status() == 400));
    }
    // Fewer are kept from now on; the identifiers go on.
    configure(
        &sim,
        Settings {
            history_messages: 3,
            ..Settings::default()
        },
    )
    .await;
    assert_eq!(
        ids(&history(&sim, None, None).await.messages),
        [248, 249, 250]
    );
    assert_eq!(post(&sim, "ann", "next", None).await.id, 251);
    // More are kept again, and what is gone stays gone.
    configure(&sim, Settings::default()).await;
    let page = history(&sim, None, None).await;
    assert_eq!(ids(&page.messages), [248, 249, 250, 251]);
    assert!(!page.more);
    let (_socket, welcome) = open(&sim, "user=ann&since=200").await;
    assert_eq!(ids(&welcome.history), [248, 249, 250, 251]);
    assert!(welcome.gap && !welcome.more);
}

#[anchorhold::test]
async fn messages_expire_by_an_alarm_that_is_only_there_for_them(sim: Sim) {
    let hour = Duration::from_secs(3_600);
    let settings = Settings {
        history_age_ms: Some(3_600_000),
        ..Settings::default()
    };
    configure(&sim, settings).await;
    let alarms = |sim: &Sim| {
        let trace = sim.trace();
        trace.iter().filter(|line| line.contains("alarm")).count()
    };
    let before = alarms(&sim);
    sim.advance(hour * 10).await;
    assert_eq!(alarms(&sim), before, "there is nothing to expire");

    post(&sim, "ann", "old", Some("x")).await;
    sim.advance(hour / 2).await;
    post(&sim, "ann", "young", None).await;
    sim.advance(hour / 2).await;
    assert_eq!(
        ids(&history(&sim, None, None).await.messages),
        [2],
        "to the millisecond"
    );
    sim.advance(hour).await;
    assert_eq!(history(&sim, None, None).await.messages, []);
    let last = alarms(&sim);
    sim.advance(hour * 10).await;
    assert_eq!(alarms(&sim), last, "there is nothing more to expire");

    // The identifiers go on, and the client learns that it has missed something.
    let (_, welcome) = open(&sim, "user=ann&since=1").await;
    assert_eq!(
        (welcome.history.len(), welcome.gap, welcome.newest),
        (0, true, 2)
    );
    let (_, welcome) = open(&sim, "user=ann&since=2").await;
    assert_eq!(
        (welcome.history.len(), welcome.gap, welcome.newest),
        (0, false, 2)
    );
    assert_eq!(post(&sim, "ann", "new", Some("x")).await.id, 3);
}

#[anchorhold::test]
async fn who_comes_back_gets_what_was_missed(sim: Sim) {
    for _ in 0..120 {
        post(&sim, "ann", "text", None).await;
    }
    let (_, welcome) = open(&sim, "user=bob").await;
    assert_eq!(ids(&welcome.history), (71..=120).collect::<Vec<_>>());
    assert!(welcome.more && !welcome.gap);
    let (_, welcome) = open(&sim, "user=bob&since=30").await;
    assert_eq!(ids(&welcome.history), (31..=120).collect::<Vec<_>>());
    assert!(!welcome.more && !welcome.gap);
    let (_, welcome) = open(&sim, "user=bob&since=120").await;
    assert_eq!(
        (welcome.history, welcome.more, welcome.gap),
        (vec![], false, false)
    );
    // From another room, or another life.
    let (_, welcome) = open(&sim, "user=bob&since=500").await;
    assert_eq!((welcome.history.len(), welcome.gap), (120, true));

    configure(
        &sim,
        Settings {
            history_messages: 10,
            ..Settings::default()
        },
    )
    .await;
    let (_, welcome) = open(&sim, "user=bob&since=30").await;
    assert_eq!(ids(&welcome.history), (111..=120).collect::<Vec<_>>());
    assert!(!welcome.more && welcome.gap);
    let (_, welcome) = open(&sim, "user=bob&since=110").await;
    assert!(!welcome.gap, "nothing of it is missing");
}

#[anchorhold::test]
async fn what_was_acknowledged_survives_a_crash(sim: Sim) {
    let (mut ann, _) = open(&sim, "user=ann").await;
    let mut acknowledged = Vec::new();
    for round in 0..30 {
        for step in 0..5 {
            say(
                &ann,
                &format!("{round}.{step}"),
                Some(&format!("{round}.{step}")),
            );
        }
        for _ in 0..round % 5 {
            acknowledged.push(message(&mut ann).await);
        }
        sim.crash().await;
        let since = acknowledged.last().map_or(0, |message| message.id);
        let (again, welcome) = open(&sim, &format!("user=ann&since={since}")).await;
        assert!(!welcome.gap);
        acknowledged.extend(welcome.history);
        ann = again;
    }
    let stored = history(&sim, None, Some(1_000)).await.messages;
    assert_eq!(stored, acknowledged, "seen once each, in one order");
    assert_eq!(ids(&stored), (1..=stored.len() as u64).collect::<Vec<_>>());
}

#[anchorhold::test]
async fn direct_messages_reach_their_user_and_nobody_else(sim: Sim) {
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
async fn typing_is_shown_at_most_once_in_an_interval(sim: Sim) {
    let (mut ann, _) = open(&sim, "user=ann").await;
    let (bob, _) = open(&sim, "user=bob").await;
    ann.receive_json::<Event>().await;
    for _ in 0..20 {
        bob.send_json(&json!({ "type": "typing" }));
    }
    sim.advance(Duration::from_secs(1)).await;
    bob.send_json(&json!({ "type": "typing" }));
    say(&bob, "done", None);
    for _ in 0..2 {
        let event: Event = ann.receive_json().await;
        assert_eq!(
            event,
            Event::Typing {
                user: "bob".to_owned()
            }
        );
    }
    assert_eq!(message(&mut ann).await.text, "done");
    // A clock that was set back silences nobody.
    sim.set_clock(sim.now() - Duration::from_secs(3_600)).await;
    bob.send_json(&json!({ "type": "typing" }));
    say(&bob, "again", None);
    assert!(matches!(ann.receive_json().await, Event::Typing { .. }));
}

#[anchorhold::test]
async fn who_posts_too_fast_is_told_to_wait_and_stays_connected(sim: Sim) {
    let settings = Settings {
        rate_limit: 3,
        rate_window_ms: 30_000,
        ..Settings::default()
    };
    configure(&sim, settings).await;
    let (mut ann, _) = open(&sim, "user=ann").await;
    for number in 0..4 {
        say(&ann, &number.to_string(), Some(&number.to_string()));
    }
    for _ in 0..3 {
        message(&mut ann).await;
    }
    let Event::Error {
        code,
        retry_after_ms,
        client_id,
        ..
    } = ann.receive_json().await
    else {
        panic!("an error was due");
    };
    assert_eq!(
        (code.as_str(), retry_after_ms, client_id.as_deref()),
        ("limited", Some(10_000), Some("3"))
    );
    // The limit is as persistent as the messages.
    sim.crash().await;
    let app = || App::new().mount::<ChatRoom>("/rooms/{name}");
    sim.app(app());
    let body = json!({ "user": "ann", "text": "again" });
    let request = || {
        Request::new("POST", "/rooms/lobby/messages")
            .with_json(&body)
            .unwrap()
    };
    let response = sim.fetch(request()).await;
    assert_eq!(
        (response.status(), response.header("retry-after")),
        (429, Some("10"))
    );
    post(&sim, "bob", "I may", None).await;
    sim.advance(Duration::from_secs(10)).await;
    assert_eq!(sim.fetch(request()).await.status(), 201);
}

#[anchorhold::test]
async fn an_administrator_kicks_bans_mutes_and_pardons(sim: Sim) {
    let (mut ann, _) = open(&sim, "user=ann").await;
    let (mut eve, _) = open(&sim, "user=eve").await;
    assert_eq!(ann.receive_json::<Event>().await, joined("eve"));
    let room = room(&sim);
    let because = || Some("be kind".to_owned());

    assert_eq!(room.kick("eve", because()).await.unwrap(), 1);
    assert_eq!(ann.receive_json::<Event>().await, left("eve"));
    assert_eq!(eve.receive().await, None);
    let closed = eve.closed().unwrap();
    assert_eq!((closed.code, closed.reason.as_str()), (KICKED, "be kind"));
    assert_eq!(room.kick("eve", None).await.unwrap(), 0);

    let (mut eve, _) = open(&sim, "user=eve").await;
    assert_eq!(ann.receive_json::<Event>().await, joined("eve"));
    room.mute("eve", Some(60_000), None).await.unwrap();
    say(&eve, "hello?", None);
    assert_eq!(error(&mut eve).await, "read_only");
    let (_, welcome) = open(&sim, "user=eve").await;
    assert_eq!(welcome.role, Role::Reader);
    sim.advance(Duration::from_secs(60)).await;
    say(&eve, "hello!", None);
    assert_eq!(message(&mut eve).await.text, "hello!", "the mute has ended");
    assert_eq!(message(&mut ann).await.text, "hello!");

    sim.evict(&room).await;
    assert_eq!(
        room.ban("eve", Some(3_600_000), because()).await.unwrap(),
        1
    );
    assert_eq!(ann.receive_json::<Event>().await, left("eve"));
    sim.crash().await;
    assert_eq!(refused(&sim, "user=eve").await, 403);
    let refusal = room.post("eve", "still", None).await.unwrap_err();
    assert!(
        matches!(&refusal, CallError::Application(error) if error.code() == "banned" && error.message().ends_with("be kind")),
        "{refusal}"
    );
    let standings = room.standings().await.unwrap();
    assert_eq!(
        (standings.len(), standings[0].restriction),
        (1, Restriction::Banned)
    );
    assert!(room.pardon("eve").await.unwrap());
    assert!(!room.pardon("eve").await.unwrap());
    open(&sim, "user=eve").await;
    room.ban("eve", Some(1_000), None).await.unwrap();
    sim.advance(Duration::from_secs(1)).await;
    open(&sim, "user=eve").await;
    assert_eq!(room.standings().await.unwrap(), []);
}

#[anchorhold::test]
async fn the_rate_limit_outlives_the_messages(sim: Sim) {
    let settings = Settings {
        history_messages: 1,
        history_age_ms: Some(1_000),
        rate_limit: 2,
        rate_window_ms: 60_000,
        ..Settings::default()
    };
    configure(&sim, settings).await;
    post(&sim, "ann", "1", None).await;
    post(&sim, "ann", "2", None).await;
    sim.advance(Duration::from_secs(20)).await;
    assert_eq!(history(&sim, None, None).await.messages, []);
    sim.evict(&room(&sim)).await;
    let refused = room(&sim).post("ann", "3", None).await.unwrap_err();
    assert!(
        matches!(&refused, CallError::Application(error) if error.status() == 429),
        "{refused}"
    );
    sim.advance(Duration::from_secs(10)).await;
    post(&sim, "ann", "3", None).await;
    // With the last allowance whole again nothing is left, and nothing wakes the room.
    let alarms = |sim: &Sim| {
        let trace = sim.trace();
        trace.iter().filter(|line| line.contains("alarm")).count()
    };
    sim.advance(Duration::from_secs(120)).await;
    let last = alarms(&sim);
    sim.advance(Duration::from_secs(3_600)).await;
    assert_eq!(alarms(&sim), last);
}

#[anchorhold::test]
async fn a_restriction_has_an_end_that_can_be_told(sim: Sim) {
    let room = room(&sim);
    for for_ms in [0, u64::MAX] {
        for refused in [
            room.ban("eve", Some(for_ms), None).await.unwrap_err(),
            room.mute("eve", Some(for_ms), None).await.unwrap_err(),
        ] {
            let CallError::Application(error) = refused else {
                panic!("{refused}");
            };
            assert_eq!(error.status(), 400);
            assert!(error.message().contains("`for_ms`"), "{error}");
        }
    }
    assert_eq!(room.standings().await.unwrap(), []);
}

#[anchorhold::test]
async fn rooms_members_and_sockets_are_bounded(sim: Sim) {
    let settings = Settings {
        max_members: 2,
        max_sockets: 4,
        max_sockets_per_user: 2,
        ..Settings::default()
    };
    configure(&sim, settings).await;
    let _ann = open(&sim, "user=ann").await;
    let _bob = open(&sim, "user=bob").await;
    assert_eq!(refused(&sim, "user=carl").await, 503);
    let _second = open(&sim, "user=bob").await;
    assert_eq!(refused(&sim, "user=bob").await, 429);
    let third = Request::new("GET", "/ws?user=bob").with_header("upgrade", "websocket");
    let response = room(&sim).fetch(third).await.unwrap();
    assert_eq!(response.header("retry-after"), Some("120"));
    let _third = open(&sim, "user=ann").await;
    configure(
        &sim,
        Settings {
            max_sockets: 4,
            ..Settings::default()
        },
    )
    .await;
    assert_eq!(refused(&sim, "user=ann").await, 503);
    for query in [
        "",
        "user=",
        "user=%20ann",
        "user=a%0ab",
        "user=ann&colour=red",
        "user=ann&since=-1",
        "user=ann&role=king",
    ] {
        assert_eq!(refused(&sim, query).await, 400, "{query}");
    }
    assert_eq!(
        refused(&sim, &format!("user={}", "x".repeat(33))).await,
        400
    );
    let name = "😀".repeat(32);
    configure(&sim, Settings::default()).await;
    let (_, welcome) = open(&sim, &format!("user={name}")).await;
    assert_eq!(welcome.user, name);
}

#[anchorhold::test]
async fn what_does_not_fit_is_refused_and_the_socket_stays(sim: Sim) {
    let (mut ann, _) = open(&sim, "user=ann").await;
    for (frame, code) in [
        (
            r#"{"type":"post","text":"a","colour":"red"}"#.to_owned(),
            "bad_message",
        ),
        (r#"{"type":"dance"}"#.to_owned(), "bad_message"),
        ("pong".to_owned(), "bad_message"),
        (r#"{"type":"post","text":""}"#.to_owned(), "bad_text"),
        (
            format!(r#"{{"type":"post","text":"{}"}}"#, "x".repeat(4_097)),
            "bad_text",
        ),
        (
            r#"{"type":"post","text":"a","client_id":""}"#.to_owned(),
            "bad_client_id",
        ),
        (
            r#"{"type":"direct","to":"","text":"a"}"#.to_owned(),
            "bad_name",
        ),
        (" ".repeat(core::MAX_FRAME + 1), "too_large"),
    ] {
        ann.send_text(frame.as_str());
        assert_eq!(
            error(&mut ann).await,
            code,
            "{}",
            &frame[..frame.len().min(80)]
        );
    }
    ann.send_binary([1, 2, 3]);
    assert_eq!(error(&mut ann).await, "bad_request");
    say(&ann, &"x".repeat(4_096), None);
    assert_eq!(message(&mut ann).await.id, 1);
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
async fn the_guard_says_who_somebody_is(sim: Sim) {
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

#[anchorhold::test]
async fn settings_are_checked_and_kept(sim: Sim) {
    let room = room(&sim);
    assert_eq!(room.settings().await.unwrap(), Settings::default());
    let settings = Settings {
        max_members: 7,
        history_age_ms: None,
        ..Settings::default()
    };
    configure(&sim, settings.clone()).await;
    let wrong = Settings {
        silence_ms: 1,
        ..Settings::default()
    };
    let refused = room.configure(wrong).await.unwrap_err();
    assert!(
        refused.to_string().contains("`silence_ms` is 1"),
        "{refused}"
    );
    sim.crash().await;
    assert_eq!(room.settings().await.unwrap(), settings);
}
