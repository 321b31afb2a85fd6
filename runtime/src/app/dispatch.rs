//! From a request to its handler, object or asset.

use std::rc::Rc;

use super::handler::{AppHandler, AppRoute, guarded, panicked};
use super::target::{Address, Target};
use super::visit::visit;
use super::{App, Mount};
use crate::engine::routing;
use crate::error::fault::Fault;
use crate::http::{Request, Response, methods, path};
use crate::object::context::Env;
use crate::turn::LocalFuture;
use crate::turn::user_code;

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
            let answers_head = method == "HEAD" && route.method == "GET";
            if !is_exact && !answers_head {
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
                let methods: Vec<_> = match method {
                    "OPTIONS" => routing::methods(mount.description, path).collect(),
                    _ => Vec::new(),
                };
                if !methods.is_empty() {
                    allowed.extend(methods);
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
            let headers = this.cross_origin.headers(&request);
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
            let headers = this.cross_origin.headers(&request);
            let answer = match (reason, &this.fallback) {
                (Fault::NotFound(_), Some(fallback)) => fall_back(fallback, request, env).await,
                (reason, _) => Err(reason),
            };
            let answer = answer.unwrap_or_else(Fault::into_response);
            answer.checked().with_cross_origin_headers(headers)
        })
    }

    async fn try_answer(&self, mut request: Request, env: Env) -> Result<Answered, Fault> {
        request.check()?;
        self.cross_origin.check(&request)?;
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
                return self
                    .cross_origin
                    .options(&request, &allow)
                    .map(Answered::Response);
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
        let answer = visit(&self.guards, &target, request, env).await;
        answer.map(Answered::Response)
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
