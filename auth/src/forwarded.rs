//! Trusted proxies: who may speak for a client, and what they say (group C).
//!
//! `X-Forwarded-For` is believed only from a listed peer: all lines joined in order, every element a canonical address,
//! walked from the right past listed proxies; the first other one is the client. Nobody left is nobody, never the
//! leftmost.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};

use crate::denied::{Cause, Denied};
use crate::headers::{Head, Name};
use crate::policy::Policy;

mod user;

pub use user::{LoopbackProxy, ProxyIdentity};
pub(crate) use user::{ProxyUser, proxy_user};

/// More hops than this is an attack (C5).
const MAX_HOPS: usize = 16;
/// A chain of 16 written-out addresses fits (C5).
const MAX_CHAIN_BYTES: usize = 1024;
/// Shorter IPv4 prefixes trust many strangers (C12).
const WIDE_V4: u8 = 24;
/// Shorter IPv6 prefixes trust many strangers (C12).
const WIDE_V6: u8 = 64;

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
    /// The entry had host bits; its network is used.
    HostBits,
    /// Shorter than /24 or /64.
    Wide,
}

impl ProxyRange {
    /// Read one entry of `gateway.trustedProxies`: an address, or a range.
    ///
    /// # Errors
    /// Not a literal, everybody, or a mapped range wider than IPv4 (C12, C14, C15).
    pub fn parse(text: &str) -> Result<(Self, Vec<ProxyRangeWarning>), ProxyRangeError> {
        let not = || ProxyRangeError::NotARange(text.into());
        let sent = match text.split_once('/') {
            Some((_, mask)) if !mask.bytes().all(|b| b.is_ascii_digit()) => return Err(not()),
            Some(_) => text.parse::<IpNet>().ok().ok_or_else(not)?,
            None => IpNet::from(text.parse::<IpAddr>().ok().ok_or_else(not)?),
        };
        let mapped = unmap(sent).ok_or_else(|| ProxyRangeError::MappedTooWide(text.into()))?;
        let net = mapped.trunc();
        if net.prefix_len() == 0 {
            return Err(ProxyRangeError::Everybody(text.into()));
        }
        let mut warnings = Vec::new();
        if net != mapped {
            warnings.push(ProxyRangeWarning::HostBits);
        }
        let wide = if net.addr().is_ipv4() { WIDE_V4 } else { WIDE_V6 };
        if net.prefix_len() < wide {
            warnings.push(ProxyRangeWarning::Wide);
        }
        Ok((Self { net }, warnings))
    }

    /// True when `ip`, in canonical form, is inside (C13).
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.net.contains(&ip.to_canonical())
    }
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`; `None` when it reaches past the mapped block (C15).
fn unmap(net: IpNet) -> Option<IpNet> {
    let IpNet::V6(v6) = net else { return Some(net) };
    let block = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);
    let Some(v4) = v6.addr().to_ipv4_mapped() else {
        // `::/64` and the like hold the whole mapped block without being written as one.
        let swallows = v6.prefix_len() > 0 && v6.contains(&block);
        return (!swallows).then_some(net);
    };
    let prefix = v6.prefix_len().checked_sub(96)?;
    Ipv4Net::new(v4, prefix).ok().map(IpNet::V4)
}

/// Who is at the other end of a connection to an ordinary listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribution {
    /// The peer itself, and it is no listed proxy.
    Peer,
    /// A listed proxy that forwarded nothing.
    ProxyItself,
    /// The client that a listed proxy names.
    Client(IpAddr),
}

/// Step 6 for every listener but Serve's.
pub(crate) fn attribute(
    policy: &Policy,
    peer: IpAddr,
    head: &Head<'_>,
) -> Result<Attribution, Denied> {
    let unattributed = || Denied::new(Cause::ProxyAttributionRequired);
    let shape = head.shape();
    if !is_trusted(policy, peer) {
        return if shape.is_proxied() { Err(unattributed()) } else { Ok(Attribution::Peer) };
    }
    let lines = head.forwarded_for();
    if lines.is_empty() {
        return match head.text(Name::RealIp) {
            Some(text)
                if policy.allow_real_ip_fallback && head.value(Name::Forwarded).is_none() =>
            {
                let ip = text
                    .parse::<IpAddr>()
                    .ok()
                    .ok_or_else(|| malformed("X-Real-IP"))?
                    .to_canonical();
                client(ip)
            }
            _ if shape.is_proxied() => Err(unattributed()),
            _ => Ok(Attribution::ProxyItself),
        };
    }
    if head.value(Name::Forwarded).is_some() {
        return Err(malformed("Forwarded"));
    }
    match walk(policy, lines)? {
        Some(ip) => client(ip),
        None => Err(unattributed()),
    }
}

pub(crate) fn is_trusted(policy: &Policy, ip: IpAddr) -> bool {
    policy.trusted_proxies.iter().any(|range| range.contains(ip))
}

/// Right to left over the joined lines: the first address that is no listed proxy. Every element must parse, even those
/// that decide nothing (C4).
fn walk(policy: &Policy, lines: &[&[u8]]) -> Result<Option<IpAddr>, Denied> {
    let bytes: usize = lines.iter().map(|line| line.len()).sum();
    let hops: usize = lines.iter().map(|line| line.split(|b| *b == b',').count()).sum();
    if bytes > MAX_CHAIN_BYTES || hops > MAX_HOPS {
        return Err(malformed("X-Forwarded-For"));
    }
    let mut found = None;
    for element in lines.iter().rev().flat_map(|line| line.rsplit(|b| *b == b',')) {
        let ip = parse_element(element).ok_or_else(|| malformed("X-Forwarded-For"))?;
        if found.is_none() && !is_trusted(policy, ip) {
            found = Some(ip);
        }
    }
    Ok(found)
}

/// One address, canonical; a port only behind an IPv4 address or a bracketed IPv6 one; never a zone.
fn parse_element(raw: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(raw.trim_ascii()).ok()?;
    if text.contains('%') {
        return None;
    }
    let ip = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|addr| addr.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

fn client(ip: IpAddr) -> Result<Attribution, Denied> {
    if can_be_client(ip) {
        Ok(Attribution::Client(ip))
    } else {
        Err(Denied::new(Cause::ForwardedClient))
    }
}

/// C2, B44: no forwarded client is loopback, unspecified, multicast or broadcast.
pub(crate) fn can_be_client(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    !(ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip == IpAddr::V4(Ipv4Addr::BROADCAST))
}

pub(crate) fn malformed(what: &'static str) -> Denied {
    Denied::new(Cause::BadForwarded { what })
}
