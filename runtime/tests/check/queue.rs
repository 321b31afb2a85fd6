//! A queue, whose order of pushes shows only when the items come out. That makes it a hard model.

use std::collections::VecDeque;

use anchorhold::check::Model;

/// First in, first out.
pub struct Queue;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueOp {
    Push(char),
    Pop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueOutput {
    Pushed,
    /// The item that was taken; `None` if the queue was empty.
    Popped(Option<char>),
}

impl Model for Queue {
    type Op = QueueOp;
    type Output = QueueOutput;
    type State = VecDeque<char>;

    fn initial(&self) -> VecDeque<char> {
        VecDeque::new()
    }

    fn step(
        &self,
        state: &VecDeque<char>,
        op: &QueueOp,
        output: Option<&QueueOutput>,
    ) -> impl IntoIterator<Item = VecDeque<char>> {
        let mut state = state.clone();
        let expected = match op {
            QueueOp::Push(item) => {
                state.push_back(*item);
                QueueOutput::Pushed
            }
            QueueOp::Pop => QueueOutput::Popped(state.pop_front()),
        };
        output
            .is_none_or(|output| *output == expected)
            .then_some(state)
    }
}
