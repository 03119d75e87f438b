//! The error table of `connect` (wire contract 4.2), which field carries the secret (4.3), scopes without a
//! device (4.4), modes, and what happens to those who guess (4.6, F1, F8, F22, E16, D23).

use std::time::Duration;

use openclaw::gateway::exposure;
use serde_json::{Value, json};
use tokio::time::{Instant, advance, pause, resume, timeout};

use super::{
    client::{ADMIN, Connect, PAIRING, PROTOCOLS, READ, Refused, policy},
    device::{Device, Layout},
    rig::{PASSWORD, TOKEN, TestGateway, merged, with_password, with_token},
};

/// Changes a request on its way.
type Tamper<'a> = &'a dyn Fn(&mut Value);

/// Asserts one row of the error table, with the close that repeats the message.
fn row(refused: &Refused, code: &str, message: &str, details: &Value) {
    assert_eq!((refused.code(), refused.message()), (code, message));
    assert_eq!(&refused.error()["details"], details, "{message}");
    assert_eq!(refused.close, policy(&message.chars().take(120).collect::<String>()));
}

/// 2.26 details hold the first two fields only.
fn auth_details(protocol: u64, code: &str, reason: &str, (next, retry): (&str, bool)) -> Value {
    if protocol == 3 {
        return json!({ "code": code, "authReason": reason });
    }
    json!({
        "code": code, "authReason": reason, "canRetryWithDeviceToken": retry, "recommendedNextStep": next,
    })
}

#[tokio::test]
async fn a_wrong_or_missing_token_is_told_as_the_contract_says() {
    let gateway = TestGateway::start(with_token()).await;
    let device = Device::new(1);
    for protocol in PROTOCOLS {
        let hint = match protocol {
            3 => "set gateway.remote.token to match gateway.auth.token",
            _ => "use this gateway's gateway.auth.token or pair the device",
        };
        let wrong = Connect::cli(protocol).token("wrong").refused(&gateway).await;
        let details = |retry| {
            let next = if retry { "retry_with_device_token" } else { "update_auth_credentials" };
            auth_details(protocol, "AUTH_TOKEN_MISMATCH", "token_mismatch", (next, retry))
        };
        let message = format!("unauthorized: gateway token mismatch ({hint})");
        row(&wrong, "INVALID_REQUEST", &message, &details(false));
        // A success forgets the guess before, and with it the wait that grows (4.6).
        Connect::cli(4).welcome(&gateway).await;
        let wrong = Connect::cli(protocol).token("wrong").device(&device).refused(&gateway).await;
        Connect::cli(4).welcome(&gateway).await;
        row(&wrong, "INVALID_REQUEST", &message, &details(true));
        let none = Connect::cli(protocol).without("auth").device(&device).refused(&gateway).await;
        let next = ("update_auth_configuration", false);
        let details = auth_details(protocol, "AUTH_TOKEN_MISSING", "token_missing", next);
        let message = format!("unauthorized: gateway token missing ({hint})");
        row(&none, "INVALID_REQUEST", &message, &details);
    }
    let other = Connect::of(4, "test", "test").token("wrong").refused(&gateway).await;
    assert_eq!(
        other.message(),
        "unauthorized: gateway token mismatch (provide gateway auth token)"
    );
}

#[tokio::test]
async fn a_wrong_or_missing_password_is_told_as_the_contract_says() {
    let gateway = TestGateway::start(with_password()).await;
    for protocol in PROTOCOLS {
        let hint = match protocol {
            3 => "set gateway.remote.password to match gateway.auth.password",
            _ => "use this gateway's gateway.auth.password",
        };
        let connect = Connect::cli(protocol).scopes(&[READ]);
        let wrong = connect.clone().auth(json!({ "password": "wrong" })).refused(&gateway).await;
        let next = ("update_auth_credentials", false);
        let details = auth_details(protocol, "AUTH_PASSWORD_MISMATCH", "password_mismatch", next);
        let message = format!("unauthorized: gateway password mismatch ({hint})");
        row(&wrong, "INVALID_REQUEST", &message, &details);
        let none = connect.clone().without("auth").device(&Device::new(1)).refused(&gateway).await;
        let next = ("update_auth_configuration", false);
        let details = auth_details(protocol, "AUTH_PASSWORD_MISSING", "password_missing", next);
        let message = format!("unauthorized: gateway password missing ({hint})");
        row(&none, "INVALID_REQUEST", &message, &details);
        for field in ["password", "token"] {
            let auth = json!({ field: PASSWORD });
            let mut client = connect.clone().auth(auth).welcome(&gateway).await;
            client.ok("status", json!({})).await;
            if protocol == 4 {
                assert_eq!(client.hello["auth"]["method"], "password", "4.3");
            }
        }
    }
}

/// 4.3, E10: either field carries the secret; the other one may be wrong.
#[tokio::test]
async fn the_secret_may_stand_in_either_field() {
    let gateway = TestGateway::start(with_token()).await;
    for auth in [
        json!({ "token": TOKEN }),
        json!({ "password": TOKEN }),
        json!({ "token": TOKEN, "password": TOKEN }),
        json!({ "token": TOKEN, "password": "wrong" }),
    ] {
        let client = Connect::cli(4).auth(auth).welcome(&gateway).await;
        assert_eq!(client.hello["auth"]["method"], "token");
    }
    for auth in [
        json!({ "token": "wrong", "password": TOKEN }),
        json!({ "password": "wrong" }),
        json!({ "token": format!("{TOKEN} ") }),
        json!({ "token": TOKEN.to_uppercase() }),
    ] {
        let refused = Connect::cli(4).auth(auth).refused(&gateway).await;
        assert_eq!(refused.detail(), "AUTH_TOKEN_MISMATCH");
        Connect::cli(4).welcome(&gateway).await;
    }
    let long = Connect::cli(4).token(&"x".repeat(1025)).refused(&gateway).await;
    assert_eq!(
        long.message(),
        "invalid connect params: at /auth: must be at most 1024 bytes",
        "E14"
    );
}

#[tokio::test]
async fn whoever_brings_nothing_needs_a_device() {
    let gateway = TestGateway::start(with_token()).await;
    let details = json!({ "code": "DEVICE_IDENTITY_REQUIRED" });
    for protocol in PROTOCOLS {
        for connect in [
            Connect::cli(protocol).without("auth"),
            Connect::cli(protocol).auth(json!({})),
            Connect::cli(protocol).token(""),
            Connect::node(protocol),
            Connect::cli(protocol).auth(json!({ "deviceToken": "x" })),
        ] {
            let refused = connect.refused(&gateway).await;
            row(&refused, "NOT_PAIRED", "device identity required", &details);
        }
        let ui = Connect::of(protocol, "openclaw-control-ui", "webchat").origin(&gateway.origin());
        let message = "control ui requires device identity (use HTTPS or localhost secure context)";
        let details = json!({ "code": "CONTROL_UI_DEVICE_IDENTITY_REQUIRED" });
        row(&ui.refused(&gateway).await, "INVALID_REQUEST", message, &details);
    }
}

/// 4.5: the ids of browser pages need an Origin.
#[tokio::test]
async fn a_browser_client_without_a_page_is_refused() {
    let gateway = TestGateway::start(with_token()).await;
    let message = "origin not allowed (open the Control UI from the gateway host or allow it in \
                   gateway.controlUi.allowedOrigins)";
    for id in ["openclaw-control-ui", "webchat", "webchat-ui"] {
        let refused = Connect::of(4, id, "webchat").device(&Device::new(1)).refused(&gateway).await;
        assert_eq!((refused.code(), refused.message()), ("INVALID_REQUEST", message));
        let details = &refused.error()["details"];
        assert_eq!(details["code"], "CONTROL_UI_ORIGIN_NOT_ALLOWED");
        assert_eq!(details["reason"], "origin missing or invalid");
        let own = Connect::of(4, id, "webchat").device(&Device::new(1)).origin(&gateway.origin());
        own.welcome(&gateway).await;
    }
}

/// 4.4: without a device only the two local clients keep what they ask for (H8).
#[tokio::test]
async fn scopes_without_a_device() {
    let gateway = TestGateway::start(with_token()).await;
    for protocol in PROTOCOLS {
        for (id, mode, keeps) in [
            ("cli", "cli", true),
            ("gateway-client", "backend", true),
            ("cli", "probe", false),
            ("test", "test", false),
            ("gateway-client", "cli", false),
            ("openclaw-tui", "ui", false),
        ] {
            let connect = Connect::of(protocol, id, mode).scopes(&[ADMIN]);
            let mut client = connect.welcome(&gateway).await;
            assert_eq!(client.call("status", json!({})).await.is_ok(), keeps, "{id}/{mode}");
            client.ok("health", json!({})).await;
        }
        let mut none = Connect::cli(protocol).without("scopes").welcome(&gateway).await;
        none.fails("status", json!({})).await;
    }
}

/// 4.2, H1-H6: each way in which a device block can be wrong, per protocol.
#[tokio::test]
async fn device_blocks_are_checked() {
    let gateway = TestGateway::start(with_token()).await;
    let now = i64::try_from(gateway.running().house.door.services.clock.now_ms()).expect("fits");
    let (device, other) = (Device::new(1), Device::new(2));
    for protocol in PROTOCOLS {
        let base = Connect::admin(protocol).device(&device);
        let tampered: [(&str, Tamper<'_>); 9] = [
            ("id-mismatch", &|block| block["id"] = other.id.as_str().into()),
            ("id-mismatch", &|block| block["id"] = device.id.to_uppercase().into()),
            ("id-mismatch", &|block| block["publicKey"] = "AAAA".into()),
            ("stale", &|block| block["signedAt"] = (now - 130_000).into()),
            ("stale", &|block| block["signedAt"] = (now + 130_000).into()),
            ("nonce-missing", &|block| block["nonce"] = "  ".into()),
            ("nonce-mismatch", &|block| {
                block["nonce"] = "11111111-2222-3333-4444-555555555555".into()
            }),
            ("signature", &|block| block["signature"] = device.sign("something else").into()),
            ("signature", &|block| block["signature"] = "!".into()),
        ];
        for (fault, tamper) in tampered {
            let mut stranger = base.open(&gateway).await;
            let mut request = base.request(&stranger.challenge);
            tamper(&mut request["params"]["device"]);
            stranger.socket.text(&request.to_string()).await;
            let refused = stranger.verdict().await.expect_err("a wrong block");
            device_row(&refused, fault, protocol);
        }
        for layout in [Layout::V1, Layout::V2, Layout::V3] {
            let entered = base.clone().layout(layout).enter(&gateway).await;
            let accepted = layout == Layout::V3 || (layout == Layout::V2 && protocol == 3);
            assert_eq!(entered.is_ok(), accepted, "5.2: {layout:?} in protocol {protocol}");
        }
    }
}

fn device_row(refused: &Refused, fault: &str, protocol: u64) {
    let (message, code, reason) = match fault {
        "id-mismatch" => ("device identity mismatch", "DEVICE_ID_MISMATCH", "device-id-mismatch"),
        "stale" => ("device signature expired", "SIGNATURE_EXPIRED", "device-signature-stale"),
        "nonce-missing" => ("device nonce required", "NONCE_REQUIRED", "device-nonce-missing"),
        "nonce-mismatch" => ("device nonce mismatch", "NONCE_MISMATCH", "device-nonce-mismatch"),
        _ => ("device signature invalid", "SIGNATURE_INVALID", "device-signature"),
    };
    let code = if protocol == 3 { "INVALID" } else { code };
    let details = json!({ "code": format!("DEVICE_AUTH_{code}"), "reason": reason });
    row(refused, "INVALID_REQUEST", message, &details);
}

/// H5: what was signed cannot be changed on the way. H1: a block is good for one connection.
#[tokio::test]
async fn a_signature_covers_what_is_sent() {
    let gateway = TestGateway::start(with_token()).await;
    let base = Connect::cli(4).scopes(&[READ]).device(&Device::new(1));
    let tampered: [Tamper<'_>; 5] = [
        &|params| params["scopes"] = json!([ADMIN]),
        &|params| params["role"] = "node".into(),
        &|params| params["client"]["platform"] = "darwin".into(),
        &|params| params["client"]["deviceFamily"] = "Mac".into(),
        &|params| params["client"]["mode"] = "backend".into(),
    ];
    for tamper in tampered {
        let mut stranger = base.open(&gateway).await;
        let mut request = base.request(&stranger.challenge);
        tamper(&mut request["params"]);
        stranger.socket.text(&request.to_string()).await;
        let refused = stranger.verdict().await.expect_err("tampered");
        assert_eq!(refused.detail(), "DEVICE_AUTH_SIGNATURE_INVALID");
    }
    let first = base.open(&gateway).await;
    let mut second = base.open(&gateway).await;
    second.socket.text(&base.request(&first.challenge).to_string()).await;
    let replayed = second.verdict().await.expect_err("replayed");
    assert_eq!(replayed.detail(), "DEVICE_AUTH_NONCE_MISMATCH");
}

/// E22: without a secret everything must say "this host".
#[tokio::test]
async fn mode_none_is_for_this_host_only() {
    let none = json!({ "gateway": { "mode": "local", "auth": { "mode": "none" } } });
    let mut gateway = TestGateway::prepare(none, &[]);
    if exposure::container().is_some() {
        let refused = gateway.run().await.expect_err("A25: a container has other tenants");
        assert_eq!(refused.exit_code(), 78, "{refused}");
        return;
    }
    gateway.run().await.expect("the gateway starts");
    let mut client = Connect::admin(4).without("auth").welcome(&gateway).await;
    assert_eq!(client.hello["auth"]["method"], "none");
    client.ok("status", json!({})).await;
    Connect::admin(3).without("auth").device(&Device::new(1)).welcome(&gateway).await;
    let foreign = Connect::admin(4).without("auth").auth(json!({ "deviceToken": "x" }));
    assert_eq!(
        foreign.device(&Device::new(1)).refused(&gateway).await.detail(),
        "AUTH_DEVICE_TOKEN_MISMATCH"
    );
    for (host, headers) in [
        ("gateway.example", ""),
        (gateway.host().as_str(), "X-Forwarded-For: 203.0.113.9\r\n"),
        (gateway.host().as_str(), "Tailscale-User-Login: alice@example.com\r\n"),
        (gateway.host().as_str(), "Origin: https://evil.example\r\n"),
    ] {
        let request = super::wire::upgrade_request(host, headers);
        assert_eq!(super::wire::exchange(&gateway, &request).await.status, 403, "{host} {headers}");
    }
}

/// Sends a connect and lets the gateway's time fly until it answers; how long the answer was held back.
async fn answered_after(connect: &Connect, gateway: &TestGateway) -> (Refused, Duration) {
    let mut stranger = connect.open(gateway).await;
    let request = connect.request(&stranger.challenge);
    let sent = Instant::now();
    stranger.socket.text(&request.to_string()).await;
    let mut verdict = Box::pin(stranger.verdict());
    loop {
        match timeout(Duration::from_millis(5), &mut verdict).await {
            Ok(answer) => return (answer.expect_err("a wrong guess"), sent.elapsed()),
            Err(_held_back) => {
                pause();
                advance(Duration::from_millis(250)).await;
                resume();
            }
        }
    }
}

/// 4.6, F8: a program on this host is slowed down, longer and longer, and never locked out.
#[tokio::test]
async fn guesses_on_loopback_are_delayed_and_never_locked() {
    let patient = json!({ "gateway": { "handshakeTimeoutMs": 600_000 } });
    let gateway = TestGateway::start(merged(with_token(), &patient)).await;
    for round in 0..12_u32 {
        let (refused, waited) = answered_after(&Connect::cli(4).token("guess"), &gateway).await;
        assert_eq!(refused.detail(), "AUTH_TOKEN_MISMATCH", "round {round}");
        let least = Duration::from_millis(250 << round.min(10)).min(Duration::from_secs(5));
        assert!(waited >= least, "round {round}: {waited:?} is less than {least:?}");
    }
    Connect::cli(4).welcome(&gateway).await;
    let sent = Instant::now();
    Connect::cli(4).token("guess").refused(&gateway).await;
    assert!(sent.elapsed() < Duration::from_secs(4), "a success starts anew: {:?}", sent.elapsed());
}

/// D23, F1: a page on this host is locked like a stranger, before anything is compared, and later let in.
#[tokio::test]
async fn guesses_of_a_page_lock_it_out() {
    let gateway = TestGateway::start(with_token()).await;
    let page = |token: &str| Connect::cli(4).token(token).origin(&gateway.origin());
    for _ in 0..10 {
        assert_eq!(page("guess").refused(&gateway).await.detail(), "AUTH_TOKEN_MISMATCH");
    }
    let locked = page(TOKEN).refused(&gateway).await;
    let message = "unauthorized: too many failed authentication attempts (retry later)";
    assert_eq!((locked.code(), locked.message()), ("INVALID_REQUEST", message));
    assert_eq!((locked.detail(), &locked.close), ("AUTH_RATE_LIMITED", &policy(message)));
    let wait = locked.error()["retryAfterMs"].as_u64().expect("a wait");
    assert!((290_000..=300_000).contains(&wait), "{wait}");
    assert_eq!(locked.error()["retryable"], true);
    assert_eq!(locked.error()["details"]["recommendedNextStep"], "wait_then_retry");
    let old = page(TOKEN).set("minProtocol", json!(3)).set("maxProtocol", json!(3));
    let old = old.refused(&gateway).await;
    assert_eq!(old.detail(), "AUTH_RATE_LIMITED");
    assert_eq!(old.error().get("retryAfterMs"), None, "protocol 3 has no such field");
    Connect::cli(4).welcome(&gateway).await;
    pause();
    advance(Duration::from_millis(wait)).await;
    resume();
    page(TOKEN).welcome(&gateway).await;
}

/// E9: nothing brought is nothing guessed. H8, E16, F22: a device token is another budget.
#[tokio::test]
async fn budgets_are_apart() {
    let limits = json!({ "gateway": { "auth": { "rateLimit": { "maxAttempts": 2 } } } });
    let gateway = TestGateway::start(merged(with_token(), &limits)).await;
    let device = Device::new(1);
    let page = |auth: Value| {
        let connect = Connect::cli(4).scopes(&[PAIRING]).auth(auth).origin(&gateway.origin());
        connect.device(&device)
    };
    Connect::admin(4).device(&device).welcome(&gateway).await;
    for _ in 0..5 {
        assert_eq!(page(json!({})).refused(&gateway).await.detail(), "AUTH_TOKEN_MISSING");
    }
    let mut device_guess = page(json!({ "deviceToken": "stale" }));
    for _ in 0..2 {
        assert_eq!(device_guess.refused(&gateway).await.detail(), "AUTH_DEVICE_TOKEN_MISMATCH");
    }
    assert_eq!(device_guess.refused(&gateway).await.detail(), "AUTH_RATE_LIMITED", "F22");
    page(json!({ "token": TOKEN })).welcome(&gateway).await;
    device_guess = page(json!({ "token": "guess", "deviceToken": "x" }));
    for _ in 0..2 {
        assert_eq!(device_guess.refused(&gateway).await.detail(), "AUTH_TOKEN_MISMATCH", "E16");
    }
    assert_eq!(device_guess.refused(&gateway).await.detail(), "AUTH_RATE_LIMITED", "E16");
    assert_eq!(
        page(json!({ "token": TOKEN })).refused(&gateway).await.detail(),
        "AUTH_RATE_LIMITED"
    );
}
