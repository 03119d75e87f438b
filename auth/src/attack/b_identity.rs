//! Group B: identity headers, provenance, whois.

use super::fixture::*;
use crate::{
    ClientKey, Decision, Funnel, Mode, Owner, Peer, Role, Scope, ScopeSet, ServeFront, Standing,
    Userspace, Via, Whois,
};

fn whois(login: &str, standing: Standing) -> Whois {
    Whois {
        login: login.into(),
        user_id: 456,
        stable_id: "nStable".into(),
        tags: Vec::new(),
        standing,
        caps: None,
    }
}

/// A connection through Serve, with tailscaled's word about it.
fn serve_door(login: &'static str, whois: Option<Whois>) -> Door {
    let mut policy = policy();
    policy.allow_tailscale = true;
    let lines = serve_lines(login, "100.64.1.2");
    let mut door = Door::new(policy, &tailscaled(), Via::ServeSocket, &lines);
    door.whois = whois;
    door
}

#[test]
fn headers_mean_nothing_without_provenance() {
    let spoof = serve_lines("alice@example.com", "100.64.1.2");
    let rows: &[(&str, Peer, Via, Vec<(&str, &str)>, &str)] = &[
        ("B1", peer("192.168.1.66"), Via::Lan, spoof.clone(), "403 proxy_attribution_required"),
        ("B2", local(), Via::Loopback, spoof.clone(), "403 proxy_attribution_required"),
        (
            "B16",
            local(),
            Via::Loopback,
            vec![("tAiLsCaLe-UsEr-LoGiN", "alice@example.com")],
            "403 proxy_attribution_required",
        ),
        (
            "B17",
            tailscaled(),
            Via::ServeSocket,
            [serve_lines("bob@x", "100.64.1.3"), vec![("Tailscale_User_Login", "alice")]].concat(),
            "400 ambiguous_header",
        ),
        (
            "B17 L0",
            local(),
            Via::Loopback,
            vec![("X_Forwarded_For", "1.2.3.4")],
            "400 ambiguous_header",
        ),
        (
            "B18",
            local(),
            Via::Loopback,
            vec![("Remote-User", "root"), ("X-Webauth-User", "root")],
            "ALLOW 127.0.0.1 local",
        ),
        (
            "B18 real ip",
            local(),
            Via::Loopback,
            vec![("X-Real-IP", "1.2.3.4")],
            "403 proxy_attribution_required",
        ),
        (
            "B40",
            local(),
            Via::Loopback,
            vec![("Tailscale-App-Capabilities", "{}")],
            "403 proxy_attribution_required",
        ),
        ("A18", peer("192.168.1.66"), Via::Loopback, vec![], "403 peer_not_loopback"),
    ];
    for (row, peer, via, lines, expected) in rows {
        assert_eq!(verdict(&policy(), peer, *via, lines), *expected, "{row}");
    }
}

#[test]
fn userspace_peers_are_not_local() {
    let mut door = local();
    for (row, userspace, expected) in [
        ("B5", Userspace::Forwarded, "ALLOW 127.0.0.1 remote"),
        ("B7", Userspace::Unknown, "ALLOW 127.0.0.1 remote"),
        ("tun", Userspace::Tun, "ALLOW 127.0.0.1 local"),
        ("off", Userspace::NotConfigured, "ALLOW 127.0.0.1 local"),
    ] {
        door.userspace = userspace;
        assert_eq!(verdict(&policy(), &door, Via::Loopback, &[]), expected, "{row}");
    }
    // B5: nor exempt from the limiter.
    door.userspace = Userspace::Forwarded;
    let admitted = admitted(&policy(), &door, Via::Loopback, &[]).unwrap();
    assert_eq!(admitted.client(), &ClientKey::V4([127, 0, 0, 1]));
    // B6: forged headers behind a forwarded peer that tailscaled owns.
    door.owner = Owner::Uid(TAILSCALED_UID);
    let lines = serve_lines("alice@example.com", "100.64.1.2");
    assert_eq!(verdict(&policy(), &door, Via::Loopback, &lines), "403 proxy_attribution_required");
}

#[test]
fn serve_writes_one_shape_only() {
    let base = serve_lines("alice@example.com", "100.64.1.2");
    let swap = |name: &str, value: &'static str| -> Vec<(&'static str, &'static str)> {
        base.iter().map(|(n, v)| if *n == name { (*n, value) } else { (*n, *v) }).collect()
    };
    let drop_line = |name: &str| -> Vec<(&'static str, &'static str)> {
        base.iter().filter(|(n, _)| *n != name).copied().collect()
    };
    let plus =
        |name: &'static str, value: &'static str| [base.clone(), vec![(name, value)]].concat();
    let rows: Vec<(&str, Vec<(&str, &str)>, &str)> = vec![
        ("genuine", base.clone(), "ALLOW 100.64.1.2 remote"),
        ("v6", swap("X-Forwarded-For", "fd7a:115c:a1e0::2"), "ALLOW fd7a:115c:a1e0::2 remote"),
        ("B11 nul", swap("Tailscale-User-Login", "alice@example.com\0"), "400 bad_request"),
        ("B14", plus("Tailscale-User-Login", "bob@example.com"), "400 ambiguous_header"),
        ("B14 name", plus("Tailscale-User-Name", "Bob"), "400 ambiguous_header"),
        ("B19/B46", drop_line("X-Forwarded-For"), "403 serve_headers"),
        (
            "B30",
            [drop_line("Tailscale-User-Login"), vec![("Tailscale-Funnel-Request", "?1")]].concat(),
            "403 funnel_unexpected",
        ),
        (
            "B31 ?0",
            [drop_line("Tailscale-User-Login"), vec![("Tailscale-Funnel-Request", "?0")]].concat(),
            "403 funnel_unexpected",
        ),
        (
            "B31 empty",
            [drop_line("Tailscale-User-Login"), vec![("Tailscale-Funnel-Request", "")]].concat(),
            "403 funnel_unexpected",
        ),
        ("B33", plus("Tailscale-Funnel-Request", "?1"), "400 bad_forwarded"),
        ("B43", swap("X-Forwarded-For", "::ffff:100.64.1.2"), "400 bad_forwarded"),
        ("B44 lo", swap("X-Forwarded-For", "127.0.0.1"), "403 forwarded_client"),
        ("B44 lo6", swap("X-Forwarded-For", "::1"), "403 forwarded_client"),
        ("B44 any", swap("X-Forwarded-For", "0.0.0.0"), "403 forwarded_client"),
        ("B44 svc", swap("X-Forwarded-For", "100.100.100.100"), "403 forwarded_client"),
        ("B45 port", swap("X-Forwarded-For", "100.64.1.2:5"), "400 bad_forwarded"),
        ("B45 zone", swap("X-Forwarded-For", "fe80::1%eth0"), "400 bad_forwarded"),
        ("B45 brackets", swap("X-Forwarded-For", "[fd7a::1]"), "400 bad_forwarded"),
        ("B45 list", swap("X-Forwarded-For", "100.64.1.2, 100.64.1.3"), "400 bad_forwarded"),
        ("B45 lines", plus("X-Forwarded-For", "100.64.1.3"), "400 bad_forwarded"),
        ("B47 http", swap("X-Forwarded-Proto", "http"), "403 serve_headers"),
        ("B47 absent", drop_line("X-Forwarded-Proto"), "403 serve_headers"),
        ("B37", plus("Origin", "https://evil.example"), "403 origin_not_allowed"),
        ("D20", plus("Origin", "https://gw.tail1234.ts.net"), "ALLOW 100.64.1.2 remote"),
    ];
    let own_serve = Peer { owner: Owner::Uid(TAILSCALED_UID), ..local() };
    for (row, lines, expected) in &rows {
        assert_eq!(verdict(&policy(), &tailscaled(), Via::ServeSocket, lines), *expected, "{row}");
        // A user's own `tailscale serve`, proven by the kernel, is the same (design, "Auth").
        assert_eq!(
            verdict(&policy(), &own_serve, Via::Loopback, lines),
            *expected,
            "own serve {row}"
        );
    }
    // B35: without the kernel's word it is somebody's proxy.
    for owner in [Owner::Unknown, Owner::Uid(OWN_UID), Owner::Uid(0)] {
        let peer = Peer { owner, ..local() };
        let word = verdict(&policy(), &peer, Via::Loopback, &base);
        assert_eq!(word, "403 proxy_attribution_required", "B35 {owner:?}");
    }
    assert_eq!(
        verdict(&with_proxies(&["127.0.0.1"]), &local(), Via::Loopback, &base),
        "ALLOW 100.64.1.2 remote",
        "B35 trusted"
    );
}

#[test]
fn funnel_mode_wants_the_exact_marker_and_the_password() {
    let mut policy = policy();
    policy.allow_tailscale = true;
    policy.serve =
        Some(ServeFront { origin: origin("https://gw.tail1234.ts.net"), funnel: Funnel::Expected });
    let lines = |mark: &'static str| {
        vec![
            ("Host", GW),
            ("X-Forwarded-For", "203.0.113.9"),
            ("X-Forwarded-Proto", "https"),
            ("Tailscale-Funnel-Request", mark),
        ]
    };
    for (mark, expected) in [
        ("?1", "ALLOW 203.0.113.9 remote"),
        ("1", "403 funnel_unexpected"),
        ("true", "403 funnel_unexpected"),
    ] {
        assert_eq!(
            verdict(&policy, &tailscaled(), Via::ServeSocket, &lines(mark)),
            expected,
            "B31 {mark}"
        );
    }
    let mut door = Door::new(policy, &tailscaled(), Via::ServeSocket, &lines("?1"));
    door.whois = Some(whois("alice@example.com", Standing::Member));
    door.record = Some(record(&[Scope::Admin]));
    let mut ask = cli();
    ask.token = None;
    assert_eq!(door.word(&signed(ask)), "AUTH_TOKEN_MISSING", "B34: Funnel carries no identity");
}

#[test]
fn whois_decides_every_standing() {
    let mut ask = cli();
    ask.token = None;
    let ask = signed(ask);
    let tagged = |tags: &[&str], login: &str| Whois {
        tags: tags.iter().map(|tag| (*tag).into()).collect(),
        ..whois(login, Standing::Member)
    };
    let alice = "alice@example.com";
    let rows: Vec<(&str, &'static str, Option<Whois>, &str)> = vec![
        (
            "member",
            alice,
            Some(whois(alice, Standing::Member)),
            "ALLOW tailscale [operator.write operator.read]",
        ),
        ("next issue", alice, None, "secret_missing"),
        ("B8", alice, Some(whois(alice, Standing::Own)), "tailscale_own_node"),
        ("B9/B13", "", Some(whois(alice, Standing::Member)), "secret_missing"),
        (
            "B10",
            alice,
            Some(whois("bob@example.com", Standing::Member)),
            "tailscale_identity_mismatch",
        ),
        (
            "B11",
            "ALICE@example.com",
            Some(whois(alice, Standing::Member)),
            "tailscale_identity_mismatch",
        ),
        (
            "B12",
            "=?utf-8?q?alice=40example.com?=",
            Some(whois(alice, Standing::Member)),
            "tailscale_identity_mismatch",
        ),
        (
            "B15",
            "bob@x,alice@example.com",
            Some(whois(alice, Standing::Member)),
            "tailscale_identity_mismatch",
        ),
        ("B26", alice, Some(tagged(&["tag:ci"], alice)), "tailscale_tagged_node"),
        ("B27", "tagged-devices", Some(tagged(&[], "tagged-devices")), "tailscale_tagged_node"),
        ("B28/B29", alice, Some(whois(alice, Standing::Shared)), "tailscale_shared_node"),
        ("B51 expired", alice, Some(whois(alice, Standing::Expired)), "tailscale_expired_node"),
        ("B51 jailed", alice, Some(whois(alice, Standing::Jailed)), "tailscale_jailed_node"),
    ];
    for (row, login, whois, expected) in rows {
        let door = serve_door(login, whois).with(record(&[Scope::Write]));
        let word = match door.decide(&ask) {
            Decision::Deny(denied) => denied.reason().to_owned(),
            other @ (Decision::Allow(_) | Decision::Pair(_)) => word(&other),
        };
        assert_eq!(word, expected, "{row}");
    }
}

#[test]
fn an_outage_is_nobodys_fault_and_a_forgery_counts() {
    let limits = crate::Limits::default().failures;
    let mut ask = cli();
    ask.token = None;
    let ask = signed(ask);
    let door = serve_door("alice@example.com", Some(whois("bob@example.com", Standing::Member)));
    for _ in 0..limits {
        assert_eq!(denied(door.decide(&ask)).reason(), "tailscale_identity_mismatch", "B10");
    }
    assert_eq!(denied(door.decide(&ask)).reason(), "rate_limited", "B10 counts");
    assert_eq!(
        door.word(&signed(cli())),
        "PAIR not-paired operator",
        "F9: the secret is another class"
    );
    let door = serve_door("alice@example.com", Some(whois("alice@example.com", Standing::Own)));
    for _ in 0..limits * 2 {
        assert_eq!(denied(door.decide(&ask)).reason(), "tailscale_own_node", "B21: not counted");
    }
}

#[test]
fn identity_replaces_the_secret_and_nothing_else() {
    let alice = "alice@example.com";
    let member = || Some(whois(alice, Standing::Member));
    let mut bare = cli();
    bare.token = None;
    // B38: whatever is presented must be valid.
    let mut junk = cli();
    junk.token = Some(crate::Secret::new("x"));
    assert_eq!(
        serve_door(alice, member()).word(&signed(junk.clone())),
        "AUTH_TOKEN_MISMATCH",
        "B38"
    );
    assert_eq!(serve_door(alice, member()).word(&junk), "AUTH_TOKEN_MISMATCH", "B38 no device");
    assert_eq!(
        serve_door(alice, member()).word(&bare),
        "DEVICE_IDENTITY_REQUIRED",
        "B38 device stays"
    );
    // B39: a node needs a credential of its own.
    let mut node = bare.clone();
    node.role = Role::Node;
    assert_eq!(serve_door(alice, member()).word(&signed(node)), "AUTH_TOKEN_MISSING", "B39");
    // H15: pairing is never silent, and scopes are those of the record within the tailnet's grant.
    assert_eq!(
        serve_door(alice, member()).word(&signed(bare.clone())),
        "PAIR not-paired operator",
        "H15"
    );
    let narrow =
        Whois { caps: Some(ScopeSet::from_iter([Scope::Read])), ..whois(alice, Standing::Member) };
    let door = serve_door(alice, Some(narrow)).with(record(&[Scope::Admin]));
    assert_eq!(door.word(&signed(bare)), "ALLOW tailscale [operator.read]", "B41/B42");
    // E17: a right secret is enough beside a wrong identity.
    let door =
        serve_door(alice, Some(whois("bob", Standing::Shared))).with(record(&[Scope::Admin]));
    assert_eq!(door.word(&signed(cli())), "ALLOW token [operator.write operator.read]", "E17");
}

#[test]
fn a_proxied_user_header_through_serve_names_nobody() {
    let identity = crate::ProxyIdentity {
        user_header: "x-webauth-user".into(),
        required_headers: Vec::new(),
        allow_users: Vec::new(),
        loopback: crate::LoopbackProxy::Uids(vec![TAILSCALED_UID]),
    };
    let mut policy = with_proxies(&["127.0.0.1"]);
    policy.mode = Mode::TrustedProxy(identity);
    let lines = [serve_lines("alice@x", "100.64.1.2"), vec![("X-Webauth-User", "admin")]].concat();
    let door =
        Door::new(policy, &tailscaled(), Via::ServeSocket, &lines).with(record(&[Scope::Admin]));
    let mut ask = cli();
    ask.token = None;
    assert_eq!(denied(door.decide(&signed(ask))).reason(), "trusted_proxy_user_missing", "B18");
}
