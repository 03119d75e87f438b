//! Pipeline steps 2 and 4-7: is this request allowed to be answered at all, and where does it come from?

use std::net::IpAddr;

use crate::denied::{Cause, Denied};
use crate::headers::Head;
use crate::limiter::ClientKey;
use crate::origin::Origin;
use crate::policy::Policy;
use crate::trace::Trace;
use crate::via::{Peer, Via};

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
    /// Forwarding evidence (C10).
    Forwarded,
    /// Came through Serve.
    Serve,
    /// A page that is not our own (design, "Auth").
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
    /// The peer is a listed proxy.
    TrustedProxy,
}

/// A request that may be answered.
#[derive(Clone, Debug)]
pub struct Admitted {
    via: Via,
    client: ClientKey,
    client_ip: Option<IpAddr>,
    locality: Locality,
    origin: Option<Origin>,
}

impl Admitted {
    #[must_use]
    pub fn via(&self) -> Via {
        self.via
    }

    /// The key under which failures are counted.
    #[must_use]
    pub fn client(&self) -> &ClientKey {
        &self.client
    }

    /// Who is at the other end, past trusted proxies; `None` only for an unproven unix socket.
    #[must_use]
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.client_ip
    }

    #[must_use]
    pub fn locality(&self) -> Locality {
        self.locality
    }

    #[must_use]
    pub fn is_local(&self) -> bool {
        self.locality == Locality::Proven
    }

    /// The allowed origin of a browser page.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }
}

/// Decide steps 2 and 4-7 for one request or upgrade.
///
/// # Errors
/// The refusal, answered as HTTP.
pub fn admit(policy: &Policy, peer: &Peer, via: Via, head: &Head<'_>) -> Result<Admitted, Denied> {
    admit_traced(policy, peer, via, head, &mut Trace::off())
}

/// As [`admit`], and write down every step.
///
/// # Errors
/// The refusal, answered as HTTP.
pub fn admit_traced(
    policy: &Policy,
    peer: &Peer,
    via: Via,
    head: &Head<'_>,
    trace: &mut Trace,
) -> Result<Admitted, Denied> {
    let _ = (policy, peer, via, head, trace);
    Err(Denied::new(Cause::ProxyAttributionRequired))
}
