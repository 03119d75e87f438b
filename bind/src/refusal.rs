//! Why the gateway will not listen as asked: one line of cause, a stable code and a remedy.
//!
//! No variant carries a secret. Text that came from the configuration is shown escaped and cut short, so a
//! refusal is safe on a terminal and in a log.

use std::net::{IpAddr, SocketAddr};

use crate::mode::{CustomHost, Mode};

/// A start that must not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `gateway.bind` is none of the five words.
    #[error("`gateway.bind` is `{}`, which is not a bind mode", shown(word))]
    UnknownMode {
        /// What was written.
        word: String,
        /// The mode that was probably meant.
        nearest: Option<&'static str>,
    },
    /// `gateway.bind` holds an address.
    #[error("`gateway.bind` is the address `{ip}`, but it takes a word")]
    AddressAsMode {
        /// The address.
        ip: IpAddr,
    },
    /// `custom` without an address (`A7`).
    #[error("`bind=custom` needs `gateway.customBindHost`, which is not set")]
    CustomHostMissing,
    /// Not one plain IP literal (`A7`, `A9`, `A10`).
    #[error("`gateway.customBindHost` is `{}`, which is not a canonical IP address", shown(text))]
    CustomHostNotLiteral {
        /// What was written.
        text: String,
        /// The address in it, where one can be seen.
        meant: Option<IpAddr>,
    },
    /// A wildcard in any spelling (`A11`).
    #[error("`gateway.customBindHost` is `{}`, which means every address", shown(text))]
    CustomHostWildcard {
        /// What was written.
        text: String,
    },
    /// A link-local address on no particular link (`A13`).
    #[error("`gateway.customBindHost` is the link-local address `{ip}` without its interface")]
    LinkLocalWithoutScope {
        /// The address.
        ip: IpAddr,
    },
    /// A scope that is empty, or on an address that has none.
    #[error("`gateway.customBindHost` is `{}`, whose scope means nothing", shown(text))]
    ScopeMisplaced {
        /// What was written.
        text: String,
    },
    /// A multicast or broadcast address.
    #[error("`gateway.customBindHost` is `{ip}`, which no single host can have")]
    CustomHostNotUnicast {
        /// The address.
        ip: IpAddr,
    },
    /// The custom address is not one of the host's (`A8`).
    #[error("`gateway.customBindHost` is `{host}`, which this host does not have")]
    CustomHostAbsent {
        /// The address, with its scope.
        host: CustomHost,
        /// Addresses that the host does have, loopback left out.
        present: Vec<IpAddr>,
    },
    /// The host has neither `127.0.0.1` nor `::1` (`A1`, `A3`, `A21`).
    #[error("`bind={mode}` needs loopback, and this host has neither `127.0.0.1` nor `::1`")]
    NoLoopback {
        /// The word of the mode.
        mode: &'static str,
    },
    /// The tailnet's addresses exist only inside tailscaled.
    #[error("`bind=tailnet` cannot work: tailscaled runs with userspace networking")]
    UserspaceTailnet,
    /// Serve or Funnel in front of anything but loopback (`A24`).
    #[error("Tailscale {feature} needs the gateway on loopback, but `bind={mode}`")]
    ServeNeedsLoopback {
        /// `Serve` or `Funnel`.
        feature: &'static str,
        /// The word of the mode.
        mode: &'static str,
    },
    /// Funnel without a password that can stand on the internet (`A26`).
    #[error(
        "Tailscale Funnel publishes the gateway to the internet and needs a password of at least \
         {} characters",
        crate::access::FUNNEL_PASSWORD_CHARS
    )]
    FunnelNeedsPassword,
    /// `auth.mode=none` where somebody else may come in (`A25`).
    #[error("`gateway.auth.mode=none` is for pure loopback, but {door}")]
    NoneExposed {
        /// What lets others in.
        door: OpenDoor,
    },
    /// Beyond loopback with nothing that the owner configured (`A5`).
    #[error(
        "`bind={mode}` listens beyond loopback, but no token, password or trusted proxy is configured"
    )]
    SecretRequired {
        /// The word of the mode.
        mode: &'static str,
    },
    /// A passed socket that the mode never allows (`A28`).
    #[error("the passed socket `{actual}` is wider than `bind={mode}` allows")]
    SocketTooWide {
        /// Where the socket listens.
        actual: SocketAddr,
        /// The word of the mode.
        mode: &'static str,
    },
    /// A passed socket that the mode allows but this plan does not hold (`A28`).
    #[error("the passed socket `{actual}` is not one of those that `bind={mode}` opens now")]
    SocketNotPlanned {
        /// Where the socket listens.
        actual: SocketAddr,
        /// The word of the mode.
        mode: &'static str,
        /// The sockets that would be accepted.
        planned: Vec<SocketAddr>,
    },
}

/// What makes a gateway without authentication reachable by others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenDoor {
    /// The bind mode.
    #[error("`bind={0}` listens beyond it")]
    Bind(&'static str),
    /// Serve or Funnel.
    #[error("Tailscale {0} is on")]
    Serve(&'static str),
    /// Proxies speak for others.
    #[error("`gateway.trustedProxies` is not empty")]
    TrustedProxies,
    /// The container's network may forward to it.
    #[error("this is a container ({0})")]
    Container(String),
    /// tailscaled forwards the tailnet to loopback.
    #[error("tailscaled runs with userspace networking, which forwards the tailnet to loopback")]
    UserspaceTailnet,
}

impl Refusal {
    /// A stable name for machines, in snake_case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownMode { .. } => "unknown_bind_mode",
            Self::AddressAsMode { .. } => "bind_is_address",
            Self::CustomHostMissing => "custom_host_missing",
            Self::CustomHostNotLiteral { .. } => "custom_host_not_literal",
            Self::CustomHostWildcard { .. } => "custom_host_wildcard",
            Self::LinkLocalWithoutScope { .. } => "link_local_without_scope",
            Self::ScopeMisplaced { .. } => "scope_misplaced",
            Self::CustomHostNotUnicast { .. } => "custom_host_not_unicast",
            Self::CustomHostAbsent { .. } => "custom_host_absent",
            Self::NoLoopback { .. } => "no_loopback",
            Self::UserspaceTailnet => "userspace_tailnet",
            Self::ServeNeedsLoopback { .. } => "serve_needs_loopback",
            Self::FunnelNeedsPassword => "funnel_needs_password",
            Self::NoneExposed { .. } => "auth_none_exposed",
            Self::SecretRequired { .. } => "secret_required",
            Self::SocketTooWide { .. } => "socket_too_wide",
            Self::SocketNotPlanned { .. } => "socket_not_planned",
        }
    }

    /// What the user can do, in one line without the word `hint`.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownMode { nearest: Some(mode), .. } => format!("did you mean `bind={mode}`?"),
            Self::UnknownMode { nearest: None, .. } => {
                format!("use one of {}", listed(Mode::WORDS))
            }
            Self::AddressAsMode { ip } if ip.is_unspecified() => "use `bind=lan`".into(),
            Self::AddressAsMode { ip } if ip.is_loopback() => "use `bind=loopback`".into(),
            Self::AddressAsMode { ip } => {
                format!("use `bind=custom` and `customBindHost={ip}`")
            }
            Self::CustomHostMissing => {
                "set `gateway.customBindHost` to one IP address of this host".into()
            }
            Self::CustomHostNotLiteral { meant: Some(ip), .. } => {
                format!("write `{ip}` alone; the port belongs to `gateway.port`")
            }
            Self::CustomHostNotLiteral { meant: None, .. } => {
                "write one IP address in full, such as `192.168.1.10`; names are not resolved"
                    .into()
            }
            Self::CustomHostWildcard { .. } => "use `bind=lan`".into(),
            Self::LinkLocalWithoutScope { ip } => {
                format!("add the interface, as in `{ip}%eth0`")
            }
            Self::ScopeMisplaced { .. } => {
                "only a link-local IPv6 address takes an interface, as in `fe80::1%eth0`".into()
            }
            Self::CustomHostNotUnicast { .. } => "use an address of one interface".into(),
            Self::CustomHostAbsent { present, .. } if present.is_empty() => {
                "bring its interface up first; no address beyond loopback was found".into()
            }
            Self::CustomHostAbsent { present, .. } => {
                format!("this host has {}", listed(present))
            }
            Self::NoLoopback { .. } => "bring the loopback interface up".into(),
            Self::UserspaceTailnet => {
                "use Serve: `bind=loopback` and `gateway.tailscale.mode=serve`".into()
            }
            Self::ServeNeedsLoopback { .. } => {
                "set `bind=loopback`, or `gateway.tailscale.mode=off`".into()
            }
            Self::FunnelNeedsPassword => {
                "set `gateway.auth.mode=password` and a longer `gateway.auth.password`".into()
            }
            Self::NoneExposed { .. } => {
                "`none` is for loopback on a host of its own: set `gateway.auth.mode=token`".into()
            }
            Self::SecretRequired { .. } => {
                "set `gateway.auth.token` or `gateway.auth.password`, or use `bind=loopback`".into()
            }
            Self::SocketTooWide { mode, .. } => {
                format!("narrow `ListenStream=` in the socket unit to what `bind={mode}` allows")
            }
            Self::SocketNotPlanned { planned, .. } => {
                format!("set `ListenStream=` in the socket unit to {}", listed(planned))
            }
        }
    }
}

/// Longest piece of somebody's text in a message: enough to recognise it, too short to flood a line.
const SHOWN_CHARS: usize = 64;

/// Somebody else's text, made safe for one line.
pub(crate) fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        cut.push('…');
    }
    cut
}

fn listed<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = items.into_iter().map(|item| format!("`{item}`")).collect();
    quoted.join(", ")
}
