//! Stubs: typed remote controls of objects that live wherever the platform put them.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::call::Arguments;
use crate::caller::{awaited, waiting_turns};
use crate::context::Env;
use crate::descriptor::{Failed, Returned, decoded};
use crate::effects;
use crate::error::CallError;
use crate::fault::{Fault, expects_none};
use crate::http::{Request, Response};
use crate::id::{InvalidId, ObjectId, Placement, RawId};
use crate::limits;
use crate::object::DurableObject;
use crate::platform::{Namespace, Remote};
use crate::shard::shard_name;

/// What every generated stub can do besides its class's methods.
pub trait Stub: Clone + 'static {
    /// The class behind the stub.
    type Object: DurableObject;

    #[doc(hidden)]
    fn from_core(core: StubCore) -> Self;
    #[doc(hidden)]
    fn core(&self) -> &StubCore;

    /// The identifier of the object.
    ///
    /// # Errors
    /// The class is not bound in this deployment.
    fn id(&self) -> Result<ObjectId<Self::Object>, CallError> {
        self.core()
            .id()
            .map(ObjectId::new)
            .map_err(Fault::into_plain_call_error)
    }

    /// Sends a request to the object's routes; the path is the object's own, without a mount point.
    ///
    /// # Errors
    /// The object could not be reached. A status of 400 or more is not an error here.
    fn fetch(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, CallError>> + use<Self> {
        let answer = self.core().fetch(request);
        async move { answer.await.map_err(Fault::into_plain_call_error) }
    }
}

/// The untyped half of a stub.
#[derive(Clone)]
pub struct StubCore {
    remote: Result<Remote, Fault>,
}

impl StubCore {
    fn id(&self) -> Result<RawId, Fault> {
        self.remote.as_ref().map(Remote::id).map_err(Clone::clone)
    }

    fn send(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> impl Future<Output = Result<Vec<u8>, Fault>> + use<> {
        // The call is on its way before the future is first polled, as with a JavaScript stub; in an
        // atomic turn, when the turn has succeeded.
        let (chain, call) = waiting_turns();
        let answer = match (&self.remote, arguments.bytes) {
            (Err(fault), _) => Err(fault.clone()),
            (_, Err(message)) => Err(Fault::BadRequest(message)),
            (Ok(remote), Ok(bytes)) => limits::check_call(&bytes).map(|()| {
                let remote = remote.clone();
                effects::begin(move || remote.call(method, bytes, &chain))
            }),
        };
        awaited(call, async move { answer?.await })
    }

    /// Calls a method that has no errors of its own.
    pub fn call<T>(
        &self,
        returned: &Returned<T>,
        method: &'static str,
        arguments: Arguments,
    ) -> impl Future<Output = Result<T, CallError>> + use<T> {
        decoded(
            self.send(method, arguments),
            returned.decode(),
            expects_none,
        )
    }

    /// Calls a method that returns a `Result`.
    pub fn call_fallible<T, E, const IS_RESULT: bool>(
        &self,
        returned: &Returned<T>,
        failed: &Failed<E, IS_RESULT>,
        method: &'static str,
        arguments: Arguments,
    ) -> impl Future<Output = Result<T, CallError<E>>> + use<T, E, IS_RESULT> {
        decoded(
            self.send(method, arguments),
            returned.decode(),
            failed.decode(),
        )
    }

    pub(crate) fn fetch(
        &self,
        mut request: Request,
    ) -> impl Future<Output = Result<Response, Fault>> + use<> {
        let (chain, call) = waiting_turns();
        let answer = match (&self.remote, request.check()) {
            (Err(fault), _) => Err(fault.clone()),
            (_, Err(fault)) => Err(fault),
            (Ok(remote), Ok(())) => {
                let remote = remote.clone();
                Ok(effects::begin(move || remote.fetch(request, &chain)))
            }
        };
        awaited(call, async move {
            let response = answer?.await?;
            #[cfg(target_arch = "wasm32")]
            let response = response.gathered().await?;
            Ok(response)
        })
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref().ok()
    }
}

impl fmt::Debug for StubCore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Ok(id) => write!(formatter, "{id}"),
            Err(_) => formatter.write_str("(not bound)"),
        }
    }
}

/// The objects of one class: a typed namespace.
///
/// ```
/// # use anchorhold::prelude::*;
/// # async fn example<Counter: DurableObject>(env: Env) -> Result<(), Box<dyn std::error::Error>> {
/// let by_name = env.objects::<Counter>().named("user-123");
/// let fresh = env.objects::<Counter>().unique();
/// let again = env.objects::<Counter>().id(&fresh.id()?);
/// # let _ = (by_name, again); Ok(())
/// # }
/// ```
///
/// Names can be guessed, so authorise every call; unique ids hold 128 random bits and suit links.
pub struct Objects<T> {
    namespace: Result<Rc<Namespace>, Fault>,
    placement: Placement,
    class: PhantomData<fn() -> T>,
}

impl<T: DurableObject> Objects<T> {
    pub(crate) fn new(env: &Env) -> Self {
        Self {
            namespace: env.inner.namespace(T::__description()).map(Rc::new),
            placement: Placement::default(),
            class: PhantomData,
        }
    }

    /// The object of this name; the same name is always the same object.
    #[must_use]
    pub fn named(&self, name: &str) -> T::Stub {
        self.stub(|namespace| namespace.by_name(name, &self.placement))
    }

    /// The object that `key` belongs to, out of `shards` objects: the one that
    /// [`App::mount_sharded`](crate::App::mount_sharded) leads to. Short for
    /// `named(&shard_name(key, shards))`; see [`shard_name`](crate::shard_name).
    #[must_use]
    pub fn sharded(&self, key: &str, shards: u32) -> T::Stub {
        self.named(&shard_name(key, shards))
    }

    /// The object of this identifier.
    #[must_use]
    pub fn id(&self, id: &ObjectId<T>) -> T::Stub {
        let raw = id.raw;
        self.stub(|namespace| namespace.by_id(raw, &self.placement))
    }

    /// An object that nobody has had before. Nothing is stored until it writes.
    #[must_use]
    pub fn unique(&self) -> T::Stub {
        self.stub(|namespace| namespace.by_id(namespace.unique_id(), &self.placement))
    }

    /// Reads an identifier that was printed before.
    ///
    /// # Errors
    /// Not 64 hexadecimal digits, or not made for this class, or the class or jurisdiction is not
    /// there.
    pub fn parse_id(&self, hex: &str) -> Result<ObjectId<T>, InvalidId> {
        match &self.namespace {
            Ok(namespace) => namespace.parse_id(hex).map(ObjectId::new),
            Err(Fault::Configuration(message)) => Err(InvalidId::Unavailable(message.clone())),
            Err(fault) => Err(InvalidId::Unavailable(fault.summary().2)),
        }
    }

    /// Asks for new objects to live near a region, such as `"weur"`. Takes effect on Cloudflare only,
    /// at an object's first use.
    #[must_use]
    pub fn location_hint(mut self, region: impl Into<String>) -> Self {
        self.placement.location_hint = Some(region.into());
        self
    }

    /// The objects inside a jurisdiction, such as `"eu"`: a namespace of its own, whose names and
    /// identifiers lead to other objects than those outside. An identifier of the one is refused by
    /// the other. Local hosts have no jurisdictions: calls fail with [`CallError::Configuration`]
    /// there, and no identifier is read.
    #[must_use]
    pub fn jurisdiction(mut self, jurisdiction: impl Into<String>) -> Self {
        let jurisdiction = jurisdiction.into();
        self.namespace = self
            .namespace
            .and_then(|namespace| namespace.within(&jurisdiction))
            .map(Rc::new);
        self
    }

    fn stub(&self, remote: impl FnOnce(&Namespace) -> Remote) -> T::Stub {
        let remote = match &self.namespace {
            Ok(namespace) => Ok(remote(namespace)),
            Err(fault) => Err(fault.clone()),
        };
        T::Stub::from_core(StubCore { remote })
    }
}

impl<T> Clone for Objects<T> {
    fn clone(&self) -> Self {
        Self {
            namespace: self.namespace.clone(),
            placement: self.placement.clone(),
            class: PhantomData,
        }
    }
}

impl<T: DurableObject> fmt::Debug for Objects<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Objects<{}>", T::CLASS)
    }
}
