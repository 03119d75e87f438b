//! The rows. Order is the order of documents and of `config schema`; one line is one row.

use crate::config::keys::{Key, Kind, Reader, ReloadClass};

use Kind::{
    BasePath, Fingerprint, Flag, Header, Headers, Networks, Number, Numbers, Origins, Path,
    Providers, PublicOrigin, Refused, Scopes, Secret, SocketUrl, Text, TextMap, TextOrFalse, Texts,
    Unread, Word,
};
use Reader::{Auth, Bind, Client, Config, Logs, Net, Nobody, Nodes, Tailscale};
use ReloadClass::{Hot, Restart};

/// The top-level sections of the official file, in its order; a name outside is a typo or newer than us.
pub const SECTIONS: &[&str] = &[
    "meta",
    "env",
    "wizard",
    "diagnostics",
    "logging",
    "update",
    "telemetry",
    "browser",
    "ui",
    "secrets",
    "auth",
    "accessGroups",
    "acp",
    "models",
    "nodeHost",
    "agents",
    "worktreeRoot",
    "worktreeAcceleration",
    "tools",
    "security",
    "bindings",
    "broadcast",
    "attachments",
    "messages",
    "tts",
    "commands",
    "approvals",
    "session",
    "cron",
    "transcripts",
    "hooks",
    "channels",
    "discovery",
    "talk",
    "gateway",
    "cloudWorkers",
    "desktop",
    "memory",
    "mcp",
    "skills",
    "plugins",
    "surfaces",
    "proxy",
    "canvasHost",
    "media",
    "audio",
    "web",
    "$schema",
];

/// Operator scopes that `identityScopes` may grant.
pub const SCOPES: &[&str] = &[
    "operator.admin",
    "operator.read",
    "operator.write",
    "operator.sessions.read",
    "operator.sessions.write",
    "operator.approvals",
    "operator.questions",
    "operator.pairing",
    "operator.talk",
    "operator.talk.secrets",
];

/// Log levels, quiet first.
pub const LEVELS: &[&str] = &["silent", "fatal", "error", "warn", "info", "debug", "trace"];

const DAY_MS: u64 = 86_400_000;

const fn row(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    reads: (Reader, ReloadClass),
    about: &'static str,
) -> Key {
    Key { path, kind, default, reload: reads.1, reader: reads.0, about }
}

const fn unread(path: &'static str) -> Key {
    let about = "Official key of a feature that this gateway does not have; kept and ignored.";
    row(path, Unread, "", (Nobody, ReloadClass::None), about)
}

const fn refused(path: &'static str, why: &'static str) -> Key {
    row(
        path,
        Refused(why),
        "",
        (Nobody, ReloadClass::None),
        "Official key that this gateway refuses.",
    )
}

const NO_HOST_FALLBACK: &str = "this gateway never takes a browser's origin from the `Host` header: any page \
     that resolves to this address could act as its visitor; list the origin in \
     `gateway.controlUi.allowedOrigins`";
const NO_DEVICELESS_UI: &str =
    "this gateway never lets a browser in without its device identity; pair the browser";
const NO_ROLES: &str = "named roles restrict people and this gateway has none: ignoring them would give people \
     more than you wrote; use `gateway.auth.identityScopes`";
const NO_PROXY_PAIRING: &str = "devices behind a proxy are approved one by one; remove the key and use `openclaw devices approve`";

/// Every key that this gateway reads, warns about or refuses.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    row("gateway.mode", Word(&["local", "remote"]), "\"local\"", (Bind, Restart), "`local` runs the gateway here; `remote` only dials `gateway.remote`."),
    row("gateway.port", Number(1, 65535), "18789", (Bind, Restart), "Port for WebSocket and HTTP."),
    row("gateway.bind", Word(&["loopback", "lan", "tailnet", "custom", "auto"]), "\"loopback\"", (Bind, Restart), "Which addresses listen; everything but loopback needs a configured secret."),
    row("gateway.customBindHost", Text, "", (Bind, Restart), "The one IP literal of `bind: \"custom\"`; loopback listens too."),
    row("gateway.publicOrigin", PublicOrigin, "", (Net, Hot), "The address under which browsers reach the gateway from outside."),
    row("gateway.auth.mode", Word(&["none", "token", "password", "trusted-proxy"]), "", (Auth, Restart), "Which proof lets a client in; without it the configured secret decides."),
    row("gateway.auth.token", Secret, "", (Auth, Hot), "Shared token; 32 random bytes are right."),
    row("gateway.auth.password", Secret, "", (Auth, Hot), "Shared password; Funnel needs it."),
    row("gateway.auth.allowTailscale", Flag, "", (Auth, Hot), "Believe proven Tailscale Serve identities; on by default with managed Serve."),
    row("gateway.auth.identityScopes", Scopes, "{}", (Auth, Hot), "Operator scopes for a verified login, for the connection only."),
    row("gateway.auth.rateLimit.maxAttempts", Number(1, 10_000), "10", (Auth, Hot), "Failures within the window before the lockout."),
    row("gateway.auth.rateLimit.windowMs", Number(1_000, DAY_MS), "60000", (Auth, Hot), "Window of the failures, in milliseconds."),
    row("gateway.auth.rateLimit.lockoutMs", Number(1_000, DAY_MS), "300000", (Auth, Hot), "How long a client stays out, in milliseconds."),
    row("gateway.auth.rateLimit.exemptLoopback", Flag, "true", (Auth, Hot), "Never lock out loopback clients; browsers are always limited."),
    row("gateway.auth.trustedProxy.userHeader", Header, "", (Auth, Restart), "Header in which the proxy names the user."),
    row("gateway.auth.trustedProxy.requiredHeaders", Headers, "", (Auth, Restart), "Headers that every proxied request must carry."),
    row("gateway.auth.trustedProxy.allowUsers", Texts, "", (Auth, Restart), "Users let in; empty means every user the proxy names."),
    row("gateway.auth.trustedProxy.allowLoopback", Flag, "", (Auth, Hot), "Accept a proxy on this host."),
    row("gateway.auth.trustedProxy.proxyUids", Numbers(u32::MAX as u64), "", (Auth, Restart), "User ids that a proxy on this host may run as (Linux; not an official key)."),
    refused("gateway.auth.trustedProxy.deviceAutoApprove", NO_PROXY_PAIRING),
    unread("gateway.auth.trustedProxy.cloudflareAccessOidc"),
    refused("gateway.roles", NO_ROLES),
    row("gateway.trustedProxies", Networks, "[]", (Auth, Hot), "Addresses of proxies whose forwarded headers count."),
    row("gateway.allowRealIpFallback", Flag, "false", (Auth, Hot), "Take `X-Real-IP` where a trusted proxy sends no `X-Forwarded-For`."),
    row("gateway.controlUi.enabled", Flag, "true", (Net, Restart), "Serve the Control UI."),
    row("gateway.controlUi.basePath", BasePath, "\"\"", (Net, Restart), "Path below which the Control UI is served."),
    row("gateway.controlUi.root", Path, "", (Net, Restart), "Folder with an official Control UI."),
    row("gateway.controlUi.allowedOrigins", Origins, "[]", (Net, Hot), "Browser origins let in besides our own names, as `https://host[:port]`."),
    refused("gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback", NO_HOST_FALLBACK),
    refused("gateway.controlUi.dangerouslyDisableDeviceAuth", NO_DEVICELESS_UI),
    refused("gateway.controlUi.allowInsecureAuth", NO_DEVICELESS_UI),
    unread("gateway.controlUi.experimental"),
    unread("gateway.controlUi.environment"),
    unread("gateway.controlUi.communityInvite"),
    unread("gateway.controlUi.github"),
    unread("gateway.controlUi.sessionObserver"),
    unread("gateway.controlUi.embedSandbox"),
    unread("gateway.controlUi.allowExternalEmbedUrls"),
    unread("gateway.controlUi.automaticallyFetchFavicons"),
    unread("gateway.controlUi.toolTitles"),
    row("gateway.tailscale.mode", Word(&["off", "serve", "funnel"]), "\"off\"", (Tailscale, Restart), "Publish the gateway with managed Serve (tailnet) or Funnel (public); needs loopback."),
    unread("gateway.tailscale.resetOnExit"),
    unread("gateway.tailscale.preserveFunnel"),
    row("gateway.tls.enabled", Flag, "false", (Net, Restart), "Speak HTTPS and WSS."),
    row("gateway.tls.autoGenerate", Flag, "true", (Net, Restart), "Make a self-signed pair when both files are missing."),
    row("gateway.tls.certPath", Path, "", (Net, Restart), "Certificate chain, PEM; goes with `keyPath`."),
    row("gateway.tls.keyPath", Path, "", (Net, Restart), "Private key, PEM; goes with `certPath`."),
    row("gateway.tls.caPath", Path, "", (Net, Restart), "Certificates of own authorities, PEM."),
    row("gateway.remote.url", SocketUrl, "", (Client, Hot), "Gateway that client commands dial."),
    row("gateway.remote.transport", Word(&["ssh", "direct"]), "", (Client, Hot), "`ssh` dials through a tunnel, `direct` straight."),
    row("gateway.remote.token", Secret, "", (Client, Hot), "Token of that gateway; never lets anybody into this one."),
    row("gateway.remote.password", Secret, "", (Client, Hot), "Password of that gateway."),
    row("gateway.remote.tlsFingerprint", Fingerprint, "", (Client, Hot), "SHA-256 of the certificate that `wss://` must show."),
    row("gateway.remote.sshTarget", Text, "", (Client, Hot), "`user@host[:port]` of the tunnel."),
    row("gateway.remote.sshIdentity", Path, "", (Client, Hot), "Private key of the tunnel."),
    row("gateway.remote.remotePort", Number(1, 65535), "", (Client, Hot), "Port of the gateway on the far side of the tunnel."),
    row("gateway.remote.sshHostKeyPolicy", Word(&["strict", "openssh"]), "\"strict\"", (Client, Hot), "`strict` accepts known host keys only."),
    unread("gateway.remote.edgeAuth"),
    row("gateway.nodes.pairing.autoApproveLocal", Flag, "true", (Nodes, Hot), "Approve proven local clients without a question."),
    row("gateway.nodes.pairing.autoApproveCidrs", Networks, "[]", (Nodes, Hot), "Approve new nodes without scopes from these networks."),
    unread("gateway.nodes.pairing.sshVerify"),
    row("gateway.nodes.commands.allow", Texts, "[]", (Nodes, Hot), "Node commands allowed beyond the platform's defaults."),
    row("gateway.nodes.commands.deny", Texts, "[]", (Nodes, Hot), "Node commands never allowed."),
    row("gateway.nodes.allowCommands", Texts, "", (Nodes, Hot), "Former name of `gateway.nodes.commands.allow`; both count."),
    row("gateway.nodes.denyCommands", Texts, "", (Nodes, Hot), "Former name of `gateway.nodes.commands.deny`; both count."),
    unread("gateway.nodes.browser"),
    unread("gateway.nodes.pluginTools"),
    unread("gateway.nodes.allowSkills"),
    row("gateway.reload.mode", Word(&["off", "hybrid", "hot", "restart"]), "\"hybrid\"", (Config, Hot), "`hybrid` applies safe edits at once, `off` waits for the next start."),
    row("gateway.reload.debounceMs", Number(0, 60_000), "300", (Config, Hot), "Quiet time after the last edit, in milliseconds."),
    unread("gateway.reload.deferralTimeoutMs"),
    row("gateway.http.securityHeaders.strictTransportSecurity", TextOrFalse, "", (Net, Hot), "Value of `Strict-Transport-Security`; `false` sends none."),
    unread("gateway.http.endpoints"),
    row("gateway.handshakeTimeoutMs", Number(100, 600_000), "15000", (Net, Restart), "Time until `connect` must have come, in milliseconds."),
    unread("gateway.channelHealthCheckMinutes"),
    unread("gateway.channelStaleEventThresholdMinutes"),
    unread("gateway.channelMaxRestartsPerHour"),
    unread("gateway.webchat"),
    unread("gateway.portals"),
    unread("gateway.cliAgents"),
    unread("gateway.terminal"),
    unread("gateway.tools"),
    unread("gateway.push"),
    row("logging.level", Word(LEVELS), "\"info\"", (Logs, Hot), "Level of the log file, and of the console."),
    row("logging.consoleLevel", Word(LEVELS), "", (Logs, Hot), "Level of the console where it differs."),
    row("logging.consoleStyle", Word(&["pretty", "compact", "json"]), "\"pretty\"", (Logs, Restart), "How the console looks."),
    row("logging.file", Path, "", (Logs, Restart), "Log file in place of the one in the state directory."),
    row("logging.maxFileBytes", Number(65_536, 1 << 40), "", (Logs, Hot), "Size at which the log file rotates."),
    unread("logging.redactPatterns"),
    unread("logging.redactSensitive"),
    unread("logging.audit"),
    row("secrets.providers", Providers, "{}", (Config, Hot), "Where secret references are looked up."),
    row("secrets.defaults", TextMap, "{}", (Config, Hot), "Provider of a source where a reference names none."),
    unread("secrets.egressProxy"),
    unread("secrets.resolution"),
];
