//! The traits of Durable Objects and of their stubs.

pub(crate) mod arguments;
pub(crate) mod class;
pub(crate) mod context;
pub(crate) mod id;
pub(crate) mod namespace;
pub(crate) mod pending_call;
pub(crate) mod stub;

use std::future::Future;

use crate::engine::table::Description;
use crate::error::CallError;
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::storage::fields::StoredFields;
use id::ObjectId;
use stub::StubCore;

/// A class of Durable Objects. `#[durable_object]` on the struct and on its impl block implements
/// it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `#[durable_object] impl` block",
    label = "its methods are missing",
    note = "a Durable Object is a struct and an impl block, both with the attribute and both under the same conditions:\n#[durable_object]\nimpl {Self} {{ … }}"
)]
pub trait DurableObject: StoredFields + 'static {
    /// The name of the class. On Cloudflare it is the name of the exported JavaScript class.
    const CLASS: &'static str;

    /// The typed stub for calling an object of this class.
    type Stub: Stub<Object = Self>;

    #[doc(hidden)]
    fn __description() -> &'static Description;
}

/// Implemented for structs that `#[durable_object]` has refused as generic, so that their impl
/// blocks do not report it again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as a Durable Object",
    label = "the struct needs `#[durable_object]`, and cannot be generic",
    note = "put `#[durable_object]` on the struct too, and name the types instead of the parameters"
)]
pub trait RefusedAsGeneric {}

/// Does not compile for a struct without the attribute.
pub const fn assert_refused_as_generic<T: ?Sized + RefusedAsGeneric>() {}

/// Fails to compile, with the message of the trait, for a struct without an annotated impl block.
pub fn assert_durable_object<T: DurableObject>() {}

/// The methods that every generated stub has in addition to those of its class.
pub trait Stub: Clone + 'static {
    /// The class behind the stub.
    type Object: DurableObject;

    #[doc(hidden)]
    fn from_core(core: StubCore) -> Self;
    #[doc(hidden)]
    fn core(&self) -> &StubCore;

    /// Returns the identifier of the object.
    ///
    /// # Errors
    /// The class is not bound in this deployment.
    fn id(&self) -> Result<ObjectId<Self::Object>, CallError> {
        self.core()
            .id()
            .map(ObjectId::new)
            .map_err(Fault::into_plain_call_error)
    }

    /// Sends a request to the object's routes, and reads the whole response. The path is the
    /// object's own, without a mount point.
    ///
    /// # Errors
    /// The object could not be reached, or a streaming body broke off or has more than 32 MiB. A
    /// status of 400 or more is not an error here.
    fn fetch(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, CallError>> + use<Self> {
        let answer = self.core().fetch(request);
        async move { answer.await.map_err(Fault::into_plain_call_error) }
    }

    /// Like [`fetch`](Self::fetch), but does not read the body. Return the response to pass it on
    /// while it arrives, or read it with [`Response::into_stream`].
    ///
    /// # Errors
    /// The object could not be reached.
    fn fetch_stream(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, CallError>> + use<Self> {
        let answer = self.core().fetch_stream(request);
        async move { answer.await.map_err(Fault::into_plain_call_error) }
    }
}
