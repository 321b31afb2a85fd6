//! A Worker in JavaScript that calls an app's objects.

use serde_json::{Value, json};

use crate::{Application, Client, Host, Kind};

/// An app on workerd behind a Worker in JavaScript, which calls one of its objects by native RPC.
pub struct Caller {
    host: Host,
    binding: &'static str,
    name: &'static str,
}

impl Caller {
    /// Starts the app. The object is identified by its binding and its name.
    #[must_use]
    pub fn start(application: &Application, binding: &'static str, name: &'static str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/caller.js");
        let application = application.clone().called_by(script);
        Self {
            host: Host::start(Kind::Workerd, &application),
            binding,
            name,
        }
    }

    /// Returns a client of the Worker.
    #[must_use]
    pub fn client(&self) -> Client {
        self.host.client()
    }

    /// Calls a method. Returns a JSON object with the result's `value` and its `type`, or with its
    /// `error`.
    #[must_use]
    pub fn call(&self, method: &str, values: Value) -> Value {
        let (binding, name) = (self.binding, self.name);
        let call = json!({ "binding": binding, "name": name, "method": method, "values": values });
        self.client().post("/", call).json()
    }
}
