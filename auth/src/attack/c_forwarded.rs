//! Group C: forwarded headers and client key.

use super::fixture::*;
use crate::{
    Ask, ClientKey, Decision, LoopbackProxy, Mode, Owner, Peer, Policy, ProxyIdentity, ProxyRange,
    ProxyRangeError, ProxyRangeWarning, Scope, Secret, SharedSecret, Via,
};

#[test]
fn the_rightmost_untrusted_address_is_the_client() {
    let policy = with_proxies(&["10.0.0.0/24"]);
    let chain = ["203.0.113.9"; 17].join(", ");
    let huge = ["203.0.113.9"; 4000].join(",");
    let rows: Vec<(&str, Vec<(&str, &str)>, &str)> = vec![
        ("C1", vec![("X-Forwarded-For", "127.0.0.1, 203.0.113.9")], "ALLOW 203.0.113.9 remote"),
        (
            "C1 past proxies",
            vec![("X-Forwarded-For", "198.51.100.1, 203.0.113.9, 10.0.0.7")],
            "ALLOW 203.0.113.9 remote",
        ),
        ("C2", vec![("X-Forwarded-For", "127.0.0.1")], "403 forwarded_client"),
        (
            "C2 not skipped",
            vec![("X-Forwarded-For", "203.0.113.9, 127.0.0.1")],
            "403 forwarded_client",
        ),
        ("C2 mapped", vec![("X-Forwarded-For", "::ffff:127.0.0.1")], "403 forwarded_client"),
        ("C2 any", vec![("X-Forwarded-For", "0.0.0.0")], "403 forwarded_client"),
        ("C2 multicast", vec![("X-Forwarded-For", "224.0.0.1")], "403 forwarded_client"),
        (
            "C3",
            vec![("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "203.0.113.9")],
            "ALLOW 203.0.113.9 remote",
        ),
        ("C4", vec![("X-Forwarded-For", "<script>, 203.0.113.9")], "400 bad_forwarded"),
        ("C4 right", vec![("X-Forwarded-For", "203.0.113.9, <script>")], "400 bad_forwarded"),
        ("C4 empty", vec![("X-Forwarded-For", "203.0.113.9,")], "400 bad_forwarded"),
        ("C4 unknown", vec![("X-Forwarded-For", "unknown")], "400 bad_forwarded"),
        ("C4 octal", vec![("X-Forwarded-For", "0177.0.0.1")], "400 bad_forwarded"),
        ("C4 zone", vec![("X-Forwarded-For", "fe80::1%1")], "400 bad_forwarded"),
        ("C5 hops", vec![("X-Forwarded-For", &chain)], "400 bad_forwarded"),
        ("C5 4000", vec![("X-Forwarded-For", &huge)], "431 header_too_large"),
        ("C6", vec![("Forwarded", "for=203.0.113.9")], "403 proxy_attribution_required"),
        (
            "C7",
            vec![("Forwarded", "for=1.1.1.1"), ("X-Forwarded-For", "203.0.113.9")],
            "400 bad_forwarded",
        ),
        ("C8", vec![("X-Real-IP", "1.2.3.4")], "403 proxy_attribution_required"),
        (
            "all trusted",
            vec![("X-Forwarded-For", "10.0.0.9, 10.0.0.8")],
            "403 proxy_attribution_required",
        ),
        ("port", vec![("X-Forwarded-For", "203.0.113.9:4711")], "ALLOW 203.0.113.9 remote"),
        ("v6 port", vec![("X-Forwarded-For", "[2001:db8::9]:4711")], "ALLOW 2001:db8::9 remote"),
        ("mapped", vec![("X-Forwarded-For", "::ffff:203.0.113.9")], "ALLOW 203.0.113.9 remote"),
        ("C19", vec![("X-Forwarded-Uri", "/healthz")], "403 proxy_attribution_required"),
        ("C20", vec![("User-Agent", "kube-probe/1.0")], "ALLOW 10.0.0.1 remote"),
    ];
    for (row, lines, expected) in &rows {
        assert_eq!(verdict(&policy, &peer("10.0.0.1"), Via::Lan, lines), *expected, "{row}");
    }
    // C5 by bytes: two hops, kept apart by spaces.
    let padded = format!("198.51.100.1,{}203.0.113.9", " ".repeat(1024));
    let lines = [("X-Forwarded-For", padded.as_str())];
    assert_eq!(verdict(&policy, &peer("10.0.0.1"), Via::Lan, &lines), "400 bad_forwarded", "C5");
}

#[test]
fn real_ip_needs_its_switch() {
    let mut policy = with_proxies(&["10.0.0.1"]);
    policy.allow_real_ip_fallback = true;
    for (row, lines, expected) in [
        ("C8 on", vec![("X-Real-IP", "1.2.3.4")], "ALLOW 1.2.3.4 remote"),
        ("C8 junk", vec![("X-Real-IP", "me")], "400 bad_forwarded"),
        ("C8 loopback", vec![("X-Real-IP", "127.0.0.1")], "403 forwarded_client"),
        (
            "XFF wins",
            vec![("X-Real-IP", "1.2.3.4"), ("X-Forwarded-For", "5.6.7.8")],
            "ALLOW 5.6.7.8 remote",
        ),
        ("twice", vec![("X-Real-IP", "1.2.3.4"), ("X-Real-IP", "5.6.7.8")], "400 ambiguous_header"),
    ] {
        assert_eq!(verdict(&policy, &peer("10.0.0.1"), Via::Lan, &lines), expected, "{row}");
    }
}

#[test]
fn strangers_do_not_forward() {
    let mallory = peer("192.168.1.66");
    let word = verdict(&policy(), &mallory, Via::Lan, &[("X-Forwarded-For", "127.0.0.1")]);
    assert_eq!(word, "403 proxy_attribution_required", "C9");
    let admitted = admitted(&policy(), &mallory, Via::Lan, &[]).unwrap();
    assert_eq!(admitted.client(), &ClientKey::V4([192, 168, 1, 66]), "C9 key");
    for name in ["X-Forwarded-Proto", "X-Forwarded-Whatever", "Forwarded", "X-Real-IP"] {
        let word = verdict(&policy(), &local(), Via::Loopback, &[(name, "https")]);
        assert_eq!(word, "403 proxy_attribution_required", "C10 {name}");
    }
}

#[test]
fn a_stripping_proxy_gets_no_local_rights() {
    let policy = with_proxies(&["127.0.0.1"]);
    for (row, owner, expected) in [
        ("C11 own user", Owner::Uid(OWN_UID), "ALLOW 127.0.0.1 local"),
        ("C11 root", Owner::Uid(0), "ALLOW 127.0.0.1 remote"),
        ("C11 other", Owner::Uid(33), "ALLOW 127.0.0.1 remote"),
        ("C11 unknown", Owner::Unknown, "ALLOW 127.0.0.1 remote"),
    ] {
        let peer = Peer { owner, ..local() };
        assert_eq!(verdict(&policy, &peer, Via::Loopback, &[]), expected, "{row}");
    }
    let blind = Policy { own_uid: None, ..policy };
    assert_eq!(
        verdict(&blind, &local(), Via::Loopback, &[]),
        "ALLOW 127.0.0.1 remote",
        "C11 blind"
    );
    let blind = Policy { own_uid: None, ..super::fixture::policy() };
    let peer = Peer { owner: Owner::Unknown, ..local() };
    assert_eq!(verdict(&blind, &peer, Via::Loopback, &[]), "ALLOW 127.0.0.1 local", "no proxy");
}

#[test]
fn ranges_are_read_strictly() {
    use ProxyRangeWarning::{HostBits, Wide};
    let good: &[(&str, &str, &[ProxyRangeWarning])] = &[
        ("C12 wide", "10.0.0.0/8", &[Wide]),
        ("C12 wide6", "fd00::/8", &[Wide]),
        ("C14 host bits", "10.0.0.1/8", &[HostBits, Wide]),
        ("C15", "::ffff:10.0.0.0/104", &[Wide]),
        ("one", "10.0.0.1", &[]),
        ("one6", "fd00::1", &[]),
        ("/24", "192.168.7.0/24", &[]),
    ];
    for (row, text, warnings) in good {
        let (range, found) = ProxyRange::parse(text).unwrap();
        assert_eq!(found, *warnings, "{row}");
        let inside = if text.contains("fd00") {
            "fd00::1"
        } else if row == &"/24" {
            "192.168.7.9"
        } else {
            "10.0.0.1"
        };
        assert!(range.contains(ip(inside)), "{row}");
    }
    for (row, text) in [
        ("C12", "0.0.0.0/0"),
        ("C12 v6", "::/0"),
        ("C12 bits", "1.2.3.4/0"),
        ("C12 mapped", "::ffff:0.0.0.0/96"),
    ] {
        assert!(matches!(ProxyRange::parse(text), Err(ProxyRangeError::Everybody(_))), "{row}");
    }
    for (row, text) in [
        ("C14 mask", "172.16.0.0/33"),
        ("C14 star", "*"),
        ("C14 name", "proxy"),
        ("C14 short", "10.0.0"),
        ("dotted mask", "10.0.0.0/255.0.0.0"),
        ("sign", "10.0.0.0/+8"),
        ("empty", ""),
    ] {
        assert!(matches!(ProxyRange::parse(text), Err(ProxyRangeError::NotARange(_))), "{row}");
    }
    for (row, text) in [("C15 wide", "::ffff:10.0.0.0/95"), ("C15 around", "::/64")] {
        assert!(matches!(ProxyRange::parse(text), Err(ProxyRangeError::MappedTooWide(_))), "{row}");
    }
    let range = ProxyRange::parse("172.16.0.0/12").unwrap().0;
    assert!(range.contains(ip("::ffff:172.23.0.1")), "C13");
    let policy = with_proxies(&["172.16.0.0/12"]);
    let lines = [("X-Forwarded-For", "203.0.113.9")];
    assert_eq!(
        verdict(&policy, &peer("::ffff:172.23.0.1"), Via::Lan, &lines),
        "ALLOW 203.0.113.9 remote",
        "C13"
    );
    let mapped = with_proxies(&["::ffff:10.0.0.0/104"]);
    assert_eq!(
        verdict(&mapped, &peer("10.9.9.9"), Via::Lan, &lines),
        "ALLOW 203.0.113.9 remote",
        "C15"
    );
}

fn proxy_policy(loopback: LoopbackProxy) -> Policy {
    let mut policy = with_proxies(&["10.0.0.1", "127.0.0.1", "192.168.1.10"]);
    policy.mode = Mode::TrustedProxy(ProxyIdentity {
        user_header: "x-forwarded-user".into(),
        required_headers: vec!["x-auth-proof".into()],
        allow_users: vec!["alice".into(), "bob".into()],
        loopback,
    });
    policy
}

/// The outcome for a paired device of a user that the proxy names.
fn named(policy: Policy, peer: &Peer, lines: Lines<'_>) -> String {
    match admitted(&policy, peer, Via::Lan, lines) {
        Err(denied) => format!("{} {}", denied.http_status(), denied.reason()),
        Ok(_) => {
            let door = Door::new(policy, peer, Via::Lan, lines).with(record(&[Scope::Write]));
            let mut ask = cli();
            ask.token = None;
            match door.decide(&signed(ask)) {
                Decision::Deny(denied) => denied.reason().to_owned(),
                other @ (Decision::Allow(_) | Decision::Pair(_)) => word(&other),
            }
        }
    }
}

/// Without it nobody could approve the first device that comes through the proxy.
#[test]
fn the_local_password_lets_this_host_in_beside_a_proxy() {
    let mut policy = proxy_policy(LoopbackProxy::Refused);
    policy.trusted_proxies = with_proxies(&["10.0.0.1"]).trusted_proxies;
    let ask = |password: &str| Ask { token: None, password: Some(Secret::new(password)), ..cli() };
    let rows = [
        (
            Some("the-local-password"),
            local(),
            "the-local-password",
            "ALLOW password [operator.write operator.read]",
        ),
        (Some("the-local-password"), local(), "a-guess", "AUTH_PASSWORD_MISMATCH"),
        (None, local(), "the-local-password", "DEVICE_IDENTITY_REQUIRED"),
    ];
    for (configured, from, sent, expected) in rows {
        let mut policy = policy.clone();
        policy.local_password = configured.map(|secret| SharedSecret::new(&Secret::new(secret)));
        assert_eq!(
            Door::new(policy, &from, Via::Loopback, &[]).word(&ask(sent)),
            expected,
            "{configured:?}"
        );
    }
    policy.local_password = Some(SharedSecret::new(&Secret::new("the-local-password")));
    let remote = Door::new(policy, &peer("192.168.1.66"), Via::Lan, &[]);
    assert!(!remote.word(&ask("the-local-password")).starts_with("ALLOW"), "local only");
}

#[test]
fn a_trusted_proxy_names_users() {
    let proxy = peer("10.0.0.1");
    let xff = ("X-Forwarded-For", "203.0.113.9");
    let proof = ("X-Auth-Proof", "1");
    let user = |name: &'static str| ("X-Forwarded-User", name);
    let allowed = "ALLOW trusted-proxy [operator.write operator.read]";
    let rows: Vec<(&str, Vec<(&str, &str)>, &str)> = vec![
        ("named", vec![xff, proof, user("alice")], allowed),
        ("not allowed", vec![xff, proof, user("mallory")], "trusted_proxy_user_not_allowed"),
        ("required", vec![xff, user("alice")], "trusted_proxy_header_missing"),
        ("missing", vec![xff, proof], "trusted_proxy_user_missing"),
        ("C18 twice", vec![xff, proof, user("alice"), user("bob")], "400 ambiguous_header"),
        ("C18 empty", vec![xff, proof, user("")], "400 bad_forwarded"),
        ("C18 list", vec![xff, proof, user("alice, bob")], "400 bad_forwarded"),
        ("C18 twin", vec![xff, proof, ("X_Forwarded_User", "alice")], "400 ambiguous_header"),
        ("no client", vec![proof, user("alice")], "403 proxy_attribution_required"),
    ];
    for (row, lines, expected) in &rows {
        assert_eq!(named(proxy_policy(LoopbackProxy::Refused), &proxy, lines), *expected, "{row}");
    }
    let full = [xff, proof, user("alice")];
    let own = peer("192.168.1.10");
    assert_eq!(
        named(proxy_policy(LoopbackProxy::Refused), &own, &full),
        "403 trusted_proxy_local_interface_source",
        "C16"
    );
    let stranger = peer("192.168.1.66");
    assert_eq!(
        named(proxy_policy(LoopbackProxy::Refused), &stranger, &full),
        "403 proxy_attribution_required",
        "C9"
    );
}

#[test]
fn a_loopback_proxy_needs_the_switch_and_the_uid() {
    let full =
        [("X-Forwarded-For", "203.0.113.9"), ("X-Auth-Proof", "1"), ("X-Forwarded-User", "alice")];
    let uids = |list: &[u32]| proxy_policy(LoopbackProxy::Uids(list.to_vec()));
    let as_uid = |uid| Peer { owner: Owner::Uid(uid), ..local() };
    let allowed = "ALLOW trusted-proxy [operator.write operator.read]";
    for (row, policy, peer, expected) in [
        ("C17", proxy_policy(LoopbackProxy::Refused), as_uid(33), "403 trusted_proxy_loopback"),
        ("C17 no uid", uids(&[]), as_uid(33), "403 trusted_proxy_loopback"),
        ("C17 other uid", uids(&[33]), as_uid(OWN_UID), "403 trusted_proxy_loopback"),
        (
            "C17 unknown",
            uids(&[33]),
            Peer { owner: Owner::Unknown, ..local() },
            "403 trusted_proxy_loopback",
        ),
        ("C17 right", uids(&[33]), as_uid(33), allowed),
    ] {
        assert_eq!(named(policy, &peer, &full), expected, "{row}");
    }
}
