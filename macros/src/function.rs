//! The rules of `#[anchorhold::app]` and `#[anchorhold::test]`.

use proc_macro2::TokenStream;
use syn::{Expr, FnArg, LitInt, ReturnType};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::parse::RawFunction;

const APP_SHAPE: &str = "`fn app() -> App`";
const TEST_SHAPE: &str = "`async fn name(sim: Sim)`";

pub fn no_options(diagnostics: &Diagnostics, arguments: TokenStream, attribute: &str, place: &str) {
    if !arguments.is_empty() {
        diagnostics.error(
            arguments,
            format!("`#[{attribute}]` takes no options {place}"),
        );
    }
}

pub fn check_app(diagnostics: &Diagnostics, arguments: TokenStream, raw: &RawFunction) {
    no_options(diagnostics, arguments, "app", "");
    let signature = &raw.signature;
    if let Some(asyncness) = &signature.asyncness {
        diagnostics.error(
            asyncness,
            format!("the app is a list, made before any event: {APP_SHAPE}"),
        );
    }
    if !signature.generics.params.is_empty() {
        diagnostics.error(
            &signature.generics.params,
            format!("the app takes no generics: {APP_SHAPE}"),
        );
    }
    if !signature.inputs.is_empty() {
        diagnostics.error(
            &signature.inputs,
            format!("nobody passes the app arguments: {APP_SHAPE}"),
        );
    }
    if let ReturnType::Default = signature.output {
        diagnostics.error(
            &signature.ident,
            format!("the app returns what it mounts: {APP_SHAPE}"),
        );
    }
}

/// Checks a test and reads its options.
pub fn check_test(
    diagnostics: &Diagnostics,
    arguments: TokenStream,
    raw: &RawFunction,
) -> TestOptions {
    let signature = &raw.signature;
    if signature.asyncness.is_none() {
        diagnostics.error(
            signature.fn_token,
            format!("a test in the simulator awaits: {TEST_SHAPE}"),
        );
    }
    if !signature.generics.params.is_empty() {
        diagnostics.error(
            &signature.generics.params,
            format!("a test takes no generics: {TEST_SHAPE}"),
        );
    }
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        None => diagnostics.error(
            &signature.ident,
            format!("a test receives the simulator: {TEST_SHAPE}"),
        ),
        Some(FnArg::Receiver(receiver)) => {
            diagnostics.error(receiver, format!("a test is a free function: {TEST_SHAPE}"));
        }
        Some(FnArg::Typed(_)) => {}
    }
    for input in inputs {
        diagnostics.error(
            input,
            format!("a test receives the simulator and nothing else: {TEST_SHAPE}"),
        );
    }
    read_options(diagnostics, arguments).unwrap_or_default()
}

/// What `#[anchorhold::test(…)]` says.
#[derive(Default)]
pub struct TestOptions {
    pub seed: Option<LitInt>,
    pub seeds: Option<LitInt>,
    pub faults: Option<Expr>,
    pub exhaustive: bool,
}

fn read_options(diagnostics: &Diagnostics, arguments: TokenStream) -> Option<TestOptions> {
    let mut arguments = diagnostics.keep(Arguments::of_macro(
        arguments,
        "#[anchorhold::test(seeds = 100, faults = Faults::all())]",
    ))?;
    let mut number = |name: &str, example: &str| {
        arguments
            .take(name)
            .and_then(|option| diagnostics.keep(option.integer(example)))
    };
    let seed = number("seed", "seed = 7");
    let seeds = number("seeds", "seeds = 100");
    let faults = arguments
        .take("faults")
        .and_then(|option| diagnostics.keep(option.expression("faults = Faults::all()")));
    let exhaustive = arguments.take_flag(diagnostics, "exhaustive");
    let accepted = ["seed", "seeds", "faults", "exhaustive"];
    arguments.finish(diagnostics, "test", &accepted);
    if let Some(option) = &exhaustive
        && (seeds.is_some() || faults.is_some())
    {
        diagnostics.error(
            option,
            "`exhaustive` runs one seed with one fault at each step: remove `seeds` and `faults`, or write two tests",
        );
    }
    if let Some(literal) = &seed
        && literal.base10_parse::<u64>().is_err()
    {
        diagnostics.error(literal, "a seed is a `u64`: `seed = 7`");
    }
    if let Some(literal) = &seeds
        && !matches!(literal.base10_parse::<u32>(), Ok(1..))
    {
        diagnostics.error(literal, "`seeds` must be 1 to 4,294,967,295: `seeds = 100`");
    }
    Some(TestOptions {
        seed,
        seeds,
        faults,
        exhaustive: exhaustive.is_some(),
    })
}
