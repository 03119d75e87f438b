//! The grammar of single values: addresses, origins, durations, fingerprints.
//!
//! Every parser here is used twice: by `config::check`, which reports what is wrong with its place, and by
//! the `de_*` functions, with which the typed configuration reads the same text. Nothing is resolved by
//! name: an address is a literal (`A9`, `A10`, `C14`).

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use openclaw_auth::forwarded::{ProxyRange, ProxyRangeWarning};
use openclaw_auth::origin::Origin;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A network and what deserves a line about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The network with host bits cleared, IPv4 where it was written IPv4-mapped (`C15`).
    pub net: IpNet,
    /// Host bits that were cleared (`C14`), or very many hosts (`C12`).
    pub warnings: Vec<ProxyRangeWarning>,
}

/// Reads `10.0.0.0/8`, `fd00::/8`, one address, or an IPv4-mapped form of either: what `openclaw-auth`
/// reads as a trusted proxy.
///
/// # Errors
/// One sentence: a name, a `*`, a bad mask, a mapped prefix below 96, or everything (`/0`, `C12`).
pub fn cidr(text: &str) -> Result<Network, String> {
    let (_, warnings) = ProxyRange::parse(text).map_err(|refusal| refusal.to_string())?;
    let parsed =
        text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let net = parsed.and_then(unmapped).ok_or("not a network")?.trunc();
    Ok(Network { net, warnings })
}

fn unmapped(net: IpNet) -> Option<IpNet> {
    let IpNet::V6(v6) = net else { return Some(net) };
    let Some(v4) = v6.addr().to_ipv4_mapped() else { return Some(net) };
    let prefix = v6.prefix_len().checked_sub(MAPPED_BITS)?;
    Ipv4Net::new(v4, prefix).ok().map(IpNet::V4)
}

/// `::ffff:0:0/96` is the IPv4-mapped block.
const MAPPED_BITS: u8 = 96;

/// Reads a browser origin, as `openclaw-auth` compares it, and gives its normal form.
///
/// # Errors
/// One sentence: `*`, `null` (`D5`), a path, a query, credentials, another scheme.
pub fn origin(text: &str) -> Result<String, String> {
    if let Some(origin) = Origin::configured(text) {
        return Ok(origin.to_string());
    }
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    let message = if authority.contains('@') {
        "an origin has no credentials"
    } else if authority.contains(['/', '?', '#']) {
        "an origin has no path: remove what follows the host and port"
    } else {
        "not an origin such as `https://host:port` (no `*`, no `null`)"
    };
    Err(message.to_owned())
}

fn check_authority(authority: &str) -> Result<(), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inside, after) = rest
                .split_once(']')
                .ok_or_else(|| "an IPv6 host needs its closing bracket".to_owned())?;
            inside
                .parse::<std::net::Ipv6Addr>()
                .map_err(|_error| "not an IPv6 address".to_owned())?;
            ("", after)
        }
        None => match authority.split_once(':') {
            Some((host, _)) => (host, authority.strip_prefix(host).unwrap_or_default()),
            None => (authority, ""),
        },
    };
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !authority.starts_with('[') && (host.is_empty() || !host.chars().all(named)) {
        return Err("the host is not a name or an address (no `*`)".to_owned());
    }
    let digits = port.strip_prefix(':');
    match (port, digits.map(str::parse::<u16>)) {
        ("", _) => Ok(()),
        (_, Some(Ok(1..))) => Ok(()),
        (_, Some(Ok(0) | Err(_)) | None) => Err("the port is not 1-65535".to_owned()),
    }
}

/// Reads an address that clients reach from outside: an origin, `https`, or `http` on loopback.
///
/// # Errors
/// As [`origin`], and plain `http` of another host.
pub fn public_origin(text: &str) -> Result<String, String> {
    let origin = origin(text)?;
    let Some(authority) = origin.strip_prefix("http://") else { return Ok(origin) };
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let loopback = host == "localhost"
        || authority.starts_with("[::1]")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    if loopback { Ok(origin) } else { Err("use `https://`; `http://` is for loopback only".into()) }
}

/// Reads a `ws://` or `wss://` address.
///
/// # Errors
/// One sentence; the text itself is not repeated, it may hold credentials.
pub fn socket_url(text: &str) -> Result<(), String> {
    let (scheme, rest) = text
        .split_once("://")
        .ok_or_else(|| "not an address such as `wss://host:port`".to_owned())?;
    if !matches!(scheme.to_ascii_lowercase().as_str(), "ws" | "wss") {
        return Err("the address starts with `wss://` or `ws://`".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("credentials do not belong into the address".to_owned());
    }
    check_authority(&authority.to_ascii_lowercase())
}

/// Reads a SHA-256 certificate fingerprint: 64 hex digits, colons and a `sha256:` prefix allowed.
///
/// # Errors
/// One sentence.
pub fn fingerprint(text: &str) -> Result<String, String> {
    let lower = text.trim().to_ascii_lowercase();
    let bare = lower
        .strip_prefix("sha256:")
        .or_else(|| lower.strip_prefix("sha-256:"))
        .or_else(|| lower.strip_prefix("sha256/"))
        .unwrap_or(&lower);
    let digits: String = bare.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect();
    let valid = digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit());
    if valid { Ok(digits) } else { Err("not a SHA-256 fingerprint of 64 hex digits".to_owned()) }
}

/// Reads a base path: empty or `/`, or `/x/y` without `.` segments; the trailing slash goes.
///
/// # Errors
/// One sentence.
pub fn base_path(text: &str) -> Result<String, String> {
    let inner = text.trim().trim_matches('/');
    if inner.is_empty() {
        return Ok(String::new());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let segment =
        |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(plain);
    if inner.split('/').all(segment) {
        Ok(format!("/{inner}"))
    } else {
        Err("not a path such as `/openclaw`".to_owned())
    }
}

/// Reads an HTTP header name and gives it in lower case.
///
/// # Errors
/// One sentence.
pub fn header_name(text: &str) -> Result<String, String> {
    let lower = text.trim().to_ascii_lowercase();
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let valid = !lower.is_empty() && lower.len() <= MAX_HEADER_NAME && lower.chars().all(token);
    if valid { Ok(lower) } else { Err("not an HTTP header name".to_owned()) }
}

/// No proxy has longer names; the wire limit of ours is larger.
const MAX_HEADER_NAME: usize = 128;

pub(crate) fn de_millis<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}

pub(crate) fn de_cidrs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| cidr(text).map(|found| found.net).map_err(D::Error::custom)).collect()
}

pub(crate) fn de_origin<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| public_origin(&text)).transpose().map_err(D::Error::custom)
}

pub(crate) fn de_origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| origin(text).map_err(D::Error::custom)).collect()
}

pub(crate) fn de_lower<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|text| text.trim().to_ascii_lowercase())
}

pub(crate) fn de_lowers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    Ok(texts.iter().map(|text| text.trim().to_ascii_lowercase()).collect())
}

pub(crate) fn de_base_path<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    base_path(&String::deserialize(from)?).map_err(D::Error::custom)
}

pub(crate) fn de_fingerprint<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| fingerprint(&text)).transpose().map_err(D::Error::custom)
}

/// A text, or `false` for "not at all".
pub(crate) fn flag_or_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) if !text.trim().is_empty() => Ok(Some(text)),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
