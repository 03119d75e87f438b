//! The sockets that the gateway opens, and the rules that lead to them.
//!
//! | mode | sockets |
//! |---|---|
//! | `loopback` | `127.0.0.1`, and `[::1]` where the host has it |
//! | `lan` | `0.0.0.0` |
//! | `tailnet` | what tailscaled says is ours, on its device, and loopback; loopback alone until then |
//! | `custom` | the one address, and loopback |
//! | `auto` | loopback; `0.0.0.0` on a host without loopback, or in a container where `auto` was written |
//!
//! Nothing falls back to a wider set: a busy port, a missing address or an absent tailscaled cannot turn
//! into a wildcard, because none of them is an input to `lan`, and `auto` asks only the two questions above.

use std::net::{IpAddr, SocketAddr};

use crate::access::Access;
use crate::ceiling::Ceiling;
use crate::draft::Draft;
use crate::guard::{Reach, check, check_host, check_reach};
use crate::mode::Mode;
use crate::note::{Note, Step, Waiting};
use crate::refusal::Refusal;
use crate::situation::Situation;

/// What to open, what to say about it, and how it was decided.
///
/// Only [`plan`] makes one, so whoever holds a `Plan` holds one that passed every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The sockets, loopback first.
    pub sockets: Vec<Socket>,
    /// The part that is not there yet. Ask for a new plan when tailscaled reports a change.
    pub waiting: Option<Waiting>,
    /// Warnings.
    pub notes: Vec<Note>,
    /// Who can reach the sockets.
    pub exposure: Exposure,
    /// What each rule decided, in order.
    pub trace: Vec<Step>,
    pub(crate) dial: SocketAddr,
    pub(crate) ceiling: Ceiling,
    pub(crate) mode: &'static str,
}

/// One listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Where it listens. IPv6 sockets are always v6-only.
    pub addr: SocketAddr,
    /// Which trust its connections get.
    pub kind: Kind,
    /// The device it must be bound to, so that no other network reaches it (`A17`).
    pub device: Option<String>,
    /// Whether the start fails without it; only a second loopback family is optional (`A21`, `A22`).
    pub required: bool,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// This host.
    Loopback,
    /// Every IPv4 address.
    Lan,
    /// The tailnet, on its device.
    Tailnet,
    /// The address that the user named.
    Custom,
}

/// Who can reach the gateway, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exposure {
    /// This host.
    Loopback,
    /// The tailnet.
    Tailnet,
    /// The networks that the host is on.
    Lan,
    /// A public address is served.
    Public,
}

/// Decides where to listen. With port 0 the kernel picks one per socket.
///
/// # Errors
///
/// [`Refusal`] when the mode cannot be had on this host, or not with this access.
pub fn plan(
    mode: &Mode,
    port: u16,
    situation: &Situation,
    access: &Access,
) -> Result<Plan, Refusal> {
    check(mode, access)?;
    check_host(situation, access)?;
    let mut draft = Draft::new(mode, port, situation);
    match mode {
        Mode::Loopback => draft.loopback()?,
        Mode::Lan => draft.wildcard(),
        Mode::Tailnet => draft.tailnet()?,
        Mode::Custom(host) => draft.custom(host)?,
        Mode::Auto => match draft.reason_to_widen(access) {
            None => draft.loopback()?,
            Some(because) => {
                check_reach(mode, Reach::Beyond, access)?;
                draft.widen(because);
            }
        },
    }
    draft.note_container();
    draft.trace_access(access);
    Ok(draft.finish())
}

impl Plan {
    /// Where a client on this host connects: loopback where it is served, else the host's own address.
    #[must_use]
    pub const fn dial(&self) -> SocketAddr {
        self.dial
    }

    /// Checks a socket that the service manager opened, by the address that the kernel reports for it.
    ///
    /// A narrower socket than planned passes (one address of the host under `lan`); a tailnet socket must
    /// besides be bound to its [`Socket::device`], which an address cannot show.
    ///
    /// # Errors
    ///
    /// [`Refusal::SocketTooWide`] and [`Refusal::SocketNotPlanned`] (`A28`).
    pub fn permits(&self, actual: SocketAddr) -> Result<(), Refusal> {
        if !self.ceiling.admits(actual.ip()) {
            return Err(Refusal::SocketTooWide { actual, mode: self.mode });
        }
        if self.sockets.iter().any(|socket| socket.covers(actual)) {
            return Ok(());
        }
        let planned = self.sockets.iter().map(|socket| socket.addr).collect();
        Err(Refusal::SocketNotPlanned { actual, mode: self.mode, planned })
    }
}

impl Socket {
    fn covers(&self, actual: SocketAddr) -> bool {
        let port = self.addr.port() == 0 || self.addr.port() == actual.port();
        port && match (self.addr.ip(), actual.ip().to_canonical()) {
            (IpAddr::V4(planned), IpAddr::V4(_)) if planned.is_unspecified() => true,
            (planned, ip) => planned == ip && scope(self.addr) == scope(actual),
        }
    }
}

const fn scope(addr: SocketAddr) -> u32 {
    match addr {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(v6) => v6.scope_id(),
    }
}
