//! Responses whose bodies are produced after the handler has returned.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{BodyStream, Event, FaultKind};
use futures_channel::mpsc;
use futures_util::stream;

const SECOND: Duration = Duration::from_secs(1);

/// What the test sees of a stream that an object produces.
#[derive(Clone, Default)]
struct Seen {
    polls: Rc<Cell<u32>>,
    dropped: Rc<Cell<bool>>,
}

thread_local! {
    static SEEN: Seen = Seen::default();
}

fn seen() -> Seen {
    SEEN.with(Seen::clone)
}

/// Records the drop of a stream.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        seen().dropped.set(true);
    }
}

#[durable_object]
struct Source {
    writes: u64,
    #[memory]
    readers: Vec<mpsc::Sender<Event>>,
}

#[durable_object]
impl Source {
    #[get("/numbers")]
    fn numbers(&mut self, count: u32) -> Response {
        self.writes += 1;
        let guard = Guard;
        let numbers = (0..count).map(move |number| {
            let _ = &guard;
            seen().polls.set(number + 1);
            Ok::<_, Error>(format!("{number};"))
        });
        Response::stream(200, "text/plain", stream::iter(numbers))
    }

    /// Ends as told after its first chunk.
    #[get("/broken")]
    fn broken(&self, ctx: &Ctx, how: String) -> Response {
        let (env, storage) = (ctx.env(), ctx.storage());
        let chunks = stream::unfold(0, move |step| {
            let (env, storage, how) = (env.clone(), storage.clone(), how.clone());
            async move {
                if step == 0 {
                    return Some((Ok("first"), 1));
                }
                env.sleep(SECOND).await;
                storage.put("late", &true).unwrap();
                match how.as_str() {
                    "error" => Some((Err(Error::conflict("broken", "as told")), 1)),
                    "panic" => panic!("as told"),
                    _ => None,
                }
            }
        });
        Response::stream(200, "text/plain", chunks)
    }

    /// Counts the chunks and the bytes of a body, and waits a second for each chunk.
    #[post("/upload", max_body = "256 KiB")]
    async fn upload(&self, ctx: &Ctx, request: Request) -> Result<(u32, usize), Error> {
        let mut chunks = request.into_stream();
        let (mut count, mut bytes) = (0, 0);
        while let Some(chunk) = chunks.next().await {
            count += 1;
            bytes += chunk?.len();
            ctx.sleep(SECOND).await;
        }
        Ok((count, bytes))
    }

    #[post("/whole", max_body = "2 MiB")]
    async fn whole(&self, mut request: Request) -> Result<usize, Error> {
        Ok(request.bytes().await?.len())
    }

    #[post("/small", max_body = "1 KiB")]
    fn small(&self, text: String) -> usize {
        text.len()
    }

    #[get("/fails")]
    fn fails(&mut self, guarded: bool) -> Result<Response, Error> {
        let guard = guarded.then_some(Guard);
        let chunks = stream::iter([Ok::<_, Error>("lost")]);
        drop((Response::stream(200, "text/plain", chunks), guard));
        Err(Error::conflict("no", "refused"))
    }

    #[rpc]
    fn abort(&self, ctx: &Ctx) {
        ctx.abort("on purpose");
    }

    #[rpc]
    fn has_late(&self, ctx: &Ctx) -> Result<bool, Error> {
        Ok(ctx.storage().get::<bool>("late")?.unwrap_or(false))
    }

    #[get("/events")]
    fn events(&mut self) -> Response {
        let (reader, events) = mpsc::channel(2);
        self.readers.push(reader);
        Response::events(events)
    }

    #[rpc]
    fn publish(&mut self, text: String) -> usize {
        self.writes += 1;
        let event = Event::data(text).id(self.writes);
        self.readers
            .retain_mut(|reader| reader.try_send(event.clone()).is_ok());
        self.readers.len()
    }

    #[rpc]
    fn writes(&self) -> u64 {
        self.writes
    }
}

/// Passes a stream of another object on, and reads one.
#[durable_object]
struct Relay {}

#[durable_object]
impl Relay {
    #[get("/pass")]
    async fn pass(&self, ctx: &Ctx, path: &str) -> Result<Response, Error> {
        let source = ctx.objects::<Source>().named("a");
        Ok(source.fetch_stream(Request::new("GET", path)).await?)
    }

    #[get("/read")]
    async fn read(&self, ctx: &Ctx, path: &str) -> Result<Response, Error> {
        let source = ctx.objects::<Source>().named("a");
        Ok(source.fetch(Request::new("GET", path)).await?)
    }
}

fn app() -> App {
    App::new()
        .mount::<Source>("/sources/{name}")
        .mount::<Relay>("/relays/{name}")
        .get("/clock", async |_, env: Env| {
            let ticks = stream::unfold(env, async |env| {
                env.sleep(SECOND).await;
                let now = env.now().as_millis().to_string();
                Some((Ok::<_, Error>(now), env))
            });
            Ok(Response::stream(200, "text/plain", ticks))
        })
}

async fn open(sim: &Sim, path: &str) -> BodyStream {
    let response = sim.fetch(Request::new("GET", path)).await;
    assert_eq!(response.status(), 200, "{path}");
    assert!(response.body().is_none(), "it is not whole");
    response.into_stream()
}

async fn text(chunks: &mut BodyStream) -> String {
    let chunk = chunks.next().await.expect("a chunk").expect("no error");
    String::from_utf8(chunk.to_vec()).unwrap()
}

/// The texts up to the end, or the error's code.
async fn rest(chunks: &mut BodyStream) -> (String, Option<String>) {
    let mut read = String::new();
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => read.push_str(std::str::from_utf8(&chunk).unwrap()),
            Err(error) => return (read, Some(error.code().to_owned())),
        }
    }
    (read, None)
}

async fn is_pending(mut work: std::pin::Pin<&mut impl Future>) -> bool {
    poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await
}

#[anchorhold::test]
async fn stream_is_sent_in_order_and_ends(sim: Sim) {
    sim.app(app());
    let mut chunks = open(&sim, "/sources/a/numbers?count=4").await;
    assert_eq!(rest(&mut chunks).await, ("0;1;2;3;".to_owned(), None));
    assert!(chunks.next().await.is_none());
    assert!(seen().dropped.get());
}

#[anchorhold::test]
async fn slow_reader_slows_the_producer(sim: Sim) {
    sim.app(app());
    let mut chunks = open(&sim, "/sources/a/numbers?count=1000").await;
    sim.advance(SECOND).await;
    assert_eq!(seen().polls.get(), 1);
    assert_eq!(text(&mut chunks).await, "0;");
    sim.advance(SECOND).await;
    assert_eq!(seen().polls.get(), 2);
}

#[anchorhold::test]
async fn reader_that_leaves_drops_the_producer(sim: Sim) {
    sim.app(app());
    let mut chunks = open(&sim, "/sources/a/numbers?count=1000").await;
    text(&mut chunks).await;
    seen().dropped.set(false);
    drop(chunks);
    sim.advance(SECOND).await;
    assert!(seen().dropped.get());
    // Also one that waits for its next event.
    let source = sim.objects::<Source>().named("a");
    let events = open(&sim, "/sources/a/events").await;
    assert_eq!(source.publish("x".to_owned()).await.unwrap(), 1);
    drop(events);
    sim.advance(SECOND).await;
    assert_eq!(source.publish("y".to_owned()).await.unwrap(), 0);
}

#[anchorhold::test]
async fn events_are_sent_with_comments_after_silence(sim: Sim) {
    sim.app(app());
    let source = sim.objects::<Source>().named("a");
    let response = sim.fetch(Request::new("GET", "/sources/a/events")).await;
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let mut events = response.into_stream();
    source.publish("a\nb".to_owned()).await.unwrap();
    assert_eq!(text(&mut events).await, "data: a\ndata: b\nid: 1\n\n");
    let before = sim.now();
    assert_eq!(text(&mut events).await, ":\n\n");
    let silence = sim.now().as_millis() - before.as_millis();
    assert!((15_000..16_000).contains(&silence), "{silence} ms");
}

#[anchorhold::test]
async fn stream_that_fails_does_not_end_as_if_complete(sim: Sim) {
    sim.app(app());
    for how in ["error", "panic"] {
        let source = sim.objects::<Source>().named(how);
        let mut chunks = open(&sim, &format!("/sources/{how}/broken?how={how}")).await;
        assert_eq!(text(&mut chunks).await, "first");
        let code = if how == "error" { "broken" } else { "reset" };
        assert_eq!(
            rest(&mut chunks).await,
            (String::new(), Some(code.to_owned()))
        );
        // A panic takes back what no commit covers.
        assert_eq!(source.has_late().await.unwrap(), how == "error");
    }
}

#[anchorhold::test]
async fn reset_of_the_object_breaks_its_streams(sim: Sim) {
    sim.app(app());
    let source = sim.objects::<Source>().named("a");
    let mut chunks = open(&sim, "/sources/a/events").await;
    source.abort().await.unwrap_err();
    assert_eq!(
        rest(&mut chunks).await,
        (String::new(), Some("reset".to_owned()))
    );
    let mut chunks = open(&sim, "/sources/a/events").await;
    sim.crash().await;
    assert!(rest(&mut chunks).await.1.is_some());
}

#[anchorhold::test]
async fn object_with_an_open_stream_stays_in_memory(sim: Sim) {
    sim.app(app());
    let source = sim.objects::<Source>().named("a");
    let mut events = open(&sim, "/sources/a/events").await;
    text(&mut events).await;
    sim.advance(60 * SECOND).await;
    assert_eq!(source.publish("x".to_owned()).await.unwrap(), 1);
}

#[anchorhold::test]
async fn failed_turn_sends_no_stream(sim: Sim) {
    sim.app(app());
    let answer = sim
        .fetch(Request::new("GET", "/sources/a/fails?guarded=true"))
        .await;
    assert_eq!(answer.status(), 409);
    assert!(seen().dropped.get());
}

#[anchorhold::test]
async fn chunk_waits_until_the_writes_before_it_are_durable(sim: Sim) {
    sim.app(app());
    let source = sim.objects::<Source>().named("a");
    let mut chunks = open(&sim, "/sources/a/broken?how=none").await;
    assert_eq!(text(&mut chunks).await, "first");
    sim.hang_syncs();
    let mut end = pin!(chunks.next());
    assert!(is_pending(end.as_mut()).await);
    sim.advance(2 * SECOND).await;
    assert!(is_pending(end.as_mut()).await, "its write is not on disk");
    sim.restore_syncs();
    assert!(end.await.is_none());
    sim.power_failure().await;
    assert!(source.has_late().await.unwrap());
}

#[anchorhold::test]
async fn stream_passes_through_other_objects(sim: Sim) {
    sim.app(app());
    let mut chunks = open(&sim, "/relays/r/pass?path=/numbers?count=1000").await;
    assert_eq!(text(&mut chunks).await, "0;");
    seen().dropped.set(false);
    drop(chunks);
    sim.advance(SECOND).await;
    assert!(seen().dropped.get());
    let read = Request::new("GET", "/relays/r/read?path=/numbers?count=3");
    let read = sim.fetch(read).await;
    assert_eq!(read.body(), Some(b"0;1;2;".as_slice()));
}

#[anchorhold::test]
async fn handler_of_the_app_streams(sim: Sim) {
    sim.app(app());
    let mut clock = open(&sim, "/clock").await;
    let first: i64 = text(&mut clock).await.parse().unwrap();
    let second: i64 = text(&mut clock).await.parse().unwrap();
    assert_eq!(second - first, 1_000);
}

#[anchorhold::test]
async fn body_of_a_request_is_read_in_chunks_up_to_the_limit_of_its_route(sim: Sim) {
    sim.app(app());
    let post = async |path: &str, bytes: usize| {
        let request = Request::new("POST", &format!("/sources/a/{path}"));
        let request = match path {
            "small" => request.with_json(&serde_json::json!({ "text": "x".repeat(bytes) })),
            _ => Ok(request.with_body(vec![7; bytes])),
        };
        sim.fetch(request.unwrap()).await
    };
    let answer = post("upload", 256 << 10).await;
    assert_eq!(answer.body(), Some(b"[4,262144]".as_slice()));
    for (path, bytes, status) in [
        ("upload", (256 << 10) + 1, 413),
        ("whole", 2 << 20, 200),
        ("whole", (2 << 20) + 1, 413),
        ("small", 1_000, 200),
        ("small", 1_024, 413),
    ] {
        let answer = post(path, bytes).await;
        assert_eq!(answer.status(), status, "{path} {bytes}");
    }
}

/// Whatever fails on the way: what a reader has is a beginning of the body, and an end without an
/// error is its end.
#[anchorhold::test(seed = 1, seeds = 100)]
async fn stream_is_whole_or_broken_under_faults(sim: Sim) {
    sim.app(app());
    sim.set_faults(
        anchorhold::Faults::none()
            .one_in(8, FaultKind::LostReply)
            .one_in(4, FaultKind::SlowReply)
            .one_in(40, FaultKind::Crash),
    );
    let whole: String = (0..8).map(|number| format!("{number};")).collect();
    for _ in 0..8 {
        let response = sim
            .fetch(Request::new("GET", "/sources/a/numbers?count=8"))
            .await;
        if response.status() != 200 {
            continue;
        }
        let (read, error) = rest(&mut response.into_stream()).await;
        assert!(whole.starts_with(&read), "{read}");
        assert!(error.is_some() || read == whole, "{read}");
    }
    sim.heal().await;
    let source = sim.objects::<Source>().named("a");
    assert!(source.writes().await.unwrap() <= 8);
}
