//! What an object's own SQL may do (P48, P50). The lists are those of workerd's `sqlite.c++`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Error};

/// A string, a blob or a row: 2 MiB for key and value, and what SQLite adds to a row.
const MAX_ROW: i32 = 2 * 1024 * 1024 + 64;

const PRAGMAS: &[&str] = &[
    "case_sensitive_like",
    "data_version",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "function_list",
    "ignore_check_constraints",
    "index_info",
    "index_list",
    "index_xinfo",
    "legacy_alter_table",
    "optimize",
    "quick_check",
    "recursive_triggers",
    "reverse_unordered_selects",
    "table_info",
    "table_list",
    "table_xinfo",
];

const FUNCTIONS: &[&str] = &[
    // Core.
    "abs",
    "changes",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "format",
    "glob",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "last_insert_rowid",
    "length",
    "like",
    "likelihood",
    "likely",
    "lower",
    "ltrim",
    "max",
    "min",
    "nullif",
    "octet_length",
    "printf",
    "quote",
    "random",
    "randomblob",
    "replace",
    "round",
    "rtrim",
    "sign",
    "substr",
    "substring",
    "total_changes",
    "trim",
    "typeof",
    "unhex",
    "unicode",
    "unlikely",
    "upper",
    "zeroblob",
    // Date and time.
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "julianday",
    "strftime",
    "time",
    "timediff",
    "unixepoch",
    // Aggregates and windows.
    "avg",
    "count",
    "cume_dist",
    "dense_rank",
    "first_value",
    "group_concat",
    "lag",
    "last_value",
    "lead",
    "median",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
    "string_agg",
    "sum",
    "total",
    // Mathematics.
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "ceil",
    "ceiling",
    "cos",
    "cosh",
    "degrees",
    "exp",
    "floor",
    "ln",
    "log",
    "log10",
    "log2",
    "mod",
    "pi",
    "pow",
    "power",
    "radians",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    // JSON.
    "->",
    "->>",
    "json",
    "json_array",
    "json_array_length",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_patch",
    "json_pretty",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_type",
    "json_valid",
    "jsonb",
    "jsonb_array",
    "jsonb_extract",
    "jsonb_group_array",
    "jsonb_group_object",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_patch",
    "jsonb_remove",
    "jsonb_replace",
    "jsonb_set",
    // Full text and R-trees.
    "bm25",
    "fts5",
    "fts5_get_locale",
    "fts5_insttoken",
    "fts5_locale",
    "fts5_source_id",
    "highlight",
    "match",
    "snippet",
    "rtreecheck",
    "rtreedepth",
    "rtreenode",
];

const MODULES: &[&str] = &["fts5", "fts5vocab", "rtree", "rtree_i32"];

/// Stands between an object's SQL and its database.
pub(super) struct Guard {
    /// The statement is the runtime's own.
    trusted: AtomicBool,
    /// Why the last statement was refused, which SQLite reports as "not authorized" only.
    refusal: Mutex<Option<String>>,
}

impl Guard {
    pub(super) fn install(connection: &mut Connection) -> Result<Arc<Self>, Error> {
        let guard = Arc::new(Self {
            trusted: AtomicBool::new(true),
            refusal: Mutex::new(None),
        });
        let in_hook = Arc::clone(&guard);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            in_hook.authorize(&context)
        }))?;
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, MAX_ROW),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
            (Limit::SQLITE_LIMIT_COLUMN, 100),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
            (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
            (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(limit, value)?;
        }
        Ok(guard)
    }

    /// Runs a statement of the object's: everything it prepares meanwhile is checked.
    pub(super) fn untrusted<T>(&self, run: impl FnOnce() -> T) -> T {
        self.trusted.store(false, Ordering::Relaxed);
        let result = run();
        self.trusted.store(true, Ordering::Relaxed);
        result
    }

    /// Runs a statement of the runtime's own amid one of the object's.
    pub(super) fn trusted<T>(&self, run: impl FnOnce() -> T) -> T {
        self.trusted.store(true, Ordering::Relaxed);
        let result = run();
        self.trusted.store(false, Ordering::Relaxed);
        result
    }

    pub(super) fn take_refusal(&self) -> Option<String> {
        self.refusal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn authorize(&self, context: &AuthContext<'_>) -> Authorization {
        if self.trusted.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
        match refusal(context) {
            None => Authorization::Allow,
            Some(refusal) => {
                *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
                Authorization::Deny
            }
        }
    }
}

fn refusal(context: &AuthContext<'_>) -> Option<String> {
    if context
        .database_name
        .is_some_and(|name| name.eq_ignore_ascii_case("temp"))
    {
        return Some("temporary tables are not allowed".to_owned());
    }
    match context.action {
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => Some(
            "BEGIN, COMMIT and SAVEPOINT are not allowed: use `ctx.storage().transaction(…)`"
                .to_owned(),
        ),
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
            Some("an object has one database: ATTACH, DETACH and VACUUM are not allowed".to_owned())
        }
        AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::DropTempIndex { .. }
        | AuthAction::DropTempTable { .. }
        | AuthAction::DropTempTrigger { .. }
        | AuthAction::DropTempView { .. } => Some("temporary tables are not allowed".to_owned()),
        AuthAction::CreateIndex {
            index_name: first,
            table_name: second,
        }
        | AuthAction::DropIndex {
            index_name: first,
            table_name: second,
        }
        | AuthAction::CreateTrigger {
            trigger_name: first,
            table_name: second,
        }
        | AuthAction::DropTrigger {
            trigger_name: first,
            table_name: second,
        } => reserved(first).or_else(|| reserved(second)),
        AuthAction::CreateTable { table_name: name }
        | AuthAction::DropTable { table_name: name }
        | AuthAction::CreateView { view_name: name }
        | AuthAction::DropView { view_name: name }
        | AuthAction::Delete { table_name: name }
        | AuthAction::Insert { table_name: name }
        | AuthAction::Read {
            table_name: name, ..
        }
        | AuthAction::Update {
            table_name: name, ..
        }
        | AuthAction::AlterTable {
            table_name: name, ..
        }
        | AuthAction::Analyze { table_name: name }
        | AuthAction::Reindex { index_name: name } => reserved(name),
        AuthAction::CreateVtable {
            table_name,
            module_name,
        }
        | AuthAction::DropVtable {
            table_name,
            module_name,
        } => reserved(table_name).or_else(|| unlisted("the module", module_name, MODULES)),
        // R-trees ask for it when they are made.
        AuthAction::Pragma {
            pragma_name: "page_size",
            pragma_value: None,
        } => None,
        AuthAction::Pragma { pragma_name, .. } => unlisted("PRAGMA", pragma_name, PRAGMAS),
        AuthAction::Function { function_name } => {
            unlisted("the function", function_name, FUNCTIONS)
        }
        AuthAction::Select | AuthAction::Recursive => None,
        _ => Some("an operation that this host does not know is not allowed".to_owned()),
    }
}

fn reserved(name: &str) -> Option<String> {
    let prefix = name.get(..4).unwrap_or_default();
    prefix
        .eq_ignore_ascii_case("_cf_")
        .then(|| format!("`{name}`: names that begin `_cf_` are reserved by the platform"))
}

fn unlisted(kind: &str, name: &str, list: &[&str]) -> Option<String> {
    let listed = list
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(name));
    (!listed).then(|| format!("{kind} `{name}` is not allowed by the platform"))
}
