//! Refusals as the official clients know them (protocol 3.5, 3.8, 4.2, 6.2).

use super::fixture::*;
use crate::denied::{Cause, DetailValue};
use crate::device::DeviceFault;
use crate::{Ask, Decision, Denied, Mode, Policy, Protocol, Role, Scope, Secret, Via};

fn text(value: &str) -> DetailValue {
    DetailValue::Text(value.to_owned().into())
}

/// `details` in one line: `key=value ...`.
fn flat(denied: &Denied) -> String {
    let show = |value: &DetailValue| match value {
        DetailValue::Text(text) => text.to_string(),
        DetailValue::Number(number) => number.to_string(),
        DetailValue::Flag(flag) => flag.to_string(),
        DetailValue::List(list) => format!("[{}]", list.join(",")),
    };
    let pairs: Vec<_> =
        denied.details().iter().map(|(key, value)| format!("{key}={}", show(value))).collect();
    pairs.join(" ")
}

fn with_token(mut ask: Ask, token: Option<&str>, protocol: Protocol) -> Ask {
    ask.token = token.map(Secret::new);
    ask.protocol = protocol;
    ask
}

#[test]
fn wrong_and_missing_secrets_speak_to_who_asked() {
    let wrong = Some("guess");
    let ui = || as_client("openclaw-control-ui", "webchat");
    let tui = || as_client("openclaw-tui", "ui");
    let rows = [
        (
            Door::local(),
            with_token(cli(), wrong, Protocol::V4),
            "unauthorized: gateway token mismatch (use this gateway's gateway.auth.token or pair the device)",
            "code=AUTH_TOKEN_MISMATCH authReason=token_mismatch canRetryWithDeviceToken=false recommendedNextStep=update_auth_credentials",
        ),
        (
            Door::local(),
            with_token(cli(), wrong, Protocol::V3),
            "unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)",
            "code=AUTH_TOKEN_MISMATCH authReason=token_mismatch",
        ),
        (
            Door::lan(),
            signed(with_token(cli(), wrong, Protocol::V4)),
            "unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)",
            "code=AUTH_TOKEN_MISMATCH authReason=token_mismatch canRetryWithDeviceToken=true recommendedNextStep=retry_with_device_token",
        ),
        (
            Door::lan(),
            signed(with_token(cli(), None, Protocol::V4)),
            "unauthorized: gateway token missing (set gateway.remote.token to match gateway.auth.token)",
            "code=AUTH_TOKEN_MISSING authReason=token_missing canRetryWithDeviceToken=false recommendedNextStep=update_auth_configuration",
        ),
        (
            Door::local_page(),
            signed(with_token(ui(), wrong, Protocol::V4)),
            "unauthorized: gateway token mismatch (open the dashboard URL and paste the token in Control UI settings)",
            "code=AUTH_TOKEN_MISMATCH authReason=token_mismatch canRetryWithDeviceToken=true recommendedNextStep=retry_with_device_token",
        ),
        (
            Door::local(),
            with_token(tui(), wrong, Protocol::V3),
            "unauthorized: gateway token mismatch (provide gateway auth token)",
            "code=AUTH_TOKEN_MISMATCH authReason=token_mismatch",
        ),
    ];
    for (door, ask, message, details) in rows {
        let denied = denied(door.decide(&ask));
        assert_eq!((denied.code(), denied.message().as_ref()), ("INVALID_REQUEST", message));
        assert_eq!(flat(&denied), details, "{message}");
        assert_eq!((denied.close_code(), denied.close_reason()), (1008, denied.message()));
    }
}

#[test]
fn password_mode_speaks_of_passwords() {
    let policy = Policy { mode: Mode::Password(secret()), ..policy() };
    let door = |peer: &crate::Peer, via| Door::new(policy.clone(), peer, via, &[]);
    let near = || door(&local(), Via::Loopback);
    let far = || door(&peer("192.168.1.66"), Via::Lan);
    let page =
        Door::new(policy.clone(), &local(), Via::Loopback, &[("Origin", "http://127.0.0.1:18789")]);
    let wrong = Some("guess");
    for (door, ask, message) in [
        (
            near(),
            with_token(cli(), wrong, Protocol::V4),
            "unauthorized: gateway password mismatch (use this gateway's gateway.auth.password)",
        ),
        (
            far(),
            with_token(cli(), wrong, Protocol::V4),
            "unauthorized: gateway password mismatch (set gateway.remote.password to match gateway.auth.password)",
        ),
        (
            far(),
            signed(with_token(as_client("test", "test"), None, Protocol::V3)),
            "unauthorized: gateway password missing (provide gateway auth password)",
        ),
        (
            page,
            signed(with_token(as_client("openclaw-control-ui", "webchat"), wrong, Protocol::V4)),
            "unauthorized: gateway password mismatch (enter the password in Control UI settings)",
        ),
    ] {
        assert_eq!(denied(door.decide(&ask)).message(), message);
    }
}

#[test]
fn a_lock_says_when_to_come_again() {
    let door = Door::lan();
    for _ in 0..10 {
        door.decide(&with_token(cli(), Some("guess"), Protocol::V4));
    }
    let locked = denied(door.decide(&cli()));
    assert_eq!(
        locked.message(),
        "unauthorized: too many failed authentication attempts (retry later)"
    );
    assert_eq!(
        flat(&locked),
        "code=AUTH_RATE_LIMITED authReason=rate_limited canRetryWithDeviceToken=false recommendedNextStep=wait_then_retry"
    );
    assert_eq!(locked.retry_after_ms(), Some(300_000));
    let older = denied(door.decide(&with_token(cli(), Some("guess"), Protocol::V3)));
    assert_eq!(
        (flat(&older).as_str(), older.retry_after_ms()),
        ("code=AUTH_RATE_LIMITED authReason=rate_limited", None)
    );
}

#[test]
fn refusals_without_a_credential() {
    let plain = |cause| Denied::new(cause);
    let rows = [
        (
            plain(Cause::DeviceIdentityRequired),
            "NOT_PAIRED",
            "device identity required",
            "code=DEVICE_IDENTITY_REQUIRED",
        ),
        (
            plain(Cause::ControlUiDeviceIdentityRequired),
            "INVALID_REQUEST",
            "control ui requires device identity (use HTTPS or localhost secure context)",
            "code=CONTROL_UI_DEVICE_IDENTITY_REQUIRED",
        ),
        (
            plain(Cause::OriginMissing),
            "INVALID_REQUEST",
            "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)",
            "code=CONTROL_UI_ORIGIN_NOT_ALLOWED reason=origin missing or invalid",
        ),
        (
            plain(Cause::OriginNotAllowed { origin: "x".into() }),
            "INVALID_REQUEST",
            "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)",
            "code=CONTROL_UI_ORIGIN_NOT_ALLOWED reason=origin not allowed",
        ),
        (
            plain(Cause::OriginMissing).for_protocol(Protocol::V3),
            "INVALID_REQUEST",
            "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)",
            "",
        ),
        (
            plain(Cause::Device(DeviceFault::PublicKey)),
            "INVALID_REQUEST",
            "device public key invalid",
            "code=DEVICE_AUTH_PUBLIC_KEY_INVALID reason=device-public-key",
        ),
        (
            plain(Cause::Device(DeviceFault::Expired)).for_protocol(Protocol::V3),
            "INVALID_REQUEST",
            "device signature expired",
            "code=DEVICE_AUTH_INVALID reason=device-signature-stale",
        ),
        (plain(Cause::InvalidRole), "INVALID_REQUEST", "invalid role", ""),
    ];
    for (denied, code, message, details) in rows {
        assert_eq!((denied.code(), denied.message().as_ref()), (code, message));
        assert_eq!(flat(&denied), details);
        assert!(denied.answers() && denied.close_code() == 1008);
    }
}

#[test]
fn versions_meet_or_part() {
    for (min, max, expected) in [(4, 4, 4), (3, 3, 3), (3, 4, 4), (1, 99, 4), (1, 3, 3)] {
        assert_eq!(Protocol::negotiate(min, max).unwrap().number(), expected, "{min}..{max}");
    }
    for (min, max) in [(5, 5), (2, 2), (4, 3), (0, 0)] {
        let denied = Protocol::negotiate(min, max).unwrap_err();
        assert_eq!(
            (denied.close_code(), denied.close_reason().as_ref()),
            (1002, "protocol mismatch")
        );
        let expected = format!(
            "code=PROTOCOL_MISMATCH clientMinProtocol={min} clientMaxProtocol={max} expectedProtocol=4 minimumProbeProtocol=3"
        );
        assert_eq!(flat(&denied), expected);
    }
}

#[test]
fn pairing_says_what_is_asked_and_what_was_approved() {
    let id = public_key(&signer()).device_id();
    let request = "e6049da0-9f60-4ecb-b6c7-aa15ba86ae46";
    let pair = |door: Door, ask: Ask| match door.decide(&signed(ask)) {
        Decision::Pair(need) => need.denied(request),
        other @ (Decision::Allow(_) | Decision::Deny(_)) => panic!("no pairing: {}", word(&other)),
    };
    let denied = pair(Door::lan(), cli());
    assert_eq!(
        (denied.code(), denied.message().as_ref()),
        ("NOT_PAIRED", "pairing required: device is not approved yet")
    );
    assert_eq!(
        flat(&denied),
        format!(
            "code=PAIRING_REQUIRED reason=not-paired requestId={request} remediationHint=Approve this device from the pending pairing requests. deviceId={id} requestedRole=operator requestedScopes=[operator.write,operator.read]"
        )
    );
    assert_eq!(
        denied.close_reason(),
        format!("pairing required: device is not approved yet (requestId: {request})")
    );
    let denied = pair(Door::lan().with(record(&[Scope::Pairing, Scope::Read])), cli());
    assert_eq!(
        denied.message(),
        "pairing required: device is asking for more scopes than currently approved"
    );
    assert!(
        flat(&denied)
            .ends_with("approvedRoles=[operator] approvedScopes=[operator.pairing,operator.read]"),
        "{}",
        flat(&denied)
    );
    assert_eq!(denied.close_reason().len(), 120, "protocol 6.2");
    let mut node = as_client("node-host", "node");
    node.role = Role::Node;
    let denied = pair(Door::lan().with(record(&[Scope::Read])), node);
    assert_eq!(
        denied.message(),
        "pairing required: device is asking for a higher role than currently approved"
    );
    assert!(!denied.details().iter().any(|(key, _)| *key == "requestedScopes"));
    let mut older = cli();
    older.protocol = Protocol::V3;
    let denied = pair(Door::lan(), older);
    assert_eq!(
        (denied.message().as_ref(), denied.close_reason().as_ref()),
        ("pairing required", "pairing required")
    );
    assert_eq!(denied.details()[2], ("reason", text("not-paired")));
    assert_eq!(
        flat(&denied),
        format!("code=PAIRING_REQUIRED requestId={request} reason=not-paired")
    );
    assert!(denied.hint().unwrap().contains(request));
}
