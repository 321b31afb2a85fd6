//! Identifiers of objects: 64 hexadecimal digits, typed by class.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The 32 bytes of an identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RawId(pub(crate) [u8; 32]);

impl RawId {
    /// Parses 64 hexadecimal digits. Only a namespace can tell whether they identify an object of
    /// its class.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::try_from(hex_digit(pair[0])? * 16 + hex_digit(pair[1])?).ok()?;
        }
        Some(Self(bytes))
    }
}

fn hex_digit(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

impl fmt::Display for RawId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for RawId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for RawId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RawId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::from_hex(&text)
            .ok_or_else(|| serde::de::Error::custom("an object id must be 64 hexadecimal digits"))
    }
}

/// The identifier of one object of class `T`. It prints as 64 hexadecimal digits.
///
/// Using an identifier with the namespace of another class is a compile error:
///
/// ```compile_fail
/// # use anchorhold::{Env, ObjectId};
/// # fn example<Counter: anchorhold::DurableObject, Lock: anchorhold::DurableObject>(env: Env, id: ObjectId<Lock>) {
/// env.objects::<Counter>().id(&id);
/// # }
/// ```
///
/// Store identifiers instead of stubs: a stored capability cannot be revoked. A stored identifier
/// is validated when it is used.
pub struct ObjectId<T> {
    pub(crate) raw: RawId,
    class: PhantomData<fn() -> T>,
}

impl<T> ObjectId<T> {
    pub(crate) fn new(raw: RawId) -> Self {
        Self {
            raw,
            class: PhantomData,
        }
    }
}

impl<T> Clone for ObjectId<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for ObjectId<T> {}
impl<T> PartialEq for ObjectId<T> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}
impl<T> Eq for ObjectId<T> {}
impl<T> Hash for ObjectId<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}
impl<T> fmt::Display for ObjectId<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.fmt(formatter)
    }
}
impl<T> fmt::Debug for ObjectId<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ObjectId({})", self.raw)
    }
}
impl<T> Serialize for ObjectId<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}
impl<'de, T> Deserialize<'de> for ObjectId<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawId::deserialize(deserializer).map(Self::new)
    }
}

/// The reason why a text is not the identifier of an object of this class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text does not consist of 64 hexadecimal digits.
    #[error("an object id must be 64 hexadecimal digits")]
    NotHex,
    /// The text has 64 digits. It was not made by this class's namespace.
    #[error("the id was not made for this class's namespace")]
    Foreign,
    /// The class is not bound in this deployment, or this host has no jurisdictions.
    #[error("{0}")]
    Unavailable(String),
}

/// The requested location of a new object. It takes effect only on Cloudflare, when the object is
/// created.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placement {
    pub(crate) location_hint: Option<String>,
}
