//! Scheduled tasks on both hosts: one pending run, after any crash and for any starter.

use std::time::Duration;

use host_tests::{Caller, Client, Host, Kind, demo, eventually};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

fn start(kind: Kind) -> Host {
    Host::start(kind, &demo(env!("CARGO_BIN_EXE_embedded-demo")))
}

fn status(task: &Client) -> Value {
    task.get("").json()
}

fn runs(task: &Client) -> u64 {
    status(task)["runs"].as_u64().expect("a count")
}

fn until_it_ran(task: &Client, times: u64) {
    eventually(PATIENCE, || (runs(task) >= times).then_some(()))
        .unwrap_or_else(|| panic!("it does not run: {}", status(task)));
}

/// Returns the planned times of the last runs, oldest first.
fn served(task: &Client) -> Vec<i64> {
    let history: Vec<Value> = task.get("/runs").json();
    let numbers: Vec<u64> = history
        .iter()
        .rev()
        .map(|run| run["number"].as_u64().expect("a number"))
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    for run in &history {
        assert!(
            run["started"].as_i64() >= run["scheduled"].as_i64(),
            "early: {run}"
        );
        assert_eq!(run["outcome"], "completed");
    }
    let scheduled = history.iter().rev().map(|run| run["scheduled"].as_i64());
    scheduled.map(|time| time.expect("not by hand")).collect()
}

/// A second pending run would appear as a time that is served twice, or off the beat.
#[track_caller]
fn assert_one_beat(kind: Kind, served: &[i64], interval: i64) {
    for pair in served.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap > 0 && gap % interval == 0, "{kind}: {served:?}");
    }
}

#[test]
fn runs_go_on_and_one_is_pending_however_often_the_host_is_killed() {
    for kind in Kind::BOTH {
        let mut host = start(kind);
        host.client()
            .post("/tasks/t/start", json!({ "every_ms": 300 }))
            .done();
        let mut seen = 0;
        for _ in 0..3 {
            let task = host.client().at("/tasks/t");
            until_it_ran(&task, seen + 2);
            let before = runs(&task);
            host.kill();
            host.restart();
            let task = host.client().at("/tasks/t");
            seen = runs(&task);
            assert!(seen >= before, "{kind}: {before} runs, then {seen}");
            assert!(
                status(&task)["next_run"].is_number(),
                "{kind}: {}",
                status(&task)
            );
        }
        let task = host.client().at("/tasks/t");
        until_it_ran(&task, seen + 2);
        assert_one_beat(kind, &served(&task), 300);
    }
}

#[test]
fn what_was_missed_while_the_host_was_down_is_made_up_for_once() {
    for kind in Kind::BOTH {
        let mut host = start(kind);
        let task = host.client().at("/tasks/t");
        task.post(
            "/start",
            json!({ "every_ms": 250, "on_missed": "catch_up" }),
        )
        .done();
        until_it_ran(&task, 2);
        host.kill();
        // The outage is what is tested.
        std::thread::sleep(Duration::from_secs(2));
        host.restart();
        let task = host.client().at("/tasks/t");
        until_it_ran(&task, 12);
        let served = served(&task);
        assert!(
            served.windows(2).all(|pair| pair[1] - pair[0] == 250),
            "{kind}: each time once: {served:?}"
        );
    }
}

#[test]
fn starts_and_stops_at_once_leave_one_run_pending_or_none() {
    for kind in Kind::BOTH {
        let host = start(kind);
        let task = host.client().at("/tasks/t");
        std::thread::scope(|scope| {
            for caller in 0..8 {
                let task = &task;
                scope.spawn(move || {
                    for _ in 0..10 {
                        if caller % 4 == 3 {
                            task.post("/stop", json!({})).done();
                        } else {
                            task.post("/start", json!({ "every_ms": 60_000 })).done();
                        }
                        let status = status(task);
                        assert_eq!(
                            status["running"],
                            status["next_run"].is_number(),
                            "{kind}: {status}"
                        );
                    }
                });
            }
        });
        assert_eq!(runs(&task), 0, "{kind}");
        task.post("/start", json!({ "every_ms": 200 })).done();
        until_it_ran(&task, 5);
        task.post("/stop", json!({})).done();
        let stopped = status(&task);
        assert_eq!(
            (&stopped["running"], &stopped["next_run"]),
            (&json!(false), &Value::Null),
            "{kind}"
        );
        assert_one_beat(kind, &served(&task), 200);
    }
}

#[test]
fn a_run_by_hand_is_answered_and_the_plan_can_be_read() {
    for kind in Kind::BOTH {
        let host = start(kind);
        let task = host.client().at("/tasks/t");
        assert_eq!(task.get("/plan").json::<Value>(), Value::Null);
        let run: Value = task.post("/run", json!({})).json();
        assert_eq!(
            (&run["number"], &run["scheduled"], &run["retry_count"]),
            (&json!(1), &Value::Null, &json!(0)),
            "{kind}: {run}"
        );
        assert_eq!(
            task.get("/runs?limit=5").json::<Value>(),
            json!([run]),
            "{kind}"
        );
        assert_eq!(
            status(&task),
            json!({ "running": false, "runs": 1, "last_run": run["started"], "next_run": null }),
            "{kind}"
        );
        task.post("/start", json!({ "cron": "0 4 * * *" })).done();
        assert_eq!(
            task.get("/plan").json::<Value>(),
            json!({ "cron": "0 4 * * *", "on_missed": "skip" }),
            "{kind}"
        );
        for (plan, named) in [
            (json!({}), "`every_ms` or `cron`"),
            (json!({ "every_ms": 9 }), "`every_ms`"),
            (json!({ "every_ms": -1 }), "`every_ms`"),
            (json!({ "cron": "61 * * * *" }), "`cron`"),
            (json!({ "cron": "0 0 30 2 *" }), "`cron`"),
            (json!({ "cron": "* * * * * *" }), "`cron`"),
            (
                json!({ "every_ms": 100, "on_missed": "both" }),
                "`on_missed`",
            ),
            (json!({ "every_ms": 100, "when": 1 }), "`when`"),
        ] {
            let answer = task.post("/start", &plan).expect_status(400);
            assert_eq!(
                answer.error_code().as_deref(),
                Some("bad_request"),
                "{kind}: {plan}"
            );
            let message = answer.error_message().unwrap_or_default();
            assert!(message.contains(named), "{kind}: {plan}: {message}");
        }
    }
}

#[test]
fn javascript_starts_runs_and_reads_a_task_by_native_rpc() {
    let demo = demo(env!("CARGO_BIN_EXE_embedded-demo"));
    let caller = Caller::start(&demo, "SCHEDULED_TASK", "a");
    let call = |method: &str, values: Value| caller.call(method, values);
    let started = call("start", json!([null, "0 4 * * *", "catch_up"]));
    assert_eq!(started["value"], Value::Null, "{started}");
    assert_eq!(
        call("plan", json!([]))["value"],
        json!({ "cron": "0 4 * * *", "on_missed": "catch_up" })
    );
    let run = call("runNow", json!([]));
    assert_eq!(run["value"]["number"], 1, "{run}");
    assert_eq!(call("history", json!([10]))["value"], json!([run["value"]]));
    assert_eq!(call("stop", json!([]))["value"], Value::Null);
    assert_eq!(call("status", json!([]))["value"]["running"], false);
}
