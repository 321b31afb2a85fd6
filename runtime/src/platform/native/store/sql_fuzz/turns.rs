//! Statements that fail or conflict, and statements that the runtime also makes, beside another
//! turn's writes.

use bolero::TypeGenerator;
use bolero::generator::produce;

use super::{assert_whole, database_in_use, run};
use crate::error::StorageError;
use crate::fuzz::target;

/// A write, or a declaration that decides how later writes end.
#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Write {
    Insert,
    InsertMany,
    InsertSelect,
    Replace,
    Upsert,
    Update,
    UpdateFrom,
    Delete,
    Unique,
    NotNull,
    Key,
    TableConstraint,
    Trigger,
    TriggerStatement,
    Raise,
}

impl Write {
    /// `C` is a conflict resolution.
    fn text(self) -> &'static str {
        match self {
            Self::Insert => "INSERT OR C INTO t VALUES ( 'x' , 1 )",
            Self::InsertMany => "INSERT OR C INTO t VALUES ( 7 , 1 ) , ( 1 , 1 ) , ( 8 , 1 )",
            Self::InsertSelect => "INSERT OR C INTO t SELECT * FROM t",
            Self::Replace => "REPLACE INTO t VALUES ( 1 , 5 )",
            Self::Upsert => "INSERT OR C INTO t VALUES ( 1 , 2 ) ON CONFLICT DO NOTHING",
            Self::Update => "UPDATE OR C t SET a = 'x'",
            Self::UpdateFrom => "UPDATE OR C t SET a = u . b FROM u",
            Self::Delete => "DELETE FROM t WHERE a = 1",
            Self::Unique => "CREATE TABLE k ( a UNIQUE ON CONFLICT C , b )",
            Self::NotNull => "CREATE TABLE k ( a NOT NULL ON CONFLICT C , b )",
            Self::Key => "CREATE TABLE k ( a INTEGER PRIMARY KEY ON CONFLICT C , b )",
            Self::TableConstraint => "CREATE TABLE k ( a , b , UNIQUE ( a , b ) ON CONFLICT C )",
            Self::Trigger => {
                "CREATE TRIGGER r AFTER DELETE ON t BEGIN INSERT OR C INTO k VALUES ( 1 , 1 ) ; END"
            }
            Self::TriggerStatement => "INSERT INTO k VALUES ( 1 , 1 ) , ( 1 , 1 ) , ( NULL , 1 )",
            Self::Raise => {
                "CREATE TRIGGER r BEFORE INSERT ON t BEGIN SELECT RAISE ( C , 'no' ) ; END"
            }
        }
    }
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Resolution {
    Abort,
    Fail,
    Ignore,
    Replace,
    Rollback,
}

impl Resolution {
    fn text(self) -> &'static str {
        match self {
            Self::Abort => "ABORT",
            Self::Fail => "FAIL",
            Self::Ignore => "IGNORE",
            Self::Replace => "REPLACE",
            Self::Rollback => "ROLLBACK",
        }
    }
}

/// What stands between two tokens.
#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Space {
    Blank,
    Line,
    Comment,
    QuoteInComment,
    CommentToLineEnd,
}

impl Space {
    fn text(self) -> &'static str {
        match self {
            Self::Blank => " ",
            Self::Line => "\r\n\t",
            Self::Comment => "/**/",
            Self::QuoteInComment => "/*'\"*/",
            Self::CommentToLineEnd => "--'[\n",
        }
    }
}

#[derive(Clone, Debug, TypeGenerator)]
struct Spelled {
    write: Write,
    resolution: Resolution,
    space: Space,
    small: bool,
}

impl Spelled {
    fn text(&self) -> String {
        let words = self.write.text().split(' ').map(|word| match word {
            "C" => self.resolution.text(),
            word => word,
        });
        let text = words.collect::<Vec<_>>().join(self.space.text());
        if self.small {
            text.to_lowercase()
        } else {
            text
        }
    }
}

target!(
    writes_that_conflict_end_no_transaction,
    produce::<Vec<Spelled>>(),
    |writes| {
        let database = database_in_use();
        for write in writes {
            let text = write.text();
            let result = run(&database, &text);
            assert!(
                !matches!(result, Err(StorageError::Io(_))),
                "{text:?}: {result:?}"
            );
            assert_whole(&database, &text);
        }
    }
);

/// Returns the texts of the runtime's statements about its tables, from its source.
fn statements_of_the_runtime() -> Vec<String> {
    let source = include_str!("../key_value.rs");
    // The texts of this file contain no escaped quotes.
    let texts = source.split('"').skip(1).step_by(2);
    let verbs = ["SELECT ", "INSERT ", "DELETE "];
    let is_statement = |text: &&str| verbs.iter().any(|verb| text.starts_with(verb));
    let statements = texts
        .filter(is_statement)
        .filter(|text| text.contains(" _cf_"));
    statements.map(str::to_owned).collect()
}

/// One of the runtime's operations, or one of its statements in a user's text.
#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Use {
    Get,
    Put,
    Delete,
    List { reverse: bool },
    Alarm,
    Text { number: u8, is_padded: bool },
}

target!(
    statements_of_the_runtime_are_its_own,
    produce::<Vec<Use>>(),
    |uses| {
        let statements = statements_of_the_runtime();
        assert!(statements.len() >= 9, "{statements:?}");
        let database = database_in_use();
        for used in uses {
            let whole = |result: Result<(), StorageError>| result.expect("a database in memory");
            match used {
                Use::Get => whole(database.get("open").map(drop)),
                Use::Put => whole(database.put("open", b"2")),
                Use::Delete => whole(database.delete("unknown").map(drop)),
                Use::List { reverse } => whole(
                    database
                        .list(&crate::storage::ListRange {
                            reverse: *reverse,
                            ..Default::default()
                        })
                        .map(drop),
                ),
                Use::Alarm => whole(database.alarm().map(drop)),
                Use::Text { number, is_padded } => {
                    let text = &statements[usize::from(*number) % statements.len()];
                    let text = match is_padded {
                        true => format!(" {text}\n"),
                        false => text.clone(),
                    };
                    let result = run(&database, &text);
                    assert!(
                        matches!(result, Err(StorageError::Sql(_) | StorageError::Usage(_))),
                        "{text:?}: {result:?}"
                    );
                }
            }
            assert_whole(&database, &format!("{used:?}"));
        }
    }
);
