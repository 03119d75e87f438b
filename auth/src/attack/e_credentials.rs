//! Group E: credentials.

use std::time::Duration;

use super::fixture::*;
use crate::device::Layout;
use crate::secret::{Exposure, Refusal, Warning, vet};
use crate::{
    BearerEvidence, BearerGrant, Denied, Ledger, Mode, Owner, Peer, Policy, Protocol, Scope,
    Secret, SharedSecret, Trace, Userspace, Via, bearer,
};

const STRONG: &str = "k7Qz0vB2n9xLw4RtYp8sHd3Jf6Gc1mAe";

#[test]
fn configured_secrets_are_vetted() {
    use Exposure::{Exposed, Local};
    let rows: &[(&str, &str, Exposure, Result<&[Warning], Refusal>)] = &[
        ("E1", "", Local, Err(Refusal::Empty)),
        ("E1 spaces", "   ", Local, Err(Refusal::Empty)),
        ("E1 newline", "\n", Local, Err(Refusal::Empty)),
        ("E2", "undefined", Local, Err(Refusal::Stringified)),
        ("E2 None", "None", Local, Err(Refusal::Stringified)),
        ("E2 NaN", "NaN", Local, Err(Refusal::Stringified)),
        ("E2 object", "[object Object]", Local, Err(Refusal::Stringified)),
        ("E2 false", "false", Local, Err(Refusal::Stringified)),
        ("E3", "change-me-please-12345678", Local, Err(Refusal::Placeholder)),
        ("E3 your", "your-token", Local, Err(Refusal::Placeholder)),
        ("E3 replace", "replace-me", Local, Err(Refusal::Placeholder)),
        ("E3 env", "${OPENCLAW_GATEWAY_TOKEN}", Local, Err(Refusal::Unresolved)),
        ("E3 stars", "***", Local, Err(Refusal::Placeholder)),
        ("E3 redacted", "__REDACTED__", Local, Err(Refusal::Placeholder)),
        ("E4", "k7Qz0vB2n9xLw4R", Exposed, Err(Refusal::TooShort)),
        ("E4 local", "k7Qz0vB2n9xLw4R", Local, Ok(&[Warning::Short])),
        ("E4 24", "k7Qz0vB2n9xLw4RtYp8sHd3J", Exposed, Ok(&[])),
        ("E5", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", Exposed, Err(Refusal::Guessable)),
        ("E5 unit", "abc123xyabc123xyabc123xyabc123xy", Exposed, Err(Refusal::Guessable)),
        ("E5 word", "!!!!!!!!!!!!password12345678", Exposed, Err(Refusal::Guessable)),
        ("E5 local", "passwordpasswordpassword", Local, Ok(&[Warning::Guessable])),
        ("E6", " k7Qz0vB2n9xLw4RtYp8sHd3Jf6Gc1mAe", Exposed, Ok(&[Warning::SurroundingSpace])),
        ("good", STRONG, Exposed, Ok(&[])),
    ];
    for (row, text, exposure, expected) in rows {
        let found = vet(&Secret::new(*text), *exposure);
        assert_eq!(found.as_deref(), expected.as_ref().map(|list| *list), "{row}");
    }
    let long = "k7Qz0vB2n9".repeat(103);
    assert_eq!(vet(&Secret::new(long), Exposed), Err(Refusal::TooLong), "E14");
}

#[test]
fn nothing_equals_an_empty_secret() {
    let empty = SharedSecret::new(&Secret::new(""));
    assert!(!empty.matches(b"") && !empty.matches(b"x"), "E1");
    let own = secret();
    assert!(own.matches(TOKEN.as_bytes()));
    for guess in ["", "x", &TOKEN[1..], &format!("{TOKEN} "), &TOKEN.to_uppercase()] {
        assert!(!own.matches(guess.as_bytes()), "E11 {guess}");
    }
    let composed = SharedSecret::new(&Secret::new("caf\u{e9}-0123456789abcdef"));
    assert!(!composed.matches("cafe\u{301}-0123456789abcdef".as_bytes()), "E13");
    let huge = Secret::new("x".repeat(1025));
    assert!(!SharedSecret::new(&huge).matches(huge.expose()), "E14");
}

fn fields(token: Option<&str>, password: Option<&str>) -> crate::Ask {
    let mut ask = cli();
    ask.token = token.map(Secret::new);
    ask.password = password.map(Secret::new);
    ask
}

#[test]
fn the_secret_may_stand_in_either_field() {
    let wrong = Some("wrong");
    let right = Some(TOKEN);
    let rows = [
        ("token", right, None, "ok", "ok"),
        ("E10 other field", None, right, "ok", "ok"),
        ("both", right, right, "ok", "ok"),
        ("E10 both differ", right, wrong, "ok", "no"),
        ("E10 both differ 2", wrong, right, "no", "ok"),
        ("wrong", wrong, None, "no", "no"),
        ("wrong password", None, wrong, "no", "no"),
    ];
    for (row, token, password, in_token_mode, in_password_mode) in rows {
        for (mode, expected, code) in [
            (Mode::Token(secret()), in_token_mode, "AUTH_TOKEN_MISMATCH"),
            (Mode::Password(secret()), in_password_mode, "AUTH_PASSWORD_MISMATCH"),
        ] {
            let method = mode.as_str();
            let door = Door::new(Policy { mode, ..policy() }, &local(), Via::Loopback, &[]);
            let allowed = format!("ALLOW {method} [operator.write operator.read]");
            let expected = if expected == "ok" { &allowed } else { code };
            assert_eq!(door.word(&fields(token, password)), expected, "{row} in {method} mode");
        }
    }
}

#[test]
fn missing_is_not_wrong() {
    for _ in 0..30 {
        let door = Door::lan();
        assert_eq!(door.word(&signed(fields(None, None))), "AUTH_TOKEN_MISSING", "E9");
        assert!(door.limiter.lock().unwrap().is_empty(), "E9: no budget");
    }
    let door = Door::lan();
    let denied = denied(door.decide(&signed(fields(Some("x"), None))));
    assert_eq!(denied.counts_as_failure(), Some(crate::Class::SharedSecret), "E9");
    assert_eq!(door.limiter.lock().unwrap().len(), 1, "E9");
}

#[test]
fn oversize_credentials_are_not_hashed() {
    let big = "x".repeat(60 * 1024);
    let door = Door::lan();
    for ask in [fields(Some(&big), None), fields(None, Some(&big)), fields(Some(TOKEN), Some(&big))]
    {
        assert_eq!(denied(door.decide(&ask)).reason(), "oversize_credential", "E14");
    }
    assert!(door.limiter.lock().unwrap().is_empty());
}

#[test]
fn a_second_credential_must_be_right_too() {
    let mut ask = cli();
    ask.device_token = Some(Secret::new("x"));
    let door = Door::lan().with(record(&[Scope::Write]));
    let beside = door.word(&signed(ask.clone()));
    assert!(
        beside.starts_with("PAIR") || beside.starts_with("ALLOW token"),
        "E16: counted, not used: {beside}"
    );
    ask.token = Some(Secret::new("guess"));
    for _ in 0..10 {
        assert_eq!(door.word(&signed(ask.clone())), "AUTH_TOKEN_MISMATCH", "E16");
    }
    assert_eq!(door.word(&signed(ask)), "AUTH_RATE_LIMITED", "E16: the limiter stays on");
    // F9: the device's own token still opens.
    let mut ask = cli();
    ask.token = None;
    ask.device_token = Some(device_token());
    assert_eq!(door.word(&signed(ask)), "ALLOW device-token [operator.write operator.read]", "F9");
}

#[test]
fn a_device_token_needs_its_device() {
    let in_token = |token: Secret| {
        let mut ask = cli();
        ask.token = Some(token);
        ask
    };
    let door = Door::lan().with(record(&[Scope::Write]));
    let allowed = "ALLOW device-token [operator.write operator.read]";
    assert_eq!(door.word(&signed(in_token(device_token()))), allowed, "protocol 4.3");
    assert_eq!(door.word(&in_token(device_token())), "AUTH_TOKEN_MISMATCH", "H16 no device");
    let mut bare = cli();
    bare.token = None;
    bare.device_token = Some(device_token());
    assert_eq!(door.word(&bare), "DEVICE_IDENTITY_REQUIRED", "H16");
    // Both fields, as the older CLI does in password mode.
    let mut both = in_token(device_token());
    both.device_token = Some(device_token());
    both.protocol = Protocol::V3;
    let policy = Policy { mode: Mode::Password(secret()), ..policy() };
    let password =
        Door::new(policy, &peer("192.168.1.66"), Via::Lan, &[]).with(record(&[Scope::Write]));
    assert_eq!(password.word(&signed(both)), allowed, "protocol 4.3");
    let mut guess = in_token(device_token());
    guess.password = Some(Secret::new("guess"));
    assert_eq!(password.word(&signed(guess)), "AUTH_PASSWORD_MISMATCH", "B38");
    // Another device's signature.
    let other = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
    let mut stolen = cli();
    stolen.token = None;
    stolen.device_token = Some(device_token());
    let door = Door::lan();
    assert_eq!(
        door.word(&signed_as(stolen, &other, Layout::V3)),
        "AUTH_DEVICE_TOKEN_MISMATCH",
        "H16"
    );
}

#[test]
fn none_is_for_this_host() {
    let none = Policy { mode: Mode::None, ..policy() };
    let page = [("Origin", "http://127.0.0.1:18789")];
    let rows: Vec<(&str, Peer, Via, Vec<(&str, &str)>, &str)> = vec![
        ("E22 clean", local(), Via::Loopback, vec![], "ALLOW 127.0.0.1 local"),
        ("E22 own page", local(), Via::Loopback, page.to_vec(), "ALLOW 127.0.0.1 local"),
        (
            "E22 origin",
            local(),
            Via::Loopback,
            vec![("Origin", "https://evil.example")],
            "403 origin_not_allowed",
        ),
        (
            "E22 listed",
            local(),
            Via::Loopback,
            vec![("Origin", "https://ui.example")],
            "403 none_needs_local",
        ),
        (
            "E22 forwarded",
            local(),
            Via::Loopback,
            vec![("X-Forwarded-For", "1.2.3.4")],
            "403 proxy_attribution_required",
        ),
        (
            "E22 host",
            local(),
            Via::Loopback,
            vec![("Host", "evil.example")],
            "403 none_remote_shape",
        ),
        (
            "E22 userspace",
            Peer { userspace: Userspace::Forwarded, ..local() },
            Via::Loopback,
            vec![],
            "403 none_needs_local",
        ),
        (
            "E22 unknown",
            Peer { userspace: Userspace::Unknown, ..local() },
            Via::Loopback,
            vec![],
            "403 none_needs_local",
        ),
        (
            "E22 uid",
            Peer { owner: Owner::Uid(1001), ..local() },
            Via::Loopback,
            vec![],
            "403 none_needs_local",
        ),
        (
            "E22 no uid",
            Peer { owner: Owner::Unknown, ..local() },
            Via::Loopback,
            vec![],
            "403 none_needs_local",
        ),
        ("E22 lan", peer("192.168.1.66"), Via::Lan, vec![], "403 none_needs_local"),
        (
            "E22 serve",
            tailscaled(),
            Via::ServeSocket,
            serve_lines("alice@x", "100.64.1.2"),
            "403 none_needs_local",
        ),
    ];
    let mut listed = none.clone();
    listed.allowed_origins = vec![origin("https://ui.example")];
    for (row, peer, via, lines, expected) in &rows {
        assert_eq!(verdict(&listed, peer, *via, lines), *expected, "{row}");
    }
    let door = Door::new(none, &local(), Via::Loopback, &[]);
    let mut ask = fields(None, None);
    assert_eq!(door.word(&ask), "ALLOW none [operator.write operator.read]");
    assert_eq!(door.word(&signed(ask.clone())), "PAIR not-paired silent");
    ask.device_token = Some(Secret::new("x"));
    assert_eq!(door.word(&signed(ask)), "AUTH_DEVICE_TOKEN_MISMATCH", "B38");
}

fn knock(door: &Door, lines: Lines<'_>) -> Result<BearerGrant, Denied> {
    let mut all = vec![("Host", "127.0.0.1")];
    all.extend_from_slice(lines);
    let head = read("/control-ui-config.json", &all)?;
    let key = token_key();
    let records: Vec<_> = door.record.iter().cloned().collect();
    let evidence = BearerEvidence {
        admitted: &door.admitted,
        head: &head,
        records: &records,
        token_key: &key,
    };
    let mut trace = Trace::off();
    bearer(
        &door.policy,
        &evidence,
        door.now,
        &mut Ledger { limiter: &door.limiter, trace: &mut trace },
    )
}

#[test]
fn bearers_are_read_strictly() {
    let good = format!("Bearer {TOKEN}");
    let lower = format!("bearer {TOKEN}");
    let double = format!("Bearer  {TOKEN}");
    let huge = format!("Bearer {}", "x".repeat(1025));
    let bare = TOKEN.to_owned();
    for (row, value, expected) in [
        ("E15 good", &good, "token"),
        ("E15 case", &lower, "token"),
        ("E15 double space", &double, "400 bad_authorization"),
        ("E15 basic", &"Basic dTpw".to_owned(), "401 unauthorized"),
        ("E15 bare", &bare, "401 unauthorized"),
        ("E15 empty", &"Bearer".to_owned(), "400 bad_authorization"),
        ("E14", &huge, "400 oversize_credential"),
        ("wrong", &"Bearer x".to_owned(), "401 secret_mismatch"),
    ] {
        let word = match knock(&Door::lan(), &[("Authorization", value)]) {
            Ok(grant) => grant.method().as_str().to_owned(),
            Err(denied) => format!("{} {}", denied.http_status(), denied.reason()),
        };
        assert_eq!(word, expected, "{row}");
    }
    let twice = [("Authorization", good.as_str()), ("Authorization", good.as_str())];
    assert_eq!(knock(&Door::lan(), &twice).unwrap_err().reason(), "ambiguous_header", "E15");
    assert_eq!(knock(&Door::lan(), &[]).unwrap_err().http_status(), 401, "B36");
}

#[test]
fn a_bearer_is_limited_narrowed_and_bound_to_the_record() {
    let good = format!("Bearer {TOKEN}");
    let device = format!("Bearer {}", device_token().expose_str());
    let door = Door::lan().with(record(&[Scope::Read]));
    let grant = knock(&door, &[("Authorization", &device)]).unwrap();
    assert_eq!((grant.method().as_str(), grant.device().is_some()), ("device-token", true));
    assert!(grant.allows(Scope::Read) && !grant.allows(Scope::Write));
    let full = knock(&door, &[("Authorization", &good)]).unwrap();
    assert!(full.allows(Scope::Admin));
    for (row, header, scope, expected) in [
        ("H19 empty", "", Scope::Read, false),
        ("H19 narrow", "operator.read", Scope::Read, true),
        ("H19 narrow 2", "operator.read", Scope::Write, false),
        ("H18", "operator.*", Scope::Read, false),
    ] {
        let lines = [("Authorization", good.as_str()), ("x-openclaw-scopes", header)];
        assert_eq!(knock(&door, &lines).unwrap().allows(scope), expected, "{row}");
    }
    let lines = [("Authorization", device.as_str()), ("x-openclaw-scopes", "operator.admin")];
    assert!(!knock(&door, &lines).unwrap().allows(Scope::Admin), "B18: never widens");
    for _ in 0..10 {
        assert_eq!(
            knock(&door, &[("Authorization", "Bearer guess")]).unwrap_err().http_status(),
            401
        );
    }
    let locked = knock(&door, &[("Authorization", &good)]).unwrap_err();
    assert_eq!((locked.http_status(), locked.retry_after_seconds()), (429, Some(300)), "F1");
    assert!(knock(&door, &[("Authorization", &device)]).is_ok(), "F9");
    let mut revoked = record(&[Scope::Read]);
    revoked.roles[0].generation = 4;
    let door = Door::lan().with(revoked);
    assert_eq!(knock(&door, &[("Authorization", &device)]).unwrap_err().http_status(), 401, "H20");
}

#[test]
fn identity_headers_open_no_http_route() {
    let mut policy = policy();
    policy.allow_tailscale = true;
    let door = Door::new(
        policy,
        &tailscaled(),
        Via::ServeSocket,
        &serve_lines("alice@example.com", "100.64.1.2"),
    );
    assert_eq!(knock(&door, &[]).unwrap_err().http_status(), 401, "B36");
}

#[test]
fn a_rotated_secret_ends_old_grants() {
    let door = Door::local();
    let crate::Decision::Allow(grant) = door.decide(&cli()) else { panic!("not let in") };
    assert!(grant.still_holds(7, None) && !grant.still_holds(8, None), "E18");
    assert_eq!(grant.policy_generation(), 7, "E18");
    let elsewhere =
        Door { now: crate::Now { uptime: Duration::from_secs(9), ..now() }, ..Door::local() };
    assert_eq!(elsewhere.word(&cli()), "ALLOW token [operator.write operator.read]");
}
