//! `connect`: the first request of every connection, a closed object in both protocol versions.
//!
//! Fields that only private worker clients send are accepted and not read; everything else is typed, so
//! that a wrong type is refused before any decision (attack row E12).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

/// What a client says of itself. Property lists are upstream's (protocol page 3.2).
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ConnectParams {
    pub min_protocol: u32,
    pub max_protocol: u32,
    pub client: Client,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_env: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computer_use: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_runs: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_catalog: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Client {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    pub platform: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    pub mode: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Device {
    pub id: String,
    pub public_key: String,
    pub signature: String,
    pub signed_at: i64,
    pub nonce: String,
}

/// Credentials as sent. `Debug` never shows them.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Auth {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_runtime_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_runtime_identity_token: Option<String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth(***)")
    }
}

/// Client ids of both protocol versions; any id may be combined with any mode.
pub const CLIENT_IDS: &[&str] = &[
    "webchat-ui",
    "openclaw-control-ui",
    "openclaw-browser-copilot",
    "openclaw-tui",
    "webchat",
    "cli",
    "gateway-client",
    "openclaw-macos",
    "openclaw-linux",
    "openclaw-ios",
    "openclaw-watchos",
    "openclaw-android",
    "node-host",
    "openclaw-worker",
    "test",
    "fingerprint",
    "openclaw-probe",
];

/// Client modes of both protocol versions.
pub const CLIENT_MODES: &[&str] =
    &["webchat", "cli", "ui", "backend", "node", "worker", "probe", "test"];

/// Text fields of a client that anyone may send: longer ones are refused, so presence stays small.
const TEXT: usize = 256;

/// Entries of `caps`, `commands` and `permissions`: a node host sends about 30.
const LIST: usize = 256;

impl ConnectParams {
    /// What the type cannot say: enums, empty strings, sizes.
    ///
    /// # Errors
    /// Upstream's sentence, to be put behind `invalid connect params: `.
    pub fn check(&self) -> Result<(), String> {
        let one_of = |place: &str, list: &[&str], value: &str| match list.contains(&value) {
            true => Ok(()),
            false => Err(format!("at {place}: must be equal to one of the allowed values")),
        };
        at_least_one("/minProtocol", self.min_protocol)?;
        at_least_one("/maxProtocol", self.max_protocol)?;
        one_of("/client/id", CLIENT_IDS, &self.client.id)?;
        one_of("/client/mode", CLIENT_MODES, &self.client.mode)?;
        filled("/client/version", &self.client.version)?;
        filled("/client/platform", &self.client.platform)?;
        for (place, text) in self.texts() {
            if text.len() > TEXT {
                return Err(format!("at {place}: must not have more than {TEXT} characters"));
            }
        }
        let lists = [
            ("/caps", self.caps.len()),
            ("/commands", self.commands.len()),
            ("/permissions", self.permissions.len()),
        ];
        match lists.iter().find(|(_, count)| *count > LIST) {
            Some((place, _)) => Err(format!("at {place}: must not have more than {LIST} items")),
            None => Ok(()),
        }
    }

    fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let client = &self.client;
        let some = [
            ("/client/displayName", client.display_name.as_deref()),
            ("/client/version", Some(client.version.as_str())),
            ("/client/buildId", client.build_id.as_deref()),
            ("/client/platform", Some(client.platform.as_str())),
            ("/client/deviceFamily", client.device_family.as_deref()),
            ("/client/modelIdentifier", client.model_identifier.as_deref()),
            ("/client/timeZone", client.time_zone.as_deref()),
            ("/client/instanceId", client.instance_id.as_deref()),
            ("/locale", self.locale.as_deref()),
        ];
        let lists = self.caps.iter().map(|text| ("/caps", text.as_str()));
        let commands = self.commands.iter().map(|text| ("/commands", text.as_str()));
        some.into_iter()
            .filter_map(|(place, text)| Some((place, text?)))
            .chain(lists)
            .chain(commands)
    }
}

fn at_least_one(place: &str, number: u32) -> Result<(), String> {
    if number == 0 { Err(format!("at {place}: must be >= 1")) } else { Ok(()) }
}

fn filled(place: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("at {place}: must not have fewer than 1 characters"));
    }
    Ok(())
}
