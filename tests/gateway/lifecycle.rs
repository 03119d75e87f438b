//! Start, stop and start again: what is kept, who may own a state directory, how clients are told; and what
//! changes while it runs (J10, E18, J11).

use std::net::{IpAddr, SocketAddr};

use openclaw::gateway::{start, stop};
use serde_json::{Value, json};

use super::{
    client::{ADMIN, Client, Connect, PAIRING, PROTOCOLS, READ, Stranger, policy},
    device::Device,
    pairing::{asking, paired, strict},
    rig::{TOKEN, TestGateway, logged, merged, with_password, with_token},
    wire::{Frame, Socket, exchange, upgrade_request},
};

/// Devices, tokens, requests and the configuration survive; what was ended stays ended.
#[tokio::test]
async fn a_restart_keeps_what_was_agreed() {
    let mut gateway = strict().await;
    let mut operator = Connect::admin(4).welcome(&gateway).await;
    let connect = |seed| Connect::cli(4).scopes(&[READ]).device(&Device::new(seed));
    let kept = paired(&gateway, &mut operator, &connect(1)).await.device_token();
    let rotated = paired(&gateway, &mut operator, &connect(2)).await.device_token();
    let removed = paired(&gateway, &mut operator, &connect(3)).await.device_token();
    let rotate = json!({ "deviceId": Device::new(2).id, "role": "operator" });
    operator.ok("device.token.rotate", rotate).await;
    operator
        .ok("device.pair.rename", json!({ "deviceId": Device::new(1).id, "label": "Kept" }))
        .await;
    operator.ok("device.pair.remove", json!({ "deviceId": Device::new(3).id })).await;
    let waiting = connect(4).refused(&gateway).await;
    let identity = operator.ok("gateway.identity.get", json!({})).await;
    let before = operator.ok("device.pair.list", json!({})).await;
    gateway.restart().await;
    let mut operator = Connect::admin(4).welcome(&gateway).await;
    let after = operator.ok("device.pair.list", json!({})).await;
    assert_eq!(after["pending"], before["pending"]);
    let names = |list: &Value| {
        list["paired"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|row| row["displayName"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&after), names(&before));
    assert_eq!(operator.ok("gateway.identity.get", json!({})).await, identity);
    let by_token = |seed, token: &str| connect(seed).auth(json!({ "deviceToken": token }));
    assert_eq!(by_token(1, &kept).welcome(&gateway).await.device_token(), kept);
    for (seed, dead) in [(2, &rotated), (3, &removed)] {
        let refused = by_token(seed, dead).refused(&gateway).await;
        assert_eq!(refused.detail(), "AUTH_DEVICE_TOKEN_MISMATCH", "device {seed}");
    }
    let again = connect(4).refused(&gateway).await;
    assert_eq!(again.request_id(), waiting.request_id(), "the same question, the same id");
    operator.ok("device.pair.approve", json!({ "requestId": waiting.request_id() })).await;
    connect(4).welcome(&gateway).await;
}

/// E8: without a configuration a token is made once, kept private, and told on the first start only.
#[tokio::test]
async fn the_generated_token_is_made_once() {
    let mut gateway = TestGateway::start(Value::Null).await;
    let greeting = &gateway.running().greeting;
    let token = greeting.new_token.as_ref().expect("made").expose().to_owned();
    let file =
        std::fs::read_to_string(greeting.token_file.as_ref().expect("a file")).expect("read");
    assert_eq!((file.trim(), token.len()), (token.as_str(), 43));
    assert!(!format!("{greeting:?}").contains(&token), "J13");
    assert!(!json!(greeting).to_string().contains(&token), "J13");
    Connect::admin(4).token(&token).welcome(&gateway).await;
    gateway.restart().await;
    assert!(gateway.running().greeting.new_token.is_none());
    Connect::admin(4).token(&token).welcome(&gateway).await;
}

/// J17: one gateway per state directory; the other one is named.
#[tokio::test]
async fn a_second_gateway_is_refused() {
    let mut gateway = TestGateway::start(with_token()).await;
    let refused = Box::pin(start::start(gateway.options())).await.expect_err("locked");
    assert_eq!(refused.exit_code(), 78);
    assert!(refused.to_string().contains(&format!("pid {}", std::process::id())), "{refused}");
    Connect::cli(4).welcome(&gateway).await;
    gateway.stop().await;
    gateway.run().await.expect("free again");
}

/// 9, 9.1, K14: the event, then 1012; strangers too; the port is free after it.
#[tokio::test]
async fn a_shutdown_says_goodbye() {
    let mut gateway = TestGateway::start(with_token()).await;
    let addr = gateway.addr();
    let mut clients = Vec::new();
    for protocol in PROTOCOLS {
        clients.push(Connect::cli(protocol).scopes(&[READ]).welcome(&gateway).await);
    }
    let mut stranger = Stranger::open(&gateway, "").await;
    let running = gateway.take();
    let goodbye = async {
        for client in &mut clients {
            let event = client.event("shutdown").await;
            assert_eq!(
                event["payload"],
                json!({ "reason": "gateway stopping", "restartExpectedMs": null })
            );
            let close = client.closed().await;
            assert_eq!(close, Frame::Close(1012, "service restart".to_owned()));
            client
                .socket
                .send(super::wire::frame(super::wire::FIN | super::wire::CLOSE, &[0x03, 0xf4]))
                .await;
        }
        stranger.socket.closed().await
    };
    let ((), (_, close)) = tokio::join!(stop::shutdown(running), goodbye);
    assert_eq!(
        close,
        Frame::Close(1012, "service restart".to_owned()),
        "whoever has said nothing yet"
    );
    tokio::net::TcpListener::bind(addr).await.expect("the port is free");
    assert!(!gateway.state().join("gateway.runtime.json").exists());
}

/// Reads the file again and waits until it is in force.
async fn reload(gateway: &TestGateway, reader: &mut Client) {
    gateway.running().upkeep.reload().await;
    reader.event("config.changed").await;
}

/// A page of an origin that was allowed while running comes in, and goes out again.
#[tokio::test]
async fn allowed_origins_apply_at_once() {
    let gateway = TestGateway::start(with_token()).await;
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    let page = upgrade_request(&gateway.host(), "Origin: https://panel.example\r\n");
    assert_eq!(exchange(&gateway, &page).await.status, 403);
    let listed =
        json!({ "gateway": { "controlUi": { "allowedOrigins": ["https://panel.example"] } } });
    gateway.write_config(&merged(with_token(), &listed).to_string());
    reload(&gateway, &mut reader).await;
    assert_eq!(exchange(&gateway, &page).await.status, 101);
    gateway.write_config(&with_token().to_string());
    reload(&gateway, &mut reader).await;
    assert_eq!(exchange(&gateway, &page).await.status, 403);
    reader.ok("status", json!({})).await;
}

/// J10: where it listens, how it asks, whom it believes: not while it runs.
#[tokio::test]
async fn nothing_widens_while_it_runs() {
    let gateway = TestGateway::start(with_token()).await;
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    let wider = json!({ "gateway": {
        "bind": "lan", "trustedProxies": ["127.0.0.1/32"], "port": 18_790,
        "auth": { "mode": "password", "password": "pw-0123456789abcdefghijklmnopqrstuvwxyz-new" },
    } });
    gateway.write_config(&merged(with_token(), &wider).to_string());
    reload(&gateway, &mut reader).await;
    let interfaces = if_addrs::get_if_addrs().expect("interfaces");
    let outside = interfaces.iter().map(if_addrs::Interface::ip);
    for ip in outside.filter(|ip| matches!(ip, IpAddr::V4(ip) if !ip.is_loopback())) {
        let other = SocketAddr::new(ip, gateway.addr().port());
        assert!(tokio::net::TcpStream::connect(other).await.is_err(), "{other} listens");
    }
    Connect::cli(4).welcome(&gateway).await;
    let refused = Connect::cli(4)
        .token("pw-0123456789abcdefghijklmnopqrstuvwxyz-new")
        .refused(&gateway)
        .await;
    assert_eq!(refused.detail(), "AUTH_TOKEN_MISMATCH");
    let waits =
        |line: &String| line.contains("apply after a restart") && line.contains("gateway.bind");
    assert!(logged().iter().any(waits), "it is said");
}

/// A proxy that was added while running is believed only after a restart.
#[tokio::test]
async fn a_new_proxy_is_not_believed_while_running() {
    let gateway = TestGateway::start(with_token()).await;
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    let proxied = upgrade_request(&gateway.host(), "X-Forwarded-For: 203.0.113.9\r\n");
    assert_eq!(exchange(&gateway, &proxied).await.status, 403);
    let wider = json!({ "gateway": { "trustedProxies": ["127.0.0.1/32"] } });
    gateway.write_config(&merged(with_token(), &wider).to_string());
    reload(&gateway, &mut reader).await;
    assert_eq!(exchange(&gateway, &proxied).await.status, 403, "J10");
    let more = json!({ "gateway": { "allowRealIpFallback": true } });
    gateway.write_config(&merged(merged(with_token(), &wider), &more).to_string());
    reload(&gateway, &mut reader).await;
    assert_eq!(
        exchange(&gateway, &proxied).await.status,
        403,
        "J10: another edit does not let it in"
    );
}

/// Silent pairing that was switched on while running waits for a restart; switched off, it applies.
#[tokio::test]
async fn silent_pairing_is_not_switched_on_while_running() {
    let gateway = strict().await;
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    gateway.write_config(&with_token().to_string());
    reload(&gateway, &mut reader).await;
    let device = Connect::cli(4).scopes(&[READ]).device(&Device::new(1));
    assert_eq!(device.refused(&gateway).await.detail(), "PAIRING_REQUIRED", "J10");
    let gateway = TestGateway::start(with_token()).await;
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    gateway.write_config(&merged(with_token(), &asking()).to_string());
    reload(&gateway, &mut reader).await;
    assert_eq!(device.refused(&gateway).await.detail(), "PAIRING_REQUIRED");
}

/// Networks of fresh nodes: believed from the start, or after a restart.
#[tokio::test]
async fn networks_of_nodes_are_not_added_while_running() {
    let trusted = json!({ "gateway": { "nodes": { "pairing": {
        "autoApproveLocal": false, "autoApproveCidrs": ["127.0.0.0/8"],
    } } } });
    let node = |seed| Connect::node(4).device(&Device::new(seed));
    let mut gateway = strict().await;
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    gateway.write_config(&merged(with_token(), &trusted).to_string());
    reload(&gateway, &mut reader).await;
    assert_eq!(node(1).refused(&gateway).await.detail(), "PAIRING_REQUIRED", "J10");
    gateway.restart().await;
    node(1).welcome(&gateway).await;
    let operator = Connect::cli(4).scopes(&[READ]).device(&Device::new(2));
    assert_eq!(operator.refused(&gateway).await.detail(), "PAIRING_REQUIRED", "nodes only");
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    gateway.write_config(&merged(with_token(), &asking()).to_string());
    reload(&gateway, &mut reader).await;
    assert_eq!(node(3).refused(&gateway).await.detail(), "PAIRING_REQUIRED", "taken back at once");
}

/// E18: the new token is in force at once, and those who came by the old one are closed.
#[tokio::test]
async fn a_rotated_token_closes_what_it_let_in() {
    let gateway = TestGateway::start(with_token()).await;
    let device = Connect::cli(4).scopes(&[READ]).device(&Device::new(1));
    let mut old = device.welcome(&gateway).await;
    let token = old.device_token();
    let mut bare = Connect::cli(3).scopes(&[ADMIN]).welcome(&gateway).await;
    let new = "tok-0123456789abcdefghijklmnopqrstuvwxyz-new";
    let config = json!({ "gateway": { "auth": { "token": new } } });
    gateway.write_config(&merged(with_token(), &config).to_string());
    gateway.running().upkeep.reload().await;
    assert_eq!(old.closed().await, policy("credential_rotated"));
    assert_eq!(bare.closed().await, policy("credential_rotated"));
    assert_eq!(
        Connect::cli(4).token(TOKEN).refused(&gateway).await.detail(),
        "AUTH_TOKEN_MISMATCH"
    );
    Connect::cli(4).token(new).welcome(&gateway).await;
    let by_device = device.auth(json!({ "deviceToken": token }));
    let mut by_device = by_device.welcome(&gateway).await;
    gateway.write_config(&with_token().to_string());
    let mut reader = Connect::cli(4).scopes(&[READ]).token(new).welcome(&gateway).await;
    gateway.running().upkeep.reload().await;
    assert_eq!(reader.closed().await, policy("credential_rotated"));
    by_device.ok("health", json!({})).await;
}

/// E18, E19: a token behind a file is watched; a file that is gone lets nobody in.
#[tokio::test]
async fn a_token_file_is_watched() {
    let mut gateway = TestGateway::prepare(Value::Null, &[]);
    let path = gateway.state().join("shared.token");
    let write = |text: &str| openclaw_private(&path, text);
    write("tok-first-0123456789abcdefghijklmnopqrstuvwxyz");
    let config = json!({
        "gateway": { "mode": "local", "auth": { "mode": "token",
            "token": { "source": "file", "provider": "f", "id": "value" } } },
        "secrets": { "providers": { "f": { "source": "file", "path": path, "mode": "singleValue" } } },
    });
    gateway.write_config(&config.to_string());
    gateway.run().await.expect("the gateway starts");
    let mut old = Connect::cli(4)
        .token("tok-first-0123456789abcdefghijklmnopqrstuvwxyz")
        .welcome(&gateway)
        .await;
    write("tok-second-0123456789abcdefghijklmnopqrstuvwxyz");
    assert_eq!(old.closed().await, policy("credential_rotated"), "E18");
    let second = Connect::cli(4).token("tok-second-0123456789abcdefghijklmnopqrstuvwxyz");
    let mut new = second.welcome(&gateway).await;
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(new.closed().await, policy("credential_rotated"), "E19");
    assert_eq!(second.refused(&gateway).await.detail(), "AUTH_TOKEN_MISMATCH", "E19: fail closed");
}

fn openclaw_private(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text).expect("write");
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600)).expect("mode");
    std::fs::rename(&draft, path).expect("rename");
}

/// A file that cannot be read, or must not be, changes nothing; `config.get` says what is wrong with it.
#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let gateway = TestGateway::start(with_token()).await;
    let mut admin = Connect::cli(4).scopes(&[ADMIN, PAIRING]).welcome(&gateway).await;
    let twice = r#"{"gateway":{"mode":"local","bind":"loopback","bind":"lan"}}"#;
    for broken in ["{ broken", r#"{"gateway":{"auth":{"tokn":"x"}}}"#, twice, ""] {
        gateway.write_config(broken);
        gateway.running().upkeep.reload().await;
        let view = admin.ok("config.get", json!({})).await;
        if !broken.is_empty() {
            assert_eq!(view["valid"], false, "{broken}: {view}");
            assert!(view["issues"][0]["message"].is_string(), "{view}");
        }
        Connect::cli(4).welcome(&gateway).await;
        assert_eq!(
            Connect::cli(4).token("x").refused(&gateway).await.detail(),
            "AUTH_TOKEN_MISMATCH"
        );
        if broken.contains("tokn") {
            assert!(view["issues"][0].to_string().contains("token"), "J6: the nearest key: {view}");
        }
    }
    gateway.write_config(&with_token().to_string());
    gateway.running().upkeep.reload().await;
    assert_eq!(admin.ok("config.get", json!({})).await["valid"], true);
}

/// The file is watched: nobody has to say that it changed.
#[tokio::test]
async fn the_file_is_watched() {
    let config = json!({ "gateway": { "reload": { "debounceMs": 0 } } });
    let gateway = TestGateway::start(merged(with_password(), &config)).await;
    let password = json!({ "password": super::rig::PASSWORD });
    let mut reader = Connect::cli(4).scopes(&[READ]).auth(password).welcome(&gateway).await;
    let listed =
        json!({ "gateway": { "controlUi": { "allowedOrigins": ["https://panel.example"] } } });
    gateway.write_config(&merged(merged(with_password(), &config), &listed).to_string());
    let event = reader.event("config.changed").await;
    assert!(event["payload"]["hash"].is_string() && event["payload"]["ts"].is_u64(), "{event}");
    let page = upgrade_request(&gateway.host(), "Origin: https://panel.example\r\n");
    let mut socket = Socket::open(gateway.addr()).await;
    socket.send(page).await;
    assert_eq!(socket.reply("GET").await.status, 101);
}
