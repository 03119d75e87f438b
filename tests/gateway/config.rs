//! `config.*`, `logs.tail` and `system-event` over the wire.

use std::fs;

use serde_json::{Value, json};

use super::{
    client::{Client, Connect, READ},
    rig::{TOKEN, TestGateway, with_token},
};

const COMMENTED: &str = r#"{
  // who we are
  gateway: {
    mode: "local", // this host
    auth: { mode: "token", token: "TOKEN" }, /* shared */
    controlUi: { allowedOrigins: ["https://one.example"] },
  },
  channels: { telegram: { botToken: "12345:a-bot-token-of-somebody" } },
}
"#;

async fn commented() -> TestGateway {
    let mut gateway = TestGateway::prepare(Value::Null, &[]);
    gateway.write_config(&COMMENTED.replace("TOKEN", TOKEN));
    gateway.run().await.expect("the gateway starts");
    gateway
}

async fn hash(admin: &mut Client) -> String {
    admin.ok("config.get", json!({})).await["hash"].as_str().expect("a hash").to_owned()
}

/// Secrets never leave; everything else does, comments too.
#[tokio::test]
async fn a_view_is_redacted() {
    let gateway = commented().await;
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    let view = reader.ok("config.get", json!({})).await;
    let text = view.to_string();
    assert!(!text.contains(TOKEN) && !text.contains("a-bot-token"), "J13: {text}");
    assert_eq!((&view["exists"], &view["valid"]), (&json!(true), &json!(true)));
    assert_eq!(
        view["config"]["gateway"]["controlUi"]["allowedOrigins"],
        json!(["https://one.example"])
    );
    assert_eq!(view["hash"], view["appliedConfigHash"]);
    let raw = view["raw"].as_str().expect("the text");
    assert!(raw.contains("// who we are") && raw.contains("__OPENCLAW_REDACTED__"), "{raw}");
    assert_eq!(view["path"], gateway.config_path().display().to_string());
}

/// A write names the text that it was made against.
#[tokio::test]
async fn a_write_needs_the_base_hash() {
    let gateway = commented().await;
    let mut admin = Connect::admin(4).welcome(&gateway).await;
    let before = fs::read_to_string(gateway.config_path()).expect("the file");
    let raw = json!({ "gateway": { "publicOrigin": "https://gw.example" } }).to_string();
    for method in ["config.patch", "config.set", "config.apply"] {
        let error = admin.fails(method, json!({ "raw": raw })).await;
        assert_eq!(
            error["message"], "config base hash required; re-run config.get and retry",
            "{method}"
        );
        let error = admin.fails(method, json!({ "raw": raw, "baseHash": "sha256:other" })).await;
        assert_eq!(
            error["message"], "config changed since last load; re-run config.get and retry",
            "{method}"
        );
    }
    let base = hash(&mut admin).await;
    gateway.write_config(&format!("{before}\n"));
    let error = admin.fails("config.patch", json!({ "raw": raw, "baseHash": base })).await;
    assert_eq!(
        error["code"], "INVALID_REQUEST",
        "somebody else's edit is not overwritten: {error}"
    );
    assert_eq!(fs::read_to_string(gateway.config_path()).expect("the file"), format!("{before}\n"));
}

/// A merge keeps comments and order; a view that comes back keeps the secrets that it did not see.
#[tokio::test]
async fn a_write_keeps_what_it_does_not_touch() {
    let gateway = commented().await;
    let mut admin = Connect::admin(4).welcome(&gateway).await;
    let base = hash(&mut admin).await;
    let patch = r#"{ gateway: { controlUi: { allowedOrigins: ["https://two.example"] } } }"#;
    let reply = admin.ok("config.patch", json!({ "raw": patch, "baseHash": base })).await;
    assert_eq!(
        (&reply["ok"], &reply["changedPaths"]),
        (&json!(true), &json!(["gateway.controlUi.allowedOrigins"]))
    );
    assert_eq!(reply["restartRequired"], json!([]));
    assert!(!reply.to_string().contains(TOKEN), "J13");
    let file = fs::read_to_string(gateway.config_path()).expect("the file");
    for kept in [
        "// who we are",
        "// this host",
        "/* shared */",
        TOKEN,
        "https://two.example",
        "a-bot-token",
    ] {
        assert!(file.contains(kept), "{kept}: {file}");
    }
    assert!(!file.contains("one.example"));
    let view = admin.ok("config.get", json!({})).await;
    assert_eq!(reply["hash"], view["hash"]);
    let raw = view["raw"].as_str().expect("the text").replace("who we are", "what we are");
    for method in ["config.set", "config.apply"] {
        let base = hash(&mut admin).await;
        admin.ok(method, json!({ "raw": raw, "baseHash": base })).await;
        let file = fs::read_to_string(gateway.config_path()).expect("the file");
        assert!(file.contains("// what we are") && file.contains(TOKEN), "{file}");
        assert!(!file.contains("__OPENCLAW_REDACTED__"), "E3");
    }
    Connect::cli(4).welcome(&gateway).await;
}

/// What would not start is refused as a whole, and nothing is written.
#[tokio::test]
async fn a_write_that_would_not_start_is_refused() {
    let gateway = commented().await;
    let mut admin = Connect::admin(4).welcome(&gateway).await;
    let base = hash(&mut admin).await;
    let before = fs::read_to_string(gateway.config_path()).expect("the file");
    for raw in [
        r#"{"gateway":{"bnd":"lan"}}"#,
        r#"{"gateway":{"mode":null}}"#,
        r#"{"gateway":{"bind":"everywhere"}}"#,
        r#"{"gateway":{"port":"x"}}"#,
        r#"{"gateway":{"bind":"lan","tailscale":{"mode":"serve"}}}"#,
        r#"{"gateway":{"auth":{"token":"change-me"}}}"#,
        r#"{"gateway":{"trustedProxies":["0.0.0.0/0"]}}"#,
        "[]",
        "{",
    ] {
        let error = admin.fails("config.patch", json!({ "raw": raw, "baseHash": base })).await;
        assert_eq!(error["code"], "INVALID_REQUEST", "A24, C12, E3, J6: {raw}: {error}");
    }
    assert_eq!(fs::read_to_string(gateway.config_path()).expect("the file"), before);
    assert_eq!(hash(&mut admin).await, base);
}

/// J10: what needs a restart is written and named, and does not apply.
#[tokio::test]
async fn a_write_names_what_waits() {
    let gateway = commented().await;
    let mut admin = Connect::admin(4).welcome(&gateway).await;
    let base = hash(&mut admin).await;
    let raw = r#"{"gateway":{"controlUi":{"basePath":"/ui"}}}"#;
    let reply = admin.ok("config.patch", json!({ "raw": raw, "baseHash": base })).await;
    assert_eq!(reply["restartRequired"], json!(["gateway.controlUi.basePath"]));
    let base = hash(&mut admin).await;
    let same = admin.ok("config.patch", json!({ "raw": raw, "baseHash": base })).await;
    assert_eq!(same["changedPaths"], json!([]), "nothing differs");
    Connect::cli(4).welcome(&gateway).await;
}

/// 2.3: thirty writes in a minute, then `UNAVAILABLE`, checked before the params.
#[tokio::test]
async fn writes_are_limited() {
    let gateway = TestGateway::start(with_token()).await;
    let mut admin = Connect::admin(4).welcome(&gateway).await;
    for _ in 0..30 {
        let error = admin.fails("config.patch", json!({})).await;
        assert_eq!(
            error["message"],
            "invalid config.patch params: must have required property 'raw'"
        );
    }
    let mut other = Connect::admin(3).welcome(&gateway).await;
    for client in [&mut admin, &mut other] {
        let error = client.fails("config.set", json!({})).await;
        assert_eq!((&error["code"], &error["retryable"]), (&json!("UNAVAILABLE"), &json!(true)));
        assert!(error["retryAfterMs"].as_u64().is_some_and(|wait| wait <= 60_000), "{error}");
        assert_eq!(error["details"], json!({ "method": "config.set", "limit": "30 per 60s" }));
        client.ok("config.get", json!({})).await;
    }
}

#[tokio::test]
async fn the_schema_is_told() {
    let gateway = TestGateway::start(with_token()).await;
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    let schema = reader.ok("config.schema", json!({})).await;
    assert!(
        schema["schema"].is_object()
            && schema["uiHints"].is_object()
            && schema["version"].is_string()
    );
    let found = reader.ok("config.schema.lookup", json!({ "path": "gateway.port" })).await;
    assert_eq!(found["path"], "gateway.port");
    let error = reader.fails("config.schema.lookup", json!({ "path": "gateway.nothing" })).await;
    assert_eq!(error["message"], "config schema path not found");
}

/// 10.1: lines from a cursor on, whole ones only, and a reset when the file is another.
#[tokio::test]
async fn logs_are_followed_by_cursor() {
    let gateway = TestGateway::start(with_token()).await;
    let file = gateway.state().join("logs/openclaw-2026-01-02.log");
    fs::write(gateway.state().join("logs/openclaw-2026-01-01.log"), "old\n").expect("write");
    fs::write(&file, "one\ntwo\nthree\nhalf a li").expect("write");
    let mut reader = Connect::cli(3).scopes(&[READ]).welcome(&gateway).await;
    let all = reader.ok("logs.tail", json!({})).await;
    assert_eq!(all["file"], file.display().to_string(), "the newest");
    assert_eq!((&all["lines"], &all["cursor"]), (&json!(["one", "two", "three"]), &json!(14)));
    assert_eq!(
        (&all["size"], &all["truncated"], &all["reset"]),
        (&json!(23), &json!(false), &json!(false))
    );
    let two = reader.ok("logs.tail", json!({ "limit": 2 })).await;
    assert_eq!((&two["lines"], &two["truncated"]), (&json!(["two", "three"]), &json!(true)));
    let bytes = reader.ok("logs.tail", json!({ "maxBytes": 16 })).await;
    assert_eq!((&bytes["lines"], &bytes["truncated"]), (&json!(["three"]), &json!(true)));
    let none = reader.ok("logs.tail", json!({ "cursor": 14 })).await;
    assert_eq!((&none["lines"], &none["cursor"]), (&json!([]), &json!(14)));
    fs::write(&file, "one\ntwo\nthree\nhalf a line\n").expect("write");
    let more = reader.ok("logs.tail", json!({ "cursor": 14 })).await;
    assert_eq!(more["lines"], json!(["half a line"]));
    fs::write(&file, "new\n").expect("write");
    let reset = reader.ok("logs.tail", json!({ "cursor": 26 })).await;
    assert_eq!((&reset["lines"], &reset["reset"]), (&json!(["new"]), &json!(true)));
    for (params, sentence) in [
        (json!({ "limit": 5001 }), "at /limit: must be <= 5000"),
        (json!({ "maxBytes": 1_000_001 }), "at /maxBytes: must be <= 1000000"),
        (json!({ "cursor": -1 }), "at /cursor: must be integer"),
        (json!({ "path": "/etc/passwd" }), "at root: unexpected property 'path'"),
    ] {
        let message = reader.fails("logs.tail", params).await["message"].clone();
        let text = message.as_str().expect("a message");
        assert!(
            text.starts_with("invalid logs.tail params: ")
                && text.contains(sentence.split(": must be integer").next().expect("a start")),
            "{text}"
        );
    }
}

/// 10.1: a line waits in `status`; a `Node:` line is presence.
#[tokio::test]
async fn system_events_are_kept() {
    let gateway = TestGateway::start(with_token()).await;
    let mut admin = Connect::admin(4).welcome(&gateway).await;
    for text in ["first", "first", "second"] {
        assert_eq!(admin.ok("system-event", json!({ "text": text })).await, json!({ "ok": true }));
    }
    let status = admin.ok("status", json!({})).await;
    assert_eq!(status["queuedSystemEvents"], json!(["first", "second"]), "a repeated line is one");
    let report = json!({ "text": "Node: kitchen", "instanceId": "k", "host": "kitchen", "mode": "node", "lastInputSeconds": 5 });
    admin.ok("system-event", report).await;
    let event = admin.event("presence").await;
    let kitchen = &event["payload"]["presence"][1];
    assert_eq!((&kitchen["host"], &kitchen["lastInputSeconds"]), (&json!("kitchen"), &json!(5)));
    for text in ["", "   ", &"x".repeat(1025)] {
        admin.fails("system-event", json!({ "text": text })).await;
    }
    assert_eq!(admin.ok("last-heartbeat", json!({})).await, Value::Null);
}
