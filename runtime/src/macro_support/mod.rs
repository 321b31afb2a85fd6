//! The items that generated code refers to. It is not a public API: it changes with the macros,
//! which are pinned to this crate's exact version.

pub(crate) mod bounds;
mod recognition;
pub(crate) mod values;

/// The crate, found where this module is.
pub use crate as anchorhold;
pub use crate::app::{IsApp, assert_app};
pub use crate::codec::text::QueryMisfit;
pub use crate::engine::input::{Input, Outcome, Reply, object_mut, object_ref};
pub use crate::engine::table::{
    BodyUse, Description, Handler, Method, QueryArgument, Route, RouteKind, Run, SocketHandlers,
    TextArgument,
};
pub use crate::error::fault::Fault;
pub use crate::object::arguments::Arguments;
pub use crate::object::class::{Alarm, Class, Recurrence};
pub use crate::object::context::Ctx;
pub use crate::object::stub::StubCore;
pub use crate::object::{RefusedAsGeneric, assert_durable_object, assert_refused_as_generic};
pub use crate::schedule::{cancel, next_run, scheduling};
pub use crate::storage::fields::{
    FieldStore, MemoryDefault, Object, StoredField, StoredFields, assert_memory_default,
    assert_stored, load_object,
};
pub use bounds::{Argument, Carried};
pub use recognition::*;
pub use values::{DefaultField, Failed, Field, Parameter, Payload, Returned, StatedField};

/// Items of the standard library, which a `no_std` crate cannot name.
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
