//! Schema migrations. They are declared on the struct and run in order, each once in an object's
//! life.

use super::sql_text;
use crate::codec::message_pack;
use crate::error::StorageError;
use crate::limits::INTERNAL_PREFIX;
use crate::object::class::Class;
use crate::platform::ObjectState;

/// Runs the migrations that this object has not had. Each runs in one transaction with the record
/// that it ran, so that none runs twice or partially.
pub(crate) fn migrate(state: &ObjectState, class: &Class) -> Result<(), StorageError> {
    if class.migrations.is_empty() {
        return Ok(());
    }
    let key = format!("{INTERNAL_PREFIX}migrations");
    let undecodable = |message| StorageError::Undecodable {
        subject: "the count of migrations".to_owned(),
        message,
    };
    let done: usize = match state.get(&key)? {
        Some(bytes) => message_pack::decode(&bytes).map_err(undecodable)?,
        None => 0,
    };
    for (index, migration) in class.migrations.iter().enumerate().skip(done) {
        let mut result = Ok(());
        state.transaction(&mut || {
            result = sql_text::check(migration)
                .and_then(|()| state.sql(migration, &[]))
                .and_then(|_| {
                    let count = message_pack::encode(&(index + 1)).map_err(undecodable)?;
                    state.put(&key, &count)
                });
            result.is_ok()
        })?;
        result.map_err(|error| {
            StorageError::Sql(format!(
                "migration {} of {} failed: {error}",
                index + 1,
                class.name
            ))
        })?;
    }
    Ok(())
}
