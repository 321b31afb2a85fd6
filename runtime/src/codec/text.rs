//! Parses values from the plain text of a path segment or a query parameter.

mod misfit;
mod plain;
mod query;
mod shape;
mod wrappers;

pub use misfit::QueryMisfit;
pub(crate) use plain::decode;
pub(crate) use query::decode as decode_query;
pub(crate) use shape::{misfit, query_misfit};
