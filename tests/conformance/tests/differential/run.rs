//! Takes the steps of a plan on one host, and records what clients observe.

use std::collections::BTreeMap;
use std::time::Duration;

use conformance::differential::{Act, Ending, Spoken};
use host_tests::{Answer, Client, Connection, Received, Refused, eventually};
use serde_json::{Value, json};

use crate::plan::{OBJECTS, Plan, Request, Step};
use crate::transcript::Transcript;

/// How long something may take that happens automatically.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Headers of the connection rather than of the app's answers. They contain times and framing.
const OF_THE_CONNECTION: [&str; 6] = [
    "date",
    "connection",
    "content-length",
    "transfer-encoding",
    "keep-alive",
    "upgrade",
];

/// A plan that is being run on one host.
pub struct Run {
    /// The first part of the objects' names.
    name: String,
    sockets: BTreeMap<&'static str, Open>,
    pub transcript: Transcript,
}

struct Open {
    object: &'static str,
    connection: Connection,
}

impl Run {
    /// Creates a run. Names must not repeat on one data folder.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            sockets: BTreeMap::new(),
            transcript: Transcript::default(),
        }
    }

    /// Takes the steps of one phase. If a restart precedes it, that has ended the sockets.
    pub fn phase(&mut self, client: &Client, plan: &Plan, phase: usize) {
        let Some(steps) = plan.phases.get(phase) else {
            return;
        };
        self.sockets.clear();
        for step in steps {
            let mut what = self.step(client, step);
            if step.leaves_work() && !self.settle(client) {
                self.transcript
                    .note_as("settle", json!("something goes on"));
            }
            if step.panics() {
                normalise_panic(&mut what);
                crate::batch::warm_up(client);
            }
            let what = self.without_name(&what);
            self.transcript.note(step, what);
            self.fence(client);
        }
        for object in OBJECTS {
            let dump = self.at(client, object).send("GET", "/dump", &[], None);
            let dump = self.without_name(&seen(dump));
            self.transcript.note_as(format!("dump {object}"), dump);
        }
    }

    fn at(&self, client: &Client, object: &str) -> Client {
        client.at(&format!("/differential/{}-{object}", self.name))
    }

    /// Replaces the object's name, which is different on each host, also in errors.
    fn without_name(&self, what: &Value) -> Value {
        let text = what.to_string().replace(&format!("{}-", self.name), "");
        let text = without_wording(text);
        serde_json::from_str(&text).expect("names hold no quotes")
    }

    fn step(&mut self, client: &Client, step: &Step) -> Value {
        match step {
            Step::Turn(turn) => {
                let body = json!({ "acts": turn.acts, "ending": turn.ending });
                let object = self.at(client, &turn.to);
                seen(object.send_json("POST", turn.way.path(), &body))
            }
            Step::Request(request) => seen(send(&self.at(client, request.object), request)),
            Step::Connect {
                object,
                label,
                tags,
                padding,
                refuse,
            } => {
                if self.sockets.contains_key(label) {
                    return json!("is open");
                }
                let path =
                    format!("/ws?label={label}&tags={tags}&padding={padding}&refuse={refuse}");
                match self.at(client, object).open(&path, &[]) {
                    Ok(connection) => {
                        self.sockets.insert(label, Open { object, connection });
                        json!("opened")
                    }
                    Err(Refused { status, body }) => json!({ "status": status, "body": body }),
                }
            }
            Step::Say { label, spoken } => self.talk(label, 1, |connection| {
                connection.try_send_text(&json!(spoken).to_string())
            }),
            Step::SayMany { label, count } => self.talk(label, *count, |connection| {
                (0..*count).try_for_each(|number| {
                    let acts = vec![Act::Push {
                        value: json!(number),
                    }];
                    let ending = Ending::Succeed;
                    connection.try_send_text(&json!(Spoken { acts, ending }).to_string())
                })
            }),
            Step::SayText { label, text } => {
                self.talk(label, 1, |connection| connection.try_send_text(text))
            }
            Step::SayBytes { label, bytes } => self.talk(label, 1, |connection| {
                let bytes: Vec<_> = (0..=250).cycle().take(*bytes).collect();
                connection.try_send_bytes(&bytes)
            }),
            Step::HangUp {
                label,
                code,
                reason,
            } => {
                let Some(mut open) = self.sockets.remove(label) else {
                    return json!("is not open");
                };
                open.connection.close(*code, reason);
                json!(read_until(&mut open.connection, |_| false))
            }
            Step::Vanish { label } => {
                let Some(open) = self.sockets.remove(label) else {
                    return json!("is not open");
                };
                let object = self.at(client, open.object);
                let ends = || {
                    object
                        .send("GET", "/ends", &[], None)
                        .ok()?
                        .text()
                        .parse()
                        .ok()
                };
                let before: Option<u64> = ends();
                open.connection.vanish();
                let noticed = eventually(PATIENCE, || (ends() > before).then_some(()));
                json!(if noticed.is_some() {
                    "noticed"
                } else {
                    "not noticed"
                })
            }
        }
    }

    /// Sends a message over a socket and reads until it is answered, this many times.
    fn talk(
        &mut self,
        label: &'static str,
        mut answers: usize,
        say: impl FnOnce(&mut Connection) -> Result<(), String>,
    ) -> Value {
        let Some(open) = self.sockets.get_mut(label) else {
            return json!("is not open");
        };
        if say(&mut open.connection).is_err() {
            self.sockets.remove(label);
            return json!("broken before");
        }
        let received = read_until(&mut open.connection, |message| {
            answers -= usize::from(is_answer(message));
            answers == 0
        });
        if received.last().is_some_and(is_end) {
            self.sockets.remove(label);
        }
        json!(received)
    }

    /// Records what has arrived over the sockets so far.
    fn fence(&mut self, client: &Client) {
        for object in OBJECTS {
            let labels: Vec<_> = self
                .sockets
                .iter()
                .filter(|(_, open)| open.object == object)
                .map(|(label, _)| *label)
                .collect();
            if labels.is_empty() {
                continue;
            }
            let reached = self.at(client, object).send("POST", "/fence", &[], None);
            let reached = seen(reached);
            let mut received = BTreeMap::new();
            for label in labels {
                let open = self.sockets.get_mut(label).expect("it is among the open");
                let messages = read_until(&mut open.connection, |message| {
                    message == &json!({ "text": "\"fence\"" })
                });
                if messages.last().is_some_and(is_end) {
                    self.sockets.remove(label);
                }
                received.insert(label, messages);
            }
            let seen = self.without_name(&json!({ "reached": reached, "received": received }));
            self.transcript.note_as(format!("fence {object}"), seen);
        }
    }

    /// Waits until no object of the plan does anything automatically.
    fn settle(&self, client: &Client) -> bool {
        OBJECTS.iter().all(|object| {
            let object = self.at(client, object);
            let settled = eventually(PATIENCE, || {
                let answer = object.send("GET", "/settled", &[], None).ok()?;
                (answer.body == b"true").then_some(())
            });
            settled.is_some()
        })
    }
}

fn send(object: &Client, request: &Request) -> Result<Answer, String> {
    let body = request.body.as_ref().map(String::as_bytes);
    object.send(request.method, &request.path, &request.headers, body)
}

/// Returns an answer as a client sees it.
fn seen(answer: Result<Answer, String>) -> Value {
    let Ok(answer) = answer else {
        // The text contains the address.
        return json!("the connection broke");
    };
    let mut headers = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in &answer.headers {
        if !OF_THE_CONNECTION.contains(&name.as_str()) {
            let value = String::from_utf8_lossy(value.as_bytes());
            headers.entry(name.as_str()).or_default().push(value);
        }
    }
    let body = serde_json::from_slice(&answer.body)
        .unwrap_or_else(|_| json!(String::from_utf8_lossy(&answer.body)));
    json!({ "status": answer.status, "headers": headers, "body": body })
}

/// Returns what arrives, up to the expected message or the socket's end.
fn read_until(connection: &mut Connection, mut is_last: impl FnMut(&Value) -> bool) -> Vec<Value> {
    let mut received = Vec::new();
    loop {
        let message = match connection.receive_within(PATIENCE) {
            Some(Received::Text(text)) => json!({ "text": text }),
            Some(Received::Binary(bytes)) => {
                json!({ "bytes": bytes.len(), "first": bytes.first(), "last": bytes.last() })
            }
            Some(Received::Close { code, reason }) => json!({ "closed": code, "reason": reason }),
            Some(Received::Broken) => json!("broken"),
            None => json!("silence"),
        };
        let ends = is_last(&message) || is_end(&message);
        received.push(message);
        if ends {
            return received;
        }
    }
}

fn is_end(message: &Value) -> bool {
    message == "broken" || message == "silence" || message.get("closed").is_some()
}

/// Whether a message is the last one that a client's message causes.
fn is_answer(message: &Value) -> bool {
    message["text"].as_str().is_some_and(|text| {
        text.starts_with(r#"{"done":"#)
            || text.starts_with(r#"{"code":"#)
            || text.starts_with("auto:")
    })
}

/// Makes panics equal: the embedded host tells the caller of a panic, and workerd of a reset. See
/// S8.
fn normalise_panic(what: &mut Value) {
    let code = &what["body"]["error"]["code"];
    if code == "panicked" || code == "reset" {
        *what = json!("the object was reset");
    }
}

/// The beginnings of texts that say why SQL refuses a statement. Each host has different ones: see
/// "Where the hosts differ" in `docs/platform.md`.
const REFUSALS: [&str; 9] = [
    "SQL: BEGIN, COMMIT and SAVEPOINT are not allowed",
    "SQL: To execute a transaction, please use",
    "SQL: `_cf_",
    "SQL: access to _cf_",
    "SQL: PRAGMA `",
    "SQL: the function `",
    "SQL: temporary tables are not allowed",
    "SQL: not authorized",
    "the statement has ",
];

/// Replaces every refusal by the same word. Refusals are in texts of JSON, some of which are
/// themselves in texts.
fn without_wording(mut text: String) -> String {
    for refusal in REFUSALS {
        while let Some(start) = text.find(refusal) {
            let end = text[start..].find(['"', '\\']);
            text.replace_range(start..start + end.expect("a text of JSON ends"), "refused");
        }
    }
    text
}
