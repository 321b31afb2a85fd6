//! Random work on a data folder whose power fails repeatedly. The disk keeps any part of the
//! unsynced data. Each resulting folder must open and contain everything that was acknowledged.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::super::random::SplitMix;
use super::database::Database;
use super::files::Unsynced;
use super::power::Power;
use super::{Descriptors, Files};
use crate::error::StorageError;
use crate::storage::ListRange;

/// How many rounds each seed has. Every round ends with a power failure.
const ROUNDS: u64 = 10;
const SEEDS: u64 = 4;
const OBJECTS: usize = 3;
const KEYS: usize = 4;
/// The maximum number of operations in a round.
const OPERATIONS: usize = 24;

/// The values of an object's entries: the first byte of each, and its length.
type State = BTreeMap<String, (u8, usize)>;

#[derive(Default)]
struct Object {
    database: Option<Database>,
    /// The states that may be found: first what was acknowledged or shown, then the commits since.
    states: Vec<State>,
    /// The state including uncommitted writes.
    open: State,
    unsynced: Option<Unsynced>,
}

struct World {
    root: TempDir,
    files: Arc<Files>,
    objects: Vec<Object>,
    dice: SplitMix,
    /// The last operations, for the report of a failure.
    done: Vec<String>,
}

fn files_in(root: &TempDir) -> Arc<Files> {
    Arc::new(Files::new(root.path(), Descriptors::of(10_000)).expect("the files"))
}

fn state_of(database: &Database) -> Result<State, StorageError> {
    let entries = database.list(&ListRange::default())?.into_iter();
    Ok(entries
        .map(|(key, value)| (key, (value[0], value.len())))
        .collect())
}

impl World {
    fn new(seed: u64) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let files = files_in(&root);
        let object = || Object {
            states: vec![State::default()],
            ..Object::default()
        };
        Self {
            root,
            files,
            objects: (0..OBJECTS).map(|_| object()).collect(),
            dice: SplitMix::new(seed),
            done: Vec::new(),
        }
    }

    fn path(&self, number: usize) -> PathBuf {
        // Two of them share a folder.
        let folder = format!("objects/Counter/{}", number / 2);
        self.root
            .path()
            .join(folder)
            .join(format!("{number}.sqlite"))
    }

    fn note(&mut self, number: usize, what: impl std::fmt::Display) {
        self.done.push(format!("{number}: {what}"));
    }

    /// Opens the object as its wake does, or creates it. What it shows must be one of its states,
    /// and is durable from then on.
    fn wake(&mut self, number: usize) {
        if self.objects[number].database.is_some() {
            return;
        }
        let (found, database) = loop {
            match self.open(number) {
                Ok(opened) => break opened,
                Err(StorageError::Io(error)) if error.contains("injected") => {
                    self.note(number, error);
                }
                Err(error) => panic!("object {number}: {error}, after\n{:#?}", self.done),
            }
        };
        self.note(number, format_args!("woken with {found:?}"));
        let object = &mut self.objects[number];
        assert!(
            object.states.contains(&found),
            "object {number} has {found:?} instead of one of {:?} after\n{:#?}",
            object.states,
            self.done
        );
        object.open = found.clone();
        object.states = vec![found];
        object.database = Some(database);
    }

    fn open(&self, number: usize) -> Result<(State, Database), StorageError> {
        let path = self.path(number);
        let database = if path.exists() {
            Database::open(&self.files, &path)?
        } else {
            Database::new(&self.files, &path)?
        };
        Ok((state_of(&database)?, database))
    }

    fn write(&mut self, number: usize) {
        let key = format!("key{}", self.dice.below(KEYS));
        let byte = u8::try_from(self.dice.below(256)).expect("a byte");
        let length = [1, 300, 3_000, 9_000][self.dice.below(4)];
        self.note(number, format_args!("writes {key}"));
        let object = &mut self.objects[number];
        let database = object.database.as_ref().expect("awake");
        if self.dice.below(5) == 0 {
            database.delete(&key).expect("a deletion");
            object.open.remove(&key);
        } else {
            database.put(&key, &vec![byte; length]).expect("a write");
            object.open.insert(key, (byte, length));
        }
    }

    fn commit(&mut self, number: usize) {
        if self.objects[number].unsynced.is_some() {
            // Only one commit at a time.
            return;
        }
        self.note(number, "commits");
        let object = &mut self.objects[number];
        let database = object.database.as_mut().expect("awake");
        object.unsynced = database.commit().expect("a commit");
        object.states.push(object.open.clone());
        if object.unsynced.is_none() {
            // Nothing was changed.
            object.states.remove(0);
        }
    }

    /// Acknowledges the commit in flight, unless the sync fails.
    fn sync(&mut self, number: usize) {
        let Some(unsynced) = self.objects[number].unsynced.take() else {
            return;
        };
        let synced = unsynced.sync();
        self.note(number, format_args!("synced: {synced:?}"));
        let object = &mut self.objects[number];
        if synced.is_ok() {
            object.states.remove(0);
            return;
        }
        // Reported as lost. The object is reset, which closes its database.
        object.states.truncate(1);
        let database = object.database.take().expect("awake");
        database.close().expect("a close");
    }

    fn fail_next_sync(&mut self, number: usize) {
        if self.files.power.is_failing() {
            // After two consecutive failures, of a commit and of cutting it off, it may come back.
            return;
        }
        let failing = match self.dice.below(3) {
            0 => "-wal".to_owned(),
            1 => format!("/{}", number / 2),
            _ => format!("{number}.sqlite"),
        };
        self.note(number, format_args!("the next sync of {failing} fails"));
        self.files.power.fail_next(&failing);
    }

    fn close(&mut self, number: usize) {
        self.commit(number);
        self.sync(number);
        self.note(number, "closes");
        if let Some(database) = self.objects[number].database.take() {
            // If a sync fails, the log remains beside the database.
            let _ = database.close();
        }
    }

    fn shorten_log(&mut self, number: usize) {
        self.commit(number);
        self.sync(number);
        self.note(number, "moves its log");
        let object = &mut self.objects[number];
        if let Some(database) = &object.database
            && database.shorten_log().is_err()
        {
            let database = object.database.take().expect("awake");
            database.close().expect("a close");
        }
    }

    /// Ends the process. The next one finds what the operating system has.
    fn kill(&mut self) {
        self.done.push("the process is killed".to_owned());
        self.forget();
        let files = files_in(&self.root);
        files.power.take_over(&self.files.power);
        self.files = files;
        for number in 0..OBJECTS {
            self.wake(number);
        }
    }

    fn forget(&mut self) {
        for object in &mut self.objects {
            object.unsynced = None;
            object.database = None;
        }
    }

    /// Cuts the power. The disk's contents are those at the time of `power`.
    fn lose_power(&mut self, power: &Power) {
        let after = tempfile::tempdir().expect("a folder");
        power.cut_some(self.root.path(), after.path(), &self.dice);
        self.forget();
        self.root = after;
        self.files = files_in(&self.root);
        // What is found after a power failure comes from the disk.
        self.files.power.has_all(self.root.path());
        self.done.push("the power failed".to_owned());
        for number in 0..OBJECTS {
            self.wake(number);
        }
    }

    /// Cuts the power while a log is moved into its database. SQLite has synced the log and
    /// written a part of the database.
    fn lose_power_amid_a_move(&mut self, number: usize) {
        self.wake(number);
        self.commit(number);
        self.sync(number);
        let path = self.path(number);
        let log = path.with_extension("sqlite-wal");
        let Some(database) = &self.objects[number].database else {
            return;
        };
        let Ok(frames) = std::fs::read(&log) else {
            return;
        };
        self.files.power.file_synced(&log);
        let before = self.files.power.present();
        // The result does not matter, because the power has failed.
        let _ = database.shorten_log();
        std::fs::write(&log, frames).expect("the log before it was void");
        self.note(number, "moved a part of its log");
        self.lose_power(&before);
    }

    fn round(&mut self) {
        self.done.clear();
        let operations = self.dice.below(OPERATIONS);
        for _ in 0..operations {
            let number = self.dice.below(OBJECTS);
            self.wake(number);
            match self.dice.below(24) {
                0..8 => self.write(number),
                8..13 => self.commit(number),
                13..18 => self.sync(number),
                18 => self.fail_next_sync(number),
                19 => self.close(number),
                20 => self.shorten_log(number),
                21 => self.kill(),
                _ => {
                    self.write(number);
                    self.commit(number);
                    self.sync(number);
                }
            }
        }
        let number = self.dice.below(OBJECTS);
        match self.dice.below(4) {
            0 => self.lose_power_amid_a_move(number),
            // What the new process reads of the old one's work is on disk.
            1 => self.kill(),
            _ => {}
        }
        let power = self.files.power.present();
        self.lose_power(&power);
    }
}

/// Returns how many rounds each seed has: `ANCHORHOLD_POWER_ROUNDS`, or `usual`.
pub(super) fn rounds(usual: u64) -> u64 {
    let rounds = std::env::var("ANCHORHOLD_POWER_ROUNDS");
    rounds.map_or(usual, |rounds| rounds.parse().expect("a number of rounds"))
}

#[test]
fn random_work_loses_nothing_acknowledged_when_the_power_fails() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..rounds(ROUNDS) {
            world.round();
        }
    }
}
