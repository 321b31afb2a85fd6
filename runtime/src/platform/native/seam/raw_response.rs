//! The platform's own responses. This platform has none.

use super::incoming::Incoming;
use crate::error::fault::Fault;

pub(crate) enum RawResponse {}

impl RawResponse {
    pub(crate) async fn bytes(&self) -> Result<Vec<u8>, Fault> {
        match *self {}
    }

    pub(crate) fn into_incoming(self) -> Option<Incoming> {
        match self {}
    }
}
