//! The jobs of a disk thread.

use super::kernel::ObjectIndex;
use super::store::Database;

pub(super) enum CloseJob {
    Close(ObjectIndex, Box<Database>),
    ShortenLog(ObjectIndex, Box<Database>),
}
