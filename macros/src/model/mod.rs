//! Raw → model: one object as declared, checked item by item.
//!
//! The model keeps the user's syntax nodes, so that every later error has a span.

mod alarm;
mod argument;
mod block;
mod field;
mod handler;
mod message;
mod misplaced;
mod object;
mod output;
mod role;
mod route;
mod shape;
mod types;

pub use alarm::Recurrence;
pub use argument::{Argument, ArgumentKind, Mark, PassBy, Whole};
pub use block::{ObjectImpl, names_generic_struct};
pub use field::{Durability, Field};
pub use handler::{Handler, Receiver};
pub use message::MessageFormat;
pub use object::Object;
pub use output::Output;
pub use role::{Event, Fit, Role};
pub use route::{HttpMethod, Route};
pub use shape::{is_refused_by_rustc, is_unsized};
pub use types::{
    Borrow, arguments_of, find_in_type, first_borrow, is_named, is_of_std, is_owned_by_name,
    is_plain_value, is_unit, last_segment, named_type, named_types, opaque_type, ungroup,
};
