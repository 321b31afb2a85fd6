//! Storage of the embedded host: one SQLite database per object, one index of alarms per folder.

mod allowed;
mod authorizer;
mod copy;
#[cfg(test)]
mod creation_tests;
mod database;
mod descriptors;
#[cfg(test)]
mod durability_tests;
mod durable;
mod entry;
mod failure;
mod files;
mod index;
mod index_writer;
mod key_value;
mod log;
mod math;
mod opening;
mod place;
#[cfg(test)]
mod power;
#[cfg(test)]
mod power_rounds;
mod rebuild;
#[cfg(test)]
mod sql_fuzz;
#[cfg(test)]
mod sql_lists;
#[cfg(test)]
mod sql_tests;
mod statement;
mod statement_text;
#[cfg(test)]
mod test_folder;
#[cfg(test)]
mod tests;

pub(crate) use database::Database;
pub(crate) use descriptors::Descriptors;
pub(crate) use entry::{Change, Due, Entry};
pub(crate) use failure::disk_is_full;
pub(crate) use files::{Files, Unsynced, has_database};
pub(crate) use index::Index;
pub(crate) use index_writer::IndexWriter;
