//! A rate limiter: one object that holds the limits of many keys.
//!
//! # First use
//!
//! ```
//! use anchorhold::objects::RateLimiter;
//! use anchorhold::objects::rate_limiter::{Algorithm, Check, Guard, Limit, Policy};
//! use anchorhold::prelude::*;
//!
//! const SEARCHES: Limit = Limit::new("searches", Policy::new(Algorithm::TokenBucket, 20, 60_000));
//!
//! #[anchorhold::app]
//! fn app() -> App {
//!     let limiter = Guard::new(16);
//!     App::new()
//!         .object::<RateLimiter>()
//!         .post("/search", move |request: Request, env: Env| {
//!             let limiter = limiter.clone();
//!             async move {
//!                 let caller = request.client_network();
//!                 let caller = caller.ok_or_else(|| Error::forbidden("no address"))?.to_string();
//!                 limiter.check(&env, Check::new(caller, SEARCHES)).await?.granted()?;
//!                 Ok(Response::text(200, "found"))
//!             }
//!         })
//! }
//! ```
//!
//! # Parts
//!
//! [`RateLimiter`] is the object. [`core`] makes the decisions and uses neither a clock nor
//! storage: your own object can store a [`Usage`] with its other state and ask a [`Policy`].
//! [`Guard`] is the caller's side.
//!
//! An app with the feature `chat-room` and without `rate-limiter` gets only the core, and its
//! bundle does not export `RateLimiter`.

#[cfg(feature = "rate-limiter")]
mod blocked;
pub mod core;
#[cfg(feature = "rate-limiter")]
mod decide;
mod fields;
#[cfg(feature = "rate-limiter")]
mod guard;
#[cfg(feature = "rate-limiter")]
mod object;
mod policy;
#[cfg(feature = "rate-limiter")]
mod request;
#[cfg(feature = "rate-limiter")]
mod store;
mod usage;

pub use self::core::{Decision, Reason};
pub use self::fields::{limit_field, policy_field};
#[cfg(feature = "rate-limiter")]
pub use self::guard::Guard;
#[cfg(feature = "rate-limiter")]
pub use self::object::{RateLimiter, RateLimiterStub};
pub use self::policy::{Algorithm, Limit, MAX_LIMIT, MAX_LOG_LIMIT, MAX_WINDOW_MS, Policy};
#[cfg(feature = "rate-limiter")]
pub use self::request::{
    Check, Decisions, List, Listing, MAX_CHECKS, MAX_KEY, MAX_LIMITS_PER_KEY, MAX_POLICIES,
    MAX_POLICY_NAME, NamedPolicy, Override, Rule, Status,
};
pub use self::usage::Usage;
