//! Random changes of the index of alarms while syncs fail, until the power fails.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::super::super::random::SplitMix;
use super::super::Descriptors;
use super::super::power_rounds::rounds;
use super::*;

const SEEDS: u64 = 8;
/// How many rounds each seed has. Every round ends with a power failure.
const ROUNDS: u64 = 4;
const OBJECTS: usize = 6;
/// The maximum number of changes in a round.
const CHANGES: usize = 16;

/// The dates in the index.
type State = BTreeMap<RawId, i64>;

struct World {
    root: TempDir,
    files: Arc<Files>,
    index: Index,
    /// What may be found after a power failure: what was acknowledged last, and the states since.
    states: Vec<State>,
    dice: SplitMix,
    /// What was done in this round, for the report of a failure.
    done: Vec<String>,
}

fn open(root: &TempDir) -> (Arc<Files>, Index) {
    let files = Files::new(root.path(), Descriptors::of(1_000)).expect("the files");
    let files = Arc::new(files);
    let index = Index::open(&files, &root.path().join("index.sqlite")).expect("the index opens");
    // What is found comes from the disk. A new index is complete when it is opened.
    files.power.has_all(root.path());
    (files, index)
}

impl World {
    fn new(seed: u64) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let (files, index) = open(&root);
        Self {
            root,
            files,
            index,
            states: vec![State::default()],
            dice: SplitMix::new(seed),
            done: Vec::new(),
        }
    }

    fn shown(&self) -> State {
        let due = self.index.due(i64::MAX, None, OBJECTS).expect("readable");
        due.into_iter().map(|due| (due.id, due.at)).collect()
    }

    fn change(&self) -> Change {
        let number = self.dice.below(OBJECTS);
        let id = RawId([u8::try_from(number).expect("a small number"); 32]);
        let at = i64::try_from(self.dice.below(1_000)).expect("a small number");
        match self.dice.below(6) {
            0 => Change::Follow(id, None),
            1 => Change::Follow(id, Some(at)),
            2 => Change::Pause(PausedAlarm {
                id,
                pause: Pause {
                    until: at,
                    failures: 1,
                },
            }),
            _ => Change::Record(Entry {
                id,
                class: "Counter".to_owned(),
                // Long enough to fill pages of the log.
                name: Some("n".repeat(self.dice.below(3_000))),
                at,
            }),
        }
    }

    fn write(&mut self) {
        let changes: Vec<_> = (0..=self.dice.below(2)).map(|_| self.change()).collect();
        let is_recorded = |change: &Change| matches!(change, Change::Record(_));
        let is_synced = changes.iter().any(is_recorded);
        if self.dice.below(5) == 0 {
            self.files.power.fail_next("index.sqlite-wal");
        }
        let written = self.index.write(&changes);
        let shown = self.shown();
        self.done.push(format!(
            "{}: {written:?}, now {:?}",
            if is_synced { "recorded" } else { "followed" },
            shown.values().collect::<Vec<_>>()
        ));
        if written.is_ok() && is_synced {
            self.states.clear();
        }
        self.states.push(shown);
    }

    fn round(&mut self) {
        self.done.clear();
        for _ in 0..self.dice.below(CHANGES) {
            self.write();
        }
        let after = tempfile::tempdir().expect("a folder");
        let power = self.files.power.present();
        power.cut_some(self.root.path(), after.path(), &self.dice);
        (self.files, self.index) = open(&after);
        self.root = after;
        let found = self.shown();
        assert!(
            self.states.contains(&found),
            "the index has {found:?} instead of one of {:?} after\n{:#?}",
            self.states,
            self.done
        );
        self.states = vec![found];
    }
}

#[test]
fn random_changes_lose_nothing_recorded_when_the_power_fails() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..rounds(ROUNDS) {
            world.round();
        }
    }
}
