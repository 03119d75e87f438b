//! tailscaled's answer as an identity, every doubtful standing decided explicitly (rows B8-B15, B20-B29, B51).
//!
//! An identity exists only with whois evidence about the very address that is at the other end: the one that a proven
//! Serve socket forwarded (I3), or the peer of a tailnet listener. It replaces the shared secret and nothing else: the
//! device still has to be itself and approved.

use super::credential::Scene;
use crate::admit::Source;
use crate::denied::TailscaleFault;
use crate::role::Role;
use crate::scope::ScopeSet;
use crate::via::{Standing, Via, Whois, WhoisAnswer};

/// What tailscaled calls the user of every tagged node (B27).
const PSEUDO_USER: &str = "tagged-devices";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Not wanted, not asked, or not claimed.
    None,
    Named {
        login: Box<str>,
        ceiling: Option<ScopeSet>,
    },
    Refused(TailscaleFault),
}

/// A login that does not belong to its address is an attempt; an outage is not (B10, B21).
pub(super) fn counts(fault: TailscaleFault) -> bool {
    match fault {
        TailscaleFault::IdentityMismatch | TailscaleFault::UnknownPeer => true,
        TailscaleFault::Unavailable
        | TailscaleFault::TaggedNode
        | TailscaleFault::SharedNode
        | TailscaleFault::OwnNode
        | TailscaleFault::Expired
        | TailscaleFault::Jailed => false,
    }
}

pub(super) fn identify(scene: &Scene<'_>) -> Identity {
    let admitted = scene.evidence.admitted;
    // B39: a node needs a credential of its own.
    if !scene.policy.allow_tailscale || scene.ask.role != Role::Operator {
        return Identity::None;
    }
    let claimed = match (admitted.source(), admitted.via()) {
        (Source::Serve, _) => match admitted.login() {
            Some(login) => Some(login),
            // B9, B13: Serve names a user whenever there is one.
            None => return Identity::None,
        },
        (Source::Direct, Via::Tailnet) => None,
        (Source::Direct | Source::Proxy | Source::Funnel, _) => return Identity::None,
    };
    let whois = match scene.evidence.whois {
        WhoisAnswer::NotAsked => return Identity::None,
        WhoisAnswer::Unavailable => return Identity::Refused(TailscaleFault::Unavailable),
        WhoisAnswer::NoSuchPeer => return Identity::Refused(TailscaleFault::UnknownPeer),
        WhoisAnswer::Node(whois) => whois,
    };
    match fault(whois, claimed) {
        Some(fault) => Identity::Refused(fault),
        None => Identity::Named { login: whois.login.clone(), ceiling: whois.caps.clone() },
    }
}

/// Standing precedes the login, because a foreign user may carry the same one (B29). The header is compared as bytes
/// and never decoded (B11, B12, B15).
fn fault(whois: &Whois, claimed: Option<&str>) -> Option<TailscaleFault> {
    let standing = match whois.standing {
        Standing::Member => None,
        Standing::Shared => Some(TailscaleFault::SharedNode),
        Standing::Own => Some(TailscaleFault::OwnNode),
        Standing::Expired => Some(TailscaleFault::Expired),
        Standing::Jailed => Some(TailscaleFault::Jailed),
    };
    let tagged = !whois.tags.is_empty() || &*whois.login == PSEUDO_USER || whois.login.is_empty();
    standing.or_else(|| tagged.then_some(TailscaleFault::TaggedNode)).or_else(|| {
        let same = claimed.is_none_or(|login| login == &*whois.login);
        (!same).then_some(TailscaleFault::IdentityMismatch)
    })
}
