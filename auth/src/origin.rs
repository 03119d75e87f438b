//! Host names that are ours and origins that may talk to us (group D).
//!
//! A browser tells the truth about both, so they stop pages of other sites (D1) and rebound names (D2-D4). A `Host` is
//! read strictly, an origin with a URL parser; both are compared as values, never as text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

mod judge;

pub(crate) use judge::{Page, Route, is_own_host, judge};

/// The longest DNS name.
const MAX_NAME_BYTES: usize = 253;

/// The scheme of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A host as it stands in a `Host` header or an origin: lower case, no trailing dot, IPv6 in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName(Box<str>);

impl HostName {
    /// `127.0.0.1`, `[::1]` and `localhost`.
    #[must_use]
    pub fn loopback_names() -> Vec<Self> {
        ["127.0.0.1", "[::1]", "localhost"].map(|name| Self(name.into())).into()
    }

    /// Read a name or an IP literal, brackets optional; `None` when it is neither. A number that is not a canonical
    /// IPv4 address (`127.1`) is not a name (A9).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Some(Self::of_ip(ip));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let fits = !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(plain);
        let labels = name.split('.').all(|label| !label.is_empty());
        let last = name.rsplit('.').next().unwrap_or_default();
        let number = last.starts_with(|c: char| c.is_ascii_digit())
            && last.bytes().all(|b| b.is_ascii_hexdigit() || b == b'x' || b == b'X');
        (fits && labels && !number).then(|| Self(name.to_ascii_lowercase().into()))
    }

    /// The name of an address, v4-mapped ones as v4.
    #[must_use]
    pub fn of_ip(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V4(v4) => v4.to_string().into(),
            IpAddr::V6(v6) => format!("[{v6}]").into(),
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `localhost`, or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let literal = self.0.trim_start_matches('[').trim_end_matches(']');
        &*self.0 == "localhost"
            || literal.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || literal.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A `Host` header: name and optional port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    pub name: HostName,
    pub port: Option<u16>,
}

impl HostPort {
    /// `None` for user info, a broken port, a bare IPv6 address or anything not a host.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let split = match text.strip_prefix('[') {
            Some(_) => text.find(']')? + 1,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (name, rest) = text.split_at_checked(split)?;
        let port = match rest.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None if rest.is_empty() => None,
            None => return None,
        };
        if name.starts_with('[') {
            let inner = name.strip_prefix('[')?.strip_suffix(']')?;
            inner.parse::<Ipv6Addr>().ok()?;
        }
        Some(Self { name: HostName::parse(name)?, port })
    }
}

/// A web origin: scheme, host, port; or a browser extension.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Web {
        scheme: Scheme,
        host: HostName,
        port: u16,
    },
    /// Scheme and id; allowed only when listed exactly (D22).
    Extension {
        scheme: Box<str>,
        id: Box<str>,
    },
}

impl Origin {
    /// An origin of a scheme, host and port.
    #[must_use]
    pub fn web(scheme: Scheme, host: HostName, port: u16) -> Self {
        Self(Kind::Web { scheme, host, port })
    }

    /// Read an origin as a browser sends it; `None` for `null` (D5), user info, a path, a query, an escape (D9).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
        if !rest.bytes().all(plain) {
            return None;
        }
        if scheme.to_ascii_lowercase().ends_with("-extension") {
            let id =
                rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !rest.is_empty();
            return id.then(|| {
                let (scheme, id) =
                    (scheme.to_ascii_lowercase().into(), rest.to_ascii_lowercase().into());
                Self(Kind::Extension { scheme, id })
            });
        }
        let url = Url::parse(text).ok()?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let host = HostName::parse(url.host_str()?)?;
        Some(Self::web(scheme, host, url.port().unwrap_or_else(|| scheme.default_port())))
    }

    /// Read an origin from the configuration: a trailing slash and international names are fine there.
    #[must_use]
    pub fn configured(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_ascii() {
            return Self::parse(text);
        }
        Self::parse(&Url::parse(text).ok()?.origin().ascii_serialization())
    }

    /// `None` for a browser extension.
    #[must_use]
    pub fn host(&self) -> Option<&HostName> {
        match &self.0 {
            Kind::Web { host, .. } => Some(host),
            Kind::Extension { .. } => None,
        }
    }

    /// `None` for a browser extension.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match &self.0 {
            Kind::Web { port, .. } => Some(*port),
            Kind::Extension { .. } => None,
        }
    }

    /// `None` for a browser extension.
    #[must_use]
    pub fn scheme(&self) -> Option<Scheme> {
        match &self.0 {
            Kind::Web { scheme, .. } => Some(*scheme),
            Kind::Extension { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Web { scheme, host, port } if *port == scheme.default_port() => {
                write!(f, "{}://{host}", scheme.as_str())
            }
            Kind::Web { scheme, host, port } => write!(f, "{}://{host}:{port}", scheme.as_str()),
            Kind::Extension { scheme, id } => write!(f, "{scheme}://{id}"),
        }
    }
}
