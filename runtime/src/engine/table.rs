//! The tables that the macro generates: a class's methods, routes and events as data.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

use std::any::Any;

use super::input::{Input, Outcome};
use crate::codec::text::QueryMisfit;
use crate::error::StorageError;
use crate::object::class::Class;
use crate::object::context::Ctx;
use crate::platform::HandlerKey;
use crate::storage::fields::{FieldStore, Object};
use crate::turn::{LocalFuture, Mode};

/// One class of Durable Objects.
pub struct Description {
    pub class: Class,
    pub load: fn(&mut FieldStore) -> Result<Box<dyn Object>, StorageError>,
    pub init: Option<Handler>,
    pub methods: &'static [Method],
    pub routes: &'static [Route],
    /// The handlers of the class's alarms, in their order.
    pub alarms: &'static [Handler],
    pub sockets: SocketHandlers,
}

impl Description {
    pub(crate) fn method(&self, name: &str) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    pub(crate) fn alarm(&self, name: &str) -> Option<Handler> {
        let mut alarms = self.class.alarms.iter().zip(self.alarms);
        alarms
            .find(|(alarm, _)| alarm.name == name)
            .map(|(_, handler)| *handler)
    }

    /// Returns mistakes that the compiler could not detect, as messages.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        for route in self.routes {
            if let Some(argument) = &route.query
                && let Some(misfit) = (argument.misfit)()
            {
                mistakes.push(format!(
                    "{} {} of {}: {}",
                    route.method,
                    route.path,
                    self.class.name,
                    misfit.of(argument.name)
                ));
            }
            for argument in route.texts {
                if let Some(shape) = (argument.misfit)() {
                    mistakes.push(format!(
                        "{} {} of {}: `{}` is {shape}, but a path and a query string carry one text for each name; take its values one by one, or use `#[post]`",
                        route.method, route.path, self.class.name, argument.name
                    ));
                }
            }
        }
        mistakes
    }
}

/// A method with its receiver erased.
#[derive(Clone, Copy)]
pub struct Handler {
    pub run: Run,
    /// `true` if it takes `&Ctx`. Without one it cannot access the object's storage, schedules or
    /// stubs, and needs no transaction besides its stored fields.
    pub takes_context: bool,
}

type Read = fn(&dyn Any, &Ctx, &mut Input) -> Outcome;
type Write = fn(&mut dyn Any, &Ctx, &mut Input) -> Outcome;
type Shared = for<'a> fn(&'a dyn Any, &'a Ctx, Input) -> LocalFuture<'a, Outcome>;
type Exclusive = for<'a> fn(&'a mut dyn Any, &'a Ctx, Input) -> LocalFuture<'a, Outcome>;

/// The receiver of a method, which determines whether its turn may overlap with others.
#[derive(Clone, Copy)]
pub enum Run {
    /// `fn(&self)`
    Read(Read),
    /// `fn(&mut self)`
    Write(Write),
    /// `async fn(&self)`
    Shared(Shared),
    /// `async fn(&mut self)`
    Exclusive(Exclusive),
}

impl Handler {
    #[must_use]
    pub const fn read(function: Read, takes_context: bool) -> Self {
        Self {
            run: Run::Read(function),
            takes_context,
        }
    }

    #[must_use]
    pub const fn write(function: Write, takes_context: bool) -> Self {
        Self {
            run: Run::Write(function),
            takes_context,
        }
    }

    #[must_use]
    pub const fn shared(function: Shared, takes_context: bool) -> Self {
        Self {
            run: Run::Shared(function),
            takes_context,
        }
    }

    #[must_use]
    pub const fn exclusive(function: Exclusive, takes_context: bool) -> Self {
        Self {
            run: Run::Exclusive(function),
            takes_context,
        }
    }

    pub(crate) fn mode(self) -> Mode {
        match self.run {
            Run::Read(_) | Run::Shared(_) => Mode::Shared,
            Run::Write(_) | Run::Exclusive(_) => Mode::Exclusive,
        }
    }

    pub(crate) fn key(self) -> HandlerKey {
        HandlerKey {
            code: match self.run {
                Run::Read(run) => run as usize,
                Run::Write(run) => run as usize,
                Run::Shared(run) => run as usize,
                Run::Exclusive(run) => run as usize,
            },
            takes_context: self.takes_context,
        }
    }

    /// Returns `true` if the turn may await.
    pub(crate) fn may_wait(self) -> bool {
        matches!(self.run, Run::Shared(_) | Run::Exclusive(_))
    }
}

/// An `#[rpc]` method.
pub struct Method {
    pub name: &'static str,
    pub js_name: &'static str,
    pub handler: Handler,
}

impl Method {
    #[must_use]
    pub const fn new(name: &'static str, js_name: &'static str, handler: Handler) -> Self {
        Self {
            name,
            js_name,
            handler,
        }
    }
}

/// An HTTP route into the object.
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    /// The name of the Rust method, for call chains and logs.
    pub name: &'static str,
    pub handler: Handler,
    pub status: u16,
    pub kind: RouteKind,
    pub body: BodyUse,
    /// The accepted names in the query string or the body.
    pub fields: &'static [&'static str],
    /// The argument that is decoded from the whole query string.
    pub query: Option<QueryArgument>,
    /// The arguments from the path or the query string whose types are user-defined.
    pub texts: &'static [TextArgument],
    /// The largest body in bytes, if the route states it.
    pub max_body: Option<usize>,
}

impl Route {
    /// A route that reads only its path.
    #[must_use]
    pub const fn new(
        method: &'static str,
        path: &'static str,
        name: &'static str,
        handler: Handler,
        status: u16,
    ) -> Self {
        Self {
            method,
            path,
            name,
            handler,
            status,
            kind: RouteKind::Call,
            body: BodyUse::None,
            fields: &[],
            query: None,
            texts: &[],
            max_body: None,
        }
    }

    /// The route of an upgrade.
    #[must_use]
    pub const fn upgrade(self) -> Self {
        Self {
            kind: RouteKind::Socket,
            ..self
        }
    }

    #[must_use]
    pub const fn body(self, body: BodyUse) -> Self {
        Self { body, ..self }
    }

    #[must_use]
    pub const fn fields(self, fields: &'static [&'static str]) -> Self {
        Self { fields, ..self }
    }

    #[must_use]
    pub const fn query(self, query: QueryArgument) -> Self {
        Self {
            query: Some(query),
            ..self
        }
    }

    #[must_use]
    pub const fn texts(self, texts: &'static [TextArgument]) -> Self {
        Self { texts, ..self }
    }

    /// States the largest body, in bytes.
    #[must_use]
    pub const fn max_body(self, bytes: usize) -> Self {
        Self {
            max_body: Some(bytes),
            ..self
        }
    }
}

/// An argument that is read from a text.
pub struct TextArgument {
    pub name: &'static str,
    /// Returns the reason why its type cannot be read from one text.
    pub misfit: fn() -> Option<&'static str>,
}

/// An argument that is decoded from the whole query string.
pub struct QueryArgument {
    pub name: &'static str,
    /// Returns the reason why its type cannot be read from a query string.
    pub misfit: fn() -> Option<QueryMisfit>,
}

/// What a route responds with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    Call,
    Socket,
}

/// What a route reads from the request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyUse {
    None,
    Fields,
    Whole,
    Raw,
}

/// The socket events that a class handles.
pub struct SocketHandlers {
    pub json: Option<Handler>,
    pub text: Option<Handler>,
    pub binary: Option<Handler>,
    pub close: Option<Handler>,
    pub error: Option<Handler>,
}
