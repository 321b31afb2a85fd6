//! From a request to its handler, object or asset.

use std::borrow::Cow;
use std::rc::Rc;

use super::routes::{AppHandler, AppRoute};
use super::sharding::shard_name;
use super::{Address, App, Mount};
use crate::engine::routing;
use crate::engine::table::Description;
use crate::error::fault::Fault;
use crate::http::{Request, Response, methods, path};
use crate::limits::MAX_NAME;
use crate::object::context::Env;
use crate::object::id::Placement;
use crate::platform::Remote;
use crate::turn::LocalFuture;
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

enum Answered {
    Response(Response),
    Not(Box<ForAsset>),
}

/// A request without a route, whose path may be that of an asset.
pub(crate) struct ForAsset {
    pub(crate) request: Request,
    env: Env,
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
        let mut allowed = Vec::new();
        let mut best: Option<(_, usize, Vec<_>)> = None;
        for (index, route) in self.routes.iter().enumerate() {
            let Some(parameters) = path::matches(route.pattern, path) else {
                continue;
            };
            let is_exact = route.method == method;
            if !is_exact && !(method == "HEAD" && route.method == "GET") {
                allowed.push(route.method);
                continue;
            }
            let rank = (path::specificity(route.pattern), !is_exact);
            if best.as_ref().is_none_or(|(other, ..)| rank < *other) {
                best = Some((rank, index, parameters));
            }
        }
        if let Some((_, index, parameters)) = best {
            return Destination::Handler(index, parameters);
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
        if self.assets.is_some() && matches!(method, "GET" | "HEAD") {
            Destination::Asset
        } else {
            Destination::Nowhere
        }
    }

    /// Answers every request except one that may be for an asset, which is returned: the host sends
    /// assets.
    pub(crate) fn answer(
        self: &Rc<Self>,
        request: Request,
        env: Env,
    ) -> LocalFuture<'static, Result<Response, Box<ForAsset>>> {
        let this = self.clone();
        Box::pin(async move {
            let headers = this.cross_origin_headers(&request);
            let answer = match this.try_answer(request, env).await {
                Ok(Answered::Response(response)) => response,
                Ok(Answered::Not(request)) => return Err(request),
                Err(fault) => fault.into_response(),
            };
            Ok(answer.checked().with_cross_origin_headers(headers))
        })
    }

    /// Answers a request for an asset that cannot be sent, for this reason.
    pub(crate) fn answer_without_asset(
        self: &Rc<Self>,
        asked: ForAsset,
        reason: Fault,
    ) -> LocalFuture<'static, Response> {
        let this = self.clone();
        Box::pin(async move {
            let ForAsset { request, env } = asked;
            let headers = this.cross_origin_headers(&request);
            let answer = match (reason, &this.fallback) {
                (Fault::NotFound(_), Some(fallback)) => fall_back(fallback, request, env).await,
                (reason, _) => Err(reason),
            };
            Fault::respond(answer).with_cross_origin_headers(headers)
        })
    }

    async fn try_answer(&self, mut request: Request, env: Env) -> Result<Answered, Fault> {
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
                    return Ok(Answered::Response(panicked()));
                };
                return answer
                    .map(Answered::Response)
                    .map_err(|error| Fault::application(&error));
            }
            Destination::Options(allow) => {
                return self.options(&request, &allow).map(Answered::Response);
            }
            Destination::Asset => return Ok(Answered::Not(Box::new(ForAsset { request, env }))),
            Destination::MethodNotAllowed(allow) => return Err(Fault::MethodNotAllowed { allow }),
            Destination::Nowhere => {
                if let Some(fallback) = &self.fallback {
                    let answer = fall_back(fallback, request, env).await;
                    return answer.map(Answered::Response);
                }
                return Err(Fault::NotFound(format!("no route matches {path}")));
            }
        };
        let answer = self.visit(&target, request, env).await;
        answer.map(Answered::Response)
    }
}

impl Target<'_> {
    /// Returns the object's own path for a name that a guard may have changed.
    pub(super) fn path_for(&self, name: &str) -> Cow<'_, str> {
        match self.by {
            Address::Shard(_) if name != self.name => {
                Cow::Owned(path::with_first_segment(self.path, name))
            }
            _ => Cow::Borrowed(self.path),
        }
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

async fn fall_back(fallback: &AppHandler, request: Request, env: Env) -> Result<Response, Fault> {
    let begun = user_code::call(|| fallback(request, env));
    let Ok(answer) = guarded(begun).await else {
        tracing::error!("the fallback of the app panicked");
        return Ok(panicked());
    };
    answer.map_err(|error| Fault::application(&error))
}

/// Runs the future of a handler or a guard, and catches panics in its polls and its drop.
pub(super) async fn guarded<T>(begun: Result<LocalFuture<'static, T>, Panic>) -> Result<T, Panic> {
    Guarded::new(begun?).await
}

/// The panic's message is only in the log: a client must not see it.
pub(super) fn panicked() -> Response {
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
