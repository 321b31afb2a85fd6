//! Generates an object's own SQL at random, to test what it can do to the runtime and to other
//! turns.

mod turns;

use bolero::TypeGenerator;
use bolero::generator::produce;

use super::Database;
use super::allowed::{FUNCTIONS, MODULES, PRAGMAS};
use crate::error::StorageError;
use crate::fuzz::target;
use crate::storage::sql::{SqlRows, SqlValue};
use crate::storage::sql_text::check;

/// A fragment of SQL.
#[derive(Clone, Debug, TypeGenerator)]
enum Piece {
    Whole(Template, Name, Name, Conflict),
    Keyword(Keyword),
    Name(Name),
    Mark(Mark),
    Number(i64),
    Text(String),
    Raw(String),
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Template {
    Select,
    SelectJoin,
    With,
    Insert,
    InsertSelect,
    Upsert,
    Update,
    Delete,
    DeleteAll,
    CreateTable,
    CreateTableAs,
    CreateIndex,
    CreateView,
    CreateTrigger,
    CreateTriggerRaise,
    CreateVirtual,
    RenameTable,
    RenameColumn,
    AddColumn,
    DropColumn,
    DropTable,
    DropTrigger,
    Pragma,
    PragmaSet,
    PragmaFunction,
    Explain,
    Begin,
    Commit,
    Rollback,
    RollbackTo,
    Savepoint,
    Release,
    Attach,
    Detach,
    Vacuum,
    Reindex,
    Analyze,
    DeferKeys,
    Reference,
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Self::Select => "SELECT * FROM A",
            Self::SelectJoin => "SELECT count(*) FROM A, B WHERE a = 1",
            Self::With => "WITH A AS (SELECT 1 AS a) SELECT * FROM A, B",
            Self::Insert => "INSERT OR C INTO A VALUES ('x', 1)",
            Self::InsertSelect => "INSERT OR C INTO A SELECT * FROM B",
            Self::Upsert => "INSERT INTO A VALUES ('x', 1) ON CONFLICT DO UPDATE SET b = 2",
            Self::Update => "UPDATE OR C A SET b = 2 WHERE a = (SELECT 1 FROM B)",
            Self::Delete => "DELETE FROM A WHERE rowid IN (SELECT 1 FROM B)",
            Self::DeleteAll => "DELETE FROM A",
            Self::CreateTable => "CREATE TABLE IF NOT EXISTS A (a UNIQUE ON CONFLICT C, b)",
            Self::CreateTableAs => "CREATE TABLE A AS SELECT * FROM B",
            Self::CreateIndex => "CREATE INDEX IF NOT EXISTS A ON B (a)",
            Self::CreateView => "CREATE VIEW IF NOT EXISTS A AS SELECT * FROM B",
            Self::CreateTrigger => {
                "CREATE TRIGGER IF NOT EXISTS A AFTER INSERT ON t BEGIN DELETE FROM B; END"
            }
            Self::CreateTriggerRaise => {
                "CREATE TRIGGER A BEFORE INSERT ON B BEGIN SELECT RAISE(C, 'no'); END"
            }
            Self::CreateVirtual => "CREATE VIRTUAL TABLE A USING fts5(a, b)",
            Self::RenameTable => "ALTER TABLE A RENAME TO B",
            Self::RenameColumn => "ALTER TABLE A RENAME COLUMN a TO b2",
            Self::AddColumn => "ALTER TABLE A ADD COLUMN c",
            Self::DropColumn => "ALTER TABLE A DROP COLUMN b",
            Self::DropTable => "DROP TABLE IF EXISTS A",
            Self::DropTrigger => "DROP TRIGGER IF EXISTS A",
            Self::Pragma => "PRAGMA A",
            Self::PragmaSet => "PRAGMA A = B",
            Self::PragmaFunction => "SELECT * FROM pragma_table_info('A')",
            Self::Explain => "EXPLAIN DELETE FROM A",
            Self::Begin => "BEGIN IMMEDIATE",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::RollbackTo => "ROLLBACK TO A",
            Self::Savepoint => "SAVEPOINT A",
            Self::Release => "RELEASE A",
            Self::Attach => "ATTACH ':memory:' AS A",
            Self::Detach => "DETACH A",
            Self::Vacuum => "VACUUM",
            Self::Reindex => "REINDEX A",
            Self::Analyze => "ANALYZE A",
            Self::DeferKeys => "PRAGMA defer_foreign_keys = ON",
            Self::Reference => "CREATE TABLE IF NOT EXISTS A (a PRIMARY KEY REFERENCES B, b)",
        }
    }
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Name {
    Table,
    Other,
    View,
    Fresh,
    KeyValues,
    Alarm,
    Quoted,
    Bracketed,
    Qualified,
    Capitals,
    Temporary,
    Schema,
    MasterOld,
    Own,
    Segment,
    Level,
    Setting,
    Marked,
    Text,
}

impl Name {
    fn text(self) -> &'static str {
        match self {
            Self::Table => "t",
            Self::Other => "u",
            Self::View => "v",
            Self::Fresh => "fresh",
            Self::KeyValues => "_cf_KV",
            Self::Alarm => "_cf_ALARM",
            Self::Quoted => "\"_cf_KV\"",
            Self::Bracketed => "[_cf_ALARM]",
            Self::Qualified => "main._cf_KV",
            Self::Capitals => "_CF_kv",
            Self::Temporary => "temp._cf_KV",
            Self::Schema => "sqlite_schema",
            Self::MasterOld => "main.sqlite_master",
            Self::Own => "_anchorhold_schedule",
            Self::Segment => "segment",
            Self::Level => "level_1",
            Self::Setting => "foreign_keys",
            Self::Marked => "\u{feff}_cf_KV",
            Self::Text => "'_cf_KV'",
        }
    }
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Conflict {
    Abort,
    Fail,
    Ignore,
    Replace,
    Rollback,
    RollbackCommented,
}

impl Conflict {
    fn text(self) -> &'static str {
        match self {
            Self::Abort => "ABORT",
            Self::Fail => "FAIL",
            Self::Ignore => "IGNORE",
            Self::Replace => "REPLACE",
            Self::Rollback => "rollback",
            Self::RollbackCommented => "/*'*/ROLLBACK--\n",
        }
    }
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Keyword {
    Insert,
    Into,
    Values,
    Select,
    From,
    Or,
    On,
    Conflict,
    Rollback,
    To,
    Rename,
    Begin,
    End,
}

impl Keyword {
    fn text(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Into => "INTO",
            Self::Values => "VALUES",
            Self::Select => "SELECT",
            Self::From => "FROM",
            Self::Or => "OR",
            Self::On => "ON",
            Self::Conflict => "CONFLICT",
            Self::Rollback => "ROLLBACK",
            Self::To => "TO",
            Self::Rename => "RENAME",
            Self::Begin => "BEGIN",
            Self::End => "END",
        }
    }
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Mark {
    Next,
    Open,
    Close,
    Comma,
    Star,
    Is,
    Quote,
    Double,
    Bracket,
    Backtick,
    Comment,
    CommentEnd,
    Line,
    NewLine,
    ByteOrder,
    Parameter,
    Tcl,
    Nul,
}

impl Mark {
    fn text(self) -> &'static str {
        match self {
            Self::Next => ";",
            Self::Open => "(",
            Self::Close => ")",
            Self::Comma => ",",
            Self::Star => "*",
            Self::Is => "=",
            Self::Quote => "'",
            Self::Double => "\"",
            Self::Bracket => "[",
            Self::Backtick => "`",
            Self::Comment => "/*",
            Self::CommentEnd => "*/",
            Self::Line => "--",
            Self::NewLine => "\n",
            Self::ByteOrder => "\u{feff}",
            Self::Parameter => ":a",
            Self::Tcl => "$a::b(",
            Self::Nul => "\0",
        }
    }
}

/// One call of `sql().execute`: fragments side by side, or with spaces between them.
#[derive(Clone, Debug, TypeGenerator)]
struct Statement {
    pieces: Vec<Piece>,
    is_spaced: bool,
}

impl Statement {
    fn text(&self) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Whole(template, first, second, conflict) => {
                let words = template.text().split(' ').map(|word| match word {
                    "A" => first.text(),
                    "B" => second.text(),
                    "C" => conflict.text(),
                    "RAISE(C," => match conflict {
                        Conflict::Rollback => "RAISE(ROLLBACK,",
                        _ => "RAISE(ABORT,",
                    },
                    word => word,
                });
                words.collect::<Vec<_>>().join(" ") + ";"
            }
            Piece::Keyword(keyword) => keyword.text().to_owned(),
            Piece::Name(name) => name.text().to_owned(),
            Piece::Mark(mark) => mark.text().to_owned(),
            Piece::Number(number) => number.to_string(),
            Piece::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Piece::Raw(raw) => raw.clone(),
        });
        let separator = if self.is_spaced { " " } else { "" };
        pieces.collect::<Vec<_>>().join(separator)
    }
}

/// Runs a text as an object's `sql().execute` does.
fn run(database: &Database, text: &str) -> Result<SqlRows, StorageError> {
    check(text)?;
    let parameters = vec![SqlValue::Text("open".to_owned()); text.matches('?').count()];
    database.sql(text, &parameters)
}

/// A database in use: another turn has uncommitted writes.
fn database_in_use() -> Database {
    let mut database = Database::in_memory().expect("a database in memory");
    database.put("committed", b"1").expect("room");
    database.set_alarm(Some(5)).expect("room");
    for statement in [
        "CREATE TABLE t (a UNIQUE, b)",
        "CREATE TABLE u (a PRIMARY KEY REFERENCES t (a), b)",
        "CREATE VIEW v AS SELECT * FROM t",
        "INSERT INTO t VALUES ('x', 1), (1, 2)",
        // The runtime creates its own tables with this function.
        "CREATE TABLE _anchorhold_schedule (a, b)",
        "INSERT INTO _anchorhold_schedule VALUES (1, 1)",
    ] {
        database.sql(statement, &[]).expect(statement);
    }
    database.commit().expect("a database in memory");
    database.put("open", b"2").expect("room");
    database
}

/// Checks what no statement of an object may change.
fn assert_whole(database: &Database, after: &str) {
    let runs = "SELECT sum(a) AS runs, count(*) FROM _anchorhold_schedule";
    assert!(
        database.is_in_transaction(),
        "the transaction ended: {after:?}"
    );
    database.check_transaction().expect(after);
    let read = |key| database.get(key).expect(after);
    assert_eq!(read("committed").as_deref(), Some(&b"1"[..]), "{after:?}");
    assert_eq!(read("open").as_deref(), Some(&b"2"[..]), "{after:?}");
    assert_eq!(database.list(&Default::default()).expect(after).len(), 2);
    assert_eq!(database.alarm().expect(after), Some(5), "{after:?}");
    let counted = database.guard.trusted(|| database.sql(runs, &[]));
    let counted = counted.expect(after).rows;
    assert_eq!(counted, [vec![1.into(), 1.into()]], "{after:?}");
}

target!(
    statements_end_no_transaction_and_reach_no_table_of_the_runtime,
    produce::<Vec<Statement>>(),
    |statements| {
        let mut database = database_in_use();
        for statement in statements {
            let text = statement.text();
            let result = run(&database, &text);
            assert!(
                !matches!(result, Err(StorageError::Io(_))),
                "{text:?}: {result:?}"
            );
            assert_whole(&database, &text);
        }
        match database.commit() {
            // A dangling reference is reported, and rolls everything back.
            Err(error) => assert!(error.to_string().contains("FOREIGN KEY"), "{error}"),
            Ok(_) => assert_eq!(database.get("open").expect("read"), Some(b"2".to_vec())),
        }
    }
);

/// Further names of SQLite's own that are not on the lists.
const OTHERS: &[&str] = &[
    "load_extension",
    "sqlite_version",
    "sqlite_compileoption_get",
    "writable_schema",
    "journal_mode",
    "schema_version",
    "user_version",
    "wal_checkpoint",
    "locking_mode",
    "synchronous",
    "max_page_count",
    "incremental_vacuum",
    "trusted_schema",
    "dbstat",
    "sqlite_dbpage",
    "bytecode",
    "generate_series",
    "fts5_source_id",
    "fts5_insttoken",
    "soundex",
    "total",
];

target!(
    functions_pragmas_and_modules_follow_the_lists,
    produce::<(u16, bool, u8)>(),
    |(number, capitals, kind)| {
        let pragmas = PRAGMAS.iter().map(|(name, _)| *name);
        let names = FUNCTIONS.iter().copied().chain(pragmas);
        let names: Vec<&str> = names
            .chain(MODULES.iter().copied())
            .chain(OTHERS.iter().copied())
            .collect();
        let name = names[usize::from(*number) % names.len()];
        let spelled = if *capitals {
            name.to_uppercase()
        } else {
            name.to_owned()
        };
        let (statement, is_listed) = match kind % 3 {
            0 => (
                format!("SELECT \"{spelled}\"(1)"),
                FUNCTIONS.contains(&name),
            ),
            1 => (
                format!("PRAGMA {spelled}"),
                PRAGMAS.iter().any(|(pragma, _)| *pragma == name),
            ),
            _ => (
                format!("CREATE VIRTUAL TABLE fresh USING {spelled}(a, b, c)"),
                MODULES.contains(&name),
            ),
        };
        let database = database_in_use();
        match run(&database, &statement) {
            Ok(_) => assert!(
                // SQLite knows these under two names, and reports the other.
                is_listed || matches!(name, "max" | "min") || kind % 3 == 1 && !is_pragma(name),
                "{statement} was allowed"
            ),
            Err(error) => {
                let refused = error.to_string().contains("is not allowed by the platform");
                assert!(
                    !(refused && is_listed) || error.to_string().contains("with"),
                    "{statement}: {error}"
                );
            }
        }
        assert_whole(&database, &statement);
    }
);

/// SQLite ignores an unknown pragma without calling the authorizer.
fn is_pragma(name: &str) -> bool {
    PRAGMAS.iter().any(|(pragma, _)| *pragma == name)
        || name.contains('_') && OTHERS.contains(&name)
}
