//! Where a connection came in, and what the kernel says about its other end.
//!
//! `Via` is stamped by the listener, never by a header (invariant I3). `Peer` is what was learned from the socket:
//! address, owner, and whether tailscaled dialled it for somebody else. `Whois` is the place for tailscaled's own
//! answer about a peer; where it was not asked, there is no identity.

use std::net::{IpAddr, SocketAddr};

use crate::scope::ScopeSet;

/// Which listener accepted the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// `127.0.0.1` or `[::1]`.
    Loopback,
    /// The wildcard listener of `bind: lan`.
    Lan,
    /// A tailnet address of this host.
    Tailnet,
    /// The address of `bind: custom`.
    Custom,
    /// The private socket handed to tailscaled for managed Serve, its peer already checked by uid (B3, B4).
    ServeSocket,
}

impl Via {
    /// The word used in logs and in `explain`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Lan => "lan",
            Self::Tailnet => "tailnet",
            Self::Custom => "custom",
            Self::ServeSocket => "serve",
        }
    }
}

/// Who owns the socket at the other end, where the kernel can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Not asked, not on this host, or the platform cannot tell.
    Unknown,
    /// The user id of the owning process.
    Uid(u32),
}

/// What is known about tailscaled dialling loopback for a tailnet peer (rows B5-B7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Userspace {
    /// No Tailscale feature is configured, so nobody was asked.
    NotConfigured,
    /// tailscaled runs with a TUN device, or says that this socket is not one of its own.
    Tun,
    /// Whois of the peer socket resolves: a tailnet peer stands behind it.
    Forwarded,
    /// Asked and not answered: no local privileges (B7).
    Unknown,
}

/// The other end of one accepted socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `None` for a unix socket. A v4-mapped address is read as its v4 form.
    pub addr: Option<SocketAddr>,
    pub owner: Owner,
    pub userspace: Userspace,
}

impl Peer {
    /// The canonical address (`::ffff:1.2.3.4` is `1.2.3.4`, row F2).
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.addr.map(|addr| addr.ip().to_canonical())
    }

    /// True for `127.0.0.0/8` and `::1` in any spelling.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_loopback())
    }
}

/// How a node stands to our tailnet; where several hold, the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// An ordinary node of our tailnet.
    Member,
    /// Shared in from another tailnet (B28, B29).
    Shared,
    /// This very host (B8).
    Own,
    /// Its key has expired (B51).
    Expired,
    /// Jailed, or allowed to use the peer API only (B51).
    Jailed,
}

/// tailscaled's answer about one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whois {
    /// Display name of the user; `tagged-devices` is nobody (B27).
    pub login: Box<str>,
    pub user_id: i64,
    pub stable_id: Box<str>,
    pub tags: Vec<Box<str>>,
    pub standing: Standing,
    /// Scopes of the capability `openclaw.ai/cap/gateway`, when the tailnet policy grants it.
    pub caps: Option<ScopeSet>,
}

/// The evidence from tailscaled that a decision may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhoisAnswer<'a> {
    /// The policy does not want it: no identity.
    NotAsked,
    /// Down, slow, or unreadable: no identity, and not counted against anyone (B21, B22).
    Unavailable,
    /// tailscaled does not know the address (B20).
    NoSuchPeer,
    Node(&'a Whois),
}
