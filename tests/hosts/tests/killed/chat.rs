//! A chat room: each acknowledged message is stored once, in order, without a gap. So is each
//! message that any reader has received.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use host_tests::{Client, Connection, Received};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Load, Shift, ok};

/// A room keeps 1,000 messages, and all of them are checked.
const ROUNDS_OF_A_ROOM: u64 = 2;
const POSTERS: u64 = 4;
const READERS: u64 = 2;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Message {
    id: u64,
    user: String,
    text: String,
    client_id: Option<String>,
}

#[derive(Default)]
struct Room {
    /// By identifier: acknowledged to the poster, or received by a reader.
    promised: BTreeMap<u64, Message>,
    /// Sent and not acknowledged: (user, client_id).
    unsure: BTreeSet<(String, String)>,
}

impl Room {
    fn promise(&mut self, message: Message) {
        if let Some(earlier) = self.promised.get(&message.id) {
            assert_eq!(*earlier, message, "one identifier for two messages");
        }
        self.promised.insert(message.id, message);
    }
}

#[derive(Default)]
pub struct Chat {
    rooms: Mutex<BTreeMap<String, Room>>,
    next: Mutex<u64>,
}

fn room(round: u64) -> String {
    format!("/rooms/{}", round / ROUNDS_OF_A_ROOM)
}

impl Chat {
    fn in_room<T>(&self, room: &str, act: impl FnOnce(&mut Room) -> T) -> T {
        let mut rooms = self.rooms.lock().expect("no panic while locked");
        act(rooms.entry(room.to_owned()).or_default())
    }

    fn post(&self, shift: &Shift<'_>) -> Result<(), String> {
        let number = {
            let mut next = self.next.lock().expect("no panic while locked");
            *next += 1;
            *next
        };
        let (room, user) = (room(shift.round), format!("u{}", shift.worker));
        let client_id = shift.unique(number);
        self.in_room(&room, |room| {
            room.unsure.insert((user.clone(), client_id.clone()))
        });
        let message = post(shift.client, &room, &user, &client_id)?;
        self.in_room(&room, |room| {
            room.unsure.remove(&(user, client_id));
            room.promise(message);
        });
        shift.acknowledged.count();
        Ok(())
    }

    /// Reads until the connection breaks. Within it, no message may be missing or repeated.
    fn read(&self, shift: &Shift<'_>) -> Result<(), String> {
        let room = room(shift.round);
        let path = format!("{room}/ws?user=reader{}", shift.worker);
        let opened = shift.client.try_open(&path, &[])?;
        let mut socket = opened.map_err(|refused| format!("{refused:?}"))?;
        let mut last = None;
        while let Some(event) = next_event(&mut socket)? {
            let messages: Vec<Message> = match event["type"].as_str() {
                Some("welcome") => serde_json::from_value(event["history"].clone()),
                Some("message") => serde_json::from_value(event).map(|message| vec![message]),
                _ => continue,
            }
            .expect("messages");
            for message in messages {
                if let Some(last) = last {
                    assert_eq!(
                        message.id,
                        last + 1,
                        "{room}: a gap or a double on a socket"
                    );
                }
                last = Some(message.id);
                self.in_room(&room, |room| room.promise(message));
            }
        }
        Err("the connection ended".to_owned())
    }

    fn compare(&self, client: &Client, name: &str) -> Result<(), String> {
        // A poster without an answer retries, and nothing is stored twice.
        let unsure = self.in_room(name, |room| std::mem::take(&mut room.unsure));
        for (user, client_id) in unsure {
            let message = ok(post(client, name, &user, &client_id));
            self.in_room(name, |room| room.promise(message));
        }
        let history = history(client, name);
        let ids: Vec<u64> = history.iter().map(|message| message.id).collect();
        if !ids.iter().copied().eq(1..=ids.len() as u64) {
            return Err(format!("{name}: gaps or doubles in {ids:?}"));
        }
        let mut client_ids: Vec<_> = history.iter().map(|message| &message.client_id).collect();
        client_ids.sort();
        client_ids.dedup();
        if client_ids.len() != history.len() {
            return Err(format!("{name}: a message was stored twice"));
        }
        self.in_room(name, |room| {
            for (id, promised) in &room.promised {
                let index = usize::try_from(id - 1).expect("few messages");
                if history.get(index) != Some(promised) {
                    return Err(format!(
                        "{name}: {promised:?} is lost; {:?} is in its place of {}",
                        history.get(index),
                        history.len()
                    ));
                }
            }
            Ok(())
        })
    }
}

fn post(client: &Client, room: &str, user: &str, client_id: &str) -> Result<Message, String> {
    let text = format!("text of {client_id}");
    let body = json!({ "user": user, "text": text, "client_id": client_id });
    let answer = client.send_json("POST", &format!("{room}/messages"), &body)?;
    Ok(answer.expect_status(201).json())
}

fn next_event(socket: &mut Connection) -> Result<Option<Value>, String> {
    match socket.receive_within(Duration::from_secs(30)) {
        Some(Received::Text(text)) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| error.to_string()),
        _ => Ok(None),
    }
}

/// Returns all messages of a room, oldest first.
fn history(client: &Client, room: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let before = messages
            .first()
            .map(|message| format!("&before={}", message.id));
        let path = format!("{room}/history?limit=200{}", before.unwrap_or_default());
        let page: Value = ok(client.send("GET", &path, &[], None)).json();
        let more = page["more"] == true;
        let mut older: Vec<Message> =
            serde_json::from_value(page["messages"].clone()).expect("messages");
        assert!(
            !older.is_empty() || !more,
            "{room}: an empty page, and more"
        );
        older.append(&mut messages);
        messages = older;
        if !more {
            return messages;
        }
    }
}

impl Load for Chat {
    fn workers(&self) -> u64 {
        POSTERS + READERS
    }

    fn work(&self, shift: &Shift<'_>) -> Result<(), String> {
        if shift.worker < POSTERS {
            self.post(shift)
        } else {
            self.read(shift)
        }
    }

    fn check(&self, client: &Client, round: u64) -> Result<(), String> {
        self.compare(client, &room(round))
    }

    fn conclude(&self, client: &Client) -> Result<(), String> {
        let rooms: Vec<String> = {
            let rooms = self.rooms.lock().expect("no panic while locked");
            rooms.keys().cloned().collect()
        };
        rooms.iter().try_for_each(|room| self.compare(client, room))
    }
}
