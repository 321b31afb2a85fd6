//! What the report of a failure shows: the tests that fail are run as a user runs them.

use std::time::Duration;

use anchorhold::Faults;
use anchorhold::prelude::*;

use crate::failing::{events_of, line_with, report_of, variables_of};

#[durable_object]
struct Hall {
    sold: Vec<u32>,
    held: Option<u32>,
    #[memory]
    tickets: u32,
}

#[durable_object]
impl Hall {
    #[rpc]
    fn hold(&mut self, ctx: &Ctx, seat: u32) -> Result<(), Error> {
        if self.held.is_some() {
            return Err(Error::conflict("taken", "the seat is held"));
        }
        self.held = Some(seat);
        Self::schedules(ctx)
            .free()
            .key(seat.to_string())
            .after(Duration::from_secs(30))?;
        Ok(())
    }

    /// Wrong: it does not look whether the seat is sold.
    #[rpc]
    fn sell(&mut self, seat: u32) -> u32 {
        self.sold.push(seat);
        seat
    }

    /// Wrong: the numbers begin anew when the object has left memory.
    #[rpc]
    fn ticket(&mut self) -> u32 {
        self.tickets += 1;
        self.tickets
    }

    #[rpc]
    async fn sell_elsewhere(&self, ctx: &Ctx, seat: u32) -> Result<u32, Error> {
        ctx.sleep(Duration::from_secs(1)).await;
        let annex = ctx.objects::<Hall>().named("annex");
        let sold = annex.sell(seat).await;
        sold.map_err(|_| Error::conflict("unknown", "the annex does not answer"))
    }

    #[alarm]
    fn free(&mut self) {
        self.held = None;
    }
}

fn sold_once(sim: &Sim) -> Result<(), String> {
    for id in sim.all::<Hall>() {
        let hall = sim.objects::<Hall>().id(&id);
        let sold = sim.inside(&hall, |hall: &Hall| hall.sold.clone());
        if sold.len() > 1 {
            return Err(format!("{sold:?} were sold"));
        }
    }
    Ok(())
}

#[anchorhold::test(seed = 1, seeds = 50, faults = Faults::all())]
#[ignore = "fails on purpose: another test runs it"]
async fn seat_is_sold_once(sim: Sim) {
    sim.invariant("a seat is sold once", sold_once);
    let hall = sim.objects::<Hall>().named("opera");
    for _ in 0..40 {
        let _ = hall.hold(3).await;
        let _ = hall.hold(3).await;
        let _ = hall.sell_elsewhere(3).await;
        sim.env().sleep(Duration::from_secs(35)).await;
    }
}

#[test]
fn report_shows_a_run_without_faults_if_that_fails() {
    let report = report_of("reports::seat_is_sold_once", &[]);
    assert!(report.contains("it fails without any fault"), "{report}");
    let events = events_of(&report);
    assert!(!events.is_empty(), "{report}");
    assert!(
        !events.iter().any(|(_, event)| event.starts_with("!!")),
        "{report}"
    );
    let has = |expected: &str| events.iter().any(|(_, event)| *event == expected);
    for expected in [
        "start hold(3) #1 of Hall \"opera\"",
        "release answer #1 of Hall \"opera\": ok null",
        "release answer #2 of Hall \"opera\": 409 taken",
        "release call by Hall \"opera\": sell(3) #4 of Hall \"annex\"",
        "start sell(3) #4 of Hall \"annex\"",
        "release answer #4 of Hall \"annex\": ok 3",
        "alarm Hall \"opera\"",
        "due in Hall \"opera\": free \"3\"",
    ] {
        assert!(has(expected), "{expected}\n{report}");
    }
    // Where the test declares it.
    let place = line_with(&report, "the invariant `a seat is sold once` of ");
    assert!(place.contains("reports.rs:"), "{place}");
}

#[anchorhold::test(seed = 1, seeds = 200, faults = Faults::all())]
#[ignore = "fails on purpose: another test runs it"]
async fn ticket_numbers_only_rise(sim: Sim) {
    let hall = sim.objects::<Hall>().named("opera");
    let mut last = 0;
    for _ in 0..20 {
        if let Ok(number) = hall.ticket().await {
            assert!(number > last, "ticket {number} was given after {last}");
            last = number;
        }
        sim.env().sleep(Duration::from_secs(6)).await;
    }
}

#[test]
fn report_names_the_kinds_of_fault_that_are_needed_and_repeats_their_run() {
    let report = report_of("reports::ticket_numbers_only_rise", &[]);
    let finding = line_with(&report, "kinds of fault that it needs: ");
    let (_, kinds) = finding.rsplit_once(": ").unwrap();
    let mut injected: Vec<&str> = events_of(&report)
        .into_iter()
        .filter_map(|(_, event)| event.strip_prefix("!! "))
        .collect();
    injected.sort_unstable();
    injected.dedup();
    let mut named: Vec<&str> = kinds.split(", ").collect();
    named.sort_unstable();
    assert_eq!(injected, named, "{report}");

    let variables = variables_of(&report);
    let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["ANCHORHOLD_SEED", "ANCHORHOLD_FAULTS"], "{report}");
    let again = report_of("reports::ticket_numbers_only_rise", &variables);
    assert_eq!(events_of(&again), events_of(&report));
    assert_eq!(variables_of(&again), variables);
}

#[anchorhold::test(seed = 1)]
#[ignore = "fails on purpose: another test runs it"]
async fn test_that_does_much_to_the_host(sim: Sim) {
    let hall = sim.objects::<Hall>().named("opera");
    hall.sell(1).await.unwrap();
    sim.evict(&hall).await;
    sim.crash().await;
    sim.power_failure().await;
    sim.set_clock(sim.now() - Duration::from_secs(600)).await;
    sim.fill_disk();
    let _ = hall.sell(2).await;
    sim.free_disk();
    for _ in 0..30 {
        hall.ticket().await.unwrap();
    }
    sim.heal().await;
    panic!("first line\nsecond line");
}

#[test]
fn report_shows_what_the_test_does() {
    let full = [("ANCHORHOLD_TRACE".to_owned(), "full".to_owned())];
    let report = report_of("reports::test_that_does_much_to_the_host", &full);
    let done: Vec<&str> = events_of(&report)
        .into_iter()
        .filter_map(|(_, event)| event.strip_prefix("-- "))
        .collect();
    assert_eq!(
        done,
        [
            "sim.evict Hall \"opera\"",
            "sim.crash",
            "sim.power_failure",
            "sim.set_clock: 600s back",
            "sim.fill_disk",
            "sim.free_disk",
            "sim.heal",
        ],
        "{report}"
    );
}

#[test]
fn times_of_a_report_rise_when_the_clock_is_set_back() {
    let report = report_of("reports::test_that_does_much_to_the_host", &[]);
    let events = events_of(&report);
    assert!(
        events.iter().all(|(seconds, _)| *seconds >= 0.0),
        "{report}"
    );
    assert!(events.is_sorted_by_key(|(seconds, _)| *seconds), "{report}");
}

#[test]
fn report_is_cut_and_says_how_to_see_the_rest() {
    let test = "reports::test_that_does_much_to_the_host";
    let cut = report_of(test, &[]);
    assert_eq!(events_of(&cut).len(), 60, "{cut}");
    line_with(&cut, "events before; ANCHORHOLD_TRACE=full shows them");
    let full = [("ANCHORHOLD_TRACE".to_owned(), "full".to_owned())];
    let whole = report_of(test, &full);
    assert!(events_of(&whole).ends_with(&events_of(&cut)));
    assert!(events_of(&whole).len() > 60);
}

#[test]
fn failure_of_several_lines_is_printed_once() {
    let report = report_of("reports::test_that_does_much_to_the_host", &[]);
    assert_eq!(report.matches("second line").count(), 1, "{report}");
    line_with(&report, "failed with seed 1: first line …");
}

#[test]
fn kinds_of_fault_that_do_not_exist_are_refused_with_those_that_do() {
    let program = std::env::current_exe().unwrap();
    let run = std::process::Command::new(program)
        .args(["--include-ignored", "--exact", "--nocapture"])
        .arg("reports::ticket_numbers_only_rise")
        .env("ANCHORHOLD_FAULTS", "crash,flood")
        .output()
        .unwrap();
    let told = String::from_utf8(run.stderr).unwrap();
    assert!(
        told.contains("`flood` is not a kind of fault")
            && told.contains("crash,power-failure,panic"),
        "{told}"
    );
}
