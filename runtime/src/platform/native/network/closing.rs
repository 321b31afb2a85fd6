//! How connections end: codes that are never sent, and how long an end may take.

use std::time::Duration;

/// RFC 6455: stands for a Close that brings no code; never sent.
pub(in super::super) const NO_CODE: u16 = 1005;
/// How long a peer may take to answer a Close.
pub(in super::super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// RFC 6455: stands for a connection that ended without a Close; never sent.
pub(in super::super) const BROKEN: u16 = 1006;
/// A peer that is silent this long is asked for a sign of life, and after as long again given up.
pub(in super::super) const SILENCE: Duration = Duration::from_secs(60);
