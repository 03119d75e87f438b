//! The socket under a WebSocket, with both directions bounded.
//!
//! Inwards, until [`Pipe::open`] is called, frame headers are counted as they pass: a stranger can make us
//! read [`PRE_AUTH_FRAMES`] frames and [`PRE_AUTH_MESSAGE`] bytes of payload, not more, and nothing past
//! that reaches the WebSocket library, which reserves what a header announces (attack rows F15, F16).
//!
//! Outwards, whole frames are queued and written from here, vectored, without a copy: the library's own
//! write buffer would stay as large as the largest frame ever sent, for every idle connection. What the
//! library writes itself (pongs, close frames) enters the same queue whole, so frames never interleave.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::protocol::limits::{PRE_AUTH_FRAMES, PRE_AUTH_MESSAGE};

/// Chunks handed to the kernel in one call.
const SLICES: usize = 16;

/// What stopped a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trip {
    TooBig,
    TooManyFrames,
}

/// Where the reader stands in the stream of frames of a stranger.
#[derive(Debug)]
struct Meter {
    header: Header,
    frames: usize,
    payload: usize,
}

#[derive(Debug)]
enum Header {
    /// Bytes of the header seen so far (at most 10; the mask belongs to the payload's count).
    Partial {
        bytes: [u8; 10],
        len: usize,
    },
    Payload {
        left: u64,
    },
}

impl Header {
    const EMPTY: Self = Self::Partial { bytes: [0; 10], len: 0 };
}

impl Meter {
    fn new() -> Self {
        Self { header: Header::EMPTY, frames: 0, payload: 0 }
    }

    /// Follows `data` through the frames.
    fn pass(&mut self, mut data: &[u8]) -> Result<(), Trip> {
        while !data.is_empty() {
            match &mut self.header {
                Header::Payload { left } => {
                    let step = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                    *left -= step as u64;
                    data.advance(step);
                    if *left == 0 {
                        self.header = Header::EMPTY;
                    }
                }
                Header::Partial { bytes, len } => {
                    if let (Some(slot), Some(byte)) = (bytes.get_mut(*len), data.first()) {
                        *slot = *byte;
                        *len += 1;
                    }
                    data.advance(1);
                    if let Some(announced) = announced(bytes, *len) {
                        self.begin(announced)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, announced: u64) -> Result<(), Trip> {
        self.frames += 1;
        self.payload =
            self.payload.saturating_add(usize::try_from(announced).unwrap_or(usize::MAX));
        if self.payload > PRE_AUTH_MESSAGE {
            return Err(Trip::TooBig);
        }
        if self.frames > PRE_AUTH_FRAMES {
            return Err(Trip::TooManyFrames);
        }
        // A client's frame carries four bytes of mask before its payload.
        self.header = Header::Payload { left: announced + 4 };
        Ok(())
    }
}

/// The payload length, once the header is complete (RFC 6455, section 5.2).
fn announced(bytes: &[u8; 10], len: usize) -> Option<u64> {
    let [_, second, a, b, rest @ ..] = *bytes;
    match (second & 0x7f, len) {
        (_, 0..2) => None,
        (126, 4..) => Some(u64::from(u16::from_be_bytes([a, b]))),
        (127, 10) => {
            let [c, d, e, f, g, h] = rest;
            Some(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
        }
        (126 | 127, _) => None,
        (short, _) => Some(u64::from(short)),
    }
}

/// What is left of a frame header, inline: no allocation per frame.
#[derive(Debug, Clone, Copy)]
struct Head {
    bytes: [u8; 10],
    from: u8,
    to: u8,
}

impl Head {
    const NONE: Self = Self { bytes: [0; 10], from: 0, to: 0 };

    fn rest(&self) -> &[u8] {
        self.bytes.get(usize::from(self.from)..usize::from(self.to)).unwrap_or_default()
    }
}

/// One frame on its way out.
#[derive(Debug)]
struct Chunk {
    head: Head,
    body: Bytes,
}

impl Chunk {
    fn len(&self) -> usize {
        self.head.rest().len() + self.body.len()
    }

    fn advance(&mut self, written: usize) {
        let head = self.head.rest().len().min(written);
        self.head.from += u8::try_from(head).unwrap_or_default();
        self.body.advance(written - head);
    }
}

/// A socket whose reads are metered until opened and whose writes are queued.
#[derive(Debug)]
pub struct Pipe<S> {
    io: S,
    /// What the HTTP server had read past the upgrade request.
    early: Bytes,
    meter: Option<Box<Meter>>,
    trip: Option<Trip>,
    queue: VecDeque<Chunk>,
    queued: usize,
    stalled: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pipe<S> {
    #[must_use]
    pub fn new(io: S, early: Bytes) -> Self {
        let meter = Some(Box::new(Meter::new()));
        Self { io, early, meter, trip: None, queue: VecDeque::new(), queued: 0, stalled: None }
    }

    /// Lifts the limits of strangers.
    pub fn open(&mut self) {
        self.meter = None;
    }

    #[must_use]
    pub fn trip(&self) -> Option<Trip> {
        self.trip
    }

    /// Bytes that the socket has not taken yet.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Since when the socket takes nothing although something waits.
    #[must_use]
    pub fn stalled(&self) -> Option<Instant> {
        self.stalled
    }

    /// Queues one message as an unmasked frame.
    pub fn push(&mut self, opcode: Opcode, payload: Bytes) {
        let mut header =
            Head { bytes: [0x80 | opcode as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0], from: 0, to: 2 };
        let [_, short, long @ ..] = &mut header.bytes;
        match payload.len() {
            len @ 0..126 => *short = len.to_le_bytes()[0],
            len @ 126..0x1_0000 => {
                *short = 126;
                let [_, _, _, _, _, _, a, b] = (len as u64).to_be_bytes();
                *long = [a, b, 0, 0, 0, 0, 0, 0];
                header.to = 4;
            }
            len => {
                *short = 127;
                *long = (len as u64).to_be_bytes();
                header.to = 10;
            }
        }
        self.put(Chunk { head: header, body: payload });
    }

    fn put(&mut self, chunk: Chunk) {
        self.queued += chunk.len();
        self.queue.push_back(chunk);
    }

    /// Writes what is queued; ready once nothing is.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut used = 0;
            let parts = self.queue.iter().flat_map(|chunk| [chunk.head.rest(), &chunk.body]);
            for (slot, part) in slices.iter_mut().zip(parts.filter(|part| !part.is_empty())) {
                *slot = IoSlice::new(part);
                used += 1;
            }
            let slices = slices.get(..used).unwrap_or_default();
            match Pin::new(&mut self.io).poll_write_vectored(context, slices) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => self.written(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.stalled.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                }
            }
        }
        // A burst's room is given back: most connections are idle most of the time.
        if self.queue.capacity() > SLICES {
            self.queue = VecDeque::new();
        }
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn written(&mut self, mut written: usize) {
        self.queued = self.queued.saturating_sub(written);
        self.stalled = None;
        while let Some(chunk) = self.queue.front_mut() {
            if chunk.len() > written {
                chunk.advance(written);
                return;
            }
            written -= chunk.len();
            self.queue.pop_front();
        }
    }

    /// Ends our direction.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    /// Reads and throws away until the peer ends: closing with unread bytes would reset the connection, and
    /// the peer would lose our last words.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            std::task::ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn metered(&mut self, data: &[u8]) -> io::Result<()> {
        let Some(meter) = &mut self.meter else { return Ok(()) };
        meter.pass(data).map_err(|trip| {
            self.trip = Some(trip);
            io::Error::other("a stranger's limit")
        })
    }
}

/// The frames that we write ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    Text = 0x1,
    Close = 0x8,
    Ping = 0x9,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Pipe<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.trip.is_some() {
            return Poll::Ready(Err(io::Error::other("a stranger's limit")));
        }
        let before = buffer.filled().len();
        if self.early.is_empty() {
            std::task::ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        } else {
            let step = self.early.len().min(buffer.remaining());
            buffer.put_slice(&self.early.split_to(step));
        }
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(self.metered(fresh))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Pipe<S> {
    /// Takes the library's own frames into the queue, always whole.
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.put(Chunk { head: Head::NONE, body: Bytes::copy_from_slice(data) });
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(len: usize) -> Vec<u8> {
        let mut bytes = vec![0x81];
        match len {
            0..126 => bytes.push(0x80 | len as u8),
            126..0x1_0000 => {
                bytes.push(0x80 | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(vec![b'x'; len]);
        bytes
    }

    #[test]
    fn a_stranger_is_stopped_at_the_header() {
        assert_eq!(Meter::new().pass(&frame(PRE_AUTH_MESSAGE)), Ok(()));
        let header = &frame(PRE_AUTH_MESSAGE + 1)[..10];
        assert_eq!(Meter::new().pass(header), Err(Trip::TooBig));
        let mut halves = Meter::new();
        assert_eq!(halves.pass(&frame(40_000)), Ok(()));
        assert_eq!(halves.pass(&frame(40_000)), Err(Trip::TooBig), "F16: the total counts");
        let mut many = Meter::new();
        for _ in 0..PRE_AUTH_FRAMES {
            assert_eq!(many.pass(&frame(1)), Ok(()));
        }
        assert_eq!(many.pass(&frame(1)), Err(Trip::TooManyFrames));
    }

    proptest! {
        /// However the bytes are cut into reads, the same frames are counted.
        #[test]
        fn cuts_do_not_matter(lens in prop::collection::vec(0usize..3000, 1..10), cut in 1usize..50) {
            let bytes: Vec<u8> = lens.iter().flat_map(|len| frame(*len)).collect();
            let mut meter = Meter::new();
            for chunk in bytes.chunks(cut) {
                prop_assert_eq!(meter.pass(chunk), Ok(()));
            }
            prop_assert_eq!(meter.frames, lens.len());
            prop_assert_eq!(meter.payload, lens.iter().sum::<usize>());
        }
    }
}
