//! `A28`: a socket that the service manager opened must lie within the plan.

use std::net::SocketAddr;

use openclaw_bind::{Mode, Situation, plan};

use crate::fixture::{LINK, PORT, TAIL, TOKEN, by, custom, desk, host, lo4, on, under, up, with};

fn verdict(mode: Mode, port: u16, situation: &Situation, actual: &str) -> &'static str {
    let actual: SocketAddr = actual.parse().unwrap_or_else(|_| SocketAddr::from(([0; 4], 0)));
    match plan(&mode, port, situation, &by(TOKEN)).and_then(|plan| plan.permits(actual)) {
        Ok(()) => "ok",
        Err(refusal) => refusal.code(),
    }
}

#[test]
fn a_passed_socket_is_never_wider() {
    let net = under(with(desk(), [on("tailscale0", TAIL, 32)]), up([TAIL]));
    let soon = under(desk(), up([TAIL]));
    let custom = custom("192.168.1.10").unwrap();
    for (mode, situation, actual, want) in [
        (Mode::Loopback, desk(), "0.0.0.0:18789", "socket_too_wide"),
        (Mode::Loopback, desk(), "[::]:18789", "socket_too_wide"),
        (Mode::Loopback, desk(), "[::ffff:0.0.0.0]:18789", "socket_too_wide"),
        (Mode::Loopback, desk(), "192.168.1.10:18789", "socket_too_wide"),
        (Mode::Loopback, desk(), "127.0.0.1:18789", "ok"),
        (Mode::Loopback, desk(), "[::ffff:127.0.0.1]:18789", "ok"),
        (Mode::Loopback, desk(), "[::1]:18789", "ok"),
        (Mode::Loopback, desk(), "127.0.0.1:80", "socket_not_planned"),
        (Mode::Loopback, desk(), "127.0.0.2:18789", "socket_not_planned"),
        (Mode::Loopback, host([lo4()]), "[::1]:18789", "socket_not_planned"),
        (Mode::Auto, desk(), "0.0.0.0:18789", "socket_not_planned"),
        (Mode::Lan, desk(), "0.0.0.0:18789", "ok"),
        (Mode::Lan, desk(), "192.168.1.10:18789", "ok"),
        (Mode::Lan, desk(), "[::]:18789", "socket_too_wide"),
        (Mode::Lan, desk(), "[::1]:18789", "socket_not_planned"),
        (Mode::Tailnet, net.clone(), "100.101.102.103:18789", "ok"),
        (Mode::Tailnet, net.clone(), "100.101.102.104:18789", "socket_too_wide"),
        (Mode::Tailnet, net, "0.0.0.0:18789", "socket_too_wide"),
        (Mode::Tailnet, soon, "100.101.102.103:18789", "socket_not_planned"),
        (custom.clone(), desk(), "192.168.1.10:18789", "ok"),
        (custom.clone(), desk(), "127.0.0.1:18789", "ok"),
        (custom, desk(), "0.0.0.0:18789", "socket_too_wide"),
    ] {
        let word = mode.word();
        assert_eq!(verdict(mode, PORT, &situation, actual), want, "`bind={word}` {actual}");
    }
}

#[test]
fn a_scope_is_part_of_the_address() {
    let situation = with(desk(), [on("eth0", LINK, 64)]);
    let linked = custom("fe80::1%eth0").unwrap();
    assert_eq!(verdict(linked.clone(), PORT, &situation, "[fe80::1%2]:18789"), "ok");
    assert_eq!(verdict(linked, PORT, &situation, "[fe80::1%3]:18789"), "socket_not_planned");
}

#[test]
fn port_zero_leaves_the_port_to_the_kernel() {
    assert_eq!(verdict(Mode::Loopback, 0, &desk(), "127.0.0.1:40123"), "ok");
    assert_eq!(verdict(Mode::Loopback, 0, &desk(), "0.0.0.0:40123"), "socket_too_wide");
}

#[test]
fn no_claim_of_tailscaled_lifts_the_ceiling_to_a_wildcard() {
    let claims = ["0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "fe80::1"];
    let ceiling = Mode::Tailnet.ceiling(&up(claims.map(|ip| ip.parse().unwrap())));
    for ip in claims {
        assert!(!ceiling.admits(ip.parse().unwrap()), "{ip}");
    }
}
