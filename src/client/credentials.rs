//! What may be shown to a gateway, and when.
//!
//! | dialled | with a shared secret | without |
//! |---|---|---|
//! | loopback | the secret, no device block | device key and stored token |
//! | elsewhere | the secret and the device key | device key and stored token |
//! | as a probe | the secret alone | device key only if it has a stored token |
//!
//! A probe makes no identity and causes no pairing. Stored tokens are used and kept only where
//! [`Stored::Allowed`] says that the target is ours: never for `--url` (`I1`) or the environment's URL (`I2`).

use std::path::Path;

use openclaw_auth::Protocol;
use serde_json::Value;

use crate::{
    client::{
        Client,
        dial::Reached,
        error::ClientError,
        identity::DeviceIdentity,
        tokens::{self, Issued},
    },
    config::secret::SecretValue,
    protocol::{
        connect::{Auth, Device},
        hello::Greeting,
    },
};

/// The only role of a command.
pub const ROLE: &str = "operator";

/// Whether device tokens on disk belong to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    Never,
    Allowed,
}

/// What one target may be shown.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub token: Option<SecretValue>,
    pub password: Option<SecretValue>,
    pub stored: Stored,
    /// Filled for the one retry.
    device_token: Option<SecretValue>,
}

/// As whom to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectAs {
    pub who: Who,
    /// Exactly what the requests of this connection need.
    pub scopes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Cli,
    /// Behind a command, named by what it is for.
    Backend(String),
    /// Reads only, leaves nothing behind, speaks both versions.
    Probe,
}

impl Who {
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::Cli | Self::Probe => "cli",
            Self::Backend(_) => "gateway-client",
        }
    }

    #[must_use]
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Probe => "probe",
            Self::Backend(_) => "backend",
        }
    }

    /// The lowest protocol asked for; the highest is always the newest.
    #[must_use]
    pub fn oldest(&self) -> Protocol {
        match self {
            Self::Cli | Self::Backend(_) => Protocol::V4,
            Self::Probe => Protocol::V3,
        }
    }
}

impl ConnectAs {
    #[must_use]
    pub fn new(who: Who, scopes: &[&str]) -> Self {
        Self { who, scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect() }
    }
}

/// The challenge of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub nonce: String,
    /// The gateway's clock, which a signature follows: ours may be wrong.
    pub ts: Option<i64>,
}

/// What goes into `connect`.
#[derive(Debug)]
pub struct Proof {
    pub auth: Option<Auth>,
    pub device: Option<Device>,
}

impl Credentials {
    #[must_use]
    pub fn new(token: Option<SecretValue>, password: Option<SecretValue>, stored: Stored) -> Self {
        Self { token, password, stored, device_token: None }
    }

    fn has_secret(&self) -> bool {
        self.token.is_some() || self.password.is_some()
    }

    /// The same with the stored device token beside the secret, if there is one and it was not tried.
    pub(super) fn with_stored_token(&self, folder: &Path) -> Result<Option<Self>, ClientError> {
        if self.stored == Stored::Never || self.device_token.is_some() || !self.has_secret() {
            return Ok(None);
        }
        let Some(identity) = DeviceIdentity::load(folder)? else { return Ok(None) };
        let found = tokens::load(folder, &identity.id, ROLE)?;
        Ok(found.map(|token| Self { device_token: Some(token), ..self.clone() }))
    }

    /// What to send on this connection, by the table above.
    pub(super) fn proof(
        &self,
        client: &Client,
        connect_as: &ConnectAs,
        challenge: &Challenge,
        reached: Reached,
    ) -> Result<Proof, ClientError> {
        let identity = self.device(client, &connect_as.who, reached)?;
        let mut device_token = self.device_token.clone();
        if let Some(identity) = &identity
            && !self.has_secret()
            && self.stored == Stored::Allowed
        {
            device_token = tokens::load(&client.identity, &identity.id, ROLE)?;
        }
        let expose = |secret: &SecretValue| secret.expose().to_owned();
        let auth = Auth {
            token: self.token.as_ref().map(expose),
            password: self.password.as_ref().map(expose),
            device_token: device_token.as_ref().map(expose),
            ..Auth::default()
        };
        let device = identity.map(|identity| {
            let shown = Shown { connect_as, challenge, now_ms: client.now_ms };
            shown.device(&identity, auth.token.as_deref().or(auth.device_token.as_deref()))
        });
        let some = self.has_secret() || device_token.is_some();
        Ok(Proof { auth: some.then_some(auth), device })
    }

    fn device(
        &self,
        client: &Client,
        who: &Who,
        reached: Reached,
    ) -> Result<Option<DeviceIdentity>, ClientError> {
        let retry = self.device_token.is_some();
        match who {
            Who::Probe if self.has_secret() && !retry => Ok(None),
            Who::Probe => {
                let Some(identity) = DeviceIdentity::load(&client.identity)? else {
                    return Ok(None);
                };
                let usable = self.stored == Stored::Allowed
                    && tokens::load(&client.identity, &identity.id, ROLE)?.is_some();
                Ok(usable.then_some(identity))
            }
            Who::Cli | Who::Backend(_)
                if reached == Reached::Loopback && self.has_secret() && !retry =>
            {
                Ok(None)
            }
            Who::Cli | Who::Backend(_) => {
                DeviceIdentity::load_or_create(&client.identity, client.now_ms).map(Some)
            }
        }
    }

    /// Keeps the device token of a hello-ok. A folder that cannot be written costs the next command its
    /// token, not this one its answer.
    pub(super) fn keep_issued(&self, client: &Client, device: &str, hello: &Greeting) {
        let auth = hello.auth.as_ref();
        let token = auth.and_then(|auth| auth.device_token.as_deref()).map(SecretValue::new);
        let (Stored::Allowed, Some(auth), Some(token)) = (self.stored, auth, token) else { return };
        let issued = Issued { role: &auth.role, token: &token, scopes: &auth.scopes };
        if let Err(error) = tokens::store(&client.identity, device, &issued, client.now_ms) {
            tracing::warn!(%error, "the device token was not kept");
        }
    }
}

struct Shown<'a> {
    connect_as: &'a ConnectAs,
    challenge: &'a Challenge,
    now_ms: u64,
}

impl Shown<'_> {
    /// The signed device block, layout v3 (protocol page 5.2).
    fn device(&self, identity: &DeviceIdentity, token: Option<&str>) -> Device {
        let who = &self.connect_as.who;
        let own = i64::try_from(self.now_ms).unwrap_or(i64::MAX);
        let signed_at = self.challenge.ts.unwrap_or(own);
        let payload = [
            "v3",
            &identity.id,
            who.id(),
            who.mode(),
            ROLE,
            &self.connect_as.scopes.join(","),
            &signed_at.to_string(),
            token.unwrap_or_default(),
            &self.challenge.nonce,
            &platform().to_ascii_lowercase(),
            &family().to_ascii_lowercase(),
        ]
        .join("|");
        Device {
            id: identity.id.clone(),
            public_key: identity.public_key(),
            signature: identity.sign(&payload),
            signed_at,
            nonce: self.challenge.nonce.clone(),
        }
    }
}

/// `client.platform`, in the words of official clients.
#[must_use]
pub fn platform() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

/// `client.deviceFamily`, in the words of official clients.
#[must_use]
pub fn family() -> &'static str {
    match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "Mac",
        other => other,
    }
}

impl Challenge {
    /// Reads the payload of `connect.challenge`.
    #[must_use]
    pub fn read(payload: &Value) -> Option<Self> {
        let nonce = payload.get("nonce")?.as_str()?.trim().to_owned();
        let ts = payload.get("ts").and_then(Value::as_i64);
        (!nonce.is_empty()).then_some(Self { nonce, ts })
    }
}
