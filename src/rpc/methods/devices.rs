//! Pairing and device tokens: `device.pair.*`, `device.token.*`.
//!
//! A caller never hands out more than it holds: approving and rotating are limited to the caller's own
//! scopes, roles other than operator need admin, and a token is told only to the device it belongs to.

use openclaw_auth::{DeviceId, Grant, Protocol, Role, Scope, ScopeSet};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    clock::UnixMs,
    devices::{Device, DeviceError, Pending, RequestId, TokenTimes},
    events::kinds,
    protocol::{
        error::{ErrorCode, ErrorShape},
        frame,
    },
    rpc::{Ctx, Entry, Gate, Method, services::Services},
};

use super::NoParams;

pub const METHODS: &[Entry] = &[
    Entry::of::<List>(),
    Entry::of::<Approve>(),
    Entry::of::<Reject>(),
    Entry::of::<Remove>(),
    Entry::of::<Rename>(),
    Entry::of::<Rotate>(),
    Entry::of::<Revoke>(),
];

const PAIRING: Gate = Gate::Operator(Scope::Pairing);

/// A request in upstream's shape, the same in the list and in the event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingRow {
    request_id: String,
    device_id: String,
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_family: Option<String>,
    client_id: String,
    client_mode: String,
    role: &'static str,
    roles: [&'static str; 1],
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_ip: Option<String>,
    silent: bool,
    is_repair: bool,
    ts: UnixMs,
}

impl PendingRow {
    #[must_use]
    pub fn of(pending: &Pending) -> Self {
        let applicant = &pending.applicant;
        let role = pending.role.as_str();
        Self {
            request_id: pending.request_id.0.clone(),
            device_id: pending.device_id.as_str().to_owned(),
            public_key: pending.public_key.encode(),
            display_name: applicant.display_name.clone(),
            platform: applicant.platform.clone(),
            device_family: applicant.device_family.clone(),
            client_id: applicant.client_id.clone(),
            client_mode: applicant.client_mode.clone(),
            role,
            roles: [role],
            scopes: words(&pending.scopes),
            remote_ip: applicant.remote_ip.map(|ip| ip.to_string()),
            silent: false,
            is_repair: pending.is_repair,
            ts: pending.created_at_ms,
        }
    }
}

/// A paired device in upstream's shape; tokens are listed without their secrets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRow {
    device_id: String,
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_family: Option<String>,
    client_id: String,
    client_mode: String,
    role: &'static str,
    roles: Vec<&'static str>,
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_ip: Option<String>,
    approved_via: String,
    created_at_ms: UnixMs,
    approved_at_ms: UnixMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at_ms: Option<UnixMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected: Option<bool>,
    tokens: Vec<TokenRow>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenRow {
    role: &'static str,
    scopes: Vec<String>,
    created_at_ms: UnixMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_at_ms: Option<UnixMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at_ms: Option<UnixMs>,
}

impl DeviceRow {
    fn of(device: &Device) -> Self {
        let (record, applicant) = (&device.record, &device.applicant);
        let live = || record.roles.iter().filter(|grant| !grant.revoked);
        let mut scopes = ScopeSet::empty();
        for grant in live() {
            scopes = scopes.union(&grant.scopes);
        }
        let newest = live().next_back().or_else(|| record.roles.last());
        let tokens = record.roles.iter().map(|grant| {
            let times = device.times(grant.role);
            TokenRow {
                role: grant.role.as_str(),
                scopes: words(&grant.scopes),
                created_at_ms: times.map_or(device.created_at_ms, |times| times.created_at_ms),
                rotated_at_ms: times.and_then(|times| times.rotated_at_ms),
                revoked_at_ms: times.and_then(|times| times.revoked_at_ms),
            }
        });
        Self {
            device_id: record.id.as_str().to_owned(),
            public_key: record.public_key.encode(),
            display_name: device.label.clone().or_else(|| applicant.display_name.clone()),
            label: device.label.clone(),
            platform: applicant.platform.clone(),
            device_family: applicant.device_family.clone(),
            client_id: applicant.client_id.clone(),
            client_mode: applicant.client_mode.clone(),
            role: newest.map_or("operator", |grant| grant.role.as_str()),
            roles: live().map(|grant| grant.role.as_str()).collect(),
            scopes: words(&scopes),
            remote_ip: applicant.remote_ip.map(|ip| ip.to_string()),
            approved_via: device.approved_via.clone(),
            created_at_ms: device.created_at_ms,
            approved_at_ms: device.approved_at_ms,
            last_seen_at_ms: device.last_seen_at_ms,
            connected: None,
            tokens: tokens.collect(),
        }
    }
}

fn words(scopes: &ScopeSet) -> Vec<String> {
    scopes.words().map(str::to_owned).collect()
}

impl From<DeviceError> for ErrorShape {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Store(_) => {
                tracing::error!(%error, "a device change could not be written");
                Self::unavailable("state could not be written; see the gateway's log")
            }
            DeviceError::TooManyRequests => {
                Self::unavailable(error.to_string()).retry_after(60_000)
            }
            DeviceError::UnknownRequest
            | DeviceError::UnknownDevice
            | DeviceError::UnknownRole
            | DeviceError::RotationDenied => Self::invalid(error.to_string()),
        }
    }
}

/// Pending requests and paired devices.
#[derive(Debug)]
pub struct List;

#[derive(Debug, Serialize)]
pub struct ListReply {
    pending: Vec<PendingRow>,
    paired: Vec<DeviceRow>,
}

impl Method for List {
    const NAME: &'static str = "device.pair.list";
    const GATE: Gate = PAIRING;
    type Params = NoParams;
    type Reply = ListReply;

    async fn call(ctx: Ctx, _params: NoParams) -> Result<ListReply, ErrorShape> {
        let services = &ctx.services;
        let (pending, paired) = services.devices.list(services.clock.now_ms());
        let here = services.hub.devices();
        let row = |device: &Device| DeviceRow {
            connected: Some(here.contains(&device.record.id)),
            ..DeviceRow::of(device)
        };
        Ok(ListReply {
            pending: pending.iter().map(PendingRow::of).collect(),
            paired: paired.iter().map(row).collect(),
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RequestParams {
    request_id: RequestId,
}

/// Lets a device in, with exactly the role and scopes that the request shows.
#[derive(Debug)]
pub struct Approve;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApproveReply {
    request_id: RequestId,
    device: DeviceRow,
}

impl Method for Approve {
    const NAME: &'static str = "device.pair.approve";
    const GATE: Gate = PAIRING;
    type Params = RequestParams;
    type Reply = ApproveReply;

    async fn call(ctx: Ctx, params: RequestParams) -> Result<ApproveReply, ErrorShape> {
        let services = &ctx.services;
        let now = services.clock.now_ms();
        let id = params.request_id;
        let pending = services.devices.pending(&id, now);
        // Official clients ask again with admin when, and only when, they read these words.
        let denied = || ErrorShape::invalid("device pairing approval denied");
        let admin = ctx.grant.allows(Scope::Admin);
        let pending = pending
            .ok_or_else(|| if admin { DeviceError::UnknownRequest.into() } else { denied() })?;
        may_hand_out(&ctx, pending.role, &pending.scopes).map_err(|_missing| denied())?;
        let device = services.devices.approve(&id, now).await?;
        tracing::info!(
            device = pending.device_id.as_str(),
            role = pending.role.as_str(),
            "device pairing approved"
        );
        resolved(services, &pending, "approved", now);
        Ok(ApproveReply { request_id: id, device: DeviceRow::of(&device) })
    }
}

/// A grant of `scopes` for `role` must lie within what the caller holds (rows H10, H11).
fn may_hand_out(ctx: &Ctx, role: Role, scopes: &ScopeSet) -> Result<(), ErrorShape> {
    let grant: &Grant = &ctx.grant;
    if role != Role::Operator && !grant.allows(Scope::Admin) {
        return Err(forbidden(
            ctx.protocol,
            "approving this role needs operator.admin",
            Scope::Admin,
        ));
    }
    match scopes.iter().find(|scope| !grant.allows(*scope)) {
        Some(scope) => {
            let message = format!("missing scope: {}", scope.as_str());
            Err(forbidden(ctx.protocol, &message, scope))
        }
        None => Ok(()),
    }
}

fn forbidden(protocol: Protocol, message: &str, scope: Scope) -> ErrorShape {
    match protocol {
        Protocol::V3 => ErrorShape::invalid(message.to_owned()),
        Protocol::V4 => ErrorShape::new(ErrorCode::Forbidden, message.to_owned()).with_details(json!({
            "code": "MISSING_SCOPE", "missingScope": scope.as_str(), "requiredScopes": [scope.as_str()],
        })),
    }
}

/// Tells operators that a request was answered.
pub fn resolved(services: &Services, pending: &Pending, decision: &str, now: UnixMs) {
    let payload = json!({
        "requestId": pending.request_id, "deviceId": pending.device_id.as_str(), "decision": decision, "ts": now,
    });
    services.hub.publish(&kinds::DEVICE_PAIR_RESOLVED, frame::to_json(&payload), None);
}

fn changed(services: &Services) {
    services.hub.publish(&kinds::DEVICE_PAIR_CHANGED, frame::to_json(&json!({})), None);
}

/// Drops a request.
#[derive(Debug)]
pub struct Reject;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectReply {
    request_id: RequestId,
    device_id: String,
}

impl Method for Reject {
    const NAME: &'static str = "device.pair.reject";
    const GATE: Gate = PAIRING;
    type Params = RequestParams;
    type Reply = RejectReply;

    async fn call(ctx: Ctx, params: RequestParams) -> Result<RejectReply, ErrorShape> {
        let services = &ctx.services;
        let now = services.clock.now_ms();
        let pending = services.devices.reject(&params.request_id, now).await?;
        tracing::info!(device = pending.device_id.as_str(), "device pairing rejected");
        resolved(services, &pending, "rejected", now);
        Ok(RejectReply {
            request_id: params.request_id,
            device_id: pending.device_id.as_str().to_owned(),
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DeviceParams {
    device_id: String,
}

/// Forgets a device and closes its connections within the second (row H20).
#[derive(Debug)]
pub struct Remove;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoveReply {
    device_id: String,
}

impl Method for Remove {
    const NAME: &'static str = "device.pair.remove";
    const GATE: Gate = PAIRING;
    type Params = DeviceParams;
    type Reply = RemoveReply;

    async fn call(ctx: Ctx, params: DeviceParams) -> Result<RemoveReply, ErrorShape> {
        let services = &ctx.services;
        let id = device_id(&params.device_id)?;
        may_manage(&ctx, &id)?;
        services.devices.remove(&id).await?;
        let closed = services.hub.close_device(&id, None);
        tracing::info!(device = id.as_str(), closed, "device pairing removed");
        changed(services);
        Ok(RemoveReply { device_id: params.device_id })
    }
}

fn device_id(text: &str) -> Result<DeviceId, DeviceError> {
    DeviceId::parse(text).ok_or(DeviceError::UnknownDevice)
}

/// A caller without admin manages its own device only, or one that holds no more than itself.
fn may_manage(ctx: &Ctx, id: &DeviceId) -> Result<(), ErrorShape> {
    let own = ctx.grant.device().is_some_and(|device| device.id() == id);
    if own || ctx.grant.allows(Scope::Admin) {
        return Ok(());
    }
    let record = ctx.services.devices.record(id).ok_or(DeviceError::UnknownDevice)?;
    let live = record.roles.iter().filter(|grant| !grant.revoked);
    live.into_iter().try_for_each(|grant| may_hand_out(ctx, grant.role, &grant.scopes))
}

/// Names a device.
#[derive(Debug)]
pub struct Rename;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RenameParams {
    device_id: String,
    label: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenameReply {
    device_id: String,
    label: String,
}

/// Characters of a label (upstream).
const LABEL: usize = 64;

impl Method for Rename {
    const NAME: &'static str = "device.pair.rename";
    const GATE: Gate = PAIRING;
    type Params = RenameParams;
    type Reply = RenameReply;

    async fn call(ctx: Ctx, params: RenameParams) -> Result<RenameReply, ErrorShape> {
        let label = params.label.trim().to_owned();
        if label.is_empty() || label.chars().count() > LABEL {
            return Err(ErrorShape::invalid(format!("label must have 1 to {LABEL} characters")));
        }
        let id = device_id(&params.device_id)?;
        may_manage(&ctx, &id)?;
        ctx.services.devices.rename(&id, &label).await?;
        changed(&ctx.services);
        Ok(RenameReply { device_id: params.device_id, label })
    }
}

/// A new token for one role; the old one stops working and its connections are closed.
#[derive(Debug)]
pub struct Rotate;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RotateParams {
    device_id: String,
    role: String,
    #[serde(default)]
    scopes: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RotateReply {
    device_id: String,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    scopes: Vec<String>,
    rotated_at_ms: UnixMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_delivery: Option<&'static str>,
}

impl Method for Rotate {
    const NAME: &'static str = "device.token.rotate";
    const GATE: Gate = PAIRING;
    type Params = RotateParams;
    type Reply = RotateReply;

    async fn call(ctx: Ctx, params: RotateParams) -> Result<RotateReply, ErrorShape> {
        let services = &ctx.services;
        let (id, role) = (device_id(&params.device_id)?, role(&params.role)?);
        let asked = params.scopes.map(ScopeSet::from_sent).transpose();
        let asked = asked.map_err(|denied| ErrorShape::invalid(denied.message().into_owned()))?;
        let record = services.devices.record(&id).ok_or(DeviceError::UnknownDevice)?;
        let live = record.role(role).ok_or(DeviceError::RotationDenied)?;
        may_hand_out(&ctx, role, asked.as_ref().unwrap_or(&live.scopes))
            .map_err(|_missing| DeviceError::RotationDenied)?;
        let device =
            services.devices.rotate(&id, role, asked.as_ref(), services.clock.now_ms()).await?;
        let live = device.record.role(role).ok_or(DeviceError::UnknownRole)?;
        let own =
            ctx.grant.device().is_some_and(|device| *device.id() == id) && ctx.grant.role() == role;
        let token = own
            .then(|| services.token_key.derive(&id, role, live.generation).expose_str().to_owned());
        let reply = RotateReply {
            device_id: params.device_id,
            role: role.as_str(),
            token_delivery: token.is_none().then_some("withheld-cross-device"),
            token,
            scopes: words(&live.scopes),
            rotated_at_ms: device.times(role).map_or(0, TokenTimes::issued_at),
        };
        let closed = services.hub.close_device_except(&id, role, own.then_some(&ctx.grant));
        tracing::info!(device = id.as_str(), role = role.as_str(), closed, "device token rotated");
        changed(services);
        Ok(reply)
    }
}

fn role(word: &str) -> Result<Role, ErrorShape> {
    Role::parse(Some(word)).map_err(|_denied| ErrorShape::from(DeviceError::UnknownRole))
}

/// Ends a role's token.
#[derive(Debug)]
pub struct Revoke;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RevokeParams {
    device_id: String,
    role: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevokeReply {
    device_id: String,
    role: &'static str,
    revoked_at_ms: UnixMs,
}

impl Method for Revoke {
    const NAME: &'static str = "device.token.revoke";
    const GATE: Gate = PAIRING;
    type Params = RevokeParams;
    type Reply = RevokeReply;

    async fn call(ctx: Ctx, params: RevokeParams) -> Result<RevokeReply, ErrorShape> {
        let services = &ctx.services;
        let (id, role) = (device_id(&params.device_id)?, role(&params.role)?);
        may_manage(&ctx, &id)?;
        let now = services.clock.now_ms();
        services.devices.revoke(&id, role, now).await.map_err(|error| {
            if matches!(error, DeviceError::UnknownRole) {
                return ErrorShape::invalid("device token revocation denied");
            }
            error.into()
        })?;
        let closed = services.hub.close_device(&id, Some(role));
        tracing::info!(device = id.as_str(), role = role.as_str(), closed, "device token revoked");
        changed(services);
        Ok(RevokeReply { device_id: params.device_id, role: role.as_str(), revoked_at_ms: now })
    }
}
