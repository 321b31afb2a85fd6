//! An editor resolves one of the user's tokens through the tokens of the expansion with the same
//! span.

use std::fmt::Write;

use proc_macro2::{Ident, TokenStream, TokenTree};

use crate::diag::Failure;
use crate::driver;

/// Returns the attributes that the expansion names, each with the position of its token in the
/// source.
fn named(source: &str) -> String {
    let item = source.parse().expect("the source is made of tokens");
    let expansion =
        driver::durable_object(TokenStream::new(), item).unwrap_or_else(Failure::into_tokens);
    let mut tokens = Vec::new();
    flatten(expansion, &mut tokens);
    let mut result = String::new();
    for window in tokens.windows(3) {
        let [
            TokenTree::Ident(name),
            TokenTree::Ident(renamed),
            TokenTree::Ident(to),
        ] = window
        else {
            continue;
        };
        if renamed == "as" && to == "_" && name != "Unrecognised" {
            let start = name.span().start();
            assert!(is_at(source, name), "{name} is not at {start:?}");
            writeln!(result, "{}:{} {name}", start.line, start.column).expect("a string grows");
        }
    }
    result
}

fn is_at(source: &str, name: &Ident) -> bool {
    let start = name.span().start();
    source
        .lines()
        .nth(start.line - 1)
        .and_then(|line| line.get(start.column..))
        .is_some_and(|rest| rest.starts_with(&name.to_string()))
}

fn flatten(tokens: TokenStream, into: &mut Vec<TokenTree>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => flatten(group.stream(), into),
            other => into.push(other),
        }
    }
}

#[test]
fn attributes_of_fields_are_named_at_the_users_own_tokens() {
    insta::assert_snapshot!(named(
        "struct Room {
    #[memory]
    reads: u64,
    #[anchorhold::stored(key = \"t\")]
    title: String,
    posts: u64,
}"
    ));
}

#[test]
fn attributes_of_methods_and_arguments_are_named_at_the_users_own_tokens() {
    insta::assert_snapshot!(named(
        "impl Room {
    #[init] fn start(&mut self) {}
    #[rpc] #[get(\"/\")] #[anchorhold::prelude::post(\"/\")]
    fn count(&self) -> u64 { 0 }
    #[put(\"/\")] fn title(&mut self, #[body] title: String) {}
    #[websocket(\"/ws\")] fn join(&self) -> Accept<u64> { Accept::new(5) }
    #[message(text)] fn said(&mut self, text: &str) {}
    #[close] #[error] fn left(&mut self) {}
    #[alarm(every = \"1m\")] fn sweep(&mut self) {}
}"
    ));
}

#[test]
fn attributes_of_a_mistaken_object_are_named_too() {
    insta::assert_snapshot!(named(
        "impl Room {
    #[memory] fn helper(&self) {}
    #[rpc] fn count(&self, #[rpc] #[body] by: &mut u64) -> u64 { 0 }
}"
    ));
    insta::assert_snapshot!(named(
        "struct Room { #[stored(kye = \"t\")] title: String }"
    ));
}
