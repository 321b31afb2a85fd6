//! Answers in flight to callers on other threads.
//!
//! A thread produces answers faster than a busy one takes them, so the answers in flight are
//! bounded. Small ones are not counted, because the number of callers bounds them.

use super::super::network::answers::SMALL;
use super::super::network::budget::Share;
use super::super::seam::carried::Carried;
use super::work::{ReplyTo, answer, answer_with};
use super::{MAX_CROSSING, Shard};
use crate::error::fault::Fault;

impl Shard {
    /// Sends a result. If there is no room for it, the result is lost although its turn was
    /// committed. The caller then receives a disconnected error, after which a call may have run.
    pub(super) fn answer_call(&self, reply: ReplyTo<Vec<u8>>, result: Result<Vec<u8>, Fault>) {
        let bytes = result.as_ref().map_or(0, Vec::len);
        match self.room_to_cross(&reply, bytes) {
            Ok(share) => answer_with(reply, result, share),
            Err(full) => answer(reply, Err(Fault::Disconnected(full))),
        }
    }

    pub(super) fn answer_request(&self, reply: ReplyTo<Carried>, response: Result<Carried, Fault>) {
        let response = response.unwrap_or_else(Carried::from);
        match self.room_to_cross(&reply, response.body_size()) {
            Ok(share) => answer_with(reply, Ok(response), share),
            Err(full) => answer(reply, Ok(Fault::Disconnected(full).into())),
        }
    }

    /// # Errors
    /// Fails if there is no room.
    pub(super) fn room_to_cross<T>(
        &self,
        reply: &ReplyTo<T>,
        bytes: usize,
    ) -> Result<Option<Share>, String> {
        if !reply.crosses || bytes <= SMALL {
            return Ok(None);
        }
        self.crossing.take_any(bytes).map(Some).ok_or_else(|| {
            format!(
                "the response was dropped, and the turn may have run: responses between threads are limited to {MAX_CROSSING} bytes in total; request less at a time"
            )
        })
    }
}
