//! The seam's types on the native hosts. `platform/mod.rs` has their contract.

mod accept;
pub(super) mod carried;
pub(super) mod incoming;
pub(super) mod raw_response;
pub(super) mod remote;
pub(super) mod request;
pub(super) mod socket;
pub(super) mod state;
pub(super) mod upgrade;
