//! Alarms between the index, commits and the timetable.

use super::{at, id, new_kernel, small_limits, step, woken};
use crate::error::fault::Fault;
use crate::platform::native::kernel::{AlarmOutcome, Effect, Event, IndexedAlarm, Limits};

fn indexed(number: u8, at: i64) -> IndexedAlarm {
    IndexedAlarm {
        id: id(number),
        at,
        pause: None,
    }
}

#[test]
fn due_alarms_fire_a_few_at_a_time_and_the_rest_at_once() {
    let mut kernel = new_kernel(Limits {
        alarm_starts: 20,
        ..small_limits()
    });
    step(&mut kernel, Event::AlarmsLoading { until: 100 }, 0);
    let alarms = (0..40).map(|number| indexed(number, 5)).collect();
    step(&mut kernel, Event::AlarmsLoaded { alarms, last: true }, 0);
    let mut fired = Vec::new();
    while kernel.next_due(|| at(5)) == Some(5) {
        let effects = step(&mut kernel, Event::Tick, 5);
        assert!((1..=8).contains(&effects.len()), "{effects:?}");
        fired.extend(effects.into_iter().map(|effect| match effect {
            Effect::FireAlarm { id } => id,
            other => panic!("{other:?}"),
        }));
    }
    assert_eq!(fired.len(), 20, "as many as may start at a time");
    let outcome = AlarmOutcome::Stale { actual: None };
    step(
        &mut kernel,
        Event::AlarmFinished {
            id: fired[0],
            outcome,
        },
        5,
    );
    assert_eq!(kernel.next_due(|| at(5)), Some(5));
}

/// An object that is written to continuously: at every sync another write is in flight.
#[test]
fn alarm_of_an_object_under_constant_writes_fires() {
    let mut kernel = new_kernel(Limits::default());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::AlarmsLoading { until: 1_000_000 }, 0);
    step(
        &mut kernel,
        Event::AlarmsLoaded {
            alarms: vec![indexed(1, 10)],
            last: true,
        },
        0,
    );
    let effects = step(&mut kernel, Event::Tick, 10);
    assert!(
        matches!(effects[..], [Effect::FireAlarm { .. }]),
        "{effects:?}"
    );
    // Its run writes, and sets the next alarm at 20.
    step(&mut kernel, Event::Wrote { object }, 10);
    step(
        &mut kernel,
        Event::AlarmFinished {
            id: id(1),
            outcome: AlarmOutcome::Done,
        },
        10,
    );
    let mut fired = 0;
    for now in 11..1_000 {
        if now == 11 {
            let earlier = kernel.alarms_to_record(&[(object, Some(20))], None);
            assert_eq!(earlier, [(object, 20)]);
            assert!(kernel.alarm_recorded(object, 20, true));
        }
        step(&mut kernel, Event::Settled, now);
        if now == 11 {
            assert!(kernel.alarm_committing(object, Some(20)));
        }
        // Another caller writes while the disk is working.
        step(&mut kernel, Event::Wrote { object }, now);
        step(&mut kernel, Event::Synced { failed: vec![] }, now);
        let effects = step(&mut kernel, Event::Tick, now);
        fired += effects
            .iter()
            .filter(|effect| matches!(effect, Effect::FireAlarm { .. }))
            .count();
    }
    assert_eq!(fired, 1, "the alarm at 20 was durable at 11");
}

#[test]
fn commit_is_not_made_when_a_turn_set_an_earlier_alarm_than_the_index_has() {
    let mut kernel = new_kernel(Limits::default());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::Wrote { object }, 0);
    assert_eq!(kernel.dirty(), [object]);
    let alarms = [(object, Some(50))];
    assert_eq!(kernel.alarms_to_record(&alarms, None), [(object, 50)]);
    assert!(!kernel.alarm_committing(object, Some(50)), "on its way");
    assert!(kernel.alarm_recorded(object, 50, true));
    assert!(kernel.alarm_committing(object, Some(50)));
    assert!(!kernel.alarm_committing(object, Some(40)));
    // A date that no later turn can precede.
    let alarms = [(object, Some(40))];
    assert_eq!(kernel.alarms_to_record(&alarms, Some(30)), [(object, 30)]);
    assert!(kernel.alarm_recorded(object, 30, true));
    assert!(kernel.alarms_to_record(&alarms, None).is_empty());
    assert!(kernel.alarm_committing(object, Some(35)));
    assert!(kernel.alarm_committing(object, None));
}

#[test]
fn alarm_recorded_for_a_life_that_is_over_counts_for_no_other() {
    let mut kernel = new_kernel(Limits::default());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::Wrote { object }, 0);
    let alarms = [(object, Some(50))];
    kernel.alarms_to_record(&alarms, None);
    let fault = Fault::Panicked;
    step(&mut kernel, Event::CommitFailed { object, fault }, 0);
    assert!(!kernel.alarm_recorded(object, 50, true));
    assert!(!kernel.alarm_committing(object, Some(50)));
}
