//! Alarms.
//!
//! A host may be late (other cases run at the same time), but never early. The upper bounds allow
//! for that.

use std::time::Duration;

use anchorhold::Timestamp;
use conformance::{Conduct, Planned, Ring};
use host_tests::{Client, Host, eventually};
use serde_json::json;

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "an alarm's time is absolute and more than zero, the past is now",
        "P24",
        times,
    ),
    Case::together(
        "schedules of one object share its alarm, one run for each key",
        "P24",
        schedules,
    ),
    Case::together("an alarm never fires early", "P26", never_early),
    Case::together(
        "inside the handler nothing is scheduled until set again",
        "P27 P28",
        inside,
    ),
    Case::together(
        "a failed run is retried after 2, 4, 8 s and learns of it",
        "P29 P31",
        retries,
    )
    .slow()
    .remark("three of six retries, the rest takes two minutes: in the simulator"),
    Case::together(
        "a run that resets its object is run again",
        "P30",
        reset_run,
    )
    .slow(),
    Case::together(
        "an alarm set during a failing run supersedes the retry",
        "P33",
        supersedes,
    )
    .slow(),
    Case::together(
        "an alarm moved later fires once, at the later time",
        "P35",
        moved_later,
    ),
    Case::together("a cancelled alarm does not fire", "", cancelled),
    Case::together("deleteAll deletes the alarm", "P44", deleted),
    Case::alone(
        "an alarm that fell due while nothing ran fires after the restart",
        "P26 P71",
        overdue,
    ),
    Case::alone(
        "a run that dies with the process is run again",
        "P30",
        killed_run,
    )
    .remark("counted in the handler's retry count, never towards the end of the retries by itself"),
];

/// How long a run may be late.
const LATE: Duration = Duration::from_secs(15);

fn after(object: &Client, ms: u64, conduct: Conduct) -> Planned {
    object
        .post(
            "/schedule-after",
            json!({ "key": "", "ms": ms, "conduct": conduct }),
        )
        .json()
}

fn rings(object: &Client) -> Vec<Ring> {
    object.get("/rings").json()
}

/// Waits until there are this many records.
#[track_caller]
fn wait_for_rings(object: &Client, count: usize, patience: Duration) -> Vec<Ring> {
    let found = eventually(patience, || {
        Some(rings(object)).filter(|rings| rings.len() >= count)
    });
    found.unwrap_or_else(|| {
        panic!(
            "{count} runs were due in {patience:?}, there are {:?}",
            rings(object)
        )
    })
}

fn next(object: &Client, key: &str) -> Option<Timestamp> {
    object
        .get(&format!("/next?key={key}"))
        .json::<Planned>()
        .next
}

fn times(client: &Client) {
    let object = client.at("/alarms/times");
    let at = |time: i64| {
        object.post(
            "/schedule-at",
            json!({ "key": "", "at": time, "conduct": Conduct::Succeed }),
        )
    };
    for refused in [0, -1, i64::MIN] {
        let answer = at(refused);
        let message = answer.error_message().unwrap_or_default();
        assert!(
            answer.status >= 400 && message.contains("must be 1 to"),
            "{refused}: {}",
            answer.text()
        );
    }
    assert_eq!(next(&object, ""), None);
    let planned: Planned = at(1).json();
    let now = planned.next.expect("a run is pending");
    assert!(
        planned.now - now < Duration::from_secs(5) && now <= planned.now,
        "the past is now: {planned:?}"
    );
    let rings = wait_for_rings(&object, 1, LATE);
    assert_eq!(rings[0].scheduled, now);
}

fn schedules(client: &Client) {
    let object = client.at("/alarms/schedules");
    let plan = |key: &str, ms: u64| -> Planned {
        object
            .post(
                "/schedule-after",
                json!({ "key": key, "ms": ms, "conduct": Conduct::Succeed }),
            )
            .json()
    };
    plan("replaced", 600_000);
    let replaced = plan("replaced", 700);
    let late = plan("late", 900);
    let soon = plan("soon", 300);
    let rings = wait_for_rings(&object, 3, LATE);
    let seen: Vec<_> = rings
        .iter()
        .map(|ring| (ring.key.as_str(), Some(ring.scheduled)))
        .collect();
    // On a busy machine the last plan may be due later than the previous one.
    let mut planned = [
        ("soon", soon.next),
        ("replaced", replaced.next),
        ("late", late.next),
    ];
    planned.sort_by_key(|(_, due)| *due);
    assert_eq!(seen, planned);
    assert_eq!(next(&object, "replaced"), None);
}

fn never_early(client: &Client) {
    for number in 0..8 {
        let object = client.at(&format!("/alarms/early-{number}"));
        let planned = after(&object, 50 + number * 97, Conduct::Succeed);
        let ring = &wait_for_rings(&object, 1, LATE)[0];
        assert_eq!(Some(ring.scheduled), planned.next);
        assert!(ring.started >= ring.scheduled, "{ring:?}");
    }
}

fn inside(client: &Client) {
    let object = client.at("/alarms/inside");
    after(&object, 1, Conduct::ScheduleAgain { after_ms: 300 });
    let rings = wait_for_rings(&object, 2, LATE);
    assert_eq!(rings[0].next_at_start, None);
    assert!(
        rings[0].next_at_end >= Some(rings[0].started + Duration::from_millis(300)),
        "{rings:?}"
    );
    assert_eq!(Some(rings[1].scheduled), rings[0].next_at_end);
    assert_eq!(rings[1].next_at_start, None);
    assert_eq!(rings[1].next_at_end, None, "a success deletes the alarm");
    assert_eq!(next(&object, ""), None);
}

fn retries(client: &Client) {
    let object = client.at("/alarms/retries");
    let planned = after(&object, 1, Conduct::Fail);
    let rings = wait_for_rings(&object, 4, Duration::from_secs(14 * 5 / 4) + LATE);
    for (ring, count) in rings.iter().zip(0..) {
        assert_eq!((ring.retry_count, ring.is_retry), (count, count > 0));
        assert_eq!(
            Some(ring.scheduled),
            planned.next,
            "the time it was due stays"
        );
    }
    for (pair, pause) in rings.windows(2).zip([2.0, 4.0, 8.0]) {
        let paused = (pair[1].started - pair[0].started).as_secs_f64();
        assert!(
            paused >= pause && paused <= pause * 1.25 + 2.0,
            "{paused} s instead of {pause} to {}",
            pause * 1.25
        );
    }
    object
        .post("/cancel", json!({ "key": "" }))
        .expect_status(200);
}

fn reset_run(client: &Client) {
    let object = client.at("/alarms/reset-run");
    after(&object, 1, Conduct::AbortFirst);
    let rings = wait_for_rings(&object, 2, LATE);
    assert_eq!(rings[1].scheduled, rings[0].scheduled);
}

fn supersedes(client: &Client) {
    let object = client.at("/alarms/supersedes");
    after(&object, 1, Conduct::ScheduleAgainAndFail { after_ms: 300 });
    let rings = wait_for_rings(&object, 2, LATE);
    assert_eq!(Some(rings[1].scheduled), rings[0].next_at_end);
    assert_eq!(rings[1].retry_count, 0, "{rings:?}");
    assert_silence(&object, 2, Duration::from_millis(3_500));
}

/// There is no signal that no alarm fires. The case waits beyond the time at which it would have.
#[track_caller]
fn assert_silence(object: &Client, count: usize, time: Duration) {
    std::thread::sleep(time);
    let rings = rings(object);
    assert_eq!(rings.len(), count, "{rings:?}");
    assert_eq!(next(object, ""), None);
}

fn moved_later(client: &Client) {
    let object = client.at("/alarms/moved-later");
    after(&object, 400, Conduct::Succeed);
    let planned = after(&object, 1_500, Conduct::Succeed);
    let rings = wait_for_rings(&object, 1, LATE);
    assert_eq!(Some(rings[0].scheduled), planned.next);
    assert!(rings[0].started >= rings[0].scheduled);
    assert_silence(&object, 1, Duration::from_millis(500));
}

fn cancelled(client: &Client) {
    let object = client.at("/alarms/cancelled");
    after(&object, 700, Conduct::Succeed);
    assert!(object.post("/cancel", json!({ "key": "" })).json::<bool>());
    assert!(!object.post("/cancel", json!({ "key": "" })).json::<bool>());
    assert_silence(&object, 0, Duration::from_millis(1_500));
}

fn deleted(client: &Client) {
    let object = client.at("/alarms/deleted");
    after(&object, 700, Conduct::Succeed);
    object.post("/wipe", json!({})).done();
    assert_eq!(next(&object, ""), None);
    assert_silence(&object, 0, Duration::from_millis(1_500));
    // What was deleted can be scheduled again.
    after(&object, 1, Conduct::Succeed);
    wait_for_rings(&object, 1, LATE);
}

fn overdue(host: &mut Host) {
    let planned = after(&host.client().at("/alarms/overdue"), 500, Conduct::Succeed);
    host.kill();
    std::thread::sleep(Duration::from_millis(1_000));
    host.restart();
    let rings = wait_for_rings(&host.client().at("/alarms/overdue"), 1, LATE);
    assert_eq!(Some(rings[0].scheduled), planned.next);
    assert_eq!(
        rings[0].object_name.as_deref(),
        Some("overdue"),
        "the alarm itself knows the name"
    );
}

fn killed_run(host: &mut Host) {
    let object = host.client().at("/alarms/killed-run");
    after(&object, 1, Conduct::Hang);
    wait_for_rings(&object, 1, LATE);
    host.kill();
    host.restart();
    let rings = wait_for_rings(&host.client().at("/alarms/killed-run"), 2, LATE);
    assert_eq!(rings[1].scheduled, rings[0].scheduled);
}
