//! Compares random histories of the core with a model that remembers everything.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SMALL: Limits = Limits {
    sockets: 4,
    topics: 3,
    topic_bytes: 4,
    message_bytes: 100,
    unacknowledged_events: 5,
    unacknowledged_bytes: 200,
    unread_bytes: 300,
};

#[derive(Clone, Debug)]
enum Step {
    Event {
        bytes: usize,
    },
    Acknowledge {
        seq: u64,
    },
    /// The object is evicted: the stored data is written and read again.
    Evict,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..150usize).prop_map(|bytes| Step::Event { bytes }),
        3 => (0..60u64).prop_map(|seq| Step::Acknowledge { seq }),
        1 => Just(Step::Evict),
    ]
}

fn kept(subscriber: &Subscriber) -> Subscriber {
    let json = serde_json::to_string(subscriber).unwrap();
    serde_json::from_str(&json).unwrap()
}

proptest! {
    /// Numbers have no gaps. A client is dropped only if it exceeds a limit, and a client that
    /// stays never does. One without unacknowledged events is never dropped.
    #[test]
    fn a_window_never_exceeds_its_limits(steps in vec(step(), 0..80)) {
        let mut subscriber = Subscriber::new(7, true);
        let mut owed: BTreeMap<u64, usize> = BTreeMap::new();
        let mut sent = 0;
        let mut evicted = false;
        for step in steps {
            match step {
                Step::Event { bytes } => {
                    let owed_bytes: usize = owed.values().sum();
                    match subscriber.offer(bytes, None, &SMALL) {
                        Verdict::SendNumbered(seq) => {
                            sent += 1;
                            prop_assert_eq!(seq, sent);
                            owed.insert(seq, bytes);
                        }
                        Verdict::Drop(SlowConsumer::Events { limit }) => {
                            prop_assert_eq!(limit, SMALL.unacknowledged_events);
                            prop_assert_eq!(owed.len() as u64, limit);
                        }
                        Verdict::Drop(SlowConsumer::Bytes { limit }) => {
                            prop_assert!(!owed.is_empty());
                            prop_assert!(evicted || owed_bytes + bytes > limit);
                        }
                        other => prop_assert!(false, "{:?}", other),
                    }
                }
                Step::Acknowledge { seq } => {
                    let before = owed.len();
                    match subscriber.acknowledge(seq) {
                        Ok(news) => {
                            owed.retain(|number, _| *number > seq);
                            prop_assert_eq!(news, owed.len() < before);
                        }
                        Err(refusal) => {
                            prop_assert_eq!(refusal, Refusal::NeverSent { seq, sent });
                            prop_assert!(seq > sent);
                        }
                    }
                }
                Step::Evict => {
                    subscriber = kept(&subscriber);
                    evicted = true;
                }
            }
            let window = subscriber.window().unwrap();
            let owed_bytes: usize = owed.values().sum();
            prop_assert_eq!(window.events(), owed.len() as u64);
            prop_assert!(window.events() <= SMALL.unacknowledged_events);
            prop_assert!(window.bytes() <= SMALL.unacknowledged_bytes.max(150));
            // After an eviction a part of the bytes may be counted for longer and never for
            // shorter.
            prop_assert!(window.bytes() >= owed_bytes);
            prop_assert!(evicted || window.bytes() == owed_bytes);
            prop_assert!(window.events() > 0 || window.bytes() == 0);
        }
    }

    /// A client that acknowledges each event is never dropped, whatever the sizes.
    #[test]
    fn who_acknowledges_everything_stays(sizes in vec(1..10_000usize, 0..50)) {
        let mut subscriber = Subscriber::new(1, true);
        for bytes in sizes {
            let Verdict::SendNumbered(seq) = subscriber.offer(bytes, None, &SMALL) else {
                return Err(TestCaseError::fail("dropped"));
            };
            prop_assert_eq!(subscriber.acknowledge(seq), Ok(true));
        }
    }

    /// The host's backlog applies to every socket. Without acknowledgements it is the only limit.
    #[test]
    fn unread_bytes_are_bounded_where_the_host_reports_them(
        acknowledges: bool,
        events in vec((1..1_000usize, proptest::option::of(0..1_000usize)), 0..100),
    ) {
        let mut subscriber = Subscriber::new(1, acknowledges);
        for (bytes, unread) in events {
            let verdict = subscriber.offer(bytes, unread, &SMALL);
            let slow = unread.is_some_and(|unread| unread > 0 && unread + bytes > SMALL.unread_bytes);
            if slow {
                let rule = SlowConsumer::Unread { limit: SMALL.unread_bytes };
                prop_assert_eq!(verdict, Verdict::Drop(rule));
            } else if let Verdict::SendNumbered(seq) = verdict {
                prop_assert!(acknowledges);
                prop_assert_eq!(subscriber.acknowledge(seq), Ok(true));
            } else {
                prop_assert!(!acknowledges);
                prop_assert_eq!(verdict, Verdict::Send);
            }
        }
        if !acknowledges {
            prop_assert_eq!(subscriber.acknowledge(0), Err(Refusal::NotAcknowledging));
        }
    }

    /// The index always matches the subscribers, whatever the order of changes.
    #[test]
    fn the_index_is_what_the_subscribers_are(
        steps in vec((0..4u64, "[a-c]{0,5}", any::<bool>()), 0..120),
    ) {
        let mut subscribers: Vec<_> = (0..4).map(|id| Subscriber::new(id, false)).collect();
        let mut index = Index::default();
        for (id, topic, add) in steps {
            let subscriber = &mut subscribers[usize::try_from(id).unwrap()];
            let had: BTreeSet<_> = subscriber.topics().map(str::to_owned).collect();
            if add {
                match subscriber.subscribe(&topic, &SMALL) {
                    Ok(news) => {
                        prop_assert_eq!(news, !had.contains(&topic));
                        index.insert(&topic, id);
                    }
                    Err(Refusal::TopicName { bytes, .. }) => {
                        prop_assert!(bytes == topic.len() && !(1..=4).contains(&bytes));
                    }
                    Err(refusal) => {
                        prop_assert_eq!(refusal, Refusal::TooManyTopics { limit: 3 });
                        prop_assert!(had.len() == 3 && !had.contains(&topic));
                    }
                }
            } else {
                prop_assert_eq!(subscriber.unsubscribe(&topic), had.contains(&topic));
                index.remove(&topic, id);
            }
            prop_assert!(subscriber.topics().count() <= SMALL.topics);
        }
        let mut rebuilt = Index::default();
        for subscriber in &subscribers {
            prop_assert_eq!(&kept(subscriber), subscriber);
            for topic in subscriber.topics() {
                rebuilt.insert(topic, subscriber.id());
                prop_assert!(index.subscribers(topic).any(|id| id == subscriber.id()));
            }
        }
        // Equality rules out a surplus subscriber and a topic without one.
        prop_assert_eq!(index, rebuilt);
    }

    /// Stored data may be arbitrary. Reading it never makes the counters wrong or overflow.
    #[test]
    fn any_kept_window_can_be_used(sent: u64, acknowledged: u64, bytes: usize, seq: u64) {
        prop_assume!(sent < u64::MAX);
        let json = serde_json::json!({ "sent": sent, "acknowledged": acknowledged, "bytes": bytes });
        let window: Window = serde_json::from_value(json).unwrap();
        let mut subscriber = Subscriber { id: 0, topics: BTreeSet::new(), window: Some(window) };
        let _ = subscriber.offer(10, None, &Limits::default());
        let _ = subscriber.acknowledge(seq);
        let sent = subscriber.window().unwrap().sent();
        prop_assert!(subscriber.acknowledge(sent).is_ok());
        prop_assert_eq!(subscriber.window().unwrap().events(), 0);
        prop_assert!(matches!(subscriber.offer(10, None, &Limits::default()), Verdict::SendNumbered(_)));
    }

    /// P61.
    #[test]
    fn every_reason_fits_a_close(events: u64, bytes: usize) {
        for reason in [
            SlowConsumer::Events { limit: events },
            SlowConsumer::Bytes { limit: bytes },
            SlowConsumer::Unread { limit: bytes },
        ] {
            prop_assert!(reason.to_string().len() <= 123);
        }
    }
}

/// Clients that read and never acknowledge must not hold memory for each event.
#[test]
fn a_window_is_small_and_releases_nothing_too_early() {
    let mut window = Window::default();
    for _ in 0..4_096 {
        window.push(10);
    }
    assert!(
        window.sizes.capacity() <= 2 * MAX_RUNS + 2,
        "{}",
        window.sizes.capacity()
    );
    assert_eq!((window.events(), window.bytes()), (4_096, 40_960));
    for seq in 1..=4_096_u64 {
        window.release(seq);
        let exact = usize::try_from(4_096 - seq).unwrap() * 10;
        assert!(window.bytes() >= exact, "{seq}: {}", window.bytes());
        assert!(
            window.bytes() <= exact + 10 * 64,
            "{seq}: {}",
            window.bytes()
        );
    }
    assert_eq!((window.events(), window.bytes()), (0, 0));
}
