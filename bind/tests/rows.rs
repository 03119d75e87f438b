//! The rows of group A of the attack table that a plan answers, one line each.

use openclaw_bind::{Access, Mode, Secret, Serve, Situation, Tailnet, plan};

use crate::fixture::{
    CARRIER, HEADSCALE, LAN, LINK, MADE_UP, NETBIRD, PORT, PUBLIC, PUBLIC_V6, STRONG, TAIL,
    TAIL_V6, TOKEN, V4, V6, WEAK, ask, by, contained, custom, desk, host, judge, lo4, lo6, on,
    pending, proxied, served, unavailable, under, up, up_on, with, written,
};

#[test]
fn loopback_is_loopback_or_nothing() {
    let lo = || ask(Mode::Loopback);
    judge([
        ("A22 both families", lo(), desk(), by(MADE_UP), "127.0.0.1 [::1]? = loopback"),
        ("A22 v4 only", lo(), host([lo4()]), by(TOKEN), "127.0.0.1 = loopback"),
        ("A22 v6 only", lo(), host([lo6()]), by(TOKEN), "[::1] = loopback"),
        ("A3 no loopback", lo(), host([on("eth0", LAN, 24)]), by(TOKEN), "no_loopback"),
        ("nothing known", lo(), host([]), by(TOKEN), "127.0.0.1 [::1]? = loopback"),
        (
            "A6 stray container evidence",
            lo(),
            contained(desk()),
            written(TOKEN),
            "127.0.0.1 [::1]? = loopback !loopback_in_container",
        ),
        (
            "a loopback network off the loopback interface has no `127.0.0.1`",
            lo(),
            host([on("eth0", "127.0.0.9".parse().unwrap(), 8)]),
            by(TOKEN),
            "no_loopback",
        ),
        (
            "a public address on `lo` is not loopback",
            lo(),
            host([on("lo", PUBLIC, 32)]),
            by(TOKEN),
            "no_loopback",
        ),
        (
            "K1 an absent tailscaled changes nothing",
            lo(),
            under(desk(), unavailable()),
            by(TOKEN),
            "127.0.0.1 [::1]? = loopback",
        ),
    ]);
}

#[test]
fn auto_widens_only_where_loopback_serves_nobody() {
    let auto = || ask(Mode::Auto);
    let bare = || host([on("eth0", LAN, 24)]);
    let wide = "0.0.0.0 = lan !auto_widened";
    let narrow = "127.0.0.1 [::1]? = loopback";
    let kept = "127.0.0.1 [::1]? = loopback !loopback_in_container";
    judge([
        ("A4 a host with loopback", auto(), desk(), written(TOKEN), narrow),
        ("A4 nothing known is no reason", auto(), host([]), written(TOKEN), narrow),
        ("A4 v6 loopback is loopback", auto(), host([lo6()]), written(TOKEN), "[::1] = loopback"),
        ("A4 no loopback, secret", auto(), bare(), by(TOKEN), wide),
        ("A4 no loopback, generated token", auto(), bare(), by(MADE_UP), "secret_required"),
        ("A4 no loopback, none", auto(), bare(), by(Secret::None), "auth_none_exposed"),
        (
            "A5 container, none",
            auto(),
            contained(desk()),
            written(Secret::None),
            "auth_none_exposed",
        ),
        ("A5 container, generated", auto(), contained(desk()), written(MADE_UP), "secret_required"),
        ("A5 container, token", auto(), contained(desk()), written(TOKEN), wide),
        ("A5 container, weak password", auto(), contained(desk()), written(WEAK), wide),
        ("A6 container, not written", auto(), contained(desk()), by(TOKEN), kept),
        (
            "A24 container, serve",
            auto(),
            contained(desk()),
            Access { serve: Serve::Serve, ..written(TOKEN) },
            "serve_needs_loopback",
        ),
        (
            "A5 the exposure is named",
            auto(),
            contained(with(desk(), [on("eth0", PUBLIC, 24)])),
            written(TOKEN),
            "0.0.0.0 = public !auto_widened !public_address",
        ),
    ]);
}

#[test]
fn lan_is_every_ipv4_address_and_says_when_that_is_public() {
    let lan = || ask(Mode::Lan);
    judge([
        ("lan, token", lan(), desk(), by(TOKEN), "0.0.0.0 = lan"),
        ("lan, password", lan(), desk(), by(WEAK), "0.0.0.0 = lan"),
        ("lan, trusted proxy", lan(), desk(), proxied(Secret::TrustedProxy), "0.0.0.0 = lan"),
        ("E8 lan, generated token", lan(), desk(), by(MADE_UP), "secret_required"),
        ("A25 lan, none", lan(), desk(), by(Secret::None), "auth_none_exposed"),
        (
            "a public address",
            lan(),
            with(desk(), [on("eth0", PUBLIC, 24)]),
            by(TOKEN),
            "0.0.0.0 = public !public_address",
        ),
        (
            "a public IPv6 address is not served",
            lan(),
            with(desk(), [on("eth0", PUBLIC_V6, 64)]),
            by(TOKEN),
            "0.0.0.0 = lan",
        ),
        ("no loopback needed", lan(), host([on("eth0", LAN, 24)]), by(TOKEN), "0.0.0.0 = lan"),
    ]);
}

#[test]
fn tailnet_is_what_tailscaled_owns_and_waits_for_the_rest() {
    let tail = || ask(Mode::Tailnet);
    let net = || with(desk(), [on("tailscale0", TAIL, 32), on("tailscale0", TAIL_V6, 128)]);
    let both =
        "127.0.0.1 [::1]? 100.101.102.103@tailscale0 [fd7a:115c:a1e0::103]@tailscale0 = tailnet";
    let later = "127.0.0.1 [::1]? = loopback ~tailnet_pending";
    judge([
        ("both families", tail(), under(net(), up([TAIL, TAIL_V6])), by(TOKEN), both),
        (
            "A1 tailscaled down",
            tail(),
            under(desk(), unavailable()),
            by(TOKEN),
            "127.0.0.1 [::1]? = loopback ~tailnet_unavailable",
        ),
        (
            "A1 A21 and no loopback either",
            tail(),
            under(host([on("eth0", LAN, 24)]), unavailable()),
            by(TOKEN),
            "no_loopback",
        ),
        (
            "A21 tailnet up, no loopback",
            tail(),
            under(host([on("tailscale0", TAIL, 32)]), up([TAIL])),
            by(TOKEN),
            "no_loopback",
        ),
        ("A2 starting", tail(), under(desk(), pending("Starting")), by(TOKEN), later),
        ("A2 not asked yet", tail(), desk(), by(TOKEN), later),
        ("A2 up, no address", tail(), under(desk(), up([])), by(TOKEN), later),
        (
            "A2 up, not yet on the device",
            tail(),
            under(desk(), up([TAIL])),
            by(TOKEN),
            "127.0.0.1 [::1]? = loopback !tailnet_address_missing ~tailnet_pending",
        ),
        ("userspace", tail(), under(desk(), Tailnet::Userspace), by(TOKEN), "userspace_tailnet"),
        ("A25 none", tail(), under(net(), up([TAIL])), by(Secret::None), "auth_none_exposed"),
        ("E8 generated", tail(), under(desk(), unavailable()), by(MADE_UP), "secret_required"),
        (
            "A20 the address changed",
            tail(),
            under(net(), up(["100.101.102.104".parse().unwrap()])),
            by(TOKEN),
            "127.0.0.1 [::1]? = loopback !tailnet_address_missing !shared_range ~tailnet_pending",
        ),
    ]);
}

#[test]
fn a_likely_address_is_not_the_tailnet() {
    let tail = || ask(Mode::Tailnet);
    let eth = |ip, bits| with(desk(), [on("eth0", ip, bits)]);
    judge([
        (
            "A14 carrier-grade NAT, no tailscaled",
            tail(),
            under(eth(CARRIER, 10), unavailable()),
            by(TOKEN),
            "127.0.0.1 [::1]? = loopback !shared_range ~tailnet_unavailable",
        ),
        (
            "A15 another VPN beside it",
            tail(),
            under(with(desk(), [on("wt0", NETBIRD, 16), on("tailscale0", TAIL, 32)]), up([TAIL])),
            by(TOKEN),
            "127.0.0.1 [::1]? 100.101.102.103@tailscale0 = tailnet !shared_range",
        ),
        (
            "A16 Headscale's own range",
            tail(),
            under(with(desk(), [on("utun4", HEADSCALE, 32)]), up([HEADSCALE])),
            by(TOKEN),
            "127.0.0.1 [::1]? 192.168.100.7@utun4 = tailnet !non_standard_range",
        ),
    ]);
}

#[test]
fn the_tailnet_is_served_on_the_tunnel_only() {
    let tail = || ask(Mode::Tailnet);
    let eth = |ip, bits| with(desk(), [on("eth0", ip, bits)]);
    let one = "127.0.0.1 [::1]? 100.101.102.103@tailscale0 = tailnet";
    judge([
        (
            "A17 the same address on the LAN too",
            tail(),
            under(with(eth(TAIL, 10), [on("tailscale0", TAIL, 32)]), up([TAIL])),
            by(TOKEN),
            one,
        ),
        (
            "A17 not on the device that the caller names",
            tail(),
            under(eth(TAIL, 10), up_on("tailscale0", [TAIL])),
            by(TOKEN),
            "127.0.0.1 [::1]? = loopback !not_the_tunnel ~tailnet_pending",
        ),
        (
            "A17 on no tunnel at all",
            tail(),
            under(eth(TAIL, 10), up([TAIL])),
            by(TOKEN),
            "127.0.0.1 [::1]? = loopback !not_the_tunnel ~tailnet_pending",
        ),
        (
            "the caller names a device that does not call itself a tunnel",
            tail(),
            under(with(desk(), [on("wlan0", TAIL, 32)]), up_on("wlan0", [TAIL])),
            by(TOKEN),
            "127.0.0.1 [::1]? 100.101.102.103@wlan0 = tailnet",
        ),
        (
            "one address missing, twice named, one absurd",
            tail(),
            under(
                with(desk(), [on("tailscale0", TAIL, 32)]),
                up([TAIL, TAIL, TAIL_V6, "0.0.0.0".parse().unwrap(), "::".parse().unwrap()]),
            ),
            by(TOKEN),
            "127.0.0.1 [::1]? 100.101.102.103@tailscale0 = tailnet !tailnet_address_missing \
             !tailnet_address_unusable !tailnet_address_unusable",
        ),
        (
            "tailscaled may not name loopback",
            tail(),
            under(desk(), up([V4, "::ffff:127.0.0.1".parse().unwrap(), V6])),
            by(TOKEN),
            "127.0.0.1 [::1]? = loopback ~tailnet_pending",
        ),
    ]);
}

#[test]
fn serve_and_funnel_need_loopback() {
    let lo = || ask(Mode::Loopback);
    let narrow = "127.0.0.1 [::1]? = loopback";
    judge([
        (
            "A24 serve + lan",
            ask(Mode::Lan),
            desk(),
            served(Serve::Serve, TOKEN),
            "serve_needs_loopback",
        ),
        (
            "A24 funnel + lan",
            ask(Mode::Lan),
            desk(),
            served(Serve::Funnel, STRONG),
            "serve_needs_loopback",
        ),
        (
            "A24 serve + a tailnet that may come",
            ask(Mode::Tailnet),
            under(desk(), unavailable()),
            served(Serve::Serve, TOKEN),
            "serve_needs_loopback",
        ),
        (
            "A24 serve + custom",
            custom("192.168.1.10"),
            desk(),
            served(Serve::Serve, TOKEN),
            "serve_needs_loopback",
        ),
        (
            "A24 serve + custom loopback",
            custom("127.0.0.1"),
            desk(),
            served(Serve::Serve, TOKEN),
            narrow,
        ),
        (
            "A24 serve + auto on loopback",
            ask(Mode::Auto),
            desk(),
            served(Serve::Serve, TOKEN),
            narrow,
        ),
        ("serve + loopback", lo(), desk(), served(Serve::Serve, MADE_UP), narrow),
    ]);
}

#[test]
fn none_is_for_pure_loopback() {
    let lo = || ask(Mode::Loopback);
    let narrow = "127.0.0.1 [::1]? = loopback";
    let no = Secret::None;
    judge([
        ("A25 none + serve", lo(), desk(), served(Serve::Serve, no), "auth_none_exposed"),
        ("A25 none + proxies", lo(), desk(), proxied(no), "auth_none_exposed"),
        ("A25 none + container", lo(), contained(desk()), by(no), "auth_none_exposed"),
        (
            "A25 none + userspace",
            lo(),
            under(desk(), Tailnet::Userspace),
            by(no),
            "auth_none_exposed",
        ),
        (
            "A25 none + auto in a container",
            ask(Mode::Auto),
            contained(desk()),
            by(no),
            "auth_none_exposed",
        ),
        ("A25 none, pure", lo(), desk(), by(no), narrow),
        ("A25 none, auto on loopback", ask(Mode::Auto), desk(), by(no), narrow),
    ]);
}

#[test]
fn funnel_needs_a_long_password() {
    let lo = || ask(Mode::Loopback);
    let narrow = "127.0.0.1 [::1]? = loopback";
    let no = Secret::None;
    judge([
        ("A26 funnel + token", lo(), desk(), served(Serve::Funnel, TOKEN), "funnel_needs_password"),
        ("A26 funnel + none", lo(), desk(), served(Serve::Funnel, no), "funnel_needs_password"),
        (
            "A26 funnel + 15",
            lo(),
            desk(),
            served(Serve::Funnel, Secret::password(15)),
            "funnel_needs_password",
        ),
        ("A26 funnel + 16", lo(), desk(), served(Serve::Funnel, Secret::password(16)), narrow),
        (
            "A26 an empty password is none",
            ask(Mode::Lan),
            desk(),
            by(Secret::password(0)),
            "auth_none_exposed",
        ),
    ]);
}

/// `A24`, `R1`: what a start would refuse for its settings alone is refused when it is written.
#[test]
fn settings_are_refused_before_they_are_written() {
    let lan = openclaw_bind::check(&Mode::Lan, &served(Serve::Serve, TOKEN));
    assert_eq!(lan.unwrap_err().code(), "serve_needs_loopback");
    let none = openclaw_bind::check(&Mode::Tailnet, &by(Secret::None));
    assert_eq!(none.unwrap_err().code(), "auth_none_exposed");
    assert_eq!(openclaw_bind::check(&Mode::Auto, &by(MADE_UP)), Ok(()));
}

#[test]
fn clients_dial_loopback_first() {
    let rows: [(Mode, Situation, &str); 5] = [
        (Mode::Loopback, desk(), "127.0.0.1:18789"),
        (Mode::Loopback, host([lo6()]), "[::1]:18789"),
        (Mode::Lan, desk(), "127.0.0.1:18789"),
        (Mode::Lan, host([on("eth0", LINK, 64), on("eth0", LAN, 24)]), "192.168.1.10:18789"),
        (
            Mode::Tailnet,
            under(with(desk(), [on("tailscale0", TAIL, 32)]), up([TAIL])),
            "127.0.0.1:18789",
        ),
    ];
    for (mode, situation, want) in rows {
        let plan = plan(&mode, PORT, &situation, &by(TOKEN)).unwrap();
        assert_eq!(plan.dial().to_string(), want, "`bind={mode}`");
    }
}

/// `A2`, `K12`: the reason and the command are in the plan, for `status`.
#[test]
fn waiting_says_why_and_what_to_do() {
    for (state, hint) in [
        ("NeedsLogin", "run `tailscale up`"),
        ("Stopped", "run `tailscale up`"),
        ("Starting", "wait, or look at `tailscale status`"),
    ] {
        let situation = under(desk(), pending(state));
        let waiting = plan(&Mode::Tailnet, PORT, &situation, &by(TOKEN)).unwrap().waiting.unwrap();
        assert_eq!(waiting.reason, format!("tailscaled is in state `{state}`"));
        assert_eq!(waiting.hint, hint);
    }
}

/// `A14`: the interface is named, so that the owner sees whose address it is.
#[test]
fn notes_name_the_interface() {
    let situation = under(with(desk(), [on("eth0", CARRIER, 10)]), unavailable());
    let plan = plan(&Mode::Tailnet, PORT, &situation, &by(TOKEN)).unwrap();
    let notes: Vec<String> = plan.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "`100.72.3.4` on `eth0` is from the shared range `100.64.0.0/10`, but nothing shows that \
          tailscaled owns it"
        ]
    );
}

/// `I4`: the trace follows the decision, rule by rule.
#[test]
fn the_trace_names_every_rule() {
    let rules = |mode: Mode, situation: Situation, access: Access| {
        let plan = plan(&mode, PORT, &situation, &access).unwrap();
        plan.trace.iter().map(|step| step.rule).collect::<Vec<_>>()
    };
    let net = under(with(desk(), [on("tailscale0", TAIL, 32)]), up([TAIL]));
    assert_eq!(rules(Mode::Tailnet, net, by(TOKEN)), ["mode", "loopback", "tailnet", "secret"]);
    assert_eq!(
        rules(Mode::Auto, contained(desk()), written(TOKEN)),
        ["mode", "auto", "lan", "secret"]
    );
    assert_eq!(
        rules(Mode::Auto, desk(), served(Serve::Serve, TOKEN)),
        ["mode", "auto", "loopback", "secret", "serve"]
    );
}
