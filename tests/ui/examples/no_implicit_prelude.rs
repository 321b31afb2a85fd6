//! Generated code does not resolve names in the scope where it is placed.
#![no_implicit_prelude]
#![deny(warnings)]

use ::anchorhold::{Accept, Ctx, Env, Error, Request, Response, Socket, durable_object};
use ::core::default::Default;
use ::core::result::Result;
use ::core::result::Result::Ok;
use ::std::string::String;
use ::std::vec::Vec;

#[durable_object]
pub struct Room {
    title: String,
    #[stored(default = 5)]
    seats: u32,
    #[memory]
    reads: u32,
}

#[durable_object]
impl Room {
    #[init]
    fn start(&mut self) {
        self.reads = Default::default();
    }

    #[rpc]
    #[get("/title")]
    fn title(&self) -> &str {
        &self.title
    }

    #[rpc]
    #[post("/seats/{seats}")]
    async fn seat(&mut self, ctx: &Ctx, seats: u32, names: Vec<String>) -> Result<u32, Error> {
        let _ = (ctx, names);
        self.seats += seats;
        Ok(self.seats + self.reads)
    }

    #[put("/raw")]
    fn raw(&mut self, request: Request) -> Response {
        let _ = request;
        Response::empty(200)
    }

    #[alarm]
    fn remind(&mut self, name: String) {
        self.title = name;
    }

    #[websocket("/live")]
    fn join(&self, user: String) -> Accept<String> {
        Accept::new(user)
    }

    #[message(text)]
    fn said(&mut self, socket: &Socket<String>, text: &str) {
        let _ = (socket, text);
    }
}

pub fn caller(env: &Env) {
    let room = env.objects::<Room>().named("lobby");
    ::core::mem::drop(room.title());
}

#[::anchorhold::app]
fn app() -> ::anchorhold::App {
    ::anchorhold::App::new().mount::<Room>("/rooms/{name}")
}

#[::anchorhold::test]
async fn seats(sim: ::anchorhold::Sim) {
    let _ = sim;
}

fn main() {
    let _ = app;
}
