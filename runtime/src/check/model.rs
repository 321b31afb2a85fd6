//! The models with which histories are compared.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

/// A sequential description of an object: the effect of each operation when it runs alone.
///
/// The checker calls [`step`](Self::step) to find out whether an operation could run in a state and
/// give its recorded response. [`models`](crate::check::models) has the models of common objects.
/// Write your own like this model of a set:
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
    /// The operations of clients. Equal operations must have equal effects.
    type Op: Debug + PartialEq;
    /// The responses of the object. The method's own errors are responses too.
    type Output: Debug;
    /// The state of the object. Keep it small, because the checker stores many states.
    type State: Clone + Eq + Hash + Debug;

    /// Returns the state before the first operation.
    fn initial(&self) -> Self::State;

    /// Returns the states in which `op` may leave the object if it runs in `state` and responds
    /// with `output`. Returns none if that response is wrong in this state.
    ///
    /// `output` is `None` if the response never arrived. Then return every state in which `op` may
    /// leave the object, or one that allows everything that those states allow. The checker itself
    /// considers that the operation may not have run.
    ///
    /// Return an `Option` if each response leads to one state. Return a `Vec` if an operation has a
    /// choice that its response does not reveal.
    fn step(
        &self,
        state: &Self::State,
        op: &Self::Op,
        output: Option<&Self::Output>,
    ) -> impl IntoIterator<Item = Self::State>;

    /// Returns `true` if `op` with this response leaves every state unchanged, such as a read or a
    /// refusal.
    ///
    /// This makes the search much faster: such an operation is placed as soon as it fits, and is
    /// ignored if its response never arrived (`None`). The default `false` is always correct.
    fn keeps_state(&self, op: &Self::Op, output: Option<&Self::Output>) -> bool {
        let _ = (op, output);
        false
    }

    /// Returns `true` if neither `state` nor any later state allows `op` to respond with `output`.
    /// For example, a log is already longer than the index in the response, or has another item
    /// there.
    ///
    /// This spares the search all continuations. The default `false` is always correct.
    fn rules_out(&self, state: &Self::State, op: &Self::Op, output: &Self::Output) -> bool {
        let _ = (state, op, output);
        false
    }

    /// Returns the name of the independent part that `op` belongs to, such as a key of a map.
    ///
    /// Parts are checked one by one, each from the initial state. This is exact, and much faster
    /// than one check of all parts. The default is a single part.
    fn partition(&self, op: &Self::Op) -> String {
        let _ = op;
        String::new()
    }
}

/// Many objects with the same model: each operation has the key of its object.
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
    /// Creates a model of objects that each behave as `model`.
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
