//! The attributes that a generated method copies from the user's method: documentation,
//! deprecation, allowed lints.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

use crate::names::unraw;

/// Returns the attributes for the generated method. `otherwise` is its documentation if the user's
/// method has none.
pub fn shared_attributes(attributes: &[Attribute], object: &Ident, otherwise: &str) -> TokenStream {
    let is = |attribute: &Attribute, name: &str| attribute.path().is_ident(name);
    let mut shared = TokenStream::new();
    if !attributes.iter().any(|attribute| is(attribute, "doc")) {
        shared.extend(quote!(#[doc = #otherwise]));
    }
    for attribute in attributes {
        if is(attribute, "doc") {
            shared.extend(documentation(attribute, object));
        } else if is(attribute, "deprecated") || is(attribute, "allow") {
            attribute.to_tokens(&mut shared);
        } else if is(attribute, "expect")
            && let Meta::List(list) = &attribute.meta
        {
            // The user cannot know whether the lint fires in the generated method.
            let lints = &list.tokens;
            shared.extend(quote!(#[allow(#lints)]));
        }
    }
    shared
}

fn documentation(attribute: &Attribute, object: &Ident) -> TokenStream {
    if let Meta::NameValue(pair) = &attribute.meta
        && let Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) = &pair.value
    {
        let text = LitStr::new(
            &without_links_to_object(&text.value(), &unraw(object)),
            text.span(),
        );
        return quote!(#[doc = #text]);
    }
    attribute.to_token_stream()
}

/// Removes links to the object. On the stub, `Self` is the stub, and private items of the object
/// cannot be linked. Thus ``[`Self::x`]`` becomes `` `Counter::x` ``.
fn without_links_to_object(text: &str, object: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('[') {
        let (before, link) = rest.split_at(start);
        result.push_str(before);
        let Some(end) = link.find(']') else {
            rest = link;
            break;
        };
        let (label, mut after) = (&link[1..end], &link[end + 1..]);
        let mut target = label;
        if let Some((written, behind)) = after
            .strip_prefix('(')
            .and_then(|after| after.split_once(')'))
        {
            target = written;
            if is_path_into(target, object) {
                after = behind;
            }
        }
        if is_path_into(target, object) {
            result.push_str(&label.replace("Self", object));
        } else {
            result.push_str(&link[..=end]);
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

/// Whether a link refers to `Self`, or to an item of the object.
fn is_path_into(target: &str, object: &str) -> bool {
    let path = target.trim_matches('`');
    path == "Self"
        || path.starts_with("Self::")
        || path
            .strip_prefix(object)
            .is_some_and(|rest| rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_the_object_become_text() {
        for (text, expected) in [
            ("As [`Self::other`], not.", "As `Counter::other`, not."),
            ("See [the other](Self::other) one.", "See the other one."),
            ("[`Counter::value`]", "`Counter::value`"),
            (
                "Fails with [`Error`]. [x](https://a.b)",
                "Fails with [`Error`]. [x](https://a.b)",
            ),
            ("a [`Counter`] [", "a [`Counter`] ["),
            ("`a[0]`", "`a[0]`"),
        ] {
            assert_eq!(without_links_to_object(text, "Counter"), expected);
        }
    }
}
