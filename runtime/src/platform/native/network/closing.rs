//! The end of connections: codes that are never sent, and limits on its duration.

use std::time::Duration;

/// RFC 6455: represents a Close without a code. Never sent.
pub(in super::super) const NO_CODE: u16 = 1005;
/// How long a peer may take to answer a Close.
pub(in super::super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// RFC 6455: represents a connection that ended without a Close. Never sent.
pub(in super::super) const BROKEN: u16 = 1006;
/// A peer that is silent for this long is sent a ping. After the same time again, it is given up.
pub(in super::super) const SILENCE: Duration = Duration::from_secs(60);
