//! The Worker's entry: the app, which answers raw requests.

use std::cell::OnceCell;
use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::super::drive::promise::{self, Answer, answer_unowned};
use super::super::drive::timer::Context;
use super::super::js::bindings::{self, Fetcher};
use super::super::js::failure::fault_of;
use super::super::seam::env::Env;
use super::super::seam::request::Request;
use super::super::seam::response;
use super::super::seam::sink::Producer;
use crate::app::App;
use crate::app::dispatch::Destination;
use crate::error::fault::Fault;
use crate::object::context;

/// The binding of the static files, in the Wrangler configuration's `assets`.
const ASSETS: &str = "ASSETS";
const NOT_FOUND: u16 = 404;

/// The generated module that exports `fetch`. It learns the app through this trait, as [`Exported`]
/// classes learn their object.
///
/// [`Exported`]: super::super::Exported
pub trait ExportedApp {
    /// Builds the app.
    fn app() -> App;
}

thread_local! {
    static APP: OnceCell<Rc<App>> = const { OnceCell::new() };
}

fn the_app(make: fn() -> App) -> Rc<App> {
    APP.with(|app| {
        app.get_or_init(|| {
            let app = make();
            for mistake in app.mistakes() {
                tracing::error!("{mistake}");
            }
            Rc::new(app)
        })
        .clone()
    })
}

/// Answers a request to the Worker.
///
/// # Errors
/// Fails if the platform refuses to create the response.
pub fn worker_fetch(make: fn() -> App, request: JsValue, env: JsValue, _ctx: JsValue) -> Answer {
    promise::prepare();
    super::super::log::start();
    Context::new().enter();
    let env = Env::new(env);
    let raw: bindings::Request = request.clone().unchecked_into();
    let line = bindings::describe(&raw)?;
    let mut received = crate::http::Request::received(Request::received(raw.clone(), &line, None));
    if let Err(fault) = received.check() {
        return answer_fault(fault);
    }
    // Only if the app is already built, because building it runs the user's code: see
    // `answer_unowned`.
    let known = known_app();
    if let Some(app) = &known {
        match pass_on(app, &env, &received, &request) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(fault) => return answer_fault_across(app, &received, fault),
        }
    }
    let answered = raw.clone();
    answer_unowned(
        &raw,
        Box::pin(async move {
            let app = match known {
                Some(app) => app,
                None => {
                    let app = the_app(make);
                    if let [mistake, ..] = app.mistakes() {
                        return answer_fault(Fault::Configuration(mistake.clone()));
                    }
                    match pass_on(&app, &env, &received, &request) {
                        Ok(Some(answer)) => return JsFuture::from(Promise::from(answer)).await,
                        Ok(None) => {}
                        Err(fault) => return answer_fault_across(&app, &received, fault),
                    }
                    app
                }
            };
            match app.answer(received, context::Env::new(env.clone())).await {
                Ok(answer) => response::to_js(answer, &Producer::App(&answered)),
                Err(asked) => {
                    let reason = match asset(&env, &request) {
                        Ok(answer) => {
                            let answer = JsFuture::from(Promise::from(answer)).await?;
                            let status = answer.unchecked_ref::<bindings::Response>().status();
                            if status != NOT_FOUND {
                                return Ok(answer);
                            }
                            Fault::NotFound("no such file".to_owned())
                        }
                        Err(reason) => reason,
                    };
                    response::to_js(
                        app.answer_without_asset(*asked, reason).await,
                        &Producer::App(&answered),
                    )
                }
            }
        }),
    )
}

/// Returns the app, if a request has built it without a mistake.
fn known_app() -> Option<Rc<App>> {
    APP.with(|app| app.get().cloned())
        .filter(|app| app.mistakes().is_empty())
}

/// The fast path. The app only chooses the destination of the request and rewrites its path to the
/// object's own. Request and response otherwise remain the platform's, and the returned value is
/// the destination's promise.
fn pass_on(
    app: &App,
    env: &Env,
    received: &crate::http::Request,
    request: &JsValue,
) -> Result<Option<JsValue>, Fault> {
    app.cross_origin.check(received)?;
    match app.destination(&received.method(), &received.path()) {
        Destination::Asset if app.fallback.is_none() => asset(env, request).map(Some),
        Destination::Object(target) if app.guards.is_empty() => {
            let env = context::Env::new(env.clone());
            let remote = target.remote(&env, &target.name)?;
            let url = received.inner.url_with_path(target.path);
            let answer = remote.forward(&url, request)?;
            let headers = app.cross_origin.headers(received);
            response::with_cross_origin_headers(answer, &headers).map(Some)
        }
        _ => Ok(None),
    }
}

fn asset(env: &Env, request: &JsValue) -> Result<JsValue, Fault> {
    let assets = env.binding(ASSETS).ok_or_else(|| {
        Fault::NotFound(format!(
            "no such file: the Wrangler configuration's `assets` has no binding `{ASSETS}`"
        ))
    })?;
    let answer = assets
        .unchecked_into::<Fetcher>()
        .fetch(request)
        .map_err(|error| fault_of(&error))?;
    response::with_failures_answered(&answer)
}

/// Answers with a fault that pages of the allowed origins can read.
fn answer_fault_across(app: &App, received: &crate::http::Request, fault: Fault) -> Answer {
    let headers = app.cross_origin.headers(received);
    response::whole_to_js(&fault.into_response().with_cross_origin_headers(headers))
}

fn answer_fault(fault: Fault) -> Answer {
    response::whole_to_js(&fault.into_response())
}
