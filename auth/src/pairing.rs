//! Pairing as a pure decision: does this device already have what it asks for, and may it get it silently?
//!
//! The record is what an operator (or a silent local approval) agreed to; a grant never exceeds it (H9, H14, H15).
//! A pending request is bound to a digest of key, role and scopes, so what is approved is what was shown (H12).

use sha2::{Digest as _, Sha256};

use crate::decide::Proof;
use crate::denied::{Cause, Denied, PairingInfo};
use crate::device::{DeviceId, PublicKey, hex};
use crate::policy::Protocol;
use crate::role::Role;
use crate::scope::ScopeSet;

/// One approved role of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleGrant {
    pub role: Role,
    /// Normalised, see [`ScopeSet::normalised`].
    pub scopes: ScopeSet,
    /// Raised by rotation and revocation.
    pub generation: u64,
    pub revoked: bool,
}

/// A paired device as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRecord {
    pub id: DeviceId,
    pub public_key: PublicKey,
    /// As approved; compared trimmed and in ASCII lower case.
    pub platform: Option<Box<str>>,
    pub device_family: Option<Box<str>>,
    pub roles: Vec<RoleGrant>,
}

impl DeviceRecord {
    /// The live grant of a role.
    #[must_use]
    pub fn role(&self, role: Role) -> Option<&RoleGrant> {
        self.roles.iter().find(|grant| grant.role == role && !grant.revoked)
    }
}

/// Why a device has to be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairReason {
    NotPaired,
    RoleUpgrade,
    ScopeUpgrade,
    MetadataUpgrade,
}

impl PairReason {
    /// The word in `details.reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPaired => "not-paired",
            Self::RoleUpgrade => "role-upgrade",
            Self::ScopeUpgrade => "scope-upgrade",
            Self::MetadataUpgrade => "metadata-upgrade",
        }
    }
}

/// Whether the caller may approve on the spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Approval {
    /// Proven local with the secret: store the approval and decide again.
    Silent,
    /// An operator has to agree.
    Operator,
}

/// A device that is itself, but not approved for what it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairNeed {
    pub(crate) reason: PairReason,
    pub(crate) approval: Approval,
    pub(crate) id: DeviceId,
    pub(crate) public_key: PublicKey,
    pub(crate) role: Role,
    pub(crate) scopes: ScopeSet,
    pub(crate) approved: Vec<(Role, ScopeSet)>,
    pub(crate) protocol: Protocol,
    pub(crate) proof: Proof,
}

impl PairNeed {
    #[must_use]
    pub fn reason(&self) -> PairReason {
        self.reason
    }

    #[must_use]
    pub fn approval(&self) -> Approval {
        self.approval
    }

    #[must_use]
    pub fn device_id(&self) -> &DeviceId {
        &self.id
    }

    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// What an approval grants, known scopes only, in the order asked.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Binds a pending request to what it asks for (H12).
    #[must_use]
    pub fn digest(&self) -> String {
        request_digest(&self.public_key, self.role, &self.scopes)
    }

    /// The answer for the client once the pending request has an id.
    #[must_use]
    pub fn denied(&self, request_id: &str) -> Denied {
        let info = PairingInfo {
            reason: self.reason,
            request_id: request_id.into(),
            device_id: self.id.clone(),
            role: self.role,
            scopes: self.scopes.clone(),
            approved: self.approved.clone(),
        };
        Denied::new(Cause::Pairing(Box::new(info))).for_protocol(self.protocol)
    }
}

/// Hex digest of what a pending request asks for; the order of scopes does not matter.
#[must_use]
pub fn request_digest(key: &PublicKey, role: Role, scopes: &ScopeSet) -> String {
    let mut hash = Sha256::new();
    hash.update(key.as_bytes());
    hash.update(role.as_str());
    for scope in scopes.iter() {
        hash.update(b"|");
        hash.update(scope.as_str());
    }
    hex(&hash.finalize())
}
