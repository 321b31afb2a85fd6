//! What an object has beside its database, the sessions of its sockets and the automatic response,
//! through evictions and turns that fail.

use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults, Message, SimSocket};

use super::clients::choices;

const STEPS: usize = 20;

#[durable_object]
struct Beside {}

#[durable_object]
impl Beside {
    #[websocket("/ws")]
    fn connect(&self) -> Accept<u32> {
        Accept::new(0)
    }

    /// Sets the session of this socket, and says what it was.
    #[message(text)]
    fn message(&mut self, socket: &Socket<u32>, number: String) -> Result<(), Error> {
        socket.send_text(&socket.session()?.to_string())?;
        let number = number
            .parse()
            .map_err(|_| Error::bad_request("number", "a number"))?;
        socket.set_session(&number)?;
        Ok(())
    }

    #[rpc]
    fn respond(&self, ctx: &Ctx, number: Option<u32>, succeeds: bool) -> Result<(), Error> {
        let answer = number.map(|number| number.to_string());
        let pair = answer.as_deref().map(|answer| ("ping", answer));
        ctx.sockets::<u32>().set_automatic_response(pair)?;
        for socket in ctx.sockets::<u32>().all() {
            if !succeeds {
                socket.set_session(&u32::MAX)?;
            }
        }
        if succeeds {
            Ok(())
        } else {
            Err(Error::conflict("as_told", "as told"))
        }
    }
}

async fn text(socket: &mut SimSocket) -> String {
    match socket.receive().await {
        Some(Message::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[anchorhold::test(
    seed = 1,
    seeds = 100,
    faults = Faults::none()
        .one_in(5, FaultKind::Eviction)
        .one_in(20, FaultKind::SlowReply)
        .one_in(20, FaultKind::SlowDisk)
)]
async fn sessions_and_automatic_response_outlive_evictions(sim: Sim) {
    let mut choices = choices(&sim, 0);
    let beside = sim.objects::<Beside>().named("a");
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let socket = sim.connect(&beside, "/ws").await.unwrap();
        sockets.push((socket, 0));
    }
    let mut response = None;
    for number in 1..=STEPS {
        let number = u32::try_from(number).unwrap();
        match choices.u8(0..5) {
            0 => {
                let wanted = choices.bool().then_some(number);
                let succeeds = choices.bool();
                let ended = beside.respond(wanted, succeeds).await;
                assert_eq!(ended.is_ok(), succeeds, "{ended:?}");
                if succeeds {
                    response = wanted;
                }
            }
            // As long as an idle object stays in memory, and less.
            1 => sim.advance(Duration::from_secs(choices.u64(1..20))).await,
            2 => {
                sim.advance(Duration::from_secs(1)).await;
                sim.evict(&beside).await;
            }
            3 if response.is_some() => {
                let (socket, _) = &mut sockets[choices.usize(0..2)];
                socket.send_text("ping");
                assert_eq!(
                    Some(text(socket).await),
                    response.map(|number| number.to_string())
                );
            }
            _ => {
                let (socket, session) = &mut sockets[choices.usize(0..2)];
                socket.send_json(&number);
                assert_eq!(text(socket).await, session.to_string(), "the session");
                *session = number;
            }
        }
    }
}
