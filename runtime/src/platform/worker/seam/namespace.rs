//! The objects of one class, by name and by identifier.

use std::cell::RefCell;

use wasm_bindgen::prelude::*;

use super::super::ids::raw_id;
use super::super::js::bindings;
use super::super::js::failure::message_of;
use super::remote::{Address, Remote};
use crate::error::fault::Fault;
use crate::object::class::Class;
use crate::object::id::{InvalidId, Placement, RawId};

/// The objects of one class.
#[derive(Clone)]
pub(crate) struct Namespace {
    raw: bindings::Namespace,
}

impl Namespace {
    /// A namespace is the same for every request and object of an isolate, so each is looked up
    /// only once.
    pub(super) fn known(
        class: &'static Class,
        find: impl FnOnce() -> Result<JsValue, Fault>,
    ) -> Result<Self, Fault> {
        thread_local! {
            static KNOWN: RefCell<Vec<(&'static Class, Namespace)>> = const { RefCell::new(Vec::new()) };
        }
        KNOWN.with_borrow_mut(|known| {
            if let Some((_, namespace)) =
                known.iter().find(|(other, _)| std::ptr::eq(*other, class))
            {
                return Ok(namespace.clone());
            }
            let namespace = Namespace {
                raw: find()?.unchecked_into(),
            };
            known.push((class, namespace.clone()));
            Ok(namespace)
        })
    }

    /// Returns the namespace of the same class within a jurisdiction. It creates and accepts only
    /// its own ids (P72).
    pub(crate) fn within(&self, jurisdiction: &str) -> Result<Self, Fault> {
        let raw = self.raw.jurisdiction(jurisdiction);
        raw.map(|raw| Self { raw })
            .map_err(|error| Fault::Configuration(message_of(&error)))
    }

    pub(crate) fn unique_id(&self) -> RawId {
        raw_id(&self.raw.new_unique_id())
    }

    pub(crate) fn parse_id(&self, hex: &str) -> Result<RawId, InvalidId> {
        let id = RawId::from_hex(hex).ok_or(InvalidId::NotHex)?;
        self.raw
            .id_from_string(hex)
            .map(|_| id)
            .map_err(|_| InvalidId::Foreign)
    }

    pub(crate) fn by_name(&self, name: &str, options: &Placement) -> Remote {
        Remote::new(
            self.raw.clone(),
            Address::Name(name.to_owned()),
            options.clone(),
        )
    }

    pub(crate) fn by_id(&self, id: RawId, options: &Placement) -> Remote {
        Remote::new(self.raw.clone(), Address::Id(id), options.clone())
    }
}
