//! Callers that wait while something ends elsewhere.

use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use host_tests::{Answer, Client, Connection, Kind, Received, eventually};
use serde_json::{Value, json};

use crate::BOUND;

const OBJECTS: usize = 20;
const SOCKETS: usize = 3;
const HANDLERS: usize = 2;
/// How long they wait on purpose.
const WAIT_MS: u64 = 1_500;

/// Objects in which callers wait. Each holds one acknowledged write.
pub struct Waiters {
    names: Vec<String>,
    socket_names: Vec<String>,
}

/// Calls and messages in flight.
pub struct Waiting<'scope> {
    calls: Vec<ScopedJoinHandle<'scope, Outcome>>,
}

/// How one of them ended.
pub struct Outcome {
    what: String,
    took: Duration,
    ended: Ended,
}

enum Ended {
    Answered(Result<Answer, String>, Value),
    OnSocket(Option<Received>, Value),
}

impl Waiters {
    pub fn prepare(client: &Client, cause: &str) -> Self {
        let prefix = cause.replace(' ', "-");
        let named = |what: &str, count: usize| -> Vec<String> {
            (0..count)
                .map(|number| format!("/bystanders/{prefix}-{what}-{number}"))
                .collect()
        };
        let waiters = Self {
            names: named("object", OBJECTS),
            socket_names: named("socket", SOCKETS),
        };
        for name in waiters.all() {
            let written: u64 = client.post(&format!("{name}/increment"), json!({})).json();
            assert_eq!(written, 1, "{name}");
        }
        waiters
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.names.iter().chain(&self.socket_names)
    }

    /// Starts all waiting calls. Returns when all of them wait.
    pub fn start<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        client: &Client,
    ) -> Waiting<'scope> {
        let mut calls = Vec::new();
        for (ticket, name) in self.socket_names.iter().enumerate() {
            let mut socket = client.connect(&format!("{name}/ws"));
            socket.send(&json!({ "ms": WAIT_MS, "ticket": ticket }));
            let what = format!("the socket of {name}");
            calls.push(scope.spawn(move || receive(what, &mut socket, json!(ticket))));
        }
        for number in 0..HANDLERS {
            let client = client.clone();
            let path = format!("/sleep?ms={WAIT_MS}");
            calls.push(scope.spawn(move || {
                call(
                    format!("handler {number} of the app"),
                    json!(WAIT_MS),
                    || client.send("GET", &path, &[], None),
                )
            }));
        }
        for (ticket, name) in self.names.iter().enumerate() {
            let (client, name) = (client.clone(), name.clone());
            calls.push(scope.spawn(move || {
                let body = json!({ "ms": WAIT_MS, "ticket": ticket });
                call(format!("the waiter in {name}"), json!(ticket), || {
                    client.send_json("POST", &format!("{name}/wait"), &body)
                })
            }));
        }
        let numbered = self.names.iter().enumerate();
        for (ticket, name) in numbered.chain(self.socket_names.iter().enumerate()) {
            let path = format!("{name}/begun?ticket={ticket}");
            eventually(BOUND, || client.get(&path).json::<bool>().then_some(()))
                .unwrap_or_else(|| panic!("{name}: the waiter does not begin"));
        }
        let ended = calls.iter().filter(|call| call.is_finished()).count();
        if ended > 0 {
            println!(
                "{ended} of {} waiters are done before the end comes",
                calls.len()
            );
        }
        Waiting { calls }
    }

    /// Whether each object has its write and can be called.
    pub fn unharmed(&self, client: &Client) -> Vec<Result<(), String>> {
        let unharmed = |name: &String| {
            let value = client.send("GET", name, &[], None)?;
            let next = client.send_json("POST", &format!("{name}/increment"), &json!({}))?;
            let found = [&value, &next].map(|answer| (answer.status, answer.text()));
            let right = [(200, "1".to_owned()), (200, "2".to_owned())];
            if found == right {
                Ok(())
            } else {
                Err(format!("{name} answers {found:?} afterwards"))
            }
        };
        self.all().map(unharmed).collect()
    }
}

impl Waiting<'_> {
    pub fn outcomes(self) -> Vec<Outcome> {
        let joined = self.calls.into_iter();
        joined
            .map(|call| call.join().expect("a waiter reports what came"))
            .collect()
    }
}

impl Outcome {
    /// Checks the results. On the embedded host an object's end does not affect others: all callers
    /// get their value. On workerd the memory of an isolate may be lost: they get a value or a
    /// correct error.
    pub fn judge(self, kind: Kind) -> Result<(), String> {
        let Self { what, took, ended } = self;
        if took >= BOUND {
            return Err(format!("{what} hung: nothing came for {took:?}"));
        }
        match ended {
            Ended::Answered(Err(error), _) => {
                Err(format!("{what} got no answer after {took:?}: {error}"))
            }
            Ended::Answered(Ok(answer), value) => {
                let found: Option<Value> = serde_json::from_slice(&answer.body).ok();
                let has_value = answer.status == 200 && found == Some(value);
                let is_honest = answer.status >= 500 && answer.error_code().is_some();
                if has_value || (kind == Kind::Workerd && is_honest) {
                    return Ok(());
                }
                Err(format!("{what} got {} {:?}", answer.status, answer.text()))
            }
            Ended::OnSocket(received, value) => match received {
                Some(Received::Text(text))
                    if serde_json::from_str(&text).is_ok_and(|found: Value| found == value) =>
                {
                    Ok(())
                }
                Some(_) if kind == Kind::Workerd => Ok(()),
                other => Err(format!("{what} got {other:?}")),
            },
        }
    }
}

fn call(what: String, value: Value, send: impl FnOnce() -> Result<Answer, String>) -> Outcome {
    let asked = Instant::now();
    let answer = send();
    Outcome {
        what,
        took: asked.elapsed(),
        ended: Ended::Answered(answer, value),
    }
}

fn receive(what: String, socket: &mut Connection, value: Value) -> Outcome {
    let asked = Instant::now();
    let received = socket.receive_within(BOUND);
    socket.close(1000, "");
    Outcome {
        what,
        took: asked.elapsed(),
        ended: Ended::OnSocket(received, value),
    }
}
