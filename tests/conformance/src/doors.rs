//! How the app reaches an object: paths, headers, calls without a waiting caller.

use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// A whole query string.
#[derive(Serialize, Deserialize)]
pub struct Filter {
    page: u32,
    author: Option<String>,
}

/// Reports how it was reached.
#[durable_object]
pub struct DoorProbe {
    marks: u32,
    failures: Vec<String>,
}

#[durable_object]
impl DoorProbe {
    #[get("/page/{page}")]
    fn page(&self, page: String) -> String {
        page
    }

    #[get("/seen")]
    async fn seen(&self, request: Request) -> Response {
        let user = request.header("x-user").unwrap_or_default();
        Response::text(200, format!("{} {user}", request.path()))
    }

    #[get("/address")]
    async fn address(&self, request: Request) -> String {
        shown_address(&request)
    }

    #[get("/answer")]
    async fn answer(&self, request: Request) -> Response {
        let value = request.query_value("value").unwrap_or_default();
        Response::text(200, "answered").with_header("x-value", &value)
    }

    #[rpc]
    #[get("/search/{kind}")]
    #[post("/search/{kind}")]
    fn search(&self, kind: String, #[query] filter: Filter) -> (String, Filter) {
        (kind, filter)
    }

    #[post("/filter")]
    fn filter(&self, #[body] filter: Filter) -> Filter {
        filter
    }

    #[post("/filter-by-name")]
    fn filter_by_name(&self, filter: Filter, others: Vec<Filter>) -> (Filter, usize) {
        (filter, others.len())
    }

    #[get("/search-by-rpc")]
    async fn search_by_rpc(
        &self,
        ctx: &Ctx,
        #[query] filter: Filter,
    ) -> Result<(String, Filter), Error> {
        let other = ctx.objects::<Self>().named("searched");
        Ok(other.search("called".to_owned(), filter).await?)
    }

    #[rpc]
    fn mark(&mut self) -> u32 {
        self.marks += 1;
        self.marks
    }

    #[rpc]
    fn failed(&mut self, failure: String) {
        self.failures.push(failure);
    }

    #[get("/marks")]
    fn marks(&self) -> (u32, Vec<String>) {
        (self.marks, self.failures.clone())
    }

    #[rpc]
    async fn mark_other(&self, ctx: &Ctx, other: String) -> Result<u32, Error> {
        Ok(ctx.objects::<Self>().named(&other).mark().await?)
    }

    /// Makes another object call back while this turn continues, without waiting for it.
    #[post("/work-beside")]
    async fn work_beside(&mut self, ctx: &Ctx, other: String) {
        let own = ctx.name().unwrap_or_default();
        let other = ctx.objects::<Self>().named(&other);
        let me = ctx.objects::<Self>().named(&own);
        ctx.wait_until(async move {
            if let Err(error) = other.mark_other(own).await {
                let _ = me.failed(error.to_string()).await;
            }
        });
        ctx.sleep(Duration::from_millis(500)).await;
        self.marks += 10;
    }
}

/// Sends on a request with a header that the caller chooses, as a guard would.
pub(crate) async fn with_header(request: Request, env: Env) -> Result<Response, Error> {
    let value = request.query_value("value").unwrap_or_default();
    let request = Request::new("GET", "/seen")
        .with_header("x-user", "claimed")
        .with_header("x-user", &value);
    Ok(env
        .objects::<DoorProbe>()
        .named("headers")
        .fetch(request)
        .await?)
}

/// Sends a request to an object, with a path that the caller chooses.
pub(crate) async fn with_path(request: Request, env: Env) -> Result<Response, Error> {
    let path = request.query_value("path").unwrap_or_default();
    let request = Request::new("GET", &path);
    Ok(env
        .objects::<DoorProbe>()
        .named("paths")
        .fetch(request)
        .await?)
}

/// Reports the client's address.
pub(crate) async fn address(request: Request, _: Env) -> Result<Response, Error> {
    Response::json(200, &shown_address(&request))
}

fn shown_address(request: &Request) -> String {
    let address = request.client_address();
    address.map_or_else(|| "none".to_owned(), |address| address.to_string())
}

/// Reports the method and the path's parameter.
pub(crate) async fn deleted(request: Request, _: Env) -> Result<Response, Error> {
    let name = request.path_value("name").unwrap_or_default();
    Ok(Response::text(200, format!("{} {name}", request.method())))
}

/// Answers what has no route, mount or asset.
pub(crate) async fn fallback(request: Request, _: Env) -> Result<Response, Error> {
    let message = format!("{} {} is nowhere", request.method(), request.path());
    Err(Error::not_found(message))
}
