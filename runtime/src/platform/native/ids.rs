//! Identifiers (P70): 64 hexadecimal digits that only the namespace of one class can make.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::object::id::{InvalidId, RawId};

/// How many names are cached with their identifiers.
const REMEMBERED: usize = 256;

/// A name and its identifier.
#[derive(Clone)]
struct Known {
    name: Box<str>,
    id: RawId,
}

/// Makes and checks the identifiers of one class in one data folder.
pub(crate) struct IdKey {
    code: Hmac<Sha256>,
    /// Computing an identifier takes a few percent of a short request. This caches those of
    /// recently requested names, by the name's hash.
    known: RefCell<Box<[Option<Known>]>>,
    hashes: RandomState,
}

impl IdKey {
    /// `folder_key` is random and lives as long as the data. Identifiers from another folder are
    /// thus invalid.
    pub(crate) fn new(folder_key: &[u8; 32], class: &str) -> Self {
        let key = Sha256::new()
            .chain_update(folder_key)
            .chain_update(class)
            .finalize();
        Self {
            code: Hmac::<Sha256>::new(&fitting(key.as_slice())),
            known: RefCell::default(),
            hashes: RandomState::new(),
        }
    }

    pub(crate) fn for_name(&self, name: &str) -> RawId {
        let mut known = self.known.borrow_mut();
        if known.is_empty() {
            *known = vec![None; REMEMBERED].into();
        }
        let slot = self.hashes.hash_one(name) as usize % REMEMBERED;
        match &known[slot] {
            Some(known) if *known.name == *name => known.id,
            _ => {
                let id = self.complete(self.mac(name.as_bytes()));
                let name = name.into();
                known[slot] = Some(Known { name, id });
                id
            }
        }
    }

    /// Makes an identifier from `random`: 128 bits, which cannot be guessed (S4).
    pub(crate) fn unique(&self, random: [u8; 16]) -> RawId {
        self.complete(random)
    }

    pub(crate) fn parse(&self, hex: &str) -> Result<RawId, InvalidId> {
        let id = RawId::from_hex(hex).ok_or(InvalidId::NotHex)?;
        if self.is_own(id) {
            Ok(id)
        } else {
            Err(InvalidId::Foreign)
        }
    }

    pub(crate) fn is_own(&self, id: RawId) -> bool {
        let (first, second) = id.0.split_at(16);
        let mut mac = self.code.clone();
        mac.update(first);
        mac.verify_truncated_left(second).is_ok()
    }

    fn complete(&self, first: [u8; 16]) -> RawId {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&first);
        bytes[16..].copy_from_slice(&self.mac(&first));
        RawId(bytes)
    }

    fn mac(&self, message: &[u8]) -> [u8; 16] {
        let mut mac = self.code.clone();
        mac.update(message);
        let mut half = [0; 16];
        half.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        half
    }
}

/// Returns the key as a block of HMAC-SHA256: 64 bytes, padded with zeros as the algorithm would.
fn fitting(key: &[u8]) -> hmac::digest::Key<Hmac<Sha256>> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..key.len()].copy_from_slice(key);
    block
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_id_fits_its_own_class_and_folder_only() {
        let counters = IdKey::new(&[1; 32], "Counter");
        let id = counters.for_name("a");
        assert_eq!(counters.for_name("a"), id);
        assert_ne!(counters.for_name("b"), id);
        // More names than are cached, each twice.
        let all = || (0..3 * REMEMBERED).map(|name| counters.for_name(&name.to_string()));
        assert!(all().eq(all()));
        assert_eq!(all().collect::<BTreeSet<_>>().len(), 3 * REMEMBERED);
        assert_eq!(counters.for_name("a"), id);
        assert_eq!(counters.parse(&id.to_string()), Ok(id));
        assert_eq!(counters.parse(&id.to_string().to_uppercase()), Ok(id));
        assert_eq!(
            IdKey::new(&[1; 32], "Lock").parse(&id.to_string()),
            Err(InvalidId::Foreign)
        );
        assert_eq!(
            IdKey::new(&[2; 32], "Counter").parse(&id.to_string()),
            Err(InvalidId::Foreign)
        );
        assert_eq!(counters.parse("5"), Err(InvalidId::NotHex));
        let unique = counters.unique([7; 16]);
        assert_eq!(counters.parse(&unique.to_string()), Ok(unique));
    }

    #[test]
    fn the_code_is_plain_hmac_sha256() {
        // RFC 4231, test case 2, through the padded key.
        let mut mac = Hmac::<Sha256>::new(&fitting(b"Jefe"));
        mac.update(b"what do ya want for nothing?");
        let expected = [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e];
        assert_eq!(mac.finalize().into_bytes()[..8], expected);
    }
}
