//! Why the host did not start.

use std::io;
use std::path::Path;

/// Why the host did not start, for the operator.
pub struct Failure(pub String);

impl Failure {
    pub fn io<'a>(doing: &'a str, path: &'a Path) -> impl Fn(io::Error) -> Self + 'a {
        move |error| Self(format!("{doing} {}: {error}", path.display()))
    }
}
