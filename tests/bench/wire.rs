//! The client's end of a socket, written by hand: cheaper than any library, so that it is the server
//! that is measured, and able to stop half way where a real client would not.

use std::{net::SocketAddr, ops::Range, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Outcome;

/// Nothing here waits longer for a server: a run must end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of room before each read.
const ROOM: usize = 2048;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Not secret here: a mask has to be there, and it has to cost what masks cost.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A TCP connection with what was read of it.
#[derive(Debug)]
pub(crate) struct Stream {
    tcp: TcpStream,
    read: Vec<u8>,
    /// Bytes at the front of `read` that were handed out already.
    used: usize,
}

impl Stream {
    pub(crate) async fn dial(addr: SocketAddr) -> Outcome<Self> {
        let tcp = TcpStream::connect(addr).await?;
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, read: Vec::new(), used: 0 })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Outcome<()> {
        Ok(self.tcp.write_all(bytes).await?)
    }

    /// Reads once, after dropping what was used.
    async fn fill(&mut self) -> Outcome<()> {
        if self.used == self.read.len() {
            self.read.clear();
        } else if self.used > 0 {
            drop(self.read.drain(..self.used));
        }
        self.used = 0;
        self.read.reserve(ROOM);
        match self.tcp.read_buf(&mut self.read).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }

    fn unread(&self) -> &[u8] {
        self.read.get(self.used..).unwrap_or_default()
    }

    /// Waits for the end of the connection, whatever comes before it.
    pub(crate) async fn closed(mut self) {
        loop {
            self.used = self.read.len();
            if self.fill().await.is_err() {
                return;
            }
        }
    }

    /// Reads one response; its status code. The body is skipped by `Content-Length`.
    pub(crate) async fn response(&mut self) -> Outcome<u16> {
        loop {
            if let Some((status, end)) = head(self.unread()) {
                while self.unread().len() < end {
                    self.fill().await?;
                }
                self.used += end;
                return Ok(status);
            }
            self.fill().await?;
        }
    }
}

/// Status and whole length of the response at the start of `bytes`, once its head is there.
fn head(bytes: &[u8]) -> Option<(u16, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some((status, end + length.unwrap_or(0)))
}

/// A GET that keeps the connection.
pub(crate) fn get(addr: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n\r\n")
}

/// A WebSocket, client side.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    last: Range<usize>,
    /// Payload bytes of every message so far.
    pub(crate) received: u64,
}

impl Socket {
    /// Upgrades; the server's first message is not read yet.
    pub(crate) async fn open(addr: SocketAddr) -> Outcome<Self> {
        let mut stream = Stream::dial(addr).await?;
        let key = "AAAAAAAAAAAAAAAAAAAAAA==";
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        stream.send(request.as_bytes()).await?;
        match stream.response().await? {
            101 => Ok(Self { stream, last: 0..0, received: 0 }),
            status => Err(format!("the upgrade was answered {status}").into()),
        }
    }

    pub(crate) async fn send_text(&mut self, text: &str) -> Outcome<()> {
        self.stream.send(&masked(TEXT, text.as_bytes())).await
    }

    /// A frame of [`masked`], made before.
    pub(crate) async fn send_raw(&mut self, frame: &[u8]) -> Outcome<()> {
        self.stream.send(frame).await
    }

    /// Waits for the next text message; [`Socket::text`] is it. Pings are answered.
    pub(crate) async fn next(&mut self) -> Outcome<()> {
        loop {
            let Some((kind, payload)) = frame(self.stream.unread()) else {
                self.stream.fill().await?;
                continue;
            };
            let start = self.stream.used;
            self.last = start + payload.start..start + payload.end;
            self.stream.used = self.last.end;
            match kind {
                TEXT => {
                    self.received += u64::try_from(self.last.len())?;
                    return Ok(());
                }
                PING => {
                    let pong = masked(PONG, self.text().as_bytes());
                    self.stream.send(&pong).await?;
                }
                CLOSE => return Err(format!("closed: {}", self.reason()).into()),
                _ => {}
            }
        }
    }

    /// The message that [`Socket::next`] found.
    pub(crate) fn text(&self) -> &str {
        let bytes = self.stream.read.get(self.last.clone()).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn reason(&self) -> String {
        let bytes = self.stream.read.get(self.last.clone()).unwrap_or_default();
        let Some((code, reason)) = bytes.split_first_chunk() else { return "no code".to_owned() };
        format!("{} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(reason))
    }

    /// Waits for the end of the connection, whatever comes before it.
    pub(crate) async fn closed(self) {
        self.stream.closed().await;
    }
}

/// One masked frame, as clients send them.
pub(crate) fn masked_text(text: &str) -> Vec<u8> {
    masked(TEXT, text.as_bytes())
}

fn masked(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.push(0x80 | kind);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => frame.push(0x80 | short),
        (_, Ok(middle)) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&middle.to_be_bytes());
        }
        (_, Err(_)) => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Kind and place of the payload of the frame at the start of `bytes`, once it is there as a whole.
fn frame(bytes: &[u8]) -> Option<(u8, Range<usize>)> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (start, length) = match second & 0x7f {
        126 => (4, u16::from_be_bytes(*rest.first_chunk()?).into()),
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let end = start + length;
    (bytes.len() >= end).then_some((first & 0x0f, start..end))
}
