//! What an edit of the file needs (`J10`).
//!
//! Keys are hot or need a restart as the table says. A change that lets more in waits for a restart even
//! where its key is hot: more trusted proxies, more networks of automatic approval, a believed proxy on
//! this host, Tailscale identities. A restart is asked for, never made here.

use std::collections::BTreeMap;

use figment::value::Value as FigmentValue;
use ipnet::IpNet;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::config::gateway::Gateway;
use crate::config::keys::ReloadClass;
use crate::config::keys::table::KEYS;
use crate::config::load::Loaded;

/// One mark per key: equal marks, equal values. Never printed: a mark of a weak secret tells it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<&'static str, [u8; 32]>);

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Marks")
    }
}

impl Marks {
    /// The marks of the effective values, which `value_of` finds by key.
    pub(crate) fn new<'v>(value_of: impl Fn(&str) -> Option<&'v FigmentValue>) -> Self {
        let mark = |path: &'static str| {
            let text = serde_json::to_string(value_of(path)?).ok()?;
            Some((path, Sha256::digest(text.as_bytes()).into()))
        };
        Self(KEYS.iter().filter_map(|key| mark(key.path)).collect())
    }
}

/// What differs between two configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Keys that apply at once.
    pub hot: Vec<&'static str>,
    /// Keys that wait for a restart.
    pub restart: Vec<&'static str>,
    /// Sections that other parts read and judge.
    pub sections: Vec<String>,
}

impl Change {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.hot.is_empty() && self.restart.is_empty() && self.sections.is_empty()
    }
}

/// What differs from `old` to `new`.
pub fn diff(old: &Loaded, new: &Loaded) -> Change {
    let mut change = Change::default();
    for key in KEYS.iter().filter(|key| key.reload != ReloadClass::None) {
        if old.marks.0.get(key.path) == new.marks.0.get(key.path) {
            continue;
        }
        let widens = widens(key.path, &old.config.gateway, &new.config.gateway);
        match key.reload {
            ReloadClass::Hot if !widens => change.hot.push(key.path),
            ReloadClass::Hot | ReloadClass::Restart => change.restart.push(key.path),
            ReloadClass::None => {}
        }
    }
    let (before, after) = (&old.config.rest, &new.config.rest);
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let differs = |name: &&String| section(before, name) != section(after, name);
    change.sections = names.into_iter().filter(differs).cloned().collect();
    change
}

fn section<'m>(map: &'m serde_json::Map<String, Value>, name: &str) -> Option<&'m Value> {
    map.get(name)
}

/// Whether the new value of a hot key lets in what the old one did not.
fn widens(path: &str, old: &Gateway, new: &Gateway) -> bool {
    let loopback_proxy = |gateway: &Gateway| {
        gateway.auth.trusted_proxy.as_ref().is_some_and(|proxy| proxy.allow_loopback)
    };
    let opens = |before: bool, after: bool| !before && after;
    match path {
        "gateway.trustedProxies" => more_networks(&old.trusted_proxies, &new.trusted_proxies),
        "gateway.nodes.pairing.autoApproveCidrs" => {
            let (old, new) = (&old.nodes.pairing, &new.nodes.pairing);
            more_networks(&old.auto_approve_cidrs, &new.auto_approve_cidrs)
        }
        "gateway.nodes.pairing.autoApproveLocal" => {
            opens(old.nodes.pairing.auto_approve_local, new.nodes.pairing.auto_approve_local)
        }
        "gateway.auth.allowTailscale" => {
            let believed = |gateway: &Gateway| gateway.auth.allow_tailscale.unwrap_or(false);
            opens(believed(old), believed(new))
        }
        "gateway.auth.trustedProxy.allowLoopback" => {
            opens(loopback_proxy(old), loopback_proxy(new))
        }
        "gateway.allowRealIpFallback" => {
            opens(old.allow_real_ip_fallback, new.allow_real_ip_fallback)
        }
        _ => false,
    }
}

/// `new` as far as it may apply while running: what lets in more than `in_force` does waits for a restart,
/// what lets in less applies (`J10`).
pub fn without_widening(in_force: &Gateway, new: &Gateway) -> Gateway {
    let mut safe = new.clone();
    keep_known(&mut safe.trusted_proxies, &in_force.trusted_proxies);
    let (pairing, known) = (&mut safe.nodes.pairing, &in_force.nodes.pairing);
    keep_known(&mut pairing.auto_approve_cidrs, &known.auto_approve_cidrs);
    pairing.auto_approve_local &= known.auto_approve_local;
    safe.allow_real_ip_fallback &= in_force.allow_real_ip_fallback;
    if widens("gateway.auth.allowTailscale", in_force, new) {
        safe.auth.allow_tailscale = in_force.auth.allow_tailscale;
    }
    if let Some(proxy) = &mut safe.auth.trusted_proxy
        && widens("gateway.auth.trustedProxy.allowLoopback", in_force, new)
    {
        proxy.allow_loopback = false;
    }
    safe
}

fn keep_known(networks: &mut Vec<IpNet>, known: &[IpNet]) {
    networks.retain(|net| known.iter().any(|known| known.contains(net)));
}

fn more_networks(old: &[IpNet], new: &[IpNet]) -> bool {
    !new.iter().all(|net| old.iter().any(|known| known.contains(net)))
}

#[cfg(test)]
mod tests;
