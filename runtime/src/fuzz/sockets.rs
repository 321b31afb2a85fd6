//! Messages of untrusted clients over sockets, and the sessions stored with the sockets.

use bolero::TypeGenerator;
use bolero::generator::produce;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::values::JsonPiece;
use super::{simulated, target};
use crate::Message;
use crate::prelude::*;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
enum Said {
    Leaf {},
    Inner { count: i64, label: Option<String> },
    Node { content: Vec<Said> },
}

#[derive(Debug, Serialize, Deserialize)]
struct Session {
    said: u64,
}

/// An object that echoes the messages that it understands.
#[durable_object]
struct Echo {
    said: u64,
}

#[durable_object]
impl Echo {
    #[websocket("/ws")]
    fn join(&self) -> Accept<Session> {
        Accept::new(Session { said: 0 })
    }

    #[message]
    fn hear(&mut self, socket: &Socket<Session>, said: Said) -> Result<(), SocketError> {
        self.said += 1;
        let before = socket.session()?.said;
        socket.set_session(&Session { said: before + 1 })?;
        socket.send(&said)
    }

    #[rpc]
    fn said(&self) -> u64 {
        self.said
    }
}

#[derive(Clone, Debug, TypeGenerator)]
enum Sent {
    Text(Vec<JsonPiece>),
    Bytes(Vec<u8>),
    Leaf,
    Inner(i64, Option<String>),
    Nested(u8),
    Evict,
}

impl Sent {
    fn message(&self) -> Option<Message> {
        Some(match self {
            Self::Text(pieces) => Message::Text(pieces.iter().map(JsonPiece::text).collect()),
            Self::Bytes(bytes) => Message::Binary(bytes.clone()),
            Self::Leaf => Message::Text(r#"{"kind":"Leaf"}"#.to_owned()),
            Self::Inner(count, label) => {
                let said = serde_json::json!({ "kind": "Inner", "count": count, "label": label });
                Message::Binary(said.to_string().into_bytes())
            }
            Self::Nested(levels) => {
                let levels = usize::from(*levels);
                let open = r#"{"kind":"Node","content":["#.repeat(levels);
                Message::Text(open + &"]}".repeat(levels))
            }
            Self::Evict => return None,
        })
    }
}

target!(
    any_message_is_heard_or_answered_and_the_socket_stays_open,
    produce::<Vec<Sent>>(),
    |sent| {
        let sent = sent.clone();
        simulated(move |sim| {
            let sent = sent.clone();
            async move {
                let echo = sim.objects::<Echo>().named("a");
                let mut socket = sim.connect(&echo, "/ws").await.expect("it takes everybody");
                let mut understood = 0;
                for sent in &sent {
                    let Some(message) = sent.message() else {
                        sim.evict(&echo).await;
                        continue;
                    };
                    let json = match &message {
                        Message::Text(text) => {
                            socket.send_text(text.clone());
                            text.clone().into_bytes()
                        }
                        Message::Binary(bytes) => {
                            socket.send_binary(bytes.clone());
                            bytes.clone()
                        }
                    };
                    let answer = socket.receive_json::<Value>().await;
                    if answer["type"] == "error" {
                        assert_eq!(answer["code"], "bad_request", "{sent:?}: {answer}");
                    } else {
                        understood += 1;
                        let said: Said = serde_json::from_slice(&json).expect("it was understood");
                        let said = serde_json::to_value(&said).expect("plain");
                        assert_eq!(answer, said, "{sent:?}");
                    }
                }
                assert_eq!(echo.said().await, Ok(understood));
            }
        });
    }
);
