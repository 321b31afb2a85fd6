//! Requests to the world outside of the deployment.

use std::cell::RefCell;
use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::Semaphore;
use ureq::Agent;

use crate::fault::Fault;
use crate::http::{Body, Request, Response};
use crate::turn::LocalFuture;

/// Requests of one shard that are under way; more wait for their turn.
const MAX_FLIGHTS: usize = 64;
/// A response's body, in bytes: it is held in memory whole.
const MAX_RESPONSE: u64 = 32 * 1024 * 1024;
/// How long a request may take, its answer's body included.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What answers in the simulator.
pub(super) type Responder = Rc<dyn Fn(Request) -> LocalFuture<'static, Response>>;

/// The way out.
#[derive(Clone)]
pub(super) enum Outgoing {
    Network {
        agent: Agent,
        flights: Rc<Semaphore>,
    },
    Simulated(Rc<RefCell<Option<Responder>>>),
}

impl Outgoing {
    pub(super) fn network() -> Self {
        let configuration = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self::Network {
            agent: configuration.into(),
            flights: Rc::new(Semaphore::new(MAX_FLIGHTS)),
        }
    }

    pub(super) fn simulated() -> Self {
        Self::Simulated(Rc::default())
    }

    pub(super) fn answer_with(&self, responder: Responder) {
        if let Self::Simulated(answered_by) = self {
            answered_by.replace(Some(responder));
        }
    }

    pub(super) async fn fetch(self, request: Request) -> Result<Response, Fault> {
        match self {
            Self::Network { agent, flights } => {
                let request = request.inner.into_outgoing()?;
                // The semaphore is never closed.
                let _flight = flights.acquire().await;
                tokio::task::spawn_blocking(move || send(&agent, request))
                    .await
                    .unwrap_or_else(|error| Err(Fault::Disconnected(error.to_string())))
            }
            Self::Simulated(answered_by) => {
                request.inner.check_address()?;
                let responder = answered_by.borrow().clone().ok_or_else(|| {
                    Fault::Disconnected(
                        "the simulator has no network: say with sim.answer_outgoing(…) what answers"
                            .to_owned(),
                    )
                })?;
                Ok(responder(request).await)
            }
        }
    }
}

fn send(agent: &Agent, request: hyper::Request<Bytes>) -> Result<Response, Fault> {
    let (parts, body) = request.into_parts();
    let sent = if body.is_empty() {
        agent.run(hyper::Request::from_parts(parts, ()))
    } else {
        agent.run(hyper::Request::from_parts(parts, &body[..]))
    };
    let response = sent.map_err(|error| match error {
        ureq::Error::Timeout(_) => {
            Fault::TimedOut(format!("no answer within {} s", TIMEOUT.as_secs()))
        }
        error => Fault::Disconnected(error.to_string()),
    })?;
    let (parts, body) = response.into_parts();
    let mut bytes = Vec::new();
    body.into_reader()
        .take(MAX_RESPONSE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::Disconnected(format!("the answer broke off: {error}")))?;
    if bytes.len() as u64 > MAX_RESPONSE {
        return Err(Fault::TooLarge(format!(
            "the answer's body is over the limit of {MAX_RESPONSE} bytes"
        )));
    }
    let headers = parts.headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned().into(), value.to_owned().into()))
    });
    Ok(Response {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: Body::Bytes(bytes),
    })
}
