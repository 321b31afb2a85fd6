//! What generated code names. Not an interface: it changes with the macros, which are pinned to
//! this crate's exact version.

/// The crate, found where this module is.
pub use crate as anchorhold;
pub use crate::app::{IsApp, assert_app};
pub use crate::arguments::Arguments;
pub use crate::bounds::{Argument, Carried};
pub use crate::call::{Call, Outcome, Reply, object_mut, object_ref};
pub use crate::class::{Alarm, Class, Recurrence};
pub use crate::context::Ctx;
pub use crate::description::{
    BodyUse, Description, Handler, Method, QueryArgument, Route, RouteKind, Run, SocketHandlers,
    TextArgument,
};
pub use crate::descriptor::{
    DefaultField, Failed, Field, Parameter, Payload, Returned, StatedField,
};
pub use crate::fault::Fault;
pub use crate::fields::{
    FieldStore, MemoryDefault, Object, StoredField, StoredFields, assert_memory_default,
    assert_stored, load_object,
};
pub use crate::object::{RefusedAsGeneric, assert_durable_object, assert_refused_as_generic};
pub use crate::recognition::*;
pub use crate::schedule::{cancel, next_run, scheduling};
pub use crate::stub::StubCore;
pub use crate::text::QueryMisfit;

/// From the standard library, which a `no_std` crate cannot name by itself.
pub mod std {
    pub use ::std::boxed::Box;
    pub use ::std::prelude::v1 as prelude;
    pub use ::std::process::ExitCode;
    pub use ::std::string::String;
    pub use ::std::vec::Vec;
}

/// The future of a handler.
pub type LocalFuture<'a> = crate::turn::LocalFuture<'a, Outcome>;

#[cfg(not(target_arch = "wasm32"))]
pub use crate::platform::native::{Runs, report_test, run_test};
#[cfg(target_arch = "wasm32")]
pub use crate::platform::worker::{
    Exported, ExportedApp, ObjectClass, extend_durable_object, wasm_bindgen, worker_fetch,
};
