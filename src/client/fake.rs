//! A gateway in the test's own process: it records what it hears and answers from a script.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::CloseFrame,
    },
};
use tokio_util::task::TaskTracker;

use crate::client::dial::Io;

/// What the fake does about a request.
pub(crate) enum Reply {
    Ok(Value),
    /// An `error` object; the connection stays.
    Refuse(Value),
    Event(&'static str, Value),
    Close(u16, String),
    Text(String),
    Silence,
}

pub(crate) type Script = Arc<dyn Fn(&str, &Value) -> Vec<Reply> + Send + Sync>;

/// A running fake. Everything it heard is kept: request heads and frames.
pub(crate) struct Fake {
    pub(crate) url: String,
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    _tasks: TaskTracker,
}

pub(crate) const NONCE: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const TS: i64 = 1_737_264_000_000;

impl Fake {
    /// A gateway that answers `connect` with a hello and everything else by `script`.
    pub(crate) async fn gateway(
        script: impl Fn(&str, &Value) -> Vec<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Arc::new(script)).await
    }

    async fn start(script: Script) -> Self {
        let (listener, mut fake) = Self::bind().await;
        let heard = Arc::clone(&fake.heard);
        let tasks = fake._tasks.clone();
        fake._tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, heard) = (Arc::clone(&script), Arc::clone(&heard));
                tasks.spawn(serve(Box::new(stream), script, heard));
            }
        });
        fake.url = format!("ws://127.0.0.1:{}", fake.port);
        fake
    }

    /// The same behind TLS with `config`.
    pub(crate) async fn tls(
        config: rustls::ServerConfig,
        script: impl Fn(&str, &Value) -> Vec<Reply> + Send + Sync + 'static,
    ) -> Self {
        let script: Script = Arc::new(script);
        let (listener, mut fake) = Self::bind().await;
        let heard = Arc::clone(&fake.heard);
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        fake._tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(Box::new(stream), Arc::clone(&script), Arc::clone(&heard)).await;
                }
            }
        });
        fake.url = format!("wss://127.0.0.1:{}", fake.port);
        fake
    }

    /// A server that answers every connection with `answer` and records what came first.
    pub(crate) async fn http(answer: String) -> Self {
        let (listener, mut fake) = Self::bind().await;
        let heard = Arc::clone(&fake.heard);
        fake._tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let head = first_bytes(&mut stream).await;
                heard.lock().expect("heard").push(head);
                stream.write_all(answer.as_bytes()).await.ok();
            }
        });
        fake.url = format!("ws://127.0.0.1:{}", fake.port);
        fake
    }

    async fn bind() -> (TcpListener, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let (heard, tasks) = (Arc::default(), TaskTracker::new());
        (listener, Self { url: String::new(), port, heard, _tasks: tasks })
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("heard").clone()
    }

    /// The params of every `connect`, in order.
    pub(crate) fn connects(&self) -> Vec<Value> {
        let frames = self.heard().into_iter().filter_map(|text| serde_json::from_str(&text).ok());
        frames
            .filter(|frame: &Value| frame["method"] == "connect")
            .map(|frame| frame["params"].clone())
            .collect()
    }

    /// The methods called after `connect`, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        let frames = self.heard().into_iter().filter_map(|text| serde_json::from_str(&text).ok());
        frames
            .filter_map(|frame: Value| frame["method"].as_str().map(str::to_owned))
            .filter(|method| method != "connect")
            .collect()
    }
}

async fn first_bytes(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let read = stream.read(&mut bytes).await.unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

#[expect(clippy::result_large_err, reason = "the library's own callback type")]
async fn serve(stream: Box<dyn Io>, script: Script, heard: Arc<Mutex<Vec<String>>>) {
    let heads = Arc::clone(&heard);
    let note = move |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        heads.lock().expect("heard").push(format!("{} {:?}", request.uri(), request.headers()));
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, note).await else { return };
    let challenge = json!({"type": "event", "event": "connect.challenge", "payload": {"nonce": NONCE, "ts": TS}});
    let sent = match script("connect.challenge", &Value::Null).first() {
        Some(Reply::Silence) => Ok(()),
        Some(Reply::Text(text)) => socket.send(Message::text(text.clone())).await,
        _ => socket.send(Message::text(challenge.to_string())).await,
    };
    if sent.is_err() {
        return;
    }
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        heard.lock().expect("heard").push(text.as_str().to_owned());
        let Ok(frame) = serde_json::from_str::<Value>(text.as_str()) else { continue };
        let method = frame["method"].as_str().unwrap_or_default();
        for reply in script(method, &frame["params"]) {
            if answer(&mut socket, &frame["id"], reply).await.is_err() {
                return;
            }
        }
    }
}

async fn answer(
    socket: &mut WebSocketStream<Box<dyn Io>>,
    id: &Value,
    reply: Reply,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let text = match reply {
        Reply::Ok(payload) => json!({"type": "res", "id": id, "ok": true, "payload": payload}),
        Reply::Refuse(error) => json!({"type": "res", "id": id, "ok": false, "error": error}),
        Reply::Event(name, payload) => {
            json!({"type": "event", "event": name, "payload": payload, "seq": 1})
        }
        Reply::Close(code, reason) => {
            let frame = CloseFrame { code: code.into(), reason: reason.into() };
            return socket.close(Some(frame)).await;
        }
        Reply::Text(text) => return socket.send(Message::text(text)).await,
        Reply::Silence => return Ok(()),
    };
    socket.send(Message::text(text.to_string())).await
}

/// A hello-ok with the scopes that were asked for.
pub(crate) fn hello(params: &Value) -> Reply {
    Reply::Ok(json!({
        "type": "hello-ok", "protocol": 4, "future": {"x": 1},
        "server": {"version": "2026.9.6", "connId": "conn-1", "buildId": "b"},
        "features": {"methods": ["health"], "events": ["tick"], "capabilities": ["new"]},
        "snapshot": {"presence": [], "health": {}, "uptimeMs": 180_000,
            "stateVersion": {"presence": 1, "health": 1}},
        "auth": {"method": "token", "role": "operator", "scopes": params["scopes"]},
        "policy": {"maxPayload": 26_214_400, "maxBufferedBytes": 1, "tickIntervalMs": 30_000},
    }))
}

/// A refusal of `connect` as official gateways word it, with the close that follows.
pub(crate) fn refuse(code: &str, message: &str, details: Value) -> Vec<Reply> {
    let error = json!({"code": code, "message": message, "details": details});
    vec![Reply::Refuse(error), Reply::Close(1008, message.to_owned())]
}
