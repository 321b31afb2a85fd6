//! Finds the property tests of the runtime in their sources, because `proptest!` does not mark the
//! names of tests.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use proc_macro2::{TokenStream, TokenTree};

/// Returns the names of the functions that `proptest!` declares in the files of a folder.
pub fn below(folder: &Path) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    collect(folder, &mut names).with_context(|| format!("cannot read {}", folder.display()))?;
    Ok(names)
}

fn collect(folder: &Path, names: &mut HashSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, names)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let tokens = fs::read_to_string(&path)?
                .parse()
                .map_err(|error| anyhow!("{}: {error}", path.display()))?;
            declared(tokens, false, names);
        }
    }
    Ok(())
}

/// Collects the names declared in tokens. `inside` tells whether they are in a `proptest!`.
fn declared(tokens: TokenStream, inside: bool, names: &mut HashSet<String>) {
    let (mut is_macro, mut is_function) = (false, false);
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                declared(group.stream(), inside || is_macro, names);
                (is_macro, is_function) = (false, false);
            }
            TokenTree::Punct(mark) => is_macro &= mark.as_char() == '!',
            TokenTree::Ident(ident) => {
                if inside && is_function {
                    names.insert(ident.to_string());
                }
                (is_macro, is_function) = (ident == "proptest", ident == "fn");
            }
            TokenTree::Literal(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::declared;

    #[test]
    fn functions_inside_of_proptest_are_properties() {
        let source = "
            fn helper() {}
            mod tests {
                proptest! {
                    #![proptest_config(Config::with_cases(8))]
                    #[test]
                    fn first(steps in vec(step(), 0..9)) { other!(steps) }
                    #[test]
                    fn second(one: u8) {}
                }
                #[test]
                fn plain() {}
            }";
        let mut names = HashSet::new();
        declared(source.parse().unwrap(), false, &mut names);
        let expected = ["first", "second"].map(str::to_owned);
        assert_eq!(names, HashSet::from(expected));
    }
}
