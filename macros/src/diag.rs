//! Collects all errors of a stage, so that a user sees them together.

use std::cell::RefCell;
use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The errors found so far. Must be consumed by [`Diagnostics::finish`], because dropping it would
/// lose errors.
pub struct Diagnostics {
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Diagnostics {
    fn new() -> Self {
        Self {
            errors: RefCell::new(Some(Vec::new())),
        }
    }

    /// Reports an error at all of the user's `tokens`.
    pub fn error(&self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Reports an error at one span, for tokens that are no longer available.
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

    /// Returns how many errors were reported so far.
    pub fn count(&self) -> usize {
        self.errors.borrow().as_ref().map_or(0, Vec::len)
    }

    /// Returns the value, or records the error and returns `None`.
    pub fn ok_or_report<T>(&self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    fn finish(self) -> Result<(), Errors> {
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

/// Runs one stage. Returns its value only if the stage reported no error.
///
/// # Panics
/// Panics if the stage returned `None` without reporting an error.
pub fn stage<T>(run: impl FnOnce(&Diagnostics) -> Option<T>) -> Result<T, Errors> {
    let diagnostics = Diagnostics::new();
    let value = run(&diagnostics);
    diagnostics.finish()?;
    Ok(value.expect("a value is returned unless an error was reported"))
}

/// One or more errors, to be shown together with the fallback for the user's item.
pub struct Errors(Vec<syn::Error>);

impl Errors {
    /// Returns the failure that emits `fallback` in place of the item.
    pub fn with(self, fallback: TokenStream) -> Failure {
        Failure {
            errors: self,
            fallback,
        }
    }

    fn into_compile_errors(self) -> TokenStream {
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }
}

impl From<syn::Error> for Errors {
    fn from(error: syn::Error) -> Self {
        Self(vec![error])
    }
}

/// The errors, and the tokens to emit in place of the item.
pub struct Failure {
    errors: Errors,
    fallback: TokenStream,
}

impl Failure {
    pub fn into_tokens(self) -> TokenStream {
        let mut tokens = self.fallback;
        tokens.extend(self.errors.into_compile_errors());
        tokens
    }
}
