//! Whole configurations, good and bad; each row names its row of the attack table.

use std::path::{Path, PathBuf};

use super::*;
use crate::config::gateway::{AuthMode, BindMode, Mode, TailscaleMode};
use crate::config::layers::Source;
use crate::config::secret::SecretValue;

const STRONG: &str = "kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a";

fn paths() -> Paths {
    Paths {
        home: PathBuf::from("/home/op"),
        state: PathBuf::from("/home/op/.openclaw"),
        config: PathBuf::from("/home/op/.openclaw/openclaw.json"),
        profile: None,
    }
}

fn from(text: &str, env: &Env, flags: &Flags, purpose: Purpose) -> Result<Loaded, Problems> {
    let paths = paths();
    let document = Document::parse(&paths.config, text)?;
    assemble(&Request { paths: &paths, env, flags }, Some(document), purpose)
}

fn start(text: &str) -> Result<Loaded, Problems> {
    from(text, &Env::default(), &Flags::default(), Purpose::Start)
}

#[test]
fn defaults_are_the_same_in_the_table_and_in_the_types() {
    let loaded = start("{}").unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn no_file_is_local_loopback() {
    let paths = paths();
    let (env, flags) = (Env::default(), Flags::default());
    let loaded =
        assemble(&Request { paths: &paths, env: &env, flags: &flags }, None, Purpose::Start);
    let loaded = loaded.unwrap();
    assert_eq!(loaded.config.gateway.bind, BindMode::Loopback);
    assert_eq!(loaded.config.gateway.mode, Mode::Local);
    assert!(!loaded.config.gateway.bind_written);
    assert!(loaded.document.is_none());
}

#[test]
fn the_later_layer_wins_and_provenance_says_so() {
    let text = "{\n  gateway: { port: 1111,\n    bind: 'lan', auth: { token: 'a-file-token-of-thirty-two-bytes' } },\n}";
    let env = Env::of([("OPENCLAW_GATEWAY_PORT", "2222"), ("OPENCLAW_GATEWAY_TOKEN", STRONG)]);
    let flags = Flags { port: Some(3333), ..Flags::default() };

    let file = start(text).unwrap();
    assert_eq!(file.config.gateway.port, 1111);
    let place = file.sources.place("gateway.port").unwrap();
    assert_eq!((place.line, place.column), (2, 20));
    assert!(file.config.gateway.bind_written);

    let with_env = from(text, &env, &Flags::default(), Purpose::Start).unwrap();
    assert_eq!(with_env.config.gateway.port, 2222);
    assert_eq!(with_env.sources.of("gateway.port"), &Source::Environment("OPENCLAW_GATEWAY_PORT"));
    assert_eq!(with_env.config.gateway.auth.token.as_ref().unwrap().plain(), Some(STRONG));

    let with_flags = from(text, &env, &flags, Purpose::Start).unwrap();
    assert_eq!(with_flags.config.gateway.port, 3333);
    assert_eq!(with_flags.sources.of("gateway.port"), &Source::Flag("--port"));
    assert_eq!(with_flags.sources.of("gateway.tls.enabled"), &Source::Default);
}

#[test]
fn former_names_work_with_one_warning_each() {
    let env = Env::of([("CLAWDBOT_GATEWAY_PORT", "2222"), ("CLAWDBOT_GATEWAY_TOKEN", STRONG)]);
    let loaded = from("{}", &env, &Flags::default(), Purpose::Start).unwrap();
    assert_eq!(loaded.config.gateway.port, 2222);
    assert_eq!(loaded.sources.of("gateway.port"), &Source::Environment("CLAWDBOT_GATEWAY_PORT"));
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].hint.contains("OPENCLAW_GATEWAY_PORT"));
}

#[test]
fn dev_has_its_own_port_below_the_file() {
    let mut paths = paths();
    paths.profile = Some("dev".to_owned());
    let (env, flags) = (Env::default(), Flags::default());
    let request = Request { paths: &paths, env: &env, flags: &flags };
    let loaded = assemble(&request, None, Purpose::Start).unwrap();
    assert_eq!(loaded.config.gateway.port, 19001);
    let document = Document::parse(&paths.config, "{gateway:{port:7}}").unwrap();
    assert_eq!(assemble(&request, Some(document), Purpose::Start).unwrap().config.gateway.port, 7);
}

#[test]
fn everything_is_read() {
    let text = r#"{
      gateway: {
        mode: "local", port: 0x4965, bind: "custom", customBindHost: "::ffff:192.168.1.10",
        publicOrigin: "HTTPS://Gw.Example.com:443/",
        auth: { mode: "trusted-proxy", password: "kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a", allowTailscale: false,
          identityScopes: { "a@b.c": ["operator.admin"] },
          rateLimit: { maxAttempts: 3, windowMs: 2000, lockoutMs: 3000, exemptLoopback: false },
          trustedProxy: { userHeader: "X-Forwarded-User", requiredHeaders: ["X-A"], allowUsers: ["u"],
            allowLoopback: true, proxyUids: [33] } },
        trustedProxies: ["10.0.0.1", "10.1.2.3/28", "::ffff:10.2.0.0/120"],
        allowRealIpFallback: true,
        controlUi: { enabled: false, basePath: "/ui/", root: "~/ui", allowedOrigins: ["https://A.b:443", "http://c:8080"] },
        tls: { enabled: true, autoGenerate: false, certPath: "/c", keyPath: "/k", caPath: "/ca" },
        remote: { url: "wss://h:1", transport: "direct", token: { source: "env", id: "REMOTE_TOKEN" },
          tlsFingerprint: "SHA256:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
          sshTarget: "u@h", sshIdentity: "~/.ssh/id", remotePort: 18789, sshHostKeyPolicy: "openssh" },
        nodes: { pairing: { autoApproveLocal: false, autoApproveCidrs: ["fd00::/64"] }, commands: { allow: ["x"], deny: ["y"] } },
        reload: { mode: "hot", debounceMs: 10 },
        http: { securityHeaders: { strictTransportSecurity: "max-age=1" } },
        handshakeTimeoutMs: 5000, terminal: { enabled: false },
      },
      logging: { level: "debug", consoleStyle: "json", file: "/l", maxFileBytes: 100000 },
      models: { providers: { x: { apiKey: "$MODEL_KEY" } } },
    }"#;
    let loaded = start(text).unwrap();
    let gateway = &loaded.config.gateway;
    assert_eq!(gateway.port, 18789);
    assert_eq!(gateway.custom_address(), Some("192.168.1.10".parse().unwrap()));
    assert_eq!(gateway.public_origin.as_deref(), Some("https://gw.example.com"));
    assert_eq!(gateway.auth.mode, Some(AuthMode::TrustedProxy));
    assert_eq!(gateway.auth.rate_limit.lockout, std::time::Duration::from_secs(3));
    assert_eq!(gateway.auth.trusted_proxy.as_ref().unwrap().user_header, "x-forwarded-user");
    assert_eq!(gateway.auth.trusted_proxy.as_ref().unwrap().proxy_uids, [33]);
    let nets: Vec<String> = gateway.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(nets, ["10.0.0.1/32", "10.1.2.0/28", "10.2.0.0/24"]);
    assert_eq!(gateway.control_ui.base_path, "/ui");
    assert_eq!(gateway.control_ui.allowed_origins, ["https://a.b", "http://c:8080"]);
    assert_eq!(gateway.remote.tls_fingerprint.as_ref().unwrap().len(), 64);
    assert_eq!(gateway.remote.token.as_ref().unwrap().reference().unwrap().id, "REMOTE_TOKEN");
    assert_eq!(
        gateway.http.security_headers.strict_transport_security.as_deref(),
        Some("max-age=1")
    );
    assert_eq!(loaded.config.logging.level, crate::config::gateway::Level::Debug);
    let key = &loaded.config.section("models").unwrap()["providers"]["x"]["apiKey"];
    assert_eq!(key, &json!({ "source": "env", "id": "MODEL_KEY" }));
    assert_eq!(loaded.unread, ["gateway.terminal", "models"]);
    assert_eq!(loaded.paths.absolute(Path::new("~/ui")), Path::new("/home/op/ui"));
}

/// One configuration, the key that must be named, and a part of what must be said.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("J6", "{gateway:{auth:{tokn:'x'}}}", "gateway.auth.tokn", "auth.token"),
    (
        "J6",
        "{gateway:{controlUi:{allowedOrigin:[]}}}",
        "gateway.controlUi.allowedOrigin",
        "allowedOrigins",
    ),
    ("J8", "{gateway:{b\u{0456}nd:'lan'}}", "gateway.b\u{0456}nd", "looks like"),
    ("A7", "{gateway:{bind:'custom'}}", "gateway.customBindHost", ""),
    ("A7", "{gateway:{bind:'custom',customBindHost:''}}", "gateway.customBindHost", "empty"),
    ("A7", "{gateway:{bind:'custom',customBindHost:'10.0.0.300'}}", "gateway.customBindHost", ""),
    ("A9", "{gateway:{bind:'custom',customBindHost:'127.1'}}", "gateway.customBindHost", ""),
    ("A9", "{gateway:{bind:'custom',customBindHost:'0'}}", "gateway.customBindHost", ""),
    ("A9", "{gateway:{bind:'custom',customBindHost:'0x7f.0.0.1'}}", "gateway.customBindHost", ""),
    ("A9", "{gateway:{bind:'custom',customBindHost:'0177.0.0.1'}}", "gateway.customBindHost", ""),
    ("A9", "{gateway:{bind:'custom',customBindHost:'2130706433'}}", "gateway.customBindHost", ""),
    ("A9", "{gateway:{bind:'custom',customBindHost:'127.0.0.01'}}", "gateway.customBindHost", ""),
    ("A10", "{gateway:{bind:'custom',customBindHost:'localhost'}}", "gateway.customBindHost", ""),
    (
        "A11",
        "{gateway:{bind:'custom',customBindHost:'::ffff:0.0.0.0'}}",
        "gateway.customBindHost",
        "",
    ),
    ("A13", "{gateway:{bind:'custom',customBindHost:'fe80::1'}}", "gateway.customBindHost", ""),
    (
        "A24",
        "{gateway:{bind:'lan',tailscale:{mode:'serve'},auth:{token:'kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a'}}}",
        "gateway.tailscale.mode",
        "loopback",
    ),
    ("A25", "{gateway:{bind:'lan',auth:{mode:'none'}}}", "gateway.auth.mode", "lan"),
    (
        "A25",
        "{gateway:{tailscale:{mode:'serve'},auth:{mode:'none'}}}",
        "gateway.auth.mode",
        "serve",
    ),
    (
        "A25",
        "{gateway:{trustedProxies:['10.0.0.1'],auth:{mode:'none'}}}",
        "gateway.auth.mode",
        "trustedProxies",
    ),
    (
        "A26",
        "{gateway:{tailscale:{mode:'funnel'},auth:{token:'kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a'}}}",
        "gateway.tailscale.mode",
        "password",
    ),
    (
        "A26",
        "{gateway:{tailscale:{mode:'funnel'},auth:{password:'short-pass'}}}",
        "gateway.auth.password",
        "16",
    ),
    ("E1", "{gateway:{auth:{token:''}}}", "gateway.auth.token", "empty"),
    ("E1", "{gateway:{auth:{token:'   '}}}", "gateway.auth.token", "empty"),
    ("E1", "{gateway:{auth:{token:'\\n'}}}", "gateway.auth.token", "empty"),
    ("E2", "{gateway:{auth:{token:'undefined'}}}", "gateway.auth.token", "missing value"),
    ("E2", "{gateway:{auth:{token:'[object Object]'}}}", "gateway.auth.token", ""),
    ("E2", "{gateway:{auth:{token:null}}}", "gateway.auth.token", "`null`"),
    ("E3", "{gateway:{auth:{token:'change-me-please'}}}", "gateway.auth.token", "placeholder"),
    ("E3", "{gateway:{auth:{token:'***'}}}", "gateway.auth.token", "placeholder"),
    ("E3", "{gateway:{auth:{token:'__OPENCLAW_REDACTED__'}}}", "gateway.auth.token", ""),
    (
        "J9",
        "{gateway:{auth:{token:'${OPENCLAW_NOT_SET}'}}}",
        "gateway.auth.token",
        "OPENCLAW_NOT_SET",
    ),
    ("E4", "{gateway:{bind:'lan',auth:{token:'short'}}}", "gateway.auth.token", "16"),
    (
        "E5",
        "{gateway:{bind:'lan',auth:{token:'aaaaaaaaaaaaaaaaaaaaaaaaaaaa'}}}",
        "gateway.auth.token",
        "pattern",
    ),
    (
        "E7",
        "{gateway:{auth:{token:'kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a',password:'zq8ZtV2mX0cR7yB4nW6sL1dF'}}}",
        "gateway.auth.mode",
        "no mode",
    ),
    ("E8", "{gateway:{bind:'lan'}}", "gateway.bind", "no token"),
    ("E8", "{gateway:{bind:'tailnet',auth:{mode:'password'}}}", "gateway.auth.mode", "no password"),
    ("E12", "{gateway:{auth:{token:123}}}", "gateway.auth.token", "this number"),
    ("E12", "{gateway:{auth:{token:{'$ne':''}}}}", "gateway.auth.token", "reference"),
    (
        "E23",
        "{gateway:{auth:{mode:'trusted-proxy',token:'kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a',trustedProxy:{userHeader:'x'}},trustedProxies:['10.0.0.1']}}",
        "gateway.auth.token",
        "around the proxy",
    ),
    (
        "C",
        "{gateway:{auth:{mode:'trusted-proxy'},trustedProxies:['10.0.0.1']}}",
        "gateway.auth.trustedProxy.userHeader",
        "",
    ),
    (
        "C",
        "{gateway:{auth:{mode:'trusted-proxy',trustedProxy:{userHeader:'x'}}}}",
        "gateway.trustedProxies",
        "",
    ),
    ("C12", "{gateway:{trustedProxies:['0.0.0.0/0']}}", "gateway.trustedProxies.0", "everybody"),
    ("C12", "{gateway:{trustedProxies:['::/0']}}", "gateway.trustedProxies.0", "everybody"),
    (
        "C14",
        "{gateway:{trustedProxies:['10.0.0.1','172.16.0.0/33']}}",
        "gateway.trustedProxies.1",
        "CIDR",
    ),
    ("C14", "{gateway:{trustedProxies:['*']}}", "gateway.trustedProxies.0", "CIDR"),
    ("C14", "{gateway:{trustedProxies:['proxy']}}", "gateway.trustedProxies.0", "CIDR"),
    (
        "C15",
        "{gateway:{trustedProxies:['::ffff:10.0.0.0/90']}}",
        "gateway.trustedProxies.0",
        "wider than IPv4",
    ),
    (
        "C15",
        "{gateway:{trustedProxies:['::ffff:0.0.0.0/96']}}",
        "gateway.trustedProxies.0",
        "everybody",
    ),
    (
        "D5",
        "{gateway:{controlUi:{allowedOrigins:['null']}}}",
        "gateway.controlUi.allowedOrigins.0",
        "origin",
    ),
    (
        "D26",
        "{gateway:{controlUi:{dangerouslyAllowHostHeaderOriginFallback:true}}}",
        "gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback",
        "Host",
    ),
    (
        "D",
        "{gateway:{controlUi:{allowedOrigins:['*']}}}",
        "gateway.controlUi.allowedOrigins.0",
        "origin",
    ),
    (
        "D",
        "{gateway:{controlUi:{allowedOrigins:['https://a/b']}}}",
        "gateway.controlUi.allowedOrigins.0",
        "no path",
    ),
    ("-", "{gateway:{tls:{certPath:'/c'}}}", "gateway.tls.keyPath", "together"),
    ("-", "{gateway:{bind:'0.0.0.0'}}", "gateway.bind", "bind=lan"),
    ("-", "{gateway:{port:0}}", "gateway.port", "1 to 65535"),
    ("-", "{gateway:{port:'18789'}}", "gateway.port", "a text"),
    ("-", "{gateway:[]}", "gateway", "a list"),
    ("-", "{gateway:{roles:{}}}", "gateway.roles", "roles"),
    (
        "-",
        "{gateway:{auth:{identityScopes:{a:['operator.root']}}}}",
        "gateway.auth.identityScopes.a.0",
        "words",
    ),
    ("-", "{gateway:{remote:{url:'http://x'}}}", "gateway.remote.url", "wss"),
    ("-", "{gateway:{remote:{tlsFingerprint:'abc'}}}", "gateway.remote.tlsFingerprint", "64 hex"),
];

#[test]
fn each_row_is_refused_with_its_key_place_and_reason() {
    for (row, text, key, said) in REFUSED {
        let problems = start(text).expect_err(text);
        let problem = problems.list.iter().find(|problem| problem.key == *key);
        let problem = problem.unwrap_or_else(|| panic!("{row} {text}: {problems}"));
        assert!(problem.to_string().contains(said), "{row} {text}: {problem}");
        let written = !problem.message.contains("needs") && !problem.message.contains("together");
        assert!(
            problem.place.is_some() || !written || problem.key == "gateway.customBindHost",
            "{row} {text}"
        );
    }
}

#[test]
fn accepted_with_a_warning() {
    for (row, text, key) in [
        ("C14", "{gateway:{trustedProxies:['10.0.0.1/28']}}", "gateway.trustedProxies.0"),
        ("C12", "{gateway:{trustedProxies:['10.0.0.0/8']}}", "gateway.trustedProxies.0"),
        ("E4", "{gateway:{auth:{token:'short-token-1'}}}", "gateway.auth.token"),
        ("J6", "{logging:{levl:'info'}}", "logging.levl"),
        ("-", "{gatway:{}}", "gatway"),
        ("-", "{gateway:{customBindHost:'10.0.0.1'}}", "gateway.customBindHost"),
        ("J9", "{agents:{x:'${OPENCLAW_NOT_SET}'}}", "agents.x"),
    ] {
        let loaded = start(text).unwrap_or_else(|problems| panic!("{row} {text}: {problems}"));
        assert!(
            loaded.warnings.iter().any(|warning| warning.key == key),
            "{row}: {:?}",
            loaded.warnings
        );
    }
    assert!(
        start("{gateway:{controlUi:{dangerouslyAllowHostHeaderOriginFallback:false}}}").is_ok()
    );
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let text = "{\n gateway: {\n  bnd: 'lan',\n  port: 'x',\n  auth: { mode: 'tokn',\n token: '' },\n }\n}";
    let problems = start(text).unwrap_err();
    let keys: Vec<&str> = problems.list.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["gateway.bnd", "gateway.port", "gateway.auth.mode", "gateway.auth.token"]);
    let shown = problems.to_string();
    assert!(
        shown.contains(
            "openclaw.json:3:8: `gateway.bnd`: no such key (did you mean `gateway.bind`?)"
        ),
        "{shown}"
    );
    assert!(shown.contains("did you mean `token`?"), "{shown}");
}

#[test]
fn a_bad_variable_names_itself_and_a_secret_never_shows() {
    let env = Env::of([("OPENCLAW_GATEWAY_PORT", "lots"), ("OPENCLAW_GATEWAY_TOKEN", "undefined")]);
    let problems = from("{}", &env, &Flags::default(), Purpose::Start).unwrap_err();
    assert_eq!(problems.list[0].key, "OPENCLAW_GATEWAY_PORT");
    assert!(problems.to_string().contains("(from `OPENCLAW_GATEWAY_TOKEN`)"), "{problems}");

    let canary = "canary-canary-canary";
    let text = format!(
        "{{gateway:{{bind:'lan',port:'{canary}',auth:{{token:'{canary}',password:['{canary}']}}}}}}"
    );
    let env = Env::of([("OPENCLAW_GATEWAY_PASSWORD", canary)]);
    let problems = from(&text, &env, &Flags::default(), Purpose::Start).unwrap_err();
    assert!(!format!("{problems} {problems:?} {env:?}").contains(canary), "{problems}");
}

#[test]
fn saving_does_not_ask_for_what_the_service_alone_may_have() {
    for text in [
        "{gateway:{bind:'lan'}}",
        "{gateway:{auth:{mode:'password'}}}",
        "{gateway:{auth:{token:'${OPENCLAW_NOT_SET}'}}}",
    ] {
        assert!(start(text).is_err(), "{text}");
        let saved = from(text, &Env::default(), &Flags::default(), Purpose::Save).unwrap();
        assert!(!saved.warnings.is_empty(), "{text}");
    }
    // `A24`: a pair that can never start is refused at the write, too.
    let pair = "{gateway:{bind:'lan',tailscale:{mode:'serve'}}}";
    assert!(from(pair, &Env::default(), &Flags::default(), Purpose::Save).is_err());
}

#[test]
fn flags_take_part_in_the_rules() {
    let serve = Flags {
        tailscale: Some(TailscaleMode::Serve),
        bind: Some(BindMode::Lan),
        ..Flags::default()
    };
    let problems = from("{}", &Env::default(), &serve, Purpose::Start).unwrap_err();
    assert!(problems.to_string().contains("(from `--tailscale`)"), "{problems}");

    let token = Flags {
        token: Some(SecretValue::new(STRONG)),
        bind: Some(BindMode::Lan),
        ..Flags::default()
    };
    let loaded = from("{}", &Env::default(), &token, Purpose::Start).unwrap();
    assert!(loaded.warnings.iter().any(|warning| warning.key == "--token"), "E20");
    assert!(!format!("{loaded:?}").contains(STRONG), "J13");
}

#[test]
fn a_dollar_in_a_variable_is_no_reference() {
    let env = Env::of([("OPENCLAW_GATEWAY_TOKEN", "$ABCDEFGHIJKLMNOPQRSTUVWXYZ")]);
    let loaded = from("{}", &env, &Flags::default(), Purpose::Start).unwrap();
    let token = loaded.config.gateway.auth.token.unwrap();
    assert_eq!(token.plain(), Some("$ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    assert!(token.reference().is_none());
}

#[test]
fn former_command_lists_count() {
    let text = "{gateway:{nodes:{denyCommands:['a'],commands:{deny:['b']}}}}";
    assert_eq!(start(text).unwrap().config.gateway.nodes.commands.deny, ["b", "a"]);
}

#[test]
fn j1_j3_files_are_guarded() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("openclaw.json");
    let at = |config: &Path| {
        let paths = Paths { config: config.to_owned(), state: folder.path().to_owned(), ..paths() };
        let (env, flags) = (Env::default(), Flags::default());
        load(&Request { paths: &paths, env: &env, flags: &flags })
            .map(|loaded| loaded.config.gateway.port)
    };
    let write = |path: &Path, text: &str, mode: u32| {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write(&config, "{gateway:{port:7}}", 0o644);
    assert_eq!(at(&config).unwrap(), 7, "settings may be read by others");
    write(&config, &format!("{{gateway:{{auth:{{token:'{STRONG}'}}}}}}"), 0o644);
    let problems = at(&config).unwrap_err();
    assert!(problems.to_string().contains("chmod 600"), "J1: {problems}");
    write(&config, "{gateway:{$include:'./g.json'}}", 0o644);
    write(&folder.path().join("g.json"), &format!("{{auth:{{token:'{STRONG}'}}}}"), 0o644);
    assert!(at(&config).unwrap_err().to_string().contains("g.json"), "J1 in an included file");
    write(&folder.path().join("g.json"), "{port:9}", 0o600);
    assert_eq!(at(&config).unwrap(), 9);
    let link = folder.path().join("link.json");
    symlink(&config, &link).unwrap();
    assert!(at(&link).unwrap_err().to_string().contains("symbolic link"), "J3");
}

#[test]
fn a23_a_workspace_env_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "OPENCLAW_GATEWAY_BIND=lan\n").unwrap();
    let config = folder.path().join("openclaw.json");
    let paths = Paths { config, state: folder.path().to_owned(), ..paths() };
    let (env, flags) = (Env::default(), Flags::default());
    let loaded = load(&Request { paths: &paths, env: &env, flags: &flags }).unwrap();
    assert_eq!(loaded.config.gateway.bind, BindMode::Loopback);
    // The process environment is the user's own word.
    let env = Env::of([("OPENCLAW_GATEWAY_BIND", "tailnet"), ("OPENCLAW_GATEWAY_TOKEN", STRONG)]);
    let loaded = load(&Request { paths: &paths, env: &env, flags: &flags }).unwrap();
    assert_eq!(loaded.config.gateway.bind, BindMode::Tailnet);
}
