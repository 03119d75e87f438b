//! `Authorization: Bearer` on HTTP routes (rows B36, E15, H16, H19).
//!
//! The shared secret is full operator; a device token is what its record says. Identity headers never open an HTTP
//! route. `x-openclaw-scopes` may only narrow.

use crate::admit::Admitted;
use crate::decide::Ledger;
use crate::denied::{Cause, Denied};
use crate::device::DeviceId;
use crate::grant::Method;
use crate::headers::Head;
use crate::pairing::DeviceRecord;
use crate::policy::{Now, Policy};
use crate::scope::{Scope, ScopeSet};
use crate::token::TokenKey;

/// What a bearer is judged by.
#[derive(Clone, Copy, Debug)]
pub struct BearerEvidence<'a> {
    pub admitted: &'a Admitted,
    pub head: &'a Head<'a>,
    /// Devices whose operator token opens this route; empty where only the shared secret does.
    pub records: &'a [DeviceRecord],
    pub token_key: &'a TokenKey,
}

/// A proven HTTP request. Built only by [`bearer`].
#[derive(Clone, Debug)]
pub struct BearerGrant {
    method: Method,
    device: Option<DeviceId>,
    scopes: ScopeSet,
}

impl BearerGrant {
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    #[must_use]
    pub fn device(&self) -> Option<&DeviceId> {
        self.device.as_ref()
    }

    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.satisfies(scope)
    }
}

/// Decide the credential of one HTTP request.
///
/// # Errors
/// 401 without or with a wrong bearer, 429 when locked, 400 when the header cannot be read.
pub fn bearer(
    policy: &Policy,
    evidence: &BearerEvidence<'_>,
    now: Now,
    ledger: &mut Ledger<'_>,
) -> Result<BearerGrant, Denied> {
    let _ = (policy, evidence, now, ledger);
    Err(Denied::new(Cause::Unauthorized))
}
