//! The bounds of values.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Values in calls and alarm payloads.
pub trait Carried: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Carried for T {}

/// Values to which a route binds an argument.
pub trait Argument: DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + 'static> Argument for T {}
