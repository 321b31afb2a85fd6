//! Writes values as MessagePack with the names of fields.
//!
//! `rmp_serde` writes an integer of 128 bits as 16 bytes, which cannot be told from bytes. Here it
//! is an integer if it fits into 64 bits, and otherwise an extension.

use serde::de::value::Error;
use serde::ser::{self, Error as _, Serialize, Serializer};

/// The types of the extensions that hold an integer beyond 64 bits, as 16 bytes in big-endian
/// order.
pub(super) const POSITIVE: i8 = 1;
pub(super) const NEGATIVE: i8 = 2;

/// The markers of a list and of a map whose length has four bytes.
const LIST: u8 = 0xdd;
const MAP: u8 = 0xdf;

pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

fn failed(error: impl std::fmt::Display) -> Error {
    Error::custom(error)
}

fn length(entries: usize) -> Result<u32, Error> {
    u32::try_from(entries).map_err(failed)
}

impl<'a> Writer<'a> {
    fn wide(&mut self, kind: i8, bytes: [u8; 16]) -> Result<(), Error> {
        rmp::encode::write_ext_meta(self.0, 16, kind).map_err(failed)?;
        self.0.extend(bytes);
        Ok(())
    }

    fn list(&mut self, entries: Option<usize>) -> Result<Entries<'_, 'a>, Error> {
        let unknown = match entries {
            Some(entries) => {
                rmp::encode::write_array_len(self.0, length(entries)?).map_err(failed)?;
                None
            }
            None => Some(self.unknown_length(LIST)),
        };
        Ok(Entries::new(self, unknown))
    }

    fn map(&mut self, entries: Option<usize>) -> Result<Entries<'_, 'a>, Error> {
        let unknown = match entries {
            Some(entries) => {
                rmp::encode::write_map_len(self.0, length(entries)?).map_err(failed)?;
                None
            }
            None => Some(self.unknown_length(MAP)),
        };
        Ok(Entries::new(self, unknown))
    }

    /// Writes the start of a list or map whose length is set at its end. Returns its position.
    fn unknown_length(&mut self, marker: u8) -> usize {
        self.0.push(marker);
        let position = self.0.len();
        self.0.extend([0; 4]);
        position
    }

    /// Writes the start of an enum's variant that has content.
    fn variant(&mut self, name: &'static str) -> Result<(), Error> {
        rmp::encode::write_map_len(self.0, 1).map_err(failed)?;
        self.serialize_str(name)
    }
}

macro_rules! integers {
    ($write:ident $as:ty: $($method:ident $type:ty),*) => { $(
        fn $method(self, value: $type) -> Result<(), Error> {
            rmp::encode::$write(self.0, <$as>::from(value)).map(drop).map_err(failed)
        }
    )* };
}

impl<'w, 'a> Serializer for &'w mut Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Entries<'w, 'a>;
    type SerializeTuple = Entries<'w, 'a>;
    type SerializeTupleStruct = Entries<'w, 'a>;
    type SerializeTupleVariant = Entries<'w, 'a>;
    type SerializeMap = Entries<'w, 'a>;
    type SerializeStruct = Entries<'w, 'a>;
    type SerializeStructVariant = Entries<'w, 'a>;

    integers! { write_uint u64:
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64
    }
    integers! { write_sint i64:
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        if let Ok(value) = i64::try_from(value) {
            self.serialize_i64(value)
        } else if let Ok(value) = u128::try_from(value) {
            self.serialize_u128(value)
        } else {
            self.wide(NEGATIVE, value.to_be_bytes())
        }
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        match u64::try_from(value) {
            Ok(value) => self.serialize_u64(value),
            Err(_) => self.wide(POSITIVE, value.to_be_bytes()),
        }
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        rmp::encode::write_f32(self.0, value).map_err(failed)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        rmp::encode::write_f64(self.0, value).map_err(failed)
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        rmp::encode::write_bool(self.0, value).map_err(failed)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        rmp::encode::write_str(self.0, value).map_err(failed)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        rmp::encode::write_bin(self.0, value).map_err(failed)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        rmp::encode::write_nil(self.0).map_err(failed)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant)?;
        value.serialize(self)
    }

    fn serialize_seq(self, entries: Option<usize>) -> Result<Entries<'w, 'a>, Error> {
        self.list(entries)
    }

    fn serialize_tuple(self, entries: usize) -> Result<Entries<'w, 'a>, Error> {
        self.list(Some(entries))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        entries: usize,
    ) -> Result<Entries<'w, 'a>, Error> {
        self.list(Some(entries))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        entries: usize,
    ) -> Result<Entries<'w, 'a>, Error> {
        self.variant(variant)?;
        self.list(Some(entries))
    }

    fn serialize_map(self, entries: Option<usize>) -> Result<Entries<'w, 'a>, Error> {
        self.map(entries)
    }

    fn serialize_struct(self, _: &'static str, entries: usize) -> Result<Entries<'w, 'a>, Error> {
        self.map(Some(entries))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        entries: usize,
    ) -> Result<Entries<'w, 'a>, Error> {
        self.variant(variant)?;
        self.map(Some(entries))
    }
}

/// The entries of a list or map that is being written.
pub(super) struct Entries<'w, 'a> {
    writer: &'w mut Writer<'a>,
    /// The position of the length, if it is set at the end.
    unknown_length: Option<usize>,
    written: usize,
}

impl<'w, 'a> Entries<'w, 'a> {
    fn new(writer: &'w mut Writer<'a>, unknown_length: Option<usize>) -> Self {
        Self {
            writer,
            unknown_length,
            written: 0,
        }
    }

    fn entry<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.written += 1;
        value.serialize(&mut *self.writer)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        self.writer.serialize_str(name)?;
        self.entry(value)
    }

    fn finish(self) -> Result<(), Error> {
        if let Some(position) = self.unknown_length {
            let written = length(self.written)?.to_be_bytes();
            self.writer.0[position..][..written.len()].copy_from_slice(&written);
        }
        Ok(())
    }
}

macro_rules! lists {
    ($($trait:ident $method:ident),*) => { $(
        impl ser::$trait for Entries<'_, '_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.entry(value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish()
            }
        }
    )* };
}
lists! {
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
}

macro_rules! structs {
    ($($trait:ident),*) => { $(
        impl ser::$trait for Entries<'_, '_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish()
            }
        }
    )* };
}
structs! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Entries<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        key.serialize(&mut *self.writer)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.entry(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}
