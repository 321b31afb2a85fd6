//! The section "In a product" of the room's page.

use anchorhold::objects::chat_room::{self, ChatRoom, Role};
use anchorhold::prelude::*;

const ROOMS: [&str; 2] = ["lobby", "support"];

/// The user of a session. A product reads a signed cookie, or asks an object that holds sessions.
fn user_of(session: &str) -> Option<(&str, Role)> {
    match session {
        "5f2b" => Some(("ann", Role::Writer)),
        "9c31" => Some(("guest", Role::Reader)),
        _ => None,
    }
}

fn app() -> App {
    App::new()
        .mount::<ChatRoom>("/rooms/{name}")
        .guard(async |mut visit| {
            // Without this, each name in a path would be a room.
            if !ROOMS.contains(&visit.name.as_str()) {
                return Err(Error::not_found("there is no such room"));
            }
            let session = visit.request.header("x-session").unwrap_or_default();
            let Some((user, role)) = user_of(&session) else {
                return Err(Error::unauthorized("log in first"));
            };
            visit.request = chat_room::identified(visit.request, user, role).await?;
            Ok(visit)
        })
}

#[anchorhold::test]
async fn only_those_who_are_logged_in_post_and_as_themselves(sim: Sim) {
    sim.app(app());
    let post = async |room: &str, session: &str| {
        let request = Request::new("POST", &format!("/rooms/{room}/messages"))
            .with_header("x-session", session)
            .with_body(r#"{"user": "root", "text": "hi"}"#);
        sim.fetch(request).await
    };
    let posted = post("lobby", "5f2b").await;
    assert_eq!(posted.status(), 201);
    let message: chat_room::Message = posted.read_json().unwrap();
    assert_eq!(message.user, "ann", "whatever the client claims");
    assert_eq!(post("lobby", "9c31").await.status(), 403);
    assert_eq!(post("lobby", "0000").await.status(), 401);
    assert_eq!(post("cellar", "5f2b").await.status(), 404);
}
