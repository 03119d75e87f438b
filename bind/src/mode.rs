//! The five words of `gateway.bind`, read strictly: no names are resolved and no spelling is guessed.
//!
//! `customBindHost` is one IP literal. The forms that a C library would accept for an address (`127.1`,
//! `0x7f.0.0.1`, a bare number) and every host name are refused (`A9`, `A10`); it is read for `custom`
//! only. An unset `gateway.bind` is [`Mode::default`]: loopback, whatever the host looks like (`A6`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::address::{is_ownable, is_scoped};
use crate::ceiling::Ceiling;
use crate::refusal::Refusal;
use crate::situation::Tailnet;

/// Where the user wants the gateway to listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// This host only.
    #[default]
    Loopback,
    /// Every IPv4 address of the host.
    Lan,
    /// The addresses that tailscaled says are ours, and loopback.
    Tailnet,
    /// One address of the host, and loopback.
    Custom(CustomHost),
    /// Loopback, except where that cannot serve anybody; see [`crate::plan`].
    Auto,
}

impl Mode {
    /// Every word of `gateway.bind`, in the order of growing reach, `auto` last.
    pub const WORDS: [&'static str; 5] = ["loopback", "tailnet", "custom", "lan", "auto"];

    /// Reads `gateway.bind` and, for `custom`, `gateway.customBindHost`.
    ///
    /// # Errors
    ///
    /// [`Refusal`] names the value and the remedy (`A7`, `A9` to `A13`).
    pub fn parse(word: &str, custom_host: Option<&str>) -> Result<Self, Refusal> {
        match word {
            "loopback" => Ok(Self::Loopback),
            "lan" => Ok(Self::Lan),
            "tailnet" => Ok(Self::Tailnet),
            "auto" => Ok(Self::Auto),
            "custom" => match custom_host {
                Some(text) => CustomHost::parse(text).map(Self::Custom),
                None => Err(Refusal::CustomHostMissing),
            },
            other => Err(refuse_word(other)),
        }
    }

    /// The word in `gateway.bind`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Lan => "lan",
            Self::Tailnet => "tailnet",
            Self::Custom(_) => "custom",
            Self::Auto => "auto",
        }
    }

    /// The addresses that this mode may ever use, given what tailscaled proved to be ours (`I1`).
    #[must_use]
    pub fn ceiling(&self, tailnet: &Tailnet) -> Ceiling {
        match (self, tailnet) {
            (Self::Loopback, _) => Ceiling::loopback(),
            (Self::Lan | Self::Auto, _) => Ceiling::any_v4(),
            (Self::Custom(host), _) => Ceiling::exactly([host.ip()]),
            (Self::Tailnet, Tailnet::Up { addresses, .. }) => {
                Ceiling::exactly(addresses.iter().copied().filter(|ip| is_ownable(*ip)))
            }
            (
                Self::Tailnet,
                Tailnet::NotAsked
                | Tailnet::Unavailable { .. }
                | Tailnet::Pending { .. }
                | Tailnet::Userspace,
            ) => Ceiling::loopback(),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The address of `gateway.customBindHost`, in canonical form: never a wildcard, never IPv4-mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomHost {
    ip: IpAddr,
    scope: Option<String>,
}

impl CustomHost {
    /// Reads one IP literal; a link-local IPv6 address carries its interface, as in `fe80::1%eth0`.
    ///
    /// # Errors
    ///
    /// [`Refusal`] for anything else (`A7`, `A9`, `A10`), a wildcard (`A11`), a link-local address
    /// without its interface (`A13`), and an address that no single host can have.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(Refusal::CustomHostMissing);
        }
        let (literal, scope) = match text.split_once('%') {
            Some((literal, scope)) => (literal, Some(scope)),
            None => (text, None),
        };
        let Some(ip) = literal.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()) else {
            return Err(refuse_literal(text));
        };
        if ip.is_unspecified() {
            return Err(Refusal::CustomHostWildcard { text: text.into() });
        }
        match scope {
            None if is_scoped(ip) => Err(Refusal::LinkLocalWithoutScope { ip }),
            Some(scope) if !is_scoped(ip) || !is_interface_name(scope) => {
                Err(Refusal::ScopeMisplaced { text: text.into() })
            }
            None | Some(_) if ip.is_loopback() || is_scoped(ip) || is_ownable(ip) => {
                Ok(Self { ip, scope: scope.map(str::to_owned) })
            }
            None | Some(_) => Err(Refusal::CustomHostNotUnicast { ip }),
        }
    }

    /// The address.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The interface, by name or index, of a link-local address.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }
}

impl fmt::Display for CustomHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Some(scope) => write!(f, "{}%{scope}", self.ip),
            None => self.ip.fmt(f),
        }
    }
}

/// The kernel's limit for an interface name (`IFNAMSIZ` without its NUL).
const INTERFACE_NAME_BYTES: usize = 15;

fn is_interface_name(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%');
    plain && (1..=INTERFACE_NAME_BYTES).contains(&text.len())
}

/// Two edits turn any likely slip into a mode; three turn `web` into `lan`.
const LIKELY_EDITS: usize = 2;

/// No mistyped mode is longer; it keeps the comparison small for any input.
const LONGEST_WORD: usize = 16;

fn refuse_word(word: &str) -> Refusal {
    if let Some(ip) = bare_address(word) {
        return Refusal::AddressAsMode { ip: ip.to_canonical() };
    }
    Refusal::UnknownMode { word: word.into(), nearest: nearest(word) }
}

fn nearest(word: &str) -> Option<&'static str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    let word = word.trim().to_lowercase();
    let meant = match word.as_str() {
        "local" | "localhost" | "localonly" => Some("loopback"),
        "all" | "any" | "public" | "wildcard" | "network" => Some("lan"),
        "tailscale" | "ts" | "vpn" => Some("tailnet"),
        _ => None,
    };
    let edits = |mode: &&'static str| strsim::osa_distance(&word, mode);
    // A short word is two edits from almost anything, so half of it must be right.
    let likely = |mode: &&'static str| edits(mode) <= LIKELY_EDITS.min(word.chars().count() / 2);
    meant.or_else(|| Mode::WORDS.into_iter().filter(likely).min_by_key(edits))
}

/// The address in `text`, however it is dressed: in brackets, with a port, or both.
fn bare_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner
        .unwrap_or(text)
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|addr| addr.ip()))
}

fn refuse_literal(text: &str) -> Refusal {
    match bare_address(text).map(|ip| ip.to_canonical()) {
        Some(ip) if ip.is_unspecified() => Refusal::CustomHostWildcard { text: text.into() },
        dressed => Refusal::CustomHostNotLiteral { text: text.into(), meant: dressed },
    }
}
