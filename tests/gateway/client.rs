//! A client of the WebSocket that says exactly what a test wants said.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{
    device::{Device, Layout},
    rig::{TOKEN, TestGateway},
    wire::{Frame, Socket},
};

/// The two versions of the protocol.
pub const PROTOCOLS: [u64; 2] = [3, 4];

pub const ADMIN: &str = "operator.admin";
pub const READ: &str = "operator.read";
pub const WRITE: &str = "operator.write";
pub const PAIRING: &str = "operator.pairing";

/// A `connect` to be sent.
#[derive(Clone)]
pub struct Connect {
    pub params: Value,
    device: Option<Device>,
    layout: Layout,
    origin: Option<String>,
}

impl Connect {
    /// `cli/cli` with the right token and no device: what a local command line sends.
    pub fn cli(protocol: u64) -> Self {
        let params = json!({
            "minProtocol": protocol, "maxProtocol": protocol,
            "client": { "id": "cli", "version": "1.0.0", "platform": "linux", "mode": "cli" },
            "role": "operator", "scopes": [], "auth": { "token": TOKEN },
        });
        Self { params, device: None, layout: Layout::V3, origin: None }
    }

    /// The same as another client.
    pub fn of(protocol: u64, id: &str, mode: &str) -> Self {
        let mut connect = Self::cli(protocol);
        connect.params["client"]["id"] = id.into();
        connect.params["client"]["mode"] = mode.into();
        connect
    }

    /// A node host.
    pub fn node(protocol: u64) -> Self {
        Self::of(protocol, "node-host", "node").role("node")
    }

    /// An operator that may do everything.
    pub fn admin(protocol: u64) -> Self {
        Self::cli(protocol).scopes(&[ADMIN])
    }

    pub fn role(mut self, role: &str) -> Self {
        self.params["role"] = role.into();
        self
    }

    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.params["scopes"] = json!(scopes);
        self
    }

    pub fn auth(mut self, auth: Value) -> Self {
        self.params["auth"] = auth;
        self
    }

    pub fn token(self, token: &str) -> Self {
        self.auth(json!({ "token": token }))
    }

    /// Sets one property of `client`.
    pub fn client(mut self, key: &str, value: &str) -> Self {
        self.params["client"][key] = value.into();
        self
    }

    pub fn set(mut self, key: &str, value: Value) -> Self {
        self.params[key] = value;
        self
    }

    pub fn without(mut self, key: &str) -> Self {
        self.params.as_object_mut().expect("an object").remove(key);
        self
    }

    pub fn device(mut self, device: &Device) -> Self {
        self.device = Some(device.clone());
        self
    }

    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_owned());
        self
    }

    /// The request, for this challenge.
    pub fn request(&self, challenge: &Value) -> Value {
        let mut params = self.params.clone();
        if let Some(device) = &self.device {
            let nonce = challenge["nonce"].as_str().expect("a nonce");
            let at = challenge["ts"].as_i64().expect("a time");
            params["device"] = device.block(&self.params, self.layout, (nonce, at));
        }
        json!({ "type": "req", "id": "c1", "method": "connect", "params": params })
    }

    /// Sends it and waits for the verdict.
    pub async fn enter(&self, gateway: &TestGateway) -> Result<Client, Refused> {
        let mut stranger = self.open(gateway).await;
        let request = self.request(&stranger.challenge);
        stranger.socket.text(&request.to_string()).await;
        stranger.verdict().await
    }

    /// Enters, or fails the test.
    pub async fn welcome(&self, gateway: &TestGateway) -> Client {
        self.enter(gateway).await.unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    /// Is refused, or fails the test.
    pub async fn refused(&self, gateway: &TestGateway) -> Refused {
        match self.enter(gateway).await {
            Ok(client) => panic!("let in: {}", client.hello),
            Err(refused) => refused,
        }
    }

    /// The socket after its challenge, with the Origin that is set.
    pub async fn open(&self, gateway: &TestGateway) -> Stranger {
        let origin = self.origin.as_ref().map(|origin| format!("Origin: {origin}\r\n"));
        Stranger::open(gateway, &origin.unwrap_or_default()).await
    }
}

/// A socket that has its challenge and has said nothing.
pub struct Stranger {
    pub socket: Socket,
    pub challenge: Value,
}

impl Stranger {
    pub async fn open(gateway: &TestGateway, headers: &str) -> Self {
        let socket = Socket::upgraded(gateway, headers).await;
        Self::after_upgrade(socket).await
    }

    pub async fn after_upgrade(mut socket: Socket) -> Self {
        let Frame::Text(text) = socket.frame().await else { panic!("the challenge comes first") };
        let event: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(event["event"], "connect.challenge", "{event}");
        assert_eq!(event.get("seq"), None, "2.1: the challenge is not numbered");
        Self { socket, challenge: event["payload"].clone() }
    }

    /// The answer to a `connect` that was sent.
    pub async fn verdict(mut self) -> Result<Client, Refused> {
        let first = self.socket.frame().await;
        let Frame::Text(text) = first else { return Err(Refused { error: None, close: first }) };
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(answer["type"], "res", "{answer}");
        if answer["ok"] == true {
            return Ok(Client::new(self.socket, answer["payload"].clone()));
        }
        let (more, close) = self.socket.closed().await;
        assert!(more.is_empty(), "nothing follows a refusal: {more:?}");
        Err(Refused { error: Some(answer["error"].clone()), close })
    }
}

/// How a `connect` was refused.
#[derive(Debug, PartialEq)]
pub struct Refused {
    pub error: Option<Value>,
    pub close: Frame,
}

impl Refused {
    pub fn error(&self) -> &Value {
        self.error.as_ref().expect("an error")
    }

    pub fn code(&self) -> &str {
        self.error()["code"].as_str().expect("a code")
    }

    pub fn message(&self) -> &str {
        self.error()["message"].as_str().expect("a message")
    }

    /// `details.code`.
    pub fn detail(&self) -> &str {
        self.error()["details"]["code"].as_str().unwrap_or_default()
    }

    /// `details.requestId` of a pairing.
    pub fn request_id(&self) -> &str {
        assert_eq!(self.detail(), "PAIRING_REQUIRED", "{self:?}");
        self.error()["details"]["requestId"].as_str().expect("a request id")
    }
}

/// A connection that was let in.
pub struct Client {
    pub socket: Socket,
    pub hello: Value,
    events: VecDeque<Value>,
    calls: u32,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("hello", &self.hello).finish_non_exhaustive()
    }
}

impl Client {
    fn new(socket: Socket, hello: Value) -> Self {
        Self { socket, hello, events: VecDeque::new(), calls: 0 }
    }

    /// `auth.deviceToken` of the hello.
    pub fn device_token(&self) -> String {
        self.hello["auth"]["deviceToken"].as_str().expect("a device token").to_owned()
    }

    pub async fn request(&mut self, method: &str, params: Value) -> String {
        self.calls += 1;
        let id = format!("r{}", self.calls);
        let request = json!({ "type": "req", "id": id, "method": method, "params": params });
        self.socket.text(&request.to_string()).await;
        id
    }

    /// The next answer; events on the way are kept.
    pub async fn answer(&mut self) -> Value {
        loop {
            match self.socket.frame().await {
                Frame::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).expect("JSON");
                    if frame["type"] == "res" {
                        return frame;
                    }
                    self.events.push_back(frame);
                }
                Frame::Ping | Frame::Pong(_) => {}
                end @ (Frame::Close(..) | Frame::End) => panic!("closed instead: {end:?}"),
            }
        }
    }

    pub async fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.request(method, params).await;
        let answer = self.answer().await;
        assert_eq!(answer["id"], id.as_str(), "{answer}");
        if answer["ok"] == true {
            Ok(answer["payload"].clone())
        } else {
            Err(answer["error"].clone())
        }
    }

    /// A call that must succeed.
    pub async fn ok(&mut self, method: &str, params: Value) -> Value {
        self.call(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// A call that must fail.
    pub async fn fails(&mut self, method: &str, params: Value) -> Value {
        match self.call(method, params).await {
            Ok(payload) => panic!("{method} did not fail: {payload}"),
            Err(error) => error,
        }
    }

    /// The next event of this name; others on the way are dropped.
    pub async fn event(&mut self, name: &str) -> Value {
        loop {
            let event = self.next_event().await;
            if event["event"] == name {
                return event;
            }
        }
    }

    /// The next event of any name.
    pub async fn next_event(&mut self) -> Value {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        loop {
            match self.socket.frame().await {
                Frame::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).expect("JSON");
                    assert_eq!(frame["type"], "event", "{frame}");
                    return frame;
                }
                Frame::Ping | Frame::Pong(_) => {}
                end @ (Frame::Close(..) | Frame::End) => panic!("closed instead: {end:?}"),
            }
        }
    }

    /// The close frame that ends it; events and answers on the way are kept as events.
    pub async fn closed(&mut self) -> Frame {
        let (texts, close) = self.socket.closed().await;
        let frames = texts.iter().map(|text| serde_json::from_str(text).expect("JSON"));
        self.events.extend(frames);
        close
    }

    /// What came and was not asked for yet.
    pub fn kept(&mut self) -> Vec<Value> {
        self.events.drain(..).collect()
    }
}

pub fn policy(reason: &str) -> Frame {
    Frame::Close(1008, reason.to_owned())
}
