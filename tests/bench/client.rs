//! A client's first words: the device identity, its signature, `connect`, and one call.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    Outcome,
    wire::{PATIENCE, Socket},
};

/// The only platform that signatures of this bench name.
pub(crate) const PLATFORM: &str = "linux";

/// A device.
#[derive(Debug)]
pub(crate) struct Identity {
    key: SigningKey,
    id: String,
    public: String,
}

impl Identity {
    pub(crate) fn fresh() -> Outcome<Self> {
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed)?;
        let key = SigningKey::from_bytes(&seed);
        let raw = key.verifying_key().to_bytes();
        Ok(Self { id: device_id(&raw), public: URL_SAFE_NO_PAD.encode(raw), key })
    }
}

/// Lower-case hex SHA-256 of the raw key.
pub(crate) fn device_id(raw: &[u8; 32]) -> String {
    Sha256::digest(raw).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text that a device signs (third layout).
#[derive(Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) device: &'a str,
    pub(crate) client: &'a str,
    pub(crate) mode: &'a str,
    pub(crate) scopes: &'a str,
    pub(crate) signed_at: u64,
    pub(crate) token: &'a str,
    pub(crate) nonce: &'a str,
}

impl Signed<'_> {
    pub(crate) fn payload(&self) -> String {
        let Self { device, client, mode, scopes, signed_at, token, nonce } = self;
        format!(
            "v3|{device}|{client}|{mode}|operator|{scopes}|{signed_at}|{token}|{nonce}|{PLATFORM}|"
        )
    }
}

/// Who connects, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) client: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) scope: &'static str,
    pub(crate) token: &'a str,
    pub(crate) identity: Option<&'a Identity>,
}

impl<'a> Ask<'a> {
    /// The command line on this host: the secret is enough, presence does not list it.
    pub(crate) fn cli(token: &'a str) -> Self {
        Self { client: "cli", mode: "cli", scope: "operator.read", token, identity: None }
    }

    pub(crate) fn admin(token: &'a str) -> Self {
        Self { scope: "operator.admin", ..Self::cli(token) }
    }

    /// The command line with a device of its own.
    pub(crate) fn device(token: &'a str, identity: &'a Identity) -> Self {
        Self { identity: Some(identity), ..Self::cli(token) }
    }

    /// A client that presence lists.
    pub(crate) fn person(token: &'a str, identity: &'a Identity) -> Self {
        Self { client: "openclaw-tui", mode: "ui", ..Self::device(token, identity) }
    }

    fn request(&self, challenge: &Challenge<'_>) -> String {
        let mut params = json!({
            "minProtocol": 4,
            "maxProtocol": 4,
            "client": {
                "id": self.client, "mode": self.mode, "version": "2026.9.6", "platform": PLATFORM,
            },
            "caps": [],
            "role": "operator",
            "scopes": [self.scope],
            "auth": { "token": self.token },
        });
        if let (Some(identity), Some(map)) = (self.identity, params.as_object_mut()) {
            let signed = Signed {
                device: &identity.id,
                client: self.client,
                mode: self.mode,
                scopes: self.scope,
                signed_at: challenge.ts,
                token: self.token,
                nonce: challenge.nonce,
            };
            let signature = identity.key.sign(signed.payload().as_bytes());
            let device = json!({
                "id": identity.id,
                "publicKey": identity.public,
                "signature": URL_SAFE_NO_PAD.encode(signature.to_bytes()),
                "signedAt": challenge.ts,
                "nonce": challenge.nonce,
            });
            drop(map.insert("device".to_owned(), device));
        }
        json!({ "type": "req", "id": "1", "method": "connect", "params": params }).to_string()
    }
}

#[derive(Deserialize)]
struct Challenge<'a> {
    nonce: &'a str,
    ts: u64,
}

#[derive(Deserialize)]
struct Opening<'a> {
    #[serde(borrow)]
    payload: Challenge<'a>,
}

/// How a `connect` was answered. [`Socket::text`] is the answer.
#[derive(Debug)]
pub(crate) enum Answer {
    Welcome(Socket),
    Refused(Socket),
}

/// Upgrade, challenge, `connect`, answer.
pub(crate) async fn knock(addr: SocketAddr, ask: Ask<'_>) -> Outcome<Answer> {
    let talk = async {
        let mut socket = Socket::open(addr).await?;
        socket.next().await?;
        let opening: Opening<'_> = serde_json::from_str(socket.text())?;
        let request = ask.request(&opening.payload);
        socket.send_text(&request).await?;
        answer(&mut socket).await?;
        Ok(if is_ok(socket.text()) { Answer::Welcome(socket) } else { Answer::Refused(socket) })
    };
    tokio::time::timeout(PATIENCE, talk).await?
}

/// As [`knock`]; a refusal is an error.
pub(crate) async fn connect(addr: SocketAddr, ask: Ask<'_>) -> Outcome<Socket> {
    match knock(addr, ask).await? {
        Answer::Welcome(socket) => Ok(socket),
        Answer::Refused(socket) => Err(format!("refused: {}", socket.text()).into()),
    }
}

/// A call whose answer is an object or a list; the payload.
pub(crate) async fn call(socket: &mut Socket, method: &str, params: Value) -> Outcome<Value> {
    let request = json!({ "type": "req", "id": "2", "method": method, "params": params });
    socket.send_text(&request.to_string()).await?;
    tokio::time::timeout(PATIENCE, answer(socket)).await??;
    let mut frame: Value = serde_json::from_str(socket.text())?;
    if frame.get("ok") != Some(&Value::Bool(true)) {
        return Err(format!("`{method}` was answered {}", socket.text()).into());
    }
    Ok(frame.get_mut("payload").map(Value::take).unwrap_or_default())
}

/// Waits for the next response, past events.
pub(crate) async fn answer(socket: &mut Socket) -> Outcome<()> {
    loop {
        socket.next().await?;
        if socket.text().starts_with(r#"{"type":"res""#) {
            return Ok(());
        }
    }
}

/// Waits for the next event of this name; the search is short because every gateway puts the name first.
pub(crate) async fn event(socket: &mut Socket, start: &str) -> Outcome<()> {
    loop {
        socket.next().await?;
        if socket.text().starts_with(start) {
            return Ok(());
        }
    }
}

/// Every gateway puts `ok` before the payload.
pub(crate) fn is_ok(text: &str) -> bool {
    let front = text.get(..text.len().min(128)).unwrap_or(text);
    front.contains(r#""ok":true"#)
}
