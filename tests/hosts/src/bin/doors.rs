//! An app for tests of the embedded host's entrances. It panics, answers at length, and keeps
//! sockets.

use std::time::Duration;

use anchorhold::prelude::*;

/// Reports over a socket how much it received.
#[durable_object]
pub struct Scale {
    #[memory]
    connects: u32,
}

#[durable_object]
impl Scale {
    #[websocket("/ws")]
    fn connect(&mut self) -> Accept<()> {
        self.connects += 1;
        Accept::new(())
    }

    #[get("/connects")]
    fn connects(&self) -> u32 {
        self.connects
    }

    /// Sends 15 MiB for `fill 15`, as far as they are accepted.
    #[message(text)]
    fn text(&self, socket: &Socket<()>, text: String) -> Result<(), Error> {
        if let Some(mib) = text.strip_prefix("fill ") {
            let mib: usize = mib.parse().unwrap_or(0);
            let filled = (0..mib).take_while(|_| socket.send_bytes(&vec![0; 1 << 20]).is_ok());
            let _ = filled.count();
            return Ok(());
        }
        Ok(socket.send_text(&text.len().to_string())?)
    }

    #[message(binary)]
    fn bytes(&self, socket: &Socket<()>, bytes: Vec<u8>) -> Result<(), Error> {
        Ok(socket.send_text(&bytes.len().to_string())?)
    }

    #[post("/weigh")]
    async fn weigh(&self, mut request: Request) -> Result<usize, Error> {
        Ok(request.bytes().await?.len())
    }

    /// Cancels a request to the outside world this many times.
    #[post("/give-up")]
    async fn give_up(&self, ctx: &Ctx, address: &str, times: u32) -> u32 {
        for _ in 0..times {
            let request = ctx.fetch(Request::new("GET", address));
            let mut request = std::pin::pin!(request);
            let mut patience = std::pin::pin!(ctx.sleep(Duration::from_millis(5)));
            std::future::poll_fn(|context| {
                let _ = request.as_mut().poll(context);
                patience.as_mut().poll(context)
            })
            .await;
        }
        times
    }

    /// Returns what the outside world answers.
    #[get("/ask")]
    async fn ask(&self, ctx: &Ctx, address: &str) -> Result<String, Error> {
        let answer = ctx.fetch(Request::new("GET", address)).await?;
        let body = String::from_utf8_lossy(answer.body().unwrap_or_default()).into_owned();
        Ok(format!("{} {body}", answer.status()))
    }
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("on purpose: in drop");
    }
}

/// Starts slowly, so that several requests wait for it.
#[durable_object]
struct SlowStart {
    value: i64,
}

#[durable_object]
impl SlowStart {
    #[init]
    async fn start(&mut self, ctx: &Ctx) {
        ctx.sleep(Duration::from_millis(500)).await;
    }

    #[post("/change-and-panic")]
    fn change_and_panic(&mut self) -> i64 {
        self.value = 999;
        panic!("on purpose: half done")
    }

    #[get("/")]
    fn value(&self) -> i64 {
        self.value
    }
}

fn app() -> App {
    App::new()
        .mount::<SlowStart>("/slow-starts/{name}")
        .mount::<Scale>("/scales/{name}")
        .guard(async |visit| {
            assert!(visit.name != "panic", "on purpose: in the guard");
            Ok(visit)
        })
        .get("/healthz", async |_, _| Ok(Response::text(200, "ok")))
        .get("/address", async |request: Request, _| {
            let address = request.client_address();
            Ok(Response::text(
                200,
                address.map_or_else(String::new, |address| address.to_string()),
            ))
        })
        .get("/panic", async |_, _| panic!("on purpose: in the handler"))
        .get("/panic-when-dropped", async |_, env: Env| {
            let _held = PanicsWhenDropped;
            env.sleep(Duration::from_secs(600)).await;
            Ok(Response::empty(204))
        })
        .get("/large", async |request: Request, _| {
            let mib: usize = request
                .query_value("mib")
                .and_then(|mib| mib.parse().ok())
                .unwrap_or(1);
            Ok(Response::bytes(
                200,
                "application/octet-stream",
                vec![b'x'; mib << 20],
            ))
        })
        .assets("public")
}

fn main() -> std::process::ExitCode {
    anchorhold::serve(app)
}
