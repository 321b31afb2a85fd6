//! A request's way to an object, through the guards.

use std::borrow::Cow;

use super::guard::{Guard, MatchedRoute, ResponseHook, Visit};
use super::handler::{guarded, panicked};
use super::target::Target;
use crate::engine::routing;
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::object::context::Env;
use crate::turn::chain::CallChain;
use crate::turn::user_code;

/// Passes a request to an object, through the guards.
pub(super) async fn visit(
    guards: &[Guard],
    target: &Target<'_>,
    request: Request,
    env: Env,
) -> Result<Response, Fault> {
    let mut hooks = Vec::new();
    let mut answer = try_visit(guards, target, request, env, &mut hooks).await;
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
    guards: &[Guard],
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
    for guard in guards {
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
    let remote = target.remote(&env, &name)?;
    match target.path_for(&name) {
        // A suffix of a path in normal form is in normal form.
        Cow::Borrowed(path) => request.inner.set_path(path),
        Cow::Owned(path) => request.set_path(&path),
    }
    // Guards may have changed the path and the headers.
    request.check()?;
    remote.fetch(request, &CallChain::default()).await
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
