//! Decides what an object's own SQL may do (P48, P50), as workerd's `sqlite.c++` does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Error};

use super::allowed::{FUNCTIONS, MODULES, PRAGMAS};
use crate::limits::MAX_STATEMENT;
use crate::storage::sql_text::is_reserved;

/// The maximum size of a string, a blob or a row: 2 MiB for key and value, and what SQLite adds to
/// a row.
const MAX_ROW: i32 = 2 * 1024 * 1024 + 64;

/// The beginning of every cached statement of the object's. No statement of the runtime begins like
/// this, so the two never share a prepared statement. This matters because a statement is
/// authorized only once, when it is prepared.
pub(super) const USERS_MARK: &str = "/* object */ ";

/// How long one call of the object's SQL may run. This is as long as the platform lets an event use
/// the processor (P74).
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(30);
/// How many steps of SQLite's machine run between two checks of the clock.
const STEPS: i32 = 1_000;

/// Guards a database against an object's SQL.
pub(super) struct Guard {
    /// Whether the statement is the runtime's own.
    trusted: AtomicBool,
    /// Why the last statement was refused. SQLite reports only "not authorized".
    refusal: Mutex<Option<String>>,
    /// When the object's running statement exceeds its limit.
    deadline: Mutex<Option<Instant>>,
}

impl Guard {
    pub(super) fn install(connection: &mut Connection) -> Result<Arc<Self>, Error> {
        let guard = Arc::new(Self {
            trusted: AtomicBool::new(true),
            refusal: Mutex::new(None),
            deadline: Mutex::new(None),
        });
        let in_hook = Arc::clone(&guard);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            in_hook.authorize(&context)
        }))?;
        let in_hook = Arc::clone(&guard);
        connection.progress_handler(STEPS, Some(move || in_hook.is_overdue()))?;
        // Prevents direct writes to the schema and to the tables behind a virtual table.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        let longest = i32::try_from(MAX_STATEMENT + USERS_MARK.len()).unwrap_or(i32::MAX);
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, MAX_ROW),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, longest),
            (Limit::SQLITE_LIMIT_COLUMN, 100),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
            (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
            (Limit::SQLITE_LIMIT_FUNCTION_ARG, 127),
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

    /// Runs a statement of the object's. Everything that SQLite prepares meanwhile is checked,
    /// including statements prepared again after a schema change.
    pub(super) fn untrusted<T>(&self, limit: Duration, run: impl FnOnce() -> T) -> T {
        *self.deadline() = Instant::now().checked_add(limit);
        let _trust = Trust::set(self, false);
        let result = run();
        *self.deadline() = None;
        result
    }

    /// Runs a statement of the runtime's own during one of the object's.
    pub(super) fn trusted<T>(&self, run: impl FnOnce() -> T) -> T {
        let _trust = Trust::set(self, true);
        run()
    }

    fn deadline(&self) -> MutexGuard<'_, Option<Instant>> {
        self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_overdue(&self) -> bool {
        !self.trusted.load(Ordering::Relaxed)
            && self
                .deadline()
                .is_some_and(|deadline| deadline <= Instant::now())
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

/// Sets whether statements prepared meanwhile are trusted. Dropping this restores the previous
/// setting.
struct Trust<'a> {
    guard: &'a Guard,
    before: bool,
}

impl<'a> Trust<'a> {
    fn set(guard: &'a Guard, trusted: bool) -> Self {
        let before = guard.trusted.swap(trusted, Ordering::Relaxed);
        Self { guard, before }
    }
}

impl Drop for Trust<'_> {
    fn drop(&mut self) {
        self.guard.trusted.store(self.before, Ordering::Relaxed);
    }
}

fn refusal(context: &AuthContext<'_>) -> Option<String> {
    let temporary = || Some("temporary tables are not allowed".to_owned());
    let one_database =
        || Some("an object has one database: ATTACH, DETACH and VACUUM are not allowed".to_owned());
    // For ALTER TABLE, SQLite passes the database in another argument, and a column in its place.
    let (database, column) = match context.action {
        AuthAction::AlterTable { database_name, .. } => {
            (Some(database_name), context.database_name)
        }
        _ => (context.database_name, None),
    };
    match database {
        // ALTER TABLE also looks for references to the table in the temporary schema.
        Some(name) if name.eq_ignore_ascii_case("temp") => match context.action {
            AuthAction::Read { table_name, .. } | AuthAction::Update { table_name, .. } => {
                return reserved(table_name);
            }
            _ => return temporary(),
        },
        Some(name) if !name.eq_ignore_ascii_case("main") => return one_database(),
        _ => {}
    }
    match context.action {
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => Some(
            "BEGIN, COMMIT and SAVEPOINT are not allowed: use `ctx.storage().transaction(…)`"
                .to_owned(),
        ),
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => one_database(),
        AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::DropTempIndex { .. }
        | AuthAction::DropTempTable { .. }
        | AuthAction::DropTempTrigger { .. }
        | AuthAction::DropTempView { .. } => temporary(),
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
        | AuthAction::Reindex { index_name: name } => reserved(name),
        // SQLite does not pass the new name of a table. `sql_text::check` checks it.
        AuthAction::AlterTable { table_name, .. } => {
            reserved(table_name).or_else(|| column.and_then(reserved))
        }
        AuthAction::CreateVtable {
            table_name,
            module_name,
        }
        | AuthAction::DropVtable {
            table_name,
            module_name,
        } => reserved(table_name).or_else(|| unlisted("the module", module_name, MODULES)),
        AuthAction::Pragma {
            pragma_name,
            pragma_value,
        } => refused_pragma(pragma_name, pragma_value),
        AuthAction::Function { function_name } => {
            unlisted("the function", function_name, FUNCTIONS)
        }
        // What ANALYZE stores about a table does not reveal its contents. Without a name, it reads
        // all tables.
        AuthAction::Analyze { .. } | AuthAction::Select | AuthAction::Recursive => None,
        _ => Some("an operation that this host does not know is not allowed".to_owned()),
    }
}

fn refused_pragma(name: &str, value: Option<&str>) -> Option<String> {
    let Some((_, argument)) = PRAGMAS
        .iter()
        .find(|(allowed, _)| allowed.eq_ignore_ascii_case(name))
    else {
        return Some(format!("PRAGMA `{name}` is not allowed by the platform"));
    };
    if argument.allows(value, is_reserved) {
        return None;
    }
    value.and_then(reserved).or_else(|| {
        Some(format!(
            "PRAGMA `{name}` is not allowed by the platform with {}",
            value.map_or_else(|| "no argument".to_owned(), |value| format!("`{value}`"))
        ))
    })
}

fn reserved(name: &str) -> Option<String> {
    is_reserved(name)
        .then(|| format!("`{name}`: names that begin `_cf_` are reserved by the platform"))
}

fn unlisted(kind: &str, name: &str, list: &[&str]) -> Option<String> {
    let listed = list
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(name));
    (!listed).then(|| format!("{kind} `{name}` is not allowed by the platform"))
}
