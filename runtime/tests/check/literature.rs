//! Small histories whose verdict is known.

use anchorhold::Timestamp;
use anchorhold::check::models::{
    FencedLock, LockOp, LockOutput, Log, LogOp, LogOutput, Register, RegisterOp, RegisterOutput,
};
use anchorhold::check::{History, Model, NotLinearizable, Pending};

use super::queue::{
    Queue, QueueOp,
    QueueOutput::{self, Popped, Pushed},
};
use RegisterOp::{CompareAndSet, Read, Write};
use RegisterOutput::{Swapped, Value, Written};

type Registers = History<RegisterOp<u32>, RegisterOutput<u32>>;
type Queues = History<QueueOp, QueueOutput>;

fn is_linearizable<M: Model>(history: &History<M::Op, M::Output>, model: &M) -> bool {
    match history.check(model) {
        Ok(()) => true,
        Err(NotLinearizable::Violation(_)) => false,
        Err(NotLinearizable::Undecided(undecided)) => panic!("{undecided}"),
    }
}

fn write(history: &Registers, value: u32) -> Pending<RegisterOp<u32>, RegisterOutput<u32>> {
    history.begin("writer", Write(value))
}

fn read(history: &Registers) -> Pending<RegisterOp<u32>, RegisterOutput<u32>> {
    history.begin("reader", Read)
}

#[test]
fn empty_history_is_linearizable() {
    assert!(is_linearizable(&Registers::new(), &Register(0)));
}

#[test]
fn read_that_overlaps_a_write_sees_either_value() {
    for seen in [0, 1] {
        let history = Registers::new();
        let writing = write(&history, 1);
        read(&history).returned(Value(seen));
        writing.returned(Written);
        assert!(is_linearizable(&history, &Register(0)), "{seen}");
    }
}

#[test]
fn read_after_a_write_does_not_see_the_value_before_it() {
    let history = Registers::new();
    write(&history, 1).returned(Written);
    read(&history).returned(Value(0));
    assert!(!is_linearizable(&history, &Register(0)));
}

/// The new-old inversion: what sets linearizable registers apart from regular ones (Lamport, "On
/// interprocess communication", 1986).
#[test]
fn second_read_during_a_write_does_not_go_back_to_the_old_value() {
    let history = Registers::new();
    let writing = write(&history, 1);
    read(&history).returned(Value(1));
    read(&history).returned(Value(0));
    writing.returned(Written);
    assert!(!is_linearizable(&history, &Register(0)));
}

/// Sequentially consistent, and not linearizable.
#[test]
fn order_of_clients_that_do_not_overlap_is_kept() {
    let history = Registers::new();
    history.begin("a", Write(1)).returned(Written);
    history.begin("b", Write(2)).returned(Written);
    history.begin("c", Read).returned(Value(1));
    history.begin("d", Read).returned(Value(2));
    assert!(!is_linearizable(&history, &Register(0)));
}

/// Figures of Herlihy and Wing, "Linearizability: a correctness condition for concurrent objects",
/// 1990.
#[test]
fn queue_of_two_that_push_at_once_gives_items_in_either_order() {
    for popped in ['x', 'y'] {
        let history = Queues::new();
        let (first, second) = (
            history.begin("a", QueueOp::Push('x')),
            history.begin("b", QueueOp::Push('y')),
        );
        first.returned(Pushed);
        second.returned(Pushed);
        history
            .begin("b", QueueOp::Pop)
            .returned(Popped(Some(popped)));
        assert!(is_linearizable(&history, &Queue), "{popped}");
    }
}

#[test]
fn queue_gives_no_item_before_an_older_one() {
    let history = Queues::new();
    history.begin("a", QueueOp::Push('x')).returned(Pushed);
    history.begin("b", QueueOp::Push('y')).returned(Pushed);
    history.begin("a", QueueOp::Pop).returned(Popped(Some('y')));
    assert!(!is_linearizable(&history, &Queue));
}

#[test]
fn queue_gives_an_item_once() {
    let history = Queues::new();
    let pushing = history.begin("a", QueueOp::Push('x'));
    let popping = history.begin("b", QueueOp::Pop);
    history.begin("c", QueueOp::Pop).returned(Popped(Some('x')));
    pushing.returned(Pushed);
    popping.returned(Popped(Some('x')));
    assert!(!is_linearizable(&history, &Queue));
}

#[test]
fn only_one_of_two_overlapping_compare_and_sets_succeeds() {
    let to = |new| CompareAndSet { expected: 0, new };
    for (second, possible) in [(true, false), (false, true)] {
        let history = Registers::new();
        let (a, b) = (history.begin("a", to(1)), history.begin("b", to(2)));
        a.returned(Swapped(true));
        b.returned(Swapped(second));
        assert_eq!(is_linearizable(&history, &Register(0)), possible);
    }
}

#[test]
fn unknown_write_takes_effect_never_or_once_or_much_later() {
    let possible = |seen: &[u32]| {
        let history = Registers::new();
        write(&history, 1).unknown("the host crashed");
        for value in seen {
            read(&history).returned(Value(*value));
        }
        is_linearizable(&history, &Register(0))
    };
    assert!(possible(&[0, 0, 0]));
    assert!(possible(&[1, 1, 1]));
    assert!(possible(&[0, 0, 1]));
    assert!(!possible(&[0, 1, 0]));
}

/// The first read may owe its value to either of two lost operations, the second to one of them
/// only.
#[test]
fn unknown_write_is_spared_for_where_nothing_else_fits() {
    let set = CompareAndSet {
        expected: 0,
        new: 1,
    };
    for lost in [[Write(1), set], [set, Write(1)]] {
        let history = Registers::new();
        for op in lost {
            history.begin("writer", op).unknown("the host crashed");
        }
        read(&history).returned(Value(1));
        write(&history, 5).returned(Written);
        read(&history).returned(Value(1));
        assert!(is_linearizable(&history, &Register(0)), "{lost:?}");
        read(&history).returned(Value(5));
        assert!(!is_linearizable(&history, &Register(0)), "{lost:?}");
    }
}

#[test]
fn unknown_write_does_not_take_effect_before_it_began() {
    let history = Registers::new();
    read(&history).returned(Value(1));
    write(&history, 1).unknown("the host crashed");
    assert!(!is_linearizable(&history, &Register(0)));
}

#[test]
fn failed_write_has_no_effect() {
    let history = Registers::new();
    write(&history, 1).failed("overloaded");
    read(&history).returned(Value(1));
    assert!(!is_linearizable(&history, &Register(0)));
}

#[test]
fn dropped_and_unfinished_operations_are_unknown() {
    let history = Registers::new();
    drop(write(&history, 1));
    let unfinished = write(&history, 2);
    read(&history).returned(Value(1));
    read(&history).returned(Value(2));
    assert!(is_linearizable(&history, &Register(0)));
    unfinished.failed("overloaded");
    assert!(!is_linearizable(&history, &Register(0)));
}

#[test]
fn log_returns_each_index_once_and_reads_a_suffix() {
    let history = History::new();
    let log = Log::new();
    let append = |item, index| {
        let pending = history.begin("writer", LogOp::Append(item));
        pending.returned(LogOutput::Appended(index));
    };
    append('a', 0);
    history
        .begin("writer", LogOp::Append('b'))
        .unknown("the host crashed");
    append('c', 2);
    history
        .begin("reader", LogOp::ReadFrom(1))
        .returned(LogOutput::Items(vec!['b', 'c']));
    assert!(is_linearizable(&history, &log));
    append('d', 2);
    assert!(!is_linearizable(&history, &log));
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn granted(token: u64, now: i64) -> LockOutput {
    LockOutput::Granted {
        token,
        at: at(now),
        until: at(now + 10),
    }
}

fn locks(operations: &[(LockOp, Option<LockOutput>)]) -> bool {
    let history = History::new();
    for (op, output) in operations {
        let pending = history.begin("client", *op);
        match output {
            Some(output) => pending.returned(*output),
            None => pending.unknown("the host crashed"),
        }
    }
    is_linearizable(&history, &FencedLock)
}

#[test]
fn lock_is_granted_again_when_it_was_released_or_has_expired() {
    use LockOp::{Acquire, Release};
    let first = (Acquire, Some(granted(1, 0)));
    let released = (Release(1), Some(LockOutput::Released));
    assert!(locks(&[first, released, (Acquire, Some(granted(2, 1)))]));
    assert!(locks(&[first, (Acquire, Some(granted(2, 10)))]));
    assert!(!locks(&[first, (Acquire, Some(granted(2, 9)))]));
    // The release may have been lost, or not.
    let perhaps = (Release(1), None);
    assert!(locks(&[first, perhaps, (Acquire, Some(granted(2, 1)))]));
    assert!(locks(&[first, perhaps, (Acquire, Some(LockOutput::Held))]));
}

#[test]
fn lock_tokens_grow_and_a_lease_is_not_lost_early() {
    use LockOp::{Acquire, Release};
    let first = (Acquire, Some(granted(1, 0)));
    let released = (Release(1), Some(LockOutput::Released));
    assert!(!locks(&[first, released, (Acquire, Some(granted(1, 1)))]));
    let lost = |now| (Release(1), Some(LockOutput::Lost { at: at(now) }));
    assert!(!locks(&[first, lost(9)]));
    assert!(locks(&[first, lost(10)]));
    assert!(!locks(&[(Acquire, Some(LockOutput::Held))]));
    assert!(locks(&[(Acquire, None), (Acquire, Some(LockOutput::Held))]));
}
