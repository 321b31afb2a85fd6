//! What generated code names. Not an interface: it changes with the macros, which are pinned to
//! this crate's exact version.

pub use crate::call::{Arguments, Call, Outcome, Reply, object_mut, object_ref};
pub use crate::context::Ctx;
pub use crate::description::{
    AlarmMethod, BodyUse, Description, Handler, Method, QueryArgument, QueryMisfit, Recurrence,
    Route, RouteKind, Run, SocketHandlers, TextArgument,
};
pub use crate::descriptor::{
    Argument, Carried, DefaultField, Failed, Field, Parameter, Payload, Returned, StatedField,
};
pub use crate::fault::Fault;
pub use crate::fields::{
    FieldStore, MemoryDefault, StoredField, assert_memory_default, assert_stored,
};
pub use crate::object::{
    Object, RefusedAsGeneric, StoredFields, assert_durable_object, assert_refused_as_generic,
    load_object,
};
pub use crate::recognition::*;
pub use crate::schedule::{cancel, next_run, scheduling};
pub use crate::stub::StubCore;

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
