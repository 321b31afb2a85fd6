//! Identifiers and names.

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Peer;

/// An object's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub id: String,
    pub name: Option<String>,
}

/// What two classes say about the same digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParsedId {
    pub by_id_probe: Result<String, String>,
    pub by_peer: Result<String, String>,
}

impl ParsedId {
    pub(crate) fn of(env: &Env, hex: &str) -> Self {
        Self {
            by_id_probe: parse::<IdProbe>(env, hex),
            by_peer: parse::<Peer>(env, hex),
        }
    }
}

fn parse<T: DurableObject>(env: &Env, hex: &str) -> Result<String, String> {
    env.objects::<T>()
        .parse_id(hex)
        .map(|id| id.to_string())
        .map_err(|error| error.to_string())
}

/// Returns its identity.
#[durable_object]
pub struct IdProbe {}

#[durable_object]
impl IdProbe {
    #[rpc]
    #[get("/")]
    fn identity(&self, ctx: &Ctx) -> Identity {
        Identity {
            id: ctx.id::<Self>().to_string(),
            name: ctx.name(),
        }
    }
}
