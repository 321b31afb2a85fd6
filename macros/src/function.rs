//! The rules of `#[anchorhold::app]` and `#[anchorhold::test]`.

use quote::ToTokens;
use syn::{Attribute, Expr, FnArg, LitInt, ReturnType, Safety};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::model::opaque_type;
use crate::options;
use crate::parse::{RawFunction, attribute_name};

pub const APP_SHAPE: &str = "`fn app() -> App`";
pub const TEST_SHAPE: &str = "`async fn name(sim: Sim)`";

pub fn check_app(diagnostics: &Diagnostics, arguments: Arguments, raw: &RawFunction) {
    arguments.reject_rest(diagnostics, "anchorhold::app", options::OF_APP);
    if let Some(second) = attribute_called(raw, "app") {
        diagnostics.error(
            second,
            "duplicate `#[anchorhold::app]` attribute\nhelp: remove this attribute",
        );
    }
    let signature = &raw.signature;
    if let Some(asyncness) = &signature.asyncness {
        diagnostics.error(
            asyncness,
            format!("the app function cannot be `async`: it only describes the app and runs before any event\nhelp: write {APP_SHAPE}"),
        );
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        diagnostics.error(
            unsafety,
            format!("the app function cannot be `unsafe`\nhelp: write {APP_SHAPE}"),
        );
    }
    if let Some(abi) = &signature.abi {
        diagnostics.error(
            abi,
            format!("the app function cannot be `extern`\nhelp: write {APP_SHAPE}"),
        );
    }
    if !signature.generics.params.is_empty() {
        diagnostics.error(
            &signature.generics.params,
            format!("the app function cannot be generic\nhelp: write {APP_SHAPE}"),
        );
    }
    if !signature.inputs.is_empty() {
        diagnostics.error(
            &signature.inputs,
            format!("the app function takes no arguments\nhelp: write {APP_SHAPE}"),
        );
    }
    let wrong_output: Option<&dyn ToTokens> = match &signature.output {
        ReturnType::Default => Some(&signature.ident),
        ReturnType::Type(_, ty) => opaque_type(ty).map(|opaque| opaque as &dyn ToTokens),
    };
    if let Some(at) = wrong_output {
        diagnostics.error(
            at,
            format!("the app function must return `App`\nhelp: write {APP_SHAPE}"),
        );
    }
}

/// Returns another attribute with this name, of any crate.
fn attribute_called<'a>(raw: &'a RawFunction, name: &str) -> Option<&'a Attribute> {
    raw.attributes
        .iter()
        .find(|attribute| attribute_name(attribute).is_some_and(|last| last == name))
}

/// Checks a test and reads its options.
pub fn check_test(
    diagnostics: &Diagnostics,
    arguments: Arguments,
    raw: &RawFunction,
) -> Option<TestOptions> {
    if let Some(second) = attribute_called(raw, "test") {
        diagnostics.error(
            second,
            "`#[anchorhold::test]` already makes this function a test\nhelp: remove this attribute",
        );
    }
    let signature = &raw.signature;
    if signature.asyncness.is_none() {
        diagnostics.error(
            signature.fn_token,
            format!("simulator tests must be `async`\nhelp: write {TEST_SHAPE}"),
        );
    }
    if !signature.generics.params.is_empty() {
        diagnostics.error(
            &signature.generics.params,
            format!("tests cannot be generic\nhelp: write {TEST_SHAPE}"),
        );
    }
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        None => diagnostics.error(
            &signature.ident,
            format!("a simulator test must take the simulator\nhelp: write {TEST_SHAPE}"),
        ),
        Some(FnArg::Receiver(receiver)) => {
            diagnostics.error(
                receiver,
                format!("a test must be a free function\nhelp: write {TEST_SHAPE}"),
            );
            // The simulator after it is valid.
            inputs.next();
        }
        Some(FnArg::Typed(_)) => {}
    }
    for input in inputs {
        diagnostics.error(
            input,
            format!("a simulator test only takes the simulator\nhelp: write {TEST_SHAPE}"),
        );
    }
    read_options(diagnostics, arguments)
}

/// The options of `#[anchorhold::test(…)]`.
#[derive(Default)]
pub struct TestOptions {
    pub seed: Option<LitInt>,
    pub seeds: Option<LitInt>,
    pub faults: Option<Expr>,
    pub exhaustive: bool,
}

fn read_options(diagnostics: &Diagnostics, mut arguments: Arguments) -> Option<TestOptions> {
    let mut number = |name: &str, example: &str| {
        arguments
            .take(name)
            .and_then(|option| diagnostics.ok_or_report(option.integer(example)))
    };
    let seed = number("seed", "seed = 7");
    let seeds = number("seeds", "seeds = 100");
    let faults = arguments
        .take("faults")
        .and_then(|option| diagnostics.ok_or_report(option.expression("faults = Faults::all()")));
    let exhaustive = arguments.take_flag(diagnostics, "exhaustive");
    arguments.reject_rest(diagnostics, "anchorhold::test", options::OF_TEST);
    if let Some(option) = &exhaustive
        && (seeds.is_some() || faults.is_some())
    {
        diagnostics.error(
            option,
            "`exhaustive` runs one seed with one fault at each step\nhelp: remove `seeds` and `faults`, or write two tests",
        );
    }
    if let Some(literal) = &seed
        && literal.base10_parse::<u64>().is_err()
    {
        diagnostics.error(literal, "`seed` must be a `u64`, for example `seed = 7`");
    }
    if let Some(literal) = &seeds
        && !matches!(literal.base10_parse::<u32>(), Ok(1..))
    {
        diagnostics.error(
            literal,
            "`seeds` must be 1 to 4,294,967,295, for example `seeds = 100`",
        );
    }
    Some(TestOptions {
        seed,
        seeds,
        faults,
        exhaustive: exhaustive.is_some(),
    })
}
