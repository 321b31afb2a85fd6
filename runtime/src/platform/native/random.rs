//! Randomness: the operating system's on the host, seeded in the simulator.

use std::cell::Cell;

/// The source of a shard's random bits.
#[derive(Debug)]
pub(super) enum Random {
    System,
    Seeded(SplitMix),
}

impl Random {
    pub(super) fn fill(&self, into: &mut [u8]) {
        match self {
            Self::System => {
                if let Err(error) = getrandom::fill(into) {
                    // Without random bits, identifiers and leases would be guessable. It is better
                    // to end the process.
                    tracing::error!(%error, "the operating system gives no random bits");
                    std::process::abort();
                }
            }
            Self::Seeded(generator) => {
                for chunk in into.chunks_mut(8) {
                    chunk.copy_from_slice(&generator.next().to_le_bytes()[..chunk.len()]);
                }
            }
        }
    }

    pub(super) fn next_u32(&self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    pub(super) fn bytes<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        self.fill(&mut bytes);
        bytes
    }
}

/// The SplitMix64 generator, which is small and gives the same numbers on every machine.
#[derive(Debug)]
pub(super) struct SplitMix(Cell<u64>);

impl SplitMix {
    pub(super) fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// Continues as a generator that was created with this seed.
    pub(super) fn restart(&self, seed: u64) {
        self.0.set(seed);
    }

    pub(super) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`, which must not be zero.
    pub(super) fn below(&self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.next() % bound).unwrap_or_default()
    }
}
