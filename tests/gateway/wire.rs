//! Bytes on a socket: HTTP/1 requests as written, answers taken apart, WebSocket frames made by hand.

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::rig::{DEADLINE, TestGateway};

/// A key of 16 bytes and the answer that RFC 6455 gives for it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// Waits for `what`, and fails the test when it does not come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_late| panic!("still waiting for {what}"))
}

/// One connection, with what was read and not used yet.
pub struct Socket {
    io: Box<dyn Duplex>,
    buffer: Vec<u8>,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// The value of a header that may stand once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut hits = self.headers.iter().filter(|(key, _)| key == name);
        let first = hits.next().map(|(_, value)| value.as_str());
        assert!(hits.next().is_none(), "{name} stands twice: {self:?}");
        first
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// `error.type` of a JSON error.
    pub fn kind(&self) -> String {
        self.json()["error"]["type"].as_str().unwrap_or_default().to_owned()
    }

    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// What comes over a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Ping,
    Pong(Vec<u8>),
    Close(u16, String),
    /// The connection ended without a close frame.
    End,
}

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
/// The last frame of a message.
pub const FIN: u8 = 0x80;

/// A client's frame: `first` is FIN and opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | u8::try_from(len).expect("small")),
        len @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&u16::try_from(len).expect("fits").to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

impl Socket {
    pub async fn open(addr: SocketAddr) -> Self {
        let io = soon("a connection", TcpStream::connect(addr)).await.expect("connect");
        io.set_nodelay(true).expect("nodelay");
        Self::over(io)
    }

    pub fn over(io: impl Duplex + 'static) -> Self {
        Self { io: Box::new(io), buffer: Vec::new() }
    }

    /// Opens a WebSocket with further header lines (each ends in CRLF).
    pub async fn upgraded(gateway: &TestGateway, headers: &str) -> Self {
        let mut socket = Self::open(gateway.addr()).await;
        socket.upgrade(&gateway.host(), headers).await;
        socket
    }

    pub async fn upgrade(&mut self, host: &str, headers: &str) {
        self.send(&upgrade_request(host, headers)).await;
        let reply = self.reply("GET").await;
        assert_eq!(reply.status, 101, "{reply:?}");
        assert_eq!(reply.header("sec-websocket-accept"), Some(ACCEPT));
        assert_eq!(reply.header("sec-websocket-extensions"), None, "D25: no compression");
        assert_eq!(reply.header("sec-websocket-protocol"), None, "D24: no sub-protocol");
    }

    /// Writes; a peer that has closed already is no failure here.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let write = async {
            self.io.write_all(bytes.as_ref()).await?;
            self.io.flush().await
        };
        drop(soon("room to write", write).await);
    }

    pub async fn text(&mut self, text: &str) {
        self.send(frame(FIN | TEXT, text.as_bytes())).await;
    }

    /// Reads more; false at the end.
    async fn fill(&mut self) -> bool {
        let mut chunk = vec![0; 16 * 1024];
        let read = soon("bytes", self.io.read(&mut chunk)).await.unwrap_or(0);
        self.buffer.extend_from_slice(&chunk[..read]);
        read > 0
    }

    /// Reads until the other side ends; what was left.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }

    /// True when nothing has come and nothing comes within a moment; what a silent socket looks like.
    pub async fn is_quiet(&mut self) -> bool {
        let mut chunk = [0; 64];
        match timeout(Duration::from_millis(50), self.io.read(&mut chunk)).await {
            Err(_nothing) => self.buffer.is_empty(),
            Ok(_) => false,
        }
    }

    async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    /// One HTTP answer to a request with `method`.
    pub async fn reply(&mut self, method: &str) -> Reply {
        self.try_reply(method).await.expect("an answer before the end")
    }

    pub async fn try_reply(&mut self, method: &str) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill().await {
                return None;
            }
        };
        let head = String::from_utf8(self.take(end).await?).expect("text");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().expect("a status line");
        assert!(status.starts_with("HTTP/1."), "{status}");
        let status = status[9..12].parse().expect("a status");
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: String::new() };
        let length = reply.header("content-length").map(|length| length.parse().expect("length"));
        let bodiless = method == "HEAD" || matches!(status, 101 | 304);
        if let Some(length) = length.filter(|_| !bodiless) {
            reply.body = String::from_utf8(self.take(length).await?).expect("text");
        }
        Some(reply)
    }

    /// The next WebSocket frame.
    pub async fn frame(&mut self) -> Frame {
        self.read_frame().await.unwrap_or(Frame::End)
    }

    async fn read_frame(&mut self) -> Option<Frame> {
        let head = self.take(2).await?;
        assert_eq!(head[0] & 0x70, 0, "reserved bits");
        assert_eq!(head[1] & 0x80, 0, "a server does not mask");
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.take(2).await?.try_into().expect("two"))),
            127 => u64::from_be_bytes(self.take(8).await?.try_into().expect("eight")),
            short => u64::from(short),
        };
        let payload = self.take(usize::try_from(length).expect("length")).await?;
        Some(match head[0] {
            0x81 => Frame::Text(String::from_utf8(payload).expect("text")),
            0x89 => Frame::Ping,
            0x8a => Frame::Pong(payload),
            0x88 => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                Frame::Close(code, String::from_utf8(payload[2..].to_vec()).expect("text"))
            }
            other => panic!("a frame that no server of ours sends: {other:#x}"),
        })
    }

    /// Reads on until the close frame; texts on the way are returned too.
    pub async fn closed(&mut self) -> (Vec<String>, Frame) {
        let mut texts = Vec::new();
        loop {
            match self.frame().await {
                Frame::Text(text) => texts.push(text),
                Frame::Ping | Frame::Pong(_) => {}
                close @ (Frame::Close(..) | Frame::End) => return (texts, close),
            }
        }
    }
}

pub fn upgrade_request(host: &str, headers: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{headers}\r\n"
    )
}

/// One request on a connection of its own.
pub async fn exchange(gateway: &TestGateway, request: &str) -> Reply {
    let mut socket = Socket::open(gateway.addr()).await;
    socket.send(request).await;
    let method = request.split(' ').next().unwrap_or_default();
    socket.reply(method).await
}

/// `method path` with the right `Host` and further header lines.
pub async fn ask(gateway: &TestGateway, line: &str, headers: &str) -> Reply {
    exchange(gateway, &format!("{line} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", gateway.host()))
        .await
}
