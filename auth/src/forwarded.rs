//! Trusted proxies: who may speak for a client, and what they say (group C).

use std::net::IpAddr;

use ipnet::IpNet;

/// One entry of `gateway.trustedProxies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyRange {
    net: IpNet,
}

/// Why an entry stops the start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyRangeError {
    #[error("`{0}` is not an IP address or a CIDR range")]
    NotARange(Box<str>),
    #[error("`{0}` trusts everybody")]
    Everybody(Box<str>),
    #[error("`{0}` is an IPv4-mapped range wider than IPv4 itself")]
    MappedTooWide(Box<str>),
}

/// What deserves a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyRangeWarning {
    /// The entry had host bits; the network is used.
    HostBits,
    /// Shorter than /24 or /64.
    Wide,
}

impl ProxyRange {
    /// True when a canonical `ip` is inside.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.net.contains(&ip.to_canonical())
    }
}

/// `gateway.auth.trustedProxy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyIdentity {
    /// The header that names the user, in lower case.
    pub user_header: Box<str>,
    /// Headers that must be present, in lower case.
    pub required_headers: Vec<Box<str>>,
    /// Empty means every user that the proxy lets through.
    pub allow_users: Vec<Box<str>>,
    /// Loopback proxies: refused, or allowed for these user ids (C17).
    pub loopback: LoopbackProxy,
}

/// Whether a proxy on this host may name users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoopbackProxy {
    Refused,
    /// `allowLoopback` with `proxyUids`.
    Uids(Vec<u32>),
}

impl ProxyRange {
    /// Read one entry of `gateway.trustedProxies`.
    ///
    /// # Errors
    /// Not a literal, everybody, or a mapped range wider than IPv4 (C12, C14, C15).
    pub fn parse(text: &str) -> Result<(Self, Vec<ProxyRangeWarning>), ProxyRangeError> {
        Err(ProxyRangeError::NotARange(text.into()))
    }
}
