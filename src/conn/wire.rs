//! WebSocket messages over a [`Pipe`]. `next` writes what waits while it reads, so a client that does not
//! read never stops us from reading it, and one task serves both directions.

use std::{
    future::poll_fn,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Duration, Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        error::{CapacityError, ProtocolError},
        protocol::{Role, WebSocketConfig},
    },
};

use crate::protocol::{
    close::Close,
    limits::{MAX_PAYLOAD, WRITE_TIMEOUT},
};

use super::pipe::{Opcode, Pipe, Trip};

/// Read buffer of a connection, allocated at once: the default of 128 KiB is what an idle one would cost.
/// Requests are a few hundred bytes; a large message is read in more steps.
const READ_BUFFER: usize = 2 * 1024;

/// How long a closing connection waits for the peer's own close.
const GOODBYE: Duration = Duration::from_secs(1);

/// What came in.
#[derive(Debug)]
pub enum Turn {
    /// A text message, or a binary one that holds UTF-8.
    Message(Utf8Bytes),
    Ping,
    Pong,
    /// The peer closed or went away.
    Gone,
    /// The peer broke a rule: close with this.
    Broken(Close),
}

/// A WebSocket whose frames out are ours and whose frames in are the library's.
#[derive(Debug)]
pub struct Wire<S> {
    socket: WebSocketStream<Pipe<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub async fn new(pipe: Pipe<S>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_PAYLOAD))
            .max_frame_size(Some(MAX_PAYLOAD));
        Self { socket: WebSocketStream::from_raw_socket(pipe, Role::Server, Some(config)).await }
    }

    /// Lifts the limits of strangers.
    pub fn open(&mut self) {
        self.pipe().open();
    }

    /// Queues a text message.
    pub fn send(&mut self, text: impl Into<Bytes>) {
        self.pipe().push(Opcode::Text, text.into());
    }

    pub fn ping(&mut self) {
        self.pipe().push(Opcode::Ping, Bytes::new());
    }

    /// Bytes that the socket has not taken yet.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.socket.get_ref().queued()
    }

    /// True when the socket took nothing for [`WRITE_TIMEOUT`] although something waits.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.socket
            .get_ref()
            .stalled()
            .is_some_and(|since: Instant| since.elapsed() >= WRITE_TIMEOUT)
    }

    /// The next thing from the peer; what waits is written meanwhile. Safe to drop at any point.
    pub async fn next(&mut self) -> Turn {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        loop {
            let drained = match self.pipe().poll_drain(context) {
                Poll::Ready(Err(_)) => return Poll::Ready(Turn::Gone),
                Poll::Ready(Ok(())) => true,
                Poll::Pending => false,
            };
            match self.socket.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(Message::Close(_)))) => {
                    self.echo_close(context);
                    return Poll::Ready(Turn::Gone);
                }
                Poll::Ready(Some(Ok(message))) => return Poll::Ready(turn(message)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(self.fault(&error)),
                Poll::Ready(None) => return Poll::Ready(Turn::Gone),
                // Reading may have queued a pong.
                Poll::Pending if drained && self.queued() > 0 => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The library writes its answer to the peer's close with the next read; a peer that takes it at once
    /// learns that it was heard (RFC 6455, 5.5.1), one that does not is gone anyway.
    fn echo_close(&mut self, context: &mut Context<'_>) {
        drop(self.socket.poll_next_unpin(context));
        drop(self.pipe().poll_drain(context));
    }

    /// Writes until nothing waits.
    pub async fn flush(&mut self) {
        let drain = poll_fn(|context| self.pipe().poll_drain(context));
        drop(timeout(WRITE_TIMEOUT, drain).await);
    }

    /// Says goodbye: what waits, the close frame, then a moment for the peer to read it and end.
    pub async fn close(mut self, close: &Close) {
        let mut payload = close.code.to_be_bytes().to_vec();
        payload.extend_from_slice(close.reason.as_bytes());
        self.pipe().push(Opcode::Close, payload.into());
        let mut ended = false;
        let goodbye = poll_fn(|context| {
            if !ended {
                ready!(self.pipe().poll_drain(context))?;
                ready!(self.pipe().poll_end(context))?;
                ended = true;
            }
            self.pipe().poll_discard(context)
        });
        drop(timeout(GOODBYE, goodbye).await);
    }

    fn pipe(&mut self) -> &mut Pipe<S> {
        self.socket.get_mut()
    }

    fn fault(&self, error: &Error) -> Turn {
        match (self.socket.get_ref().trip(), error) {
            (Some(Trip::TooBig), _) => Turn::Broken(Close::silent(Close::TOO_BIG)),
            (Some(Trip::TooManyFrames), _) => {
                Turn::Broken(Close::policy("too many pending handshake frames"))
            }
            (None, Error::Capacity(CapacityError::MessageTooLong { .. })) => {
                Turn::Broken(Close::silent(Close::TOO_BIG))
            }
            (None, Error::Utf8(_)) => Turn::Broken(Close::silent(Close::INVALID_PAYLOAD)),
            (None, Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Turn::Gone,
            (None, Error::Protocol(_)) => Turn::Broken(Close::silent(Close::PROTOCOL_ERROR)),
            (None, _) => Turn::Gone,
        }
    }
}

fn turn(message: Message) -> Turn {
    match message {
        Message::Text(text) => Turn::Message(text),
        Message::Binary(bytes) => Utf8Bytes::try_from(bytes).map_or_else(
            |_not_text| Turn::Broken(Close::silent(Close::INVALID_PAYLOAD)),
            Turn::Message,
        ),
        Message::Ping(_) => Turn::Ping,
        Message::Pong(_) => Turn::Pong,
        Message::Close(_) | Message::Frame(_) => Turn::Gone,
    }
}
