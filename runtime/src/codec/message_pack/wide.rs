//! Reads integers beyond 64 bits, which are extensions.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};

use super::write::{NEGATIVE, POSITIVE};

/// An integer beyond 64 bits.
pub(super) enum Wide {
    Positive(u128),
    Negative(i128),
}

impl<'de> Deserialize<'de> for Wide {
    fn deserialize<D: Deserializer<'de>>(extension: D) -> Result<Self, D::Error> {
        extension.deserialize_tuple(2, Extension)
    }
}

/// Visits the type of an extension, then its bytes.
struct Extension;

impl<'de> Visitor<'de> for Extension {
    type Value = Wide;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an integer of 128 bits")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Wide, A::Error> {
        let kind = parts.next_element::<i8>()?;
        let bytes = parts.next_element::<Sixteen>()?;
        match (kind, bytes) {
            (Some(POSITIVE), Some(Sixteen(bytes))) => {
                Ok(Wide::Positive(u128::from_be_bytes(bytes)))
            }
            (Some(NEGATIVE), Some(Sixteen(bytes))) => {
                Ok(Wide::Negative(i128::from_be_bytes(bytes)))
            }
            _ => Err(A::Error::invalid_value(
                Unexpected::Other("an extension"),
                &self,
            )),
        }
    }
}

struct Sixteen([u8; 16]);

impl<'de> Deserialize<'de> for Sixteen {
    fn deserialize<D: Deserializer<'de>>(bytes: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Sixteen;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("16 bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Sixteen, E> {
                match bytes.try_into() {
                    Ok(bytes) => Ok(Sixteen(bytes)),
                    Err(_) => Err(E::invalid_length(bytes.len(), &self)),
                }
            }
        }
        bytes.deserialize_bytes(Bytes)
    }
}
