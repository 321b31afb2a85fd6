//! The reason why a type cannot be read from a query string.

/// The reason why a type cannot be read from a query string.
#[allow(missing_docs, reason = "the vocabulary of generated code")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryMisfit {
    /// It has no fields: it is "a list" or "one value", for example.
    Whole(&'static str),
    /// One of its fields is neither a text nor a list of texts.
    Field(&'static str, &'static str),
}

impl QueryMisfit {
    pub(crate) fn of(self, argument: &str) -> String {
        match self {
            Self::Whole(shape) => format!(
                "`#[query] {argument}` is {shape}, but a query string is decoded into a struct"
            ),
            Self::Field(field, shape) => format!(
                "`{field}` of `#[query] {argument}` is {shape}, but a query string carries only texts and lists of texts; use `#[post]`"
            ),
        }
    }
}
