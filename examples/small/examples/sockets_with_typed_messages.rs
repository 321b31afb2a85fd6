//! Sockets whose messages are types: what clients send is one enum, what they get is another. The
//! session stays with its socket, also while the object is out of memory.
//!
//! ```sh
//! cargo run -p examples --example sockets_with_typed_messages
//! websocat 'ws://localhost:8787/boards/kitchen/ws?player=ann'
//! {"type": "mark", "x": 1, "y": 2}
//! ```
#![cfg_attr(target_arch = "wasm32", no_main)]

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// Who is at the other end.
#[derive(Serialize, Deserialize)]
struct Player {
    name: String,
    marks: u32,
}

/// What a client sends, as JSON. Fields that are not here are refused.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum FromClient {
    Mark { x: u8, y: u8 },
    Clear,
}

/// What clients get, as JSON.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToClient {
    Welcome {
        marks: Vec<(u8, u8)>,
    },
    Marked {
        by: String,
        x: u8,
        y: u8,
        count: u32,
    },
    Cleared {
        by: String,
    },
    Error {
        code: String,
        message: String,
    },
}

/// The board is 8 squares wide and high.
const SIZE: u8 = 8;

#[durable_object]
struct Board {
    marks: Vec<(u8, u8)>,
}

#[durable_object]
impl Board {
    /// Accepts the upgrade, or refuses it with an error.
    #[websocket("/ws")]
    fn join(&self, player: String) -> Result<Accept<Player>, Error> {
        if player.is_empty() || player.len() > 32 {
            let message = "`player` is a name of 1 to 32 bytes";
            return Err(Error::bad_request("bad_request", message));
        }
        let welcome = ToClient::Welcome {
            marks: self.marks.clone(),
        };
        let player = Player {
            name: player,
            marks: 0,
        };
        Ok(Accept::new(player).greet(&welcome))
    }

    /// A message that does not fit the type, and one that is answered with `Err`, is answered with
    /// `{"type": "error", …}`. The socket stays open.
    #[message]
    fn play(
        &mut self,
        ctx: &Ctx,
        socket: &Socket<Player>,
        message: FromClient,
    ) -> Result<(), Error> {
        let mut player = socket.session()?;
        let news = match message {
            FromClient::Mark { x, y } if x >= SIZE || y >= SIZE => {
                let message = format!("{x}, {y} is not on the board");
                return Err(Error::bad_request("off_board", message));
            }
            FromClient::Mark { x, y } if self.marks.contains(&(x, y)) => {
                return Err(Error::conflict("taken", format!("{x}, {y} is marked")));
            }
            FromClient::Mark { x, y } => {
                self.marks.push((x, y));
                player.marks += 1;
                socket.set_session(&player)?;
                ToClient::Marked {
                    by: player.name,
                    x,
                    y,
                    count: player.marks,
                }
            }
            FromClient::Clear => {
                self.marks.clear();
                ToClient::Cleared { by: player.name }
            }
        };
        ctx.sockets::<Player>().broadcast(&news)?;
        Ok(())
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<Board>("/boards/{name}")
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    anchorhold::serve(app)
}

#[anchorhold::test]
async fn players_see_each_others_marks_and_sessions_outlive_memory(sim: Sim) {
    let board = sim.objects::<Board>().named("kitchen");
    let mut ann = sim.connect(&board, "/ws?player=ann").await.unwrap();
    let mut bob = sim.connect(&board, "/ws?player=bob").await.unwrap();
    for player in [&mut ann, &mut bob] {
        let welcome: ToClient = player.receive_json().await;
        assert_eq!(welcome, ToClient::Welcome { marks: vec![] });
    }
    for (x, count) in [(1, 1), (3, 2)] {
        ann.send_json(&FromClient::Mark { x, y: 2 });
        for player in [&mut ann, &mut bob] {
            let by = "ann".to_owned();
            let marked = ToClient::Marked { by, x, y: 2, count };
            assert_eq!(player.receive_json::<ToClient>().await, marked);
        }
        // The object leaves memory; the sockets and their sessions do not notice.
        sim.evict(&board).await;
    }
    let mut cid = sim.connect(&board, "/ws?player=cid").await.unwrap();
    let marks = vec![(1, 2), (3, 2)];
    assert_eq!(
        cid.receive_json::<ToClient>().await,
        ToClient::Welcome { marks }
    );
}

#[anchorhold::test]
async fn what_does_not_fit_is_answered_and_the_socket_stays_open(sim: Sim) {
    let board = sim.objects::<Board>().named("kitchen");
    assert_eq!(
        sim.connect(&board, "/ws?player=")
            .await
            .map(drop)
            .unwrap_err()
            .status(),
        400
    );
    let mut ann = sim.connect(&board, "/ws?player=ann").await.unwrap();
    let _: ToClient = ann.receive_json().await;
    for (text, expected) in [
        ("not JSON", "bad_request"),
        (r#"{"type": "jump"}"#, "bad_request"),
        (r#"{"type": "mark", "x": 1, "y": 2, "z": 3}"#, "bad_request"),
        (r#"{"type": "mark", "x": 8, "y": 0}"#, "off_board"),
    ] {
        ann.send_text(text);
        match ann.receive_json().await {
            ToClient::Error { code, .. } => assert_eq!(code, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    ann.send_json(&FromClient::Clear);
    let by = "ann".to_owned();
    assert_eq!(
        ann.receive_json::<ToClient>().await,
        ToClient::Cleared { by }
    );
}
