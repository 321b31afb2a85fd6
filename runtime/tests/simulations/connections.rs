//! Connections that are cut without a Close: each end learns of it by itself.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use anchorhold::__private::run_test;
use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults, Message, SimSocket};

const LONGEST: Duration = Duration::from_secs(120);

#[durable_object]
struct Echo {
    received: Vec<String>,
    closes: Vec<(u16, bool)>,
}

#[durable_object]
impl Echo {
    #[websocket("/ws")]
    fn connect(&self) -> Accept<()> {
        Accept::new(())
    }

    #[message(text)]
    fn message(&mut self, socket: &Socket<()>, text: String) -> Result<(), Error> {
        socket.send_text(&text)?;
        self.received.push(text);
        Ok(())
    }

    #[close]
    fn closed(&mut self, event: CloseEvent) {
        self.closes.push((event.code, event.clean));
    }

    #[rpc]
    fn say_goodbye(&self, ctx: &Ctx) -> Result<(), Error> {
        for socket in ctx.sockets::<()>().all() {
            socket.close(1_000, "bye")?;
        }
        Ok(())
    }

    #[rpc]
    fn received(&self) -> Vec<String> {
        self.received.clone()
    }

    #[rpc]
    fn closes(&self) -> Vec<(u16, bool)> {
        self.closes.clone()
    }
}

async fn connected(sim: &Sim) -> SimSocket {
    sim.connect(&sim.objects::<Echo>().named("a"), "/ws")
        .await
        .unwrap()
}

fn text_of(message: Option<Message>) -> Option<String> {
    message.map(|message| match message {
        Message::Text(text) => text,
        other => panic!("{other:?}"),
    })
}

#[test]
fn ends_of_a_cut_connection_learn_of_it_at_times_of_their_own() {
    let orders = RefCell::new(BTreeSet::new());
    for seed in 0..20 {
        run_test(Some(seed), "cut", async |sim: Sim| {
            let echo = sim.objects::<Echo>().named("a");
            let mut socket = connected(&sim).await;
            socket.send_text("1");
            assert_eq!(text_of(socket.receive().await).unwrap(), "1");
            let start = sim.now();
            sim.cut(&socket);
            socket.send_text("2");
            let client = async {
                assert_eq!(socket.receive().await, None);
                sim.now()
            };
            let host = async {
                while echo.closes().await.unwrap().is_empty() {
                    sim.env().sleep(Duration::from_millis(250)).await;
                }
                sim.now()
            };
            let (client, host) = tokio::join!(client, host);
            let closed = socket.closed().unwrap();
            assert_eq!((closed.code, closed.clean), (1_006, false));
            assert_eq!(echo.closes().await.unwrap(), [(1_006, false)]);
            assert_eq!(echo.received().await.unwrap(), ["1"]);
            let late = start + LONGEST + Duration::from_secs(1);
            assert!(client < late && host < late);
            orders.borrow_mut().insert(client < host);
        });
    }
    assert_eq!(orders.into_inner(), BTreeSet::from([false, true]));
}

#[anchorhold::test(seed = 1, seeds = 20)]
async fn close_into_a_cut_connection_ends_without_an_answer(sim: Sim) {
    let echo = sim.objects::<Echo>().named("a");
    let mut socket = connected(&sim).await;
    sim.cut(&socket);
    echo.say_goodbye().await.unwrap();
    // The host waits for 2 s for an answer, if it does not learn of the cut before.
    sim.advance(Duration::from_secs(3)).await;
    assert_eq!(echo.closes().await.unwrap(), [(1_006, false)]);
    assert_eq!(socket.receive().await, None);
    assert_eq!(socket.closed().unwrap().code, 1_006);
}

#[anchorhold::test]
async fn heal_lets_both_ends_learn_at_once(sim: Sim) {
    let echo = sim.objects::<Echo>().named("a");
    let mut socket = connected(&sim).await;
    let start = sim.now();
    sim.cut(&socket);
    sim.heal().await;
    assert_eq!(socket.receive().await, None);
    assert_eq!(echo.closes().await.unwrap(), [(1_006, false)]);
    assert_eq!(sim.now(), start);
}

#[anchorhold::test]
async fn message_that_arrived_before_the_cut_is_received(sim: Sim) {
    let mut socket = connected(&sim).await;
    socket.send_text("1");
    sim.advance(Duration::from_secs(1)).await;
    sim.cut(&socket);
    assert_eq!(text_of(socket.receive().await).unwrap(), "1");
    assert_eq!(socket.receive().await, None);
}

/// The client stays behind for a while when the host loses its power, too: no packet tells it.
#[anchorhold::test(seed = 3)]
async fn client_gets_no_notice_of_a_power_failure(sim: Sim) {
    let mut socket = connected(&sim).await;
    let start = sim.now();
    sim.power_failure().await;
    assert_eq!(socket.receive().await, None);
    assert!(sim.now() > start);
}

/// Whatever is cut, both sides have received a beginning of what the other sent.
#[test]
fn dropped_socket_loses_an_end_of_what_was_sent_and_nothing_before_it() {
    let dropped = Cell::new(0);
    for seed in 0..100 {
        run_test(Some(seed), "dropped", async |sim: Sim| {
            sim.set_faults(Faults::none().one_in(12, FaultKind::DroppedSocket));
            let mut socket = connected(&sim).await;
            let sent: Vec<String> = (0..8).map(|number: u32| number.to_string()).collect();
            let mut received = Vec::new();
            for text in &sent {
                socket.send_text(text);
                received.extend(text_of(socket.receive().await));
            }
            sim.heal().await;
            let stored = loop {
                if let Ok(stored) = sim.objects::<Echo>().named("a").received().await {
                    break stored;
                }
            };
            assert!(sent.starts_with(&stored), "{stored:?}");
            assert!(stored.starts_with(&received), "{received:?} of {stored:?}");
            dropped.set(dropped.get() + usize::from(socket.closed().is_some()));
        });
    }
    assert!((10..100).contains(&dropped.get()), "{}", dropped.get());
}
