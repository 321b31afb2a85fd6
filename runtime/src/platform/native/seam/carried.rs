//! Responses on their way from an object to its caller, who may be on another thread.

use super::incoming::Incoming;
use super::upgrade::Upgrade;
use crate::error::fault::Fault;
use crate::http::stream::BodyStream;
use crate::http::{Body, Header, Response};

/// A response without the parts that belong to the object's thread.
pub(in super::super) struct Carried {
    pub(in super::super) status: u16,
    pub(in super::super) headers: Vec<Header>,
    pub(in super::super) body: CarriedBody,
}

pub(in super::super) enum CarriedBody {
    Empty,
    Bytes(Vec<u8>),
    Chunks {
        incoming: Incoming,
        ends_with_host: bool,
    },
    Upgrade(Upgrade),
}

impl Carried {
    /// Makes a response ready to leave its thread. `produce` begins to produce a streaming body.
    pub(in super::super) fn new(
        response: Response,
        produce: impl FnOnce(BodyStream) -> Incoming,
    ) -> Self {
        let Response {
            status,
            headers,
            body,
        } = response;
        let body = match body {
            Body::Empty => CarriedBody::Empty,
            Body::Bytes(bytes) => CarriedBody::Bytes(bytes),
            Body::Stream(chunks) => CarriedBody::Chunks {
                ends_with_host: chunks.ends_with_host,
                incoming: produce(chunks),
            },
            Body::Upgrade(upgrade) => CarriedBody::Upgrade(upgrade),
            Body::Raw(raw) => match raw {},
        };
        Self {
            status,
            headers,
            body,
        }
    }

    /// How many bytes the body holds in memory.
    pub(in super::super) fn body_size(&self) -> usize {
        match &self.body {
            CarriedBody::Bytes(bytes) => bytes.len(),
            CarriedBody::Empty | CarriedBody::Chunks { .. } | CarriedBody::Upgrade(_) => 0,
        }
    }
}

impl From<Fault> for Carried {
    fn from(fault: Fault) -> Self {
        // A failure has no streaming body.
        Self::new(fault.into_response().checked(), |_| Incoming::produced().1)
    }
}

impl From<Carried> for Response {
    fn from(carried: Carried) -> Self {
        let Carried {
            status,
            headers,
            body,
        } = carried;
        let body = match body {
            CarriedBody::Empty => Body::Empty,
            CarriedBody::Bytes(bytes) => Body::Bytes(bytes),
            CarriedBody::Chunks {
                incoming,
                ends_with_host,
            } => {
                let mut chunks = BodyStream::incoming(incoming);
                chunks.ends_with_host = ends_with_host;
                Body::Stream(chunks)
            }
            CarriedBody::Upgrade(upgrade) => Body::Upgrade(upgrade),
        };
        Self {
            status,
            headers,
            body,
        }
    }
}
