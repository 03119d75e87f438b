//! What the host looks like: facts gathered by the caller, never guessed here.

use std::net::IpAddr;

/// Everything that a plan depends on besides the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    /// Every address of every interface. Empty means that nothing is known: loopback is
    /// then assumed to exist, and nothing else.
    pub interfaces: Vec<HostAddress>,
    /// What shows that this is a container, in words for the user (such as "`/.dockerenv` exists").
    pub container: Option<String>,
    /// What tailscaled said.
    pub tailnet: Tailnet,
}

/// One address on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// The interface's name, such as `eth0`.
    pub interface: String,
    /// The interface's index, the scope of its link-local addresses; 0 when unknown.
    pub index: u32,
    /// The address.
    pub addr: IpAddr,
    /// The length of its network prefix, in bits.
    pub prefix: u8,
    /// Whether the interface is a loopback interface.
    pub loopback: bool,
    /// Whether the interface is point-to-point, as every tunnel is.
    pub point_to_point: bool,
}

/// What tailscaled said about this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tailnet {
    /// No feature needs it, so nobody asked (`K1`).
    #[default]
    NotAsked,
    /// tailscaled could not be asked.
    Unavailable {
        /// Why, in words for the user.
        reason: String,
    },
    /// tailscaled answers and has no address yet (`A2`).
    Pending {
        /// `BackendState` as tailscaled words it.
        state: String,
    },
    /// Userspace networking: this node's addresses are not on the host and cannot be bound.
    Userspace,
    /// Running, with a tunnel device.
    Up {
        /// `Status.TailscaleIPs`: the only proof that an address is ours (`A14`, `A15`).
        addresses: Vec<IpAddr>,
        /// The tunnel device, where the caller knows it; otherwise a point-to-point interface that
        /// holds the address.
        device: Option<String>,
    },
}
