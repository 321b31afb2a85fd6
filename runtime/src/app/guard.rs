//! Guards: functions that run before a request reaches an object.

use std::rc::Rc;

use crate::error::Error;
use crate::http::{Request, Response};
use crate::object::context::Env;
use crate::turn::LocalFuture;

pub(crate) type Guard = Rc<dyn Fn(Visit) -> LocalFuture<'static, Result<Visit, Error>>>;

pub(super) type ResponseHook = Box<dyn FnOnce(Response) -> Response>;

/// A request to an object, before it reaches the object; see [`App::guard`](crate::App::guard).
pub struct Visit {
    /// The class of the object.
    pub class: &'static str,
    /// The route that the request reaches. It is `None` if the class has none for the path and the
    /// method: the object then answers 404 or 405.
    pub route: Option<MatchedRoute>,
    /// The object's name as the path gave it. For a mount by `{id}` it is the identifier, for a
    /// sharded mount the key. A guard may replace it, for example with a derived key or the name of
    /// the authenticated user.
    pub name: String,
    /// The request. Its body can be read once: by a guard or by the object.
    pub request: Request,
    /// Bindings and variables, for example to call an object that holds sessions.
    pub env: Env,
    pub(super) answer: Option<Response>,
    pub(super) hooks: Vec<ResponseHook>,
}

/// The route of a class that a request reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchedRoute {
    /// The pattern of the route, such as `/items/{id}`.
    pub pattern: &'static str,
    /// The name of the method with the attribute, such as `replace`.
    pub handler: &'static str,
}

impl Visit {
    /// Answers the request in place of the object, for example with a redirect to a log-in page. No
    /// other guard runs.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use anchorhold::Visit;
    ///
    /// async fn logged_in(visit: Visit) -> Result<Visit, Error> {
    ///     if visit.request.cookie("session").is_some() {
    ///         return Ok(visit);
    ///     }
    ///     Ok(visit.respond(Response::empty(303).with_header("location", "/login")))
    /// }
    /// ```
    #[must_use]
    pub fn respond(mut self, response: Response) -> Self {
        self.answer = Some(response);
        self
    }

    /// Changes the response on its way to the client, for example to set a cookie. It may come from
    /// the object, from this guard or from a later one, and it may be an error. The hook that was
    /// added last runs first.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use anchorhold::Visit;
    ///
    /// async fn uncached(visit: Visit) -> Result<Visit, Error> {
    ///     Ok(visit.on_response(|response| response.with_header("cache-control", "no-store")))
    /// }
    /// ```
    #[must_use]
    pub fn on_response(mut self, change: impl FnOnce(Response) -> Response + 'static) -> Self {
        self.hooks.push(Box::new(change));
        self
    }
}
