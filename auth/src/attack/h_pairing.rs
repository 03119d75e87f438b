//! Group H: pairing, tokens, scopes.

use ed25519_dalek::SigningKey;

use super::fixture::*;
use crate::pairing::request_digest;
use crate::{
    Approval, Decision, DeviceRecord, Mode, Owner, PairReason, Peer, Policy, Protocol, Role,
    RoleGrant, Scope, ScopeSet, Secret, Trace, Userspace, Via, resume,
};

#[test]
fn silence_needs_every_proof() {
    let quiet = "PAIR not-paired silent";
    let loud = "PAIR not-paired operator";
    let uid = |uid| Peer { owner: Owner::Uid(uid), ..local() };
    let space = |userspace| Peer { userspace, ..local() };
    let listed = Policy { allowed_origins: vec![origin("https://ui.example")], ..policy() };
    let off = Policy { auto_approve_local: false, ..policy() };
    let page = [("Origin", "http://127.0.0.1:18789")];
    let foreign = [("Origin", "https://ui.example")];
    let rows: Vec<(&str, Policy, Peer, Via, Lines<'_>, &str)> = vec![
        ("H13 clean", policy(), local(), Via::Loopback, &[], quiet),
        ("H13 on lan listener", policy(), local(), Via::Lan, &[], quiet),
        ("H13 root", policy(), uid(0), Via::Loopback, &[], quiet),
        ("H13 other uid", policy(), uid(1001), Via::Loopback, &[], loud),
        ("H13 tailscaled", policy(), uid(TAILSCALED_UID), Via::Loopback, &[], loud),
        (
            "H13 no uid",
            policy(),
            Peer { owner: Owner::Unknown, ..local() },
            Via::Loopback,
            &[],
            loud,
        ),
        ("H13 userspace", policy(), space(Userspace::Forwarded), Via::Loopback, &[], loud),
        ("H13 unknown", policy(), space(Userspace::Unknown), Via::Loopback, &[], loud),
        ("H13 lan", policy(), peer("192.168.1.66"), Via::Lan, &[], loud),
        ("H13 own address", policy(), peer("192.168.1.10"), Via::Lan, &[], loud),
        ("H13 tailnet", policy(), peer("100.64.1.2"), Via::Tailnet, &[], loud),
        ("H13 off", off, local(), Via::Loopback, &[], loud),
        ("cli behind a page", policy(), local(), Via::Loopback, &page, loud),
        ("H13 foreign page", listed, local(), Via::Loopback, &foreign, loud),
    ];
    for (row, policy, peer, via, lines, expected) in rows {
        assert_eq!(Door::new(policy, &peer, via, lines).word(&signed(cli())), expected, "{row}");
    }
    let ui = signed(as_client("openclaw-control-ui", "webchat"));
    assert_eq!(Door::local_page().word(&ui), quiet, "Control UI");
    // tailscaled run as root beside a gateway run as root: only its own word tells them apart.
    let mut rooted = Policy { own_uid: Some(0), tailscaled_uid: Some(0), ..policy() };
    let door = |policy: &Policy, userspace| {
        Door::new(policy.clone(), &Peer { userspace, ..uid(0) }, Via::Loopback, &[])
            .word(&signed(cli()))
    };
    assert_eq!(door(&rooted, Userspace::Tun), quiet);
    assert_eq!(door(&rooted, Userspace::NotConfigured), loud);
    rooted.own_uid = Some(1000);
    assert_eq!(door(&rooted, Userspace::Tun), loud, "root is tailscaled");
}

#[test]
fn the_record_is_the_ceiling() {
    let node_too = |mut record: DeviceRecord| {
        record.roles.push(RoleGrant {
            role: Role::Node,
            scopes: ScopeSet::empty(),
            generation: 1,
            revoked: false,
        });
        record
    };
    let revoked = {
        let mut record = record(&[Scope::Write]);
        record.roles[0].revoked = true;
        record
    };
    let renamed = DeviceRecord { platform: Some("darwin".into()), ..record(&[Scope::Write]) };
    let unpinned = DeviceRecord { platform: None, device_family: None, ..record(&[Scope::Write]) };
    let mut node = as_client("node-host", "node");
    node.role = Role::Node;
    node.scopes = ScopeSet::empty();
    let granted = "ALLOW token [operator.write operator.read]";
    let rows = [
        ("covered", Some(record(&[Scope::Write])), cli(), granted),
        ("admin covers", Some(record(&[Scope::Admin])), cli(), granted),
        ("unpinned", Some(unpinned), cli(), granted),
        ("not paired", None, cli(), "PAIR not-paired operator"),
        ("scope", Some(record(&[Scope::Read])), cli(), "PAIR scope-upgrade operator"),
        ("H14", Some(record(&[Scope::Write])), node.clone(), "PAIR role-upgrade operator"),
        ("revoked", Some(revoked), cli(), "PAIR role-upgrade operator"),
        ("metadata", Some(renamed), cli(), "PAIR metadata-upgrade operator"),
        ("node", Some(node_too(record(&[Scope::Write]))), node, "ALLOW token []"),
    ];
    for (row, record, ask, expected) in rows {
        let mut door = Door::lan();
        door.record = record.clone();
        assert_eq!(door.word(&signed(ask.clone())), expected, "{row}");
        let mut near = Door::local();
        near.record = record;
        let silent = expected.replace("operator", "silent");
        let near_expected =
            if row == "H14" || expected.starts_with("ALLOW") { expected } else { &silent };
        assert_eq!(near.word(&signed(ask)), near_expected, "{row} local");
    }
}

#[test]
fn a_bad_secret_comes_before_pairing() {
    let mut ask = cli();
    ask.token = Some(Secret::new("guess"));
    assert_eq!(Door::lan().word(&signed(ask)), "AUTH_TOKEN_MISMATCH", "protocol 4.1");
}

#[test]
fn a_device_token_never_widens() {
    let mut ask = cli();
    ask.token = None;
    ask.device_token = Some(device_token());
    let door = Door::lan().with(record(&[Scope::Read]));
    assert_eq!(door.word(&signed(ask.clone())), "AUTH_SCOPE_MISMATCH", "protocol 6.6");
    let mut older = ask.clone();
    older.protocol = Protocol::V3;
    let refused = denied(door.decide(&signed(older)));
    assert_eq!(code(&refused), "AUTH_DEVICE_TOKEN_MISMATCH", "protocol 6.6");
    assert!(refused.message().contains("device token mismatch"));
    ask.scopes = ScopeSet::empty();
    assert_eq!(door.word(&signed(ask.clone())), "ALLOW device-token []", "protocol 6.5");
    // Nor does it approve anything, however near.
    let moved = DeviceRecord { platform: Some("darwin".into()), ..record(&[Scope::Read]) };
    let near = Door::local().with(moved);
    assert_eq!(near.word(&signed(ask.clone())), "PAIR metadata-upgrade operator", "H13");
    ask.role = Role::Node;
    assert_eq!(door.word(&signed(ask.clone())), "AUTH_DEVICE_TOKEN_MISMATCH", "another role");
    // H20: a new generation ends the old token.
    ask.role = Role::Operator;
    let mut rotated = record(&[Scope::Read]);
    rotated.roles[0].generation = 4;
    let door = Door::lan().with(rotated);
    assert_eq!(door.word(&signed(ask)), "AUTH_DEVICE_TOKEN_MISMATCH", "H20");
}

#[test]
fn a_removed_or_rotated_device_holds_nothing() {
    let door = Door::lan().with(record(&[Scope::Write]));
    let Decision::Allow(grant) = door.decide(&signed(cli())) else { panic!("not let in") };
    let mut later = record(&[Scope::Write]);
    assert!(grant.still_holds(7, Some(&later)), "H20");
    assert!(!grant.still_holds(7, None), "H20 removed");
    later.roles[0].generation = 4;
    assert!(!grant.still_holds(7, Some(&later)), "H20 rotated");
    later.roles[0].generation = 3;
    later.roles[0].revoked = true;
    assert!(!grant.still_holds(7, Some(&later)), "H20 revoked");
    assert!(!grant.still_holds(8, Some(&record(&[Scope::Write]))), "E18");
    let device = grant.device().unwrap();
    assert!(device.token().same(&device_token()) && device.generation() == 3);
    assert_eq!(device.token().expose().len(), 43, "protocol 6.5");
}

#[test]
fn nobody_gives_what_he_does_not_hold() {
    let holder = |words: &[&str]| {
        let mut ask = cli();
        ask.scopes = scopes(words);
        match Door::local().decide(&ask) {
            Decision::Allow(grant) => grant,
            other @ (Decision::Pair(_) | Decision::Deny(_)) => panic!("{}", word(&other)),
        }
    };
    let (pairing, both) = ("operator.pairing", ["operator.pairing", "operator.write"]);
    for (row, held, role, asked, expected) in [
        ("H10", &[pairing] as &[&str], Role::Operator, &["operator.admin"] as &[&str], false),
        ("H11", &both, Role::Operator, &["operator.admin"], false),
        ("own", &both, Role::Operator, &["operator.write", "operator.read"], true),
        ("none", &[pairing], Role::Operator, &[], true),
        ("no pairing", &["operator.write"], Role::Operator, &["operator.read"], false),
        ("node", &both, Role::Node, &[], false),
        ("admin", &["operator.admin"], Role::Operator, &["operator.admin"], true),
        ("admin, node", &["operator.admin"], Role::Node, &[], true),
    ] {
        assert_eq!(holder(held).may_give(role, &scopes(asked)), expected, "{row}");
    }
}

#[test]
fn a_proxied_user_has_the_scopes_of_the_device() {
    let identity = crate::ProxyIdentity {
        user_header: "x-forwarded-user".into(),
        required_headers: Vec::new(),
        allow_users: Vec::new(),
        loopback: crate::LoopbackProxy::Refused,
    };
    let policy = Policy { mode: Mode::TrustedProxy(identity), ..with_proxies(&["10.0.0.1"]) };
    let lines = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-User", "alice")];
    let door = || Door::new(policy.clone(), &peer("10.0.0.1"), Via::Lan, &lines);
    let mut ask = cli();
    ask.token = None;
    ask.scopes = scopes(&["operator.admin"]);
    assert_eq!(door().word(&ask), "DEVICE_IDENTITY_REQUIRED", "H9");
    assert_eq!(door().word(&signed(ask.clone())), "PAIR not-paired operator", "H9");
    assert_eq!(
        door().with(record(&[Scope::Read])).word(&signed(ask)),
        "PAIR scope-upgrade operator",
        "H9"
    );
    assert_eq!(door().word(&signed(cli())), "AUTH_DEVICE_TOKEN_MISMATCH", "B38");
}

#[test]
fn a_request_is_bound_to_what_it_asks() {
    let key = public_key(&signer());
    let other = public_key(&SigningKey::from_bytes(&[8; 32]));
    let read = scopes(&["operator.read"]);
    let both = scopes(&["operator.read", "operator.write"]);
    let base = request_digest(&key, Role::Operator, &both);
    assert_eq!(
        base,
        request_digest(&key, Role::Operator, &scopes(&["operator.write", "operator.read"]))
    );
    for (row, digest) in [
        ("H12 key", request_digest(&other, Role::Operator, &both)),
        ("H12 role", request_digest(&key, Role::Node, &both)),
        ("H12 scopes", request_digest(&key, Role::Operator, &read)),
    ] {
        assert_ne!(base, digest, "{row}");
    }
}

#[test]
fn a_silent_approval_is_resumed_by_the_same_rules() {
    let Decision::Pair(need) = Door::local().decide(&signed(cli())) else { panic!("no pairing") };
    assert_eq!((need.reason(), need.approval()), (PairReason::NotPaired, Approval::Silent));
    let go = |record: &DeviceRecord| {
        word(&resume(&policy(), &need, record, &token_key(), &mut Trace::off()))
    };
    assert_eq!(go(&record(&[Scope::Write])), "ALLOW token [operator.write operator.read]");
    assert_eq!(go(&record(&[Scope::Read])), "PAIR scope-upgrade silent", "never beyond the record");
    let mut stranger = record(&[Scope::Admin]);
    stranger.id = public_key(&SigningKey::from_bytes(&[8; 32])).device_id();
    assert_eq!(go(&stranger), "DEVICE_IDENTITY_REQUIRED");
    stranger = record(&[Scope::Admin]);
    stranger.public_key = public_key(&SigningKey::from_bytes(&[8; 32]));
    assert_eq!(go(&stranger), "DEVICE_IDENTITY_REQUIRED", "H7");
}

#[test]
fn another_key_under_a_known_id_asks_for_nothing() {
    let mut swapped = record(&[Scope::Write]);
    swapped.public_key = public_key(&SigningKey::from_bytes(&[8; 32]));
    assert_eq!(
        Door::local().with(swapped).word(&signed(cli())),
        "DEVICE_AUTH_PUBLIC_KEY_INVALID",
        "H7"
    );
    let mut foreign = record(&[Scope::Write]);
    foreign.id = public_key(&SigningKey::from_bytes(&[8; 32])).device_id();
    assert_eq!(
        Door::local().with(foreign).word(&signed(cli())),
        "DEVICE_AUTH_DEVICE_ID_MISMATCH",
        "H7"
    );
}

#[test]
fn a_local_backend_needs_no_pairing() {
    let off = Policy { auto_approve_local: false, ..policy() };
    let backend = signed(as_client("gateway-client", "backend"));
    let near = Door::new(off.clone(), &local(), Via::Loopback, &[]);
    assert_eq!(near.word(&backend), "ALLOW token [operator.write operator.read]", "protocol 6.1");
    let far = Door::new(off, &peer("192.168.1.66"), Via::Lan, &[]);
    assert_eq!(far.word(&backend), "PAIR not-paired operator");
}

#[test]
fn scopes_are_a_closed_set() {
    for text in [
        "operator.admin ",
        "OPERATOR.ADMIN",
        "operator.*",
        "operator",
        "",
        "admin",
        "operator.admin\0",
    ] {
        let set = scopes(&[text]);
        assert!(Scope::ALL.iter().all(|scope| !set.satisfies(*scope)), "H18 {text:?}");
        assert!(set.known().is_empty() && set.normalised().is_empty(), "H18 {text:?}");
        let mut ask = cli();
        ask.scopes = set;
        assert_eq!(Door::local().word(&ask), "ALLOW token []", "H18 {text:?}");
    }
    let many = vec!["operator.read"; 33];
    assert_eq!(ScopeSet::from_sent(&many).unwrap_err().reason(), "bad_scopes", "H18");
    assert!(ScopeSet::from_sent(&many[1..]).is_ok(), "H18");
    for odd in ["operator.read,operator.admin", "operator.read|x", &"a".repeat(65)] {
        assert!(ScopeSet::from_sent([odd]).is_err(), "H18 {odd}");
    }
    assert_eq!(
        scopes(&["operator.read", "operator.read"]).known().words().count(),
        1,
        "H18 duplicates"
    );
}

#[test]
fn holding_satisfies() {
    use Scope::{
        Admin, Approvals, Pairing, Read, SessionsRead, SessionsWrite, Talk, TalkSecrets, Write,
    };
    let table: &[(Scope, &[Scope])] = &[
        (Admin, &Scope::ALL),
        (Write, &[Write, Read, SessionsRead, SessionsWrite]),
        (Read, &[Read, SessionsRead]),
        (SessionsWrite, &[SessionsWrite, SessionsRead]),
        (SessionsRead, &[SessionsRead]),
        (Pairing, &[Pairing]),
        (Approvals, &[Approvals]),
        (Talk, &[Talk]),
        (TalkSecrets, &[TalkSecrets]),
    ];
    for (held, satisfied) in table {
        let set = ScopeSet::from_iter([*held]);
        for scope in Scope::ALL {
            assert_eq!(set.satisfies(scope), satisfied.contains(&scope), "{held} -> {scope}");
        }
    }
    let stored: Vec<_> = ScopeSet::from_iter([Admin]).normalised().iter().collect();
    assert_eq!(stored, [Admin, Read, Write], "protocol 6.5");
}
