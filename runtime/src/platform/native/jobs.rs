//! What a disk thread is asked for.

use super::kernel::ObjectIndex;
use super::store::Database;

pub(super) enum CloseJob {
    Close(ObjectIndex, Box<Database>),
    ShortenLog(ObjectIndex, Box<Database>),
}
