//! Converts a failure to an HTTP response.

use super::Response;
use crate::error::fault::Fault;

impl Fault {
    pub(crate) fn into_response(self) -> Response {
        let (status, code, message) = self.summary();
        let mut response = Response::error(status, code, &message);
        match &self {
            Self::MethodNotAllowed { allow } => response = response.with_header("allow", allow),
            Self::Application(fault) | Self::Start(fault) => {
                if let Some(after) = fault.retry_after_ms {
                    response =
                        response.with_header("retry-after", &after.div_ceil(1000).to_string());
                }
            }
            Self::Overloaded(_) => response = response.with_header("retry-after", "1"),
            Self::UpgradeRequired => response = response.with_header("upgrade", "websocket"),
            _ => {}
        }
        response
    }
}
