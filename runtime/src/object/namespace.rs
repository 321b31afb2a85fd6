//! The objects of one class, by name and by identifier.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use super::context::{Ctx, Env};
use super::id::{InvalidId, ObjectId, Placement};
use super::stub::StubCore;
use crate::app::sharding::shard_name;
use crate::error::fault::Fault;
use crate::object::{DurableObject, Stub};
use crate::platform::{self, Remote};

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
/// Names can be guessed, so authorise every call. Unique ids contain 128 random bits and are
/// suitable for links.
pub struct Namespace<T> {
    namespace: Result<Rc<platform::Namespace>, Fault>,
    placement: Placement,
    class: PhantomData<fn() -> T>,
}

impl<T: DurableObject> Namespace<T> {
    pub(crate) fn new(env: &Env) -> Self {
        Self {
            namespace: env.inner.namespace(&T::__description().class).map(Rc::new),
            placement: Placement::default(),
            class: PhantomData,
        }
    }

    /// Returns a stub for the object with this name. The same name always refers to the same
    /// object.
    #[must_use]
    pub fn named(&self, name: &str) -> T::Stub {
        self.stub(|namespace| namespace.by_name(name, &self.placement))
    }

    /// Returns a stub for the object that holds `key`, out of `shards` objects.
    /// [`App::mount_sharded`](crate::App::mount_sharded) leads to the same object. Short for
    /// `named(&shard_name(key, shards))`; see [`shard_name`](crate::shard_name).
    #[must_use]
    pub fn sharded(&self, key: &str, shards: u32) -> T::Stub {
        self.named(&shard_name(key, shards))
    }

    /// Returns a stub for the object with this identifier.
    #[must_use]
    pub fn id(&self, id: &ObjectId<T>) -> T::Stub {
        let raw = id.raw;
        self.stub(|namespace| namespace.by_id(raw, &self.placement))
    }

    /// Returns a stub for a new object with a random id. Nothing is stored until the object writes.
    #[must_use]
    pub fn unique(&self) -> T::Stub {
        self.stub(|namespace| namespace.by_id(namespace.unique_id(), &self.placement))
    }

    /// Parses an identifier in its printed form.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// fn stub<Counter: DurableObject>(env: &Env, hex: &str) -> Result<Counter::Stub, Error> {
    ///     let counters = env.objects::<Counter>();
    ///     let id = counters
    ///         .parse_id(hex)
    ///         .map_err(|error| Error::not_found(error.to_string()))?;
    ///     Ok(counters.id(&id))
    /// }
    /// ```
    ///
    /// # Errors
    /// The text is not 64 hexadecimal digits, or the identifier was not made for this class. The
    /// class is not bound, or this host has no jurisdictions.
    pub fn parse_id(&self, hex: &str) -> Result<ObjectId<T>, InvalidId> {
        match &self.namespace {
            Ok(namespace) => namespace.parse_id(hex).map(ObjectId::new),
            Err(Fault::Configuration(message)) => Err(InvalidId::Unavailable(message.clone())),
            Err(fault) => Err(InvalidId::Unavailable(fault.summary().2)),
        }
    }

    /// Requests that new objects are placed near a region, such as `"weur"`. Takes effect only on
    /// Cloudflare, at an object's first use.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # fn example<Counter: DurableObject>(env: Env) -> Counter::Stub {
    /// env.objects::<Counter>().location_hint("weur").named("visits")
    /// # }
    /// ```
    #[must_use]
    pub fn location_hint(mut self, region: impl Into<String>) -> Self {
        self.placement.location_hint = Some(region.into());
        self
    }

    /// Returns the objects inside a jurisdiction, such as `"eu"`. A jurisdiction is a separate
    /// namespace: the same names refer to other objects there, and identifiers are valid only on
    /// their own side.
    ///
    /// Local hosts have no jurisdictions: calls fail with
    /// [`CallError::Configuration`](crate::CallError::Configuration), and every identifier is
    /// refused.
    #[must_use]
    pub fn jurisdiction(mut self, jurisdiction: impl Into<String>) -> Self {
        let jurisdiction = jurisdiction.into();
        self.namespace = self
            .namespace
            .and_then(|namespace| namespace.within(&jurisdiction))
            .map(Rc::new);
        self
    }

    fn stub(&self, remote: impl FnOnce(&platform::Namespace) -> Remote) -> T::Stub {
        let remote = match &self.namespace {
            Ok(namespace) => Ok(remote(namespace)),
            Err(fault) => Err(fault.clone()),
        };
        T::Stub::from_core(StubCore::new(remote))
    }
}

impl<T> Clone for Namespace<T> {
    fn clone(&self) -> Self {
        Self {
            namespace: self.namespace.clone(),
            placement: self.placement.clone(),
            class: PhantomData,
        }
    }
}

impl<T: DurableObject> fmt::Debug for Namespace<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Namespace<{}>", T::CLASS)
    }
}

impl Ctx {
    /// Returns the object's identifier. `T` is the object's own class: `ctx.id::<Self>()`.
    #[must_use]
    pub fn id<T: DurableObject>(&self) -> ObjectId<T> {
        ObjectId::new(self.inner.state.id())
    }

    /// Returns the objects of another class, or of this one. Short for `ctx.env().objects()`.
    #[must_use]
    pub fn objects<T: DurableObject>(&self) -> Namespace<T> {
        self.env().objects()
    }
}

impl Env {
    /// Returns the objects of one class.
    #[must_use]
    pub fn objects<T: DurableObject>(&self) -> Namespace<T> {
        Namespace::new(self)
    }
}
