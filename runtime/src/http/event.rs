//! Server-sent events, as the HTML standard defines them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;
use serde::Serialize;

use super::stream::BodyStream;
use super::{Body, Response};
use crate::error::Error;
use crate::platform;
use crate::turn::LocalFuture;

/// How long a stream of events may be silent. Then a comment is sent, so that proxies keep the
/// connection open and a client that has disconnected is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A server-sent event; see [`Response::events`].
///
/// ```
/// # use anchorhold::{Error, Event};
/// # fn example() -> Result<Event, Error> {
/// let event = Event::json(&7)?.name("price").id(1027);
/// # Ok(event) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event(String);

impl Event {
    /// Creates an event with a text as its data. The text may have several lines.
    #[must_use]
    pub fn data(text: impl AsRef<str>) -> Self {
        let mut event = Self::default();
        for line in lines(text.as_ref()) {
            event.field("data", line);
        }
        event
    }

    /// Creates an event with a value as JSON as its data.
    ///
    /// # Errors
    /// The value's `Serialize` implementation failed.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let json = serde_json::to_string(value).map_err(|error| {
            Error::internal(format!("the event cannot be written as JSON: {error}"))
        })?;
        Ok(Self::data(json))
    }

    /// Sets the name of the event, for which the client listens. Without it the name is `message`.
    /// Line breaks are removed.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.field("event", &one_line(name));
        self
    }

    /// Sets the identifier of the event. A client that connects again sends the last one that it
    /// has received in the header `last-event-id`. Line breaks and zero bytes are removed.
    #[must_use]
    pub fn id(mut self, id: impl ToString) -> Self {
        self.field("id", &one_line(&id.to_string()));
        self
    }

    /// Sets how long the client waits before it connects again, in whole milliseconds.
    #[must_use]
    pub fn retry(mut self, pause: Duration) -> Self {
        self.field("retry", &pause.as_millis().to_string());
        self
    }

    fn field(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\n"] {
            self.0.push_str(part);
        }
    }

    /// Returns the event as it is sent.
    fn into_bytes(mut self) -> Bytes {
        self.0.push('\n');
        Bytes::from(self.0)
    }
}

/// The lines of a text, each of which may end with CR, LF or both.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.split('\r')
    })
}

/// A client ignores an identifier with a zero byte.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n', '\0'], "")
}

pin_project! {
    /// The events of a response as they are sent, with a comment after each silence.
    struct Sent<S> {
        #[pin]
        events: S,
        // Begins when a poll finds no event.
        silence: Option<LocalFuture<'static, ()>>,
    }
}

impl<S: Stream<Item = Event>> Stream for Sent<S> {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let sent = match this.events.poll_next(context) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(event)) => event.into_bytes(),
            Poll::Pending => {
                let silence = this
                    .silence
                    .get_or_insert_with(|| platform::sleep(KEEP_ALIVE));
                ready!(silence.as_mut().poll(context));
                Bytes::from_static(b":\n\n")
            }
        };
        *this.silence = None;
        Poll::Ready(Some(Ok(sent)))
    }
}

impl Response {
    /// Creates a response of server-sent events, which `EventSource` in a browser reads.
    ///
    /// The rules of [`stream`](Self::stream) apply. A comment is sent after each 15 s without an
    /// event. When `events` ends, the client connects again after its `retry` time. The embedded
    /// host ends the response when it shuts down.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use anchorhold::Event;
    /// use futures_channel::mpsc;
    ///
    /// #[durable_object]
    /// struct Ticker {
    ///     price: u64,
    ///     changes: u64,
    ///     #[memory]
    ///     readers: Vec<mpsc::Sender<Event>>,
    /// }
    ///
    /// #[durable_object]
    /// impl Ticker {
    ///     #[put("/price")]
    ///     fn set(&mut self, price: u64) {
    ///         self.price = price;
    ///         self.changes += 1;
    ///         let event = Event::data(price.to_string()).id(self.changes);
    ///         // A reader with 16 unread events is dropped, and connects again.
    ///         self.readers.retain_mut(|reader| reader.try_send(event.clone()).is_ok());
    ///     }
    ///
    ///     #[get("/prices")]
    ///     fn prices(&mut self, request: Request) -> Response {
    ///         let (mut reader, events) = mpsc::channel(16);
    ///         let seen = request.header("last-event-id");
    ///         if seen != Some(self.changes.to_string()) {
    ///             let event = Event::data(self.price.to_string()).id(self.changes);
    ///             let _ = reader.try_send(event);
    ///         }
    ///         self.readers.retain(|reader| !reader.is_closed());
    ///         self.readers.push(reader);
    ///         Response::events(events)
    ///     }
    /// }
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn events(events: impl Stream<Item = Event> + 'static) -> Self {
        let mut chunks = BodyStream::made(Sent {
            events,
            silence: None,
        });
        chunks.ends_with_host = true;
        Self::of_any_type(200, "text/event-stream", Body::Stream(chunks))
            .with_header("cache-control", "no-store")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_is_framed_as_the_standard_says() {
        let sent = |event: Event| String::from_utf8(event.into_bytes().to_vec()).unwrap();
        assert_eq!(sent(Event::data("a")), "data: a\n\n");
        assert_eq!(sent(Event::data("")), "data: \n\n");
        assert_eq!(
            sent(Event::data("a\nb\r\nc\rd\n")),
            "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"
        );
        let event = Event::json(&"x").unwrap().name("news").id(7);
        assert_eq!(
            sent(event.retry(Duration::from_secs(2))),
            "data: \"x\"\nevent: news\nid: 7\nretry: 2000\n\n"
        );
        let forged = Event::data("a").name("x\n\ndata: b").id("1\r\n2\0");
        assert_eq!(sent(forged), "data: a\nevent: xdata: b\nid: 12\n\n");
    }
}
