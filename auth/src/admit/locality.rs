//! Proof of locality (design, "Auth"): every doubt counts against it.

use std::fmt;

use super::{Sender, Source};
use crate::forwarded::Attribution;
use crate::limiter::ClientKey;
use crate::origin::Page;
use crate::policy::Policy;
use crate::via::{Owner, Peer, Userspace};

/// The user id that may do anything on this host anyway.
const ROOT: u32 = 0;

/// Whether the client is proven to be this user on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locality {
    Proven,
    NotLocal(NotLocal),
}

/// The first thing that speaks against locality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotLocal {
    /// The peer is not loopback.
    Remote,
    /// A proxy speaks for somebody (C10).
    Forwarded,
    /// Came through Serve or Funnel.
    Serve,
    /// A page that is not our own under a loopback name.
    ForeignOrigin,
    /// The peer socket belongs to tailscaled.
    Tailscaled,
    /// tailscaled dials for a tailnet peer (B5).
    Userspace,
    /// Nobody knows whether it does (B7).
    UserspaceUnknown,
    /// Another user of this host (H13).
    OtherUser,
    /// The kernel did not say whose socket it is.
    OwnerUnknown,
    /// A listed proxy that may have stripped its headers (C11).
    TrustedProxy,
}

impl NotLocal {
    /// The sentence for `explain`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Remote => "the peer is not on loopback",
            Self::Forwarded => "a proxy speaks for somebody",
            Self::Serve => "it came through Tailscale Serve",
            Self::ForeignOrigin => "a page that is not our own loopback page",
            Self::Tailscaled => "the peer socket belongs to tailscaled",
            Self::Userspace => "tailscaled dials for a tailnet peer",
            Self::UserspaceUnknown => "tailscaled did not say whether it dials for somebody",
            Self::OtherUser => "another user of this host",
            Self::OwnerUnknown => "the owner of the peer socket is unknown",
            Self::TrustedProxy => "a trusted proxy that forwarded nothing",
        }
    }
}

impl fmt::Display for NotLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proven => f.write_str("proven: this user, this host"),
            Self::NotLocal(why) => write!(f, "not local: {why}"),
        }
    }
}

pub(super) fn judge(
    policy: &Policy,
    peer: &Peer,
    source: Source,
    attribution: Attribution,
    page: &Page,
) -> Locality {
    let doubt = match source {
        Source::Proxy => Some(NotLocal::Forwarded),
        Source::Serve | Source::Funnel => Some(NotLocal::Serve),
        Source::Direct if !peer.is_loopback() => Some(NotLocal::Remote),
        Source::Direct => userspace_doubt(peer).or_else(|| owner_doubt(policy, peer, attribution)),
    };
    doubt.or_else(|| page_doubt(page)).map_or(Locality::Proven, Locality::NotLocal)
}

fn userspace_doubt(peer: &Peer) -> Option<NotLocal> {
    match peer.userspace {
        Userspace::NotConfigured | Userspace::Tun => None,
        Userspace::Forwarded => Some(NotLocal::Userspace),
        Userspace::Unknown => Some(NotLocal::UserspaceUnknown),
    }
}

fn owner_doubt(policy: &Policy, peer: &Peer, attribution: Attribution) -> Option<NotLocal> {
    let listed = attribution == Attribution::ProxyItself;
    let Some(own) = policy.own_uid else {
        // The platform cannot tell: loopback suffices, unless a proxy is known to sit there.
        return listed.then_some(NotLocal::TrustedProxy);
    };
    let Owner::Uid(uid) = peer.owner else { return Some(NotLocal::OwnerUnknown) };
    if policy.tailscaled_uid == Some(uid) {
        // Run by the same user, only tailscaled's own word tells its sockets from ours.
        let told_apart = uid == own && peer.userspace == Userspace::Tun;
        return (!told_apart).then_some(NotLocal::Tailscaled);
    }
    match (uid == own, uid == ROOT && !listed) {
        (true, _) | (false, true) => None,
        (false, false) if listed => Some(NotLocal::TrustedProxy),
        (false, false) => Some(NotLocal::OtherUser),
    }
}

fn page_doubt(page: &Page) -> Option<NotLocal> {
    match page {
        Page::None | Page::OwnLoopback(_) => None,
        Page::Own(_) | Page::Listed(_) => Some(NotLocal::ForeignOrigin),
    }
}

/// Under which name failures are counted: only a real process on this host is exempt from locks (B5, D23, F4, F8).
pub(super) fn client_key(
    peer: &Peer,
    sender: &Sender,
    locality: Locality,
    page: &Page,
) -> ClientKey {
    let of_sender = || sender.ip.map_or(ClientKey::Loopback, ClientKey::of_ip);
    if sender.source != Source::Direct || !peer.is_loopback() {
        return of_sender();
    }
    match locality {
        Locality::Proven => {}
        Locality::NotLocal(why) => match why {
            NotLocal::Remote
            | NotLocal::Forwarded
            | NotLocal::Serve
            | NotLocal::Tailscaled
            | NotLocal::Userspace
            | NotLocal::UserspaceUnknown
            | NotLocal::TrustedProxy => return of_sender(),
            NotLocal::ForeignOrigin | NotLocal::OtherUser | NotLocal::OwnerUnknown => {}
        },
    }
    match (page.origin(), peer.owner) {
        (Some(origin), _) => ClientKey::LoopbackOrigin(origin.to_string().into()),
        (None, Owner::Uid(uid)) => ClientKey::LoopbackUid(uid),
        (None, Owner::Unknown) => ClientKey::Loopback,
    }
}
