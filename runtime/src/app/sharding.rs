//! Distributes many keys over a few objects of one class.

/// Returns the name of the object that holds `key`, out of `shards` objects of one class: a decimal
/// number from `"0"` to `shards - 1`.
///
/// With one object per key, every client that makes a single request would leave an object behind.
/// With one object for all keys, the limit is about a thousand requests a second. A shard holds
/// many keys. [`App::mount_sharded`](crate::App::mount_sharded) routes requests to shards. Callers
/// by RPC use this function or [`Namespace::sharded`](crate::Namespace::sharded).
///
/// The same key and count give the same name on every host and in every version of this crate. The
/// name is the 64-bit FNV-1a hash of the key's bytes, mapped to a shard by the jump consistent hash
/// of Lamping and Veach (2014, arXiv:1406.2294) in integer arithmetic. When the count grows from
/// *n* to *m*, one key in *m / (m − n)* moves, always to a new object. The data of a moved key is
/// not migrated: it stays in its old object.
///
/// The hash is not secret: a client that chooses keys freely can choose many for one shard. Where
/// that matters, prefix the key with something that clients cannot choose (an account number, an
/// address).
///
/// ```
/// use anchorhold::shard_name;
///
/// assert_eq!(shard_name("ann", 16), shard_name("ann", 16));
/// assert_eq!(shard_name("ann", 1), "0");
/// ```
///
/// A count of zero is treated as one.
#[must_use]
pub fn shard_name(key: &str, shards: u32) -> String {
    jump(fnv_1a(key.as_bytes()), shards).to_string()
}

fn fnv_1a(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

/// As published, except for the division: integer arithmetic does not depend on a host's floating
/// point.
fn jump(mut key: u64, shards: u32) -> u64 {
    const MULTIPLIER: u64 = 2_862_933_555_777_941_757;
    let (mut shard, mut next) = (0, 0);
    while next < u64::from(shards) {
        shard = next;
        key = key.wrapping_mul(MULTIPLIER).wrapping_add(1);
        next = ((shard + 1) << 31) / ((key >> 33) + 1);
    }
    shard
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored data is found by these names, so they must never change.
    #[test]
    fn names_are_for_ever() {
        // The published test vectors of the hash.
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
        let names = ["", "a", "ann", "203.0.113.7", "ü/ "].map(|key| shard_name(key, 16));
        assert_eq!(names, ["13", "12", "11", "8", "1"]);
    }

    #[test]
    fn keys_spread_evenly_and_move_only_to_new_shards() {
        let keys = (0..20_000).map(|number| format!("user-{number}"));
        let mut counts = [0_u32; 16];
        let mut moved = 0;
        for key in keys {
            let hash = fnv_1a(key.as_bytes());
            let before = jump(hash, 16);
            let after = jump(hash, 20);
            assert!(after == before || after >= 16, "{key}: {before} to {after}");
            moved += u32::from(after != before);
            counts[usize::try_from(before).unwrap()] += 1;
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(*least > 1_100 && *most < 1_400, "{counts:?}");
        assert!((3_600..4_400).contains(&moved), "{moved} of 20,000 moved");
    }

    #[test]
    fn any_count_has_a_name() {
        for shards in [0, 1, 2, u32::MAX] {
            let shard: u64 = shard_name("k", shards).parse().unwrap();
            assert!(shard < u64::from(shards.max(1)));
        }
    }
}
