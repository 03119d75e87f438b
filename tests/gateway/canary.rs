//! No secret leaves (I5, J13): the real program, run with secrets that are easy to find, talking at its
//! loudest; then every log line, every frame to others, every error and every file is searched.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    client::{ADMIN, Connect, READ, Stranger},
    device::Device,
    rig::{DEADLINE, files_below},
    wire::{Socket, upgrade_request},
};

const TOKEN: &str = "canary-token-4b1d0c7e9f2a4c6d8e0f1a2b3c4d5e6f";
const BOT: &str = "1234:canary-bot-token-0f1e2d3c4b5a69788796a5b4";
const GUESS: &str = "canary-guess-0123456789abcdef0123456789abcdef";
const URL: &str = "canary-in-the-url-0123456789abcdef";

/// Where a secret of the gateway may stand.
const SECRET_FILES: [&str; 4] =
    ["openclaw.json", "gateway.token", "device-token.key", "gateway.identity"];

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[expect(clippy::disallowed_methods, reason = "the program under test")]
fn start(home: &Path) -> Program {
    let output = |name: &str| Stdio::from(fs::File::create(home.join(name)).expect("a file"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_openclaw"));
    command.args(["gateway", "run", "--port", "0", "--verbose"]).env_clear();
    command.env("HOME", home).env("OPENCLAW_LOG_LEVEL", "trace");
    command.stdin(Stdio::null()).stdout(output("stdout")).stderr(output("stderr"));
    Program(command.spawn().expect("the program runs"))
}

/// The address in the runtime file, once there is one.
async fn listening(home: &Path) -> SocketAddr {
    let started = Instant::now();
    loop {
        let text = fs::read_to_string(home.join(".openclaw/gateway.runtime.json"));
        if let Some(runtime) = text.ok().and_then(|text| serde_json::from_str::<Value>(&text).ok())
        {
            let url = runtime["urls"][0].as_str().expect("a url");
            return url.trim_start_matches("ws://").parse().expect("an address");
        }
        let errors = fs::read_to_string(home.join("stderr")).unwrap_or_default();
        assert!(started.elapsed() < DEADLINE, "it does not start: {errors}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn connect(addr: SocketAddr, connect: &Connect) -> Stranger {
    let mut socket = Socket::open(addr).await;
    socket.upgrade(&addr.to_string(), "").await;
    let mut stranger = Stranger::after_upgrade(socket).await;
    let request = connect.request(&stranger.challenge).to_string();
    stranger.socket.text(&request).await;
    stranger
}

/// Everything that others were sent, as text; and the device token that one was told.
async fn session(addr: SocketAddr) -> (String, String) {
    let mut others = String::new();
    let admin = Connect::cli(4).scopes(&[ADMIN]).token(TOKEN);
    let mut admin = connect(addr, &admin).await.verdict().await.expect("let in");
    let device = Connect::cli(4).scopes(&[READ]).token(TOKEN).device(&Device::new(1));
    let client = connect(addr, &device).await.verdict().await.expect("let in");
    let token = client.device_token();
    let wrong = [
        Connect::cli(4).token(GUESS),
        Connect::cli(4).auth(json!({ "password": GUESS })).device(&Device::new(1)),
        Connect::cli(3).auth(json!({ "deviceToken": GUESS })).device(&Device::new(1)),
        Connect::cli(4).auth(json!({ "token": [GUESS] })),
        Connect::cli(4).auth(json!({ "token": "x", "other": GUESS })),
        Connect::cli(4).set("minProtocol", json!(GUESS)),
        Connect::cli(4).token(&token).device(&Device::new(2)),
    ];
    for connect_as in wrong {
        let refused = connect(addr, &connect_as).await.verdict().await.expect_err("refused");
        others.push_str(&format!("{refused:?}\n"));
    }
    let http = [
        format!("GET /?token={URL} HTTP/1.1\r\nHost: {addr}\r\n\r\n"),
        format!(
            "GET /control-ui-config.json HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {GUESS}\r\n\r\n"
        ),
        format!(
            "GET /control-ui-config.json HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        ),
        upgrade_request(
            &addr.to_string(),
            &format!("Sec-WebSocket-Protocol: {GUESS}\r\nOrigin: https://evil.example\r\n"),
        ),
    ];
    for request in http {
        let mut socket = Socket::open(addr).await;
        socket.send(request).await;
        others.push_str(&format!("{:?}\n", socket.reply("GET").await));
    }
    let bad =
        json!({ "raw": format!("{{ gateway: {{ auth: {{ token: '{GUESS}' }}, bnd: 1 }} }}") });
    for (method, params) in [
        ("config.get", json!({})),
        ("config.schema", json!({})),
        ("device.pair.list", json!({})),
        ("status", json!({})),
        ("system-presence", json!({})),
        ("config.patch", bad),
        ("config.patch", json!({ "raw": { "token": GUESS } })),
        ("logs.tail", json!({ "limit": 5000 })),
        ("device.token.rotate", json!({ "deviceId": Device::new(1).id, "role": "operator" })),
    ] {
        others.push_str(&format!("{:?}\n", admin.call(method, params).await));
    }
    others.push_str(&format!("{:?}\n", admin.kept()));
    (others, token)
}

#[tokio::test]
async fn no_secret_leaves() {
    let home = tempfile::tempdir().expect("home");
    let state = home.path().join(".openclaw");
    fs::create_dir(&state).expect("state");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("mode");
    let config = json!({
        "gateway": { "mode": "local", "auth": { "mode": "token", "token": TOKEN } },
        "channels": { "telegram": { "botToken": BOT } },
    });
    let path = state.join("openclaw.json");
    fs::write(&path, config.to_string()).expect("write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
    let mut program = start(home.path());
    let addr = listening(home.path()).await;
    let (others, device_token) = session(addr).await;
    let pid = rustix::process::Pid::from_raw(program.0.id().cast_signed()).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
    let ended = tokio::task::spawn_blocking(move || program.0.wait());
    assert!(ended.await.expect("waited").expect("an exit code").success());

    let canaries = [TOKEN, BOT, GUESS, URL, device_token.as_str()];
    for canary in canaries {
        assert!(!others.contains(canary), "{canary} was sent: {others}");
    }
    let mut logs = 0;
    for path in files_below(home.path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = fs::read(&path).expect("read");
        logs += usize::from(
            path.parent().is_some_and(|parent| parent.ends_with("logs")) && !bytes.is_empty(),
        );
        if SECRET_FILES.contains(&name.as_str()) {
            let mode = fs::metadata(&path).expect("metadata").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        for canary in canaries {
            assert!(!text.contains(canary), "{canary} stands in {}", path.display());
        }
    }
    assert!(logs > 0, "there is a log to search");
}
