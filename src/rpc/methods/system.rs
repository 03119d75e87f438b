//! How the gateway is and who is here: `health`, `status`, presence and the gateway's identity.

use openclaw_auth::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    events::presence,
    protocol::{error::ErrorShape, frame::Json},
    rpc::{Ctx, Entry, Gate, Method, Params},
};

use super::{AnyParams, NoParams};

pub const METHODS: &[Entry] = &[
    Entry::of::<Health>(),
    Entry::of::<Status>(),
    Entry::of::<SystemPresence>(),
    Entry::of::<SystemEvent>(),
    Entry::of::<LastHeartbeat>(),
    Entry::of::<GatewayIdentity>(),
];

/// The cached health document, open to every role and scope set.
#[derive(Debug)]
pub struct Health;

impl Method for Health {
    const NAME: &'static str = "health";
    const GATE: Gate = Gate::Anyone;
    const PARAMS: Params = Params::Ignored;
    type Params = AnyParams;
    type Reply = Json;

    async fn call(ctx: Ctx, _params: AnyParams) -> Result<Json, ErrorShape> {
        Ok(ctx.services.health.text())
    }
}

/// The one-screen summary.
#[derive(Debug)]
pub struct Status;

impl Method for Status {
    const NAME: &'static str = "status";
    const GATE: Gate = Gate::Operator(Scope::Read);
    const PARAMS: Params = Params::Ignored;
    type Params = AnyParams;
    type Reply = Value;

    async fn call(ctx: Ctx, _params: AnyParams) -> Result<Value, ErrorShape> {
        let services = &ctx.services;
        Ok(json!({
            "runtimeVersion": services.about.version,
            "cliProjection": {
                "agents": {
                    "defaultId": "main",
                    "ownership": "sole",
                    "selectionRequired": false,
                    "rows": [{ "id": "main" }],
                },
                "updateChannel": null,
                "memoryPlugin": { "enabled": false, "slot": null },
            },
            "heartbeat": {
                "defaultAgentId": "main",
                "agents": [{ "agentId": "main", "enabled": false, "every": "disabled", "everyMs": null }],
            },
            "channelSummary": [],
            "queuedSystemEvents": services.system_events.list(),
            "sessions": {
                "paths": [],
                "count": 0,
                "defaults": { "model": null, "contextTokens": null },
                "recent": [],
                "byAgent": [{ "agentId": "main", "path": "", "count": 0, "recent": [] }],
            },
            "pid": services.about.pid,
            "uptimeMs": services.clock.uptime_ms(),
            "connections": services.hub.count(),
        }))
    }
}

/// Who is here.
#[derive(Debug)]
pub struct SystemPresence;

impl Method for SystemPresence {
    const NAME: &'static str = "system-presence";
    const GATE: Gate = Gate::Operator(Scope::Read);
    const PARAMS: Params = Params::Ignored;
    type Params = AnyParams;
    type Reply = Json;

    async fn call(ctx: Ctx, _params: AnyParams) -> Result<Json, ErrorShape> {
        Ok(ctx.services.presence.text().0)
    }
}

/// A line for the next agent run, or a presence report (`Node: …`) of an app.
#[derive(Debug)]
pub struct SystemEvent;

/// Presence fields are optional; `text` is what the line says.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct SystemEventParams {
    pub text: String,
    pub session_key: Option<String>,
    pub device_id: Option<String>,
    pub instance_id: Option<String>,
    pub host: Option<String>,
    pub ip: Option<String>,
    pub mode: Option<String>,
    pub version: Option<String>,
    pub platform: Option<String>,
    pub device_family: Option<String>,
    pub model_identifier: Option<String>,
    pub last_input_seconds: Option<u64>,
    pub reason: Option<String>,
    pub roles: Option<Vec<String>>,
    pub scopes: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
pub struct Done {
    pub ok: bool,
}

/// Bytes of one reported text: it goes into presence, which everyone gets.
const TEXT: usize = 1024;

impl Method for SystemEvent {
    const NAME: &'static str = "system-event";
    const GATE: Gate = Gate::Operator(Scope::Admin);
    type Params = SystemEventParams;
    type Reply = Done;

    async fn call(ctx: Ctx, params: SystemEventParams) -> Result<Done, ErrorShape> {
        let text = params.text.trim();
        if text.is_empty() {
            return Err(ErrorShape::invalid("text required"));
        }
        if text.len() > TEXT {
            return Err(ErrorShape::invalid(format!("text must not have more than {TEXT} bytes")));
        }
        if text.starts_with("Node:") {
            let key = params.device_id.clone().or_else(|| params.instance_id.clone());
            let key = presence::Key::new(key.unwrap_or_else(|| text.to_owned()));
            ctx.services.presence.report(key, entry(&ctx, params));
            ctx.services.presence_bell.notify_one();
        } else {
            ctx.services.system_events.push(text.to_owned());
        }
        Ok(Done { ok: true })
    }
}

fn entry(ctx: &Ctx, params: SystemEventParams) -> presence::Entry {
    presence::Entry {
        host: params.host.unwrap_or_else(|| "node".to_owned()),
        ip: params.ip,
        version: params.version,
        platform: params.platform,
        device_family: params.device_family,
        model_identifier: params.model_identifier,
        mode: params.mode.unwrap_or_else(|| "node".to_owned()),
        reason: params.reason.unwrap_or_else(|| "node-connected".to_owned()),
        text: params.text,
        ts: ctx.services.clock.now_ms(),
        instance_id: params.instance_id,
        device_id: params.device_id,
        roles: params.roles.unwrap_or_default(),
        scopes: params.scopes.unwrap_or_default(),
        tags: params.tags.unwrap_or_default(),
        last_input_seconds: params.last_input_seconds,
        ..presence::Entry::default()
    }
}

/// The last heartbeat run: none, because nothing runs heartbeats yet.
#[derive(Debug)]
pub struct LastHeartbeat;

impl Method for LastHeartbeat {
    const NAME: &'static str = "last-heartbeat";
    const GATE: Gate = Gate::Operator(Scope::Read);
    const PARAMS: Params = Params::Ignored;
    type Params = AnyParams;
    type Reply = Option<Value>;

    async fn call(_ctx: Ctx, _params: AnyParams) -> Result<Option<Value>, ErrorShape> {
        Ok(None)
    }
}

/// The gateway's own device id and public key, so that a client knows which gateway answers.
#[derive(Debug)]
pub struct GatewayIdentity;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    pub device_id: String,
    pub public_key: String,
}

impl Method for GatewayIdentity {
    const NAME: &'static str = "gateway.identity.get";
    const GATE: Gate = Gate::Operator(Scope::Read);
    type Params = NoParams;
    type Reply = Identity;

    async fn call(ctx: Ctx, _params: NoParams) -> Result<Identity, ErrorShape> {
        let about = &ctx.services.about;
        Ok(Identity { device_id: about.device_id.clone(), public_key: about.public_key.clone() })
    }
}
