//! What a plan tells the user besides its sockets: warnings, what it waits for, and how it was decided.

use std::fmt;
use std::net::IpAddr;

/// A warning that does not stop the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A public address is among those that will be served.
    PublicAddress {
        /// The address.
        ip: IpAddr,
        /// Its interface.
        interface: String,
    },
    /// `auto` serves every address, and why.
    AutoWidened {
        /// The evidence, in words.
        because: String,
    },
    /// Loopback inside a container: a published port does not reach it.
    LoopbackInContainer {
        /// The evidence, in words.
        evidence: String,
    },
    /// An address that tailscaled assigned from outside Tailscale's ranges (`A16`).
    NonStandardRange {
        /// The address.
        ip: IpAddr,
    },
    /// An address from 100.64.0.0/10 that tailscaled does not own (`A14`).
    SharedRange {
        /// The address.
        ip: IpAddr,
        /// Its interface.
        interface: String,
    },
    /// tailscaled names an address that the host does not have.
    TailnetAddressMissing {
        /// The address.
        ip: IpAddr,
    },
    /// tailscaled names an address that no node can own.
    TailnetAddressUnusable {
        /// The address.
        ip: IpAddr,
    },
    /// A tailnet address sits on an interface that is not the tunnel; it is not served there (`A17`).
    NotTheTunnel {
        /// The address.
        ip: IpAddr,
        /// Its interface.
        interface: String,
    },
}

impl Note {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::PublicAddress { .. } => "public_address",
            Self::AutoWidened { .. } => "auto_widened",
            Self::LoopbackInContainer { .. } => "loopback_in_container",
            Self::NonStandardRange { .. } => "non_standard_range",
            Self::SharedRange { .. } => "shared_range",
            Self::TailnetAddressMissing { .. } => "tailnet_address_missing",
            Self::TailnetAddressUnusable { .. } => "tailnet_address_unusable",
            Self::NotTheTunnel { .. } => "not_the_tunnel",
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PublicAddress { ip, interface } => write!(
                f,
                "`{ip}` on `{interface}` is a public address: the internet may reach the gateway there"
            ),
            Self::AutoWidened { because } => {
                write!(f, "`bind=auto` listens on every IPv4 address of the host: {because}")
            }
            Self::LoopbackInContainer { evidence } => write!(
                f,
                "this is a container ({evidence}): a published port does not reach loopback; to \
                 publish, set `bind=lan` and a token, and publish the port to `127.0.0.1` only"
            ),
            Self::NonStandardRange { ip } => {
                write!(f, "tailscaled owns `{ip}`, which is outside Tailscale's own ranges")
            }
            Self::SharedRange { ip, interface } => write!(
                f,
                "`{ip}` on `{interface}` is from the shared range `100.64.0.0/10`, but nothing shows \
                 that tailscaled owns it"
            ),
            Self::TailnetAddressMissing { ip } => {
                write!(f, "tailscaled names `{ip}`, but this host does not have it")
            }
            Self::TailnetAddressUnusable { ip } => {
                write!(f, "tailscaled names `{ip}`, which no single node can own; ignored")
            }
            Self::NotTheTunnel { ip, interface } => {
                write!(
                    f,
                    "tailscaled owns `{ip}`, but `{interface}` is not its tunnel device: not served"
                )
            }
        }
    }
}

/// The tailnet part of a plan that is not there yet; loopback is served meanwhile (`A2`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// A stable name for machines: `tailnet_pending` or `tailnet_unavailable`.
    pub code: &'static str,
    /// Why, in one line.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

/// What one rule decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The rule, by a stable name.
    pub rule: &'static str,
    /// What it found and decided, in one line.
    pub outcome: String,
}
