//! The seam's types on Workers. `platform/mod.rs` has their contract.

pub(super) mod env;
pub(super) mod incoming;
pub(super) mod namespace;
pub(super) mod raw_response;
pub(super) mod remote;
pub(super) mod request;
pub(super) mod response;
pub(super) mod sink;
pub(super) mod socket;
pub(super) mod state;
