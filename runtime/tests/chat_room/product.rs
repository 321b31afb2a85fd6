//! A room among strangers: floods, look-alikes, resends.

use super::*;

/// One stranger must not push the history of the others out.
#[anchorhold::test]
async fn a_flood_leaves_the_history_to_the_others(sim: Sim) {
    post(&sim, "ann", "keep me", None).await;
    let mut taken = 0;
    for number in 0..1_000 {
        let posted = room(&sim).post("eve", &number.to_string(), None).await;
        taken += u64::from(posted.is_ok());
    }
    assert!(taken <= 40, "{taken} messages at once");
    assert_eq!(
        history(&sim, None, Some(1_000)).await.messages[0].text,
        "keep me"
    );
}

#[anchorhold::test]
async fn every_frame_counts(sim: Sim) {
    for frame in [
        r#"{"type":"dance"}"#.to_owned(),
        r#"{"type":"typing"}"#.to_owned(),
        r#"{"type":"direct","to":"nobody","text":"a"}"#.to_owned(),
        r#"{"type":"post","text":""}"#.to_owned(),
    ] {
        let (mut eve, _) = open(&sim, "user=eve").await;
        let (mut ann, _) = open(&sim, "user=ann").await;
        for _ in 0..2_000 {
            eve.send_text(frame.as_str());
        }
        let mut answers = 0;
        while eve.receive().await.is_some() {
            answers += 1;
        }
        assert!(answers < 500, "{answers} answers to {frame}");
        assert_eq!(
            eve.closed().map(|close| close.code),
            Some(TOO_FAST),
            "{frame}"
        );
        // The others are not concerned.
        say(&ann, "hi", None);
        while !matches!(ann.receive_json::<Event>().await, Event::Message(_)) {}
        drop((ann, eve));
        sim.advance(Duration::from_secs(60)).await;
    }
}

#[anchorhold::test]
async fn welcomes_are_charged_by_their_size(sim: Sim) {
    configure(
        &sim,
        Settings {
            rate_limit: 2_000,
            ..Settings::default()
        },
    )
    .await;
    let text = "x".repeat(4_096);
    for _ in 0..1_000 {
        post(&sim, "ann", &text, None).await;
    }
    configure(&sim, Settings::default()).await;
    let mut welcomes = 0;
    for _ in 0..50 {
        let request =
            Request::new("GET", "/ws?user=eve&since=1").with_header("upgrade", "websocket");
        let response = room(&sim).fetch(request).await.unwrap();
        if response.status() == 101 {
            welcomes += 1;
        } else {
            assert_eq!(response.status(), 429);
            assert!(response.header("retry-after").is_some());
        }
    }
    assert!((1..=2).contains(&welcomes), "{welcomes} welcomes of 4 MiB");
}

/// A resend is answered with what is stored, whatever its user may do by now.
#[anchorhold::test]
async fn a_resend_is_free_of_charge(sim: Sim) {
    let settings = Settings {
        rate_limit: 1,
        rate_window_ms: 60_000,
        ..Settings::default()
    };
    configure(&sim, settings).await;
    let first = post(&sim, "ann", "hi", Some("1")).await;
    for _ in 0..5 {
        assert_eq!(post(&sim, "ann", "hi", Some("1")).await, first);
    }
    let (mut ann, _) = open(&sim, "user=ann").await;
    room(&sim).mute("ann", None, None).await.unwrap();
    say(&ann, "hi", Some("1"));
    assert_eq!(message(&mut ann).await, first);
    assert_eq!(post(&sim, "ann", "hi", Some("1")).await, first);
    room(&sim)
        .post("ann", "ho", Some("2".to_owned()))
        .await
        .unwrap_err();
    assert_eq!(history(&sim, None, None).await.messages.len(), 1);
}

#[anchorhold::test]
async fn nobody_looks_like_somebody_else(sim: Sim) {
    let (_ann, _) = open(&sim, "user=Capa").await;
    let query = |name: &str| {
        let request = Request::new("GET", "/ws").with_query_value("user", name);
        request.with_header("upgrade", "websocket")
    };
    let ask = async |name: &str| room(&sim).fetch(query(name)).await.unwrap().status();
    // A space without a width, a Cyrillic letter among Latin ones, a direction.
    for name in ["Capa\u{200b}", "C\u{430}pa", "\u{202e}apaC"] {
        assert_eq!(ask(name).await, 400, "{name:?}");
    }
    // Cyrillic letters only, which is a valid name unless a member is called Capa.
    assert_eq!(ask("Сара").await, 409);
    let refused = room(&sim).post("Сара", "hi", None).await.unwrap_err();
    assert!(
        refused.to_string().contains("looks like the member"),
        "{refused}"
    );
    // One form of each name: full width, and accents as characters of their own.
    let (_, welcome) = open(&sim, "user=%EF%BC%A3%61%70%61").await;
    assert_eq!((welcome.user.as_str(), welcome.members.len()), ("Capa", 1));
    let uuid = "0b94e1d1-5a3e-4f0c-9a51-5e6f7a3c9d10";
    let (_, welcome) = open(&sim, &format!("user={uuid}")).await;
    assert_eq!(welcome.user, uuid);
    assert_eq!(refused_name(&sim, 64).await, 101);
    assert_eq!(refused_name(&sim, 65).await, 400);
}

async fn refused_name(sim: &Sim, length: usize) -> u16 {
    let request = Request::new("GET", "/ws")
        .with_query_value("user", &"x".repeat(length))
        .with_header("upgrade", "websocket");
    room(sim).fetch(request).await.unwrap().status()
}

/// An object that embeds the log, and does not check its texts.
#[durable_object(migrations = [CREATE_MESSAGES])]
struct Journal {}

#[durable_object]
impl Journal {
    fn log(ctx: &Ctx) -> MessageLog {
        let retention = Retention {
            messages: 2,
            age: None,
        };
        MessageLog::new(ctx.storage(), retention, ctx.now())
    }

    #[rpc]
    fn note(&mut self, ctx: &Ctx, text: &str) -> Result<Message, StorageError> {
        let draft = Draft {
            user: "ann",
            text,
            client_id: None,
            allowance_full_at: None,
        };
        Ok(Self::log(ctx).append(&draft)?.into_message())
    }

    #[rpc]
    fn notes(&self, ctx: &Ctx) -> Result<History, StorageError> {
        Self::log(ctx).before(None, 10)
    }
}

#[anchorhold::test]
async fn an_empty_text_that_is_stored_is_read_again(sim: Sim) {
    let journal = sim.objects::<Journal>().named("j");
    let noted = journal.note("").await.unwrap();
    assert_eq!(journal.notes().await.unwrap().messages, [noted]);
}
