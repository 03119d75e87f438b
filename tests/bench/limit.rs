//! The limit: hyper and tokio-tungstenite with nothing behind them. It reads and builds the same JSON as the
//! gateway beside it (a script holds the payloads that gateway gave), shakes hands in the same order, checks
//! the same secret, verifies one Ed25519 signature per connect, and sends one event to everyone.

use std::{
    convert::Infallible, fs, net::Ipv4Addr, path::Path, sync::Arc, time::Duration, time::UNIX_EPOCH,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use ed25519_dalek::{Signature, VerifyingKey};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode, body::Incoming, header, server::conn::http1,
    service::service_fn, upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tokio_util::task::TaskTracker;

use crate::{
    Outcome,
    client::{Signed, device_id},
};

/// What to answer: the payloads of a real gateway.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Script {
    pub(crate) token: String,
    pub(crate) hello: Hello,
    pub(crate) health: Box<RawValue>,
    pub(crate) presence: Box<RawValue>,
}

/// hello-ok; only `server` differs from one connection to the next.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    r#type: String,
    protocol: u32,
    server: HelloServer,
    features: Box<RawValue>,
    snapshot: Box<RawValue>,
    auth: Box<RawValue>,
    policy: Box<RawValue>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HelloServer {
    version: String,
    conn_id: String,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    method: &'a str,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Answer<'a, T> {
    r#type: &'static str,
    id: &'a str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault<'a>>,
}

#[derive(Serialize)]
struct Fault<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Event<T> {
    r#type: &'static str,
    event: &'static str,
    payload: T,
}

#[derive(Serialize)]
struct Challenge<'a> {
    nonce: &'a str,
    ts: u64,
}

#[derive(Serialize)]
struct Done {
    ok: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connect {
    max_protocol: u32,
    client: Client,
    scopes: Vec<String>,
    device: Option<Device>,
    auth: Auth,
}

#[derive(Deserialize)]
struct Client {
    id: String,
    mode: String,
}

#[derive(Deserialize)]
struct Auth {
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    id: String,
    public_key: String,
    signature: String,
    signed_at: u64,
    nonce: String,
}

struct Shared {
    script: Script,
    tasks: TaskTracker,
    events: broadcast::Sender<Utf8Bytes>,
}

/// Events that may wait for one client.
const WAITING: usize = 64;

/// Serves on loopback until it is killed.
pub(crate) fn serve(script: &Path, port: u16) -> Outcome<()> {
    let script: Script = serde_json::from_slice(&fs::read(script)?)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let (events, _) = broadcast::channel(WAITING);
        let shared = Arc::new(Shared { script, tasks: TaskTracker::new(), events });
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            drop(shared.tasks.spawn(accept(stream, Arc::clone(&shared))));
        }
    })
}

async fn accept(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let response = answer_http(request, &shared);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .max_buf_size(8 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // A client that goes away is no news.
    drop(connection.await);
}

fn answer_http(request: Request<Incoming>, shared: &Arc<Shared>) -> Response<Full<Bytes>> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).map(|key| key.as_bytes().to_vec());
    let Some(key) = key else {
        let mut found =
            Response::new(Full::new(Bytes::from_static(br#"{"ok":true,"status":"live"}"#)));
        let json = header::HeaderValue::from_static("application/json; charset=utf-8");
        drop(found.headers_mut().insert(header::CONTENT_TYPE, json));
        return found;
    };
    let inner = Arc::clone(shared);
    drop(shared.tasks.spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            // The peer left, or was refused: both are an end.
            drop(converse(upgraded, &inner).await);
        }
    }));
    let accept = derive_accept_key(&key);
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Full::default())
        .unwrap_or_default()
}

async fn converse(upgraded: Upgraded, shared: &Shared) -> Outcome<()> {
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    // Before the hello: whoever has that may count on events.
    let mut events = shared.events.subscribe();
    if !greet(&mut socket, shared).await? {
        return Ok(());
    }
    loop {
        tokio::select! {
            message = socket.next() => {
                let Some(Message::Text(text)) = message.transpose()? else { return Ok(()) };
                let reply = reply(&text, shared)?;
                socket.send(Message::text(reply)).await?;
            }
            event = events.recv() => socket.send(Message::Text(event?)).await?,
        }
    }
}

fn reply(text: &str, shared: &Shared) -> Outcome<String> {
    let Frame { kind, id, method, .. } = serde_json::from_str(text)?;
    if kind != "req" {
        return Err("not a request".into());
    }
    match method {
        "health" => respond(id, &shared.script.health),
        "system-presence" => respond(id, &shared.script.presence),
        "system-event" => {
            let payload = serde_json::json!({ "presence": shared.script.presence });
            let event = Event { r#type: "event", event: "presence", payload };
            drop(shared.events.send(serde_json::to_string(&event)?.into()));
            respond(id, &Done { ok: true })
        }
        _ => refusal(id, "unknown method"),
    }
}

fn respond<T: Serialize>(id: &str, payload: T) -> Outcome<String> {
    let answer = Answer { r#type: "res", id, ok: true, payload: Some(payload), error: None };
    Ok(serde_json::to_string(&answer)?)
}

fn refusal(id: &str, message: &str) -> Outcome<String> {
    let error = Some(Fault { code: "INVALID_REQUEST", message });
    let answer = Answer { r#type: "res", id, ok: false, payload: None::<Done>, error };
    Ok(serde_json::to_string(&answer)?)
}

/// Challenge, connect, hello-ok. False when the client was refused.
async fn greet(socket: &mut WebSocketStream<TokioIo<Upgraded>>, shared: &Shared) -> Outcome<bool> {
    let nonce = uuid::Uuid::new_v4().to_string();
    let ts = u64::try_from(UNIX_EPOCH.elapsed()?.as_millis())?;
    let payload = Challenge { nonce: &nonce, ts };
    let challenge = Event { r#type: "event", event: "connect.challenge", payload };
    socket.send(Message::text(serde_json::to_string(&challenge)?)).await?;
    let Some(Message::Text(first)) = socket.next().await.transpose()? else { return Ok(false) };
    let frame: Frame<'_> = serde_json::from_str(&first)?;
    let params: Connect = serde_json::from_str(frame.params.map_or("{}", RawValue::get))?;
    match vet(&params, shared, &nonce) {
        Ok(()) => {
            let Script { hello, .. } = &shared.script;
            let server = HelloServer {
                version: hello.server.version.clone(),
                conn_id: uuid::Uuid::new_v4().to_string(),
            };
            let hello = Hello {
                r#type: hello.r#type.clone(),
                protocol: params.max_protocol,
                server,
                features: hello.features.clone(),
                snapshot: hello.snapshot.clone(),
                auth: hello.auth.clone(),
                policy: hello.policy.clone(),
            };
            socket.send(Message::text(respond(frame.id, &hello)?)).await?;
            Ok(true)
        }
        Err(reason) => {
            socket.send(Message::text(refusal(frame.id, reason)?)).await?;
            let close = CloseFrame { code: CloseCode::Policy, reason: reason.into() };
            socket.close(Some(close)).await?;
            // Reads the client's own close, so that the end is orderly; not for ever.
            drop(tokio::time::timeout(Duration::from_secs(1), socket.next()).await);
            Ok(false)
        }
    }
}

fn vet(params: &Connect, shared: &Shared, nonce: &str) -> Result<(), &'static str> {
    if params.auth.token != shared.script.token {
        return Err("unauthorized: gateway token mismatch");
    }
    let Some(device) = &params.device else { return Ok(()) };
    verify(device, params, nonce).ok_or("device signature invalid")
}

fn verify(device: &Device, params: &Connect, nonce: &str) -> Option<()> {
    let raw: [u8; 32] = URL_SAFE_NO_PAD.decode(&device.public_key).ok()?.try_into().ok()?;
    let raw_signature: [u8; 64] =
        URL_SAFE_NO_PAD.decode(&device.signature).ok()?.try_into().ok()?;
    let signed = Signed {
        device: &device.id,
        client: &params.client.id,
        mode: &params.client.mode,
        scopes: &params.scopes.join(","),
        signed_at: device.signed_at,
        token: &params.auth.token,
        nonce: &device.nonce,
    };
    let key = VerifyingKey::from_bytes(&raw).ok()?;
    let signature = Signature::from_bytes(&raw_signature);
    let same = device.id == device_id(&raw) && device.nonce == nonce;
    key.verify_strict(signed.payload().as_bytes(), &signature).ok().filter(|()| same)
}
