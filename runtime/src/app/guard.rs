//! Guards: functions that run before a request reaches an object.

use std::borrow::Cow;
use std::future::Future;
use std::rc::Rc;

use super::App;
use super::dispatch::{Target, guarded, panicked, remote};
use crate::engine::routing;
use crate::error::Error;
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::object::context::Env;
use crate::turn::LocalFuture;
use crate::turn::chain::CallChain;
use crate::turn::user_code;

pub(crate) type Guard = Rc<dyn Fn(Visit) -> LocalFuture<'static, Result<Visit, Error>>>;

pub(super) type ResponseHook = Box<dyn FnOnce(Response) -> Response>;

/// A request to an object, before it reaches the object; see [`App::guard`].
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

impl App {
    /// Adds a guard: a function that runs before a request reaches an object by its path. A guard
    /// can refuse the request (authentication), [answer](Visit::respond) it, change the name
    /// (content-based keys), or [change the response](Visit::on_response). RPC from other objects
    /// does not pass through guards.
    ///
    /// Guards run in the order in which they were added. Each one gets the visit that the previous
    /// one returned. The first one that refuses ends the request.
    ///
    /// To decide by what a request does, compare [`Visit::route`] and not the path:
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # fn example<Counter: DurableObject>(is_admin: fn(&Request) -> bool) -> App {
    /// App::new()
    ///     .mount::<Counter>("/counters/{name}")
    ///     .guard(async move |visit| {
    ///         let handler = visit.route.map(|route| route.handler);
    ///         if handler == Some("reset") && !is_admin(&visit.request) {
    ///             return Err(Error::forbidden("only administrators may reset"));
    ///         }
    ///         Ok(visit)
    ///     })
    /// # }
    /// ```
    #[must_use]
    pub fn guard<F, R>(mut self, guard: F) -> Self
    where
        F: Fn(Visit) -> R + 'static,
        R: Future<Output = Result<Visit, Error>> + 'static,
    {
        self.guards
            .push(Rc::new(move |visit| Box::pin(guard(visit))));
        self
    }
}

impl App {
    /// Passes a request to an object, through the guards.
    pub(super) async fn visit(
        &self,
        target: &Target<'_>,
        request: Request,
        env: Env,
    ) -> Result<Response, Fault> {
        let mut hooks = Vec::new();
        let mut answer = self.try_visit(target, request, env, &mut hooks).await;
        for hook in hooks.into_iter().rev() {
            let response = answer.unwrap_or_else(Fault::into_response);
            answer = Ok(user_code::call(|| hook(response)).unwrap_or_else(|_| {
                tracing::error!(
                    class = target.description.class.name,
                    "a response hook panicked"
                );
                panicked()
            }));
        }
        answer
    }

    async fn try_visit(
        &self,
        target: &Target<'_>,
        request: Request,
        env: Env,
        hooks: &mut Vec<ResponseHook>,
    ) -> Result<Response, Fault> {
        let class = target.description.class.name;
        let mut visit = Visit {
            class,
            route: None,
            name: target.name.clone(),
            request,
            env,
            answer: None,
            hooks: Vec::new(),
        };
        for guard in &self.guards {
            visit.route = matched(target, &visit);
            let begun = user_code::call(|| guard(visit));
            let Ok(passed) = guarded(begun).await else {
                tracing::error!(class, "a guard panicked");
                return Ok(panicked());
            };
            visit = passed.map_err(|error| Fault::application(&error))?;
            hooks.append(&mut visit.hooks);
            if let Some(answer) = visit.answer {
                return Ok(answer);
            }
        }
        let Visit {
            name,
            mut request,
            env,
            ..
        } = visit;
        let remote = remote(&env, target.description, target.by, &name)?;
        match target.path_for(&name) {
            // A suffix of a path in normal form is in normal form.
            Cow::Borrowed(path) => request.inner.set_path(path),
            Cow::Owned(path) => request.set_path(&path),
        }
        // Guards may have changed the path and the headers.
        request.check()?;
        remote.fetch(request, &CallChain::default()).await
    }
}

/// Returns the route that a visit reaches, as the guards before have changed it.
fn matched(target: &Target<'_>, visit: &Visit) -> Option<MatchedRoute> {
    let path = target.path_for(&visit.name);
    let found = routing::find(target.description, &visit.request.method(), &path);
    let (route, _) = found.ok()?;
    Some(MatchedRoute {
        pattern: route.path,
        handler: route.name,
    })
}
