//! The state of the simulated disk: whether it has room, and whether syncs succeed and return.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// A disk that was full has room for at least this long. Otherwise nothing would succeed at a high
/// rate of faults.
const ROOM_LASTS: Duration = Duration::from_secs(30);

/// The faults of the simulated disk. They outlive crashes of the host.
#[derive(Default)]
pub(in super::super) struct DiskState {
    room: Cell<Room>,
    fails_syncs: Cell<bool>,
    hangs: Cell<bool>,
    /// Notified when the disk stops hanging.
    answers: Notify,
}

#[derive(Clone, Copy, Default)]
enum Room {
    #[default]
    Left,
    NoneUntil(Instant),
    None,
}

impl DiskState {
    /// Fills the disk until it is [freed](Self::free), or for this long.
    pub(super) fn fill(&self, duration: Option<Duration>) {
        let until = |duration| Room::NoneUntil(Instant::now() + duration);
        self.room.set(duration.map_or(Room::None, until));
    }

    /// Whether a fault may fill the disk.
    pub(super) fn may_fill(&self) -> bool {
        match self.room.get() {
            Room::Left => true,
            Room::NoneUntil(until) => until + ROOM_LASTS <= Instant::now(),
            Room::None => false,
        }
    }

    pub(super) fn free(&self) {
        self.room.set(Room::Left);
    }

    pub(in super::super) fn is_full(&self) -> bool {
        match self.room.get() {
            Room::Left => false,
            Room::NoneUntil(until) => Instant::now() < until,
            Room::None => true,
        }
    }

    pub(super) fn fail_syncs(&self) {
        self.fails_syncs.set(true);
    }

    pub(in super::super) fn fails_syncs(&self) -> bool {
        self.fails_syncs.get()
    }

    pub(in super::super) fn hang_syncs(&self) {
        self.hangs.set(true);
    }

    /// Lets syncs return and succeed again.
    pub(in super::super) fn restore_syncs(&self) {
        self.fails_syncs.set(false);
        self.hangs.set(false);
        self.answers.notify_waiters();
    }

    /// Waits while syncs hang.
    pub(in super::super) async fn answers(&self) {
        while self.hangs.get() {
            self.answers.notified().await;
        }
    }

    /// Waits for `duration`, or until syncs are restored. Returns whether it took all of that time.
    pub(in super::super) async fn takes(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.answers.notified() => false,
            () = sleep(duration) => true,
        }
    }
}
