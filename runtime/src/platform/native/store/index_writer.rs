//! The thread that writes to the folder's index of alarms, so that shards do not wait for the disk.

use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;

use super::entry::{Change, Entry};
use super::index::Index;
use crate::error::StorageError;
use crate::turn::user_code;

/// How many changes share a transaction, and thus a sync.
const BATCH: usize = 1_000;

/// Writes to an index in the background. The changes of one sender are made in their order.
pub(crate) struct IndexWriter {
    jobs: mpsc::Sender<Job>,
}

struct Job {
    changes: Vec<Change>,
    /// Notified when the changes are on disk.
    done: Option<oneshot::Sender<Result<(), StorageError>>>,
}

impl IndexWriter {
    /// Starts the thread. It ends after the writer was dropped and all changes are made.
    ///
    /// # Errors
    /// Fails if the system has no more threads.
    pub(crate) fn start(index: Arc<Index>) -> std::io::Result<Self> {
        let (jobs, received) = mpsc::channel();
        std::thread::Builder::new()
            .name("index".to_owned())
            .spawn(move || write_all(&index, &received))?;
        Ok(Self { jobs })
    }

    /// Adds entries, or brings their dates forward. The returned future resolves when that is on
    /// disk.
    pub(crate) fn record(
        &self,
        entries: Vec<Entry>,
    ) -> oneshot::Receiver<Result<(), StorageError>> {
        let (done, recorded) = oneshot::channel();
        self.send(Job {
            changes: entries.into_iter().map(Change::Record).collect(),
            done: Some(done),
        });
        recorded
    }

    /// Makes changes later. Failures are logged.
    pub(crate) fn write(&self, changes: Vec<Change>) {
        self.send(Job {
            changes,
            done: None,
        });
    }

    fn send(&self, job: Job) {
        // The thread ends after all writers, so the job is taken.
        drop(self.jobs.send(job));
    }
}

fn write_all(index: &Index, jobs: &mpsc::Receiver<Job>) {
    let mut owes_end_of_pauses = false;
    while let Ok(first) = jobs.recv() {
        let mut changes = first.changes;
        if owes_end_of_pauses {
            changes.insert(0, Change::EndPauses);
        }
        let mut waiting = Vec::from_iter(first.done);
        while changes.len() < BATCH
            && let Ok(job) = jobs.try_recv()
        {
            changes.extend(job.changes);
            waiting.extend(job.done);
        }
        let written = user_code::call(|| index.write(&changes)).unwrap_or_else(|_| {
            Err(StorageError::Io(
                "writing the index of alarms panicked".to_owned(),
            ))
        });
        // Other changes may be lost. Pauses by a date that was set back would delay alarms for as
        // long.
        owes_end_of_pauses = written.is_err() && changes.contains(&Change::EndPauses);
        if let Err(error) = &written {
            tracing::error!(%error, "the index of alarms cannot be written");
        }
        for done in waiting {
            // The shard may have stopped meanwhile.
            let _ = done.send(written.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kernel::{Pause, PausedAlarm};
    use super::super::{Descriptors, Files};
    use super::*;
    use crate::object::id::RawId;

    fn entry(number: u8, at: i64) -> Entry {
        Entry {
            id: RawId([number; 32]),
            class: "Counter".to_owned(),
            name: None,
            at,
        }
    }

    #[test]
    fn shards_read_and_send_while_a_write_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::new(folder.path(), Descriptors::of(100)).unwrap());
        let index = Index::open(&files, &folder.path().join("index.sqlite"));
        let index = Arc::new(index.unwrap());
        let writer = IndexWriter::start(Arc::clone(&index)).unwrap();
        writer
            .record(vec![entry(1, 10)])
            .blocking_recv()
            .unwrap()
            .unwrap();
        let mut recorded = None;
        index.while_the_disk_hangs(|| {
            let mut waiting = writer.record(vec![entry(2, 20)]);
            writer.write(vec![Change::Follow(RawId([1; 32]), Some(15))]);
            assert_eq!(index.due(30, None, 9).unwrap().len(), 1);
            assert_eq!(index.find(RawId([1; 32])).unwrap().unwrap().at, 10);
            assert!(waiting.try_recv().is_err(), "not on disk");
            recorded = Some(waiting);
        });
        recorded.unwrap().blocking_recv().unwrap().unwrap();
        let done = writer.record(vec![entry(3, 30)]);
        done.blocking_recv().unwrap().unwrap();
        let due: Vec<i64> = index
            .due(30, None, 9)
            .unwrap()
            .iter()
            .map(|due| due.at)
            .collect();
        assert_eq!(due, [15, 20, 30]);
    }

    #[test]
    fn end_of_pauses_that_fails_is_made_with_the_next_change() {
        let index = Arc::new(Index::in_memory().unwrap());
        let writer = IndexWriter::start(Arc::clone(&index)).unwrap();
        let (id, late) = (RawId([1; 32]), 1_000_000);
        let pause = Pause {
            until: late,
            failures: 3,
        };
        writer.write(vec![
            Change::Record(entry(1, 10)),
            Change::Pause(PausedAlarm { id, pause }),
        ]);
        let record = |number| writer.record(vec![entry(number, 20)]).blocking_recv();
        record(2).unwrap().unwrap();
        assert_eq!(index.due(30, None, 9).unwrap().len(), 1, "paused");
        index.break_down(true);
        writer.write(vec![Change::EndPauses]);
        record(3).unwrap().expect_err("the index is broken");
        index.break_down(false);
        record(4).unwrap().unwrap();
        let due: Vec<RawId> = index
            .due(30, None, 9)
            .unwrap()
            .iter()
            .map(|due| due.id)
            .collect();
        assert!(due.contains(&id), "the pause goes on");
    }

    #[test]
    fn record_that_fails_is_reported_and_the_next_one_is_made() {
        let index = Arc::new(Index::in_memory().unwrap());
        let writer = IndexWriter::start(Arc::clone(&index)).unwrap();
        index.break_down(true);
        let failed = writer.record(vec![entry(1, 10)]).blocking_recv().unwrap();
        assert!(failed.is_err());
        index.break_down(false);
        writer
            .record(vec![entry(1, 10)])
            .blocking_recv()
            .unwrap()
            .unwrap();
        assert_eq!(index.due(30, None, 9).unwrap().len(), 1);
    }
}
