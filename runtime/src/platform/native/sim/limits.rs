//! Limits so small that a test reaches them.

use super::super::kernel::Limits;
use super::super::random::SplitMix;

/// Chooses small limits by the seed.
pub(super) fn small(dice: &SplitMix) -> Limits {
    let one_of = |few: [usize; 3]| few[dice.below(few.len())];
    Limits {
        mailbox_events: one_of([4, 8, 16]),
        mailbox_bytes: one_of([16, 64, 256]) * 1024,
        resident_objects: one_of([1, 2, 4]),
        alarm_starts: one_of([1, 2, 4]),
        alarm_runs: one_of([1, 2, 4]),
        ..Limits::default()
    }
}
