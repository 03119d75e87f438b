//! Invariants I2, I4, I5 and I7 over random requests.

use proptest::prelude::*;

use super::fixture::*;
use crate::{
    Ask, Head, HttpVersion, Locality, Mode, Owner, Path, Peer, Policy, RequestLine, Scope,
    ScopeSet, Secret, Trace, Userspace, Via, admit_traced,
};

/// Headers that a client may try, with values that somebody somewhere believes.
fn header() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        Just("X-Forwarded-For"),
        Just("x-forwarded-proto"),
        Just("X-Forwarded-Host"),
        Just("X-Forwarded-User"),
        Just("X-Real-IP"),
        Just("Forwarded"),
        Just("Tailscale-User-Login"),
        Just("tailscale_user_login"),
        Just("Tailscale-Funnel-Request"),
        Just("Origin"),
        Just("Sec-Fetch-Site"),
        Just("Sec-Fetch-Mode"),
        Just("Host"),
        Just("Authorization"),
        Just("Connection"),
        Just("Remote-User"),
        Just("User-Agent"),
        Just("x-openclaw-scopes"),
        Just("X-HTTP-Method-Override"),
    ];
    let value = prop_oneof![
        Just("127.0.0.1"),
        Just("127.0.0.1:18789"),
        Just("203.0.113.9"),
        Just("100.64.1.2"),
        Just("https"),
        Just("alice@example.com"),
        Just("?1"),
        Just("null"),
        Just("http://127.0.0.1:18789"),
        Just("http://localhost:18789"),
        Just("https://evil.example"),
        Just("https://gw.tail1234.ts.net"),
        Just("same-origin"),
        Just("cross-site"),
        Just("navigate"),
        Just("operator.admin"),
        Just(""),
    ];
    let value = prop_oneof![4 => value.prop_map(str::to_owned), 1 => "[ -~]{0,24}"];
    (name.prop_map(str::to_owned), value)
}

fn any_peer() -> impl Strategy<Value = Peer> {
    let address = prop_oneof![
        3 => Just("127.0.0.1"), 1 => Just("::1"), 1 => Just("192.168.1.66"), 1 => Just("100.64.1.2"),
    ];
    let owner = prop_oneof![
        2 => Just(Owner::Uid(OWN_UID)), 1 => Just(Owner::Uid(0)), 1 => Just(Owner::Uid(1001)), 1 => Just(Owner::Unknown),
    ];
    let userspace = prop_oneof![
        3 => Just(Userspace::Tun), 1 => Just(Userspace::NotConfigured),
        1 => Just(Userspace::Forwarded), 1 => Just(Userspace::Unknown),
    ];
    (address, owner, userspace).prop_map(|(address, owner, userspace)| Peer {
        owner,
        userspace,
        ..peer(address)
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(policy()),
        Just(Policy { mode: Mode::None, ..policy() }),
        Just(Policy { mode: Mode::Password(secret()), allow_tailscale: true, ..policy() }),
        Just(Policy { own_uid: None, tailscaled_uid: None, ..policy() }),
    ]
}

/// 0 refused, 1 let in from somewhere, 2 let in as this host.
fn rank(policy: &Policy, peer: &Peer, lines: &[(String, String)]) -> u8 {
    let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    match admitted(policy, peer, Via::Lan, &lines) {
        Err(_) => 0,
        Ok(admitted) if admitted.locality() == Locality::Proven => 2,
        Ok(_) => 1,
    }
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let ids = prop_oneof![
        Just(("cli", "cli")),
        Just(("gateway-client", "backend")),
        Just(("test", "test")),
        Just(("openclaw-control-ui", "webchat")),
    ];
    let secret = || {
        prop_oneof![
            Just(None),
            Just(Some(TOKEN.to_owned())),
            Just(Some(String::new())),
            Just(Some(device_token().expose_str().to_owned())),
            "[a-z]{1,8}".prop_map(Some),
        ]
    };
    let words = proptest::collection::vec(
        prop_oneof![
            Just("operator.admin"),
            Just("operator.read"),
            Just("operator.write"),
            Just("made.up")
        ],
        0..4,
    );
    (ids, secret(), secret(), secret(), words, any::<bool>(), any::<bool>()).prop_map(
        |((id, mode), token, password, device, words, older, with_device)| {
            let mut ask = as_client(id, mode);
            ask.token = token.map(Secret::new);
            ask.password = password.map(Secret::new);
            ask.device_token = device.map(Secret::new);
            ask.scopes = scopes(&words);
            if older {
                ask.protocol = crate::Protocol::V3;
            }
            if with_device { signed(ask) } else { ask }
        },
    )
}

fn any_record() -> impl Strategy<Value = Option<crate::DeviceRecord>> {
    prop_oneof![
        Just(None),
        Just(Some(record(&[Scope::Read]))),
        Just(Some(record(&[Scope::Write]))),
        Just(Some(record(&[Scope::Admin]))),
    ]
}

proptest! {
    #![proptest_config(cases(512))]

    /// I2: no header that a client adds raises what it gets; without any, it has the most it can have.
    #[test]
    fn headers_never_raise(
        policy in any_policy(), peer in any_peer(),
        lines in proptest::collection::vec(header(), 0..5), extra in header(), at in 0_usize..6,
    ) {
        // A page must bring its Origin, so taking one away is the one thing that this order does not cover:
        // whatever a program can send without it, a program may have.
        let host = |(name, _): &(String, String)| name == "Host";
        let base: Vec<_> = lines.into_iter().filter(|line| !host(line)).collect();
        prop_assume!(extra.0 != "Host");
        let mut more = base.clone();
        more.insert(at.min(base.len()), extra.clone());
        let bare = rank(&policy, &peer, &[]);
        prop_assert!(rank(&policy, &peer, &more) <= bare);
        let unlocks = ["Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode"].contains(&extra.0.as_str());
        if !unlocks {
            prop_assert!(rank(&policy, &peer, &more) <= rank(&policy, &peer, &base));
        }
    }

    /// I2, I3: without provenance no header becomes an identity or another client.
    #[test]
    fn strangers_are_who_they_are(peer in any_peer(), lines in proptest::collection::vec(header(), 0..6)) {
        let mut policy = policy();
        policy.allow_tailscale = true;
        let lines: Vec<_> = lines.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        if let Ok(admitted) = admitted(&policy, &peer, Via::Lan, &lines) {
            prop_assert_eq!(admitted.client_ip(), peer.ip());
            prop_assert!(admitted.login().is_none() && !admitted.is_serve());
        }
    }

    /// I7: bytes of any kind are a view or a refusal, never a panic.
    #[test]
    fn parsers_are_total(
        target in ".{0,40}", names in proptest::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..6),
    ) {
        let line = RequestLine { method: "GET", target: &target, version: HttpVersion::Http11 };
        let lines = names.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        if let Ok(head) = Head::read(line, lines) {
            prop_assert!(head.path().as_str().starts_with('/'));
        }
        drop(crate::Origin::configured(&target));
        drop(crate::HostName::parse(&target));
        drop(crate::ProxyRange::parse(&target));
    }

    /// A canonical path is its own canonical form, and has nothing left to resolve.
    #[test]
    fn paths_are_canonical(raw in "/[a-z./%2eE;]{0,24}") {
        if let Ok(path) = Path::parse(&raw) {
            prop_assert!(!path.as_str().split('/').any(|part| part == "." || part == ".."));
            prop_assert!(!path.as_str().contains("//"));
            if !path.as_str().contains('%') {
                prop_assert_eq!(Path::parse(path.as_str()).unwrap(), path);
            }
        }
    }
}

proptest! {
    // Each case signs and verifies, which an unoptimised build does slowly.
    #![proptest_config(cases(96))]

    /// I4: the same input gives the same decision and the same trace.
    #[test]
    fn decisions_repeat(
        policy in any_policy(), peer in any_peer(), record in any_record(), ask in any_ask(),
        lines in proptest::collection::vec(header(), 0..3),
    ) {
        let lines: Vec<_> = lines.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let head = read("/", &lines);
        if let Ok(head) = &head {
            let (mut one, mut two) = (Trace::on(), Trace::on());
            let first = admit_traced(&policy, &peer, Via::Lan, head, &mut one);
            let second = admit_traced(&policy, &peer, Via::Lan, head, &mut two);
            prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
            prop_assert_eq!(one, two);
        }
        if admitted(&policy, &peer, Via::Lan, &[]).is_err() {
            return Ok(());
        }
        let run = || {
            let mut door = Door::new(policy.clone(), &peer, Via::Lan, &[]);
            door.record.clone_from(&record);
            let mut trace = Trace::on();
            let decision = door.traced(&ask, &mut trace);
            (format!("{decision:?}"), trace)
        };
        prop_assert_eq!(run(), run());
    }

    /// I5, I7 and the ceiling: no secret in any output, and a grant needs a credential and never exceeds record or place.
    #[test]
    fn grants_are_earned(peer in any_peer(), record in any_record(), ask in any_ask()) {
        let page = ask.client.id.as_ref() == "openclaw-control-ui";
        let lines: &[(&str, &str)] = if page { &[("Origin", "http://127.0.0.1:18789")] } else { &[] };
        let mut door = Door::new(policy(), &peer, Via::Lan, lines);
        door.record.clone_from(&record);
        let mut trace = Trace::on();
        let decision = door.traced(&ask, &mut trace);
        let mut shown = format!("{decision:?} {trace:?} {ask:?} {:?} {:?}", door.policy, door.admitted);
        if let crate::Decision::Deny(denied) = &decision {
            shown.push_str(&format!("{denied} {:?} {:?}", denied.details(), denied.hint()));
        }
        prop_assert!(!shown.contains(TOKEN) && !shown.contains(device_token().expose_str()));
        if let crate::Decision::Allow(grant) = decision {
            let held = |secret: &Option<Secret>, text: &[u8]| secret.as_ref().is_some_and(|s| s.expose() == text);
            let shared = held(&ask.token, TOKEN.as_bytes()) || held(&ask.password, TOKEN.as_bytes());
            let token = device_token();
            let device = held(&ask.token, token.expose()) || held(&ask.device_token, token.expose());
            prop_assert!(shared || (device && ask.device.is_some()));
            let nothing = ScopeSet::empty();
            let ceiling = match (grant.device(), &record) {
                (Some(_), Some(record)) => &record.roles[0].scopes,
                _ if door.admitted.is_local() && shared => &ask.scopes,
                _ => &nothing,
            };
            prop_assert!(ceiling.covers(grant.scopes()));
            prop_assert!(ask.scopes.covers(grant.scopes()));
        }
    }
}

/// Nothing is written, not even a failing seed: the message prints the minimal case.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
