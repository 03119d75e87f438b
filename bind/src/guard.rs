//! Which mode may be combined with which secret, Serve and proxy setting.
//!
//! One function for every place that needs the answer: a change of the configuration, `doctor` and the
//! start, so that no pair of settings is valid on its own and fatal at the next start (`A24` to `A26`).

use crate::access::{Access, Secret, Serve, Strength, Token};
use crate::mode::Mode;
use crate::refusal::{OpenDoor, Refusal};
use crate::situation::{Situation, Tailnet};

/// How far a mode goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This host only.
    Loopback,
    /// Further, now or later.
    Beyond,
}

/// Checks what can be said without looking at the host, for use before a configuration is written.
///
/// `auto` counts as loopback here; [`crate::plan`] checks again once it knows where `auto` ends.
///
/// # Errors
///
/// [`Refusal`] as at start (`A5`, `A24`, `A25`, `A26`).
pub fn check(mode: &Mode, access: &Access) -> Result<(), Refusal> {
    check_reach(mode, reach_of(mode), access)
}

/// The same for a mode whose reach is known.
pub(crate) fn check_reach(mode: &Mode, reach: Reach, access: &Access) -> Result<(), Refusal> {
    check_serve(mode, reach, access)?;
    match (access.secret, reach) {
        (Secret::None, _) => check_none(mode, reach, access),
        (secret, Reach::Beyond) if !secret.is_configured() => {
            Err(Refusal::SecretRequired { mode: mode.word() })
        }
        (Secret::Token(_) | Secret::Password(_) | Secret::TrustedProxy, _) => Ok(()),
    }
}

/// `none` is trust in everything that can reach loopback, so nothing foreign may (`A25`).
pub(crate) fn check_host(situation: &Situation, access: &Access) -> Result<(), Refusal> {
    if access.secret != Secret::None {
        return Ok(());
    }
    if let Some(evidence) = &situation.container {
        return Err(Refusal::NoneExposed { door: OpenDoor::Container(evidence.clone()) });
    }
    if situation.tailnet == Tailnet::Userspace {
        return Err(Refusal::NoneExposed { door: OpenDoor::UserspaceTailnet });
    }
    Ok(())
}

fn reach_of(mode: &Mode) -> Reach {
    match mode {
        Mode::Loopback | Mode::Auto => Reach::Loopback,
        Mode::Custom(host) if host.ip().is_loopback() => Reach::Loopback,
        Mode::Custom(_) | Mode::Lan | Mode::Tailnet => Reach::Beyond,
    }
}

fn check_serve(mode: &Mode, reach: Reach, access: &Access) -> Result<(), Refusal> {
    let Some(feature) = feature(access.serve) else {
        return Ok(());
    };
    if reach == Reach::Beyond {
        return Err(Refusal::ServeNeedsLoopback { feature, mode: mode.word() });
    }
    match (access.serve, access.secret) {
        (Serve::Off | Serve::Serve, _) | (Serve::Funnel, Secret::Password(Strength::Strong)) => {
            Ok(())
        }
        (
            Serve::Funnel,
            Secret::None
            | Secret::Token(Token::Configured | Token::Generated)
            | Secret::Password(Strength::Weak)
            | Secret::TrustedProxy,
        ) => Err(Refusal::FunnelNeedsPassword),
    }
}

fn check_none(mode: &Mode, reach: Reach, access: &Access) -> Result<(), Refusal> {
    let door = match (reach, feature(access.serve)) {
        (Reach::Beyond, _) => OpenDoor::Bind(mode.word()),
        (Reach::Loopback, Some(feature)) => OpenDoor::Serve(feature),
        (Reach::Loopback, None) if access.trusted_proxies => OpenDoor::TrustedProxies,
        (Reach::Loopback, None) => return Ok(()),
    };
    Err(Refusal::NoneExposed { door })
}

const fn feature(serve: Serve) -> Option<&'static str> {
    match serve {
        Serve::Off => None,
        Serve::Serve => Some("Serve"),
        Serve::Funnel => Some("Funnel"),
    }
}
