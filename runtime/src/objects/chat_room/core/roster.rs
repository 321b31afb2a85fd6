//! Who is here.

use std::collections::BTreeSet;

/// The members of a room, for one time in memory: users with at least one open socket.
///
/// A platform may take a closed socket off its list before the object hears of it, and may wake the
/// object for just that event. So the list alone does not say whether a departure was announced: a
/// roster that was rebuilt from the list has never known the user who has left, and one that has
/// announced the departure does not know the user any more. What tells them apart is whether the
/// socket was accepted in this memory, which the socket's session says.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    present: BTreeSet<String>,
    /// Users who had sockets when this memory began, until their departure.
    survivors: BTreeSet<String>,
    /// Users whose departures through sockets of an earlier memory are settled; no more than there
    /// were such users.
    settled: BTreeSet<String>,
}

/// What is known of a socket that closed; see [`Roster::depart`].
#[derive(Clone, Copy, Debug)]
pub struct Departure {
    /// Its user has another open socket.
    pub still_connected: bool,
    /// It was accepted before the roster was rebuilt.
    pub from_earlier_memory: bool,
}

impl Roster {
    /// After the object came into memory: from the users of the open sockets.
    pub fn rebuilt(users: impl IntoIterator<Item = String>) -> Self {
        let present: BTreeSet<_> = users.into_iter().collect();
        Self {
            survivors: present.clone(),
            present,
            settled: BTreeSet::new(),
        }
    }

    /// A socket of `user` was accepted; whether that makes the user a member, which is announced. It
    /// is announced once more if the user's connection changed just as the object came into memory,
    /// between the old one's end and the word of it.
    pub fn arrive(&mut self, user: &str) -> bool {
        self.present.insert(user.to_owned())
    }

    /// A socket of `user` closed; whether the user is a member no more, which is announced. The
    /// closings of one memory are told in the order in which they happened.
    pub fn depart(&mut self, user: &str, departure: Departure) -> bool {
        if departure.still_connected {
            return false;
        }
        let was_present = self.present.remove(user);
        let from_earlier = departure.from_earlier_memory;
        // The last socket may be of this memory, and word of an older one still on its way.
        let settles = self.survivors.remove(user) || from_earlier;
        let unsettled = settles && self.settled.insert(user.to_owned());
        was_present || from_earlier && unsettled
    }

    /// Whether `user` is a member.
    #[must_use]
    pub fn contains(&self, user: &str) -> bool {
        self.present.contains(user)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Whether the room is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// The members, in the order of their names.
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

    /// A room on a host that lists closed sockets until the object has heard of them (`lists_closed`,
    /// as workerd does), or takes them off at once (as the embedded host does).
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
                    // A host does not evict an object that has events to handle.
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
