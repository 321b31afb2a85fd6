//! Combines searches to a verdict: part by part, then the shortest prefix that cannot be explained.

use std::collections::BTreeMap;

use super::model::Model;
use super::operation::{Operation, Outcome};
use super::report::{Blamed, NotLinearizable, Undecided, Violation};
use super::search::{Search, Verdict, response};

/// Implements [`History::check_within`](super::History::check_within).
pub(super) fn check<M: Model>(
    operations: &[Operation<M::Op, M::Output>],
    model: &M,
    limit: usize,
) -> Result<(), NotLinearizable> {
    let mut parts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        if !matches!(operation.outcome, Outcome::Failed(_)) {
            let name = model.partition(&operation.op);
            parts.entry(name).or_default().push(index);
        }
    }
    // A violation is more informative than an undecided part.
    let mut undecided = None;
    let mut violations = Vec::new();
    for (name, members) in parts {
        let part = Part {
            operations,
            model,
            members,
            limit,
        };
        let mut search = part.search(usize::MAX);
        match search.run(limit) {
            Verdict::Linearizable => {}
            Verdict::NotLinearizable => {
                let blamed = part.blame(search.explained());
                violations.push((name, part.members, blamed));
            }
            Verdict::Undecided => {
                undecided.get_or_insert(Undecided {
                    part: name,
                    explained: search.explained(),
                    of: search.responses(),
                    limit,
                });
            }
        }
    }
    // The first wrong response of any part may be the first of all.
    let all_known = undecided.is_none() && violations.iter().all(|(_, _, blamed)| blamed.is_first);
    let first = violations
        .into_iter()
        .min_by_key(|(_, _, blamed)| operations[blamed.operation].ended);
    match (first, undecided) {
        (Some((name, members, mut blamed)), _) => {
            blamed.is_first = all_known;
            Err(Violation::new(operations, &members, &name, &blamed).into())
        }
        (None, Some(undecided)) => Err(undecided.into()),
        (None, None) => Ok(()),
    }
}

struct Part<'a, M: Model> {
    operations: &'a [Operation<M::Op, M::Output>],
    model: &'a M,
    members: Vec<usize>,
    limit: usize,
}

impl<M: Model> Part<'_, M> {
    fn search(&self, until: usize) -> Search<'_, M> {
        Search::new(self.model, self.operations, &self.members, until)
    }

    /// Finds the first response that no order explains. The whole part is not linearizable, and its
    /// first `explained` responses are.
    ///
    /// A search of the whole part cannot find it: that search knows the ends of operations that are
    /// still running at the first wrong response, and may therefore fail at an earlier one.
    fn blame(&self, explained: usize) -> Blamed {
        let mut ends: Vec<(usize, usize)> = self
            .members
            .iter()
            .filter_map(|&index| Some((response(&self.operations[index])?.0, index)))
            .collect();
        ends.sort_unstable();
        let until = |responses: usize| responses.checked_sub(1).map_or(0, |last| ends[last].0);

        // The first `good` responses can be explained, the first `bad` cannot. The two are usually
        // close.
        let (mut good, mut bad) = (explained, ends.len());
        let mut stride = 1;
        let mut is_first = true;
        while good + 1 < bad {
            let probe = (good + stride).min(good.midpoint(bad));
            let mut search = self.search(until(probe));
            match search.run(self.limit) {
                Verdict::Linearizable => {
                    good = probe;
                    stride *= 2;
                }
                Verdict::NotLinearizable => {
                    bad = probe;
                    good = good.max(search.explained());
                    stride = 1;
                }
                Verdict::Undecided => {
                    is_first = false;
                    break;
                }
            }
        }
        let operation = ends[bad - 1].1;
        let mut search = self.search(until(good));
        let is_explained = matches!(search.run(self.limit), Verdict::Linearizable);
        Blamed {
            operation,
            is_first: is_first && is_explained,
            initial: format!("{:?}", self.model.initial()),
            order: search
                .order()
                .into_iter()
                .map(|(index, state)| (index, format!("{state:?}")))
                .collect(),
        }
    }
}
