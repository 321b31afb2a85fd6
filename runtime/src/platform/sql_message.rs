//! Messages of workerd's SQL errors. This is pure, so the native tests cover it, too.

/// Splits an error of workerd's into SQLite's message and the name of the result code that workerd
/// adds: `UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)`.
pub(crate) fn without_code(message: &str) -> (&str, &str) {
    let extended = message.rsplit_once(" (extended: SQLITE_");
    let plain = extended.map_or(message, |(plain, _)| plain);
    plain.rsplit_once(": SQLITE_").unwrap_or((plain, ""))
}

#[cfg(test)]
mod tests {
    use super::without_code;

    #[test]
    fn message_of_workerd_loses_its_result_code() {
        for (message, said, code) in [
            (
                "no such table: t: SQLITE_ERROR",
                "no such table: t",
                "ERROR",
            ),
            (
                "UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
                "UNIQUE constraint failed: t.a",
                "CONSTRAINT",
            ),
            (
                "near \"a\": SQLITE_X: SQLITE_ERROR",
                "near \"a\": SQLITE_X",
                "ERROR",
            ),
            ("not authorized", "not authorized", ""),
        ] {
            assert_eq!(without_code(message), (said, code));
        }
    }
}
