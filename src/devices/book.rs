//! The devices in memory. Pure: computes what a change would give; `Devices` writes it and puts it in.

use std::{collections::HashMap, sync::Arc};

use openclaw_auth::{DeviceId, DeviceRecord, PairNeed, PublicKey, Role, RoleGrant, ScopeSet};
use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;

use super::{Applicant, ApprovedVia, DeviceError};

/// A request waits this long (upstream).
pub(super) const PENDING_TTL_MS: u64 = 5 * 60 * 1000;

/// Requests that may wait at a time (row F24).
const MAX_PENDING: usize = 32;

/// Requests from one address (row F24): the fourth replaces its oldest.
const MAX_PENDING_PER_IP: usize = 3;

/// Names a pending request on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub String);

impl RequestId {
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }
}

/// What a device asks for and an operator has not answered yet.
#[derive(Debug, Clone)]
pub struct Pending {
    pub request_id: RequestId,
    pub device_id: DeviceId,
    pub public_key: PublicKey,
    pub applicant: Applicant,
    pub role: Role,
    pub scopes: ScopeSet,
    /// Binds the request to what it asks for (row H12).
    pub digest: String,
    pub is_repair: bool,
    pub created_at_ms: UnixMs,
}

impl Pending {
    pub(super) fn new(
        need: &PairNeed,
        applicant: Applicant,
        now: UnixMs,
        known: Option<&Device>,
    ) -> Self {
        Self {
            request_id: RequestId::random(),
            device_id: need.device_id().clone(),
            public_key: *need.public_key(),
            applicant,
            role: need.role(),
            scopes: need.scopes().clone(),
            digest: need.digest(),
            is_repair: known.is_some(),
            created_at_ms: now,
        }
    }

    fn is_alive(&self, now: UnixMs) -> bool {
        self.created_at_ms + PENDING_TTL_MS > now
    }
}

/// What filing a question gave.
#[derive(Debug, Clone)]
pub enum Request {
    /// The very same question waits already.
    Waiting(Pending),
    /// A new request; `gone` are those it took the place of.
    Filed { pending: Pending, gone: Vec<RequestId> },
}

impl Request {
    #[must_use]
    pub fn pending(&self) -> &Pending {
        match self {
            Self::Waiting(pending) | Self::Filed { pending, .. } => pending,
        }
    }
}

/// When the token of one role changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTimes {
    pub role: Role,
    pub created_at_ms: UnixMs,
    pub rotated_at_ms: Option<UnixMs>,
    pub revoked_at_ms: Option<UnixMs>,
}

impl TokenTimes {
    #[must_use]
    pub fn issued_at(&self) -> UnixMs {
        self.rotated_at_ms.unwrap_or(self.created_at_ms)
    }
}

/// A paired device with everything a person may want to see of it.
#[derive(Debug, Clone)]
pub struct Device {
    pub record: Arc<DeviceRecord>,
    pub applicant: Applicant,
    pub label: Option<String>,
    pub approved_via: String,
    pub created_at_ms: UnixMs,
    pub approved_at_ms: UnixMs,
    pub last_seen_at_ms: Option<UnixMs>,
    pub tokens: Vec<TokenTimes>,
}

impl Device {
    #[must_use]
    pub fn times(&self, role: Role) -> Option<&TokenTimes> {
        self.tokens.iter().find(|times| times.role == role)
    }

    fn times_mut(&mut self, role: Role, now: UnixMs) -> Option<&mut TokenTimes> {
        if !self.tokens.iter().any(|times| times.role == role) {
            self.tokens.push(TokenTimes {
                role,
                created_at_ms: now,
                rotated_at_ms: None,
                revoked_at_ms: None,
            });
        }
        self.tokens.iter_mut().find(|times| times.role == role)
    }
}

/// All devices and requests.
#[derive(Debug, Default)]
pub(super) struct Book {
    devices: HashMap<DeviceId, Device>,
    pending: Vec<Pending>,
    /// Generations handed out, over all devices: one is never used twice, not even by a device that was
    /// removed and paired again.
    generations: u64,
    seen: HashMap<DeviceId, UnixMs>,
}

impl Book {
    pub(super) fn new(devices: Vec<Device>, pending: Vec<Pending>, generations: u64) -> Self {
        let devices =
            devices.into_iter().map(|device| (device.record.id.clone(), device)).collect();
        Self { devices, pending, generations, seen: HashMap::new() }
    }

    pub(super) fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.get(id)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &DeviceRecord> {
        self.devices.values().map(|device| &*device.record)
    }

    pub(super) fn generations(&self) -> u64 {
        self.generations
    }

    pub(super) fn pending(&self, id: &RequestId, now: UnixMs) -> Option<&Pending> {
        self.pending.iter().find(|pending| pending.request_id == *id && pending.is_alive(now))
    }

    pub(super) fn list(&self, now: UnixMs) -> (Vec<Pending>, Vec<Device>) {
        let pending =
            self.pending.iter().filter(|pending| pending.is_alive(now)).cloned().collect();
        let mut devices: Vec<Device> = self.devices.values().cloned().collect();
        devices.sort_by(|a, b| {
            (a.created_at_ms, &a.record.id.as_str()).cmp(&(b.created_at_ms, &b.record.id.as_str()))
        });
        (pending, devices)
    }

    pub(super) fn file(
        &self,
        need: &PairNeed,
        applicant: Applicant,
        now: UnixMs,
    ) -> Result<Request, DeviceError> {
        let alive = || self.pending.iter().filter(|pending| pending.is_alive(now));
        let old = alive().find(|pending| pending.device_id == *need.device_id());
        let pending = Pending::new(need, applicant, now, self.device(need.device_id()));
        if let Some(old) = old {
            if old.digest == pending.digest {
                return Ok(Request::Waiting(old.clone()));
            }
            return Ok(Request::Filed { pending, gone: vec![old.request_id.clone()] });
        }
        let same_ip: Vec<&Pending> = alive()
            .filter(|old| {
                old.applicant.remote_ip.is_some()
                    && old.applicant.remote_ip == pending.applicant.remote_ip
            })
            .collect();
        if let Some(oldest) = same_ip.first().filter(|_| same_ip.len() >= MAX_PENDING_PER_IP) {
            return Ok(Request::Filed { pending, gone: vec![oldest.request_id.clone()] });
        }
        if alive().count() >= MAX_PENDING {
            return Err(DeviceError::TooManyRequests);
        }
        Ok(Request::Filed { pending, gone: Vec::new() })
    }

    /// What the device is once `pending` is approved: its approved scopes of the role, and the new ones.
    pub(super) fn approved(&mut self, pending: &Pending, via: ApprovedVia, now: UnixMs) -> Device {
        let known = self.devices.get(&pending.device_id);
        let mut roles = known.map(|device| device.record.roles.clone()).unwrap_or_default();
        let old = roles.iter().position(|grant| grant.role == pending.role);
        let old = old.map(|at| roles.remove(at)).filter(|grant| !grant.revoked);
        let generation = match &old {
            Some(grant) => grant.generation,
            None => {
                self.generations += 1;
                self.generations
            }
        };
        let scopes = old.as_ref().map_or_else(ScopeSet::empty, |grant| grant.scopes.clone());
        let scopes = scopes.union(&pending.scopes).normalised();
        roles.push(RoleGrant { role: pending.role, scopes, generation, revoked: false });
        let record = DeviceRecord {
            id: pending.device_id.clone(),
            public_key: pending.public_key,
            platform: pending.applicant.platform.as_deref().map(Into::into),
            device_family: pending.applicant.device_family.as_deref().map(Into::into),
            roles,
        };
        let mut device = Device {
            record: Arc::new(record),
            applicant: pending.applicant.clone(),
            label: known.and_then(|device| device.label.clone()),
            approved_via: via.as_str().to_owned(),
            created_at_ms: known.map_or(now, |device| device.created_at_ms),
            approved_at_ms: now,
            last_seen_at_ms: known.and_then(|device| device.last_seen_at_ms),
            tokens: known.map(|device| device.tokens.clone()).unwrap_or_default(),
        };
        if let Some(times) = device.times_mut(pending.role, now).filter(|_| old.is_none()) {
            *times = TokenTimes {
                role: pending.role,
                created_at_ms: now,
                rotated_at_ms: None,
                revoked_at_ms: None,
            };
        }
        device
    }

    pub(super) fn rotated(
        &mut self,
        id: &DeviceId,
        role: Role,
        scopes: Option<&ScopeSet>,
        now: UnixMs,
    ) -> Result<Device, DeviceError> {
        let generation = self.generations + 1;
        let device = self.changed(id, role, |grant| {
            if let Some(scopes) = scopes {
                if !grant.scopes.covers(scopes) {
                    return Err(DeviceError::RotationDenied);
                }
                grant.scopes = scopes.normalised();
            }
            grant.generation = generation;
            Ok(())
        })?;
        self.generations = generation;
        Ok(stamped(device, role, now, |times| times.rotated_at_ms = Some(now)))
    }

    pub(super) fn revoked(
        &mut self,
        id: &DeviceId,
        role: Role,
        now: UnixMs,
    ) -> Result<Device, DeviceError> {
        let device = self.changed(id, role, |grant| {
            grant.revoked = true;
            Ok(())
        })?;
        Ok(stamped(device, role, now, |times| times.revoked_at_ms = Some(now)))
    }

    /// A copy of a device with one live role changed.
    fn changed(
        &self,
        id: &DeviceId,
        role: Role,
        change: impl FnOnce(&mut RoleGrant) -> Result<(), DeviceError>,
    ) -> Result<Device, DeviceError> {
        let mut device = self.devices.get(id).cloned().ok_or(DeviceError::UnknownDevice)?;
        let mut record = DeviceRecord::clone(&device.record);
        let live = record.roles.iter_mut().find(|grant| grant.role == role && !grant.revoked);
        change(live.ok_or(DeviceError::UnknownRole)?)?;
        device.record = Arc::new(record);
        Ok(device)
    }

    pub(super) fn put_device(&mut self, device: Device) {
        self.devices.insert(device.record.id.clone(), device);
    }

    pub(super) fn put_pending(&mut self, pending: Pending, gone: &[RequestId]) {
        self.pending
            .retain(|old| old.request_id != pending.request_id && !gone.contains(&old.request_id));
        self.pending.push(pending);
    }

    pub(super) fn drop_pending(&mut self, id: &RequestId) {
        self.pending.retain(|pending| pending.request_id != *id);
    }

    pub(super) fn remove(&mut self, id: &DeviceId) {
        self.devices.remove(id);
        self.seen.remove(id);
        self.pending.retain(|pending| pending.device_id != *id);
    }

    pub(super) fn seen(&mut self, id: &DeviceId, now: UnixMs) {
        if let Some(device) = self.devices.get_mut(id) {
            device.last_seen_at_ms = Some(now);
            self.seen.insert(id.clone(), now);
        }
    }

    pub(super) fn take_seen(&mut self) -> HashMap<DeviceId, UnixMs> {
        std::mem::take(&mut self.seen)
    }

    pub(super) fn take_expired(&mut self, now: UnixMs) -> Vec<Pending> {
        let (alive, expired) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|pending| pending.is_alive(now));
        self.pending = alive;
        expired
    }
}

fn stamped(
    mut device: Device,
    role: Role,
    now: UnixMs,
    stamp: impl FnOnce(&mut TokenTimes),
) -> Device {
    if let Some(times) = device.times_mut(role, now) {
        stamp(times);
    }
    device
}
