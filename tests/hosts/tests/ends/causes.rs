//! The ways in which an object or a handler ends.

use host_tests::{Answer, Client, Kind};
use serde_json::{Value, json};

/// The expected result of the call that causes the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    /// A correct server error.
    ServerError,
    /// The error that the object returned.
    Error(u16, &'static str),
    /// Success: the end comes after the answer, or the error is the answer's content.
    Success,
}

/// The expected result of the next call to the object that ended.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// The count, which shows that the writes of the failed turn are missing.
    Value(&'static str, i64),
    /// The object cannot start again, and its error says so.
    ServerError(&'static str),
    /// No request is to be sent.
    Success(&'static str),
}

/// A way to end.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// Its name in messages, and part of the names of objects.
    pub name: &'static str,
    /// The steps that lead to the end. Their results are not checked.
    steps: &'static [&'static str],
    method: &'static str,
    path: &'static str,
    body: Option<&'static str>,
    own: Own,
    next: Next,
    /// On the embedded host a trap ends the process, as in every native program.
    only_on_workerd: bool,
}

impl Cause {
    pub fn happens_on(&self, kind: Kind) -> bool {
        kind == Kind::Workerd || !self.only_on_workerd
    }

    /// Causes the end twice, to include an end immediately after another.
    pub fn bring_about(&self, client: &Client) -> Vec<Result<Answer, String>> {
        let body = self.body.unwrap_or("{}").as_bytes();
        let body = (self.method == "POST").then_some(body);
        let headers = [("content-type", "application/json")];
        for step in self.steps {
            let _ = client.send("POST", step, &headers, Some(b"{}"));
        }
        let send = || client.send(self.method, self.path, &headers, body);
        vec![send(), send()]
    }

    pub fn judge_answer(&self, kind: Kind, answer: Result<Answer, String>) -> Result<(), String> {
        let answer = answer.map_err(|error| format!("who caused it got no answer: {error}"))?;
        let found = (answer.status, answer.error_code());
        let is_right = match self.own {
            Own::ServerError => found.0 >= 500 && found.1.is_some(),
            Own::Error(status, code) => found == (status, Some(code.to_owned())),
            // A handler of the app may share the memory that ends.
            Own::Success => {
                found.0 < 300 || (kind == Kind::Workerd && found.0 >= 500 && found.1.is_some())
            }
        };
        if is_right {
            return Ok(());
        }
        Err(format!(
            "who caused it got {} {:?} instead of {:?}",
            answer.status,
            answer.text(),
            self.own
        ))
    }

    pub fn judge_next_call(&self, client: &Client) -> Result<(), String> {
        let (method, path) = match self.next {
            Next::Value(path, _) => ("POST", path),
            Next::ServerError(path) | Next::Success(path) => ("GET", path),
        };
        let body = (method == "POST").then_some(b"{}".as_slice());
        let headers = [("content-type", "application/json")];
        let answer = client
            .send(method, path, &headers, body)
            .map_err(|error| format!("the next call got no answer: {error}"))?;
        let is_right = match self.next {
            Next::Value(_, value) => {
                let found: Option<Value> = serde_json::from_slice(&answer.body).ok();
                answer.status == 200 && found == Some(json!(value))
            }
            Next::ServerError(_) => answer.status >= 500 && answer.error_code().is_some(),
            Next::Success(_) => answer.status == 200,
        };
        if is_right {
            return Ok(());
        }
        Err(format!(
            "the next call got {} {:?} instead of {:?}",
            answer.status,
            answer.text(),
            self.next
        ))
    }
}

/// A method of `Doomed`. The next count shows what the failed turns left.
const fn doomed(name: &'static str, path: &'static str, next: &'static str) -> Cause {
    Cause {
        name,
        steps: &[],
        method: "POST",
        path,
        body: None,
        own: Own::ServerError,
        next: Next::Value(next, 1),
        only_on_workerd: false,
    }
}

pub fn causes() -> Vec<Cause> {
    let on_workerd = |cause: Cause| Cause {
        only_on_workerd: true,
        ..cause
    };
    let get = |name, path, own, next| Cause {
        name,
        steps: &[],
        method: "GET",
        path,
        body: None,
        own,
        next,
        only_on_workerd: false,
    };
    vec![
        doomed("panic", "/doomed/a/panic", "/doomed/a/increment"),
        doomed(
            "panic after an await",
            "/doomed/b/panic-later",
            "/doomed/b/increment",
        ),
        doomed("abort", "/doomed/c/abort", "/doomed/c/increment"),
        doomed(
            "abort after an await",
            "/doomed/d/abort-later",
            "/doomed/d/increment",
        ),
        Cause {
            own: Own::Success,
            ..doomed(
                "panic in the background",
                "/doomed/e/panic-in-background",
                "/doomed/e/increment",
            )
        },
        Cause {
            body: Some(r#"{"value": "serialize"}"#),
            ..doomed(
                "panic in Serialize",
                "/doomed/f/convert",
                "/doomed/f/increment",
            )
        },
        Cause {
            body: Some(r#"{"value": "deserialize"}"#),
            ..doomed(
                "panic in Deserialize",
                "/doomed/g/convert",
                "/doomed/g/increment",
            )
        },
        doomed(
            "panic in Drop",
            "/doomed/h/abort-armed",
            "/doomed/h/increment",
        ),
        get(
            "panic in Default",
            "/no-default/a",
            Own::ServerError,
            Next::ServerError("/no-default/a"),
        ),
        get(
            "start that is refused",
            "/unstartable/refused",
            Own::Error(400, "bad_name"),
            Next::Success("/unstartable/fine"),
        ),
        get(
            "start that panics",
            "/unstartable/panics",
            Own::ServerError,
            Next::Success("/unstartable/fine"),
        ),
        Cause {
            steps: &["/doomed/i/spoil", "/doomed/i/abort"],
            next: Next::ServerError("/doomed/i/rings"),
            ..doomed("field that does not load", "/doomed/i/increment", "")
        },
        get(
            "panic in a handler of the app",
            "/panic",
            Own::ServerError,
            Next::Success("/healthz"),
        ),
        get(
            "panic of an object that the app called",
            "/call-doomed",
            Own::Success,
            Next::Success("/healthz"),
        ),
        on_workerd(doomed(
            "exhausted stack",
            "/doomed/j/recurse",
            "/doomed/j/increment",
        )),
        on_workerd(doomed(
            "exhausted stack in a later poll",
            "/doomed/k/recurse-later",
            "/doomed/k/increment",
        )),
        on_workerd(doomed(
            "exhausted memory",
            "/doomed/l/exhaust",
            "/doomed/l/increment",
        )),
    ]
}
