//! Work that may take only so long.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// The result of `work`, unless `time` is over first.
pub(super) async fn within<T>(
    time: impl Future<Output = ()>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let (mut time, mut work) = (pin!(time), pin!(work));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => time.as_mut().poll(context).map(|()| None),
    })
    .await
}
