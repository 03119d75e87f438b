//! The addresses that a mode may never leave: the invariant that plans and passed sockets are held to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const LOOPBACK_V4: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
const LOOPBACK_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128);
const ANY_V4: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);

/// A set of addresses. A wildcard belongs to it only where every IPv4 address does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    nets: Vec<IpNet>,
}

impl Ceiling {
    /// Loopback, which every mode includes.
    pub(crate) fn loopback() -> Self {
        Self { nets: vec![LOOPBACK_V4.into(), LOOPBACK_V6.into()] }
    }

    /// Loopback and every IPv4 address, the wildcard among them.
    pub(crate) fn any_v4() -> Self {
        let mut ceiling = Self::loopback();
        ceiling.nets.push(ANY_V4.into());
        ceiling
    }

    /// Loopback and exactly these addresses.
    pub(crate) fn exactly(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut ceiling = Self::loopback();
        ceiling.nets.extend(addresses.into_iter().map(|ip| IpNet::from(ip.to_canonical())));
        ceiling
    }

    /// Whether a socket on `ip` stays inside the set. `::` never does: it accepts IPv4 as well (`A11`).
    #[must_use]
    pub fn admits(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.nets.iter().any(|net| net.contains(&ip))
    }
}
