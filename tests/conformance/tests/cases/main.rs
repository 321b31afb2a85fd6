//! One set of cases, run on the embedded host and on workerd, and reported side by side.
//!
//! `CONFORMANCE_CASES=alarm` runs the cases whose names contain the word.
//! `CONFORMANCE_HOST=embedded` runs those of one host. The report is printed and written to
//! `target/conformance.md`.

mod alarms;
mod answers;
mod case;
mod contexts;
mod cross_origin;
mod deaths;
mod doors;
mod foreign;
mod gates;
mod ids;
mod libraries;
mod lifecycle;
mod locks;
mod report;
mod rpc;
mod run;
mod shards;
mod sockets;
mod sql;
mod storage;
mod streams;
mod timers;
mod transactions;
mod turns;

use std::ops::RangeInclusive;

use case::Case;
use host_tests::{Application, Kind};

/// The points that the cases must cover, by the numbers of `docs/platform.md`.
const POINTS: &[RangeInclusive<u8>] = &[
    6..=6,
    12..=12,
    14..=14,
    16..=16,
    19..=19,
    24..=31,
    33..=33,
    35..=35,
    38..=50,
    54..=55,
    58..=62,
    64..=68,
    70..=71,
];

/// The points that no case here can show, and where they are shown.
const ELSEWHERE: &[(u8, &str)] = &[
    (
        25,
        "a class without an alarm method has nothing to schedule: it does not compile",
    ),
    (
        64,
        "a method with a reserved name does not compile: tests/ui",
    ),
];

fn cases() -> Vec<&'static Case> {
    let themes = [
        gates::CASES,
        libraries::CASES,
        lifecycle::CASES,
        deaths::CASES,
        turns::CASES,
        transactions::CASES,
        locks::CASES,
        alarms::CASES,
        storage::CASES,
        sql::CASES,
        streams::CASES,
        shards::CASES,
        sockets::CASES,
        doors::CASES,
        cross_origin::CASES,
        rpc::CASES,
        ids::CASES,
        contexts::CASES,
        foreign::CASES,
        timers::CASES,
        answers::CASES,
    ];
    themes.into_iter().flatten().collect()
}

#[test]
fn both_hosts_behave_as_the_platform() {
    let only_cases = std::env::var("CONFORMANCE_CASES").unwrap_or_default();
    let only_host = std::env::var("CONFORMANCE_HOST").unwrap_or_default();
    let cases: Vec<_> = cases()
        .into_iter()
        .filter(|case| case.name.contains(&only_cases))
        .collect();
    let application = Application::new(
        env!("CARGO_BIN_EXE_conformance"),
        env!("CARGO_MANIFEST_DIR"),
    );
    let mut results = Vec::new();
    std::thread::scope(|scope| {
        let hosts = Kind::BOTH
            .into_iter()
            .filter(|kind| kind.to_string().contains(&only_host));
        let runs: Vec<_> = hosts
            .map(|kind| {
                scope.spawn({
                    let (cases, application) = (&cases, &application);
                    move || run::run(kind, application, cases)
                })
            })
            .collect();
        for run in runs {
            results.extend(run.join().expect("cases fail one by one"));
        }
    });
    let report = report::table(&cases, &results, ELSEWHERE);
    println!("{report}");
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("conformance.md");
    std::fs::write(&file, &report).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let failed: Vec<_> = results
        .iter()
        .filter(|result| result.is_failure())
        .map(ToString::to_string)
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} cases failed:\n{}",
        failed.len(),
        results.len(),
        failed.join("\n")
    );
}

#[test]
fn every_point_has_a_case() {
    let cases = cases();
    for point in POINTS.iter().cloned().flatten() {
        let shown = cases.iter().any(|case| case.cites(point));
        let elsewhere = ELSEWHERE.iter().any(|(other, _)| *other == point);
        assert!(shown || elsewhere, "no case cites P{point}");
    }
}
