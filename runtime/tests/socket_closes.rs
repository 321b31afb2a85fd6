//! The runtime completes the closing handshake that a peer began.

use anchorhold::prelude::*;

/// Has no `#[close]` handler.
#[durable_object]
struct Indifferent {}

#[durable_object]
impl Indifferent {
    #[websocket("/ws")]
    fn connect(&self) -> Accept<()> {
        Accept::new(())
    }
}

/// Notes the closes, and does with each what its reason says.
#[durable_object]
struct Attentive {
    closes: Vec<u16>,
}

#[durable_object]
impl Attentive {
    #[websocket("/ws")]
    fn connect(&self) -> Accept<()> {
        Accept::new(())
    }

    #[close]
    async fn closed(
        &mut self,
        ctx: &Ctx,
        socket: &Socket<()>,
        event: CloseEvent,
    ) -> Result<(), Error> {
        self.closes.push(event.code);
        match event.reason.as_str() {
            "fail" => return Err(Error::conflict("as_told", "as told")),
            "panic" => panic!("as told"),
            "abort" => ctx.abort("as told"),
            "answer" => socket.close(4_999, "mine")?,
            "late" => {
                ctx.sleep(std::time::Duration::from_secs(1)).await;
                socket.close(4_998, "late")?;
            }
            _ => {}
        }
        Ok(())
    }

    #[rpc]
    async fn work(&mut self, ctx: &Ctx) {
        ctx.sleep(std::time::Duration::from_secs(1)).await;
    }

    #[rpc]
    fn closes(&self) -> Vec<u16> {
        self.closes.clone()
    }
}

async fn answer_of<S: Stub>(sim: &Sim, stub: &S, code: u16, reason: &str) -> (u16, String, bool) {
    let socket = sim.connect(stub, "/ws").await.unwrap();
    let answer = socket.close_and_wait(code, reason).await;
    (answer.code, answer.reason, answer.clean)
}

#[anchorhold::test]
async fn close_is_answered_with_its_own_code_when_the_class_has_no_handler(sim: Sim) {
    let stub = sim.objects::<Indifferent>().named("a");
    for (code, reason) in [(1_000, "bye"), (1_001, ""), (3_000, "x"), (4_321, "y")] {
        let expected = (code, reason.to_owned(), true);
        assert_eq!(answer_of(&sim, &stub, code, reason).await, expected);
    }
}

#[anchorhold::test]
async fn close_is_answered_when_the_handler_returns_without_closing(sim: Sim) {
    let stub = sim.objects::<Attentive>().named("a");
    let answer = answer_of(&sim, &stub, 4_000, "nothing").await;
    assert_eq!(answer, (4_000, "nothing".to_owned(), true));
    // The handler's failure is not the peer's affair.
    let answer = answer_of(&sim, &stub, 4_001, "fail").await;
    assert_eq!(answer, (4_001, "fail".to_owned(), true));
    assert_eq!(stub.closes().await.unwrap(), [4_000]);
}

#[anchorhold::test]
async fn close_of_the_object_wins_over_the_runtimes(sim: Sim) {
    let stub = sim.objects::<Attentive>().named("a");
    let answer = answer_of(&sim, &stub, 1_000, "answer").await;
    assert_eq!(answer, (4_999, "mine".to_owned(), true));
    let answer = answer_of(&sim, &stub, 1_000, "late").await;
    assert_eq!(answer, (4_998, "late".to_owned(), true));
}

#[anchorhold::test]
async fn close_without_a_code_is_answered_without_one_and_codes_never_sent_are_not_echoed(
    sim: Sim,
) {
    let stub = sim.objects::<Attentive>().named("a");
    assert_eq!(answer_of(&sim, &stub, 1_005, "").await.0, 1_005);
    for forbidden in [0, 999, 1_004, 1_006, 1_015, 2_999, 5_000] {
        assert_eq!(answer_of(&sim, &stub, forbidden, "").await.0, 1_002);
    }
}

#[anchorhold::test]
async fn close_ends_the_connection_when_the_object_is_reset_by_it(sim: Sim) {
    let stub = sim.objects::<Attentive>().named("a");
    for reason in ["panic", "abort"] {
        let before = sim.now();
        let (code, ..) = answer_of(&sim, &stub, 1_000, reason).await;
        assert!(matches!(code, 1_000 | 1_006), "{reason}: {code}");
        assert_eq!(sim.now(), before, "the peer need not wait for a time-out");
    }
    assert!(stub.closes().await.unwrap().is_empty());
}

#[anchorhold::test]
async fn close_reaches_an_object_whose_mailbox_is_full(sim: Sim) {
    const MAILBOX: usize = 4_096;
    let stub = sim.objects::<Attentive>().named("a");
    let leaves = sim.connect(&stub, "/ws").await.unwrap();
    let breaks = sim.connect(&stub, "/ws").await.unwrap();
    let mut waiting = vec![stub.work()];
    waiting.extend((0..MAILBOX).map(|_| stub.work()));
    assert!(matches!(
        waiting.pop().unwrap().await,
        Err(CallError::Overloaded(_))
    ));
    leaves.close(4_000, "");
    drop(breaks);
    sim.advance(std::time::Duration::ZERO).await;
    // All but the first give up their places in the queue after 30 s.
    sim.advance(std::time::Duration::from_secs(60)).await;
    let mut closes = stub.closes().await.unwrap();
    closes.sort_unstable();
    assert_eq!(closes, [1_006, 4_000]);
}
