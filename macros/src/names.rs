//! Names: case conversions, reserved names, and suggestions for misspelt ones.

use syn::Ident;
use syn::ext::IdentExt;

/// Names that the platform (P64) and the runtime add to a class. Also `then`, which would make a
/// stub look like a promise, and `free`, which the glue of `wasm-bindgen` adds to every class.
const RESERVED_RPC_NAMES: &[&str] = &[
    "fetch",
    "connect",
    "alarm",
    "webSocketMessage",
    "webSocketClose",
    "webSocketError",
    "dup",
    "constructor",
    "then",
    "free",
    "anchorholdCall",
];

/// Names that an exported class cannot have, in addition to the keywords of Rust. They are the
/// other reserved words of JavaScript modules, the Worker's own exports, and the globals that
/// exported code uses. A class would shadow a global with the same name.
const RESERVED_CLASS_NAMES: &[&str] = &[
    "arguments",
    "case",
    "catch",
    "class",
    "debugger",
    "default",
    "delete",
    "eval",
    "export",
    "finally",
    "function",
    "implements",
    "import",
    "instanceof",
    "interface",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "switch",
    "this",
    "throw",
    "undefined",
    "var",
    "void",
    "with",
    "fetch",
    "Array",
    "ArrayBuffer",
    "BigInt",
    "DataView",
    "Date",
    "DurableObject",
    "Error",
    "FinalizationRegistry",
    "Function",
    "Headers",
    "Infinity",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "Proxy",
    "RangeError",
    "Reflect",
    "Request",
    "Response",
    "Set",
    "String",
    "Symbol",
    "TextDecoder",
    "TextEncoder",
    "TypeError",
    "Uint8Array",
    "WeakMap",
    "WebAssembly",
    "WebSocket",
    "WebSocketPair",
    "WebSocketRequestResponsePair",
    "WorkerEntrypoint",
];

/// Whether JavaScript can export a class with this name, and Rust can derive symbols from it.
pub fn is_class_name(name: &str) -> bool {
    name.is_ascii()
        && !name.starts_with("r#")
        && syn::parse_str::<Ident>(name).is_ok()
        && !RESERVED_CLASS_NAMES.contains(&name)
}

/// Keys with this prefix belong to the runtime.
pub const RESERVED_KEY_PREFIX: &str = "__anchorhold/";

/// Returns the identifier without `r#`.
pub fn unraw(identifier: &Ident) -> String {
    identifier.unraw().to_string()
}

/// Returns the name under which callers pass an argument. `_by`, which the body does not use, is
/// passed as `by`.
pub fn argument_name(identifier: &Ident) -> String {
    unraw(identifier).trim_start_matches('_').to_owned()
}

/// Whether every stub has a method with this name.
pub fn is_method_of_every_stub(name: &str) -> bool {
    matches!(name, "id" | "clone" | "fetch")
}

pub fn is_reserved_rpc_name(javascript_name: &str) -> bool {
    RESERVED_RPC_NAMES.contains(&javascript_name)
}

/// `get_user_by_id` → `getUserById`.
pub fn camel_case(snake_case: &str) -> String {
    let mut words = snake_case.split('_').filter(|word| !word.is_empty());
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut characters = word.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(characters.as_str());
    }
    name
}

/// `RateLimiter` → `RATE_LIMITER`, `HTTPServer` → `HTTP_SERVER`.
pub fn screaming_snake_case(pascal_case: &str) -> String {
    let characters: Vec<char> = pascal_case.chars().collect();
    let mut name = String::with_capacity(pascal_case.len() + 4);
    for (index, &character) in characters.iter().enumerate() {
        let begins_word = character.is_uppercase()
            && index > 0
            && characters[index - 1] != '_'
            && (!characters[index - 1].is_uppercase()
                || characters
                    .get(index + 1)
                    .is_some_and(|next| next.is_lowercase()));
        if begins_word {
            name.push('_');
        }
        name.extend(character.to_uppercase());
    }
    name
}

/// Returns the candidate that was probably meant by `word`, if there is one.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let tolerance = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Counts insertions, deletions, substitutions and swaps of neighbours.
fn edit_distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut distances = vec![vec![0; right.len() + 1]; left.len() + 1];
    for row in 0..=left.len() {
        for column in 0..=right.len() {
            distances[row][column] = if row == 0 || column == 0 {
                row + column
            } else {
                let differs = left[row - 1] != right[column - 1];
                let swapped = row > 1
                    && column > 1
                    && left[row - 1] == right[column - 2]
                    && left[row - 2] == right[column - 1];
                let substituted = distances[row - 1][column - 1] + usize::from(differs);
                let shortest = substituted
                    .min(distances[row - 1][column] + 1)
                    .min(distances[row][column - 1] + 1);
                if swapped {
                    shortest.min(distances[row - 2][column - 2] + 1)
                } else {
                    shortest
                }
            };
        }
    }
    distances[left.len()][right.len()]
}

/// Formats a list as `a`, `b` and `c`.
pub fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::from("nothing"),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rpc_names_become_camel_case() {
        assert_eq!(camel_case("increment"), "increment");
        assert_eq!(camel_case("get_user_by_id"), "getUserById");
        assert_eq!(camel_case("v2_read"), "v2Read");
    }

    #[test]
    fn bindings_become_screaming_snake_case() {
        assert_eq!(screaming_snake_case("Counter"), "COUNTER");
        assert_eq!(screaming_snake_case("RateLimiter"), "RATE_LIMITER");
        assert_eq!(screaming_snake_case("HTTPServer"), "HTTP_SERVER");
        assert_eq!(screaming_snake_case("Chat2Room"), "CHAT2_ROOM");
    }

    #[test]
    fn classes_have_names_that_are_free_in_both_languages() {
        for name in ["Counter", "Tally2", "_Counter", "JsValue", "counter"] {
            assert!(is_class_name(name), "{name}");
        }
        for name in [
            "", "a b", "2nd", "r#Tally", "Zähler", "type", "function", "default", "fetch", "Error",
        ] {
            assert!(!is_class_name(name), "{name}");
        }
    }

    #[test]
    fn suggestions_tolerate_one_slip_in_a_short_word() {
        assert_eq!(did_you_mean("nmae", ["name", "id"]), Some("name"));
        assert_eq!(did_you_mean("stauts", ["status"]), Some("status"));
        assert_eq!(did_you_mean("evry", ["every", "cron"]), Some("every"));
        assert_eq!(did_you_mean("colour", ["every", "cron"]), None);
    }

    #[test]
    fn an_underscore_does_not_change_what_an_argument_binds_to() {
        let identifier = Ident::new("_by", proc_macro2::Span::call_site());
        assert_eq!(argument_name(&identifier), "by");
    }
}
