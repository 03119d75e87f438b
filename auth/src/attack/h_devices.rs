//! Group H: device identity and deviceless clients.

use ed25519_dalek::SigningKey;

use super::fixture::*;
use crate::device::Layout;
use crate::{Ask, Owner, Peer, Protocol, PublicKey, Role, Scope, Secret, Userspace, Via};

/// The signed ask with its device block changed afterwards.
fn tampered(change: impl FnOnce(&mut Ask)) -> Ask {
    let mut ask = signed(cli());
    change(&mut ask);
    ask
}

fn proof(ask: &mut Ask) -> &mut crate::DeviceProof {
    ask.device.as_mut().unwrap()
}

#[test]
fn a_device_block_is_itself_now_and_here() {
    let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----";
    let other = public_key(&SigningKey::from_bytes(&[8; 32]));
    let zero = base64_of(&[0; 32]);
    let identity = base64_of(&{
        let mut point = [0; 32];
        point[0] = 1;
        point
    });
    let rows: Vec<(&str, Ask, &str, &str)> = vec![
        (
            "H1",
            tampered(|ask| proof(ask).nonce = "another".into()),
            "DEVICE_AUTH_NONCE_MISMATCH",
            "device nonce mismatch",
        ),
        (
            "H2",
            tampered(|ask| proof(ask).nonce = "".into()),
            "DEVICE_AUTH_NONCE_REQUIRED",
            "device nonce required",
        ),
        (
            "H2 blank",
            tampered(|ask| proof(ask).nonce = "  ".into()),
            "DEVICE_AUTH_NONCE_REQUIRED",
            "device nonce required",
        ),
        (
            "H3",
            tampered(|ask| proof(ask).signed_at += 120_001),
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            "device signature expired",
        ),
        (
            "H3 past",
            tampered(|ask| proof(ask).signed_at -= 120_001),
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            "device signature expired",
        ),
        (
            "H3 negative",
            tampered(|ask| proof(ask).signed_at = -1),
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            "device signature expired",
        ),
        (
            "H4",
            tampered(|ask| proof(ask).public_key = other.encode().into()),
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device identity mismatch",
        ),
        (
            "H4 case",
            tampered(|ask| proof(ask).id = proof(ask).id.to_uppercase().into()),
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device identity mismatch",
        ),
        (
            "H4 key",
            tampered(|ask| proof(ask).public_key = "x".into()),
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device identity mismatch",
        ),
        (
            "H4 pem",
            tampered(|ask| proof(ask).public_key = pem.into()),
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device identity mismatch",
        ),
        (
            "H6 zero",
            tampered(|ask| proof(ask).public_key = zero.into()),
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device identity mismatch",
        ),
        (
            "H6 identity",
            tampered(|ask| proof(ask).public_key = identity.into()),
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device identity mismatch",
        ),
        (
            "H5 scopes",
            tampered(|ask| ask.scopes = scopes(&["operator.admin"])),
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
        ),
        (
            "H5 order",
            tampered(|ask| ask.scopes = scopes(&["operator.read", "operator.write"])),
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
        ),
        (
            "H5 role",
            tampered(|ask| ask.role = Role::Node),
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
        ),
        (
            "H5 platform",
            tampered(|ask| ask.client.platform = "darwin".into()),
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
        ),
        (
            "H5 family",
            tampered(|ask| ask.client.device_family = None),
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
        ),
        (
            "H5 client",
            tampered(|ask| ask.client.mode = "ui".into()),
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
        ),
        (
            "H5 token",
            tampered(|ask| ask.token = None),
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
        ),
        (
            "H5 time",
            tampered(|ask| proof(ask).signed_at += 1),
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
        ),
        (
            "H6 short",
            tampered(|ask| proof(ask).signature = "AAAA".into()),
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
        ),
        (
            "H6 long",
            tampered(|ask| proof(ask).signature = "A".repeat(4096).into()),
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
        ),
    ];
    for (row, ask, expected, message) in rows {
        let refused = denied(Door::lan().decide(&ask));
        assert_eq!(
            (code(&refused).as_str(), refused.message().as_ref()),
            (expected, message),
            "{row}"
        );
        assert_eq!((refused.code(), refused.close_code()), ("INVALID_REQUEST", 1008), "{row}");
        let mut older = ask;
        older.protocol = Protocol::V3;
        assert_eq!(
            code(&denied(Door::lan().decide(&older))),
            "DEVICE_AUTH_INVALID",
            "{row} protocol 3"
        );
    }
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_malleable_signature_is_refused() {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let ask = tampered(|ask| {
        let mut raw = engine.decode(&*proof(ask).signature).unwrap();
        // S + L, the same signature to a lax verifier.
        let order: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut carry = 0_u16;
        for (byte, add) in raw[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        proof(ask).signature = engine.encode(raw).into();
    });
    assert_eq!(Door::lan().word(&ask), "DEVICE_AUTH_SIGNATURE_INVALID", "H6");
}

#[test]
fn clocks_may_differ_by_two_minutes_or_echo() {
    let mut door = Door::lan();
    for (row, shift, expected) in [
        ("H3 edge", 120_000, "PAIR not-paired operator"),
        // The signature carries the challenge's own time, so the server's later clock does not matter.
        ("H3 echo", 10_000_000, "PAIR not-paired operator"),
    ] {
        door.now.unix_ms = NOW_MS + shift;
        assert_eq!(door.word(&signed(cli())), expected, "{row}");
    }
}

#[test]
fn the_second_layout_is_for_those_who_use_it() {
    let key = signer();
    let v2 = |id: &str, protocol| {
        let mut ask = as_client(id, "webchat");
        ask.protocol = protocol;
        signed_as(ask, &key, Layout::V2)
    };
    assert_eq!(Door::local().word(&v2("cli", Protocol::V3)), "PAIR not-paired silent", "H5 design");
    assert_eq!(Door::local().word(&v2("cli", Protocol::V4)), "DEVICE_AUTH_SIGNATURE_INVALID", "H5");
    for protocol in [Protocol::V3, Protocol::V4] {
        let page = Door::local_page();
        assert_eq!(
            page.word(&v2("openclaw-control-ui", protocol)),
            "PAIR not-paired silent",
            "protocol 5.2"
        );
    }
    // H5: what the second layout does not sign is pinned by the record.
    let page = Door::local_page().with(record(&[Scope::Write]));
    let mut ask = v2("openclaw-control-ui", Protocol::V4);
    ask.client.platform = "darwin".into();
    assert_eq!(page.word(&ask), "PAIR metadata-upgrade silent", "H5");
}

#[test]
fn keys_come_in_three_spellings() {
    let key = PublicKey::parse("A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg").unwrap();
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n-----END PUBLIC KEY-----\n";
    assert_eq!(PublicKey::parse("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="), Some(key));
    assert_eq!(PublicKey::parse(pem), Some(key));
    assert_eq!(key.encode(), "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
    assert_eq!(PublicKey::parse(&"A".repeat(1000)), None);
    let small_order = |first| {
        let mut raw = [0; 32];
        raw[0] = first;
        PublicKey::from_raw(raw)
    };
    assert_eq!((small_order(0), small_order(1)), (None, None), "H6");
}

#[test]
fn a_deviceless_client_gets_what_its_place_allows() {
    let full = "ALLOW token [operator.write operator.read]";
    let other = Peer { owner: Owner::Uid(1001), ..local() };
    let root = Peer { owner: Owner::Uid(0), ..local() };
    let unknown = Peer { userspace: Userspace::Unknown, ..local() };
    let door = |peer: &Peer| Door::new(policy(), peer, Via::Loopback, &[]);
    let backend = as_client("gateway-client", "backend");
    let rows = [
        ("local cli", Door::local(), cli(), full),
        ("local backend", Door::local(), backend.clone(), full),
        ("root", door(&root), cli(), full),
        ("H8 lan cli", Door::lan(), cli(), "ALLOW token []"),
        ("H8 lan backend", Door::lan(), backend, "ALLOW token []"),
        ("H8 probe", Door::local(), as_client("cli", "probe"), "ALLOW token []"),
        ("H8 test", Door::local(), as_client("test", "test"), "ALLOW token []"),
        ("H8 other user", door(&other), cli(), "ALLOW token []"),
        ("B7", door(&unknown), cli(), "ALLOW token []"),
        (
            "H8 Control UI",
            Door::local_page(),
            as_client("openclaw-control-ui", "webchat"),
            "CONTROL_UI_DEVICE_IDENTITY_REQUIRED",
        ),
        (
            "no origin",
            Door::local(),
            as_client("openclaw-control-ui", "webchat"),
            "CONTROL_UI_ORIGIN_NOT_ALLOWED",
        ),
        (
            "no origin webchat",
            Door::local(),
            as_client("webchat", "webchat"),
            "CONTROL_UI_ORIGIN_NOT_ALLOWED",
        ),
    ];
    for (row, door, ask, expected) in rows {
        assert_eq!(door.word(&ask), expected, "{row}");
        let mut older = ask;
        older.protocol = Protocol::V3;
        let expected = if row.starts_with("no origin") { "origin_missing" } else { expected };
        assert_eq!(door.word(&older), expected, "{row} protocol 3");
    }
    let mut node = as_client("node-host", "node");
    node.role = Role::Node;
    assert_eq!(Door::local().word(&node), "DEVICE_IDENTITY_REQUIRED");
    let mut nothing = cli();
    for token in [None, Some(Secret::new(""))] {
        nothing.token = token;
        assert_eq!(Door::local().word(&nothing), "DEVICE_IDENTITY_REQUIRED", "protocol 4.3");
    }
}
