//! Tests the kernel one event at a time. `model` tests it under many random schedules.

mod alarms;
mod index;
mod model;

use super::{Effect, Event, Kernel, Limits, Now, ObjectIndex};
use crate::error::fault::Fault;
use crate::object::id::RawId;

type TestKernel = Kernel<u32, u32>;
type TestEffect = Effect<u32, u32>;

fn id(number: u8) -> RawId {
    RawId([number; 32])
}

fn at(now: i64) -> Now {
    Now {
        wall: now,
        steady: now,
    }
}

fn new_kernel(limits: Limits) -> TestKernel {
    TestKernel::new(limits, |_| 1)
}

fn step(kernel: &mut TestKernel, event: Event<u32, u32>, now: i64) -> Vec<TestEffect> {
    let mut effects = Vec::new();
    kernel.handle(event, at(now), &mut effects);
    effects
}

fn small_limits() -> Limits {
    Limits {
        mailbox_events: 2,
        mailbox_bytes: 1_000,
        idle_ms: 10,
        resident_objects: 2,
        commit_ms: 1_000,
        ..Limits::default()
    }
}

fn woken(kernel: &mut TestKernel, number: u8, now: i64) -> ObjectIndex {
    let object = kernel.add(id(number), at(now));
    let effects = step(
        kernel,
        Event::Arrived {
            object,
            work: 0,
            bytes: 0,
        },
        now,
    );
    assert!(matches!(effects[..], [Effect::Wake { .. }]), "{effects:?}");
    let effects = step(
        kernel,
        Event::Woken {
            object,
            alarm: None,
            indexed: None,
        },
        now,
    );
    assert!(
        matches!(effects[0], Effect::Start { work: 0, .. }),
        "{effects:?}"
    );
    step(kernel, Event::Finished { object, bytes: 0 }, now);
    object
}

#[test]
fn open_streams_take_no_place_in_the_mailbox() {
    let mut kernel = new_kernel(small_limits());
    let object = kernel.add(id(1), at(0));
    for _ in 0..3 {
        step(&mut kernel, Event::StreamOpened { object }, 0);
    }
    let mut is_refused = |work| {
        let bytes = 0;
        let arrived = Event::Arrived {
            object,
            work,
            bytes,
        };
        let effects = step(&mut kernel, arrived, 0);
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Refuse { .. }))
    };
    assert_eq!([1, 2, 3].map(&mut is_refused), [false, false, true]);
}

#[test]
fn a_full_mailbox_refuses_and_says_what_to_do() {
    let mut kernel = new_kernel(small_limits());
    let object = kernel.add(id(1), at(0));
    step(
        &mut kernel,
        Event::Arrived {
            object,
            work: 1,
            bytes: 600,
        },
        0,
    );
    for (work, bytes) in [(2, 600), (3, 100), (4, 0)] {
        let effects = step(
            &mut kernel,
            Event::Arrived {
                object,
                work,
                bytes,
            },
            0,
        );
        match (work, &effects[..]) {
            (3, []) => {}
            (
                2 | 4,
                [
                    Effect::Refuse {
                        fault: Fault::Overloaded(text),
                        ..
                    },
                ],
            ) => {
                assert!(
                    text.contains("the limits are 2 events and 1000 bytes"),
                    "{text}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn work_waits_while_the_object_is_blocked() {
    let mut kernel = new_kernel(small_limits());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::Blocked { object }, 0);
    assert!(
        step(
            &mut kernel,
            Event::Arrived {
                object,
                work: 1,
                bytes: 0
            },
            0
        )
        .is_empty()
    );
    let effects = step(&mut kernel, Event::Unblocked { object }, 0);
    assert!(
        matches!(effects[..], [Effect::Start { work: 1, .. }]),
        "{effects:?}"
    );
}

#[test]
fn an_idle_object_leaves_and_is_forgotten_and_a_used_one_stays() {
    let mut kernel = new_kernel(small_limits());
    let idle = woken(&mut kernel, 1, 0);
    let used = woken(&mut kernel, 2, 0);
    step(
        &mut kernel,
        Event::Arrived {
            object: used,
            work: 1,
            bytes: 0,
        },
        5,
    );
    assert_eq!(kernel.next_due(|| at(0)), Some(10));
    let effects = step(&mut kernel, Event::Tick, 10);
    assert!(
        matches!(effects[..], [Effect::Leave { object, reset: None }, Effect::Close { .. }] if object == idle),
        "{effects:?}"
    );
    let effects = step(&mut kernel, Event::Closed { object: idle }, 10);
    assert!(matches!(effects[..], [Effect::Forget { object }] if object == idle));
    assert_eq!(kernel.find(id(1)), None);
    assert_eq!(kernel.find(id(2)), Some(used));
}

#[test]
fn sockets_keep_an_object_known_but_not_in_memory() {
    let mut kernel = new_kernel(small_limits());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::SocketOpened { object }, 0);
    assert_eq!(step(&mut kernel, Event::Tick, 10).len(), 2);
    assert!(step(&mut kernel, Event::Closed { object }, 10).is_empty());
    let effects = step(&mut kernel, Event::SocketClosed { object }, 10);
    assert!(matches!(effects[..], [Effect::Forget { .. }]));
}

#[test]
fn above_the_bound_the_least_recently_used_object_leaves() {
    let mut kernel = new_kernel(small_limits());
    let first = woken(&mut kernel, 1, 0);
    woken(&mut kernel, 2, 1);
    let third = kernel.add(id(3), at(2));
    step(
        &mut kernel,
        Event::Arrived {
            object: third,
            work: 0,
            bytes: 0,
        },
        2,
    );
    let effects = step(
        &mut kernel,
        Event::Woken {
            object: third,
            alarm: None,
            indexed: None,
        },
        2,
    );
    assert!(
        matches!(effects[..], [Effect::Start { .. }, Effect::Leave { object, .. }, Effect::Close { .. }] if object == first),
        "{effects:?}"
    );
}

#[test]
fn a_reset_keeps_issued_writes_and_an_abort_drops_them() {
    for discard in [false, true] {
        let mut kernel = new_kernel(small_limits());
        let object = woken(&mut kernel, 1, 0);
        step(&mut kernel, Event::Wrote { object }, 0);
        step(&mut kernel, Event::Emitted { object, output: 7 }, 0);
        let fault = Fault::Reset("test".to_owned());
        let effects = step(
            &mut kernel,
            Event::Reset {
                object,
                fault,
                discard,
            },
            0,
        );
        if discard {
            assert!(
                matches!(
                    effects[..],
                    [
                        Effect::Fail { output: 7, .. },
                        Effect::Leave { .. },
                        Effect::Close { .. }
                    ]
                ),
                "{effects:?}"
            );
        } else {
            assert!(
                matches!(effects[..], [Effect::Leave { reset: Some(_), .. }]),
                "{effects:?}"
            );
            step(&mut kernel, Event::Settled, 0);
            let effects = step(&mut kernel, Event::Synced { failed: Vec::new() }, 0);
            assert!(
                matches!(
                    effects[..],
                    [Effect::Release { output: 7, .. }, Effect::Close { .. }]
                ),
                "{effects:?}"
            );
        }
    }
}

#[test]
fn an_overdue_commit_resets_and_a_late_confirmation_is_ignored() {
    let mut kernel = new_kernel(small_limits());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::Wrote { object }, 0);
    step(&mut kernel, Event::Emitted { object, output: 7 }, 0);
    step(&mut kernel, Event::Settled, 0);
    let effects = step(&mut kernel, Event::Tick, 1_000);
    assert!(
        matches!(
            effects[..],
            [Effect::Fail { output: 7, .. }, Effect::Leave { .. }]
        ),
        "{effects:?}"
    );
    let effects = step(&mut kernel, Event::Synced { failed: Vec::new() }, 1_002);
    assert!(matches!(effects[..], [Effect::Close { .. }]), "{effects:?}");
}

#[test]
fn object_whose_commit_was_given_up_wakes_when_the_disk_has_answered() {
    let mut kernel = new_kernel(small_limits());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::Wrote { object }, 0);
    step(&mut kernel, Event::Settled, 0);
    step(&mut kernel, Event::Tick, 1_000);
    let arrived = |work| Event::Arrived {
        object,
        work,
        bytes: 0,
    };
    assert!(step(&mut kernel, arrived(1), 1_500).is_empty());
    let effects = step(&mut kernel, Event::Tick, 2_000);
    assert!(
        matches!(effects[..], [Effect::Refuse { work: 1, .. }]),
        "{effects:?}"
    );
    assert!(step(&mut kernel, arrived(2), 2_500).is_empty());
    let failed = vec![(object, Fault::Panicked)];
    let effects = step(&mut kernel, Event::Synced { failed }, 2_600);
    assert!(matches!(effects[..], [Effect::Close { .. }]), "{effects:?}");
    let effects = step(&mut kernel, Event::Closed { object }, 2_700);
    assert!(matches!(effects[..], [Effect::Wake { .. }]), "{effects:?}");
}

#[test]
fn writes_behind_a_hung_commit_have_the_same_limit_from_their_own_time_on() {
    let mut kernel = new_kernel(small_limits());
    let first = woken(&mut kernel, 1, 0);
    let second = woken(&mut kernel, 2, 0);
    step(&mut kernel, Event::Wrote { object: first }, 0);
    step(&mut kernel, Event::Settled, 0);
    step(&mut kernel, Event::Wrote { object: second }, 400);
    let emitted = Event::Emitted {
        object: second,
        output: 7,
    };
    assert!(step(&mut kernel, emitted, 400).is_empty());
    let effects = step(&mut kernel, Event::Tick, 1_000);
    assert!(
        matches!(effects[..], [Effect::Leave { object, .. }] if object == first),
        "{effects:?}"
    );
    assert!(step(&mut kernel, Event::Tick, 1_399).is_empty());
    let effects = step(&mut kernel, Event::Tick, 1_400);
    assert!(
        matches!(effects[..], [Effect::Fail { output: 7, .. }, Effect::Leave { object, .. }, Effect::Close { .. }] if object == second),
        "{effects:?}"
    );
    // The disk answers again, so the objects are usable as before.
    step(&mut kernel, Event::Closed { object: first }, 1_500);
    step(&mut kernel, Event::Closed { object: second }, 1_500);
    step(&mut kernel, Event::Synced { failed: Vec::new() }, 1_500);
    let again = woken(&mut kernel, 2, 1_600);
    let effects = step(&mut kernel, Event::Wrote { object: again }, 1_600);
    assert!(
        matches!(effects[..], [Effect::RequestCommit]),
        "{effects:?}"
    );
}

#[test]
fn events_for_an_object_whose_database_does_not_close_are_refused_in_time() {
    let mut kernel = new_kernel(small_limits());
    let object = woken(&mut kernel, 1, 0);
    assert_eq!(step(&mut kernel, Event::Tick, 10).len(), 2);
    let arrived = Event::Arrived {
        object,
        work: 1,
        bytes: 0,
    };
    assert!(step(&mut kernel, arrived, 500).is_empty());
    let effects = step(&mut kernel, Event::Tick, 1_010);
    assert!(
        matches!(
            effects[..],
            [Effect::Refuse {
                work: 1,
                fault: Fault::Storage(_)
            }]
        ),
        "{effects:?}"
    );
}

#[test]
fn outputs_that_wait_for_the_disk_count_by_their_bytes() {
    // The limits are two waiting events and 1,000 bytes, but one event may send to many sockets.
    for (outputs, is_refused) in [(3, false), (4, true)] {
        let mut kernel = new_kernel(small_limits());
        let object = woken(&mut kernel, 1, 0);
        step(&mut kernel, Event::Wrote { object }, 0);
        for output in 0..outputs {
            step(&mut kernel, Event::Emitted { object, output }, 0);
        }
        let arrived = Event::Arrived {
            object,
            work: 1,
            bytes: 0,
        };
        let effects = step(&mut kernel, arrived, 0);
        let refused = matches!(effects[..], [Effect::Refuse { .. }]);
        assert_eq!(refused, is_refused, "{outputs}: {effects:?}");
    }
}

#[test]
fn durations_do_not_change_when_the_date_is_set() {
    for wall in [-10_000_000, 10_000_000] {
        let mut kernel = new_kernel(small_limits());
        let object = woken(&mut kernel, 1, 0);
        step(&mut kernel, Event::Wrote { object }, 0);
        step(&mut kernel, Event::Settled, 0);
        let mut effects = Vec::new();
        let tick = |kernel: &mut TestKernel, steady, effects: &mut Vec<TestEffect>| {
            kernel.handle(Event::Tick, Now { wall, steady }, effects);
        };
        tick(&mut kernel, 999, &mut effects);
        assert!(effects.is_empty(), "{effects:?}");
        step(&mut kernel, Event::Synced { failed: Vec::new() }, 999);
        assert_eq!(kernel.next_due(|| Now { wall, steady: 999 }), Some(1_000));
        tick(&mut kernel, 1_010, &mut effects);
        assert!(matches!(
            effects[..],
            [Effect::Leave { .. }, Effect::Close { .. }]
        ));
    }
}

#[test]
fn late_answers_for_forgotten_objects_are_ignored() {
    let mut kernel = new_kernel(small_limits());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::Tick, 10);
    step(&mut kernel, Event::Closed { object }, 10);
    let fault = Fault::Panicked;
    let discard = true;
    for event in [
        Event::Closed { object },
        Event::Unblocked { object },
        Event::Wrote { object },
        Event::Finished { object, bytes: 3 },
        Event::Reset {
            object,
            fault,
            discard,
        },
    ] {
        assert!(step(&mut kernel, event, 11).is_empty());
    }
}

#[test]
fn object_with_held_outputs_is_not_forgotten() {
    let mut kernel = new_kernel(small_limits());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::Tick, 10);
    // A destructor's write, after the end of the activation.
    step(&mut kernel, Event::Wrote { object }, 10);
    step(&mut kernel, Event::Emitted { object, output: 1 }, 10);
    assert!(step(&mut kernel, Event::Closed { object }, 10).is_empty());
    step(&mut kernel, Event::Settled, 10);
    let effects = step(&mut kernel, Event::Synced { failed: Vec::new() }, 11);
    assert!(
        matches!(
            effects[..],
            [Effect::Release { output: 1, .. }, Effect::Forget { .. }]
        ),
        "{effects:?}"
    );
}

#[test]
fn start_that_failed_commits_nothing() {
    let mut kernel = new_kernel(small_limits());
    let object = kernel.add(id(1), at(0));
    let arrived = Event::Arrived {
        object,
        work: 1,
        bytes: 0,
    };
    step(&mut kernel, arrived, 0);
    step(&mut kernel, Event::Wrote { object }, 0);
    let fault = Fault::Panicked;
    let effects = step(&mut kernel, Event::WakeFailed { object, fault }, 0);
    assert!(
        matches!(effects[..], [Effect::Refuse { .. }, Effect::Close { .. }]),
        "{effects:?}"
    );
    assert!(step(&mut kernel, Event::Settled, 0).is_empty());
}
