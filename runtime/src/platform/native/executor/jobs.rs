//! The jobs of a disk thread.

use super::super::kernel::ObjectIndex;
use super::super::store::Database;

pub(in super::super) enum CloseJob {
    Close(ObjectIndex, Box<Database>),
    ShortenLog(ObjectIndex, Box<Database>),
}
