//! Step 11: the shared secret, a device token, a proxy's user or tailscaled's word.
//!
//! Whatever is presented must be valid, or the whole connect fails (B38), with two exceptions beside the right shared
//! secret: the field that the mode does not look at (protocol 4.3, E10), and a stale device token (counted, never used). Every compare happens under the limiter's lock,
//! after its check and together with its record (F1, F7).

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::identity::{self, Identity};
use super::shape::present;
use super::{Ask, Evidence, Ledger};
use crate::denied::{Cause, Denied};
use crate::device::VerifiedDevice;
use crate::forwarded::ProxyUser;
use crate::grant::Method;
use crate::limiter::{Class, ClientKey, Limiter, Verdict};
use crate::policy::{Mode, Now, Policy};
use crate::secret::{Secret, SharedSecret};
use crate::trace::Outcome;

/// Everything a credential is judged in.
pub(super) struct Scene<'a> {
    pub(super) policy: &'a Policy,
    pub(super) evidence: &'a Evidence<'a>,
    pub(super) ask: &'a Ask,
    pub(super) device: Option<&'a VerifiedDevice>,
    pub(super) now: Now,
}

/// How the client proved that it belongs here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) method: Method,
    pub(crate) user: Option<Box<str>>,
    /// Scopes that the tailnet policy allows at most.
    pub(crate) ceiling: Option<crate::scope::ScopeSet>,
}

impl Proven {
    fn by(method: Method) -> Self {
        Self { method, user: None, ceiling: None }
    }
}

/// The field that is compared with the shared secret.
struct Candidate<'a> {
    secret: &'a Secret,
    /// It stood in `auth.token`, where a device token may stand too.
    in_token_field: bool,
}

pub(super) fn prove(scene: &Scene<'_>, ledger: &mut Ledger<'_>) -> Result<Proven, Denied> {
    match &scene.policy.mode {
        Mode::Token(secret) => {
            let method = Proven::by(Method::Token);
            by_secret(scene, ledger, secret, method)
        }
        Mode::Password(secret) => {
            let method = Proven::by(Method::Password);
            by_secret(scene, ledger, secret, method)
        }
        // E22 was checked at admission; nothing is compared but a device token.
        Mode::None => {
            if present(&scene.ask.device_token) {
                check_device_token_field(scene, ledger)?;
            }
            Ok(Proven::by(Method::None))
        }
        Mode::TrustedProxy(_) => match (&scene.policy.local_password, &scene.ask.password) {
            (Some(secret), Some(password)) if scene.evidence.admitted.is_local() => {
                let candidate = Candidate { secret: password, in_token_field: false };
                compare(scene, ledger, secret, &candidate)?;
                Ok(Proven::by(Method::Password))
            }
            _ => by_proxy(scene, ledger),
        },
    }
}

fn by_secret(
    scene: &Scene<'_>,
    ledger: &mut Ledger<'_>,
    secret: &SharedSecret,
    proven: Proven,
) -> Result<Proven, Denied> {
    let proven = match candidate(scene) {
        Some(candidate) => Some(compare(scene, ledger, secret, &candidate)?.unwrap_or(proven)),
        None => None,
    };
    // E16: a second credential is limited whatever it is. Beside the right shared secret a stale one is only
    // counted: official clients send their stored token along, and would be locked out after a rotation.
    if present(&scene.ask.device_token) {
        let checked = check_device_token_field(scene, ledger);
        if !proven.as_ref().is_some_and(rests_on_secret) {
            checked?;
        }
    }
    match proven {
        Some(proven) => {
            note_identity_anomaly(scene, ledger);
            Ok(proven)
        }
        None if present(&scene.ask.device_token) => Ok(Proven::by(Method::DeviceToken)),
        None => by_tailscale(scene, ledger),
    }
}

fn rests_on_secret(proven: &Proven) -> bool {
    matches!(proven.method, Method::Token | Method::Password)
}

/// The field of the mode, else the other one (protocol 4.3): never more than one compare per connect.
fn candidate<'a>(scene: &Scene<'a>) -> Option<Candidate<'a>> {
    let field = |secret: &'a Option<Secret>| secret.as_ref().filter(|secret| !secret.is_empty());
    let token = field(&scene.ask.token).map(|secret| Candidate { secret, in_token_field: true });
    let password =
        field(&scene.ask.password).map(|secret| Candidate { secret, in_token_field: false });
    match scene.policy.mode {
        Mode::Password(_) => password.or(token),
        Mode::Token(_) | Mode::None | Mode::TrustedProxy(_) => token.or(password),
    }
}

/// `Ok(None)`: it is the shared secret. `Ok(Some)`: it is this device's token.
fn compare(
    scene: &Scene<'_>,
    ledger: &Ledger<'_>,
    secret: &SharedSecret,
    candidate: &Candidate<'_>,
) -> Result<Option<Proven>, Denied> {
    let client = scene.evidence.admitted.client();
    let uptime = scene.now.uptime;
    let mut book = lock(ledger);
    let verdict = book.check(client, Class::SharedSecret, uptime);
    if verdict == Verdict::Open && secret.matches(candidate.secret.expose()) {
        book.succeed(client, Class::SharedSecret);
        return Ok(None);
    }
    // F9: the lock of the shared secret does not keep a paired device out.
    let open = scene.device.is_some()
        && candidate.in_token_field
        && book.check(client, Class::DeviceToken, uptime) == Verdict::Open;
    if open && is_device_token(scene, candidate.secret) {
        book.succeed(client, Class::DeviceToken);
        return Ok(Some(Proven::by(Method::DeviceToken)));
    }
    match verdict {
        Verdict::Open => Err(mismatch(&mut book, client, Class::SharedSecret, uptime)),
        Verdict::Locked(wait) => {
            // Behind that lock the guess at a device token is what was compared.
            if open {
                book.fail(client, Class::DeviceToken, uptime);
            }
            Err(Denied::new(Cause::RateLimited).retry_after_at(wait))
        }
    }
}

/// `auth.deviceToken`: right for this device and role, or the connect fails.
fn check_device_token_field(scene: &Scene<'_>, ledger: &Ledger<'_>) -> Result<(), Denied> {
    let Some(token) = &scene.ask.device_token else { return Ok(()) };
    device_token(scene, ledger, token)
}

fn device_token(scene: &Scene<'_>, ledger: &Ledger<'_>, token: &Secret) -> Result<(), Denied> {
    let client = scene.evidence.admitted.client();
    let uptime = scene.now.uptime;
    let mut book = lock(ledger);
    if let Verdict::Locked(wait) = book.check(client, Class::DeviceToken, uptime) {
        return Err(Denied::new(Cause::RateLimited).retry_after_at(wait));
    }
    if is_device_token(scene, token) {
        book.succeed(client, Class::DeviceToken);
        return Ok(());
    }
    Err(mismatch(&mut book, client, Class::DeviceToken, uptime))
}

/// The token of the live generation, together with the signature of the same device (H16).
fn is_device_token(scene: &Scene<'_>, token: &Secret) -> bool {
    let Some(device) = scene.device else { return false };
    let grant = scene.evidence.record.and_then(|record| record.role(scene.ask.role));
    grant.is_some_and(|grant| {
        scene.evidence.token_key.verify(device.id(), grant.role, grant.generation, token)
    })
}

fn by_proxy(scene: &Scene<'_>, ledger: &Ledger<'_>) -> Result<Proven, Denied> {
    let ask = scene.ask;
    // No secret is configured, so a token can only be a device token, and a password nothing at all (B38).
    if present(&ask.password) {
        return Err(Denied::new(Cause::SecretMismatch));
    }
    let mut by_device = false;
    for token in [&ask.token, &ask.device_token].into_iter().flatten() {
        if !token.is_empty() {
            device_token(scene, ledger, token)?;
            by_device = true;
        }
    }
    match scene.evidence.admitted.user() {
        ProxyUser::Named(user) => {
            Ok(Proven { user: Some(user.clone()), ..Proven::by(Method::TrustedProxy) })
        }
        ProxyUser::NotAsked | ProxyUser::Refused(_) if by_device => {
            Ok(Proven::by(Method::DeviceToken))
        }
        ProxyUser::Refused(fault) => Err(Denied::new(Cause::TrustedProxyUser { fault: *fault })),
        ProxyUser::NotAsked => Err(Denied::new(Cause::TrustedProxyUser {
            fault: crate::denied::ProxyUserFault::Missing,
        })),
    }
}

/// Nothing was presented: tailscaled's word may stand in, for an operator's device (B39).
fn by_tailscale(scene: &Scene<'_>, ledger: &Ledger<'_>) -> Result<Proven, Denied> {
    let client = scene.evidence.admitted.client();
    let uptime = scene.now.uptime;
    match identity::identify(scene) {
        Identity::None => Err(Denied::new(Cause::SecretMissing)),
        Identity::Named { login, ceiling } => {
            Ok(Proven { user: Some(login), ceiling, method: Method::Tailscale })
        }
        Identity::Refused(fault) if identity::counts(fault) => {
            let mut book = lock(ledger);
            if let Verdict::Locked(wait) = book.check(client, Class::Identity, uptime) {
                return Err(Denied::new(Cause::RateLimited).retry_after_at(wait));
            }
            let delay = book.fail(client, Class::Identity, uptime);
            let denied = Denied::new(Cause::Tailscale(fault));
            Err(denied.counted(Class::Identity).delayed(delay))
        }
        Identity::Refused(fault) => Err(Denied::new(Cause::Tailscale(fault))),
    }
}

/// E17: a right secret is enough, but a wrong identity beside it is worth a line.
fn note_identity_anomaly(scene: &Scene<'_>, ledger: &mut Ledger<'_>) {
    if let Identity::Refused(fault) = identity::identify(scene) {
        let denied = Denied::new(Cause::Tailscale(fault));
        ledger.trace.push("tailscale", Outcome::Downgrade, || denied.reason());
    }
}

/// Count one wrong credential and say so.
pub(crate) fn mismatch(
    book: &mut Limiter,
    client: &ClientKey,
    class: Class,
    uptime: Duration,
) -> Denied {
    let delay = book.fail(client, class, uptime);
    let cause = match class {
        Class::SharedSecret => Cause::SecretMismatch,
        Class::DeviceToken | Class::Identity => Cause::DeviceTokenMismatch,
    };
    Denied::new(cause).counted(class).delayed(delay)
}

/// A panic elsewhere must not open or close the door: the book itself is always consistent.
pub(crate) fn lock<'a>(ledger: &Ledger<'a>) -> MutexGuard<'a, Limiter> {
    ledger.limiter.lock().unwrap_or_else(PoisonError::into_inner)
}
