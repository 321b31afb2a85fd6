//! Who may do what, how much of it, and who says so.

use super::*;

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
async fn member_over_the_rate_limit_gets_a_delay_and_stays_connected(sim: Sim) {
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
async fn a_restriction_reports_its_end(sim: Sim) {
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
        refused(&sim, &format!("user={}", "x".repeat(65))).await,
        400
    );
    let name = "😀".repeat(64);
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
