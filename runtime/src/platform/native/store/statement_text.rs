//! Properties of a statement's text that affect how it is run.

use crate::storage::sql_text::{Token, Tokens};

/// Whether a statement that SQLite prepared as read-only will always be read-only. Other statements
/// may be prepared again at run time as ones that write, for example `CREATE TABLE IF NOT EXISTS`
/// after the table was dropped.
pub(super) fn only_reads(statement: &str) -> bool {
    let mut tokens = Tokens::new(statement);
    let Some(Token::Word(first)) = tokens.next() else {
        return false;
    };
    let is = |word: &str| first.eq_ignore_ascii_case(word);
    if is("pragma") {
        return !tokens.any(
            |token| matches!(token, Token::Word(word) | Token::Quoted(word) if word.eq_ignore_ascii_case("optimize")),
        );
    }
    ["select", "values", "with", "explain"].into_iter().any(is)
}

/// The pragmas in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pragmas {
    pub(super) any: bool,
    /// `PRAGMA defer_foreign_keys`
    pub(super) defer_keys: bool,
}

pub(super) fn pragmas(text: &str) -> Pragmas {
    let mut found = Pragmas::default();
    for token in Tokens::new(text) {
        if let Token::Word(word) | Token::Quoted(word) = token {
            found.any |= word.eq_ignore_ascii_case("pragma");
            found.defer_keys |= found.any && word.eq_ignore_ascii_case("defer_foreign_keys");
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::only_reads;

    #[test]
    fn statements_that_may_write_when_they_are_prepared_again_are_recognised() {
        for statement in [
            "SELECT 1",
            " /* a */ with x AS (VALUES (1)) SELECT 1",
            "PRAGMA table_info(t)",
        ] {
            assert!(only_reads(statement), "{statement}");
        }
        for statement in [
            "CREATE TABLE IF NOT EXISTS t (x)",
            "DROP TABLE IF EXISTS t",
            "PRAGMA optimize",
            "REINDEX",
            "",
            ";",
        ] {
            assert!(!only_reads(statement), "{statement}");
        }
    }
}
