//! What the configuration allows, in the shape a decision needs.
//!
//! Built once by the root crate from checked configuration; a new one with a higher `generation` replaces it, and
//! grants of an older generation can be told apart (row E18). Nothing here is read from a request.

use std::net::IpAddr;
use std::time::Duration;

use crate::denied::{Cause, Denied};
use crate::forwarded::{ProxyIdentity, ProxyRange};
use crate::origin::{HostName, Origin, Scheme};
use crate::secret::SharedSecret;

/// How a stranger proves that he belongs here.
#[derive(Clone, Debug)]
pub enum Mode {
    /// `gateway.auth.mode: token`.
    Token(SharedSecret),
    /// `gateway.auth.mode: password`.
    Password(SharedSecret),
    /// `gateway.auth.mode: none`: this host only (E22).
    None,
    /// `gateway.auth.mode: trusted-proxy`: a header from a listed proxy names the user.
    TrustedProxy(ProxyIdentity),
}

impl Mode {
    /// The word of the configuration.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Password(_) => "password",
            Self::None => "none",
            Self::TrustedProxy(_) => "trusted-proxy",
        }
    }
}

/// Our managed Serve front, when there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeFront {
    /// The origin a browser sees, for example `https://gw.tail1234.ts.net`.
    pub origin: Origin,
    pub funnel: Funnel,
}

/// Whether requests from the public internet may come through the Serve front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funnel {
    /// `tailscale.mode: serve`: a Funnel marker means that somebody else opened our port (B30).
    Refused,
    /// `tailscale.mode: funnel`: the marker must be exactly `?1` (B31).
    Expected,
}

/// Everything a decision may take from the configuration.
#[derive(Clone, Debug)]
pub struct Policy {
    pub mode: Mode,
    /// `gateway.auth.password` beside `trusted-proxy`: lets clients of this host in that pass no proxy.
    pub local_password: Option<SharedSecret>,
    /// Grows with every change of credentials or of this policy.
    pub generation: u64,
    /// Hosts that are ours: loopback names, bound literals, tailnet name, `publicOrigin` (group D).
    pub own_names: Vec<HostName>,
    /// Ports that we serve on.
    pub own_ports: Vec<u16>,
    /// What browsers reach on our own listeners: `https` with gateway TLS.
    pub own_scheme: Scheme,
    /// Addresses of this host's own interfaces (C16).
    pub own_addresses: Vec<IpAddr>,
    /// `gateway.controlUi.allowedOrigins`.
    pub allowed_origins: Vec<Origin>,
    pub public_origin: Option<Origin>,
    pub trusted_proxies: Vec<ProxyRange>,
    /// `gateway.allowRealIpFallback`.
    pub allow_real_ip_fallback: bool,
    /// `gateway.auth.allowTailscale`: whois evidence may stand in for the shared secret.
    pub allow_tailscale: bool,
    /// `gateway.nodes.pairing.autoApproveLocal`.
    pub auto_approve_local: bool,
    /// Our user id; `None` where the platform cannot tell who owns a peer socket.
    pub own_uid: Option<u32>,
    /// The user id behind the LocalAPI socket, when it was looked up.
    pub tailscaled_uid: Option<u32>,
    pub serve: Option<ServeFront>,
}

impl Policy {
    /// The strictest policy of a mode: loopback names, no proxy, no foreign origin, nothing approved silently.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            local_password: None,
            generation: 0,
            own_names: HostName::loopback_names(),
            own_ports: Vec::new(),
            own_scheme: Scheme::Http,
            own_addresses: Vec::new(),
            allowed_origins: Vec::new(),
            public_origin: None,
            trusted_proxies: Vec::new(),
            allow_real_ip_fallback: false,
            allow_tailscale: false,
            auto_approve_local: false,
            own_uid: None,
            tailscaled_uid: None,
            serve: None,
        }
    }
}

/// The time of a decision, from the one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Unix time in milliseconds, for signatures.
    pub unix_ms: u64,
    /// Monotonic time since an arbitrary start, for the limiter.
    pub uptime: Duration,
}

/// The wire protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Protocol {
    V3,
    #[default]
    V4,
}

impl Protocol {
    /// The highest version in the client's range (protocol 3.5).
    ///
    /// # Errors
    /// `protocol mismatch`, close 1002.
    pub fn negotiate(min: u64, max: u64) -> Result<Self, Denied> {
        let holds = |version| (min..=max).contains(&version);
        if holds(4) {
            Ok(Self::V4)
        } else if holds(3) {
            Ok(Self::V3)
        } else {
            Err(Denied::new(Cause::ProtocolMismatch { min, max }))
        }
    }

    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }
}
