//! Checks of a statement's text, by the tokens of SQLite's own tokenizer.
//!
//! SQLite's authorizer is not called for everything. `ROLLBACK` as a conflict resolution
//! (`INSERT OR ROLLBACK`, `ON CONFLICT ROLLBACK`, `RAISE(ROLLBACK, …)`) ends the transaction that
//! an object's turns share, and rolls back the writes of other turns. The authorizer is also not
//! given the new name of a table. Both are refused here, with the same message on every host.

use crate::error::StorageError;

/// SQLite treats it as a space where a token may begin, and as a letter elsewhere.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// One token, as far as the checks need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A keyword or a bare name.
    Word(&'a str),
    /// A quoted name or a string, without its quotes.
    Quoted(&'a str),
    /// A number, a parameter or an operator.
    Other,
}

/// Refuses statements that would end a transaction shared with other turns, reserved names of
/// tables, and changes of the runtime's own tables. A text without a statement is also refused, as
/// on the platform.
pub(crate) fn check(statement: &str) -> Result<(), StorageError> {
    let mut seen = Seen::default();
    for token in Tokens::new(statement) {
        seen.take(token);
    }
    let refused = if seen.is_empty {
        "the text contains no statement".to_owned()
    } else if let (Some(name), true) = (seen.own_table, seen.writes) {
        format!(
            "`{name}`: names that begin `{OWN_PREFIX}` are reserved for anchorhold's own tables, which are read-only"
        )
    } else if let Some(refused) = seen.refused {
        refused
    } else {
        return Ok(());
    };
    Err(StorageError::Sql(refused))
}

/// The findings of one pass over a text.
struct Seen<'a> {
    is_empty: bool,
    renaming: Renaming,
    /// A name that is reserved for the runtime's own tables.
    own_table: Option<&'a str>,
    /// The statement may change a table. An insert has its INTO; `replace` alone is a function.
    writes: bool,
    refused: Option<String>,
}

impl Default for Seen<'_> {
    fn default() -> Self {
        Self {
            is_empty: true,
            renaming: Renaming::No,
            own_table: None,
            writes: false,
            refused: None,
        }
    }
}

impl<'a> Seen<'a> {
    fn take(&mut self, token: Token<'a>) {
        self.is_empty = false;
        if let Token::Word(word) = token {
            self.writes |= WRITING.iter().any(|other| word.eq_ignore_ascii_case(other));
            if word.eq_ignore_ascii_case("rollback") {
                self.refused.get_or_insert_with(|| {
                    "ROLLBACK is not allowed: it would roll back what other turns of this object wrote. Use ABORT or FAIL (`INSERT OR ABORT`, `ON CONFLICT ABORT`, `RAISE(ABORT, …)`), or `ctx.storage().transaction(…)`; quote it if it is a name: \"rollback\""
                        .to_owned()
                });
            }
        }
        if let Token::Word(name) | Token::Quoted(name) = token {
            if begins_with(name, OWN_PREFIX) {
                self.own_table = Some(name);
            }
            if self.renaming == Renaming::To && is_reserved(name) {
                self.refused.get_or_insert_with(|| {
                    format!("`{name}`: names that begin `_cf_` are reserved by the platform")
                });
            }
        }
        self.renaming = self.renaming.after(token);
    }
}

const WRITING: &[&str] = &["into", "update", "delete", "drop", "alter", "create"];

/// The prefix of the runtime's own tables.
const OWN_PREFIX: &str = "_anchorhold_";

pub(crate) fn is_reserved(name: &str) -> bool {
    begins_with(name, "_cf_")
}

fn begins_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|beginning| beginning.eq_ignore_ascii_case(prefix))
}

/// How much of `RENAME TO` the last tokens match.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Renaming {
    No,
    Rename,
    To,
}

impl Renaming {
    fn after(self, token: Token<'_>) -> Self {
        match (self, token) {
            (_, Token::Word(word)) if word.eq_ignore_ascii_case("rename") => Self::Rename,
            (Self::Rename, Token::Word(word)) if word.eq_ignore_ascii_case("to") => Self::To,
            _ => Self::No,
        }
    }
}

/// Splits a text as `sqlite3GetToken` does.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// Returns the end of the bytes from `from` on that satisfy `belongs`.
    fn end_of(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let mut end = from;
        while self.byte(end).is_some_and(&belongs) {
            end += 1;
        }
        end
    }

    /// Returns the end of a comment that begins here, if there is one.
    fn comment(&self) -> Option<usize> {
        let rest = &self.text[self.at..];
        if rest.starts_with("--") {
            return Some(rest.find('\n').map_or(self.text.len(), |end| self.at + end));
        }
        // An unclosed comment extends to the end of the text. The two characters alone are
        // operators.
        if rest.starts_with("/*") && rest.len() > 2 {
            return Some(
                rest[2..]
                    .find("*/")
                    .map_or(self.text.len(), |end| self.at + 2 + end + 2),
            );
        }
        None
    }

    /// Returns the quoted text up to `close`. If `doubles`, a doubled `close` is literal.
    fn quoted(&mut self, close: u8, doubles: bool) -> Token<'a> {
        let start = self.at + 1;
        let mut end = start;
        while let Some(byte) = self.byte(end) {
            if byte != close {
                end += 1;
            } else if doubles && self.byte(end + 1) == Some(close) {
                end += 2;
            } else {
                break;
            }
        }
        let inside = &self.text[start..end.min(self.text.len())];
        self.at = (end + 1).min(self.text.len());
        Token::Quoted(inside)
    }

    /// Returns the end of a named parameter, with Tcl's `::` and `(…)` as in SQLite.
    fn variable(&self) -> usize {
        let mut end = self.at + 1;
        let mut named = false;
        loop {
            match self.byte(end) {
                Some(byte) if is_in_word(byte) => named = true,
                Some(b'(') if named => {
                    let end = self.end_of(end + 1, |byte| byte != b')' && !is_space(byte));
                    return end + usize::from(self.byte(end) == Some(b')'));
                }
                Some(b':') if self.byte(end + 1) == Some(b':') => end += 1,
                _ => return end,
            }
            end += 1;
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            if let Some(end) = self.comment() {
                self.at = end;
            } else if self.text[self.at..].starts_with(BYTE_ORDER_MARK) {
                self.at += BYTE_ORDER_MARK.len_utf8();
            } else if self.byte(self.at).is_some_and(is_space) {
                self.at += 1;
            } else {
                break;
            }
        }
        let start = self.at;
        let first = self.byte(start)?;
        self.at = match first {
            b'\'' | b'"' | b'`' => return Some(self.quoted(first, true)),
            b'[' => return Some(self.quoted(b']', false)),
            b'0'..=b'9' => self.end_of(start, is_in_word),
            b'$' | b'@' | b':' | b'#' => self.variable(),
            _ if is_in_word(first) => {
                self.at = self.end_of(start, is_in_word);
                return Some(Token::Word(&self.text[start..self.at]));
            }
            _ => start + 1,
        };
        Some(Token::Other)
    }
}

/// SQLite treats every byte beyond ASCII as a letter.
fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn bare_rollback_is_refused_wherever_it_stands() {
        for statement in [
            "ROLLBACK",
            "rollback to a",
            "INSERT OR ROLLBACK INTO t VALUES (1)",
            "INSERT OR/**/rollback INTO t VALUES (1)",
            "INSERT OR--\nRollback\tINTO t VALUES (1)",
            "UPDATE OR ROLLBACK t SET a = 'x'",
            "CREATE TABLE t (a UNIQUE ON CONFLICT ROLLBACK)",
            "CREATE TRIGGER x BEFORE INSERT ON t BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
            "SELECT 1; SELECT 'a''b'; INSERT OR ROLLBACK INTO t VALUES (1)",
            "SELECT ':'; INSERT OR ROLLBACK INTO t VALUES (:a)",
            "SELECT x'00'; INSERT OR ROLLBACK INTO t VALUES (1)",
            "SELECT [a]; INSERT OR ROLLBACK INTO t VALUES (1)",
            "SELECT 1/ROLLBACK",
            "\u{feff}\u{feff}ROLLBACK",
            "INSERT OR \u{feff}ROLLBACK INTO t VALUES (1)",
            "SELECT \"a\"\"b\"ROLLBACK",
        ] {
            assert!(check(statement).is_err(), "{statement}");
        }
    }

    #[test]
    fn rollback_in_strings_names_comments_and_parameters_is_no_word() {
        for statement in [
            "INSERT INTO t VALUES ('ROLLBACK')",
            "INSERT INTO t VALUES ('it''s ROLLBACK')",
            "SELECT \"rollback\", `rollback`, [rollback] FROM t",
            "SELECT 1 -- ROLLBACK",
            "SELECT 1 /* ROLLBACK */ + 2",
            "SELECT 1 /* ROLLBACK",
            "SELECT :rollback, @rollback, $rollback, $a::rollback, $a(rollback)",
            "SELECT rollback_at, no_rollback, rollbacks, rollbäck, $rollback FROM t",
            "SELECT 1rollback",
            "SELECT '",
            "SELECT \"rollback",
            "ü",
        ] {
            assert!(check(statement).is_ok(), "{statement}");
        }
    }

    #[test]
    fn text_without_a_statement_is_refused() {
        for statement in ["", " \n", "/* SELECT 1 */", "-- SELECT 1"] {
            assert!(check(statement).is_err(), "{statement}");
        }
    }

    #[test]
    fn reserved_name_is_refused_as_a_tables_new_one() {
        for statement in [
            "ALTER TABLE t RENAME TO _cf_t",
            "ALTER TABLE t RENAME TO \"_CF_t\"",
            "ALTER TABLE t RENAME TO '_cf_t'",
            "ALTER TABLE t rename/**/to [_cf_t]",
        ] {
            assert!(check(statement).is_err(), "{statement}");
        }
        assert!(check("ALTER TABLE t RENAME TO cf").is_ok());
        assert!(check("ALTER TABLE t RENAME a TO b").is_ok());
        assert!(check("INSERT INTO t VALUES ('_cf_t')").is_ok());
    }
}
