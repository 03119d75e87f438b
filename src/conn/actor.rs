//! The loop of an authenticated connection: one task, one `select!`, one call per arm.
//!
//! Calls are polled here (`FuturesUnordered`), so a slow one never delays a later one and dropping the
//! connection drops its calls. Every way out is a close frame or a peer that is gone.

use std::future::poll_fn;

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Interval, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    events::mailbox::Taken,
    protocol::{
        close::Close,
        error::ErrorShape,
        frame::{self, Malformed, Request},
        limits::{
            CLIENT_PINGS, IN_FLIGHT, MALFORMED_FRAMES, MAX_BUFFERED, MAX_PAYLOAD, PING_INTERVAL,
            UNAUTHORISED_CALLS,
        },
    },
    rpc::{self, Answer, Ctx, Job},
};

use super::{
    seat::Seat,
    wire::{Turn, Wire},
};

/// Why the loop ended.
#[derive(Debug)]
pub enum Exit {
    /// The peer closed or vanished: nothing to say.
    PeerGone,
    Close(Close),
}

/// What a peer may get wrong before it is closed.
#[derive(Debug, Default)]
struct Budget {
    unauthorised: u32,
    malformed: u32,
    pings: u32,
}

/// A connection in service.
#[derive(Debug)]
pub struct Actor<S> {
    wire: Wire<S>,
    ctx: Ctx,
    seat: Seat,
    jobs: FuturesUnordered<Job>,
    budget: Budget,
    /// Whether anything came since the last ping.
    heard: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Actor<S> {
    #[must_use]
    pub fn new(wire: Wire<S>, ctx: Ctx, seat: Seat) -> Self {
        Self {
            wire,
            ctx,
            seat,
            jobs: FuturesUnordered::new(),
            budget: Budget::default(),
            heard: true,
        }
    }

    /// Serves until the peer goes, a rule is broken, or `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let exit = self.serve(&stop).await;
        // Leaving needs more room than staying, and happens once.
        Box::pin(self.leave(exit)).await;
    }

    async fn leave(self, exit: Exit) {
        let Self { wire, seat, jobs, .. } = self;
        drop((seat, jobs));
        if let Exit::Close(close) = exit {
            tracing::debug!(code = close.code, reason = close.reason.as_str(), "connection closed");
            wire.close(&close).await;
        }
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Exit {
        let mut pulse = pulse();
        loop {
            let unsent = self.wire.queued();
            let exit = tokio::select! {
                biased;
                () = stop.cancelled() => Some(Exit::Close(Close::new(Close::SERVICE_RESTART, "service restart"))),
                Some(answer) = self.jobs.next(), if !self.jobs.is_empty() => self.answer(answer),
                turn = self.wire.next() => self.turn(turn),
                taken = poll_fn(|context| self.seat.mailbox.poll_take(context, unsent)) => self.taken(taken),
                _ = pulse.tick() => self.pulse(),
            };
            if let Some(exit) = exit {
                return exit;
            }
        }
    }

    fn turn(&mut self, turn: Turn) -> Option<Exit> {
        self.heard = true;
        match turn {
            Turn::Message(text) => self.request(&text),
            Turn::Ping => {
                self.budget.pings += 1;
                (self.budget.pings > CLIENT_PINGS)
                    .then(|| Exit::Close(Close::policy("too many pings")))
            }
            Turn::Pong => None,
            Turn::Gone => Some(Exit::PeerGone),
            Turn::Broken(close) => Some(Exit::Close(close)),
        }
    }

    fn request(&mut self, text: &str) -> Option<Exit> {
        let request = match Request::read(text) {
            Ok(request) => request,
            Err(malformed) => return self.malformed(malformed),
        };
        self.budget.malformed = 0;
        tracing::trace!(
            id = request.id.as_ref(),
            method = request.method.as_ref(),
            bytes = text.len(),
            "request"
        );
        if self.jobs.len() >= IN_FLIGHT {
            let busy = ErrorShape::unavailable("too many calls in flight on this connection")
                .retry_after(100);
            return self.answer(Answer::error(&request.id, &busy));
        }
        match rpc::dispatch(self.ctx.clone(), &request) {
            Err(answer) => self.answer(answer),
            Ok(mut job) => match (&mut job).now_or_never() {
                Some(answer) => self.answer(answer),
                None => {
                    self.jobs.push(job);
                    None
                }
            },
        }
    }

    fn malformed(&mut self, malformed: Malformed) -> Option<Exit> {
        self.budget.malformed += 1;
        if self.budget.malformed > MALFORMED_FRAMES {
            return Some(Exit::Close(Close::policy("repeated invalid frames")));
        }
        if let Malformed::NotARequest { id, sentence } = malformed {
            let error = ErrorShape::invalid(format!("invalid request frame: {sentence}"));
            self.wire.send(frame::response_error(&id, &error));
        }
        None
    }

    fn answer(&mut self, answer: Answer) -> Option<Exit> {
        self.budget.unauthorised =
            if answer.unauthorised { self.budget.unauthorised + 1 } else { 0 };
        if self.budget.unauthorised > UNAUTHORISED_CALLS {
            return Some(Exit::Close(Close::policy("repeated unauthorized calls")));
        }
        tracing::trace!(bytes = answer.frame.len(), refused = answer.unauthorised, "response");
        self.wire.send(answer.frame);
        // One answer may be as large as a message; a client that lets them pile up reads too slowly.
        (self.wire.queued() > MAX_BUFFERED + MAX_PAYLOAD)
            .then(|| Exit::Close(Close::policy("slow consumer")))
    }

    fn taken(&mut self, taken: Taken) -> Option<Exit> {
        match taken {
            Taken::Event { seq, event } => {
                let text =
                    frame::event(event.kind.name, event.payload.get(), Some(seq), event.state);
                tracing::trace!(event = event.kind.name, seq, bytes = text.len(), "event");
                self.wire.send(text);
                None
            }
            Taken::Close(close) => Some(Exit::Close(close)),
        }
    }

    fn pulse(&mut self) -> Option<Exit> {
        if !self.heard || self.wire.is_stuck() {
            // A peer that answers nothing would not read a close frame either.
            return Some(Exit::PeerGone);
        }
        self.heard = false;
        self.budget.pings = 0;
        self.wire.ping();
        None
    }
}

fn pulse() -> Interval {
    let mut pulse = interval_at(tokio::time::Instant::now() + PING_INTERVAL, PING_INTERVAL);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pulse
}
