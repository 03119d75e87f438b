//! Steps 8 and 11-14: one `connect`, decided.

use std::sync::Mutex;

use crate::admit::Admitted;
use crate::denied::{Cause, Denied};
use crate::device::{Challenge, DeviceProof};
use crate::grant::Grant;
use crate::limiter::Limiter;
use crate::pairing::{DeviceRecord, PairNeed};
use crate::policy::{Now, Policy, Protocol};
use crate::role::Role;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::token::TokenKey;
use crate::trace::Trace;
use crate::via::WhoisAnswer;

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

/// What is known besides the words of the client.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    pub admitted: &'a Admitted,
    pub challenge: &'a Challenge,
    /// The record stored under `ask.device.id`, if any.
    pub record: Option<&'a DeviceRecord>,
    pub token_key: &'a TokenKey,
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
    /// Store a silent approval and decide again, or create a pending request and answer [`PairNeed::denied`].
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
    let _ = (policy, evidence, ask, now, ledger);
    Decision::Deny(Denied::new(Cause::DeviceIdentityRequired))
}

/// Decide again after a silent approval was stored, without comparing or verifying anything twice.
#[must_use]
pub fn resume(
    policy: &Policy,
    need: &PairNeed,
    record: &DeviceRecord,
    token_key: &TokenKey,
    trace: &mut Trace,
) -> Decision {
    let _ = (policy, need, record, token_key, trace);
    Decision::Deny(Denied::new(Cause::DeviceIdentityRequired))
}
