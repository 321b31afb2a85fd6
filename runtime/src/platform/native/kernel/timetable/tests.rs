//! Tests of the timetable alone.

use super::*;

const A: RawId = RawId([1; 32]);
const B: RawId = RawId([2; 32]);

fn at(now: i64) -> Now {
    Now {
        wall: now,
        steady: now,
    }
}

fn timetable(limits: &Limits) -> Timetable {
    let mut timetable = Timetable::new(limits);
    timetable.begin_loading(i64::MAX);
    timetable.end_loading();
    timetable
}

fn empty() -> Timetable {
    timetable(&Limits::default())
}

#[test]
fn fires_in_order_and_never_early() {
    let mut timetable = empty();
    timetable.set(B, Some(20));
    timetable.set(A, Some(10));
    assert_eq!(timetable.fire(at(9)), None);
    assert_eq!(timetable.fire(at(25)), Some(A));
    assert_eq!(timetable.fire(at(25)), Some(B));
    assert_eq!(timetable.fire(at(25)), None);
    assert_eq!(timetable.next_due(|| at(25)), None);
}

#[test]
fn alarm_committed_during_its_run_waits_for_the_end() {
    let mut timetable = empty();
    timetable.set(A, Some(10));
    assert_eq!(timetable.fire(at(10)), Some(A));
    timetable.set(A, Some(11));
    assert_eq!(timetable.fire(at(11)), None);
    timetable.finished(A, false);
    assert_eq!(timetable.fire(at(11)), Some(A));
    timetable.set(A, None);
    timetable.finished(A, false);
    assert_eq!(timetable.fire(at(100)), None);
    assert!(timetable.alarms.is_empty());
}

#[test]
fn finished_run_does_not_fire_again_before_its_writes_are_durable() {
    let mut timetable = empty();
    timetable.set(A, Some(10));
    timetable.fire(at(10));
    timetable.finished(A, true);
    assert_eq!(timetable.fire(at(50)), None);
    timetable.set(A, Some(60));
    assert_eq!(timetable.next_due(|| at(50)), None);
    timetable.settled(A);
    assert_eq!(timetable.next_due(|| at(50)), Some(60));
}

#[test]
fn run_whose_writes_are_lost_is_repeated_after_a_pause() {
    let mut timetable = empty();
    timetable.set(A, Some(10));
    timetable.fire(at(10));
    timetable.finished(A, true);
    timetable.unsettled(A, at(20));
    assert_eq!(timetable.next_due(|| at(20)), Some(2_020));
    assert_eq!(timetable.fire(at(2_020)), Some(A));
}

#[test]
fn alarm_set_by_a_failed_run_supersedes_the_retry() {
    let mut timetable = empty();
    timetable.set(A, Some(10));
    timetable.fire(at(10));
    timetable.set(A, Some(50));
    timetable.failed(A, at(12), 0);
    assert_eq!(timetable.next_due(|| at(12)), Some(50));
    // An alarm whose date passed during the run still waits briefly.
    timetable.fire(at(50));
    timetable.set(A, Some(60));
    timetable.failed(A, at(900), 0);
    assert_eq!(timetable.next_due(|| at(900)), Some(2_900));
}

#[test]
fn retries_double_up_to_the_cap_with_bounded_jitter() {
    let mut timetable = empty();
    timetable.set(A, Some(0));
    let mut now = 0;
    let mut expected = FIRST_RETRY_MS;
    for _ in 0..20 {
        assert_eq!(timetable.fire(at(now)), Some(A));
        timetable.failed(A, at(now), 0);
        // A wake that reads the same alarm from disk does not shorten the pause.
        timetable.set(A, Some(0));
        let due = timetable.next_due(|| at(now)).unwrap_or_default();
        assert_eq!(due - now, expected);
        now = due;
        expected = (expected * 2).min(1_024_000);
    }
    assert_eq!(retry_delay(0, u32::MAX), 2_500);
    assert_eq!(retry_delay(200, 0), 1_024_000);
}

#[test]
fn pauses_last_as_long_when_the_date_is_set() {
    let mut timetable = empty();
    timetable.set(A, Some(10));
    timetable.fire(at(10));
    timetable.failed(A, at(10), 0);
    let back = Now {
        wall: -1_000_000,
        steady: 1_000,
    };
    assert_eq!(timetable.next_due(|| back), Some(2_010));
    let ahead = Now {
        wall: 1_000_000,
        steady: 1_000,
    };
    assert_eq!(timetable.fire(ahead), None);
}

#[test]
fn moved_and_deleted_alarms_leave_nothing_behind() {
    let mut timetable = empty();
    timetable.set(A, Some(10));
    timetable.set(A, Some(30));
    assert_eq!(timetable.next_due(|| at(0)), Some(30));
    timetable.lower(A, 40);
    assert_eq!(timetable.next_due(|| at(0)), Some(30));
    timetable.lower(A, 5);
    assert_eq!(timetable.next_due(|| at(0)), Some(5));
    timetable.set(A, None);
    assert_eq!(timetable.next_due(|| at(0)), None);
    assert!(timetable.alarms.is_empty());
}

#[test]
fn no_more_runs_start_at_a_time_than_the_limit() {
    let mut timetable = timetable(&Limits {
        alarm_starts: 2,
        alarm_runs: 3,
        ..Limits::default()
    });
    for number in 1..=5 {
        timetable.set(RawId([number; 32]), Some(0));
    }
    let first = timetable.fire(at(0)).unwrap();
    timetable.fire(at(0)).unwrap();
    assert_eq!(timetable.fire(at(0)), None);
    assert_eq!(timetable.next_due(|| at(0)), Some(STARTING_MS));
    timetable.set(first, None);
    timetable.finished(first, false);
    assert!(timetable.fire(at(1)).is_some());
    // Long runs make room for others, up to the second limit.
    assert!(timetable.fire(at(2_000)).is_some());
    assert_eq!(timetable.fire(at(9_000)), None);
    assert_eq!(timetable.next_due(|| at(9_000)), None);
}

#[test]
fn only_the_earliest_alarms_are_in_memory() {
    let mut timetable = timetable(&Limits {
        alarms: 2,
        ..Limits::default()
    });
    for number in [3, 1, 2, 4] {
        timetable.lower(RawId([number; 32]), i64::from(number));
    }
    assert_eq!(timetable.alarms.len(), 2);
    assert_eq!(timetable.horizon(), 2);
    assert!(!timetable.wants_loading());
    // An alarm set beyond the horizon is also left to the index.
    timetable.set(RawId([5; 32]), Some(3));
    assert_eq!(timetable.alarms.len(), 2);
    let id = timetable.fire(at(10)).unwrap();
    assert_eq!(id, A);
    timetable.set(id, None);
    timetable.finished(id, false);
    assert!(timetable.wants_loading());
}

/// The index of one shard, as the host keeps it: what is due first is read first.
#[derive(Default)]
struct IndexModel(std::collections::BTreeMap<RawId, IndexedAlarm>);

impl IndexModel {
    fn record(&mut self, id: RawId, at: i64) {
        self.0.insert(
            id,
            IndexedAlarm {
                id,
                at,
                pause: None,
            },
        );
    }

    fn keep(&mut self, timetable: &mut Timetable) {
        for paused in timetable.take_left_out() {
            let entry = self.0.get_mut(&paused.id).expect("recorded");
            entry.pause = Some(paused.pause);
        }
    }

    fn load(&self, timetable: &mut Timetable, now: Now) {
        timetable.begin_loading(now.wall + 120_000);
        let date = |alarm: &IndexedAlarm| alarm.pause.map_or(alarm.at, |pause| pause.until);
        let mut due: Vec<_> = self.0.values().copied().collect();
        due.sort_by_key(date);
        for alarm in due
            .into_iter()
            .filter(|due| date(due) <= now.wall + 120_000)
        {
            timetable.load(alarm, now);
        }
        timetable.end_loading();
    }
}

/// The effect of a bad deployment: the objects of one class do not start.
#[test]
fn alarm_fires_on_time_when_more_alarms_fail_than_fit_in_memory() {
    const OTHER: RawId = RawId([99; 32]);
    let limits = Limits {
        alarms: 4,
        ..Limits::default()
    };
    let mut timetable = timetable(&limits);
    let mut index = IndexModel::default();
    for number in 0..20 {
        index.record(RawId([number; 32]), 10);
    }
    index.record(OTHER, 7_200_000);
    let mut tries = 0;
    for second in 0..=7_200 {
        let now = at(10 + second * 1_000);
        if second % 60 == 0 {
            index.load(&mut timetable, now);
        }
        while let Some(id) = timetable.fire(now) {
            if id == OTHER {
                assert!(now.wall < 7_202_000, "late: {}", now.wall);
                // Each of the 20 is tried about 10 times within 17 minutes, then once every 17.
                assert!((200..500).contains(&tries), "{tries} tries");
                return;
            }
            tries += 1;
            timetable.failed(id, now, 0);
            index.keep(&mut timetable);
            assert!(timetable.alarms.len() <= 8, "{}", timetable.alarms.len());
        }
    }
    panic!("did not fire");
}

#[test]
fn longest_pauses_are_left_to_the_index_when_too_many_alarms_fail() {
    let limits = Limits {
        alarms: 2,
        ..Limits::default()
    };
    let mut timetable = timetable(&limits);
    for number in 1..=3 {
        timetable.set(RawId([number; 32]), Some(0));
        let id = timetable.fire(at(0)).unwrap();
        timetable.failed(id, at(i64::from(number) * 1_000), 0);
    }
    let left: Vec<_> = timetable.take_left_out();
    let pause = Pause {
        until: 5_000,
        failures: 1,
    };
    let id = RawId([3; 32]);
    assert_eq!(left, [PausedAlarm { id, pause }]);
    assert!(timetable.take_left_out().is_empty());
    // When it is read again, its pause and its count continue.
    let first = timetable.fire(at(3_000)).unwrap();
    timetable.set(first, None);
    timetable.finished(first, false);
    let pause = Some(pause);
    timetable.load(IndexedAlarm { id, at: 0, pause }, at(3_000));
    assert_eq!(timetable.fire(at(4_000)), Some(RawId([2; 32])));
    assert_eq!(timetable.fire(at(4_999)), None);
    assert_eq!(timetable.fire(at(5_000)), Some(id));
    timetable.failed(id, at(5_000), 0);
    assert_eq!(timetable.next_due(|| at(5_000)), Some(9_000));
}

#[test]
fn retries_and_due_alarms_take_turns_by_how_late_they_are() {
    let mut timetable = empty();
    timetable.set(A, Some(0));
    timetable.fire(at(0));
    timetable.failed(A, at(0), 0);
    timetable.set(B, Some(1_000));
    assert_eq!(timetable.fire(at(5_000)), Some(B), "due since 1,000");
    assert_eq!(timetable.fire(at(5_000)), Some(A), "due since 2,000");
}

#[test]
fn lost_tries_are_known_although_the_retry_is_beyond_the_horizon() {
    let mut timetable = Timetable::new(&Limits::default());
    timetable.begin_loading(100);
    timetable.end_loading();
    timetable.set(A, Some(10));
    assert_eq!(timetable.fire(at(10)), Some(A));
    assert_eq!(timetable.start_tries(A).events, 0);
    let ring = |count| Try {
        alarm: "ring",
        key: "one".to_owned(),
        count,
    };
    timetable.begin_try(A, ring(1));
    // The commit of the count has set the alarm to the time of the retry.
    timetable.set(A, Some(500));
    timetable.lost_by_the_disk(A);
    timetable.end_tries(A, false);
    timetable.failed(A, at(20), 0);
    assert!(timetable.alarms.is_empty());

    timetable.begin_loading(1_000);
    timetable.lower(A, 500);
    timetable.end_loading();
    assert_eq!(timetable.fire(at(500)), Some(A));
    let lost = timetable.start_tries(A);
    assert_eq!((lost.events, lost.tries), (1, vec![ring(1)]));

    // A try that ends by itself is counted, and what was lost before it is forgotten.
    timetable.begin_try(A, ring(1));
    timetable.end_tries(A, true);
    timetable.failed(A, at(510), 0);
    assert!(timetable.losses.is_empty());
}
