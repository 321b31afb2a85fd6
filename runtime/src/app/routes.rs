//! The app's own handlers.

use std::future::Future;

use super::App;
use super::handler::{AppRoute, erased};
use crate::error::Error;
use crate::http::{Request, Response, path};
use crate::object::context::Env;

impl App {
    /// Handles GET requests of a path with a function. [`Request::path_value`] reads the
    /// `{parameters}` of the path. If several patterns match a path, the most specific one counts,
    /// as with an object's routes. HEAD is answered like GET, without the body, and OPTIONS with
    /// the methods of the path.
    #[must_use]
    pub fn get<F, R>(self, pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        self.route("GET", pattern, handler)
    }

    /// Handles POST requests of a path; see [`get`](Self::get).
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # fn example<Counter: DurableObject>() -> App {
    /// App::new().object::<Counter>().post("/echo", async |mut request, _| {
    ///     Ok(Response::bytes(200, "text/plain", request.bytes().await?))
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn post<F, R>(self, pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        self.route("POST", pattern, handler)
    }

    /// Handles PUT requests of a path; see [`get`](Self::get).
    #[must_use]
    pub fn put<F, R>(self, pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        self.route("PUT", pattern, handler)
    }

    /// Handles PATCH requests of a path; see [`get`](Self::get).
    #[must_use]
    pub fn patch<F, R>(self, pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        self.route("PATCH", pattern, handler)
    }

    /// Handles DELETE requests of a path; see [`get`](Self::get).
    #[must_use]
    pub fn delete<F, R>(self, pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        self.route("DELETE", pattern, handler)
    }

    /// Handles requests of a path with any method, such as `"PROPFIND"`. A handler of `"HEAD"` or
    /// `"OPTIONS"` replaces the answers that the framework gives by itself.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # fn app() -> App {
    /// App::new().route("REPORT", "/files/{name}", async |request: Request, _| {
    ///     Ok(Response::text(200, request.path_value("name").unwrap_or_default()))
    /// })
    /// # }
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn route<F, R>(mut self, method: &'static str, pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        let is_method = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
        if method.is_empty() || !method.bytes().all(is_method) {
            self.mistakes.push(format!(
                "route({method:?}, {pattern:?}): a method consists of upper-case letters and `-`, for example \"PROPFIND\""
            ));
        }
        if self
            .routes
            .iter()
            .any(|route| route.method == method && path::have_one_shape(route.pattern, pattern))
        {
            self.mistakes.push(format!(
                "two handlers answer {method} {pattern:?}: the second is never reached"
            ));
        }
        self.routes.push(AppRoute {
            method,
            pattern,
            handler: erased(handler),
        });
        self
    }

    /// Handles requests of all methods whose path has no route, mount or asset. Without it they are
    /// answered with 404.
    ///
    /// On Cloudflare an asset that does not exist reaches it only if the Wrangler configuration's
    /// `assets` has the binding `ASSETS` and no `not_found_handling`.
    #[must_use]
    pub fn fallback<F, R>(mut self, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        if self.fallback.replace(erased(handler)).is_some() {
            self.mistakes
                .push("an app can have only one fallback".to_owned());
        }
        self
    }
}
