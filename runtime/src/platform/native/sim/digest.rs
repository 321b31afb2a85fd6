//! Digests of the values behind events. They tell apart two runs of a seed with the same events
//! that differ in what is sent or stored.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::executor::work::{Output, Task, Work};
use super::super::network::frame::Frame;
use super::super::seam::carried::{Carried, CarriedBody};
use crate::error::fault::Fault;
use crate::http::Request;
use crate::socket::Message;

/// The size of a database page, as SQLite writes it.
const PAGE: usize = 4_096;
/// A commit changes a few bytes of a page. This many bytes of the page around each change are
/// hashed.
const PART: usize = 64;

pub(super) fn digest_of_work(work: &Work) -> u64 {
    digest(|hasher| match work {
        Work::Task(task) => hash_task(task, hasher),
        Work::Alarm { .. } => {}
        Work::Message { message, .. } => hash_message(message, hasher),
        Work::Close {
            code,
            reason,
            clean,
            ..
        } => (code, reason, clean).hash(hasher),
        Work::Error { message, .. } => message.hash(hasher),
    })
}

pub(super) fn digest_of_output(output: &Output) -> u64 {
    digest(|hasher| match output {
        Output::Called { result, .. } => match result {
            Ok(value) => value.hash(hasher),
            Err(fault) => hash_fault(fault, hasher),
        },
        Output::Fetched { response, .. } => match response {
            Ok(response) => hash_response(response, hasher),
            Err(fault) => hash_fault(fault, hasher),
        },
        Output::Chunk { step, .. } => match step {
            Ok(chunk) => chunk.hash(hasher),
            Err(fault) => hash_fault(fault, hasher),
        },
        Output::Delivery(delivery) => {
            delivery.id.hash(hasher);
            hash_task(&delivery.task, hasher);
        }
        Output::Frame { frame, .. } => match frame {
            Frame::Message(message) => hash_message(message, hasher),
            Frame::Close { code, reason } => (code, reason).hash(hasher),
            Frame::GoingAway | Frame::Drop => {}
        },
        Output::Barrier(_) => {}
    })
}

/// Returns the digest of a request to the outside world.
pub(super) fn digest_of_request(request: &Request) -> u64 {
    digest(|hasher| request.inner.hash(hasher))
}

/// Returns the digest of what a commit changed in the image of a database.
pub(super) fn digest_of_commit(before: &[u8], after: &[u8]) -> u64 {
    digest(|hasher| {
        after.len().hash(hasher);
        for (number, page) in after.chunks(PAGE).enumerate() {
            let known = before.get(number * PAGE..).unwrap_or_default();
            let known = &known[..known.len().min(page.len())];
            if known == page {
                continue;
            }
            for (at, part) in page.chunks(PART).enumerate() {
                if known.get(at * PART..at * PART + part.len()) != Some(part) {
                    (number, at, part).hash(hasher);
                }
            }
        }
    })
}

fn digest(hash: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash(&mut hasher);
    hasher.finish()
}

fn hash_task(task: &Task, hasher: &mut DefaultHasher) {
    match task {
        Task::Call { arguments, .. } => arguments.hash(hasher),
        Task::Fetch { request, .. } => request.inner.hash(hasher),
    }
}

fn hash_message(message: &Message, hasher: &mut DefaultHasher) {
    match message {
        Message::Text(text) => text.hash(hasher),
        Message::Binary(bytes) => bytes.hash(hasher),
    }
}

fn hash_response(response: &Carried, hasher: &mut DefaultHasher) {
    let Carried {
        status,
        headers,
        body,
    } = response;
    (status, headers).hash(hasher);
    if let CarriedBody::Bytes(bytes) = body {
        bytes.hash(hasher);
    }
}

fn hash_fault(fault: &Fault, hasher: &mut DefaultHasher) {
    if let Fault::Application(fault) | Fault::Start(fault) = fault {
        fault.body.hash(hasher);
    }
    fault.summary().hash(hasher);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_a_commit_changes_with_each_byte_and_with_the_length() {
        let before = vec![0; 3 * PAGE];
        let unchanged = digest_of_commit(&before, &before);
        for at in [0, PART, PAGE - 1, PAGE, 3 * PAGE - 1] {
            let mut after = before.clone();
            after[at] = 1;
            let changed = digest_of_commit(&before, &after);
            assert_ne!(changed, unchanged, "byte {at}");
            after[at] = 2;
            assert_ne!(digest_of_commit(&before, &after), changed, "byte {at}");
        }
        let longer = vec![0; 4 * PAGE];
        assert_ne!(digest_of_commit(&before, &longer), unchanged);
        assert_ne!(
            digest_of_commit(&[], &before),
            digest_of_commit(&[], &longer)
        );
    }
}
