//! What values must be able to do.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What travels in calls and alarm payloads.
pub trait Carried: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Carried for T {}

/// What a route binds an argument to.
pub trait Argument: DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + 'static> Argument for T {}
