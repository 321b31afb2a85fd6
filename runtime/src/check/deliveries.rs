//! Counts requests: how often each was made, was acknowledged and took effect.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::rc::Rc;

use super::operation::did_not_run;
use crate::error::CallError;

/// The maximum number of violations that are printed.
const SHOWN: usize = 10;

/// Requests that must take effect exactly once, or at least once, if they were acknowledged.
///
/// Each request has a key: a request id, a number, or the stored value. A retry of a request has
/// the same key. Clones are handles of the same count.
///
/// | the request was | exactly once | at least once |
/// | --- | --- | --- |
/// | acknowledged | found 1 time | found 1 time or more |
/// | made, with no acknowledgement | found 0 or 1 times | found any number of times |
/// | made, and certainly did not run | found 0 times | found 0 times |
/// | never made | found 0 times | found 0 times |
///
/// ```
/// use anchorhold::check::Deliveries;
///
/// let payments = Deliveries::exactly_once();
/// payments.asked("rent");
/// payments.acknowledged("rent");
/// payments.asked("food");
/// payments.check(["rent"]).unwrap();
/// let error = payments.check(["rent", "rent"]).unwrap_err();
/// assert!(error.to_string().contains(r#""rent" was found 2 times"#));
/// ```
pub struct Deliveries<K> {
    guarantee: Guarantee,
    requests: Rc<RefCell<BTreeMap<K, Request>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Guarantee {
    ExactlyOnce,
    AtLeastOnce,
}

#[derive(Clone, Copy, Default)]
struct Request {
    asked: usize,
    acknowledged: usize,
    /// The number of requests that were made and certainly did not run.
    refused: usize,
}

impl<K: Ord + Debug> Deliveries<K> {
    /// Creates a count of requests that must never take effect twice.
    #[must_use]
    pub fn exactly_once() -> Self {
        Self::of(Guarantee::ExactlyOnce)
    }

    /// Creates a count of requests that may take effect repeatedly, such as runs of an alarm.
    #[must_use]
    pub fn at_least_once() -> Self {
        Self::of(Guarantee::AtLeastOnce)
    }

    fn of(guarantee: Guarantee) -> Self {
        Self {
            guarantee,
            requests: Rc::default(),
        }
    }

    /// Records that a request is made or retried.
    pub fn asked(&self, key: K) {
        self.note(key, |request| request.asked += 1);
    }

    /// Records that a request was acknowledged.
    pub fn acknowledged(&self, key: K) {
        self.note(key, |request| request.acknowledged += 1);
    }

    /// Records that one try of a request certainly had no effect.
    pub fn refused(&self, key: K) {
        self.note(key, |request| request.refused += 1);
    }

    fn note(&self, key: K, change: impl FnOnce(&mut Request)) {
        change(self.requests.borrow_mut().entry(key).or_default());
    }

    /// Records a call of a stub and returns its result. The request counts as [made](Self::asked)
    /// now. It is [acknowledged](Self::acknowledged) if the call returns `Ok`. It is
    /// [refused](Self::refused) if its error means that it did not run (overloaded, no such method,
    /// call cycle, configuration).
    pub fn call<T, E, F>(
        &self,
        key: K,
        call: F,
    ) -> impl Future<Output = Result<T, CallError<E>>> + use<K, T, E, F>
    where
        K: Clone,
        F: Future<Output = Result<T, CallError<E>>>,
    {
        self.asked(key.clone());
        let noted = self.clone();
        async move {
            let result = call.await;
            match &result {
                Ok(_) => noted.acknowledged(key),
                Err(error) if did_not_run(error) => noted.refused(key),
                Err(_) => {}
            }
            result
        }
    }

    /// Compares the requests with the keys that were found in the end.
    ///
    /// # Errors
    /// The keys that were found too often or not often enough.
    pub fn check(&self, found: impl IntoIterator<Item = K>) -> Result<(), DeliveryError> {
        let mut times: BTreeMap<K, usize> = BTreeMap::new();
        for key in found {
            *times.entry(key).or_default() += 1;
        }
        let requests = self.requests.borrow();
        let mut violations: Vec<String> = requests
            .iter()
            .filter_map(|(key, request)| {
                let found = times.remove(key).unwrap_or_default();
                self.violation(key, *request, found)
            })
            .collect();
        violations.extend(
            times
                .iter()
                .map(|(key, found)| format!("{key:?} was found {}, never asked", count(*found))),
        );
        DeliveryError::of(violations)
    }

    fn violation(&self, key: &K, request: Request, found: usize) -> Option<String> {
        let Request {
            asked,
            acknowledged,
            refused,
        } = request;
        if acknowledged > 0 && found == 0 {
            return Some(format!(
                "{key:?} was acknowledged {}, found 0 times",
                count(acknowledged)
            ));
        }
        if found > 0 && acknowledged == 0 && asked == refused {
            return Some(format!(
                "{key:?} was found {}, though it was refused each time it was asked",
                count(found)
            ));
        }
        (found > 1 && self.guarantee == Guarantee::ExactlyOnce).then(|| {
            format!(
                "{key:?} was found {}, must be at most once (asked {}, acknowledged {})",
                count(found),
                count(asked),
                count(acknowledged)
            )
        })
    }

    /// Checks as [`check`](Self::check) does, if only the number of effects is known, as for a
    /// counter.
    ///
    /// # Errors
    /// There are fewer effects than acknowledged requests. For "exactly once" also: there are more
    /// effects than requests that may have run.
    pub fn check_total(&self, found: usize) -> Result<(), DeliveryError> {
        let requests = self.requests.borrow();
        let least = requests
            .values()
            .filter(|request| request.acknowledged > 0)
            .count();
        let most = requests
            .values()
            .filter(|request| request.acknowledged > 0 || request.asked > request.refused)
            .count();
        let too_many = match self.guarantee {
            Guarantee::ExactlyOnce => found > most,
            Guarantee::AtLeastOnce => found > 0 && most == 0,
        };
        let mut violations = Vec::new();
        if found < least {
            violations.push(format!(
                "{least} requests were acknowledged, the total is {found}"
            ));
        }
        if too_many {
            violations.push(format!(
                "{most} requests may have taken effect, the total is {found}"
            ));
        }
        DeliveryError::of(violations)
    }
}

impl<K> Clone for Deliveries<K> {
    fn clone(&self) -> Self {
        Self {
            guarantee: self.guarantee,
            requests: Rc::clone(&self.requests),
        }
    }
}

fn count(times: usize) -> String {
    if times == 1 {
        "once".to_owned()
    } else {
        format!("{times} times")
    }
}

/// Requests that did not take effect as often as required; see [`Deliveries::check`].
///
/// `Debug` prints the report too, so that `unwrap` in a test shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct DeliveryError {
    violations: Vec<String>,
}

impl DeliveryError {
    fn of(violations: Vec<String>) -> Result<(), Self> {
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Self { violations })
        }
    }

    /// Returns one sentence for each violation, in the order of the keys.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.violations[..self.violations.len().min(SHOWN)];
        formatter.write_str(&shown.join("\n"))?;
        match self.violations.len() - shown.len() {
            0 => Ok(()),
            more => write!(formatter, "\n… and {more} more"),
        }
    }
}

impl fmt::Debug for DeliveryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for DeliveryError {}
