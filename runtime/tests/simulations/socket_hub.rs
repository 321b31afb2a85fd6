//! A hub that publishers and subscribers use while everything fails: a connection gets the events of
//! its topics at most once, in one order for all, without a hole until it ends.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anchorhold::objects::SocketHub;
use anchorhold::prelude::*;
use anchorhold::{Faults, Message, SimSocket};
use fastrand::Rng;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::clients;

type HubStub = <SocketHub as DurableObject>::Stub;

const PUBLISHERS: u64 = 2;
const SUBSCRIBERS: u64 = 3;
const EVENTS: usize = 8;
const TOPICS: [&str; 2] = ["x", "y"];

fn hub(sim: &Sim) -> HubStub {
    sim.objects::<SocketHub>().named("a")
}

/// An event that was published. Times count what the clients did.
struct Published {
    topic: &'static str,
    asked: u64,
    /// When it was acknowledged, and to how many subscribers it had been sent then.
    acknowledged: Option<(u64, usize)>,
}

/// From when a socket was open, and what came over it.
struct Connection {
    opened: u64,
    topics: Vec<&'static str>,
    received: Vec<u64>,
    is_over: bool,
}

#[derive(Default)]
struct World {
    time: Cell<u64>,
    events: RefCell<BTreeMap<u64, Published>>,
    connections: RefCell<Vec<Connection>>,
    is_over: Cell<bool>,
}

impl World {
    fn tick(&self) -> u64 {
        self.time.set(self.time.get() + 1);
        self.time.get()
    }

    /// A new event, by the time at which it is asked for.
    fn event(&self, topic: &'static str) -> u64 {
        let asked = self.tick();
        let event = Published {
            topic,
            asked,
            acknowledged: None,
        };
        self.events.borrow_mut().insert(asked, event);
        asked
    }

    async fn publish(&self, sim: &Sim, topic: &'static str) -> bool {
        let event = self.event(topic);
        let answer = hub(sim).publish(topic, json!(event)).await.ok();
        let acknowledged = answer.map(|published| (self.tick(), published.delivered));
        if let Some(published) = self.events.borrow_mut().get_mut(&event) {
            published.acknowledged = acknowledged;
        }
        acknowledged.is_some()
    }

    fn check(&self) {
        let events = self.events.borrow();
        let connections = self.connections.borrow();
        let mut receivers: BTreeMap<u64, usize> = BTreeMap::new();
        for connection in connections.iter() {
            let received: BTreeSet<u64> = connection.received.iter().copied().collect();
            assert_eq!(
                received.len(),
                connection.received.len(),
                "an event came twice: {:?}",
                connection.received
            );
            for event in &received {
                assert!(connection.topics.contains(&events[event].topic));
                *receivers.entry(*event).or_default() += 1;
            }
            // What was acknowledged before something that came, comes before it. On a connection
            // that holds, everything that was acknowledged comes.
            let newest_asked = received.last().copied().unwrap_or(0);
            for (event, published) in events.iter() {
                let Some((acknowledged, _)) = published.acknowledged else {
                    continue;
                };
                let is_owed = published.asked > connection.opened
                    && connection.topics.contains(&published.topic)
                    && (acknowledged < newest_asked || !connection.is_over);
                assert!(
                    !is_owed || received.contains(event),
                    "event {event} is missing among {:?}",
                    connection.received
                );
            }
        }
        for (event, count) in receivers {
            if let Some((_, delivered)) = events[&event].acknowledged {
                assert!(count <= delivered, "event {event}: {count}, {delivered}");
            }
        }
        assert_one_order(&connections);
    }
}

/// All connections agree on which of two events came first.
fn assert_one_order(connections: &[Connection]) {
    for (index, one) in connections.iter().enumerate() {
        for other in &connections[index + 1..] {
            let in_both = |list: &[u64], rest: &[u64]| -> Vec<u64> {
                let known = list.iter().copied();
                known.filter(|event| rest.contains(event)).collect()
            };
            assert_eq!(
                in_both(&one.received, &other.received),
                in_both(&other.received, &one.received),
                "two connections have two orders"
            );
        }
    }
}

async fn publisher(sim: &Sim, number: u64, world: &World) {
    let mut choices = clients::choices(sim, number);
    for _ in 0..EVENTS {
        let pause = Duration::from_millis(choices.u64(0..4_000));
        sim.env().sleep(pause).await;
        world.publish(sim, TOPICS[choices.usize(0..2)]).await;
    }
}

async fn subscriber(sim: &Sim, number: u64, world: &World) {
    let mut choices = clients::choices(sim, 100 + number);
    while !world.is_over.get() {
        let topics = match choices.u8(0..4) {
            0 => vec!["x"],
            1 => vec!["y"],
            _ => TOPICS.to_vec(),
        };
        let is_acknowledging = choices.bool();
        let path = format!("/ws?topics={}&acks={is_acknowledging}", topics.join(","));
        let Ok(socket) = sim.connect(&hub(sim), &path).await else {
            sim.env().sleep(Duration::from_millis(300)).await;
            continue;
        };
        let index = {
            let mut connections = world.connections.borrow_mut();
            connections.push(Connection {
                opened: world.tick(),
                topics,
                received: Vec::new(),
                is_over: false,
            });
            connections.len() - 1
        };
        follow(sim, socket, is_acknowledging, index, world, &mut choices).await;
    }
}

/// Receives until the connection ends, or the test.
async fn follow(
    sim: &Sim,
    mut socket: SimSocket,
    is_acknowledging: bool,
    index: usize,
    world: &World,
    choices: &mut Rng,
) {
    let mut count = 0;
    while !world.is_over.get() {
        let received = tokio::time::timeout(Duration::from_secs(2), socket.receive()).await;
        let text = match received {
            Ok(Some(Message::Text(text))) => text,
            Ok(Some(other)) => panic!("{other:?}"),
            Ok(None) => break,
            Err(_) => match choices.u8(0..12) {
                0 => break,
                1 => {
                    // Its own events go to the others.
                    let topic = TOPICS[choices.usize(0..2)];
                    let data = world.event(topic);
                    socket.send_json(&json!({ "type": "publish", "topic": topic, "data": data }));
                    continue;
                }
                _ => continue,
            },
        };
        let event: Value = serde_json::from_str(&text).unwrap();
        if event["type"] == "error" {
            // The turn of its message failed.
            continue;
        }
        count += 1;
        let number = is_acknowledging.then_some(count);
        assert_eq!(event["seq"].as_u64(), number, "{event}");
        let data = event["data"].as_u64().unwrap();
        assert_eq!(event["topic"], world.events.borrow()[&data].topic);
        world.connections.borrow_mut()[index].received.push(data);
        if is_acknowledging && choices.bool() {
            socket.send_json(&json!({ "type": "ack", "seq": count }));
        }
    }
    if !world.is_over.get() {
        world.connections.borrow_mut()[index].is_over = true;
        if choices.bool() {
            socket.close_and_wait(1_000, "").await;
        } else {
            drop(socket);
        }
        sim.env()
            .sleep(Duration::from_millis(choices.u64(0..2_000)))
            .await;
    }
}

#[anchorhold::test(seed = 1, seeds = 300, faults = Faults::all())]
async fn a_connection_gets_each_event_once_and_in_order_until_it_ends(sim: Sim) {
    let world = World::default();
    let publishing = async {
        join_all((0..PUBLISHERS).map(|number| publisher(&sim, number, &world))).await;
        clients::heal(&sim).await;
        // All are connected again by now.
        for topic in TOPICS {
            assert!(world.publish(&sim, topic).await, "nothing fails any more");
        }
        sim.advance(Duration::from_secs(60)).await;
        world.is_over.set(true);
    };
    let subscribers = join_all((0..SUBSCRIBERS).map(|number| subscriber(&sim, number, &world)));
    join(publishing, subscribers).await;
    world.check();

    sim.advance(Duration::from_secs(3_600)).await;
    let status = hub(&sim).status().await.unwrap();
    assert_eq!(
        (status.sockets, status.topics, status.dropped),
        (0, 0, 0),
        "all sockets have ended: {status:?}"
    );
}
