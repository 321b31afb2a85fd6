//! Every attribute once, with every lint that a strict crate enables.
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
#![forbid(unsafe_code)]
#![allow(
    clippy::future_not_send,
    clippy::missing_const_for_fn,
    clippy::needless_pass_by_ref_mut,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    clippy::unused_async,
    clippy::unused_self,
    reason = "of the handlers themselves, whose bodies are empty"
)]

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// A message of a user.
#[derive(Serialize, Deserialize)]
pub struct Post {
    text: String,
}

#[derive(Serialize, Deserialize, Clone)]
struct Session {
    user: String,
}

/// A room.
#[durable_object(migrations = [
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, text TEXT)",
    "CREATE INDEX posts_text ON posts (text)",
])]
pub struct Room {
    posts: u64,
    #[stored(key = "t", default = String::from("a room"))]
    title: String,
    members: StoredMap<String, u64>,
    #[memory]
    reads: u64,
}

#[durable_object]
impl Room {
    const LIMIT: u64 = 10;

    #[init]
    fn start(&mut self, ctx: &Ctx) -> Result<(), Error> {
        self.reads = u64::try_from(ctx.now().as_millis()).unwrap_or(Self::LIMIT);
        let _ = &self.members;
        Ok(())
    }

    /// Returns the number of posts.
    #[rpc]
    #[get("/posts")]
    #[get("/count")]
    fn posts(&self) -> u64 {
        self.posts + self.reads
    }

    #[rpc]
    #[put("/title/{title}")]
    fn rename(&mut self, title: &str, _reason: Option<String>) -> &str {
        title.clone_into(&mut self.title);
        &self.title
    }

    #[rpc]
    #[post("/posts", status = 201)]
    async fn post(&mut self, ctx: &Ctx, #[body] post: Post) -> Result<Vec<Post>, Error> {
        let _ = Self::schedules(ctx).clear(self.posts).key("clear");
        self.posts += 1;
        Ok(vec![post])
    }

    #[rpc]
    async fn attach(&self, bytes: &[u8], arguments: u8, object: u8, call: u8, ctx: u8) -> usize {
        bytes.len()
            + usize::from(arguments)
            + usize::from(object)
            + usize::from(call)
            + usize::from(ctx)
    }

    #[patch("/upload/{name}")]
    async fn upload(&mut self, name: String, request: Request) -> Result<Response, Error> {
        self.title = name;
        let _ = request;
        Ok(Response::empty(200))
    }

    #[delete("/")]
    fn delete(&mut self) {
        self.posts = 0;
    }

    #[alarm]
    fn clear(&mut self, posts: u64, run: AlarmRun) -> Result<(), Error> {
        let _ = run;
        self.posts -= posts;
        Ok(())
    }

    #[rpc]
    #[alarm(every = "60s")]
    async fn sweep(&mut self) {}

    #[alarm(cron = "*/5 * * * MON")]
    fn report(&self, _ctx: &Ctx) {}

    #[websocket("/live/{user}")]
    fn join(&self, user: String) -> Result<Accept<Session>, Error> {
        Ok(Accept::new(Session { user }))
    }

    #[message]
    fn said(&mut self, socket: &Socket<Session>, post: Post) {
        let _ = (socket, post);
    }

    #[message(text)]
    async fn typed(&mut self, text: &str) {
        text.clone_into(&mut self.title);
    }

    #[message(binary)]
    fn drew(&mut self, ctx: &Ctx, socket: &Socket<Session>, bytes: Vec<u8>) {
        let _ = (ctx, socket, bytes);
    }

    #[close]
    fn left(&mut self, socket: &Socket<Session>, event: CloseEvent) {
        let _ = (socket, event);
    }

    #[error]
    fn broke(&mut self, socket: &Socket<Session>, event: SocketError) {
        let _ = (socket, event);
    }
}

#[durable_object]
struct Nothing;

#[durable_object]
impl Nothing {}

/// Returns the number of the room's posts, through a remote call.
///
/// # Errors
/// The room could not be reached.
pub async fn caller(env: &Env) -> Result<u64, CallError> {
    let room = env.objects::<Room>().named("lobby");
    let title: String = room.rename("hall", None).await?;
    let post = Post { text: title };
    let _: Result<Vec<Post>, CallError<Error>> = room.post(post).await;
    drop(room.attach(&[1, 2], 3, 4, 5, 6));
    room.posts().await
}

#[anchorhold::app]
fn app() -> App {
    App::new()
        .mount::<Room>("/rooms/{name}")
        .mount::<Nothing>("/nothing/{name}")
}

#[anchorhold::test(seed = 7)]
async fn posts(sim: Sim) -> Result<(), CallError> {
    sim.objects::<Room>().named("lobby").posts().await.map(drop)
}

fn main() {
    let _ = app;
}
