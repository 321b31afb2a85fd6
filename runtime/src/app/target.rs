//! The object that a path leads to.

use std::borrow::Cow;

use super::sharding::shard_name;
use crate::engine::table::Description;
use crate::error::fault::Fault;
use crate::http::path;
use crate::limits::MAX_NAME;
use crate::object::context::Env;
use crate::object::id::Placement;
use crate::platform::Remote;

/// How the parameter at the end of a mount selects the object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    Name,
    Id,
    /// One of this many objects. The parameter stays in the object's own path.
    Shard(u32),
}

/// The object that a path leads to.
pub(crate) struct Target<'a> {
    pub(crate) description: &'static Description,
    pub(crate) by: Address,
    pub(crate) name: String,
    /// The object's own path.
    pub(crate) path: &'a str,
}

impl Target<'_> {
    /// Returns the object's own path for a name that a guard may have changed.
    pub(super) fn path_for(&self, name: &str) -> Cow<'_, str> {
        match self.by {
            Address::Shard(_) if name != self.name => {
                Cow::Owned(path::with_first_segment(self.path, name))
            }
            _ => Cow::Borrowed(self.path),
        }
    }

    /// Returns the object with a name, which a guard may have changed. Checks the length of a name
    /// and the origin of an identifier.
    pub(crate) fn remote(&self, env: &Env, name: &str) -> Result<Remote, Fault> {
        let namespace = env.inner.namespace(&self.description.class)?;
        let placement = Placement::default();
        match self.by {
            Address::Id => {
                let id = namespace
                    .parse_id(name)
                    .map_err(|error| Fault::NotFound(format!("no such object: {error}")))?;
                Ok(namespace.by_id(id, &placement))
            }
            Address::Name if name.len() > MAX_NAME => Err(Fault::BadRequest(format!(
                "a name of {} bytes is over the limit of {MAX_NAME}",
                name.len()
            ))),
            Address::Name => Ok(namespace.by_name(name, &placement)),
            Address::Shard(shards) => Ok(namespace.by_name(&shard_name(name, shards), &placement)),
        }
    }
}
