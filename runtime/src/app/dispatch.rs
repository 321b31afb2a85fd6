//! From a request to its handler, object or asset.

use std::borrow::Cow;
use std::rc::Rc;

use super::sharding::shard_name;
use super::{Address, App, AppRoute, Mount, Visit};
use crate::engine::routing;
use crate::engine::table::Description;
use crate::error::fault::Fault;
use crate::http::{Request, Response, methods, path};
use crate::limits::MAX_NAME;
use crate::object::context::Env;
use crate::object::id::Placement;
use crate::platform::Remote;
use crate::turn::LocalFuture;
use crate::turn::chain::CallChain;
use crate::turn::user_code::{self, Guarded, Panic};

/// The destination of a request. Borrows from the app and the path.
pub(crate) enum Destination<'a> {
    Object(Target<'a>),
    /// The index in the list of handlers, and the values of the path's parameters.
    Handler(usize, Vec<(&'static str, String)>),
    /// An OPTIONS request that no handler answers, with the methods of its path.
    Options(String),
    MethodNotAllowed(String),
    Asset,
    Nowhere,
}

/// The object that a path leads to.
pub(crate) struct Target<'a> {
    pub(crate) description: &'static Description,
    pub(crate) by: Address,
    pub(crate) name: String,
    /// The object's own path.
    pub(crate) path: &'a str,
}

impl App {
    /// Finds the handler, object or asset for a request.
    pub(crate) fn destination<'a>(&'a self, method: &str, path: &'a str) -> Destination<'a> {
        let method = if method == "HEAD" { "GET" } else { method };
        let mut allowed = Vec::new();
        for (index, route) in self.routes.iter().enumerate() {
            if let Some(parameters) = path::matches(route.pattern, path) {
                if route.method == method {
                    return Destination::Handler(index, parameters);
                }
                allowed.push(route.method);
            }
        }
        for mount in &self.mounts {
            if let Some((name, path)) = mount.matches(path) {
                if method == "OPTIONS" {
                    allowed.extend(routing::methods(mount.description, path));
                    break;
                }
                return Destination::Object(Target {
                    description: mount.description,
                    by: mount.by,
                    name,
                    path,
                });
            }
        }
        if !allowed.is_empty() {
            let allow = methods::allow(&allowed);
            return if method == "OPTIONS" {
                Destination::Options(allow)
            } else {
                Destination::MethodNotAllowed(allow)
            };
        }
        if self.assets.is_some() && method == "GET" {
            Destination::Asset
        } else {
            Destination::Nowhere
        }
    }

    /// Answers every request except one for an asset, which returns `Ok(None)`: the host sends
    /// assets.
    pub(crate) fn answer(
        self: &Rc<Self>,
        request: Request,
        env: Env,
    ) -> LocalFuture<'static, Option<Response>> {
        let this = self.clone();
        Box::pin(async move {
            let headers = this.cross_origin_headers(&request);
            let answer = match this.try_answer(request, env).await {
                Ok(response) => response,
                Err(fault) => Some(fault.into_response()),
            };
            answer.map(|answer| answer.checked().with_cross_origin_headers(headers))
        })
    }

    async fn try_answer(&self, mut request: Request, env: Env) -> Result<Option<Response>, Fault> {
        request.check()?;
        self.check_origin(&request)?;
        let path = request.path().into_owned();
        let target = match self.destination(&request.method(), &path) {
            Destination::Object(target) => target,
            Destination::Handler(index, parameters) => {
                let AppRoute {
                    method,
                    pattern,
                    handler,
                } = &self.routes[index];
                request.set_path_values(parameters);
                let begun = user_code::call(|| handler(request, env));
                let Ok(answer) = guarded(begun).await else {
                    tracing::error!(method, pattern, "a handler of the app panicked");
                    return Ok(Some(panicked()));
                };
                return answer.map(Some).map_err(|error| Fault::application(&error));
            }
            Destination::Options(allow) => return self.options(&request, &allow).map(Some),
            Destination::Asset => return Ok(None),
            Destination::MethodNotAllowed(allow) => return Err(Fault::MethodNotAllowed { allow }),
            Destination::Nowhere => {
                return Err(Fault::NotFound(format!("no route matches {path}")));
            }
        };
        let Target {
            description,
            by,
            name,
            path: rest,
        } = target;
        let key = matches!(by, Address::Shard(_)).then(|| name.clone());
        let mut visit = Visit {
            class: description.class.name,
            name,
            request,
            env,
        };
        for guard in &self.guards {
            let begun = user_code::call(|| guard(visit));
            let Ok(passed) = guarded(begun).await else {
                tracing::error!(class = description.class.name, "a guard panicked");
                return Ok(Some(panicked()));
            };
            visit = passed.map_err(|error| Fault::application(&error))?;
        }
        let Visit {
            name,
            mut request,
            env,
            ..
        } = visit;
        let mut rest = Cow::Borrowed(rest);
        if key.is_some_and(|key| key != name) {
            rest = Cow::Owned(path::with_first_segment(&rest, &name));
        }
        let remote = remote(&env, description, by, &name)?;
        match rest {
            // A suffix of a path in normal form is in normal form.
            Cow::Borrowed(rest) => request.inner.set_path(rest),
            Cow::Owned(rest) => request.set_path(&rest),
        }
        // Guards may have changed the path and the headers.
        request.check()?;
        remote.fetch(request, &CallChain::default()).await.map(Some)
    }
}

impl Mount {
    /// Returns the value of the mount's parameter, and the object's own path.
    fn matches<'a>(&self, path: &'a str) -> Option<(String, &'a str)> {
        let (parameters, rest) = path::matches_prefix(self.pattern, path)?;
        let (_, value) = parameters.into_iter().next_back()?;
        Some(match self.by {
            Address::Name | Address::Id => (value, rest),
            Address::Shard(_) => (value, path::from_segment(path, self.pattern)?),
        })
    }
}

/// Runs the future of a handler or a guard, and catches panics in its polls and its drop.
async fn guarded<T>(begun: Result<LocalFuture<'static, T>, Panic>) -> Result<T, Panic> {
    Guarded::new(begun?).await
}

/// The panic's message is only in the log: a client must not see it.
fn panicked() -> Response {
    Response::error(500, "panicked", "the app's code panicked")
}

/// Returns the object that a path leads to. Checks the length of a name and the origin of an
/// identifier.
pub(crate) fn remote(
    env: &Env,
    description: &'static Description,
    by: Address,
    name: &str,
) -> Result<Remote, Fault> {
    let namespace = env.inner.namespace(&description.class)?;
    let placement = Placement::default();
    match by {
        Address::Id => {
            let id = namespace
                .parse_id(name)
                .map_err(|error| Fault::NotFound(format!("no such object: {error}")))?;
            Ok(namespace.by_id(id, &placement))
        }
        Address::Name if name.len() > MAX_NAME => Err(Fault::BadRequest(format!(
            "a name of {} bytes is over the limit of {MAX_NAME}",
            name.len()
        ))),
        Address::Name => Ok(namespace.by_name(name, &placement)),
        Address::Shard(shards) => Ok(namespace.by_name(&shard_name(name, shards), &placement)),
    }
}
