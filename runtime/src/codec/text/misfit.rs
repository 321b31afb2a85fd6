//! The reason why a type cannot be read from a query string.

/// The reason why a type cannot be read from a query string.
#[allow(missing_docs, reason = "the vocabulary of generated code")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryMisfit {
    /// It has no fields: it is "a list" or "one value", for example.
    Whole(&'static str),
    /// One of its fields needs more than one text.
    Field(&'static str, &'static str),
}

impl QueryMisfit {
    pub(crate) fn of(self, argument: &str) -> String {
        match self {
            Self::Whole(shape) => format!(
                "`#[query] {argument}` is {shape}, but a query string is decoded into a struct"
            ),
            Self::Field(field, shape) => format!(
                "`{field}` of `#[query] {argument}` is {shape}, but a query string carries one text for each name; use `#[post]`"
            ),
        }
    }
}
