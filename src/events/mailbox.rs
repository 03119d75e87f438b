//! What waits for one connection: events in order, then perhaps a close.
//!
//! Bounded in bytes. The frame number is taken when an event is put in, also for one that is dropped, so
//! that a gap tells the client to look again (protocol page 2.1).

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;
use openclaw_auth::Grant;

use crate::protocol::{
    close::Close,
    limits::{DROP_ABOVE, MAX_BUFFERED},
};

use super::{Event, kinds::Delivery};

/// Bytes that an event frame adds around its payload.
const FRAME_OVERHEAD: usize = 128;

/// How far back a replaced event is looked for; a longer queue keeps both.
const LOOK_BACK: usize = 64;

#[derive(Default)]
struct Waiting {
    events: VecDeque<(u64, Arc<Event>)>,
    bytes: usize,
    /// Bytes that the writer holds already, told by the actor.
    unsent: usize,
    seq: u64,
    close: Option<Close>,
}

/// The mailbox of one connection. Many may put, one takes.
pub struct Mailbox {
    grant: Arc<Grant>,
    waiting: Mutex<Waiting>,
    waker: AtomicWaker,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox")
    }
}

/// What the actor takes out.
#[derive(Debug)]
pub enum Taken {
    Event { seq: u64, event: Arc<Event> },
    Close(Close),
}

impl Mailbox {
    #[must_use]
    pub(super) fn new(grant: Arc<Grant>) -> Self {
        Self { grant, waiting: Mutex::default(), waker: AtomicWaker::new() }
    }

    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Queues an event. Past [`MAX_BUFFERED`] the connection is closed as a slow consumer.
    pub fn put(&self, event: Arc<Event>) {
        let mut waiting = self.lock();
        if waiting.close.is_some() {
            return;
        }
        waiting.seq += 1;
        let latest = event.kind.delivery == Delivery::Latest;
        if latest {
            waiting.forget(&event);
        }
        let buffered = waiting.bytes + waiting.unsent;
        if latest && buffered > DROP_ABOVE {
            return;
        }
        if buffered + event.payload.get().len() > MAX_BUFFERED {
            waiting.end(Close::policy("slow consumer"));
        } else {
            waiting.bytes += event.payload.get().len() + FRAME_OVERHEAD;
            let seq = waiting.seq;
            waiting.events.push_back((seq, event));
        }
        drop(waiting);
        self.waker.wake();
    }

    /// Asks the actor to close; events that wait are dropped.
    pub fn close(&self, close: Close) {
        self.lock().end(close);
        self.waker.wake();
    }

    /// Asks the actor to close once the events that wait are written.
    pub fn close_after_events(&self, close: Close) {
        let mut waiting = self.lock();
        if waiting.close.is_none() {
            waiting.close = Some(close);
        }
        drop(waiting);
        self.waker.wake();
    }

    /// The next thing for the socket. `unsent` is what the socket has not taken yet.
    pub fn poll_take(&self, context: &Context<'_>, unsent: usize) -> Poll<Taken> {
        self.waker.register(context.waker());
        let mut waiting = self.lock();
        waiting.unsent = unsent;
        if let Some((seq, event)) = waiting.events.pop_front() {
            waiting.bytes =
                waiting.bytes.saturating_sub(event.payload.get().len() + FRAME_OVERHEAD);
            return Poll::Ready(Taken::Event { seq, event });
        }
        match waiting.close.take() {
            Some(close) => Poll::Ready(Taken::Close(close)),
            None => Poll::Pending,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Drops a waiting event that `event` makes pointless.
    fn forget(&mut self, event: &Event) {
        let recent = self.events.iter().rev().take(LOOK_BACK);
        let Some(behind) = recent.into_iter().position(|(_, old)| old.kind == event.kind) else {
            return;
        };
        if let Some((_, old)) = self.events.remove(self.events.len() - 1 - behind) {
            self.bytes = self.bytes.saturating_sub(old.payload.get().len() + FRAME_OVERHEAD);
        }
    }

    fn end(&mut self, close: Close) {
        self.events = VecDeque::new();
        self.bytes = 0;
        self.close = Some(close);
    }
}
