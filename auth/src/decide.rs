//! Steps 8 and 11-14: one `connect`, decided.
//!
//! ```text
//! shape       what this client must bring at all: Origin, device        decide/shape.rs
//! device      id, time, nonce, signature                                 device/signature.rs
//! credential  shared secret, device token, proxy, tailscaled             decide/credential.rs
//! settle      approved for this? scopes, token, or pairing               decide/settle.rs
//! ```
//!
//! Pure but for the limiter, which is locked only around check, compare and record.

use std::sync::Mutex;

use crate::admit::Admitted;
use crate::denied::{Cause, Denied, Retry, SecretKind, Speaker, Tone};
use crate::device::{Challenge, DeviceFault, DeviceProof, Signed, VerifiedDevice, verify};
use crate::grant::Grant;
use crate::limiter::Limiter;
use crate::pairing::{DeviceRecord, PairNeed};
use crate::policy::{Mode, Now, Policy, Protocol};
use crate::role::Role;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::token::TokenKey;
use crate::trace::{Outcome, Trace};
use crate::via::WhoisAnswer;

pub(crate) mod credential;
mod identity;
mod settle;
mod shape;

pub(crate) use settle::Proof;
pub use settle::resume;

/// `connect.params.client`, as far as decisions need it.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub id: Box<str>,
    pub mode: Box<str>,
    pub platform: Box<str>,
    pub device_family: Option<Box<str>>,
}

/// One `connect`, parsed.
#[derive(Clone, Debug)]
pub struct Ask {
    pub protocol: Protocol,
    pub role: Role,
    pub scopes: ScopeSet,
    pub client: Client,
    /// `auth.token`.
    pub token: Option<Secret>,
    /// `auth.password`.
    pub password: Option<Secret>,
    /// `auth.deviceToken`.
    pub device_token: Option<Secret>,
    pub device: Option<DeviceProof>,
}

impl Ask {
    /// What the signature covers: `auth.token`, else `auth.deviceToken` (protocol 5.2).
    fn signed_token(&self) -> &[u8] {
        self.token.as_ref().or(self.device_token.as_ref()).map_or(&[], Secret::expose)
    }
}

/// What is known besides the words of the client.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    pub admitted: &'a Admitted,
    pub challenge: &'a Challenge,
    /// The record stored under `ask.device.id`, if any.
    pub record: Option<&'a DeviceRecord>,
    pub token_key: &'a TokenKey,
    /// tailscaled's answer about [`Admitted::client_ip`]; a tailnet listener may ask too.
    pub whois: WhoisAnswer<'a>,
}

/// Where a decision counts and writes.
#[derive(Debug)]
pub struct Ledger<'a> {
    /// Locked only around check, compare and record, so that no more than N secrets are compared per window (F7).
    pub limiter: &'a Mutex<Limiter>,
    pub trace: &'a mut Trace,
}

/// What becomes of a `connect`.
#[derive(Clone, Debug)]
pub enum Decision {
    Allow(Box<Grant>),
    /// Store a silent approval and [`resume`], or create a pending request and answer [`PairNeed::denied`].
    Pair(Box<PairNeed>),
    Deny(Denied),
}

/// Decide one `connect`.
#[must_use]
pub fn decide(
    policy: &Policy,
    evidence: &Evidence<'_>,
    ask: &Ask,
    now: Now,
    ledger: &mut Ledger<'_>,
) -> Decision {
    match prove(policy, evidence, ask, now, ledger) {
        Ok(proof) => {
            settle::settle(policy, proof, evidence.record, evidence.token_key, ledger.trace)
        }
        Err(denied) => {
            let denied = denied.toned(tone(policy, evidence.admitted, ask));
            ledger.trace.push(denied.reason(), Outcome::Deny, || denied.message().into_owned());
            Decision::Deny(denied)
        }
    }
}

/// Everything that does not depend on what was approved before.
fn prove(
    policy: &Policy,
    evidence: &Evidence<'_>,
    ask: &Ask,
    now: Now,
    ledger: &mut Ledger<'_>,
) -> Result<Proof, Denied> {
    shape::check(policy, evidence.admitted, ask)?;
    let device = verified_device(evidence, ask, now)?;
    match &device {
        Some(device) => ledger.trace.push("device", Outcome::Pass, || device.id().to_string()),
        None => ledger.trace.push("device", Outcome::Skip, || "no device block"),
    }
    let scene = credential::Scene { policy, evidence, ask, device: device.as_ref(), now };
    let proven = credential::prove(&scene, ledger)?;
    ledger.trace.push("credential", Outcome::Pass, || proven.method.as_str());
    Ok(Proof::new(policy, evidence.admitted, ask, device, proven))
}

fn verified_device(
    evidence: &Evidence<'_>,
    ask: &Ask,
    now: Now,
) -> Result<Option<VerifiedDevice>, Denied> {
    let Some(proof) = &ask.device else { return Ok(None) };
    let signed = Signed {
        client_id: &ask.client.id,
        client_mode: &ask.client.mode,
        role: ask.role,
        scopes: &ask.scopes,
        signed_at: proof.signed_at,
        token: ask.signed_token(),
        nonce: proof.nonce.trim(),
        platform: &ask.client.platform,
        device_family: ask.client.device_family.as_deref().unwrap_or_default(),
    };
    let refused = |fault| Denied::new(Cause::Device(fault));
    let device = verify(proof, &signed, evidence.challenge, ask.protocol, now).map_err(refused)?;
    // H7: a record of another device, or of another key, is no record of this one.
    match evidence.record {
        Some(record) if record.id != *device.id() => Err(refused(DeviceFault::IdMismatch)),
        Some(record) if record.public_key != *device.key() => Err(refused(DeviceFault::PublicKey)),
        Some(_) | None => Ok(Some(device)),
    }
}

/// What the words of a refusal depend on.
fn tone(policy: &Policy, admitted: &Admitted, ask: &Ask) -> Tone {
    let secret = match policy.mode {
        Mode::Password(_) => SecretKind::Password,
        Mode::TrustedProxy(_) if policy.local_password.is_some() => SecretKind::Password,
        Mode::Token(_) | Mode::None | Mode::TrustedProxy(_) => SecretKind::Token,
    };
    let speaker = match (&*ask.client.id, admitted.is_local(), ask.protocol) {
        ("openclaw-control-ui", ..) => Speaker::ControlUi,
        ("cli", true, Protocol::V4) => Speaker::LocalCli,
        ("cli", ..) => Speaker::RemoteCli,
        _ => Speaker::Other,
    };
    let could = ask.device.is_some() && ask.token.is_some() && ask.device_token.is_none();
    let retry = if could { Retry::WithDeviceToken } else { Retry::No };
    Tone { protocol: ask.protocol, secret, speaker, retry }
}
