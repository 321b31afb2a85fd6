//! Runs cases on one host, many at a time, because cases mostly wait.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use host_tests::{Application, Host, Kind};

use crate::case::{Case, Test};

/// How many cases run at the same time on one host.
const AT_A_TIME: usize = 10;

/// The result of a case on one host.
pub struct CaseResult {
    pub name: &'static str,
    pub kind: Kind,
    pub failure: Option<String>,
    pub took: Duration,
}

impl CaseResult {
    pub fn is_failure(&self) -> bool {
        self.failure.is_some()
    }
}

impl fmt::Display for CaseResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = self.failure.as_deref().unwrap_or("holds");
        write!(formatter, "{} on {}: {verdict}", self.name, self.kind)
    }
}

pub fn run(kind: Kind, application: &Application, cases: &[&'static Case]) -> Vec<CaseResult> {
    let mut cases: Vec<_> = cases
        .iter()
        .copied()
        .filter(|case| case.runs_on(kind))
        .collect();
    // Cases are taken from the end.
    cases.sort_by_key(|case| case.slow);
    let shared = cases
        .iter()
        .any(|case| matches!(case.test, Test::Together(_)))
        .then(|| Host::start(kind, application));
    let queue = Mutex::new(cases);
    let results = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = queue.lock().expect("no case runs under the lock").pop();
            let Some(case) = next else { break };
            let result = run_case(kind, application, shared.as_ref(), case);
            results
                .lock()
                .expect("no case runs under the lock")
                .push(result);
        }
    };
    std::thread::scope(|scope| {
        for number in 0..AT_A_TIME {
            let name = format!("{kind} {number}");
            std::thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, work)
                .expect("a thread starts");
        }
    });
    let results = results.into_inner().expect("no case runs under the lock");
    if let Some(host) = shared
        && results.iter().any(CaseResult::is_failure)
    {
        eprintln!("what {kind} said beside the cases:\n{}", host.log());
    }
    results
}

fn run_case(
    kind: Kind,
    application: &Application,
    shared: Option<&Host>,
    case: &'static Case,
) -> CaseResult {
    let start = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| match case.test {
        Test::Together(test) => test(&shared.expect("started when such a case is there").client()),
        Test::Alone(test) => test(&mut Host::start(kind, application)),
    }));
    let failure = outcome.err().map(|panic| message(&*panic));
    CaseResult {
        name: case.name,
        kind,
        failure,
        took: start.elapsed(),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
        .to_owned()
}
