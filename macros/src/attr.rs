//! Options of attributes: `status = 201`, `key = "…"`, `text`.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitInt, LitStr, Meta, Token};

use crate::diag::Diagnostics;
use crate::names::{did_you_mean, listed};

/// One option as written. Its key stays beside the value: errors point at the key.
pub struct RawOption {
    pub key: Ident,
    pub value: Option<Expr>,
}

impl Parse for RawOption {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key = input.parse()?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        Ok(Self { key, value })
    }
}

/// What stands between an attribute's parentheses: a string first where one is wanted, then options.
pub struct Arguments {
    pub leading: Option<LitStr>,
    options: Vec<RawOption>,
}

impl Arguments {
    /// Reads `#[name]`, `#[name(…)]`; `shape` is what a correct use looks like.
    pub fn of(attribute: &Attribute, shape: &str) -> syn::Result<Self> {
        match &attribute.meta {
            Meta::Path(_) => Ok(Self {
                leading: None,
                options: Vec::new(),
            }),
            Meta::List(list) => list
                .parse_args_with(Self::read)
                .map_err(|error| expecting(&error, shape)),
            Meta::NameValue(pair) => Err(syn::Error::new_spanned(
                pair,
                format!("expected parentheses: `{shape}`"),
            )),
        }
    }

    /// Reads the same from an attribute that expands by itself, whose brackets rustc keeps.
    pub fn of_macro(tokens: TokenStream, shape: &str) -> syn::Result<Self> {
        Self::read
            .parse2(tokens)
            .map_err(|error| expecting(&error, shape))
    }

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        let leading = if input.peek(LitStr) {
            let literal = input.parse()?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
            Some(literal)
        } else {
            None
        };
        let options = Punctuated::<RawOption, Token![,]>::parse_terminated(input)?;
        Ok(Self {
            leading,
            options: options.into_iter().collect(),
        })
    }

    /// Takes the option `name`; a second one of that name is left for [`Arguments::finish`].
    pub fn take(&mut self, name: &str) -> Option<RawOption> {
        let position = self.options.iter().position(|option| option.key == name)?;
        Some(self.options.remove(position))
    }

    /// Takes an option without a value, such as `text`.
    pub fn take_flag(&mut self, diagnostics: &Diagnostics, name: &str) -> Option<Ident> {
        let option = self.take(name)?;
        if let Some(value) = &option.value {
            diagnostics.error(value, format!("`{name}` takes no value"));
        }
        Some(option.key)
    }

    /// Reports what nobody took: unknown options and repeated ones.
    pub fn finish(self, diagnostics: &Diagnostics, attribute: &str, accepted: &[&str]) {
        if let Some(literal) = &self.leading {
            let hint = match accepted {
                [] => String::new(),
                accepted => format!("; it accepts {}", listed(accepted)),
            };
            diagnostics.error(
                literal,
                format!("`#[{attribute}]` takes no text here{hint}"),
            );
        }
        for option in &self.options {
            let key = option.key.to_string();
            if accepted.contains(&key.as_str()) {
                diagnostics.error(&option.key, format!("`{key}` is given twice"));
                continue;
            }
            let hint = match did_you_mean(&key, accepted.iter().copied()) {
                Some(candidate) => format!("; did you mean `{candidate}`?"),
                None if accepted.is_empty() => String::from("; it takes no options"),
                None => format!("; it accepts {}", listed(accepted)),
            };
            diagnostics.error(
                &option.key,
                format!("unknown option `{key}` of `#[{attribute}]`{hint}"),
            );
        }
    }
}

fn expecting(error: &syn::Error, shape: &str) -> syn::Error {
    syn::Error::new(error.span(), format!("{error}: write `{shape}`"))
}

impl RawOption {
    pub fn string(&self, example: &str) -> syn::Result<LitStr> {
        match &self.value {
            Some(Expr::Lit(ExprLit {
                lit: Lit::Str(literal),
                ..
            })) => Ok(literal.clone()),
            _ => Err(self.wrong_value("a string", example)),
        }
    }

    pub fn integer(&self, example: &str) -> syn::Result<LitInt> {
        match &self.value {
            Some(Expr::Lit(ExprLit {
                lit: Lit::Int(literal),
                ..
            })) => Ok(literal.clone()),
            _ => Err(self.wrong_value("a whole number", example)),
        }
    }

    pub fn expression(&self, example: &str) -> syn::Result<Expr> {
        self.value
            .clone()
            .ok_or_else(|| self.wrong_value("an expression", example))
    }

    fn wrong_value(&self, wanted: &str, example: &str) -> syn::Error {
        let message = format!("`{}` wants {wanted}: `{example}`", self.key);
        match &self.value {
            Some(value) => syn::Error::new_spanned(value, message),
            None => syn::Error::new_spanned(&self.key, message),
        }
    }
}
