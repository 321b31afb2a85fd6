//! Calls from objects and the app to objects.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::super::executor::slot::{Executor, Life};
use super::super::executor::work::{Delivery, Output, ReplyTo, Task};
use super::super::ids::IdKey;
use super::request::MAX_BODY;
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::limits::body_too_large;
use crate::object::class::Class;
use crate::object::id::{InvalidId, Placement, RawId};
use crate::turn::LocalFuture;
use crate::turn::chain::CallChain;

/// The deployment, as one caller sees it.
#[derive(Clone)]
pub(crate) struct Env {
    executor: Rc<dyn Executor>,
    /// The calling object. Its calls pass its output gate.
    caller: Option<Rc<Life>>,
}

impl Env {
    pub(in super::super) fn ungated(executor: Rc<impl Executor + 'static>) -> Self {
        Self {
            executor,
            caller: None,
        }
    }

    pub(super) fn gated(caller: Rc<Life>) -> Self {
        Self {
            executor: Rc::clone(&caller.slot.executor),
            caller: Some(caller),
        }
    }

    pub(crate) fn namespace(&self, class: &'static Class) -> Result<Namespace, Fault> {
        let key = self.executor.id_key(class)?;
        Ok(Namespace {
            env: self.clone(),
            class,
            key,
        })
    }

    pub(crate) fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    pub(crate) fn now(&self) -> i64 {
        self.executor.clock().now()
    }

    /// Sends a request to the outside world. An object's request is sent when the writes before it
    /// are on disk (P6).
    pub(crate) fn fetch(&self, request: Request) -> LocalFuture<'static, Result<Response, Fault>> {
        let executor = Rc::clone(&self.executor);
        let written = self.caller.as_ref().map(|life| life.sync());
        Box::pin(async move {
            if let Some(written) = written {
                written.await.map_err(Fault::Storage)?;
            }
            // A request that is passed on is sent when it has arrived.
            let mut request = request;
            if let Some(mut incoming) = request.inner.take_incoming() {
                let body = incoming.gather(MAX_BODY).await?;
                request = request.with_body(body.ok_or_else(|| body_too_large(None, MAX_BODY))?);
            }
            executor.fetch(request).await
        })
    }

    pub(crate) fn sleep(&self, duration: Duration) -> LocalFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The objects of one class.
pub(crate) struct Namespace {
    env: Env,
    class: &'static Class,
    key: Rc<IdKey>,
}

impl Namespace {
    #[expect(
        clippy::unused_self,
        reason = "the other host's namespaces have jurisdictions"
    )]
    pub(crate) fn within(&self, _jurisdiction: &str) -> Result<Self, Fault> {
        Err(Fault::Configuration(
            "jurisdictions exist on Cloudflare only".to_owned(),
        ))
    }

    pub(crate) fn unique_id(&self) -> RawId {
        self.key.unique(self.env.executor.random().bytes())
    }

    pub(crate) fn parse_id(&self, hex: &str) -> Result<RawId, InvalidId> {
        self.key.parse(hex)
    }

    pub(crate) fn by_name(&self, name: &str, _: &Placement) -> Remote {
        self.remote(self.key.for_name(name), Some(Arc::from(name)))
    }

    pub(crate) fn by_id(&self, id: RawId, _: &Placement) -> Remote {
        let mut remote = self.remote(id, None);
        // Identifiers can be stored, and storage can be moved between folders.
        if !self.key.is_own(id) {
            remote.refused = Some(Fault::NotFound(InvalidId::Foreign.to_string()));
        }
        remote
    }

    fn remote(&self, id: RawId, name: Option<Arc<str>>) -> Remote {
        Remote {
            env: self.env.clone(),
            class: self.class,
            id,
            name,
            refused: None,
        }
    }
}

/// One object, on any shard.
#[derive(Clone)]
pub(crate) struct Remote {
    env: Env,
    class: &'static Class,
    id: RawId,
    name: Option<Arc<str>>,
    refused: Option<Fault>,
}

impl Remote {
    pub(crate) fn id(&self) -> RawId {
        self.id
    }

    pub(crate) fn call(
        &self,
        method: &'static str,
        arguments: Vec<u8>,
        chain: &CallChain,
    ) -> LocalFuture<'static, Result<Vec<u8>, Fault>> {
        let chain = chain.clone();
        self.send(|reply| Task::Call {
            method,
            arguments,
            chain,
            reply,
        })
    }

    pub(crate) fn fetch(
        &self,
        request: Request,
        chain: &CallChain,
    ) -> LocalFuture<'static, Result<Response, Fault>> {
        let chain = chain.clone();
        let answer = self.send(|reply| Task::Fetch {
            request: Box::new(request),
            chain,
            reply,
        });
        Box::pin(async move { answer.await.map(Response::from) })
    }

    /// The task is sent when this returns, so tasks keep their order (P68).
    fn send<T: 'static>(
        &self,
        task: impl FnOnce(ReplyTo<T>) -> Task,
    ) -> LocalFuture<'static, Result<T, Fault>> {
        if let Some(fault) = &self.refused {
            return Box::pin(std::future::ready(Err(fault.clone())));
        }
        let (reply, answer) = ReplyTo::new(self.env.executor.next_call());
        let delivery = Delivery {
            class: self.class,
            id: self.id,
            name: self.name.clone(),
            task: task(reply),
        };
        match &self.env.caller {
            None => Rc::clone(&self.env.executor).deliver(delivery),
            Some(caller) => caller.emit(Output::Delivery(Box::new(delivery))),
        }
        Box::pin(async move {
            match answer.await {
                Ok(answered) => answered.result,
                Err(_) => Err(Fault::Disconnected("the host went away".to_owned())),
            }
        })
    }
}
