//! What is kept, for how long, and who gets it.

use super::*;

#[anchorhold::test]
async fn nothing_is_lost_or_doubled_between_the_welcome_and_what_follows(sim: Sim) {
    configure(&sim, fast()).await;
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
            ..fast()
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
            ..fast()
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
            ..fast()
        },
    )
    .await;
    assert_eq!(
        ids(&history(&sim, None, None).await.messages),
        [248, 249, 250]
    );
    assert_eq!(post(&sim, "ann", "next", None).await.id, 251);
    // More are kept again, and what is gone stays gone.
    configure(&sim, fast()).await;
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
        ..fast()
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
async fn reconnecting_member_gets_the_missed_messages(sim: Sim) {
    configure(&sim, fast()).await;
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
            ..fast()
        },
    )
    .await;
    let (_, welcome) = open(&sim, "user=bob&since=30").await;
    assert_eq!(ids(&welcome.history), (111..=120).collect::<Vec<_>>());
    assert!(!welcome.more && welcome.gap);
    let (_, welcome) = open(&sim, "user=bob&since=109").await;
    assert!(welcome.gap, "one message is missing");
    let (_, welcome) = open(&sim, "user=bob&since=110").await;
    assert!(!welcome.gap, "nothing of it is missing");
}

#[anchorhold::test]
async fn what_was_acknowledged_survives_a_crash(sim: Sim) {
    configure(&sim, fast()).await;
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
