//! A connection without a network that can be cut.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::super::network::frame::Frame;

/// One end of a connection.
pub(in super::super) struct Pipe {
    pub(super) incoming: mpsc::UnboundedReceiver<Frame>,
    pub(super) outgoing: mpsc::UnboundedSender<Frame>,
    pub(super) link: Arc<Link>,
}

/// What the two ends share.
pub(in super::super) struct Link(watch::Sender<Option<Cut>>);

/// Nothing passes any more, in either direction. The ends notice later.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub(super) host_learns: Instant,
    client_learns: Instant,
}

impl Link {
    /// Cuts the connection. Its ends notice after these times. Only the first cut counts.
    pub(super) fn cut(&self, host: Duration, client: Duration) {
        let now = Instant::now();
        self.0.send_if_modified(|present| {
            let is_first = present.is_none();
            present.get_or_insert(Cut {
                host_learns: now + host,
                client_learns: now + client,
            });
            is_first
        });
    }

    /// Makes both ends notice at once that the connection was cut, if it was.
    pub(super) fn tell(&self) {
        let now = Instant::now();
        self.0.send_if_modified(|present| {
            let was_cut = present.is_some();
            *present = present.map(|cut| Cut {
                host_learns: cut.host_learns.min(now),
                client_learns: cut.client_learns.min(now),
            });
            was_cut
        });
    }

    pub(super) fn is_cut(&self) -> bool {
        self.0.borrow().is_some()
    }

    pub(super) async fn cut_off(&self) {
        // This cannot fail, because `self` holds the sender.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until one end notices that the connection was cut.
    pub(super) async fn learned(&self, end: fn(Cut) -> Instant) {
        let mut present = self.0.subscribe();
        loop {
            let at = present.borrow_and_update().map(end);
            match at {
                Some(at) if timeout_at(at, present.changed()).await.is_err() => return,
                Some(_) => {}
                None => self.cut_off().await,
            }
        }
    }
}

/// The connections of a simulated host.
#[derive(Default)]
pub(super) struct Links(RefCell<Vec<Weak<Link>>>);

impl Links {
    pub(super) fn add(&self, link: &Arc<Link>) {
        let mut links = self.0.borrow_mut();
        links.retain(|known| known.strong_count() > 0);
        links.push(Arc::downgrade(link));
    }

    /// The connections that an end still holds, in the order in which they were made.
    pub(super) fn open(&self) -> Vec<Arc<Link>> {
        self.0.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// Makes all ends notice which connections were cut.
    pub(super) fn tell(&self) {
        for link in self.open() {
            link.tell();
        }
    }
}

impl Pipe {
    /// Returns the host's end, the client's end, and the link that cuts them.
    pub(super) fn pair() -> (Self, Self, Arc<Link>) {
        let (to_client, from_host) = mpsc::unbounded_channel();
        let (to_host, from_client) = mpsc::unbounded_channel();
        let link = Arc::new(Link(watch::Sender::new(None)));
        let host = Self {
            incoming: from_client,
            outgoing: to_client,
            link: Arc::clone(&link),
        };
        let client = Self {
            incoming: from_host,
            outgoing: to_host,
            link: Arc::clone(&link),
        };
        (host, client, link)
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Waits for the next frame for the client. Returns `None` when the client notices that the
    /// connection is gone.
    pub(super) async fn receive(&mut self) -> Option<Frame> {
        let frame = tokio::select! {
            biased;
            frame = self.incoming.recv() => frame,
            () = self.link.learned(|cut| cut.client_learns) => None,
        };
        if frame.is_none() && self.link.is_cut() {
            // The host is gone. No packet tells the client.
            self.link.learned(|cut| cut.client_learns).await;
        }
        frame
    }
}
