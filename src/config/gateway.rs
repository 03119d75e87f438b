//! The typed configuration: what the rest of the product reads.
//!
//! Names, words and meanings are the official ones; the list of keys with defaults, reload class and one
//! line each is `config::keys`. Every field that is `None` was not written anywhere. Durations are types
//! here and milliseconds in the file. Sections that we do not type stay in [`Config::rest`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::secret::{SecretInput, Secrets};
use crate::config::values::{self, flag_or_text};

/// The whole configuration.
#[derive(Clone, Default, PartialEq)]
pub struct Config {
    /// `gateway`.
    pub gateway: Gateway,
    /// `logging`.
    pub logging: Logging,
    /// `secrets`.
    pub secrets: Secrets,
    /// Every other section, resolved (`$include` and `${VAR}` done), as written.
    pub rest: Map<String, Value>,
}

impl fmt::Debug for Config {
    /// Names of untyped sections only: their values may be secrets (`J13`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("gateway", &self.gateway)
            .field("logging", &self.logging)
            .field("secrets", &self.secrets)
            .field("rest", &self.rest.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Config {
    /// A section that is not typed here.
    pub fn section(&self, name: &str) -> Option<&Map<String, Value>> {
        self.rest.get(name).and_then(Value::as_object)
    }
}

/// `gateway.mode`: what this host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// This host runs the gateway.
    #[default]
    Local,
    /// This host only dials `gateway.remote.url`.
    Remote,
}

/// `gateway.bind` as a word; `openclaw-bind` turns it into sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BindMode {
    /// `127.0.0.1` and `[::1]`.
    #[default]
    Loopback,
    /// Every IPv4 address.
    Lan,
    /// The tailnet addresses, and loopback.
    Tailnet,
    /// `gateway.customBindHost`, and loopback.
    Custom,
    /// Loopback where it exists.
    Auto,
}

impl BindMode {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Lan => "lan",
            Self::Tailnet => "tailnet",
            Self::Custom => "custom",
            Self::Auto => "auto",
        }
    }
}

/// `gateway`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Gateway {
    /// `mode`.
    pub mode: Mode,
    /// Whether `mode` was written: the official gateway wants it said.
    #[serde(skip)]
    pub mode_written: bool,
    /// `port`, 1-65535 (0 only from `--port`).
    pub port: u16,
    /// `bind`.
    pub bind: BindMode,
    /// Whether a person wrote `bind` (file, environment or flag); `auto` in a container needs it (`A6`).
    #[serde(skip)]
    pub bind_written: bool,
    /// `customBindHost`, as written; `openclaw-bind` parses it (`A7`-`A13`).
    pub custom_bind_host: Option<String>,
    /// `publicOrigin`, normalised.
    #[serde(deserialize_with = "values::de_origin")]
    pub public_origin: Option<String>,
    /// `auth`.
    pub auth: Auth,
    /// `trustedProxies`, host bits cleared, mapped prefixes made IPv4 (`C14`, `C15`).
    #[serde(deserialize_with = "values::de_cidrs")]
    pub trusted_proxies: Vec<IpNet>,
    /// `allowRealIpFallback`.
    pub allow_real_ip_fallback: bool,
    /// `controlUi`.
    pub control_ui: ControlUi,
    /// `tailscale`.
    pub tailscale: Tailscale,
    /// `tls`.
    pub tls: Tls,
    /// `remote`.
    pub remote: Remote,
    /// `nodes`.
    pub nodes: Nodes,
    /// `reload`.
    pub reload: Reload,
    /// `http`.
    pub http: Http,
    /// `handshakeTimeoutMs` or `OPENCLAW_HANDSHAKE_TIMEOUT_MS`.
    #[serde(rename = "handshakeTimeoutMs", deserialize_with = "values::de_millis")]
    pub handshake_timeout: Duration,
}

/// `gateway.auth.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthMode {
    /// Anyone on loopback.
    None,
    /// The shared token.
    Token,
    /// The shared password.
    Password,
    /// Identity headers of a proxy listed in `trustedProxies`.
    TrustedProxy,
}

impl AuthMode {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Token => "token",
            Self::Password => "password",
            Self::TrustedProxy => "trusted-proxy",
        }
    }
}

/// `gateway.auth`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Auth {
    /// `mode`; `None` = decided by which secret exists.
    pub mode: Option<AuthMode>,
    /// `token`.
    pub token: Option<SecretInput>,
    /// `password`.
    pub password: Option<SecretInput>,
    /// `allowTailscale`; `None` = on exactly when `tailscale.mode` is `serve`.
    pub allow_tailscale: Option<bool>,
    /// `identityScopes`: login -> operator scopes.
    pub identity_scopes: BTreeMap<String, Vec<String>>,
    /// `rateLimit`.
    pub rate_limit: RateLimit,
    /// `trustedProxy`.
    pub trusted_proxy: Option<TrustedProxy>,
}

impl Auth {
    /// The mode in force: the written one, else the one whose secret exists, else token.
    pub fn effective_mode(&self) -> AuthMode {
        match (self.mode, &self.password, &self.token) {
            (Some(mode), _, _) => mode,
            (None, Some(_), None) => AuthMode::Password,
            (None, _, _) => AuthMode::Token,
        }
    }
}

/// `gateway.auth.rateLimit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RateLimit {
    /// Failures within `window` before the lockout.
    pub max_attempts: u32,
    /// Sliding window.
    #[serde(rename = "windowMs", deserialize_with = "values::de_millis")]
    pub window: Duration,
    /// How long a client stays out.
    #[serde(rename = "lockoutMs", deserialize_with = "values::de_millis")]
    pub lockout: Duration,
    /// Whether loopback clients are exempt.
    pub exempt_loopback: bool,
}

impl Default for RateLimit {
    /// 10 failures a minute, five minutes out: the official defaults.
    fn default() -> Self {
        Self {
            max_attempts: 10,
            window: Duration::from_secs(60),
            lockout: Duration::from_secs(300),
            exempt_loopback: true,
        }
    }
}

/// `gateway.auth.trustedProxy`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TrustedProxy {
    /// `userHeader`, lower case.
    #[serde(deserialize_with = "values::de_lower")]
    pub user_header: String,
    /// `requiredHeaders`, lower case.
    #[serde(deserialize_with = "values::de_lowers")]
    pub required_headers: Vec<String>,
    /// `allowUsers`; empty = every user the proxy lets through.
    pub allow_users: Vec<String>,
    /// `allowLoopback`.
    pub allow_loopback: bool,
    /// `proxyUids`: uids that may own the proxy's socket on loopback (our key, Linux).
    pub proxy_uids: Vec<u32>,
}

/// `gateway.controlUi`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ControlUi {
    /// `enabled`.
    pub enabled: bool,
    /// `basePath`: empty, or `/x` without a trailing slash.
    #[serde(deserialize_with = "values::de_base_path")]
    pub base_path: String,
    /// `root`: a folder that holds an official Control UI.
    pub root: Option<PathBuf>,
    /// `allowedOrigins`, normalised `scheme://host[:port]`.
    #[serde(deserialize_with = "values::de_origins")]
    pub allowed_origins: Vec<String>,
}

impl Default for ControlUi {
    fn default() -> Self {
        Self { enabled: true, base_path: String::new(), root: None, allowed_origins: Vec::new() }
    }
}

/// `gateway.tailscale.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TailscaleMode {
    /// We leave tailscaled's routes alone.
    #[default]
    Off,
    /// Managed Serve.
    Serve,
    /// Managed Funnel.
    Funnel,
}

impl TailscaleMode {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Serve => "serve",
            Self::Funnel => "funnel",
        }
    }
}

/// `gateway.tailscale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Tailscale {
    /// `mode`.
    pub mode: TailscaleMode,
}

/// `gateway.tls`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Tls {
    /// `enabled`.
    pub enabled: bool,
    /// `autoGenerate`.
    pub auto_generate: bool,
    /// `certPath`.
    pub cert_path: Option<PathBuf>,
    /// `keyPath`.
    pub key_path: Option<PathBuf>,
    /// `caPath`.
    pub ca_path: Option<PathBuf>,
}

impl Default for Tls {
    fn default() -> Self {
        Self { enabled: false, auto_generate: true, cert_path: None, key_path: None, ca_path: None }
    }
}

/// `gateway.remote.transport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Through an SSH tunnel that the client opens.
    #[default]
    Ssh,
    /// Straight to the address.
    Direct,
}

/// `gateway.remote.sshHostKeyPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SshHostKeyPolicy {
    /// Only a key that is already known.
    #[default]
    Strict,
    /// What the user's OpenSSH configuration says.
    Openssh,
}

/// `gateway.remote`: what client commands dial.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Remote {
    /// `url`.
    pub url: Option<String>,
    /// `transport`; `None` = ssh where `sshTarget` is set, else direct.
    pub transport: Option<Transport>,
    /// `token`; never enables local auth.
    pub token: Option<SecretInput>,
    /// `password`.
    pub password: Option<SecretInput>,
    /// `tlsFingerprint`: SHA-256, 64 lower-case hex digits.
    #[serde(deserialize_with = "values::de_fingerprint")]
    pub tls_fingerprint: Option<String>,
    /// `sshTarget`: `user@host[:port]`.
    pub ssh_target: Option<String>,
    /// `sshIdentity`.
    pub ssh_identity: Option<PathBuf>,
    /// `remotePort`.
    pub remote_port: Option<u16>,
    /// `sshHostKeyPolicy`.
    pub ssh_host_key_policy: SshHostKeyPolicy,
}

/// `gateway.nodes`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Nodes {
    /// `pairing`.
    pub pairing: Pairing,
    /// `commands`, with the former lists in it.
    pub commands: Commands,
    #[serde(rename = "allowCommands")]
    former_allow: Vec<String>,
    #[serde(rename = "denyCommands")]
    former_deny: Vec<String>,
}

impl Nodes {
    /// Moves the former lists into `commands`.
    pub(crate) fn take_former(&mut self) {
        self.commands.allow.append(&mut self.former_allow);
        self.commands.deny.append(&mut self.former_deny);
    }
}

/// `gateway.nodes.commands`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Commands {
    /// `allow`: commands allowed beyond the platform's defaults.
    pub allow: Vec<String>,
    /// `deny`: commands never allowed; beats `allow`.
    pub deny: Vec<String>,
}

/// `gateway.nodes.pairing`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Pairing {
    /// `autoApproveLocal`.
    pub auto_approve_local: bool,
    /// `autoApproveCidrs`.
    #[serde(deserialize_with = "values::de_cidrs")]
    pub auto_approve_cidrs: Vec<IpNet>,
}

impl Default for Pairing {
    fn default() -> Self {
        Self { auto_approve_local: true, auto_approve_cidrs: Vec::new() }
    }
}

/// `gateway.reload.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReloadMode {
    /// Edits wait for the next start.
    Off,
    /// Hot-safe edits apply at once; the others wait for a restart. The retired words mean the same.
    #[default]
    #[serde(alias = "hot", alias = "restart")]
    Hybrid,
}

/// `gateway.reload`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Reload {
    /// `mode`.
    pub mode: ReloadMode,
    /// `debounceMs`.
    #[serde(rename = "debounceMs", deserialize_with = "values::de_millis")]
    pub debounce: Duration,
}

impl Default for Reload {
    /// 300 ms: an editor's save is several file events.
    fn default() -> Self {
        Self { mode: ReloadMode::Hybrid, debounce: Duration::from_millis(300) }
    }
}

/// `gateway.http`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Http {
    /// `securityHeaders`.
    pub security_headers: SecurityHeaders,
}

/// `gateway.http.securityHeaders`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityHeaders {
    /// `strictTransportSecurity`; `false` in the file is `None`.
    #[serde(deserialize_with = "flag_or_text")]
    pub strict_transport_security: Option<String>,
}

/// `logging`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Logging {
    /// `level`.
    pub level: Level,
    /// `consoleLevel`; `None` = `level`.
    pub console_level: Option<Level>,
    /// `consoleStyle`.
    pub console_style: ConsoleStyle,
    /// `file`.
    pub file: Option<PathBuf>,
    /// `maxFileBytes`.
    pub max_file_bytes: Option<u64>,
}

/// A log level, upstream's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    Silent,
    /// The process cannot go on.
    Fatal,
    /// Someone must act.
    Error,
    /// We coped.
    Warn,
    /// Life cycle.
    #[default]
    Info,
    /// Per connection.
    Debug,
    /// Per frame.
    Trace,
}

impl Level {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// `logging.consoleStyle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsoleStyle {
    /// For a person at a terminal.
    #[default]
    Pretty,
    /// One short line.
    Compact,
    /// One JSON object per line.
    Json,
}

/// The port where none is written: the official one.
pub const DEFAULT_PORT: u16 = 18789;

/// The port of `--dev`, so that a development gateway never collides with the real one.
pub const DEV_PORT: u16 = 19001;

/// Time until `connect` must have come: the official default of 2026.9.
pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

impl Default for Gateway {
    fn default() -> Self {
        Self {
            mode: Mode::Local,
            mode_written: false,
            port: DEFAULT_PORT,
            bind: BindMode::Loopback,
            bind_written: false,
            custom_bind_host: None,
            public_origin: None,
            auth: Auth::default(),
            trusted_proxies: Vec::new(),
            allow_real_ip_fallback: false,
            control_ui: ControlUi::default(),
            tailscale: Tailscale::default(),
            tls: Tls::default(),
            remote: Remote::default(),
            nodes: Nodes::default(),
            reload: Reload::default(),
            http: Http::default(),
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
        }
    }
}

impl Gateway {
    /// `customBindHost` as one canonical IP literal, where it is one.
    pub fn custom_address(&self) -> Option<IpAddr> {
        self.custom_bind_host.as_deref()?.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
    }
}
