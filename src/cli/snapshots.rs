//! The full output of every command, as people and scripts get it.
//!
//! A fake gateway answers with fixed data; the port and the latency, which differ from run to run, are
//! replaced before the comparison.

use serde_json::{Value, json};

use crate::{
    cli::{
        args::{
            CallArgs, DevicesCommand, DevicesDial, Dial, GatewayStatusArgs, HealthArgs, LogsArgs,
            ProbeArgs, StatusArgs, TokenOf,
        },
        call, devices,
        failure::Exit,
        gateway_status, health, logs, probe, status,
        testing::{Home, NOW_MS},
    },
    client::fake::{Fake, Reply, hello, refuse},
};

const MINUTE: u64 = 60_000;

fn pending() -> Value {
    json!({
        "requestId": "9b6762b1-2027-475e-94ce-258ea792161a", "deviceId": "2c85b6e5a5dbdacd",
        "displayName": "laptop", "platform": "linux", "clientId": "cli", "clientMode": "cli",
        "role": "operator", "roles": ["operator"], "scopes": ["operator.read"],
        "remoteIp": "203.0.113.99", "ts": NOW_MS - 2 * MINUTE,
    })
}

fn paired() -> Value {
    json!({
        "deviceId": "474de4efe911f59b", "operatorLabel": "Kitchen \u{1b}[31mMac", "clientId": "cli",
        "role": "operator", "roles": ["operator"], "scopes": ["operator.read", "operator.write"],
        "lastSeenAtMs": NOW_MS - 60 * MINUTE,
        "tokens": [{"role": "operator", "scopes": ["operator.write"], "createdAtMs": 1},
            {"role": "node", "scopes": [], "createdAtMs": 1, "revokedAtMs": 2}],
    })
}

fn answers(method: &str, params: &Value) -> Vec<Reply> {
    let sessions = json!({"count": 2, "recent": [{"key": "agent:main:main", "updatedAt": NOW_MS - 5 * MINUTE}]});
    let channels = json!({
        "channelOrder": ["telegram", "irc"], "channelLabels": {"telegram": "Telegram"},
        "channels": {"telegram": {"configured": true, "running": true, "probe": {"ok": true}}, "irc": {"configured": false}},
    });
    let answer = match method {
        "connect" => return vec![hello(params)],
        "health" => json!({"ok": true, "durationMs": 5, "heartbeatSeconds": 1800,
            "agents": [{"agentId": "main"}], "sessions": sessions}),
        "status" => json!({"sessions": sessions}),
        "system-presence" => {
            json!([{"host": "vm", "mode": "gateway", "ip": "192.0.2.2", "reason": "self", "ts": NOW_MS}])
        }
        "channels.status" => channels,
        "last-heartbeat" => {
            json!({"ts": NOW_MS - MINUTE, "status": "skipped", "reason": "no-route"})
        }
        "config.get" => {
            json!({"path": "/gw/openclaw.json", "exists": true, "valid": true, "raw": "SECRET"})
        }
        "device.pair.list" => json!({"pending": [pending()], "paired": [paired()]}),
        "device.pair.approve" => json!({"requestId": params["requestId"], "device": pending()}),
        "device.token.rotate" => json!({"deviceId": params["deviceId"], "role": params["role"]}),
        "logs.tail" => {
            json!({"file": "/gw/x.log", "cursor": 10, "size": 10, "truncated": true, "lines": [
                r#"{"0":"{\"subsystem\":\"gateway\"}","1":"started","time":"2026-11-20T09:12:01.821Z","_meta":{"logLevelName":"INFO"}}"#,
                "free text",
            ]})
        }
        _ => {
            let message = format!("unknown method: {method}");
            return vec![Reply::Refuse(json!({"code": "INVALID_REQUEST", "message": message}))];
        }
    };
    vec![Reply::Ok(answer)]
}

struct Stage {
    fake: Fake,
    home: Home,
}

impl Stage {
    async fn new() -> Self {
        Self::with(answers).await
    }

    async fn with(script: impl Fn(&str, &Value) -> Vec<Reply> + Send + Sync + 'static) -> Self {
        Self { fake: Fake::gateway(script).await, home: Home::new(&[("TZ", "UTC")]) }
    }

    fn dial(&self) -> Dial {
        Dial { port: Some(self.fake.port), token: Some("t".to_owned()), ..Dial::default() }
    }

    fn common(&self) -> DevicesDial {
        DevicesDial { dial: self.dial(), json: false }
    }

    /// stdout with what differs from run to run replaced.
    fn out(&self) -> String {
        steady(&self.home.captured.out(), self)
    }

    fn err(&self) -> String {
        steady(&self.home.captured.err(), self)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.home.captured.out()).expect("one JSON document")
    }
}

fn steady(text: &str, stage: &Stage) -> String {
    let state = stage.home.context.paths.home.display().to_string();
    let text = text.replace(&stage.fake.port.to_string(), "PORT").replace(&state, "HOME");
    let lines = text.lines().map(|line| match line.rsplit_once(" in ") {
        Some((head, tail)) if tail.ends_with(" ms") => format!("{head} in N ms"),
        Some(_) | None => line.replace(" ms to connect", ""),
    });
    lines.map(|line| line + "\n").collect()
}

fn status_args(dial: Dial) -> StatusArgs {
    StatusArgs { dial, deep: false, all: false, json: false, verbose: false }
}

#[tokio::test]
async fn status_for_people() {
    let mut stage = Stage::new().await;
    let args = StatusArgs { deep: true, all: true, ..status_args(stage.dial()) };
    status::run(&mut stage.home.context, &args).await.expect("status");
    assert_eq!(
        stage.out(),
        "\
OpenClaw status
Gateway         ws://127.0.0.1:PORT (from --port)
Reachable       yes, in N ms
Version         2026.9.6, protocol 4, up 3 min
Auth            token; operator.read, operator.pairing
Sessions        2 sessions, newest agent:main:main 5 min ago
Channel         Telegram: ok
Channel         irc: not configured
Present         vm, gateway, 192.0.2.2, just now
Health          looked at in N ms
Agents          main
Heartbeat       every 30 min
Last heartbeat  1 min ago: skipped (no-route)
Config          HOME/.openclaw/openclaw.json
State           HOME/.openclaw
Log file        /gw/x.log
Devices         1 device paired, 1 waiting
"
    );
    assert_eq!(stage.err(), "");
}

#[tokio::test]
async fn status_for_scripts() {
    let mut stage = Stage::new().await;
    let args = StatusArgs { json: true, ..status_args(stage.dial()) };
    status::run(&mut stage.home.context, &args).await.expect("status");
    let mut report = stage.json();
    report["gateway"]["latencyMs"] = json!(0);
    let port = stage.fake.port;
    assert_eq!(
        report,
        json!({
            "ok": true,
            "degraded": false,
            "gateway": {
                "url": format!("ws://127.0.0.1:{port}"),
                "source": "--port",
                "reachable": true,
                "latencyMs": 0,
                "server": {"version": "2026.9.6", "protocol": 4, "connId": "conn-1"},
                "auth": {"role": "operator", "scopes": ["operator.read"], "method": "token", "capability": "read_only"},
                "uptimeMs": 180_000,
                "error": null,
            },
            "sockets": [],
            "status": {"sessions": {"count": 2, "recent": [{"key": "agent:main:main", "updatedAt": NOW_MS - 5 * MINUTE}]}},
            "presence": [{"host": "vm", "mode": "gateway", "ip": "192.0.2.2", "reason": "self", "ts": NOW_MS}],
            "channels": {
                "channelOrder": ["telegram", "irc"], "channelLabels": {"telegram": "Telegram"},
                "channels": {"telegram": {"configured": true, "running": true, "probe": {"ok": true}}, "irc": {"configured": false}},
            },
            "refused": [],
        })
    );
    assert_eq!(stage.err(), "");
}

#[tokio::test]
async fn status_names_what_was_refused() {
    let script = |method: &str, params: &Value| match method {
        "system-presence" => vec![Reply::Refuse(json!({
            "code": "FORBIDDEN", "message": "missing scope: operator.read",
            "details": {"code": "MISSING_SCOPE", "missingScope": "operator.read"},
        }))],
        "channels.status" => vec![Reply::Refuse(
            json!({"code": "INVALID_REQUEST", "message": "unknown method: channels.status"}),
        )],
        _ => answers(method, params),
    };
    let mut stage = Stage::with(script).await;
    let args = status_args(stage.dial());
    status::run(&mut stage.home.context, &args).await.expect("status");
    assert!(stage.out().contains("Sessions"), "{}", stage.out());
    assert!(!stage.out().contains("Present"), "{}", stage.out());
    assert_eq!(
        stage.err(),
        "\
warning: `system-presence`: missing scope: operator.read
  hint: this connection lacks `operator.read`: pair this device with that scope, or use the shared token on the gateway host
"
    );
}

#[tokio::test]
async fn health_for_people_and_scripts() {
    let mut stage = Stage::new().await;
    let args = HealthArgs { dial: stage.dial(), verbose: false, json: false };
    health::run(&mut stage.home.context, &args).await.expect("health");
    let out = stage.out();
    let (first, rest) = out.split_once('\n').expect("lines");
    assert!(first.starts_with("Gateway is healthy ("), "{first}");
    assert_eq!(
        rest,
        "\
Health     looked at in N ms
Agents     main
Heartbeat  every 30 min
Sessions   2 sessions, newest agent:main:main 5 min ago
"
    );

    let mut sick = Stage::with(|method, params| match method {
        "health" => vec![Reply::Ok(json!({"ok": false}))],
        _ => answers(method, params),
    })
    .await;
    let args = HealthArgs { dial: sick.dial(), verbose: true, json: true };
    let failure = health::run(&mut sick.home.context, &args).await.expect_err("sick");
    assert_eq!((failure.exit, failure.told), (Exit::User, true));
    assert_eq!(sick.json(), json!({"ok": false}));
    assert!(sick.fake.heard().join("").contains(r#""params":{"probe":true}"#));
}

#[tokio::test]
async fn gateway_status_for_people_and_scripts() {
    let mut stage = Stage::new().await;
    let args = GatewayStatusArgs {
        dial: stage.dial(),
        no_probe: false,
        deep: false,
        require_rpc: true,
        json: false,
    };
    gateway_status::run(&mut stage.home.context, &args).await.expect("status");
    assert_eq!(
        stage.out(),
        "\
Config   HOME/.openclaw/openclaw.json (no file: defaults)
State    HOME/.openclaw
Process  no gateway of this state directory is known to run
Target   ws://127.0.0.1:PORT (from --port)
Probe    ok in N ms
Version  2026.9.6 (protocol 4)
Allowed  read
"
    );

    let mut quiet = Stage::new().await;
    let args = GatewayStatusArgs { no_probe: true, require_rpc: false, json: true, ..args };
    gateway_status::run(&mut quiet.home.context, &args).await.expect("status");
    assert_eq!(quiet.json()["rpc"], Value::Null);
    assert_eq!(quiet.json()["config"]["cli"]["valid"], json!(true));
    assert!(quiet.fake.heard().is_empty());
}

#[tokio::test]
async fn gateway_status_works_with_a_wrong_configuration() {
    let mut stage = Stage::new().await;
    let paths = stage.home.context.paths.clone();
    crate::store::private_file::write(&paths.config, r#"{"gateway":{"prot":5}}"#).expect("write");
    let args = GatewayStatusArgs {
        dial: Dial::default(),
        no_probe: false,
        deep: false,
        require_rpc: false,
        json: true,
    };
    gateway_status::run(&mut stage.home.context, &args).await.expect("status");
    let report = stage.json();
    assert_eq!(report["config"]["cli"]["valid"], json!(false));
    assert_eq!(report["config"]["cli"]["problems"][0]["key"], json!("gateway.prot"));
    assert_eq!(report["rpc"]["error"]["type"], json!("config_error"));
}

#[tokio::test]
async fn require_rpc_fails_when_reading_fails() {
    let mut stage = Stage::with(|method, params| match method {
        "status" => vec![Reply::Refuse(
            json!({"code": "FORBIDDEN", "message": "missing scope: operator.read"}),
        )],
        _ => answers(method, params),
    })
    .await;
    let args = GatewayStatusArgs {
        dial: stage.dial(),
        no_probe: false,
        deep: false,
        require_rpc: true,
        json: true,
    };
    let failure = gateway_status::run(&mut stage.home.context, &args).await.expect_err("no rpc");
    assert_eq!(failure.exit, Exit::User);
    assert_eq!(stage.json()["rpc"]["ok"], json!(false));
    assert_eq!(stage.json()["rpc"]["error"]["type"], json!("gateway_request_error"));
}

#[tokio::test]
async fn probe_for_people_and_scripts() {
    let mut stage = Stage::new().await;
    let args = ProbeArgs { dial: stage.dial(), json: false };
    probe::run(&mut stage.home.context, &args).await.expect("probe");
    assert_eq!(
        stage.out(),
        "\
Reachable: yes

Local ws://127.0.0.1:PORT (from --port)
  Connect  ok in N ms
  Version  2026.9.6 (protocol 4)
  Auth     token
  Allowed  read
  Reading  ok
"
    );
    assert_eq!(stage.fake.calls(), ["health", "status", "system-presence", "config.get"]);

    let mut limited = Stage::with(|method, params| match method {
        "connect" | "health" => answers(method, params),
        _ => vec![Reply::Refuse(
            json!({"code": "FORBIDDEN", "message": "missing scope: operator.read"}),
        )],
    })
    .await;
    let args = ProbeArgs { dial: limited.dial(), json: true };
    probe::run(&mut limited.home.context, &args).await.expect("probe");
    let report = limited.json();
    assert_eq!((&report["ok"], &report["degraded"]), (&json!(true), &json!(true)));
    assert_eq!(report["warnings"][0]["code"], json!("probe_scope_limited"));
    assert_eq!(report["primaryTargetId"], json!("localLoopback"));
    let connect = &report["targets"][0]["connect"];
    assert_eq!((&connect["ok"], &connect["rpcOk"]), (&json!(true), &json!(false)));
    assert_eq!(connect["scopeLimited"], json!(true));
}

#[tokio::test]
async fn a_probe_shows_no_configuration() {
    let mut stage = Stage::new().await;
    let args = ProbeArgs { dial: stage.dial(), json: true };
    probe::run(&mut stage.home.context, &args).await.expect("probe");
    assert!(!stage.out().contains("SECRET"));
    assert_eq!(stage.json()["targets"][0]["config"]["path"], json!("/gw/openclaw.json"));
}

#[tokio::test]
async fn devices_list_for_people() {
    let mut stage = Stage::new().await;
    let list = DevicesCommand::List { common: stage.common() };
    devices::run(&mut stage.home.context, &list).await.expect("list");
    assert_eq!(
        stage.out(),
        "\
Waiting for approval
REQUEST                               DEVICE  ROLE      ASKS FOR       HAS         FROM          SINCE
9b6762b1-2027-475e-94ce-258ea792161a  laptop  operator  operator.read  new device  203.0.113.99  2 min ago
Paired
DEVICE         ID                ROLES     SCOPES                         TOKENS                    LAST SEEN
Kitchen \u{fffd}[31…  474de4efe911f59b  operator  operator.read, operator.write  operator, node (revoked)  1 h ago
"
    );
    assert_eq!(stage.err(), "  hint: approve with `openclaw devices approve REQUEST`\n");
}

#[tokio::test]
async fn approving_asks_for_the_scopes_that_are_handed_out() {
    let mut stage = Stage::new().await;
    let id = "9b6762b1-2027-475e-94ce-258ea792161a";
    let approve = DevicesCommand::Approve {
        request_id: Some(id.to_owned()),
        latest: false,
        common: stage.common(),
    };
    devices::run(&mut stage.home.context, &approve).await.expect("approve");
    assert_eq!(stage.out(), "approved `laptop` (2c85b6e5a5db…) as operator\n");
    assert_eq!(stage.fake.calls(), ["device.pair.list", "device.pair.approve"]);
    let scopes: Vec<Value> =
        stage.fake.connects().iter().map(|params| params["scopes"].clone()).collect();
    let both = json!(["operator.pairing", "operator.read"]);
    assert_eq!(scopes, [json!(["operator.pairing"]), both]);
}

#[tokio::test]
async fn approving_without_an_id_only_shows() {
    let mut stage = Stage::new().await;
    stage.home.context.instance = "--profile work".to_owned();
    let approve =
        DevicesCommand::Approve { request_id: None, latest: true, common: stage.common() };
    let failure = devices::run(&mut stage.home.context, &approve).await.expect_err("preview");
    assert_eq!(failure.exit, Exit::User);
    assert_eq!(stage.fake.calls(), ["device.pair.list"]);
    assert!(stage.err().contains(
        "to approve it run `openclaw --profile work devices approve 9b6762b1-2027-475e-94ce-258ea792161a`"
    ));
}

#[tokio::test]
async fn tokens_of_unknown_devices_need_admin() {
    let rows = [
        ("474de4efe911f59b", "operator", json!(["operator.pairing", "operator.write"])),
        ("474de4efe911f59b", "node", json!(["operator.admin", "operator.pairing"])),
        ("nobody", "operator", json!(["operator.admin", "operator.pairing"])),
    ];
    for (device, role, scopes) in rows {
        let mut stage = Stage::new().await;
        let rotate = DevicesCommand::Rotate {
            of: TokenOf { device: device.to_owned(), role: role.to_owned() },
            scopes: Vec::new(),
            common: stage.common(),
        };
        devices::run(&mut stage.home.context, &rotate).await.expect("rotate");
        assert_eq!(stage.fake.connects()[1]["scopes"], scopes, "{device} {role}");
    }
}

#[tokio::test]
async fn logs_for_people_and_scripts() {
    let mut stage = Stage::new().await;
    let mut args = LogsArgs {
        dial: stage.dial(),
        limit: 5,
        max_bytes: 100,
        follow: false,
        interval: 1000,
        json: false,
        plain: false,
        utc: true,
    };
    logs::run(&mut stage.home.context, &args).await.expect("logs");
    assert_eq!(stage.out(), "2026-11-20 09:12:01.821 info  gateway started\nfree text\n");
    assert_eq!(
        stage.err(),
        "log file: /gw/x.log\nolder lines are left out\n  hint: a larger `--limit` or `--max-bytes` shows more\n"
    );
    let mut stage = Stage::new().await;
    args = LogsArgs { dial: stage.dial(), json: true, ..args };
    logs::run(&mut stage.home.context, &args).await.expect("logs");
    let lines: Vec<Value> =
        stage.out().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0], json!({"type": "meta", "file": "/gw/x.log", "cursor": 10, "size": 10}));
    assert_eq!(lines[1]["message"], json!("started"));
    assert_eq!(lines[2], json!({"type": "log", "message": "free text", "raw": "free text"}));
}

#[tokio::test]
async fn call_prints_the_answer_alone_on_stdout() {
    let mut stage = Stage::new().await;
    let mut args = CallArgs {
        method: "last-heartbeat".to_owned(),
        params: "{}".to_owned(),
        dial: stage.dial(),
        expect_final: false,
        json: true,
    };
    call::run(&mut stage.home.context, &args).await.expect("call");
    assert_eq!(stage.json()["status"], json!("skipped"));
    assert_eq!(stage.err(), "");
    args.params = "[1]".to_owned();
    let failure = call::run(&mut stage.home.context, &args).await.expect_err("params");
    assert_eq!(failure.exit, Exit::User);
}

#[tokio::test]
async fn failures_have_one_shape() {
    let mut stage = Stage::with(|method, _| match method {
        "connect" => refuse(
            "NOT_PAIRED",
            "pairing required: device is not approved yet",
            json!({"code": "PAIRING_REQUIRED", "reason": "not-paired", "requestId": "9b6762b1-2027"}),
        ),
        _ => Vec::new(),
    })
    .await;
    let args = HealthArgs { dial: stage.dial(), verbose: false, json: false };
    let failure = health::run(&mut stage.home.context, &args).await.expect_err("pairing");
    assert_eq!(
        failure.to_json(),
        json!({"ok": false, "error": {
            "type": "gateway_pairing_required",
            "message": "pairing required: device is not approved yet",
            "code": "NOT_PAIRED",
            "retryable": false,
            "reason": "not-paired",
            "requestId": "9b6762b1-2027",
            "detailCode": "PAIRING_REQUIRED",
            "hints": ["on the gateway host run `openclaw devices approve 9b6762b1-2027`, then repeat this command"],
        }})
    );
    stage.home.context.printer.failure(&failure);
    assert_eq!(
        stage.err(),
        "\
error: pairing required: device is not approved yet
  hint: on the gateway host run `openclaw devices approve 9b6762b1-2027`, then repeat this command
"
    );
}

/// `I1`, end to end: secrets of every kind on this machine, and a URL that must hear none of them.
#[tokio::test]
async fn i1_canaries_stay_at_home() {
    let variables =
        [("OPENCLAW_GATEWAY_TOKEN", "canary-env"), ("OPENCLAW_GATEWAY_PASSWORD", "canary-env-2")];
    let fake = Fake::gateway(answers).await;
    let mut home = Home::new(&variables);
    let state = home.context.paths.state.clone();
    let config = r#"{"gateway":{"auth":{"token":"canary-config-0123456789abcdef"},"remote":{"token":"canary-remote"}}}"#;
    crate::store::private_file::write(&home.context.paths.config, config).expect("config");
    crate::store::private_file::write(&state.join("gateway.token"), "canary-made\n")
        .expect("token");
    let dial = Dial { url: Some(fake.url.clone()), ..Dial::default() };
    let args = HealthArgs { dial: dial.clone(), verbose: false, json: false };
    let failure = health::run(&mut home.context, &args).await.expect_err("no credentials");
    assert_eq!(failure.kind, "gateway_credentials_required");
    assert!(fake.heard().is_empty(), "refused before any connection");

    let args = HealthArgs { dial: Dial { token: Some("given".to_owned()), ..dial }, ..args };
    health::run(&mut home.context, &args).await.expect("health");
    let heard = fake.heard().join("\n");
    assert!(heard.contains("given") && !heard.contains("canary"), "{heard}");
}
