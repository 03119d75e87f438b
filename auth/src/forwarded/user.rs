//! The user that a trusted proxy names (`gateway.auth.mode: trusted-proxy`, rows C16-C18).

use super::{Attribution, malformed};
use crate::denied::{Cause, Denied, ProxyUserFault};
use crate::headers::Head;
use crate::policy::{Mode, Policy};
use crate::via::{Owner, Peer};

/// The longest user name that is read.
const MAX_USER_BYTES: usize = 256;

/// `gateway.auth.trustedProxy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyIdentity {
    /// The header that names the user, in lower case.
    pub user_header: Box<str>,
    /// Headers that must be present and not empty, in lower case.
    pub required_headers: Vec<Box<str>>,
    /// Empty means every user that the proxy lets through.
    pub allow_users: Vec<Box<str>>,
    pub loopback: LoopbackProxy,
}

/// Whether a proxy on this host may name users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoopbackProxy {
    Refused,
    /// `allowLoopback`, for processes of these users (`proxyUids`); an empty list names nobody (C17).
    Uids(Vec<u32>),
}

/// What came of looking for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProxyUser {
    /// Another mode, or no proxy in front: nobody to name one.
    NotAsked,
    Named(Box<str>),
    Refused(ProxyUserFault),
}

/// Read the user from a listed proxy; anybody else's header means nothing (B18).
pub(crate) fn proxy_user(
    policy: &Policy,
    peer: &Peer,
    head: &Head<'_>,
    attribution: Attribution,
) -> Result<ProxyUser, Denied> {
    let Mode::TrustedProxy(identity) = &policy.mode else { return Ok(ProxyUser::NotAsked) };
    if attribution == Attribution::Peer {
        return Ok(ProxyUser::NotAsked);
    }
    let own = peer.ip().is_some_and(|ip| policy.own_addresses.contains(&ip));
    if own && !peer.is_loopback() {
        return Err(Denied::new(Cause::TrustedProxyLocalInterface));
    }
    let Some(raw) = head.single(&identity.user_header)? else {
        return Ok(missing(attribution));
    };
    if peer.is_loopback() && !may_be_loopback(identity, peer.owner) {
        return Err(Denied::new(Cause::TrustedProxyLoopback));
    }
    let user = std::str::from_utf8(raw).ok().filter(|user| is_user(user));
    let user = user.ok_or_else(|| malformed("user header"))?;
    for name in &identity.required_headers {
        if head.single(name)?.is_none_or(<[u8]>::is_empty) {
            return Ok(ProxyUser::Refused(ProxyUserFault::RequiredHeader));
        }
    }
    // Without a client behind it, the proxy would speak for itself.
    if attribution == Attribution::ProxyItself {
        return Err(Denied::new(Cause::ProxyAttributionRequired));
    }
    if !identity.allow_users.is_empty() && !identity.allow_users.iter().any(|one| **one == *user) {
        return Ok(ProxyUser::Refused(ProxyUserFault::NotAllowed));
    }
    Ok(ProxyUser::Named(user.into()))
}

fn missing(attribution: Attribution) -> ProxyUser {
    match attribution {
        Attribution::Client(_) => ProxyUser::Refused(ProxyUserFault::Missing),
        Attribution::Peer | Attribution::ProxyItself => ProxyUser::NotAsked,
    }
}

fn may_be_loopback(identity: &ProxyIdentity, owner: Owner) -> bool {
    match (&identity.loopback, owner) {
        (LoopbackProxy::Uids(uids), Owner::Uid(uid)) => uids.contains(&uid),
        (LoopbackProxy::Uids(_) | LoopbackProxy::Refused, _) => false,
    }
}

/// One name: not empty, no list, no control bytes (C18).
fn is_user(user: &str) -> bool {
    !user.is_empty()
        && user.len() <= MAX_USER_BYTES
        && !user.contains(',')
        && !user.chars().any(char::is_control)
}
