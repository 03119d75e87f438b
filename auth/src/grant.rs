//! What a connection holds once it was let in. Built only by this crate.

use std::fmt;

use crate::device::DeviceId;
use crate::limiter::ClientKey;
use crate::pairing::DeviceRecord;
use crate::role::Role;
use crate::scope::{Scope, ScopeSet};
use crate::secret::Secret;

/// How the client proved that it belongs here (`hello-ok.auth.method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Token,
    Password,
    None,
    DeviceToken,
    TrustedProxy,
    Tailscale,
}

impl Method {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Password => "password",
            Self::None => "none",
            Self::DeviceToken => "device-token",
            Self::TrustedProxy => "trusted-proxy",
            Self::Tailscale => "tailscale",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The device behind a grant.
#[derive(Clone, Debug)]
pub struct GrantDevice {
    pub(crate) id: DeviceId,
    pub(crate) generation: u64,
    pub(crate) token: Secret,
    pub(crate) token_scopes: ScopeSet,
}

impl GrantDevice {
    #[must_use]
    pub fn id(&self) -> &DeviceId {
        &self.id
    }

    /// Generation of the role grant: a higher one in the record means rotated or revoked (H20, B52).
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The token to hand out in `hello-ok.auth.deviceToken`.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// What that token is good for, which may be wider than this connection (protocol 3.6, v3 `auth.scopes`).
    #[must_use]
    pub fn token_scopes(&self) -> &ScopeSet {
        &self.token_scopes
    }
}

/// A proven entry. There is no public constructor: only `decide` makes one.
#[derive(Clone, Debug)]
pub struct Grant {
    pub(crate) role: Role,
    pub(crate) scopes: ScopeSet,
    pub(crate) method: Method,
    pub(crate) device: Option<GrantDevice>,
    pub(crate) client: ClientKey,
    pub(crate) user: Option<Box<str>>,
    pub(crate) policy_generation: u64,
}

impl Grant {
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// What this connection really has.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The role is operator and its scopes satisfy `scope`.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.role == Role::Operator && self.scopes.satisfies(scope)
    }

    /// May approve a device for this, or rotate a token to this: nobody gives what he does not hold (H10, H11), and
    /// another role than operator is given by an admin only (protocol 6.4).
    #[must_use]
    pub fn may_give(&self, role: Role, scopes: &ScopeSet) -> bool {
        match role {
            Role::Operator => self.allows(Scope::Pairing) && self.scopes.covers(scopes),
            Role::Node => self.allows(Scope::Admin),
        }
    }

    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    #[must_use]
    pub fn device(&self) -> Option<&GrantDevice> {
        self.device.as_ref()
    }

    /// The key under which this client is counted.
    #[must_use]
    pub fn client(&self) -> &ClientKey {
        &self.client
    }

    /// The user that a trusted proxy or tailscaled named.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The grant still stands: the policy was not replaced (E18), and the device keeps its role in the same generation
    /// (H20). `record` is the device as stored now, `None` when it was removed; ignored for a grant without a device.
    #[must_use]
    pub fn still_holds(&self, policy_generation: u64, record: Option<&DeviceRecord>) -> bool {
        let device = self.device.as_ref().is_none_or(|device| {
            let live = record.filter(|record| record.id == device.id);
            live.and_then(|record| record.role(self.role))
                .is_some_and(|grant| grant.generation == device.generation)
        });
        device && self.policy_generation == policy_generation
    }

    /// The policy generation that let it in; an older one than the live policy is closed (E18).
    #[must_use]
    pub fn policy_generation(&self) -> u64 {
        self.policy_generation
    }
}
