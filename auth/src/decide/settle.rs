//! Steps 13 and 14: what was approved, what is asked, and the grant or the pairing that follows.

use super::credential::Proven;
use super::shape::is_browser_id;
use super::{Ask, Client, Decision};
use crate::admit::Admitted;
use crate::denied::{Cause, Denied};
use crate::device::VerifiedDevice;
use crate::grant::{Grant, GrantDevice, Method};
use crate::limiter::ClientKey;
use crate::pairing::{Approval, DeviceRecord, PairNeed, PairReason, RoleGrant};
use crate::policy::{Policy, Protocol};
use crate::role::Role;
use crate::scope::ScopeSet;
use crate::token::TokenKey;
use crate::trace::{Outcome, Trace};

/// Whether the client speaks from this host with the right secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nearness {
    /// Locality proven and the secret presented and right, or mode `none`.
    Local,
    Remote,
}

/// A client whose device and credential were verified; kept in a [`PairNeed`] so that nothing is verified twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    protocol: Protocol,
    role: Role,
    scopes: ScopeSet,
    client: ClientKey,
    kind: ClientKind,
    platform: Box<str>,
    device_family: Option<Box<str>>,
    device: Option<VerifiedDevice>,
    proven: Proven,
    nearness: Nearness,
    silent: Approval,
}

/// The two clients that need no device on this host (protocol 4.4, 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientKind {
    Cli,
    Backend,
    Other,
}

impl Proof {
    pub(crate) fn new(
        policy: &Policy,
        admitted: &Admitted,
        ask: &Ask,
        device: Option<VerifiedDevice>,
        proven: Proven,
    ) -> Self {
        let secret = match proven.method {
            Method::Token | Method::Password | Method::None => true,
            Method::DeviceToken | Method::TrustedProxy | Method::Tailscale => false,
        };
        let local = admitted.is_local() && secret;
        let page = admitted.origin().is_some();
        let quiet = local && policy.auto_approve_local && (!page || is_browser_id(&ask.client.id));
        Self {
            protocol: ask.protocol,
            role: ask.role,
            scopes: ask.scopes.known(),
            client: admitted.client().clone(),
            kind: kind_of(&ask.client),
            platform: ask.client.platform.clone(),
            device_family: ask.client.device_family.clone(),
            device,
            proven,
            nearness: if local { Nearness::Local } else { Nearness::Remote },
            silent: if quiet { Approval::Silent } else { Approval::Operator },
        }
    }

    fn is_local(&self) -> bool {
        self.nearness == Nearness::Local
    }
}

fn kind_of(client: &Client) -> ClientKind {
    match (&*client.id, &*client.mode) {
        ("cli", "cli") => ClientKind::Cli,
        ("gateway-client", "backend") => ClientKind::Backend,
        _ => ClientKind::Other,
    }
}

pub(super) fn settle(
    policy: &Policy,
    proof: Proof,
    record: Option<&DeviceRecord>,
    token_key: &TokenKey,
    trace: &mut Trace,
) -> Decision {
    let Some(device) = proof.device.clone() else {
        return allow(deviceless(policy, &proof), trace);
    };
    let (reason, grant) = match standing(&proof, record) {
        Ok(grant) => (None, Some(grant)),
        Err(reason) => (Some(reason), record.and_then(|record| record.role(proof.role))),
    };
    let Some(reason) = reason else {
        let Some(role) = grant else { return deny(Cause::DeviceIdentityRequired, &proof, trace) };
        return allow(paired(policy, &proof, role, (&device, token_key)), trace);
    };
    // A device token never asks for more than it has (protocol 6.6).
    if reason == PairReason::ScopeUpgrade && proof.proven.method == Method::DeviceToken {
        return deny(Cause::ScopeMismatch, &proof, trace);
    }
    // Dropping the device block would give it the same (protocol 6.1).
    if proof.kind == ClientKind::Backend && proof.role == Role::Operator && proof.is_local() {
        trace.push("pairing", Outcome::Skip, || "a local backend with the secret needs none");
        return allow(deviceless(policy, &proof), trace);
    }
    let need = need(proof, &device, reason, record);
    trace.push("pairing", Outcome::Downgrade, || {
        let how = if need.approval == Approval::Silent { "silently" } else { "by an operator" };
        format!("{}, to be approved {how}", reason.as_str())
    });
    Decision::Pair(Box::new(need))
}

/// Decide again after a silent approval was stored, without comparing or verifying anything twice.
///
/// `record` is the device as stored now. A need of another device, or one that the record still does not meet, ends in
/// a refusal or in another [`Decision::Pair`], never in a grant.
#[must_use]
pub fn resume(
    policy: &Policy,
    need: &PairNeed,
    record: &DeviceRecord,
    token_key: &TokenKey,
    trace: &mut Trace,
) -> Decision {
    let proof = need.proof.clone();
    if record.id != need.id || record.public_key != need.public_key {
        return deny(Cause::DeviceIdentityRequired, &proof, trace);
    }
    settle(policy, proof, Some(record), token_key, trace)
}

/// The live grant that covers what is asked, or why there is none.
fn standing<'a>(
    proof: &Proof,
    record: Option<&'a DeviceRecord>,
) -> Result<&'a RoleGrant, PairReason> {
    let record = record.ok_or(PairReason::NotPaired)?;
    let grant = record.role(proof.role).ok_or(PairReason::RoleUpgrade)?;
    let platform = pinned(record.platform.as_deref(), Some(&proof.platform));
    let family = pinned(record.device_family.as_deref(), proof.device_family.as_deref());
    if !platform || !family {
        return Err(PairReason::MetadataUpgrade);
    }
    // Operator scopes mean nothing to a node.
    if proof.role == Role::Operator && !grant.scopes.covers(&proof.scopes) {
        return Err(PairReason::ScopeUpgrade);
    }
    Ok(grant)
}

/// What was approved must come again; what was never approved pins nothing (H5).
fn pinned(approved: Option<&str>, sent: Option<&str>) -> bool {
    approved.is_none_or(|approved| {
        approved.trim().eq_ignore_ascii_case(sent.unwrap_or_default().trim())
    })
}

/// The right secret without a device: scopes only for the two local clients, and never more than a mode gives (H8).
fn deviceless(policy: &Policy, proof: &Proof) -> Grant {
    let keeps = match proof.kind {
        ClientKind::Cli | ClientKind::Backend => proof.is_local(),
        ClientKind::Other => false,
    };
    let scopes = if keeps { proof.scopes.clone() } else { ScopeSet::empty() };
    grant(policy, proof, scopes, None)
}

fn paired(
    policy: &Policy,
    proof: &Proof,
    role: &RoleGrant,
    (device, token_key): (&VerifiedDevice, &TokenKey),
) -> Grant {
    let scopes = match (proof.role, &proof.proven.ceiling) {
        (Role::Node, _) => ScopeSet::empty(),
        (Role::Operator, None) => proof.scopes.within(&role.scopes),
        (Role::Operator, Some(ceiling)) => proof.scopes.within(&role.scopes).within(ceiling),
    };
    let device = GrantDevice {
        id: device.id().clone(),
        generation: role.generation,
        token: token_key.derive(device.id(), role.role, role.generation),
        token_scopes: role.scopes.clone(),
    };
    grant(policy, proof, scopes, Some(device))
}

fn grant(policy: &Policy, proof: &Proof, scopes: ScopeSet, device: Option<GrantDevice>) -> Grant {
    Grant {
        role: proof.role,
        scopes,
        method: proof.proven.method,
        device,
        client: proof.client.clone(),
        user: proof.proven.user.clone(),
        policy_generation: policy.generation,
    }
}

fn need(
    proof: Proof,
    device: &VerifiedDevice,
    reason: PairReason,
    record: Option<&DeviceRecord>,
) -> PairNeed {
    // Another role for a known device is a change of kind, which only an operator makes (protocol 6.1).
    let another_kind = reason == PairReason::RoleUpgrade && proof.role != Role::Operator;
    let approval = if another_kind { Approval::Operator } else { proof.silent };
    let live = record.into_iter().flat_map(|record| &record.roles).filter(|grant| !grant.revoked);
    let scopes = match proof.role {
        Role::Operator => proof.scopes.clone(),
        Role::Node => ScopeSet::empty(),
    };
    PairNeed {
        reason,
        approval,
        id: device.id().clone(),
        public_key: *device.key(),
        role: proof.role,
        scopes,
        approved: live.map(|grant| (grant.role, grant.scopes.clone())).collect(),
        protocol: proof.protocol,
        proof,
    }
}

fn allow(grant: Grant, trace: &mut Trace) -> Decision {
    trace.push("grant", Outcome::Pass, || {
        let words: Vec<&str> = grant.scopes.words().collect();
        format!("{} by {} with [{}]", grant.role, grant.method, words.join(", "))
    });
    Decision::Allow(Box::new(grant))
}

fn deny(cause: Cause, proof: &Proof, trace: &mut Trace) -> Decision {
    let denied = Denied::new(cause).for_protocol(proof.protocol);
    trace.push(denied.reason(), Outcome::Deny, || denied.message().into_owned());
    Decision::Deny(denied)
}
