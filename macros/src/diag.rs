//! Collects every error of a stage, so that a user sees them together.

use std::cell::RefCell;
use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The errors found so far. It must be read: dropping it unread would lose an error silently.
pub struct Diagnostics {
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Diagnostics {
    pub fn new() -> Self {
        Self {
            errors: RefCell::new(Some(Vec::new())),
        }
    }

    /// Reports a mistake at the whole of the user's `tokens`.
    pub fn error(&self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Reports a mistake at one span, where the tokens themselves are gone.
    pub fn error_at(&self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    pub fn push(&self, error: syn::Error) {
        self.errors
            .borrow_mut()
            .as_mut()
            .expect("diagnostics were already read")
            .push(error);
    }

    /// Keeps the value of a step that can fail, and its error otherwise.
    pub fn keep<T>(&self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Ends this stage: the next one never sees what this one found broken.
    pub fn finish(self) -> Result<(), Errors> {
        let errors = self
            .errors
            .borrow_mut()
            .take()
            .expect("diagnostics were already read");
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Errors(errors))
        }
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        let read = self.errors.borrow().is_none();
        assert!(
            read || std::thread::panicking(),
            "diagnostics were dropped unread"
        );
    }
}

/// At least one error, to be shown together with the fallback for the user's item.
pub struct Errors(Vec<syn::Error>);

impl Errors {
    pub fn into_compile_errors(self) -> TokenStream {
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }
}

impl From<syn::Error> for Errors {
    fn from(error: syn::Error) -> Self {
        Self(vec![error])
    }
}
