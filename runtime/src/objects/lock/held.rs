//! The holder's side: a lease that is renewed while work runs under it.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Acquire, Lease, Lock, LockError, Release, Renew};
use crate::objects::millis::millis;

type LockStub = <Lock as DurableObject>::Stub;

/// A lease held by another object, renewed while [`during`](Self::during) runs.
///
/// ```
/// use anchorhold::objects::Lock;
/// use anchorhold::objects::lock::{Acquire, Held};
/// use anchorhold::prelude::*;
/// use std::time::Duration;
///
/// # #[durable_object]
/// # struct Billing {}
/// # #[durable_object]
/// # impl Billing {
/// #[rpc]
/// async fn bill(&self, ctx: &Ctx, account: String) -> Result<(), Error> {
///     let lock = ctx.objects::<Lock>().named(&account);
///     let request = Acquire::new("billing", Duration::from_secs(10)).wait(Duration::from_secs(60));
///     Held::run(ctx, lock, request, |token| send_invoices(&account, token)).await?
/// }
/// # }
/// # async fn send_invoices(_account: &str, _token: u64) -> Result<(), Error> { Ok(()) }
/// # fn main() {}
/// ```
///
/// # Limits
/// - A dropped `Held` releases the lock in the background ([`Ctx::wait_until`]). If the object's
///   memory ends first, the lock stays taken until the lease expires.
/// - An [`acquire`](Self::acquire) that is dropped while it waits leaves the queue where the host
///   [reports a disconnect](Ctx::caller_gone). On Cloudflare it may be granted a lease that is not
///   used.
/// - Work between two awaits cannot be stopped. Only the [token](Self::token), checked by a
///   [`Fence`](super::Fence), prevents a late write.
#[must_use = "the lock is released when this is dropped"]
pub struct Held<'a> {
    ctx: &'a Ctx,
    lock: LockStub,
    lease: Lease,
    ttl: Duration,
    /// The lease is certain to be active until then: its length, counted from before the request.
    safe_until: Timestamp,
    is_released: bool,
}

/// The lease ended, or may have ended: it could not be renewed in time. Status 409, code `lost`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the lease with token {token} was lost while work was done under it")]
pub struct LeaseLost {
    /// The token of the lease.
    pub token: u64,
}

impl ObjectError for LeaseLost {
    fn status(&self) -> u16 {
        409
    }

    fn code(&self) -> Cow<'_, str> {
        Cow::Borrowed("lost")
    }
}

impl<'a> Held<'a> {
    /// Acquires the lock. A request without an id gets a random one. A call that fails with a
    /// retryable error is retried at least once, and for as long as the request would have waited.
    ///
    /// # Errors
    /// As the lock's `acquire`.
    pub async fn acquire(
        ctx: &'a Ctx,
        lock: LockStub,
        mut request: Acquire,
    ) -> Result<Self, CallError<LockError>> {
        request
            .request_id
            .get_or_insert_with(|| format!("{:016x}{:016x}", ctx.random(), ctx.random()));
        let ttl = Duration::from_millis(request.ttl_ms);
        let give_up = ctx.now() + Duration::from_millis(request.wait_ms);
        let mut tried = false;
        loop {
            let asked = ctx.now();
            match lock.acquire(request.clone()).await {
                Ok(lease) => {
                    let mut held = Self {
                        ctx,
                        lock,
                        lease,
                        ttl,
                        safe_until: asked + ttl,
                        is_released: false,
                    };
                    // After a long wait this side does not know when the lease began. After a
                    // renewal it does.
                    if held.ctx.now() >= held.renew_at() {
                        held.renew().await?;
                    }
                    return Ok(held);
                }
                Err(error) if error.is_retryable() && (!tried || ctx.now() < give_up) => {
                    tried = true;
                    ctx.sleep(PAUSE).await;
                    request.wait_ms = millis(give_up - ctx.now());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs `work` under the lock: acquires it, renews the lease [during](Self::during) the work,
    /// and releases it. `work` gets the fencing token, and is dropped at its next await if the lease
    /// is lost.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire) and [`during`](Self::during). If only the release fails, the
    /// result of the work is returned, and the lock is free when its lease ends.
    pub async fn run<T, W: Future<Output = T>>(
        ctx: &'a Ctx,
        lock: LockStub,
        request: Acquire,
        work: impl FnOnce(u64) -> W,
    ) -> Result<T, Error> {
        let mut held = Self::acquire(ctx, lock, request).await?;
        let work = work(held.token());
        let done = held.during(work).await?;
        if let Err(error) = held.release().await {
            tracing::warn!(%error, "a lock could not be released; it is free when its lease ends");
        }
        Ok(done)
    }

    /// Returns the fencing token. Pass it to the protected resource with every request.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.lease.token
    }

    /// Returns `true` if the lease is certain to be active, by this object's clock.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.ctx.now() < self.safe_until
    }

    /// Renews the lease now. [`during`](Self::during) does this automatically.
    ///
    /// # Errors
    /// As the lock's `renew`; [`LockError::Lost`] is final.
    pub async fn renew(&mut self) -> Result<(), CallError<LockError>> {
        let asked = self.ctx.now();
        let renew = Renew::of(&self.lease.lease, self.ttl);
        self.lease = self.lock.renew(renew).await?;
        self.safe_until = asked + self.ttl;
        Ok(())
    }

    /// Runs `work` under the lease. The lease is renewed when a third of it is over, and more often
    /// if that fails. When the lease is lost, `work` is dropped at its next await.
    ///
    /// # Errors
    /// [`LeaseLost`].
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, LeaseLost> {
        let token = self.token();
        let mut work = pin!(work);
        let mut lost = pin!(self.keep());
        poll_fn(|context| match lost.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(LeaseLost { token })),
            Poll::Pending => work.as_mut().poll(context).map(Ok),
        })
        .await
    }

    /// Renews the lease until it is lost.
    async fn keep(&mut self) {
        loop {
            self.ctx.sleep(self.renew_at() - self.ctx.now()).await;
            if !self.renew_in_time().await {
                return;
            }
        }
    }

    async fn renew_in_time(&mut self) -> bool {
        while self.is_safe() {
            let left = self.safe_until - self.ctx.now();
            match self.ctx.timeout(left, self.renew()).await {
                Some(Ok(())) => return true,
                None | Some(Err(CallError::Application(LockError::Lost))) => return false,
                Some(Err(_)) => self.ctx.sleep(PAUSE.min(left)).await,
            }
        }
        false
    }

    fn renew_at(&self) -> Timestamp {
        self.safe_until - self.ttl * 2 / 3
    }

    /// Releases the lock. A lease that is already lost is not an error.
    ///
    /// # Errors
    /// The lock could not be reached. The lease then ends at its expiry.
    pub async fn release(mut self) -> Result<(), CallError<LockError>> {
        self.is_released = true;
        match self.lock.release(Release::of(&self.lease.lease)).await {
            Err(CallError::Application(LockError::Lost)) => Ok(()),
            result => result,
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // A lease that may have ended needs no release.
        if self.is_released || !self.is_safe() {
            return;
        }
        let (lock, release) = (self.lock.clone(), Release::of(&self.lease.lease));
        self.ctx.wait_until(async move {
            if let Err(error) = lock.release(release).await {
                tracing::debug!(%error, "a dropped lease could not be released");
            }
        });
    }
}

/// The pause before a failed call is retried.
const PAUSE: Duration = Duration::from_millis(100);

impl From<LeaseLost> for Error {
    fn from(error: LeaseLost) -> Self {
        Self::of(&error)
    }
}
