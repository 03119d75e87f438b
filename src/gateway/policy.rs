//! From checked configuration to what a decision may take.

use std::net::{IpAddr, SocketAddr};

use openclaw_auth::{
    HostName, Origin, Policy, ProxyRange, Scheme, Secret, SharedSecret,
    forwarded::{LoopbackProxy, ProxyIdentity},
    limiter::{Limits, LoopbackGuesses},
    policy::Mode,
};

use crate::{
    config::{
        gateway::{AuthMode, Gateway, TrustedProxy},
        problem::Problem,
    },
    net::peer::CAN_TELL_OWNERS,
};

/// What does not come from the configuration.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The mode of the start: another one needs a restart (row J10).
    pub mode: AuthMode,
    /// The token or password in force.
    pub secret: Option<Secret>,
    pub locals: Vec<SocketAddr>,
    pub own_addresses: Vec<IpAddr>,
    pub scheme: Scheme,
    pub generation: u64,
}

/// Builds the policy.
///
/// # Errors
/// A mode whose secret is missing, or an origin or range that the loader should have refused.
pub fn build(gateway: &Gateway, facts: &Facts) -> Result<Policy, Problem> {
    let mut policy = Policy::new(mode(gateway, facts)?);
    if facts.mode == AuthMode::TrustedProxy {
        policy.local_password = facts.secret.as_ref().map(SharedSecret::new);
    }
    policy.generation = facts.generation;
    policy.own_ports = facts.locals.iter().map(SocketAddr::port).collect();
    policy.own_ports.dedup();
    policy.own_scheme = facts.scheme;
    policy.own_addresses.clone_from(&facts.own_addresses);
    policy.allowed_origins = origins(&gateway.control_ui.allowed_origins)?;
    policy.public_origin = gateway.public_origin.as_deref().map(origin).transpose()?;
    policy.own_names = own_names(&policy, facts);
    policy.trusted_proxies = gateway.trusted_proxies.iter().map(range).collect::<Result<_, _>>()?;
    policy.allow_real_ip_fallback = gateway.allow_real_ip_fallback;
    // No whois evidence exists in this build: identity headers are never believed.
    policy.allow_tailscale = false;
    policy.auto_approve_local = gateway.nodes.pairing.auto_approve_local;
    policy.own_uid = CAN_TELL_OWNERS.then(|| rustix::process::geteuid().as_raw());
    Ok(policy)
}

fn mode(gateway: &Gateway, facts: &Facts) -> Result<Mode, Problem> {
    let secret = || {
        let missing = || Problem::new("gateway.auth", "the mode's secret is missing");
        facts.secret.as_ref().map(SharedSecret::new).ok_or_else(missing)
    };
    match facts.mode {
        AuthMode::None => Ok(Mode::None),
        AuthMode::Token => secret().map(Mode::Token),
        AuthMode::Password => secret().map(Mode::Password),
        AuthMode::TrustedProxy => {
            let missing =
                || Problem::new("gateway.auth.trustedProxy", "trusted-proxy needs `userHeader`");
            gateway
                .auth
                .trusted_proxy
                .as_ref()
                .map(|proxy| Mode::TrustedProxy(identity(proxy)))
                .ok_or_else(missing)
        }
    }
}

fn identity(proxy: &TrustedProxy) -> ProxyIdentity {
    let boxed = |list: &[String]| list.iter().map(|text| text.as_str().into()).collect();
    ProxyIdentity {
        user_header: proxy.user_header.as_str().into(),
        required_headers: boxed(&proxy.required_headers),
        allow_users: boxed(&proxy.allow_users),
        loopback: if proxy.allow_loopback {
            LoopbackProxy::Uids(proxy.proxy_uids.clone())
        } else {
            LoopbackProxy::Refused
        },
    }
}

fn origins(list: &[String]) -> Result<Vec<Origin>, Problem> {
    list.iter().map(|text| origin(text)).collect()
}

fn origin(text: &str) -> Result<Origin, Problem> {
    Origin::configured(text).ok_or_else(|| {
        Problem::new("gateway.controlUi.allowedOrigins", format!("`{text}` is not an origin"))
    })
}

fn range(net: &ipnet::IpNet) -> Result<ProxyRange, Problem> {
    ProxyRange::parse(&net.to_string())
        .map(|(range, _)| range)
        .map_err(|error| Problem::new("gateway.trustedProxies", error.to_string()))
}

/// Loopback names, the literals we listen on, and what the configuration says people call us.
fn own_names(policy: &Policy, facts: &Facts) -> Vec<HostName> {
    let mut names = HostName::loopback_names();
    let wildcard = facts.locals.iter().any(|local| local.ip().is_unspecified());
    let bound = facts.locals.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
    names.extend(bound.map(HostName::of_ip));
    if wildcard {
        names.extend(facts.own_addresses.iter().copied().map(HostName::of_ip));
    }
    let origins = policy.allowed_origins.iter().chain(&policy.public_origin);
    names.extend(origins.filter_map(|origin| origin.host().cloned()));
    let mut own: Vec<HostName> = Vec::with_capacity(names.len());
    for name in names {
        if !own.contains(&name) {
            own.push(name);
        }
    }
    own
}

/// The limits on wrong credentials.
#[must_use]
pub fn limits(gateway: &Gateway) -> Limits {
    let configured = gateway.auth.rate_limit;
    Limits {
        failures: configured.max_attempts,
        window: configured.window,
        lock: configured.lockout,
        loopback: if configured.exempt_loopback {
            LoopbackGuesses::Slowed
        } else {
            LoopbackGuesses::Locked
        },
        ..Limits::default()
    }
}
