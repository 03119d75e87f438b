//! What an address says about who can reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// RFC 6598: carriers, other VPNs and Tailscale all use it, so it proves nothing (`A14`).
const SHARED: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);

/// The one IPv6 prefix that Tailscale assigns from.
const TAILSCALE_V6: Ipv6Net =
    Ipv6Net::new_assert(Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0), 48);

/// Prefixes that the internet does not route. Anything else counts as public: a wrong warning is cheap.
const PRIVATE: [IpNet; 12] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(0, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8)),
    IpNet::V4(SHARED),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12)),
    // The host's side of 464XLAT and DS-Lite.
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 0, 0), 24)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16)),
    // Benchmarking; some tunnel software numbers its device from it.
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10)),
];

/// Whether the internet may route to `ip`.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    !ip.is_multicast() && !PRIVATE.iter().any(|net| net.contains(&ip))
}

/// Whether `ip` is from the range that carriers share with Tailscale.
pub(crate) fn is_shared(ip: IpAddr) -> bool {
    matches!(ip.to_canonical(), IpAddr::V4(v4) if SHARED.contains(&v4))
}

/// Whether `ip` is from a range that Tailscale's own coordination server assigns from (`A16`).
pub(crate) fn is_tailscale_range(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => SHARED.contains(&v4),
        IpAddr::V6(v6) => TAILSCALE_V6.contains(&v6),
    }
}

/// Whether `ip` needs a scope to mean anything (`A13`).
pub(crate) fn is_scoped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Whether one node can own `ip`; a claim on anything else is not believed, whoever makes it.
pub(crate) fn is_ownable(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || is_scoped(ip) || broadcast)
}
