//! `hello-ok`: the answer to an accepted `connect`. Both versions are one struct; fields of one version
//! only are optional and left out in the other.

use openclaw_auth::Protocol;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{frame::StateVersion, limits};

#[derive(Debug, Serialize)]
pub struct HelloOk<'a> {
    r#type: &'static str,
    pub protocol: u64,
    pub server: Server<'a>,
    /// Pre-serialised: the method table does not change while we run.
    pub features: &'a RawValue,
    pub snapshot: Snapshot<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth<'a>>,
    pub policy: Policy,
}

impl<'a> HelloOk<'a> {
    #[must_use]
    pub fn new(
        protocol: Protocol,
        server: Server<'a>,
        features: &'a RawValue,
        snapshot: Snapshot<'a>,
    ) -> Self {
        Self {
            r#type: "hello-ok",
            protocol: protocol.number(),
            server,
            features,
            snapshot,
            auth: None,
            policy: Policy::OURS,
        }
    }

    #[must_use]
    pub fn with_auth(mut self, auth: Auth<'a>) -> Self {
        self.auth = Some(auth);
        self
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Server<'a> {
    pub version: &'a str,
    pub conn_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot<'a> {
    pub presence: &'a RawValue,
    pub health: &'a RawValue,
    pub state_version: StateVersion,
    pub uptime_ms: u64,
    pub session_defaults: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_mode: Option<&'a str>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Auth<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'a str>,
    pub role: &'a str,
    pub scopes: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at_ms: Option<u64>,
}

/// The limits that a client must know.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    pub max_payload: u64,
    pub max_buffered_bytes: u64,
    pub tick_interval_ms: u64,
}

impl Policy {
    pub const OURS: Self = Self {
        max_payload: limits::MAX_PAYLOAD as u64,
        max_buffered_bytes: limits::MAX_BUFFERED as u64,
        tick_interval_ms: limits::TICK_INTERVAL.as_millis() as u64,
    };
}

/// What a client keeps of a hello-ok; unknown fields of a newer gateway are ignored.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Greeting {
    pub protocol: u32,
    pub server: GreetingServer,
    #[serde(default)]
    pub features: GreetingFeatures,
    #[serde(default)]
    pub snapshot: Value,
    #[serde(default)]
    pub auth: Option<GreetingAuth>,
    #[serde(default)]
    pub policy: Option<Policy>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GreetingServer {
    pub version: String,
    #[serde(default)]
    pub conn_id: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct GreetingFeatures {
    #[serde(default)]
    pub methods: Vec<String>,
    #[serde(default)]
    pub events: Vec<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GreetingAuth {
    #[serde(default)]
    pub method: Option<String>,
    pub role: String,
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub device_token: Option<String>,
    #[serde(default)]
    pub issued_at_ms: Option<u64>,
}

impl std::fmt::Debug for GreetingAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, role, scopes, device_token, issued_at_ms } = self;
        f.debug_struct("GreetingAuth")
            .field("method", method)
            .field("role", role)
            .field("scopes", scopes)
            .field("device_token", &device_token.as_ref().map(|_| "***"))
            .field("issued_at_ms", issued_at_ms)
            .finish()
    }
}
