//! What a history is compared with.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

/// A sequential description of an object: what each operation does when it runs alone.
///
/// The checker asks [`step`](Self::step) whether an operation could run in a state and answer what
/// it did answer. [`models`](crate::check::models) has the models of common objects. Write your own
/// as this one of a set:
///
/// ```
/// use anchorhold::check::{History, Model};
/// use std::collections::BTreeSet;
///
/// #[derive(Debug, PartialEq)]
/// enum SetOp {
///     Insert(u32),
///     Contains(u32),
/// }
///
/// struct Set;
///
/// impl Model for Set {
///     type Op = SetOp;
///     type Output = bool;
///     type State = BTreeSet<u32>;
///
///     fn initial(&self) -> Self::State {
///         BTreeSet::new()
///     }
///
///     fn step(
///         &self,
///         state: &Self::State,
///         op: &SetOp,
///         output: Option<&bool>,
///     ) -> impl IntoIterator<Item = Self::State> {
///         let mut state = state.clone();
///         let expected = match op {
///             SetOp::Insert(item) => state.insert(*item),
///             SetOp::Contains(item) => state.contains(item),
///         };
///         output.is_none_or(|output| *output == expected).then_some(state)
///     }
/// }
///
/// let history = History::new();
/// history.begin("ann", SetOp::Insert(7)).returned(true);
/// history.begin("bob", SetOp::Contains(7)).returned(false);
/// let error = history.check(&Set).unwrap_err();
/// assert!(error.to_string().contains("Contains(7) -> false"));
/// ```
pub trait Model {
    /// What a client asks for. Equal operations must have equal effects.
    type Op: Debug + PartialEq;
    /// What the object answers. Errors of the method itself are answers too.
    type Output: Debug;
    /// What the object remembers. Keep it small: the checker stores many of them.
    type State: Clone + Eq + Hash + Debug;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The states in which `op` may leave the object if it runs in `state` and answers `output`.
    /// Empty if that answer is wrong in this state.
    ///
    /// `output` is `None` if the answer never arrived: then return every state in which `op` may
    /// leave the object, or one that allows all that those allow. That it may not have run at all is
    /// the checker's concern.
    ///
    /// Return an `Option` if each answer leads to one state. Return a `Vec` if an operation has a
    /// choice that its answer does not show.
    fn step(
        &self,
        state: &Self::State,
        op: &Self::Op,
        output: Option<&Self::Output>,
    ) -> impl IntoIterator<Item = Self::State>;

    /// Whether `op` with this answer leaves every state as it was, like a read or a refusal.
    ///
    /// Saying so makes the search much faster: such an operation is placed as soon as it fits, and
    /// ignored if its answer never arrived (`None`). The default is `false`, which is always right.
    fn keeps_state(&self, op: &Self::Op, output: Option<&Self::Output>) -> bool {
        let _ = (op, output);
        false
    }

    /// Whether neither `state` nor any state that may follow it allows `op` to answer `output`: the
    /// log is longer than the index that was answered, or has another item there.
    ///
    /// Saying so spares the search all that could follow. The default is `false`, which is always
    /// right.
    fn rules_out(&self, state: &Self::State, op: &Self::Op, output: &Self::Output) -> bool {
        let _ = (state, op, output);
        false
    }

    /// The name of the independent part that `op` belongs to, such as a key of a map.
    ///
    /// Parts are checked one by one, each from the initial state. This is exact, and much faster
    /// than one check of them all. The default is one part for all.
    fn partition(&self, op: &Self::Op) -> String {
        let _ = op;
        String::new()
    }
}

/// Many objects of one model: each operation comes with the key of its object.
///
/// ```
/// use anchorhold::check::models::{Counter, CounterOp};
/// use anchorhold::check::{History, PerKey};
///
/// let history = History::new();
/// history.begin(1, ("apples", CounterOp::Add(2))).returned(2);
/// history.begin(1, ("pears", CounterOp::Add(3))).returned(3);
/// history.check(&PerKey::new(Counter)).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PerKey<K, M> {
    model: M,
    key: PhantomData<K>,
}

impl<K, M> PerKey<K, M> {
    /// Objects that each behave as `model` says.
    pub fn new(model: M) -> Self {
        Self {
            model,
            key: PhantomData,
        }
    }
}

impl<K: Debug + PartialEq, M: Model> Model for PerKey<K, M> {
    type Op = (K, M::Op);
    type Output = M::Output;
    type State = M::State;

    fn initial(&self) -> M::State {
        self.model.initial()
    }

    fn step(
        &self,
        state: &M::State,
        (_, op): &(K, M::Op),
        output: Option<&M::Output>,
    ) -> impl IntoIterator<Item = M::State> {
        self.model.step(state, op, output)
    }

    fn keeps_state(&self, (_, op): &(K, M::Op), output: Option<&M::Output>) -> bool {
        self.model.keeps_state(op, output)
    }

    fn rules_out(&self, state: &M::State, (_, op): &(K, M::Op), output: &M::Output) -> bool {
        self.model.rules_out(state, op, output)
    }

    fn partition(&self, (key, op): &(K, M::Op)) -> String {
        format!("{key:?} {}", self.model.partition(op))
            .trim_end()
            .to_owned()
    }
}
