//! SQL: what is refused, how values are converted, and the limits.

use anchorhold::StorageError;
use conformance::{Step, StepResult};
use host_tests::Client;
use serde_json::{Value, json};

use crate::case::Case;
use crate::storage::{run, run_well};

pub const CASES: &[Case] = &[
    Case::together(
        "transactions, attachments, temporary and internal tables are refused in SQL",
        "P48",
        refused,
    ),
    Case::together(
        "SQL values are null, number, text and blob, integers exact to 2^53",
        "P49",
        values,
    ),
    Case::together(
        "a bound number is REAL where no column says otherwise",
        "P49",
        bound_numbers,
    ),
    Case::together(
        "an error of SQL is in SQLite's words and without the statement",
        "",
        errors,
    ),
    Case::together(
        "a statement has up to 100 kB, 100 parameters, 100 columns",
        "P50",
        sizes,
    ),
    Case::together(
        "patterns, depth and compounds are bounded",
        "P50",
        complexity,
    ),
    Case::together(
        "functions and pragmas are those of the platform",
        "P50",
        functions,
    ),
    Case::together(
        "full-text search, r-trees, JSON and mathematics are there",
        "P50",
        extensions,
    ),
    Case::together("migrations run once", "", migrations),
    Case::together(
        "no statement takes back what others wrote",
        "P48",
        rollbacks_refused,
    )
    .remark("the platform lets ROLLBACK as an answer to a conflict through; anchorhold refuses it on both hosts"),
    Case::together(
        "a constraint that fails at the commit fails every write of that commit",
        "P51",
        deferred_violations,
    ),
    Case::together(
        "tables are altered, and read as they are then",
        "P50",
        alterations,
    ),
];

fn sql(statement: impl Into<String>) -> Step {
    with(statement, Vec::new())
}

fn with(statement: impl Into<String>, parameters: Vec<Value>) -> Step {
    Step::Sql {
        statement: statement.into(),
        parameters,
    }
}

#[track_caller]
fn assert_refused(result: &StepResult, statement: &str) {
    let shown: String = statement.chars().take(80).collect();
    assert!(
        matches!(result, Err(StorageError::Sql(_) | StorageError::Limit(_))),
        "{shown}: {result:?}"
    );
}

/// Runs statements that must be refused, and checks that the object continues.
fn refuse(client: &Client, object: &str, statements: &[&str]) {
    let script: Vec<_> = statements.iter().map(|statement| sql(*statement)).collect();
    for (result, statement) in run(client, object, &script).iter().zip(statements) {
        assert_refused(result, statement);
    }
    assert_eq!(run_well(client, object, &[sql("SELECT 1")]), [json!([[1]])]);
}

fn refused(client: &Client) {
    refuse(
        client,
        "refused",
        &[
            "BEGIN",
            "COMMIT",
            "ROLLBACK",
            "SAVEPOINT mine",
            "RELEASE mine",
            "ATTACH DATABASE ':memory:' AS other",
            "DETACH DATABASE main",
            "CREATE TEMPORARY TABLE mine (x)",
            "CREATE TEMP VIEW mine AS SELECT 1",
            "CREATE TABLE temp.mine (x)",
            "CREATE TABLE _cf_mine (x)",
            "SELECT * FROM _cf_KV",
            "DELETE FROM _cf_KV",
            "DROP TABLE _cf_KV",
            "CREATE TABLE mine (x); BEGIN",
            "this is not SQL",
            "SELECT * FROM nowhere",
            "SELECT 1; SELECT",
        ],
    );
}

fn values(client: &Client) {
    let bytes: Vec<_> = (0..=255).collect::<Vec<u8>>();
    let exact = 1_i64 << 53;
    let results = run(
        client,
        "values",
        &[
            sql("CREATE TABLE t (a, b)"),
            with("INSERT INTO t VALUES (?, ?)", vec![Value::Null, json!(-7)]),
            with(
                "INSERT INTO t VALUES (?, ?)",
                vec![json!(0.5), json!("ü\u{10ffff}'; --")],
            ),
            with(
                "INSERT INTO t VALUES (?, ?)",
                vec![json!(bytes), json!(exact)],
            ),
            sql("SELECT a, b FROM t ORDER BY rowid"),
            sql("SELECT 9007199254740993, -9007199254740992"),
            with("SELECT ?, 1", vec![json!(exact + 1)]),
        ],
    );
    assert_eq!(
        results[4],
        Ok(json!([
            [null, -7],
            [0.5, "ü\u{10ffff}'; --"],
            [bytes, exact]
        ]))
    );
    assert_eq!(
        results[5],
        Ok(json!([[exact, -exact]])),
        "beyond 2^53 it is a double's neighbour"
    );
    assert!(
        matches!(results[6], Err(StorageError::Limit(_))),
        "{:?}",
        results[6]
    );
}

fn bound_numbers(client: &Client) {
    let results = run(
        client,
        "bound-numbers",
        &[
            with("SELECT typeof(?), ?1 / 2, CAST(?1 AS TEXT)", vec![json!(7)]),
            with("SELECT CAST(? AS INTEGER) / 2", vec![json!(7)]),
            sql("CREATE TABLE t (whole INTEGER, number NUMERIC, any)"),
            with("INSERT INTO t VALUES (?1, ?1, ?1)", vec![json!(7)]),
            sql("SELECT typeof(whole), typeof(number), typeof(any) FROM t"),
            with(
                "SELECT count(*) FROM t WHERE any = ? LIMIT ?",
                vec![json!(7), json!(1)],
            ),
            sql("SELECT -9223372036854775808"),
        ],
    );
    assert_eq!(results[0], Ok(json!([["real", 3.5, "7.0"]])));
    assert_eq!(results[1], Ok(json!([[3]])));
    assert_eq!(results[4], Ok(json!([["integer", "integer", "real"]])));
    assert_eq!(results[5], Ok(json!([[1]])));
    assert_eq!(
        results[6],
        Ok(json!([[-9_223_372_036_854_775_808.0]])),
        "a double, and no integer that looks exact"
    );
}

fn errors(client: &Client) {
    let results = run(
        client,
        "errors",
        &[
            sql("SELEC 'secret'"),
            sql("SELECT 'secret' FROM nowhere"),
            sql("CREATE TABLE t (a UNIQUE)"),
            sql("INSERT INTO t VALUES (1), (1)"),
            sql(""),
            sql(" -- nothing"),
        ],
    );
    for (index, said) in [
        (4, "the text contains no statement"),
        (5, "the text contains no statement"),
        (0, "near \"SELEC\": syntax error at offset 0"),
        (1, "no such table: nowhere"),
        (3, "UNIQUE constraint failed: t.a"),
    ] {
        assert_eq!(results[index], Err(StorageError::Sql(said.to_owned())));
    }
    for (given, parameters) in [(1, vec![json!(1)]), (3, vec![json!(1); 3])] {
        let result = &run(client, "errors", &[with("SELECT ?, ?", parameters)])[0];
        assert!(
            matches!(result, Err(StorageError::Usage(message)) if message.contains(&given.to_string())),
            "{result:?}"
        );
    }
}

fn sizes(client: &Client) {
    let padded =
        |bytes: usize| format!("SELECT 1 /*{}*/", "x".repeat(bytes - "SELECT 1 /**/".len()));
    let parameters = |count: usize| {
        let places = vec!["?"; count].join(" AND ");
        with(format!("SELECT {places}"), vec![json!(1); count])
    };
    let columns = |count: usize| sql(format!("SELECT {}", vec!["1"; count].join(", ")));
    let table = |name: &str, count: usize| {
        let columns: Vec<_> = (0..count).map(|number| format!("c{number}")).collect();
        sql(format!("CREATE TABLE {name} ({})", columns.join(", ")))
    };
    let results = run(
        client,
        "sizes",
        &[
            sql(padded(100_000)),
            parameters(90),
            columns(100),
            table("wide", 100),
            sql(padded(100_001)),
            parameters(101),
            columns(101),
            table("wider", 101),
        ],
    );
    for (index, result) in results[..4].iter().enumerate() {
        assert!(result.is_ok(), "step {index}: {result:?}");
    }
    for (index, result) in results[4..].iter().enumerate() {
        assert_refused(result, &format!("step {}", index + 4));
    }
}

fn complexity(client: &Client) {
    let like = |bytes| with("SELECT 'x' LIKE ?", vec![json!("x".repeat(bytes))]);
    let depth = |levels: usize| {
        sql(format!(
            "SELECT {}1{}",
            "-(".repeat(levels),
            ")".repeat(levels)
        ))
    };
    let compound = |count| sql(vec!["SELECT 1"; count].join(" UNION ALL "));
    let results = run(
        client,
        "complexity",
        &[
            like(50),
            depth(90),
            compound(5),
            like(51),
            depth(110),
            compound(6),
        ],
    );
    for (index, result) in results[..3].iter().enumerate() {
        assert!(result.is_ok(), "step {index}: {result:?}");
    }
    for (index, result) in results[3..].iter().enumerate() {
        assert_refused(result, &format!("step {}", index + 3));
    }
}

fn functions(client: &Client) {
    refuse(
        client,
        "functions",
        &[
            "SELECT load_extension('x')",
            "SELECT sqlite_compileoption_get(0)",
            "PRAGMA journal_mode",
            "PRAGMA journal_mode = OFF",
            "PRAGMA writable_schema = ON",
            "PRAGMA user_version = 1",
            "PRAGMA database_list",
            "VACUUM",
        ],
    );
    let results = run_well(
        client,
        "functions",
        &[
            sql("CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT NOT NULL)"),
            sql("SELECT name FROM pragma_table_info('t')"),
            sql("PRAGMA table_info(t)"),
            sql(
                "SELECT upper('a'), abs(-1), coalesce(NULL, 2), length('ü'), typeof(1.5), hex('a'), round(2.5)",
            ),
            sql("SELECT count(*), sum(x), group_concat(y) FROM t"),
            sql("SELECT date(0, 'unixepoch'), strftime('%Y', 0, 'unixepoch')"),
        ],
    );
    assert_eq!(results[1], json!([["x"], ["y"]]));
    assert_eq!(results[2].as_array().map(Vec::len), Some(2));
    assert_eq!(results[3], json!([["A", 1, 2, 1, "real", "61", 3]]));
    assert_eq!(results[4], json!([[0, null, null]]));
    assert_eq!(results[5], json!([["1970-01-01", "1970"]]));
}

fn extensions(client: &Client) {
    let results = run_well(
        client,
        "extensions",
        &[
            sql("CREATE VIRTUAL TABLE notes USING fts5(body)"),
            sql("INSERT INTO notes VALUES ('the quick brown fox'), ('a lazy dog')"),
            sql("SELECT body FROM notes WHERE notes MATCH 'quick'"),
            sql("CREATE VIRTUAL TABLE boxes USING rtree(id, left, right)"),
            sql("INSERT INTO boxes VALUES (1, 0, 10), (2, 20, 30)"),
            sql("SELECT id FROM boxes WHERE left > 15"),
            sql(
                r#"SELECT json_extract('{"a": [1, 2]}', '$.a[1]'), json_array_length('[1, 2, 3]')"#,
            ),
            sql("SELECT value FROM json_each('[5, 6]')"),
            sql("SELECT sqrt(16), pow(2, 10), floor(1.5), round(sin(0), 3)"),
        ],
    );
    assert_eq!(results[2], json!([["the quick brown fox"]]));
    assert_eq!(results[5], json!([[2]]));
    assert_eq!(results[6], json!([[2, 3]]));
    assert_eq!(results[7], json!([[5], [6]]));
    assert_eq!(results[8], json!([[4, 1024, 1, 0]]));
}

fn migrations(client: &Client) {
    for _ in 0..2 {
        assert_eq!(
            run_well(client, "migrations", &[sql("SELECT at FROM migrated")]),
            [json!([[1]])]
        );
    }
}

fn rollbacks_refused(client: &Client) {
    let object = "rollbacks";
    run_well(
        client,
        object,
        &[
            sql("CREATE TABLE t (x UNIQUE, \"rollback\" DEFAULT 'ROLLBACK')"),
            sql("INSERT INTO t (x) VALUES (1)"),
        ],
    );
    let put = || Step::Put {
        key: "kept".to_owned(),
        value: json!(1),
    };
    for statement in [
        "INSERT OR ROLLBACK INTO t (x) VALUES (1)",
        "insert or/**/rollback into t (x) values (1)",
        "UPDATE OR ROLLBACK t SET x = 1",
        "CREATE TABLE u (x UNIQUE ON CONFLICT ROLLBACK)",
        "CREATE TRIGGER r BEFORE INSERT ON t BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
        "SELECT 1; INSERT OR ROLLBACK INTO t (x) VALUES (1)",
    ] {
        let results = run(client, object, &[put(), sql(statement)]);
        assert_refused(&results[1], statement);
        assert!(
            matches!(&results[1], Err(StorageError::Sql(message)) if message.contains("ABORT")),
            "the message says what to use: {:?}",
            results[1]
        );
    }
    let results = run(
        client,
        object,
        &[
            put(),
            sql("INSERT OR ABORT INTO t (x) VALUES (1)"),
            sql("INSERT OR IGNORE INTO t (x) VALUES (1)"),
            sql("SELECT \"rollback\" FROM t -- not a ROLLBACK"),
            Step::Get {
                key: "kept".to_owned(),
            },
        ],
    );
    assert_refused(&results[1], "a conflict");
    assert_eq!(results[3], Ok(json!([["ROLLBACK"]])));
    assert_eq!(results[4], Ok(json!(1)));
}

fn alterations(client: &Client) {
    let all = || sql("SELECT * FROM t");
    let results = run_well(
        client,
        "alterations",
        &[
            sql("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)"),
            sql("CREATE INDEX by_b ON t (b)"),
            sql("INSERT INTO t VALUES (1, 'x')"),
            all(),
            sql("ALTER TABLE t ADD COLUMN c DEFAULT 3"),
            all(),
            sql("ALTER TABLE t RENAME COLUMN b TO body"),
            sql("SELECT body FROM t"),
            sql("ALTER TABLE t DROP COLUMN c"),
            all(),
            sql("ALTER TABLE t RENAME TO other"),
            sql("ALTER TABLE other RENAME TO t"),
            all(),
        ],
    );
    assert_eq!(results[3], json!([[1, "x"]]));
    assert_eq!(results[5], json!([[1, "x", 3]]));
    assert_eq!(results[7], json!([["x"]]));
    assert_eq!(results[9], json!([[1, "x"]]));
    assert_eq!(results[12], json!([[1, "x"]]));
    refuse(
        client,
        "alterations",
        &[
            "ALTER TABLE t RENAME TO _cf_mine",
            "ALTER TABLE _cf_KV RENAME TO mine",
        ],
    );
}

fn deferred_violations(client: &Client) {
    let object = "deferred";
    run_well(
        client,
        object,
        &[
            sql("CREATE TABLE p (id INTEGER PRIMARY KEY)"),
            sql("CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"),
        ],
    );
    let path = format!("/storage/{object}/run");
    for round in 0..10 {
        let key = format!("of-another-turn-{round}");
        let put = vec![Step::Put {
            key: key.clone(),
            value: json!(round),
        }];
        let (violating, other) = std::thread::scope(|scope| {
            let violating =
                scope.spawn(|| client.post(&path, vec![sql("INSERT INTO c VALUES (9)")]));
            let other = scope.spawn(|| client.post(&path, &put));
            let joined =
                |answer: std::thread::ScopedJoinHandle<'_, _>| answer.join().expect("an answer");
            (joined(violating), joined(other))
        });
        let violating = violating.expect_status(500);
        assert_eq!(
            violating.error_message().as_deref(),
            Some("SQL: FOREIGN KEY constraint failed"),
            "the same writes would fail again: no reset that is worth a retry"
        );
        let found = run_well(
            client,
            object,
            &[sql("SELECT count(*) FROM c"), Step::Get { key }],
        );
        assert_eq!(found[0], json!([[0]]));
        // An answer in flight beside a reset may end with its connection, so the reverse does not
        // prove anything.
        if other.status == 200 {
            assert_eq!(found[1], json!(round), "an acknowledged write is lost");
        }
    }
}
