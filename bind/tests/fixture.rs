//! The host of the attack table: a LAN interface, a tunnel, and the addresses that strangers hold.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use openclaw_bind::{
    Access, HostAddress, Mode, Plan, Refusal, Secret, Serve, Situation, Strength, Tailnet, Token,
    plan,
};

pub(crate) const PORT: u16 = 18_789;

pub(crate) const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
pub(crate) const LAN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 10));
pub(crate) const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
pub(crate) const PUBLIC_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2a01, 0x4f8, 0, 0, 0, 0, 0, 7));
pub(crate) const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 72, 3, 4));
pub(crate) const NETBIRD: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 92, 1, 1));
pub(crate) const TAIL: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 101, 102, 103));
pub(crate) const TAIL_V6: IpAddr =
    IpAddr::V6(Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0x103));
pub(crate) const HEADSCALE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 100, 7));
pub(crate) const LINK: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));

pub(crate) const TOKEN: Secret = Secret::Token(Token::Configured);
pub(crate) const MADE_UP: Secret = Secret::Token(Token::Generated);
pub(crate) const WEAK: Secret = Secret::Password(Strength::Weak);
pub(crate) const STRONG: Secret = Secret::Password(Strength::Strong);

/// One row; loopback and tunnels are told by the interface's name.
pub(crate) fn on(interface: &str, addr: IpAddr, prefix: u8) -> HostAddress {
    let index = match interface {
        "lo" => 1,
        "eth0" => 2,
        _ => 3,
    };
    HostAddress {
        interface: interface.into(),
        index,
        addr,
        prefix,
        loopback: interface == "lo",
        point_to_point: !matches!(interface, "lo" | "eth0" | "wlan0"),
    }
}

pub(crate) fn lo4() -> HostAddress {
    on("lo", V4, 8)
}

pub(crate) fn lo6() -> HostAddress {
    on("lo", V6, 128)
}

/// Both families of loopback and the LAN.
pub(crate) fn desk() -> Situation {
    host([lo4(), lo6(), on("eth0", LAN, 24)])
}

pub(crate) fn host(rows: impl IntoIterator<Item = HostAddress>) -> Situation {
    Situation { interfaces: rows.into_iter().collect(), ..Situation::default() }
}

pub(crate) fn with(
    mut situation: Situation,
    rows: impl IntoIterator<Item = HostAddress>,
) -> Situation {
    situation.interfaces.extend(rows);
    situation
}

pub(crate) fn contained(mut situation: Situation) -> Situation {
    situation.container = Some("`/.dockerenv` exists".into());
    situation
}

pub(crate) fn under(mut situation: Situation, tailnet: Tailnet) -> Situation {
    situation.tailnet = tailnet;
    situation
}

/// Running, the device unknown to the caller.
pub(crate) fn up(addresses: impl IntoIterator<Item = IpAddr>) -> Tailnet {
    Tailnet::Up { addresses: addresses.into_iter().collect(), device: None }
}

pub(crate) fn up_on(device: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Tailnet {
    Tailnet::Up { addresses: addresses.into_iter().collect(), device: Some(device.into()) }
}

pub(crate) fn unavailable() -> Tailnet {
    Tailnet::Unavailable { reason: "`/var/run/tailscale/tailscaled.sock` does not exist".into() }
}

pub(crate) fn pending(state: &str) -> Tailnet {
    Tailnet::Pending { state: state.into() }
}

/// No Serve, no proxies, `auto` not written.
pub(crate) const fn by(secret: Secret) -> Access {
    Access { secret, serve: Serve::Off, trusted_proxies: false, explicit_auto: false }
}

pub(crate) const fn written(secret: Secret) -> Access {
    Access { explicit_auto: true, ..by(secret) }
}

pub(crate) const fn served(serve: Serve, secret: Secret) -> Access {
    Access { serve, ..by(secret) }
}

pub(crate) const fn proxied(secret: Secret) -> Access {
    Access { trusted_proxies: true, ..by(secret) }
}

pub(crate) fn custom(text: &str) -> Result<Mode, Refusal> {
    Mode::parse("custom", Some(text))
}

/// `127.0.0.1 [::1]? 100.101.102.103@tailscale0 = tailnet`, then notes after `!` and waiting after `~`.
pub(crate) fn drawn(outcome: &Result<Plan, Refusal>) -> String {
    match outcome {
        Err(refusal) => refusal.code().to_owned(),
        Ok(plan) => {
            let mut text: Vec<String> = plan
                .sockets
                .iter()
                .map(|socket| {
                    let addr = socket.addr.to_string();
                    let ip = addr.strip_suffix(&format!(":{PORT}")).unwrap_or(&addr);
                    let device = socket.device.iter().map(|device| format!("@{device}"));
                    let optional = if socket.required { "" } else { "?" };
                    format!("{ip}{}{optional}", device.collect::<String>())
                })
                .collect();
            text.push(format!("= {:?}", plan.exposure).to_lowercase());
            text.extend(plan.notes.iter().map(|note| format!("!{}", note.code())));
            text.extend(plan.waiting.iter().map(|waiting| format!("~{}", waiting.code)));
            text.join(" ")
        }
    }
}

/// Plans on the fixture's port, after reading a custom host where there is one.
pub(crate) fn planned(
    mode: Result<Mode, Refusal>,
    situation: &Situation,
    access: &Access,
) -> Result<Plan, Refusal> {
    mode.and_then(|mode| plan(&mode, PORT, situation, access))
}

/// A row of the attack table, what it sets up, and the outcome as [`drawn`].
pub(crate) type Row = (&'static str, Result<Mode, Refusal>, Situation, Access, &'static str);

/// Plans every row and shows all that differ.
pub(crate) fn judge(rows: impl IntoIterator<Item = Row>) {
    let wrong: Vec<String> = rows
        .into_iter()
        .filter_map(|(row, mode, situation, access, want)| {
            let got = drawn(&planned(mode, &situation, &access));
            (got != want).then(|| format!("{row}\n  want {want}\n  got  {got}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

pub(crate) fn ask(mode: Mode) -> Result<Mode, Refusal> {
    Ok(mode)
}
