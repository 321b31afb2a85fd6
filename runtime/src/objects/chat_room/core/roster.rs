//! The connected users.

use std::collections::BTreeSet;

/// The members of a room during one activation: users with at least one open socket.
///
/// A platform may remove a closed socket from its list before the object is notified, and may wake
/// the object for that event alone. The list therefore does not show whether a departure was
/// announced. A roster rebuilt from the list never knew a user who has left; a roster that has
/// announced the departure no longer knows the user. The difference is whether the socket was
/// accepted in this activation, which the socket's session shows.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    present: BTreeSet<String>,
    /// Users who had sockets when this activation began, until their departure.
    survivors: BTreeSet<String>,
    /// Users whose departures through sockets of an earlier activation are settled. There are at
    /// most as many as there were such users.
    settled: BTreeSet<String>,
}

/// Information about a socket that closed; see [`Roster::depart`].
#[derive(Clone, Copy, Debug)]
pub struct Departure {
    /// Its user has another open socket.
    pub still_connected: bool,
    /// It was accepted before the roster was rebuilt.
    pub from_earlier_memory: bool,
}

impl Roster {
    /// Rebuilds the roster from the users of the open sockets, after the object was loaded into
    /// memory.
    pub fn rebuilt(users: impl IntoIterator<Item = String>) -> Self {
        let present: BTreeSet<_> = users.into_iter().collect();
        Self {
            survivors: present.clone(),
            present,
            settled: BTreeSet::new(),
        }
    }

    /// Records that a socket of `user` was accepted. Returns `true` if the user becomes a member,
    /// which is announced. It is announced again if the user reconnected while the object was being
    /// loaded, after the old connection ended and before the object was notified.
    pub fn arrive(&mut self, user: &str) -> bool {
        self.present.insert(user.to_owned())
    }

    /// Records that a socket of `user` closed. Returns `true` if the user is no longer a member,
    /// which is announced. The closings of one activation must be recorded in the order in which
    /// they happened.
    pub fn depart(&mut self, user: &str, departure: Departure) -> bool {
        if departure.still_connected {
            return false;
        }
        let was_present = self.present.remove(user);
        let from_earlier = departure.from_earlier_memory;
        // The last socket may be of this activation while the notice of an older one is still
        // pending.
        let settles = self.survivors.remove(user) || from_earlier;
        let unsettled = settles && self.settled.insert(user.to_owned());
        was_present || from_earlier && unsettled
    }

    /// Returns `true` if `user` is a member.
    #[must_use]
    pub fn contains(&self, user: &str) -> bool {
        self.present.contains(user)
    }

    /// Returns the number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Returns `true` if the room is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// Returns the members, in the order of their names.
    #[must_use]
    pub fn members(&self) -> Vec<String> {
        self.present.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Open { user: u8 },
        Close { socket: usize },
        Deliver,
        Sleep,
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Socket {
        number: usize,
        user: u8,
        memory: u32,
    }

    /// A room on a host that lists closed sockets until the object was notified (`lists_closed`,
    /// like workerd), or removes them immediately (like the embedded host).
    struct Room {
        lists_closed: bool,
        roster: Option<Roster>,
        memory: u32,
        listed: Vec<Socket>,
        untold: VecDeque<Socket>,
        announced: BTreeSet<u8>,
        opened: usize,
    }

    impl Room {
        fn new(lists_closed: bool) -> Self {
            Self {
                lists_closed,
                roster: None,
                memory: 0,
                listed: Vec::new(),
                untold: VecDeque::new(),
                announced: BTreeSet::new(),
                opened: 0,
            }
        }

        fn wake(&mut self) {
            if self.roster.is_none() {
                self.memory += 1;
                let users = self.listed.iter().map(|socket| socket.user.to_string());
                self.roster = Some(Roster::rebuilt(users));
            }
        }

        fn step(&mut self, step: &Step) {
            match step {
                Step::Open { user } => self.open(*user),
                Step::Close { socket } => {
                    let open: Vec<_> = self
                        .listed
                        .iter()
                        .filter(|socket| !self.untold.contains(socket))
                        .cloned()
                        .collect();
                    if !open.is_empty() {
                        let socket = open[socket % open.len()].clone();
                        if !self.lists_closed {
                            self.listed.retain(|other| *other != socket);
                        }
                        self.untold.push_back(socket);
                    }
                }
                Step::Deliver => self.deliver(),
                Step::Sleep => {
                    // A host does not evict an object with pending events.
                    if self.untold.is_empty() {
                        self.roster = None;
                    }
                }
            }
        }

        fn open(&mut self, user: u8) {
            self.wake();
            let roster = self.roster.as_mut().unwrap();
            if roster.arrive(&user.to_string()) && !self.announced.insert(user) {
                let memory = self.memory;
                let changed_over = |closed: &Socket| closed.user == user && closed.memory != memory;
                assert!(
                    self.untold.iter().any(changed_over),
                    "{user} joined twice, and not from one connection to the next"
                );
            }
            self.opened += 1;
            self.listed.push(Socket {
                number: self.opened,
                user,
                memory: self.memory,
            });
        }

        fn deliver(&mut self) {
            let Some(closed) = self.untold.pop_front() else {
                return;
            };
            self.wake();
            let departure = Departure {
                still_connected: self
                    .listed
                    .iter()
                    .any(|socket| socket.user == closed.user && *socket != closed),
                from_earlier_memory: closed.memory != self.memory,
            };
            let roster = self.roster.as_mut().unwrap();
            if roster.depart(&closed.user.to_string(), departure) {
                assert!(
                    self.announced.remove(&closed.user),
                    "{} left twice",
                    closed.user
                );
            }
            self.listed.retain(|socket| *socket != closed);
        }
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (0_u8..3).prop_map(|user| Step::Open { user }),
            3 => (0_usize..8).prop_map(|socket| Step::Close { socket }),
            3 => Just(Step::Deliver),
            1 => Just(Step::Sleep),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn joining_and_leaving_alternate_and_end_true(
            lists_closed in any::<bool>(),
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let mut room = Room::new(lists_closed);
            for step in &steps {
                room.step(step);
            }
            while !room.untold.is_empty() {
                room.deliver();
            }
            let open: BTreeSet<u8> = room.listed.iter().map(|socket| socket.user).collect();
            prop_assert_eq!(&room.announced, &open);
            room.wake();
            let expected: Vec<String> = open.iter().map(u8::to_string).collect();
            prop_assert_eq!(room.roster.unwrap().members(), expected);
        }
    }
}
