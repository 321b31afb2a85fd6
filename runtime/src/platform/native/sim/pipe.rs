//! A connection without a network, which can be cut like one.

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

/// Nothing passes any more, in either direction. The ends learn of it later.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub(super) host_learns: Instant,
    client_learns: Instant,
}

impl Link {
    /// Cuts the connection. Its ends learn of it after these times. The first cut counts.
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

    /// Lets both ends learn at once that the connection was cut, if it was.
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
        // The sender is here.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until one end learns that the connection was cut.
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

    /// Those that an end still has, in the order in which they were made.
    pub(super) fn open(&self) -> Vec<Arc<Link>> {
        self.0.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// Lets all ends learn which connections were cut.
    pub(super) fn tell(&self) {
        for link in self.open() {
            link.tell();
        }
    }
}

impl Pipe {
    /// The host's end, the client's end, and what cuts them.
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

    /// The next frame for the client. `None` when it learns that the connection is gone.
    pub(super) async fn receive(&mut self) -> Option<Frame> {
        let frame = tokio::select! {
            biased;
            frame = self.incoming.recv() => frame,
            () = self.link.learned(|cut| cut.client_learns) => None,
        };
        if frame.is_none() && self.link.is_cut() {
            // The host is gone, which no packet tells the client.
            self.link.learned(|cut| cut.client_learns).await;
        }
        frame
    }
}
