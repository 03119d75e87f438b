//! `Authorization: Bearer` on HTTP routes (rows B36, E15, H16, H19).
//!
//! The shared secret is full operator; a device token is what its record says. Identity headers of Serve never open an
//! HTTP route, and a user that a trusted proxy names has no scopes there. `x-openclaw-scopes` may only narrow.

use crate::admit::Admitted;
use crate::decide::Ledger;
use crate::decide::credential::{lock, mismatch};
use crate::denied::{Cause, Denied};
use crate::device::DeviceId;
use crate::forwarded::ProxyUser;
use crate::grant::Method;
use crate::headers::{Head, Name};
use crate::limiter::{Class, Verdict};
use crate::pairing::DeviceRecord;
use crate::policy::{Mode, Now, Policy};
use crate::role::Role;
use crate::scope::{Scope, ScopeSet};
use crate::secret::{MAX_CREDENTIAL_BYTES, Secret, SharedSecret};
use crate::token::TokenKey;
use crate::trace::Outcome;

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
/// 401 without or with a wrong bearer, 429 when locked, 400 when a header cannot be read.
pub fn bearer(
    policy: &Policy,
    evidence: &BearerEvidence<'_>,
    now: Now,
    ledger: &mut Ledger<'_>,
) -> Result<BearerGrant, Denied> {
    let result =
        prove(policy, evidence, now, ledger).and_then(|grant| narrow(grant, evidence.head));
    match &result {
        Ok(grant) => ledger.trace.push("bearer", Outcome::Pass, || grant.method.as_str()),
        Err(denied) => ledger.trace.push("bearer", Outcome::Deny, || denied.reason()),
    }
    result
}

fn prove(
    policy: &Policy,
    evidence: &BearerEvidence<'_>,
    now: Now,
    ledger: &Ledger<'_>,
) -> Result<BearerGrant, Denied> {
    let full = ScopeSet::from_iter([Scope::Admin]);
    let (shared, method) = match &policy.mode {
        // E22 was checked at admission.
        Mode::None => return Ok(BearerGrant { method: Method::None, device: None, scopes: full }),
        Mode::Token(secret) => (Some(secret), Method::Token),
        Mode::Password(secret) => (Some(secret), Method::Password),
        Mode::TrustedProxy(_) => (None, Method::TrustedProxy),
    };
    let Some(credential) = read(evidence.head.authorization())? else {
        let named = matches!(evidence.admitted.user(), ProxyUser::Named(_));
        let grant = BearerGrant { method, device: None, scopes: ScopeSet::empty() };
        return if named { Ok(grant) } else { Err(Denied::new(Cause::Unauthorized)) };
    };
    compare(shared, &credential, evidence, (now, ledger)).map(|holder| match holder {
        Some(record) => BearerGrant {
            method: Method::DeviceToken,
            device: Some(record.id.clone()),
            scopes: record.role(Role::Operator).map_or_else(ScopeSet::empty, |r| r.scopes.clone()),
        },
        None => BearerGrant { method, device: None, scopes: full },
    })
}

/// E15: scheme in any case, one space, something after it. Another scheme is no bearer.
fn read(header: Option<&[u8]>) -> Result<Option<Secret>, Denied> {
    let Some(header) = header else { return Ok(None) };
    let mut parts = header.splitn(2, |byte| *byte == b' ');
    let scheme = parts.next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Denied::new(Cause::Unauthorized));
    }
    let credential = parts.next().unwrap_or_default();
    if credential.is_empty() || credential.starts_with(b" ") {
        return Err(Denied::new(Cause::BadAuthorization));
    }
    if credential.len() > MAX_CREDENTIAL_BYTES {
        return Err(Denied::new(Cause::OversizeCredential));
    }
    Ok(Some(Secret::from(credential)))
}

/// The shared secret first, then the tokens of the devices; one lock around everything (F7).
fn compare<'a>(
    shared: Option<&SharedSecret>,
    credential: &Secret,
    evidence: &BearerEvidence<'a>,
    (now, ledger): (Now, &Ledger<'_>),
) -> Result<Option<&'a DeviceRecord>, Denied> {
    let (client, uptime) = (evidence.admitted.client(), now.uptime);
    let mut book = lock(ledger);
    let verdict = book.check(client, Class::SharedSecret, uptime);
    if verdict == Verdict::Open && shared.is_some_and(|own| own.matches(credential.expose())) {
        book.succeed(client, Class::SharedSecret);
        return Ok(None);
    }
    let tokens = book.check(client, Class::DeviceToken, uptime);
    let holder = evidence.records.iter().find(|record| {
        tokens == Verdict::Open
            && record.role(Role::Operator).is_some_and(|grant| {
                evidence.token_key.verify(&record.id, grant.role, grant.generation, credential)
            })
    });
    if let Some(record) = holder {
        book.succeed(client, Class::DeviceToken);
        return Ok(Some(record));
    }
    match (verdict, tokens, shared) {
        (Verdict::Open, _, Some(_)) => {
            Err(mismatch(&mut book, client, Class::SharedSecret, uptime))
        }
        (_, Verdict::Open, None) => Err(mismatch(&mut book, client, Class::DeviceToken, uptime)),
        (Verdict::Locked(wait), Verdict::Open, Some(_)) => {
            book.fail(client, Class::DeviceToken, uptime);
            Err(Denied::new(Cause::RateLimited).retry_after_at(wait))
        }
        (_, Verdict::Locked(wait), None) | (Verdict::Locked(wait), Verdict::Locked(_), Some(_)) => {
            Err(Denied::new(Cause::RateLimited).retry_after_at(wait))
        }
    }
}

/// H19: the header may take scopes away; present but empty takes all.
fn narrow(mut grant: BearerGrant, head: &Head<'_>) -> Result<BearerGrant, Denied> {
    let Some(raw) = head.value(Name::OpenclawScopes) else { return Ok(grant) };
    let text = std::str::from_utf8(raw).ok().ok_or_else(|| Denied::new(Cause::BadScopes))?;
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    grant.scopes = ScopeSet::from_sent(words)?.within(&grant.scopes);
    Ok(grant)
}
