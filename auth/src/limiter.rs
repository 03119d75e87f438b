//! Counts failed credentials per client and class, and says when to stop comparing (rows F1-F10, E16).
//!
//! Failures only; a lock is checked before anything is compared. The table is bounded, and when it is full new
//! clients are judged by one global bucket instead of being denied (F5, F6).

use std::net::IpAddr;
use std::time::Duration;

/// Under which name a client is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientKey {
    /// A canonical IPv4 address.
    V4([u8; 4]),
    /// An IPv6 /64: one customer, one bucket (F3).
    V6Net([u8; 8]),
    /// An IPv6 address inside the tailnet, where every node has its own.
    Tailnet6([u8; 16]),
    /// This host, owner unknown.
    Loopback,
    /// This host, one user (F8).
    LoopbackUid(u32),
    /// A page in a browser on this host: locked like a stranger (D23).
    LoopbackOrigin(Box<str>),
}

impl ClientKey {
    /// The key of a routable address.
    #[must_use]
    pub fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => {
                let octets = v6.octets();
                // Tailscale's own ULA prefix, fd7a:115c:a1e0::/48.
                if octets.starts_with(&[0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0]) {
                    return Self::Tailnet6(octets);
                }
                let [a, b, c, d, e, f, g, h, ..] = octets;
                Self::V6Net([a, b, c, d, e, f, g, h])
            }
        }
    }

    /// Never locked, only slowed (F8).
    #[must_use]
    pub fn is_exempt(&self) -> bool {
        match self {
            Self::Loopback | Self::LoopbackUid(_) => true,
            Self::V4(_) | Self::V6Net(_) | Self::Tailnet6(_) | Self::LoopbackOrigin(_) => false,
        }
    }
}

/// What kind of credential failed; classes never touch each other's count (F9, F10, F22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    SharedSecret,
    DeviceToken,
    /// A proxy's or tailscaled's identity that did not hold.
    Identity,
}

/// May this client's credential be compared?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Open,
    /// Refuse before comparing; try again after this time.
    Locked(Duration),
}

/// The numbers, upstream's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Failures in one window that lock.
    pub failures: u32,
    pub window: Duration,
    pub lock: Duration,
    /// Clients remembered.
    pub capacity: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failures: 10,
            window: Duration::from_secs(60),
            lock: Duration::from_secs(300),
            capacity: 16_384,
        }
    }
}

/// The failure book of one gateway.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
}

impl Limiter {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Ask before comparing. `uptime` is monotonic.
    pub fn check(&mut self, _key: &ClientKey, _class: Class, _uptime: Duration) -> Verdict {
        Verdict::Locked(self.limits.lock)
    }

    /// Write down a failed compare; `Some` is the time to hold the answer back.
    pub fn fail(&mut self, _key: &ClientKey, _class: Class, _uptime: Duration) -> Option<Duration> {
        None
    }

    /// Write down a success: forgets the failures of this class only (F10).
    pub fn succeed(&mut self, _key: &ClientKey, _class: Class) {}
}
