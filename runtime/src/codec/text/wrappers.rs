//! Options and newtypes around a value, which do not appear in its text.

use serde::de::Error as _;
use serde::de::value::Error;

/// How many options and newtypes may be around a value. A recursive type
/// (`struct List(Option<Box<List>>)`) would otherwise recurse indefinitely.
#[derive(Clone, Copy)]
pub(super) struct Wrappers(u8);

impl Wrappers {
    pub(super) const NONE: Self = Self(0);
    const MOST: u8 = 64;

    /// Adds one wrapper.
    pub(super) fn one_more(self) -> Result<Self, Error> {
        if self.0 < Self::MOST {
            Ok(Self(self.0 + 1))
        } else {
            Err(Error::custom(format!("it is {RECURSIVE}")))
        }
    }
}

pub(super) const RECURSIVE: &str = "a type that contains itself";

/// Methods of a `Deserializer` that has a method `wrapped`: the value inside an option or a newtype
/// is read from the same text.
macro_rules! read_what_is_inside {
    ($($wrapper:ident)*) => { $( read_what_is_inside! { @ $wrapper } )* };
    (@ option) => {
        fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_some(self.wrapped()?)
        }
    };
    (@ newtype_struct) => {
        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value, Error> {
            visitor.visit_newtype_struct(self.wrapped()?)
        }
    };
}
pub(super) use read_what_is_inside;
