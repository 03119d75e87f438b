//! The invariants, over hosts that no table would think of.
//!
//! The oracle below restates each mode from the interface table alone, so that a mistake in `ceiling`
//! cannot hide the same mistake in `plan`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use openclaw_bind::{
    Access, Exposure, HostAddress, Kind, Mode, Plan, Refusal, Secret, Serve, Situation, Tailnet,
    check, plan,
};
use proptest::prelude::*;

use crate::fixture::{
    CARRIER, HEADSCALE, LAN, LINK, MADE_UP, PORT, PUBLIC, PUBLIC_V6, STRONG, TAIL, TAIL_V6, TOKEN,
    V4, V6, WEAK, custom, lo4, lo6, pending, unavailable,
};

fn address() -> impl Strategy<Value = IpAddr> {
    let wildcard_v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let wildcard_v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let mapped = |ip: Ipv4Addr| IpAddr::V6(ip.to_ipv6_mapped());
    prop_oneof![
        8 => prop::sample::select(vec![
            V4, V6, LAN, PUBLIC, PUBLIC_V6, CARRIER, TAIL, TAIL_V6, HEADSCALE, LINK,
        ]),
        2 => prop::sample::select(vec![
            wildcard_v4, wildcard_v6, mapped(Ipv4Addr::LOCALHOST), mapped(Ipv4Addr::UNSPECIFIED),
        ]),
        1 => any::<IpAddr>(),
    ]
}

fn row() -> impl Strategy<Value = HostAddress> {
    let name = prop::sample::select(vec!["lo", "eth0", "tailscale0", "wt0"]);
    (name, 0..4_u32, address(), any::<(u8, bool, bool)>()).prop_map(
        |(interface, index, addr, (prefix, loopback, point_to_point))| HostAddress {
            interface: interface.into(),
            index,
            addr,
            prefix,
            loopback,
            point_to_point,
        },
    )
}

fn tailnet() -> impl Strategy<Value = Tailnet> {
    let device = prop::option::of(prop::sample::select(vec!["tailscale0", "eth0"]));
    prop_oneof![
        1 => Just(Tailnet::NotAsked),
        1 => Just(unavailable()),
        1 => Just(pending("Starting")),
        1 => Just(Tailnet::Userspace),
        4 => (prop::collection::vec(address(), 0..4), device).prop_map(|(addresses, device)| {
            Tailnet::Up { addresses, device: device.map(str::to_owned) }
        }),
    ]
}

fn situation() -> impl Strategy<Value = Situation> {
    let usual = any::<bool>().prop_map(|both| if both { vec![lo4(), lo6()] } else { vec![] });
    let rows = prop::collection::vec(row(), 0..6);
    (usual, rows, any::<bool>(), tailnet()).prop_map(
        |(mut interfaces, rows, container, tailnet)| {
            interfaces.extend(rows);
            let container = container.then(|| "`/.dockerenv` exists".to_owned());
            Situation { interfaces, container, tailnet }
        },
    )
}

fn mode() -> impl Strategy<Value = Mode> {
    let scope = prop::sample::select(vec!["", "%eth0", "%1"]);
    let host = (address(), scope).prop_map(|(ip, scope)| custom(&format!("{ip}{scope}")));
    prop_oneof![
        Just(Mode::Loopback),
        Just(Mode::Lan),
        Just(Mode::Tailnet),
        Just(Mode::Auto),
        host.prop_map(|mode| mode.unwrap_or_default()),
        host_on_the_lan(),
    ]
}

fn host_on_the_lan() -> impl Strategy<Value = Mode> {
    Just(custom("192.168.1.10").unwrap_or_default())
}

fn access() -> impl Strategy<Value = Access> {
    let secret = prop::sample::select(vec![
        Secret::None,
        MADE_UP,
        TOKEN,
        TOKEN,
        WEAK,
        STRONG,
        Secret::TrustedProxy,
    ]);
    let serve = prop::sample::select(vec![Serve::Off, Serve::Off, Serve::Serve, Serve::Funnel]);
    (secret, serve, any::<(bool, bool)>()).prop_map(
        |(secret, serve, (trusted_proxies, explicit_auto))| Access {
            secret,
            serve,
            trusted_proxies,
            explicit_auto,
        },
    )
}

fn holds(situation: &Situation, ip: IpAddr) -> bool {
    situation.interfaces.iter().any(|row| row.addr.to_canonical() == ip)
}

fn lacks_loopback(situation: &Situation) -> bool {
    !situation.interfaces.is_empty() && !holds(situation, V4) && !holds(situation, V6)
}

/// Whether `mode` may have a socket on `ip` here, told without `ceiling`.
fn allowed(mode: &Mode, ip: IpAddr, situation: &Situation, access: &Access) -> bool {
    let wildcard = ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    match mode {
        Mode::Loopback => ip.is_loopback(),
        Mode::Lan => wildcard,
        Mode::Custom(host) => ip.is_loopback() || (ip == host.ip() && holds(situation, ip)),
        Mode::Auto => {
            let asked = situation.container.is_some() && access.explicit_auto;
            ip.is_loopback() || (wildcard && (asked || lacks_loopback(situation)))
        }
        Mode::Tailnet => {
            let own = match &situation.tailnet {
                Tailnet::Up { addresses, .. } => {
                    addresses.iter().any(|own| own.to_canonical() == ip)
                }
                Tailnet::NotAsked
                | Tailnet::Unavailable { .. }
                | Tailnet::Pending { .. }
                | Tailnet::Userspace => false,
            };
            ip.is_loopback() || (own && holds(situation, ip) && !ip.is_unspecified())
        }
    }
}

fn is_loopback_only(plan: &Plan) -> bool {
    plan.sockets.iter().all(|socket| socket.addr.ip().is_loopback())
}

/// Which addresses are served and who reaches them, or why none are.
fn reach(outcome: &Result<Plan, Refusal>) -> Result<(Exposure, Vec<IpAddr>), &'static str> {
    let ips = |plan: &Plan| plan.sockets.iter().map(|socket| socket.addr.ip()).collect();
    outcome.as_ref().map(|plan| (plan.exposure, ips(plan))).map_err(Refusal::code)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    /// `I1`: every socket is one that the mode allows, and the plan accepts its own sockets.
    #[test]
    fn never_wider_than_the_mode(
        mode in mode(), port: u16, situation in situation(), access in access(),
    ) {
        let Ok(plan) = plan(&mode, port, &situation, &access) else { return Ok(()) };
        prop_assert!(!plan.sockets.is_empty());
        let ceiling = mode.ceiling(&situation.tailnet);
        for socket in &plan.sockets {
            let ip = socket.addr.ip();
            prop_assert!(allowed(&mode, ip, &situation, &access), "{mode} {socket:?}");
            prop_assert!(ceiling.admits(ip), "{mode} {socket:?}");
            prop_assert_eq!(plan.permits(socket.addr), Ok(()));
            prop_assert_eq!(socket.addr.port(), port);
            prop_assert_eq!(socket.kind == Kind::Loopback, ip.is_loopback());
            prop_assert_eq!(socket.kind == Kind::Tailnet, socket.device.is_some());
            prop_assert!(socket.required || (ip == V6 && plan.sockets.len() > 1));
        }
        prop_assert_eq!(plan.exposure == Exposure::Loopback, is_loopback_only(&plan));
        prop_assert!(!plan.dial().ip().is_unspecified());
    }

    /// A passed socket is accepted only where the mode allows it, and a v6 wildcard never is (`A28`).
    #[test]
    fn never_permits_what_the_mode_does_not(
        mode in mode(), situation in situation(), access in access(), ip in address(),
    ) {
        let Ok(plan) = plan(&mode, PORT, &situation, &access) else { return Ok(()) };
        let passed = plan.permits((ip, PORT).into()).is_ok();
        let canonical = ip.to_canonical();
        let wild = plan.sockets.iter().any(|socket| socket.addr.ip().is_unspecified());
        if passed && !(wild && canonical.is_ipv4()) {
            prop_assert!(allowed(&mode, canonical, &situation, &access), "{mode} {ip}");
        }
        prop_assert!(!(passed && canonical == IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
    }

    /// Beyond loopback, now or later, there is a configured secret and neither Serve nor Funnel.
    #[test]
    fn never_exposed_without_a_secret(
        mode in mode(), situation in situation(), access in access(),
    ) {
        let Ok(plan) = plan(&mode, PORT, &situation, &access) else { return Ok(()) };
        if !is_loopback_only(&plan) || plan.waiting.is_some() {
            prop_assert!(access.secret.is_configured());
            prop_assert_eq!(access.serve, Serve::Off);
        }
        if access.secret == Secret::None {
            let alone = situation.container.is_none() && !access.trusted_proxies;
            prop_assert!(is_loopback_only(&plan) && alone && access.serve == Serve::Off);
            prop_assert_ne!(&situation.tailnet, &Tailnet::Userspace);
        }
        if access.serve == Serve::Funnel {
            prop_assert_eq!(access.secret, STRONG);
        }
        prop_assert_eq!(check(&mode, &access), Ok(()));
    }

    /// Knowing less never exposes more. The loopback rows stay: their absence is itself a fact for `auto`.
    #[test]
    fn never_widens_when_facts_are_removed(
        mode in mode(), situation in situation(), access in access(),
        keep in prop::collection::vec(any::<bool>(), 8), forget: (bool, bool, bool),
    ) {
        let mut less = situation.clone();
        let mut keep = keep.into_iter();
        less.interfaces.retain(|row| {
            row.addr.to_canonical().is_loopback() || keep.next().unwrap_or(true)
        });
        if forget.0 { less.container = None; }
        if forget.1 { less.tailnet = unavailable(); }
        let asked = Access { explicit_auto: access.explicit_auto && !forget.2, ..access };
        let Ok(after) = plan(&mode, PORT, &less, &asked) else { return Ok(()) };
        match plan(&mode, PORT, &situation, &access) {
            Ok(before) => {
                prop_assert!(after.exposure <= before.exposure, "{mode}: {before:?}, {after:?}");
                let beyond = |addr: &SocketAddr| !addr.ip().is_loopback();
                for addr in after.sockets.iter().map(|socket| socket.addr).filter(beyond) {
                    prop_assert_eq!(before.permits(addr), Ok(()));
                }
            }
            Err(_) => prop_assert!(is_loopback_only(&after), "{mode}: {after:?}"),
        }
    }

    /// `I4`: the same facts give the same plan and trace, or the same refusal, in whatever order they
    /// were listed as far as addresses go.
    #[test]
    fn the_same_facts_give_the_same_answer(
        mode in mode(), port: u16, situation in situation(), access in access(),
    ) {
        let first = plan(&mode, port, &situation, &access);
        prop_assert_eq!(&first, &plan(&mode, port, &situation, &access));
        let mut reversed = situation;
        reversed.interfaces.reverse();
        let second = plan(&mode, port, &reversed, &access);
        prop_assert_eq!(reach(&first), reach(&second));
    }

    /// Any text is answered, in one line and with a remedy; no text becomes a wildcard.
    #[test]
    fn every_text_is_read_or_refused(word in any::<String>(), text in any::<String>()) {
        for outcome in [Mode::parse(&word, Some(&text)), custom(&text), Mode::parse(&word, None)] {
            if let Err(refusal) = outcome {
                let lines = format!("{refusal}{}", refusal.hint());
                prop_assert!(!lines.contains(['\n', '\r', '\u{1b}']), "{lines}");
                prop_assert!(!refusal.hint().is_empty() && !refusal.code().is_empty());
            }
        }
    }

    /// Whatever looks like an address is read as the standard library reads it, or refused.
    #[test]
    fn addresses_are_read_literally(text in "[0-9a-fx.:%\\[\\]]{0,40}") {
        if let Ok(Mode::Custom(host)) = custom(&text) {
            let bare = text.split('%').next().unwrap_or_default();
            prop_assert_eq!(bare.parse::<IpAddr>().map(|ip| ip.to_canonical()), Ok(host.ip()));
            prop_assert!(!host.ip().is_unspecified());
            prop_assert_eq!(custom(&host.to_string()), Ok(Mode::Custom(host)));
        }
    }
}
