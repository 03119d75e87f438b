//! The client against a gateway in the same process.

use std::{path::Path, time::Duration};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    client::{
        Client, Deadlines,
        credentials::{ConnectAs, Credentials, Stored, Who},
        error::{ClientError, Kind},
        fake::{Fake, NONCE, Reply, TS, hello, refuse},
        identity::DeviceIdentity,
        scopes,
        target::{Plaintext, Target},
        tls::Fingerprint,
        tokens::{self, Issued},
    },
    config::secret::SecretValue,
};

fn client(home: &Path) -> Client {
    Client {
        identity: home.join("identity"),
        version: "1.2.3",
        deadlines: Deadlines::within(Duration::from_secs(5)),
        now_ms: 1_795_166_400_000,
    }
}

fn target(url: &str) -> Target {
    Target { endpoint: url.parse().expect("url"), pin: None, plaintext: Plaintext::Loopback }
}

fn with_token(token: &str, stored: Stored) -> Credentials {
    Credentials::new(Some(SecretValue::new(token)), None, stored)
}

fn nothing(stored: Stored) -> Credentials {
    Credentials::new(None, None, stored)
}

fn reader() -> ConnectAs {
    ConnectAs::new(Who::Cli, &[scopes::READ])
}

fn home() -> TempDir {
    tempfile::tempdir().expect("temp")
}

/// An identity with a device token, as an earlier command left it.
fn paired(home: &Path, token: &str) -> DeviceIdentity {
    let folder = home.join("identity");
    let identity = DeviceIdentity::load_or_create(&folder, 1).expect("identity");
    let token = SecretValue::new(token);
    let issued = Issued { role: "operator", token: &token, scopes: &[] };
    tokens::store(&folder, &identity.id, &issued, 1).expect("token");
    identity
}

fn greets(method: &str, params: &Value) -> Vec<Reply> {
    match method {
        "connect" => vec![hello(params)],
        "health" => vec![Reply::Event("tick", json!({"ts": 1})), Reply::Ok(json!({"ok": true}))],
        _ => Vec::new(),
    }
}

async fn refused(script: impl Fn() -> Vec<Reply> + Send + Sync + 'static) -> ClientError {
    let fake = Fake::gateway(move |method, _| match method {
        "connect" => script(),
        _ => Vec::new(),
    })
    .await;
    let home = home();
    let credentials = with_token("t", Stored::Never);
    let connected = client(home.path()).connect(&target(&fake.url), &credentials, &reader()).await;
    connected.map(|_| ()).expect_err("refused")
}

#[tokio::test]
async fn on_loopback_a_secret_goes_without_a_device() {
    let (fake, home) = (Fake::gateway(greets).await, home());
    let client = client(home.path());
    let credentials = with_token("secret-1", Stored::Allowed);
    let mut connection =
        client.connect(&target(&fake.url), &credentials, &reader()).await.expect("connected");
    assert_eq!(connection.call("health", None).await.expect("health"), json!({"ok": true}));
    assert_eq!(connection.next_event().await.expect("kept event").event, "tick");
    assert_eq!(connection.hello().server.version, "2026.9.6");
    connection.close().await;
    let params = &fake.connects()[0];
    assert_eq!(params["auth"], json!({"token": "secret-1"}));
    assert_eq!(params["scopes"], json!(["operator.read"]));
    assert_eq!((&params["minProtocol"], &params["maxProtocol"]), (&json!(4), &json!(4)));
    assert_eq!(
        (&params["client"]["id"], &params["client"]["mode"]),
        (&json!("cli"), &json!("cli"))
    );
    assert!(params.get("device").is_none(), "{params}");
    assert!(!home.path().join("identity").exists(), "no identity was needed");
}

#[tokio::test]
async fn without_a_secret_the_device_signs_the_challenge() {
    let home = home();
    let fake = Fake::gateway(|method, params| match method {
        "connect" => {
            let Reply::Ok(mut hello) = hello(params) else { return Vec::new() };
            hello["auth"]["deviceToken"] = json!("issued-1");
            vec![Reply::Ok(hello)]
        }
        _ => Vec::new(),
    })
    .await;
    let client = client(home.path());
    client
        .connect(&target(&fake.url), &nothing(Stored::Allowed), &reader())
        .await
        .expect("connected")
        .close()
        .await;
    let identity = DeviceIdentity::load(&client.identity).expect("load").expect("made");
    let device = &fake.connects()[0]["device"];
    assert_eq!(device["id"], json!(identity.id));
    assert_eq!((&device["nonce"], &device["signedAt"]), (&json!(NONCE), &json!(TS)));
    let params = &fake.connects()[0];
    let lower = |name: &str| params["client"][name].as_str().expect(name).to_ascii_lowercase();
    let payload = format!(
        "v3|{}|cli|cli|operator|operator.read|{TS}||{NONCE}|{}|{}",
        identity.id,
        lower("platform"),
        lower("deviceFamily")
    );
    assert_eq!(device["signature"], json!(identity.sign(&payload)));
    let kept = tokens::load(&client.identity, &identity.id, "operator").expect("load");
    assert_eq!(kept, Some(SecretValue::new("issued-1")));

    client
        .connect(&target(&fake.url), &nothing(Stored::Allowed), &reader())
        .await
        .expect("again")
        .close()
        .await;
    assert_eq!(fake.connects()[1]["auth"], json!({"deviceToken": "issued-1"}));
}

#[tokio::test]
async fn i1_a_foreign_target_gets_no_stored_token_and_gives_none() {
    let home = home();
    let identity = paired(home.path(), "canary-device-token");
    let fake = Fake::gateway(|method, params| match method {
        "connect" => {
            let Reply::Ok(mut hello) = hello(params) else { return Vec::new() };
            hello["auth"]["deviceToken"] = json!("foreign");
            vec![Reply::Ok(hello)]
        }
        _ => Vec::new(),
    })
    .await;
    let client = client(home.path());
    client
        .connect(&target(&fake.url), &nothing(Stored::Never), &reader())
        .await
        .expect("connected")
        .close()
        .await;
    assert!(!fake.heard().join("\n").contains("canary"), "{:?}", fake.heard());
    let kept = tokens::load(&client.identity, &identity.id, "operator").expect("load");
    assert_eq!(kept, Some(SecretValue::new("canary-device-token")), "not overwritten");
}

#[tokio::test]
async fn a_probe_leaves_nothing_behind() {
    let (fake, home) = (Fake::gateway(greets).await, home());
    let client = client(home.path());
    let probe = ConnectAs::new(Who::Probe, &[scopes::READ]);
    for credentials in [nothing(Stored::Allowed), with_token("t", Stored::Allowed)] {
        let connected = client.connect(&target(&fake.url), &credentials, &probe).await;
        connected.expect("connected").close().await;
    }
    assert!(!home.path().join("identity").exists());
    let connects = fake.connects();
    assert!(connects.iter().all(|params| params.get("device").is_none()));
    assert_eq!((&connects[0]["minProtocol"], &connects[0]["maxProtocol"]), (&json!(3), &json!(4)));
    assert_eq!(connects[0]["client"]["mode"], "probe");

    paired(home.path(), "mine");
    let connected = client.connect(&target(&fake.url), &nothing(Stored::Allowed), &probe).await;
    connected.expect("connected").close().await;
    assert_eq!(fake.connects()[2]["auth"], json!({"deviceToken": "mine"}));
}

#[tokio::test]
async fn i9_one_retry_with_the_device_token_on_loopback() {
    let home = home();
    paired(home.path(), "device-1");
    let mismatch = || {
        let details = json!({"code": "AUTH_TOKEN_MISMATCH", "authReason": "token_mismatch",
            "canRetryWithDeviceToken": true, "recommendedNextStep": "retry_with_device_token"});
        refuse("INVALID_REQUEST", "unauthorized: gateway token mismatch (x)", details)
    };
    let fake = Fake::gateway(move |method, params| match method {
        "connect" if params["auth"]["deviceToken"] == "device-1" => vec![hello(params)],
        "connect" => mismatch(),
        _ => Vec::new(),
    })
    .await;
    let client = client(home.path());
    let connected =
        client.connect(&target(&fake.url), &with_token("old", Stored::Allowed), &reader()).await;
    connected.expect("the second attempt").close().await;
    assert_eq!(fake.connects().len(), 2);
    assert_eq!(fake.connects()[1]["auth"], json!({"token": "old", "deviceToken": "device-1"}));

    let connected =
        client.connect(&target(&fake.url), &with_token("old", Stored::Never), &reader()).await;
    let error = connected.map(|_| ()).expect_err("a foreign target gets no second attempt");
    assert_eq!(error.kind, Kind::Auth);
    assert_eq!(fake.connects().len(), 3);
}

#[tokio::test]
async fn i9_a_second_refusal_is_final() {
    let home = home();
    paired(home.path(), "device-1");
    let fake = Fake::gateway(|method, _| match method {
        "connect" => {
            let details = json!({"code": "AUTH_TOKEN_MISMATCH", "canRetryWithDeviceToken": true});
            refuse("INVALID_REQUEST", "unauthorized", details)
        }
        _ => Vec::new(),
    })
    .await;
    let connected = client(home.path())
        .connect(&target(&fake.url), &with_token("old", Stored::Allowed), &reader())
        .await;
    assert_eq!(connected.map(|_| ()).expect_err("refused").kind, Kind::Auth);
    assert_eq!(fake.connects().len(), 2);
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let rows: [(&str, &str, Value, Kind, &str); 7] = [
        (
            "NOT_PAIRED",
            "pairing required: device is not approved yet",
            json!({"code": "PAIRING_REQUIRED", "requestId": "9b6762b1-2027-475e-94ce-258ea792161a"}),
            Kind::Pairing,
            "`openclaw devices approve 9b6762b1-2027-475e-94ce-258ea792161a`",
        ),
        (
            "NOT_PAIRED",
            "pairing required",
            Value::Null,
            Kind::Pairing,
            "`openclaw devices approve --latest`",
        ),
        (
            "NOT_PAIRED",
            "pairing required",
            json!({"code": "PAIRING_REQUIRED", "requestId": "x; rm -rf ~"}),
            Kind::Pairing,
            "`openclaw devices approve --latest`",
        ),
        (
            "INVALID_REQUEST",
            "unauthorized: gateway token mismatch",
            json!({"code": "AUTH_TOKEN_MISMATCH"}),
            Kind::Auth,
            "`--token`",
        ),
        (
            "INVALID_REQUEST",
            "unauthorized: gateway password missing",
            json!({"code": "AUTH_PASSWORD_MISSING"}),
            Kind::Auth,
            "`--password`",
        ),
        (
            "INVALID_REQUEST",
            "protocol mismatch",
            json!({"expectedProtocol": 3}),
            Kind::Protocol,
            "protocol 4",
        ),
        (
            "NOT_PAIRED",
            "device identity required",
            json!({"code": "DEVICE_IDENTITY_REQUIRED"}),
            Kind::Auth,
            "`--token`",
        ),
    ];
    for (code, message, details, kind, hint) in rows {
        let error = refused(move || refuse(code, message, details.clone())).await;
        assert_eq!(error.kind, kind, "{message}");
        assert_eq!(error.message, message);
        assert!(error.hints.iter().any(|told| told.contains(hint)), "{message}: {:?}", error.hints);
        assert_eq!(error.code(), Some(code));
    }
}

#[tokio::test]
async fn a_close_in_place_of_an_answer_is_told() {
    let error = refused(|| vec![Reply::Close(1008, "invalid request frame".to_owned())]).await;
    assert_eq!(error.kind, Kind::Auth);
    assert_eq!(error.close.expect("close").reason, "invalid request frame");
    let error = refused(|| vec![Reply::Close(1013, "gateway starting".to_owned())]).await;
    assert_eq!(error.kind, Kind::Transport);
    assert!(error.hints[0].contains("again"));
}

#[tokio::test]
async fn i8_a_redirect_is_not_followed() {
    let foreign = Fake::gateway(greets).await;
    let answer = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        foreign.url
    );
    let (redirects, home) = (Fake::http(answer).await, home());
    let credentials = with_token("canary", Stored::Never);
    let connected =
        client(home.path()).connect(&target(&redirects.url), &credentials, &reader()).await;
    let error = connected.map(|_| ()).expect_err("redirect");
    assert_eq!(error.kind, Kind::Transport);
    assert!(error.hints[0].contains("not followed"), "{:?}", error.hints);
    assert!(foreign.heard().is_empty());
    assert!(!redirects.heard().join("").contains("canary"), "nothing but an upgrade was sent");
}

#[tokio::test]
async fn http_refusals_are_explained() {
    let body = r#"{"error":{"type":"proxy_attribution_required"}}"#;
    let rows = [
        (
            format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
            Kind::Auth,
            "trustedProxies",
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Kind::Transport,
            "too many",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned(),
            Kind::Transport,
            "not that of a gateway",
        ),
        ("SSH-2.0-OpenSSH_9.6\r\n".to_owned(), Kind::Transport, "something else"),
    ];
    for (answer, kind, hint) in rows {
        let (fake, home) = (Fake::http(answer.clone()).await, home());
        let credentials = with_token("t", Stored::Never);
        let connected =
            client(home.path()).connect(&target(&fake.url), &credentials, &reader()).await;
        let error = connected.map(|_| ()).expect_err(&answer);
        assert_eq!(error.kind, kind, "{answer}");
        assert!(error.hints.iter().any(|told| told.contains(hint)), "{answer}: {:?}", error.hints);
    }
}

#[tokio::test]
async fn silence_ends_at_its_deadline() {
    let home = home();
    let hasty = Client {
        deadlines: Deadlines {
            challenge: Duration::from_millis(20),
            call: Duration::from_millis(20),
            ..client(home.path()).deadlines
        },
        ..client(home.path())
    };
    let no_challenge = Fake::gateway(|_, _| vec![Reply::Silence]).await;
    let credentials = with_token("t", Stored::Never);
    let connected = hasty.connect(&target(&no_challenge.url), &credentials, &reader()).await;
    let error = connected.map(|_| ()).expect_err("no challenge");
    assert_eq!(error.kind, Kind::Timeout);
    assert!(no_challenge.connects().is_empty(), "nothing was said before the challenge");

    let silent = Fake::gateway(|method, params| match method {
        "connect" => vec![hello(params)],
        _ => Vec::new(),
    })
    .await;
    let mut connection =
        hasty.connect(&target(&silent.url), &credentials, &reader()).await.expect("connected");
    let error = connection.call("health", None).await.expect_err("no answer");
    assert_eq!(error.kind, Kind::Timeout);
    assert!(error.message.contains("`health`"), "{}", error.message);
}

#[tokio::test]
async fn a_challenge_without_a_nonce_is_refused() {
    let fake = Fake::gateway(|method, _| match method {
        "connect.challenge" => vec![Reply::Text(
            r#"{"type":"event","event":"connect.challenge","payload":{"nonce":" "}}"#.to_owned(),
        )],
        _ => Vec::new(),
    })
    .await;
    let home = home();
    let credentials = with_token("t", Stored::Never);
    let connected = client(home.path()).connect(&target(&fake.url), &credentials, &reader()).await;
    assert_eq!(connected.map(|_| ()).expect_err("nonce").kind, Kind::Protocol);
    assert!(fake.connects().is_empty());
}

#[tokio::test]
async fn an_oversized_message_ends_the_connection() {
    let fake = Fake::gateway(|method, params| match method {
        "connect" => vec![hello(params)],
        "big" => vec![Reply::Ok(json!("x".repeat(26 * 1024 * 1024)))],
        _ => Vec::new(),
    })
    .await;
    let home = home();
    let credentials = with_token("t", Stored::Never);
    let mut connection = client(home.path())
        .connect(&target(&fake.url), &credentials, &reader())
        .await
        .expect("connected");
    let error = connection.call("big", None).await.expect_err("too big");
    assert_eq!(error.kind, Kind::Protocol, "{error}");
}

#[tokio::test]
async fn answers_are_matched_and_a_final_one_is_awaited() {
    let fake = Fake::gateway(|method, params| match method {
        "connect" => vec![hello(params)],
        "agent" => vec![
            Reply::Text(r#"{"type":"res","id":"foreign","ok":true}"#.to_owned()),
            Reply::Text("not json".to_owned()),
            Reply::Text(r#"{"type":"later","x":1}"#.to_owned()),
            Reply::Ok(json!({"status": "accepted", "runId": "r"})),
            Reply::Ok(json!({"status": "ok", "runId": "r"})),
        ],
        "no" => vec![Reply::Refuse(
            json!({"code": "FORBIDDEN", "message": "missing scope: operator.admin"}),
        )],
        "yes" => vec![Reply::Ok(json!(1))],
        _ => Vec::new(),
    })
    .await;
    let home = home();
    let credentials = with_token("t", Stored::Never);
    let mut connection = client(home.path())
        .connect(&target(&fake.url), &credentials, &reader())
        .await
        .expect("connected");
    let first = connection.call("agent", None).await.expect("first");
    assert_eq!(first["status"], "accepted");
    let last = connection.call_final("agent", None).await.expect("last");
    assert_eq!(last["status"], "ok");
    let answers = connection.call_all(&[("no", None), ("yes", None)]).await.expect("all");
    let refusal = answers[0].as_ref().expect_err("refused");
    assert_eq!(refusal.missing_scope(), Some("operator.admin"));
    assert_eq!(answers[1].as_ref().expect("answered"), &json!(1));
}

fn certificate() -> (rustls::ServerConfig, Fingerprint) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("key");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("config");
    (config, Fingerprint::of(cert.der()))
}

#[tokio::test]
async fn i6_only_the_pinned_certificate_hears_a_word() {
    let (config, pin) = certificate();
    let (_, other) = certificate();
    let (fake, home) = (Fake::tls(config, greets).await, home());
    let credentials = with_token("canary", Stored::Never);
    let dial = |pin| Target { pin, ..target(&fake.url) };
    for wrong in [None, Some(other)] {
        let connected = client(home.path()).connect(&dial(wrong), &credentials, &reader()).await;
        let error = connected.map(|_| ()).expect_err("wrong certificate");
        assert_eq!(error.kind, Kind::Tls, "{error}");
        assert!(!error.hints.is_empty());
    }
    assert!(fake.heard().is_empty(), "not even an upgrade was asked for");
    let connected = client(home.path()).connect(&dial(Some(pin)), &credentials, &reader()).await;
    connected.expect("pinned").close().await;
    assert_eq!(fake.connects().len(), 1);
}

#[tokio::test]
async fn nothing_listens_is_said_in_words() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        listener.local_addr().expect("address").port()
    };
    let home = home();
    let url = format!("ws://127.0.0.1:{port}");
    let credentials = with_token("t", Stored::Never);
    let connected = client(home.path()).connect(&target(&url), &credentials, &reader()).await;
    let error = connected.map(|_| ()).expect_err("nobody");
    assert_eq!(error.message, format!("cannot reach `{url}`: nothing listens there"));
    assert!(error.hints[0].contains("openclaw gateway"));
}

#[tokio::test]
async fn i4_a_name_of_this_machine_is_dialled() {
    let (fake, home) = (Fake::gateway(greets).await, home());
    let credentials = with_token("t", Stored::Never);
    let url = format!("ws://localhost:{}", fake.port);
    let connected = client(home.path()).connect(&target(&url), &credentials, &reader()).await;
    let connection = connected.expect("connected");
    assert!(connection.peer().ip().is_loopback());
    connection.close().await;
    assert!(fake.heard()[0].contains(&format!("localhost:{}", fake.port)), "{:?}", fake.heard());
}
