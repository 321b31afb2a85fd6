//! The app's own handlers, and how its code is run.

use std::future::Future;
use std::rc::Rc;

use crate::error::Error;
use crate::http::{Request, Response};
use crate::object::context::Env;
use crate::turn::LocalFuture;
use crate::turn::user_code::{Guarded, Panic};

pub(super) struct AppRoute {
    pub(super) method: &'static str,
    pub(super) pattern: &'static str,
    pub(super) handler: AppHandler,
}

pub(super) type AppHandler =
    Rc<dyn Fn(Request, Env) -> LocalFuture<'static, Result<Response, Error>>>;

pub(super) fn erased<F, R>(handler: F) -> AppHandler
where
    F: Fn(Request, Env) -> R + 'static,
    R: Future<Output = Result<Response, Error>> + 'static,
{
    Rc::new(move |request, env| Box::pin(handler(request, env)))
}

/// Runs the future of a handler or a guard, and catches panics in its polls and its drop.
pub(super) async fn guarded<T>(begun: Result<LocalFuture<'static, T>, Panic>) -> Result<T, Panic> {
    Guarded::new(begun?).await
}

/// The panic's message is only in the log: a client must not see it.
pub(super) fn panicked() -> Response {
    Response::error(500, "panicked", "the app's code panicked")
}
