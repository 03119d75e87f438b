//! Where this configuration listens on this host.

use std::{net::IpAddr, path::Path};

use openclaw_bind::{
    Access, HostAddress, Mode, Plan, Refusal, Secret, Serve, Situation, Tailnet, Token,
    plan as plan_sockets,
};

use crate::config::{
    gateway::{AuthMode, BindMode, Gateway, TailscaleMode},
    problem::Problem,
    resolve::Credentials,
    secret::SecretValue,
};

/// The plan for a configuration, given the host.
///
/// # Errors
/// The refusal as a problem of `gateway.bind`, with its hint.
pub fn plan(
    gateway: &Gateway,
    credentials: &Credentials,
    situation: &Situation,
) -> Result<Plan, Problem> {
    let mode =
        Mode::parse(gateway.bind.as_str(), gateway.custom_bind_host.as_deref()).map_err(problem)?;
    plan_sockets(&mode, gateway.port, situation, &access(gateway, credentials)).map_err(problem)
}

fn problem(refusal: Refusal) -> Problem {
    Problem::new("gateway.bind", refusal.to_string()).hint(refusal.hint())
}

/// How callers will prove themselves, as far as binding needs it.
#[must_use]
pub fn access(gateway: &Gateway, credentials: &Credentials) -> Access {
    let configured =
        |secret: Option<&SecretValue>| secret.map_or(Token::Generated, |_| Token::Configured);
    let secret = match gateway.auth.effective_mode() {
        AuthMode::None => Secret::None,
        AuthMode::Token => Secret::Token(configured(credentials.token.as_ref())),
        AuthMode::Password => Secret::password(
            credentials.password.as_ref().map_or(0, |secret| secret.expose().chars().count()),
        ),
        AuthMode::TrustedProxy => Secret::TrustedProxy,
    };
    let serve = match gateway.tailscale.mode {
        TailscaleMode::Off => Serve::Off,
        TailscaleMode::Serve => Serve::Serve,
        TailscaleMode::Funnel => Serve::Funnel,
    };
    Access {
        secret,
        serve,
        trusted_proxies: !gateway.trusted_proxies.is_empty(),
        explicit_auto: gateway.bind == BindMode::Auto && gateway.bind_written,
    }
}

/// What the host looks like now. tailscaled is not asked: this build does not speak to it yet, and says so
/// where a tailnet address is wanted.
///
/// # Errors
/// When the interfaces cannot be listed.
pub fn situation(gateway: &Gateway) -> Result<Situation, Problem> {
    let interfaces = if_addrs::get_if_addrs().map_err(|error| {
        Problem::new("gateway.bind", format!("cannot list this host's addresses: {error}"))
    })?;
    let tailnet = match gateway.bind {
        BindMode::Tailnet => {
            Tailnet::Unavailable { reason: "this build does not talk to tailscaled yet".to_owned() }
        }
        BindMode::Loopback | BindMode::Lan | BindMode::Custom | BindMode::Auto => Tailnet::NotAsked,
    };
    Ok(Situation {
        interfaces: interfaces.iter().map(host_address).collect(),
        container: container(),
        tailnet,
    })
}

fn host_address(interface: &if_addrs::Interface) -> HostAddress {
    let prefix = match &interface.addr {
        if_addrs::IfAddr::V4(v4) => v4.prefixlen,
        if_addrs::IfAddr::V6(v6) => v6.prefixlen,
    };
    HostAddress {
        interface: interface.name.clone(),
        index: interface.index.unwrap_or_default(),
        addr: interface.ip(),
        prefix,
        loopback: interface.is_loopback(),
        point_to_point: interface.is_p2p(),
    }
}

/// Evidence that we run in a container; a stray marker file never widens anything by itself (row A6).
#[must_use]
pub fn container() -> Option<String> {
    let marks = ["/.dockerenv", "/run/.containerenv", "/var/run/secrets/kubernetes.io"];
    marks.into_iter().find(|mark| Path::new(mark).exists()).map(str::to_owned)
}

/// Addresses of this host's own interfaces.
#[must_use]
pub fn addresses(situation: &Situation) -> Vec<IpAddr> {
    situation.interfaces.iter().map(|address| address.addr.to_canonical()).collect()
}
