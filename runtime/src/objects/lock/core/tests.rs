//! Compares random histories of many clients with a record of what every lease was promised.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::objects::lock::Fence;

const CLIENTS: usize = 32;

#[derive(Clone, Debug)]
enum Step {
    Acquire {
        client: usize,
        mode: Mode,
        ttl: u64,
        waits: bool,
        named: bool,
        delay: u64,
    },
    Renew(usize, u64),
    Release(usize),
    Cancel(usize),
    GiveUp(usize),
    Write(usize),
    Break,
    /// Time passes, in milliseconds.
    Pass(i64),
    /// Time passes until the next change that the lock reported.
    Alarm,
    /// The host's clock is set back or forward, while no time passes.
    Set(i64),
    /// The memory is lost.
    Crash,
}

fn steps(clock_jumps_ahead: bool) -> impl Strategy<Value = Vec<Step>> {
    let client = || 0..CLIENTS;
    let mode = prop_oneof![3 => Just(Mode::Exclusive), 2 => Just(Mode::Shared)];
    let ahead_by = if clock_jumps_ahead { 500_i64 } else { 0 };
    let step = prop_oneof![
        10 => (client(), mode, 1..300_u64, any::<bool>(), any::<bool>(), 0..3_u64).prop_map(
            |(client, mode, ttl, waits, named, delay)| Step::Acquire {
                client, mode, ttl, waits, named, delay: delay * 40,
            }
        ),
        4 => (client(), 1..300_u64).prop_map(|(client, ttl)| Step::Renew(client, ttl)),
        6 => client().prop_map(Step::Release),
        2 => client().prop_map(Step::Cancel),
        2 => client().prop_map(Step::GiveUp),
        4 => client().prop_map(Step::Write),
        1 => Just(Step::Break),
        6 => (0..120_i64).prop_map(Step::Pass),
        4 => Just(Step::Alarm),
        2 => (-300..=ahead_by).prop_map(Step::Set),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..250)
}

/// What one client knows.
#[derive(Clone, Default)]
struct Client {
    request: Option<Acquire>,
    ticket: Option<Ticket>,
    lease: Option<Lease>,
}

/// What one lease was promised, and its time in the lock's own time.
#[derive(Clone, Debug)]
struct Promise {
    mode: Mode,
    from: Timestamp,
    until: Timestamp,
    /// In real time.
    not_before: i64,
    ended: Option<Timestamp>,
}

struct World {
    /// Encoded, as in storage.
    stored: Vec<u8>,
    queue: Queue,
    real: i64,
    clock: i64,
    jumped_ahead: bool,
    secrets: u64,
    clients: Vec<Client>,
    line: Vec<Ticket>,
    promises: BTreeMap<u64, Promise>,
    fence: Fence,
    last_write: u64,
}

impl World {
    fn new() -> Self {
        Self {
            stored: serde_json::to_vec(&State::default()).unwrap(),
            queue: Queue::default(),
            real: 0,
            clock: 1_000_000,
            jumped_ahead: false,
            secrets: 0,
            clients: vec![Client::default(); CLIENTS],
            line: Vec::new(),
            promises: BTreeMap::new(),
            fence: Fence::default(),
            last_write: 0,
        }
    }

    fn state(&self) -> State {
        let mut state: State = serde_json::from_slice(&self.stored).unwrap();
        state.advance(Timestamp::from_millis(self.clock));
        state
    }

    fn lives(&self, token: u64) -> bool {
        self.state().leases.iter().any(|lease| lease.token == token)
    }

    /// One event, as the object handles it. `frees` means that a lease may end before its time.
    fn event<T>(&mut self, frees: bool, decide: impl FnOnce(&mut Self, &mut State) -> T) -> T {
        let before: State = serde_json::from_slice(&self.stored).unwrap();
        let mut state = before.clone();
        state.advance(Timestamp::from_millis(self.clock));
        let result = decide(self, &mut state);
        let secrets = &mut self.secrets;
        let handed = state.hand_over(&mut self.queue, || {
            *secrets += 1;
            format!("{secrets:032x}")
        });
        if state.differs_from(&before) {
            self.stored = serde_json::to_vec(&state).unwrap();
        }
        self.check(&before, &state, &handed, frees);
        for (ticket, lease) in handed {
            if let Some(client) = self.clients.iter_mut().find(|c| c.ticket == Some(ticket)) {
                client.ticket = None;
                client.lease = Some(lease);
            }
        }
        result
    }

    fn check(&mut self, before: &State, state: &State, handed: &[(Ticket, Lease)], frees: bool) {
        let own = state.clock.reached;
        assert!(own >= before.clock.reached, "own time runs backwards");
        for lease in &before.leases {
            let promise = self.promises.get_mut(&lease.token).unwrap();
            if state
                .leases
                .iter()
                .any(|living| living.token == lease.token)
            {
                continue;
            }
            if own < promise.until {
                assert!(frees, "{lease:?} ended before its time");
                promise.ended = Some(own);
            } else {
                assert!(
                    self.jumped_ahead || self.real >= promise.not_before,
                    "{lease:?} expired early in real time"
                );
                promise.ended = Some(promise.until);
            }
        }
        // First come, first served, and no request waits that could have the lock.
        let served: Vec<_> = handed.iter().map(|(ticket, _)| *ticket).collect();
        assert_eq!(served, self.line[..served.len()], "out of order");
        self.line.drain(..served.len());
        assert_eq!(self.line.len(), self.queue.len());
        if let Some(first) = self.queue.waiting.front() {
            assert!(
                !state.admits(first.request.mode),
                "{first:?} could have the lock"
            );
        }
        for (_, lease) in handed {
            let newest = self
                .promises
                .last_key_value()
                .map_or(0, |(token, _)| *token);
            assert!(lease.token > newest, "{lease:?} after token {newest}");
            let granted = state
                .leases
                .iter()
                .find(|granted| granted.token == lease.token);
            let granted = granted.unwrap();
            let length = i64::try_from((granted.expires_at - own).as_millis()).unwrap();
            let promise = Promise {
                mode: granted.mode,
                from: own,
                until: granted.expires_at,
                not_before: self.real + length,
                ended: None,
            };
            self.promises.insert(lease.token, promise);
        }
        let alone = |lease: &Granted| lease.mode == Mode::Shared || state.leases.len() == 1;
        assert!(state.leases.iter().all(alone), "{:?}", state.leases);
        let at_rest = state.leases.is_empty() && state.delayed_until.is_none();
        assert_eq!(state.next_change().is_none(), at_rest);
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Acquire {
                client,
                mode,
                ttl,
                waits,
                named,
                delay,
            } => {
                let fresh = Acquire {
                    holder: client.to_string(),
                    ttl_ms: ttl,
                    wait_ms: u64::from(waits),
                    request_id: named.then(|| format!("{client} {}", self.secrets)),
                    mode,
                    lock_delay_ms: delay,
                };
                let again = self.clients[client].request.clone().filter(|_| named);
                self.acquire(client, again.unwrap_or(fresh));
            }
            Step::Renew(client, ttl_ms) => {
                let Some(lease) = self.clients[client].lease.clone() else {
                    return;
                };
                let lives = self.lives(lease.token);
                let renew = Renew::of(&lease.lease, Duration::from_millis(ttl_ms));
                let (renewed, own) =
                    self.event(false, |_, state| (state.renew(&renew), state.clock.reached));
                assert_eq!(
                    renewed.is_ok(),
                    lives,
                    "a lease that expired cannot be renewed"
                );
                if let Ok(renewed) = renewed {
                    assert_eq!((renewed.token, &renewed.lease), (lease.token, &lease.lease));
                    let promise = self.promises.get_mut(&lease.token).unwrap();
                    promise.until = own + Duration::from_millis(ttl_ms);
                    promise.not_before = self.real + i64::try_from(ttl_ms).unwrap();
                }
            }
            Step::Release(client) => {
                let Some(lease) = self.clients[client].lease.clone() else {
                    return;
                };
                let lives = self.lives(lease.token);
                let release = Release::of(&lease.lease);
                let released = self.event(true, |_, state| state.release(&release));
                assert_eq!(
                    released.is_ok(),
                    lives,
                    "a lease that expired cannot be released"
                );
            }
            Step::Cancel(client) => {
                let request = self.clients[client].request.clone();
                let Some(id) = request.and_then(|request| request.request_id) else {
                    return;
                };
                let (cancelled, ticket) = self.event(true, |world, state| {
                    let (cancelled, ticket) = state.cancel(&mut world.queue, &id);
                    world.line.retain(|waiting| Some(*waiting) != ticket);
                    (cancelled, ticket)
                });
                assert_eq!(cancelled == Cancelled::Waiting, ticket.is_some());
                self.clients[client].ticket = None;
                assert!(self.queue.position_of(&id).is_none());
            }
            Step::GiveUp(client) => {
                let Some(ticket) = self.clients[client].ticket.take() else {
                    return;
                };
                self.event(false, |world, _| {
                    assert!(world.queue.leave(ticket).is_some());
                    world.line.retain(|waiting| *waiting != ticket);
                });
            }
            Step::Write(client) => {
                let Some(lease) = self.clients[client].lease.clone() else {
                    return;
                };
                if self.promises[&lease.token].mode == Mode::Exclusive {
                    let admitted = self.fence.admit(lease.token).is_ok();
                    assert_eq!(admitted, lease.token >= self.last_write);
                    assert!(
                        admitted || !self.lives(lease.token),
                        "the holder is refused"
                    );
                    self.last_write = self.last_write.max(lease.token);
                }
            }
            Step::Break => {
                let held = !self.state().leases.is_empty();
                let broken = self.event(true, |_, state| state.break_leases());
                assert_eq!(!broken.is_empty(), held);
            }
            Step::Pass(millis) => {
                self.real += millis;
                self.clock += millis;
            }
            Step::Alarm => {
                let stored: State = serde_json::from_slice(&self.stored).unwrap();
                let Some(due) = stored.next_change() else {
                    return;
                };
                let wait = (due.as_millis() - self.clock).max(0);
                self.real += wait;
                self.clock += wait;
                self.event(false, |_, _| ());
                assert!(self.state().differs_from(&stored), "woken for nothing");
            }
            Step::Set(by) => {
                self.jumped_ahead |= by > 0;
                self.clock += by;
            }
            Step::Crash => {
                self.queue = Queue::default();
                self.line.clear();
                for client in &mut self.clients {
                    client.ticket = None;
                }
            }
        }
    }

    fn acquire(&mut self, client: usize, request: Acquire) {
        let asked = request.clone();
        let waits_on = asked.wait_ms > 0;
        let living = self.state().leases;
        let mine = living
            .iter()
            .find(|lease| asked.request_id.is_some() && lease.request_id == asked.request_id);
        let (entered, free) = self.event(false, |world, state| {
            let free = world.queue.is_empty() && state.admits(request.mode);
            let entered = state.enter(&mut world.queue, request);
            if let Ok(Entered::Waits { ticket, replaced }) = entered {
                assert!(free || waits_on || replaced.is_some());
                match world
                    .line
                    .iter()
                    .position(|waiting| Some(*waiting) == replaced)
                {
                    Some(place) => world.line[place] = ticket,
                    None => world.line.push(ticket),
                }
                let forgotten = world.clients[client]
                    .ticket
                    .filter(|old| Some(*old) != replaced);
                // The client abandons its earlier request.
                if let Some(forgotten) = forgotten {
                    world.queue.leave(forgotten);
                    world.line.retain(|waiting| *waiting != forgotten);
                }
                world.clients[client].ticket = Some(ticket);
            }
            (entered, free)
        });
        self.clients[client].request = Some(asked);
        match (entered, mine) {
            (Ok(Entered::Holds(lease)), Some(mine)) => {
                assert_eq!((lease.token, &lease.lease), (mine.token, &mine.secret));
                self.clients[client].lease = Some(lease);
            }
            (Err(LockError::Held(_)), None) => assert!(!waits_on && !free),
            (Ok(Entered::Waits { .. }), None) if waits_on => {}
            // A repeated request that no longer waits gives up its place.
            (Ok(Entered::Waits { .. }), None) => self.run(Step::GiveUp(client)),
            (entered, mine) => panic!("{entered:?}, while {mine:?} lives"),
        }
    }

    fn no_two_exclude_each_other(&self) {
        let promises: Vec<_> = self.promises.iter().collect();
        for (index, (token, one)) in promises.iter().enumerate() {
            let end = one.ended.unwrap_or(one.until);
            for (later, other) in &promises[index + 1..] {
                let both_shared = (one.mode, other.mode) == (Mode::Shared, Mode::Shared);
                assert!(
                    both_shared || other.from >= end,
                    "{token} {one:?} overlaps {later} {other:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_promise_is_kept(steps in steps(false)) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.run(step));
        world.no_two_exclude_each_other();
    }

    #[test]
    fn a_clock_that_jumps_breaks_no_exclusion(steps in steps(true)) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.run(step));
        world.no_two_exclude_each_other();
    }
}

#[test]
fn a_clock_that_was_far_ahead_for_a_moment_does_not_freeze_the_lock() {
    let century = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let start = Timestamp::from_millis(1_000_000);
    let mut state = State::default();
    state.advance(start + century);
    let mut queue = Queue::default();
    let request = Acquire::new("a", Duration::from_millis(100));
    state.enter(&mut queue, request).unwrap();
    state.hand_over(&mut queue, || "secret".to_owned());
    state.advance(start);
    assert_eq!(
        state.next_change(),
        Some(start + Duration::from_millis(100))
    );
    state.advance(start + Duration::from_millis(99));
    assert!(state.status(&queue).held);
    state.advance(start + Duration::from_millis(100));
    assert!(!state.status(&queue).held);
}

#[test]
fn secrets_are_compared_whole() {
    for (ours, theirs, same) in [
        ("ab", "ab", true),
        ("ab", "aB", false),
        ("ab", "a", false),
        ("ab", "abc", false),
        ("ab", "", false),
    ] {
        assert_eq!(is_same_secret(ours, theirs), same, "{ours} {theirs}");
    }
}

#[test]
fn a_free_lock_is_small() {
    let mut state = State::default();
    let mut queue = Queue::default();
    state.advance(Timestamp::from_millis(1_760_000_000_000));
    let request = Acquire::new("a".repeat(128), Duration::from_secs(1));
    state.enter(&mut queue, request).unwrap();
    let handed = state.hand_over(&mut queue, || "secret".to_owned());
    state.release(&Release::of(&handed[0].1.lease)).unwrap();
    let stored = serde_json::to_string(&state).unwrap();
    assert!(stored.len() < 150, "{stored}");
}
