//! Responses whose bodies are produced after the handler has returned.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anchorhold::Event;
use anchorhold::prelude::*;
use futures_channel::mpsc;
use futures_util::stream;
use serde::{Deserialize, Serialize};

/// What a probe's streams have done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Produced {
    pub chunks: u64,
    pub dropped: u64,
    pub readers: usize,
}

/// What arrived of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    pub bytes: usize,
    pub sum: u64,
}

impl Received {
    fn add(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len();
        self.sum += chunk.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    }
}

/// Counts the end of a stream.
struct Counted(Rc<Cell<u64>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Streams as instructed.
#[durable_object]
pub struct StreamProbe {
    published: u64,
    #[memory]
    readers: RefCell<Vec<mpsc::Sender<Event>>>,
    #[memory]
    chunks: Rc<Cell<u64>>,
    #[memory]
    dropped: Rc<Cell<u64>>,
}

#[durable_object]
impl StreamProbe {
    /// Sends so many chunks of so many bytes, each with its number as its first.
    #[get("/chunks")]
    fn chunks(&self, count: u64, size: usize) -> Response {
        let made = self.chunks.clone();
        let counted = Counted(self.dropped.clone());
        let chunks = (0..count).map(move |number| {
            let _ = &counted;
            made.set(number + 1);
            let mut chunk = vec![0; size];
            chunk[0] = number.to_le_bytes()[0];
            Ok::<_, Error>(chunk)
        });
        Response::stream(200, "application/octet-stream", stream::iter(chunks))
    }

    #[get("/produced")]
    fn produced(&self) -> Produced {
        let mut readers = self.readers.borrow_mut();
        readers.retain(|reader| !reader.is_closed());
        Produced {
            chunks: self.chunks.get(),
            dropped: self.dropped.get(),
            readers: readers.len(),
        }
    }

    /// Ends as told, a while after its first chunk.
    #[get("/ends")]
    fn ends(&self, ctx: &Ctx, how: String) -> Response {
        let env = ctx.env();
        let storage = ctx.storage();
        let chunks = stream::unfold(false, move |has_begun| {
            let (env, storage, how) = (env.clone(), storage.clone(), how.clone());
            async move {
                if !has_begun {
                    return Some((Ok("first"), true));
                }
                env.sleep(Duration::from_millis(200)).await;
                match how.as_str() {
                    "error" => Some((Err(Error::conflict("broken", "as told")), true)),
                    "panic" => panic!("as told"),
                    "write" => {
                        storage.put("written", &true).ok()?;
                        None
                    }
                    _ => None,
                }
            }
        });
        Response::stream(200, "text/plain", chunks)
    }

    #[get("/written")]
    fn written(&self, ctx: &Ctx) -> Result<bool, Error> {
        Ok(ctx.storage().get::<bool>("written")?.unwrap_or(false))
    }

    #[post("/abort")]
    fn abort(&self, ctx: &Ctx) {
        ctx.abort("as told");
    }

    /// Counts the bytes of a body, and adds its bytes up.
    #[post("/upload", max_body = "2 GiB")]
    async fn upload(&self, request: Request) -> Result<Received, Error> {
        let mut chunks = request.into_stream();
        let mut received = Received::default();
        while let Some(chunk) = chunks.next().await {
            received.add(&chunk?);
            self.chunks.set(self.chunks.get() + 1);
        }
        Ok(received)
    }

    /// Like `upload`, and pauses after each chunk.
    #[post("/slow-upload", max_body = "128 MiB")]
    async fn slow_upload(&self, ctx: &Ctx, request: Request) -> Result<Received, Error> {
        let mut chunks = request.into_stream();
        let mut received = Received::default();
        while let Some(chunk) = chunks.next().await {
            received.add(&chunk?);
            ctx.sleep(Duration::from_millis(5)).await;
        }
        Ok(received)
    }

    /// Does not read the body.
    #[post("/unread", max_body = "128 MiB")]
    fn unread(&self, _request: Request) -> Result<(), Error> {
        Err(Error::forbidden("not wanted"))
    }

    #[post("/limited", max_body = "64 KiB")]
    async fn limited(&self, request: Request) -> Result<usize, Error> {
        let mut chunks = request.into_stream();
        let mut bytes = 0;
        while let Some(chunk) = chunks.next().await {
            bytes += chunk?.len();
        }
        Ok(bytes)
    }

    #[post("/limited-whole", max_body = "64 KiB")]
    async fn limited_whole(&self, mut request: Request) -> Result<usize, Error> {
        Ok(request.bytes().await?.len())
    }

    #[post("/limited-text", max_body = "2 MiB")]
    fn limited_text(&self, text: String) -> usize {
        text.len()
    }

    /// Sends back what arrives while it arrives.
    #[post("/echo", max_body = "128 MiB")]
    fn echo(&self, request: Request) -> Response {
        Response::stream(200, "application/octet-stream", request.into_stream())
    }

    /// Like `upload`. The object `relay` passes the request on to another.
    #[post("/relayed", max_body = "128 MiB")]
    async fn relayed(&self, ctx: &Ctx, request: Request) -> Result<Response, Error> {
        if ctx.name().as_deref() == Some("relay") {
            let other = ctx.objects::<Self>().named("other");
            return Ok(other.fetch_stream(request).await?);
        }
        Response::json(200, &self.upload(request).await?)
    }

    #[get("/fails")]
    fn fails(&self) -> Result<Response, Error> {
        drop(Response::stream(
            200,
            "text/plain",
            stream::iter([Ok::<_, Error>("lost")]),
        ));
        Err(Error::conflict("refused", "as told"))
    }

    #[get("/events")]
    fn events(&self, request: Request) -> Response {
        let (mut reader, events) = mpsc::channel(64);
        if let Some(seen) = request.header("last-event-id") {
            let event = Event::data(format!("after {seen}"))
                .name("seen")
                .retry(Duration::from_secs(7));
            let _ = reader.try_send(event);
        }
        self.readers.borrow_mut().push(reader);
        Response::events(events)
    }

    #[post("/publish")]
    fn publish(&mut self, text: String) -> usize {
        self.published += 1;
        let event = Event::data(text).id(self.published);
        let readers = self.readers.get_mut();
        readers.retain_mut(|reader| reader.try_send(event.clone()).is_ok());
        readers.len()
    }

    /// Passes on what another object sends.
    #[get("/passed")]
    async fn passed(&self, ctx: &Ctx, path: &str) -> Result<Response, Error> {
        let other = ctx.objects::<Self>().named("other");
        Ok(other.fetch_stream(Request::new("GET", path)).await?)
    }

    /// Counts what another object sends.
    #[get("/counted")]
    async fn counted(&self, ctx: &Ctx, path: &str) -> Result<usize, Error> {
        let other = ctx.objects::<Self>().named("other");
        let answer = other.fetch_stream(Request::new("GET", path)).await?;
        let mut chunks = answer.into_stream();
        let mut bytes = 0;
        while let Some(chunk) = chunks.next().await {
            bytes += chunk?.len();
        }
        Ok(bytes)
    }
}

/// Three chunks from a handler of the app.
pub async fn app_stream(_: Request, env: Env) -> Result<Response, Error> {
    let chunks = stream::unfold((env, 0), |(env, number)| async move {
        if number == 3 {
            return None;
        }
        env.sleep(Duration::from_millis(100)).await;
        Some((Ok::<_, Error>(format!("{number};")), (env, number + 1)))
    });
    Ok(Response::stream(200, "text/plain", chunks))
}
