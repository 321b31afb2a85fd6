//! Many sockets, many messages, and a host that is killed meanwhile.

use super::*;

/// The size of the crowd. `ANCHORHOLD_CHAT_LOAD="SOCKETS POSTERS MESSAGES"` (messages of each
/// poster) changes it. `"200 50 200"` is the promised load.
struct Load {
    sockets: usize,
    posters: usize,
    messages: usize,
}

impl Load {
    fn given() -> Self {
        let given = std::env::var("ANCHORHOLD_CHAT_LOAD").unwrap_or("100 20 50".to_owned());
        let numbers: Vec<usize> = given
            .split_whitespace()
            .map(|number| {
                number
                    .parse()
                    .expect("ANCHORHOLD_CHAT_LOAD is three numbers")
            })
            .collect();
        let [sockets, posters, messages] = numbers[..] else {
            panic!("ANCHORHOLD_CHAT_LOAD is three numbers");
        };
        Self {
            sockets,
            posters,
            messages,
        }
    }

    fn total(&self) -> u64 {
        (self.posters * self.messages) as u64
    }
}

/// The host from its clients' point of view. It is killed and restarted at another address.
struct Crowd {
    load: Load,
    host: Mutex<(u32, Client)>,
    restarted: Condvar,
    /// All clients have connected.
    together: Barrier,
    /// The progress of the first reader.
    progress: Mutex<u64>,
    progressed: Condvar,
}

impl Crowd {
    fn client(&self, after: u32) -> (u32, Client) {
        let host = self.host.lock().expect("no panic while locked");
        let patience = Duration::from_secs(60);
        let (host, timed_out) = self
            .restarted
            .wait_timeout_while(host, patience, |(life, _)| *life <= after)
            .expect("no panic while locked");
        assert!(
            !timed_out.timed_out(),
            "a connection broke, and the host was not killed"
        );
        host.clone()
    }

    fn wait_for(&self, id: u64) {
        let progress = self.progress.lock().expect("no panic while locked");
        let patience = Duration::from_secs(300);
        let waited = self
            .progressed
            .wait_timeout_while(progress, patience, |progress| *progress < id)
            .expect("no panic while locked");
        assert!(!waited.1.timed_out(), "message {id} was not seen");
    }
}

/// A member of the crowd. It reads everything, and posts if it is a poster.
struct Participant<'a> {
    crowd: &'a Crowd,
    number: usize,
    life: u32,
    socket: Connection,
    last: u64,
    /// A digest of all messages, in the order in which they were seen.
    digest: u64,
    unsent: usize,
    unacknowledged: VecDeque<String>,
    resent: usize,
}

/// How many posts of one client may be in flight.
const WINDOW: usize = 20;

impl<'a> Participant<'a> {
    fn new(crowd: &'a Crowd, number: usize) -> Self {
        let (life, client) = crowd.client(0);
        let posts = if number < crowd.load.posters {
            crowd.load.messages
        } else {
            0
        };
        Self {
            crowd,
            number,
            life,
            socket: client.connect(&format!("/rooms/crowd/ws?user=u{number}&since=0")),
            last: 0,
            digest: 0,
            unsent: posts,
            unacknowledged: VecDeque::new(),
            resent: 0,
        }
    }

    fn post(&mut self, client_id: &str) -> Result<(), String> {
        let post = json!({ "type": "post", "text": format!("text of {client_id}"), "client_id": client_id });
        self.socket.try_send_text(&post.to_string())
    }

    fn come_back(&mut self) {
        let path = format!("/rooms/crowd/ws?user=u{}&since={}", self.number, self.last);
        // The next kill may come before the handshake is complete.
        self.socket = loop {
            let (life, client) = self.crowd.client(self.life);
            self.life = life;
            if let Ok(opened) = client.try_open(&path, &[]) {
                break opened.expect("the room has room");
            }
        };
        for client_id in self.unacknowledged.clone() {
            self.resent += 1;
            // The next read also finds a broken connection.
            let _ = self.post(&client_id);
        }
    }

    fn run(mut self) -> (u64, u64, usize) {
        self.crowd.together.wait();
        while self.last < self.crowd.load.total() {
            while self.unsent > 0 && self.unacknowledged.len() < WINDOW {
                let client_id = format!("{}-{}", self.number, self.unsent);
                self.unsent -= 1;
                self.unacknowledged.push_back(client_id.clone());
                let _ = self.post(&client_id);
            }
            match self.socket.receive_within(Duration::from_secs(120)) {
                Some(Received::Text(text)) => self.see(&text),
                None => panic!("u{} sees nothing after {}", self.number, self.last),
                Some(_) => self.come_back(),
            }
        }
        assert_eq!(self.unacknowledged, Vec::<String>::new());
        (self.last, self.digest, self.resent)
    }

    fn see(&mut self, text: &str) {
        match serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}")) {
            Event::Welcome {
                history, more, gap, ..
            } => {
                assert!(!more && !gap, "u{}: messages are missing", self.number);
                for message in &history {
                    self.read(message);
                }
            }
            Event::Message(message) => self.read(&message),
            Event::Error { code, message } => panic!("u{}: {code}: {message}", self.number),
            Event::Joined { .. } | Event::Left { .. } | Event::Typing { .. } => {}
        }
    }

    fn read(&mut self, message: &Message) {
        let client_id = message.client_id.as_deref().unwrap_or_default();
        let own = message.user == format!("u{}", self.number);
        if message.id <= self.last {
            // Messages that were stored before the kill and not acknowledged are acknowledged again
            // to their sender.
            assert!(
                own && self.resent > 0,
                "u{}: {message:?} after {}",
                self.number,
                self.last
            );
            return;
        }
        assert_eq!(
            message.id,
            self.last + 1,
            "u{}: no gaps, no doubles",
            self.number
        );
        assert_eq!(message.text, format!("text of {client_id}"));
        if own {
            self.unacknowledged.retain(|sent| sent != client_id);
        }
        self.last = message.id;
        for byte in format!("{} {client_id}", message.id).bytes() {
            self.digest = self.digest.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte);
        }
        if self.number == 0 {
            *self.crowd.progress.lock().expect("no panic while locked") = self.last;
            self.crowd.progressed.notify_all();
        }
    }
}

/// Every client receives every message once, in one order, without gaps. The process is killed
/// meanwhile.
fn a_crowd(kind: Kind) {
    let load = Load::given();
    let (sockets, total) = (load.sockets, load.total());
    let mut host = start(kind);
    let started = Instant::now();
    let crowd = Crowd {
        load,
        host: Mutex::new((1, host.client())),
        restarted: Condvar::new(),
        together: Barrier::new(sockets),
        progress: Mutex::new(0),
        progressed: Condvar::new(),
    };
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let crowd = &crowd;
        let participants: Vec<_> = (0..sockets)
            .map(|number| {
                std::thread::Builder::new()
                    .name(format!("{kind} u{number}"))
                    .stack_size(256 * 1024)
                    .spawn_scoped(scope, move || Participant::new(crowd, number).run())
                    .expect("a thread starts")
            })
            .collect();
        for part in 1..=2 {
            crowd.wait_for(total * part / 3);
            host.kill();
            host.restart();
            let mut current = crowd.host.lock().expect("no panic while locked");
            *current = (current.0 + 1, host.client());
            crowd.restarted.notify_all();
        }
        participants
            .into_iter()
            .map(|participant| participant.join().expect("every client sees every message"))
            .collect()
    });
    let (last, digest, _) = outcomes[0];
    assert_eq!(last, total);
    for (number, outcome) in outcomes.iter().enumerate() {
        assert_eq!(
            (outcome.0, outcome.1),
            (last, digest),
            "u{number} sees the same"
        );
    }
    let resent: usize = outcomes.iter().map(|(_, _, resent)| resent).sum();
    println!(
        "{kind}: {sockets} sockets, {total} messages, two kills, {resent} resent: {:?}",
        started.elapsed()
    );
    let page: Value = host.client().get("/rooms/crowd/history?limit=1000").json();
    let kept = page["messages"].as_array().map(Vec::len);
    assert_eq!(
        kept,
        Some(usize::try_from(total).expect("it fits").min(1_000))
    );
}

#[test]
fn everybody_sees_every_message_once_on_the_embedded_host() {
    a_crowd(Kind::Embedded);
}

#[test]
fn everybody_sees_every_message_once_on_workerd() {
    a_crowd(Kind::Workerd);
}
