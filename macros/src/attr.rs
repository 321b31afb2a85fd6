//! Options of attributes: `status = 201`, `key = "…"`, `text`.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Expr, ExprLit, ExprPath, Ident, Lit, LitInt, LitStr, Meta, Path, Token};

use crate::diag::Diagnostics;
use crate::names::{did_you_mean, listed};

/// One option as written. Its key is kept beside the value, because errors point at the key.
pub struct RawOption {
    pub key: Ident,
    pub value: Option<Expr>,
}

impl Parse for RawOption {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `crate = …` is also an option, although `crate` is a keyword.
        let key = input.call(Ident::parse_any)?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        Ok(Self { key, value })
    }
}

/// The arguments of an attribute. An expression comes first if one is expected, followed by
/// options.
pub struct Arguments {
    leading: Option<Expr>,
    options: Vec<RawOption>,
}

impl Arguments {
    /// Reads `#[name]` or `#[name(…)]`. `shape` shows a correct use.
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
                if shape.contains('(') {
                    format!("expected parentheses\nhelp: write `{shape}`")
                } else {
                    format!("`{shape}` takes no value")
                },
            )),
        }
    }

    /// Reads the arguments of an attribute macro, which rustc passes without the parentheses.
    pub fn of_macro(tokens: TokenStream, shape: &str) -> syn::Result<Self> {
        Self::read
            .parse2(tokens)
            .map_err(|error| expecting(&error, shape))
    }

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut leading = None;
        if !input.is_empty() && !begins_option(input) {
            leading = Some(input.parse()?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
            if input.peek(syn::Lit) {
                return Err(input.error("unexpected second value"));
            }
        }
        let options = input.parse_terminated(RawOption::parse, Token![,])?;
        Ok(Self {
            leading,
            options: options.into_iter().collect(),
        })
    }

    /// Takes the first expression, which has no name.
    pub fn take_leading(&mut self) -> Option<Expr> {
        self.leading.take()
    }

    /// Takes an unknown option without a value: a constant instead of a literal.
    pub fn take_unnamed(&mut self, accepted: &[&str]) -> Option<Ident> {
        let position = self.options.iter().position(|option| {
            option.value.is_none() && !accepted.iter().any(|name| option.key == name)
        })?;
        Some(self.options.remove(position).key)
    }

    /// Takes the option `name`. Leaves a second option with that name for
    /// [`Arguments::reject_rest`].
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

    /// Reports options that were not consumed: unknown and repeated ones.
    pub fn reject_rest(self, diagnostics: &Diagnostics, attribute: &str, accepted: &[&str]) {
        if let Some(leading) = &self.leading {
            let hint = match accepted {
                [] => String::from("takes no options"),
                accepted => format!("accepts {}", listed(accepted)),
            };
            let what = match leading {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(_), ..
                }) => "unexpected string",
                _ => "unexpected value",
            };
            diagnostics.error(leading, format!("{what}: `#[{attribute}]` {hint}"));
        }
        for option in &self.options {
            let key = option.key.to_string();
            if accepted.contains(&key.as_str()) {
                diagnostics.error(&option.key, format!("duplicate option `{key}`"));
                continue;
            }
            let hint = match did_you_mean(&key, accepted.iter().copied()) {
                Some(candidate) => format!("did you mean `{candidate}`?"),
                None if accepted.is_empty() => String::from("it takes no options"),
                None => format!("it accepts {}", listed(accepted)),
            };
            diagnostics.error(
                &option.key,
                format!("unknown option `{key}` of `#[{attribute}]`; {hint}"),
            );
        }
    }
}

/// Whether the input begins with `key`, with or without a value.
fn begins_option(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.call(Ident::parse_any).is_ok()
        && (ahead.is_empty() || ahead.peek(Token![,]) || ahead.peek(Token![=]))
}

fn expecting(error: &syn::Error, shape: &str) -> syn::Error {
    syn::Error::new(error.span(), format!("{error}\nhelp: write `{shape}`"))
}

/// Removes the invisible group around a `macro_rules` fragment.
fn ungroup(expression: &Expr) -> &Expr {
    match expression {
        Expr::Group(group) => ungroup(&group.expr),
        other => other,
    }
}

/// Like [`ungroup`], for an owned expression.
pub fn ungrouped(expression: Expr) -> Expr {
    match expression {
        Expr::Group(group) => ungrouped(*group.expr),
        other => other,
    }
}

/// Returns a string literal's text.
pub fn as_string(expression: &Expr) -> Option<&LitStr> {
    match ungroup(expression) {
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) => Some(literal),
        _ => None,
    }
}

fn is_integer_suffix(suffix: &str) -> bool {
    matches!(
        suffix,
        "" | "u8"
            | "u16"
            | "u32"
            | "u64"
            | "u128"
            | "usize"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "i128"
            | "isize"
    )
}

impl RawOption {
    pub fn string(&self, example: &str) -> syn::Result<LitStr> {
        self.value
            .as_ref()
            .and_then(as_string)
            .cloned()
            .ok_or_else(|| self.wrong_value("a string", example))
    }

    pub fn integer(&self, example: &str) -> syn::Result<LitInt> {
        match self.value.as_ref().map(ungroup) {
            Some(Expr::Lit(ExprLit {
                lit: Lit::Int(literal),
                ..
            })) if is_integer_suffix(literal.suffix()) => Ok(literal.clone()),
            _ => Err(self.wrong_value("a whole number", example)),
        }
    }

    pub fn expression(&self, example: &str) -> syn::Result<Expr> {
        self.value
            .clone()
            .ok_or_else(|| self.wrong_value("an expression", example))
    }

    pub fn path(&self, example: &str) -> syn::Result<Path> {
        match self.value.as_ref().map(ungroup) {
            Some(Expr::Path(ExprPath {
                qself: None, path, ..
            })) => Ok(path.clone()),
            _ => Err(self.wrong_value("a path", example)),
        }
    }

    fn wrong_value(&self, wanted: &str, example: &str) -> syn::Error {
        let message = format!("`{}` must be {wanted}, for example `{example}`", self.key);
        match &self.value {
            Some(value) => syn::Error::new_spanned(value, message),
            None => syn::Error::new_spanned(&self.key, message),
        }
    }
}
