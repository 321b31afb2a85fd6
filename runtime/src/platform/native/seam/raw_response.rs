//! The platform's own responses. This platform has none.

use crate::error::fault::Fault;

pub(crate) enum RawResponse {}

impl RawResponse {
    pub(crate) async fn bytes(&self) -> Result<Vec<u8>, Fault> {
        match *self {}
    }
}
