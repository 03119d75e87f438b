//! Which gateway a command dials, and with what: decided here alone.
//!
//! | order | target | credentials | device tokens on disk |
//! |---|---|---|---|
//! | 1 | `--url` | `--token`, `--password`; one of them is required (`I1`) | no |
//! | 2 | `--port` | as the local gateway | yes |
//! | 3 | `OPENCLAW_GATEWAY_URL` | flags, else the environment alone (`I2`) | no |
//! | 4 | the running local gateway, else the configured address | flags, else environment, else configuration, else the token that the gateway made | yes |
//!
//! A configured secret that cannot be resolved is an error, never a weaker attempt. Nothing here connects.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use crate::{
    cli::{args::Dial, failure::Failure},
    client::{
        credentials::{Credentials, Stored},
        error::{ClientError, Kind},
        target::{Endpoint, Host, Plaintext, Scheme, Target},
        tls::Fingerprint,
    },
    config::{
        env::{self, Env},
        gateway::{AuthMode, DEFAULT_PORT, Mode},
        problem::Problems,
        secret::SecretValue,
    },
    store::runtime_file::RuntimeFile,
};

/// Everything that a decision depends on.
pub struct Sources<'s> {
    pub env: &'s Env,
    /// The configuration as far as clients read it, or why it cannot be read.
    pub config: Result<Local, Problems>,
    /// What the running gateway wrote.
    pub runtime: Option<RuntimeFile>,
    /// The token that the gateway made for itself.
    pub made_token: Option<SecretValue>,
    /// Looks up a secret of `gateway.auth`; asked only when needed, because a reference may start a program.
    pub secret: Box<dyn Fn(Wanted) -> Secret + 's>,
}

/// A secret of `gateway.auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Token,
    Password,
}

impl Wanted {
    /// The key in the configuration.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Token => "gateway.auth.token",
            Self::Password => "gateway.auth.password",
        }
    }
}

/// The local gateway's part of the configuration.
#[derive(Debug, Clone)]
pub struct Local {
    pub mode: Mode,
    /// Where a client on this host connects.
    pub dial: SocketAddr,
    pub auth: Option<AuthMode>,
    /// Whether the gateway speaks TLS, and with which certificate.
    pub tls: LocalTls,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalTls {
    Off,
    /// With the fingerprint, if its certificate can be read.
    On(Option<Fingerprint>),
}

/// A secret of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    Unset,
    Is(SecretValue),
    /// A reference that did not resolve, and why.
    Unresolved(String),
}

impl Default for Local {
    fn default() -> Self {
        Self {
            mode: Mode::Local,
            dial: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
            auth: None,
            tls: LocalTls::Off,
        }
    }
}

/// The decision.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub target: Target,
    pub credentials: Credentials,
    pub source: Source,
    /// Where the secret came from, for hints.
    pub secret: Origin,
}

/// Why this target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Url,
    Port,
    EnvUrl,
    Runtime,
    Config,
}

/// Where a secret came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Nowhere,
    Flags,
    Environment,
    Config,
    Made,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "--url",
            Self::Port => "--port",
            Self::EnvUrl => "OPENCLAW_GATEWAY_URL",
            Self::Runtime => "running gateway",
            Self::Config => "configuration",
        })
    }
}

impl Origin {
    /// For a hint after a refused secret.
    #[must_use]
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::Nowhere => None,
            Self::Flags => Some("the refused secret came from the command line"),
            Self::Environment => Some(
                "the refused secret came from the environment (`OPENCLAW_GATEWAY_TOKEN` or `OPENCLAW_GATEWAY_PASSWORD`)",
            ),
            Self::Config => {
                Some("the refused secret came from `gateway.auth` in the configuration")
            }
            Self::Made => {
                Some("the refused secret came from the file `gateway.token` in the state directory")
            }
        }
    }
}

/// Decides.
///
/// # Errors
/// A URL that may not be used, missing explicit credentials, an unusable configuration where it is needed.
pub fn resolve(dial: &Dial, sources: &Sources<'_>) -> Result<Resolved, Failure> {
    let flags = Pair::of(dial.token.as_deref(), dial.password.as_deref());
    let (target, source) = pick(dial, sources)?;
    let mut target = target;
    if let Some(pin) = &dial.tls_fingerprint {
        target.pin = Some(pin.parse()?);
    }
    target.route()?;
    let (pair, secret) = match (source, flags.is_empty()) {
        (_, false) => (flags, Origin::Flags),
        (Source::Url, true) => return Err(credentials_required()),
        (Source::EnvUrl, true) => environment(sources.env),
        (Source::Port | Source::Runtime | Source::Config, true) => local(sources)?,
    };
    let stored = match source {
        Source::Url | Source::EnvUrl => Stored::Never,
        Source::Port | Source::Runtime | Source::Config => Stored::Allowed,
    };
    let credentials = Credentials::new(pair.token, pair.password, stored);
    Ok(Resolved { target, credentials, source, secret })
}

fn credentials_required() -> Failure {
    let message = "`--url` needs its own credentials: none are taken from the configuration or the environment";
    let error = ClientError::new(Kind::CredentialsRequired, message)
        .hint("add `--token` or `--password`")
        .hint("or leave `--url` out to use the local gateway");
    Failure::from(error)
}

fn pick(dial: &Dial, sources: &Sources<'_>) -> Result<(Target, Source), Failure> {
    let plaintext = match sources.env.is_on(&env::ALLOW_INSECURE_PRIVATE_WS) {
        true => Plaintext::Private,
        false => Plaintext::Loopback,
    };
    if let Some(url) = &dial.url {
        let endpoint = url.parse()?;
        return Ok((Target { endpoint, pin: None, plaintext }, Source::Url));
    }
    if let Some(port) = dial.port {
        return Ok((on_port(port, sources), Source::Port));
    }
    if let Some(url) = sources.env.value(&env::GATEWAY_URL) {
        let endpoint = url
            .parse()
            .map_err(|error: ClientError| error.hint("the URL came from `OPENCLAW_GATEWAY_URL`"))?;
        return Ok((Target { endpoint, pin: None, plaintext }, Source::EnvUrl));
    }
    if let Ok(Local { mode: Mode::Remote, .. }) = &sources.config {
        return Err(Failure::user(
            "gateway_target_error",
            "`gateway.mode` is `remote`, so there is no local gateway to ask",
        )
        .hint("pass the remote gateway with `--url` and `--token`"));
    }
    if let Some(target) = sources.runtime.as_ref().and_then(running) {
        return Ok((target, Source::Runtime));
    }
    let local = sources.config.as_ref().map_err(|problems| Failure::from(problems.clone()))?;
    Ok((at(local.dial, &local.tls), Source::Config))
}

/// The first URL of the running gateway that may be dialled.
fn running(file: &RuntimeFile) -> Option<Target> {
    let pin = match &file.tls {
        Some(tls) => Some(tls.fingerprint.parse().ok()?),
        None => None,
    };
    let targets = file.urls.iter().filter_map(|url| {
        let endpoint: Endpoint = url.parse().ok()?;
        Some(Target { endpoint, pin, plaintext: Plaintext::Loopback })
    });
    targets.into_iter().find(|target| target.route().is_ok())
}

fn on_port(port: u16, sources: &Sources<'_>) -> Target {
    let same = sources.runtime.as_ref().filter(|file| file.port == port).and_then(running);
    let tls = sources.config.as_ref().map_or(LocalTls::Off, |local| local.tls.clone());
    same.unwrap_or_else(|| at(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port), &tls))
}

fn at(address: SocketAddr, tls: &LocalTls) -> Target {
    let (scheme, pin) = match tls {
        LocalTls::Off => (Scheme::Ws, None),
        LocalTls::On(pin) => (Scheme::Wss, *pin),
    };
    let (host, port) = (Host::Ip(address.ip()), address.port());
    let endpoint = Endpoint { scheme, host, port, path: "/".to_owned() };
    Target { endpoint, pin, plaintext: Plaintext::Loopback }
}

#[derive(Debug, Default)]
struct Pair {
    token: Option<SecretValue>,
    password: Option<SecretValue>,
}

impl Pair {
    fn of(token: Option<&str>, password: Option<&str>) -> Self {
        let filled = |text: Option<&str>| {
            text.map(str::trim).filter(|text| !text.is_empty()).map(SecretValue::new)
        };
        Self { token: filled(token), password: filled(password) }
    }

    fn is_empty(&self) -> bool {
        self.token.is_none() && self.password.is_none()
    }
}

fn environment(env: &Env) -> (Pair, Origin) {
    let pair = Pair::of(env.value(&env::GATEWAY_TOKEN), env.value(&env::GATEWAY_PASSWORD));
    let origin = if pair.is_empty() { Origin::Nowhere } else { Origin::Environment };
    (pair, origin)
}

/// Environment, else configuration, else the made token; of token and password the one of the auth mode.
fn local(sources: &Sources<'_>) -> Result<(Pair, Origin), Failure> {
    let auth = sources.config.as_ref().ok().and_then(|local| local.auth);
    if auth == Some(AuthMode::None) {
        return Ok((Pair::default(), Origin::Nowhere));
    }
    let (pair, origin) = environment(sources.env);
    if !pair.is_empty() {
        return Ok((narrow(pair, auth), origin));
    }
    sources.config.as_ref().map_err(|problems| Failure::from(problems.clone()))?;
    let wanted = match auth {
        Some(AuthMode::Password) => [Wanted::Password, Wanted::Token],
        Some(AuthMode::None | AuthMode::Token | AuthMode::TrustedProxy) | None => {
            [Wanted::Token, Wanted::Password]
        }
    };
    for wanted in wanted {
        let secret = match (sources.secret)(wanted) {
            Secret::Unset => continue,
            Secret::Unresolved(why) => return Err(unresolved(wanted, &why)),
            Secret::Is(secret) => Some(secret),
        };
        let pair = match wanted {
            Wanted::Token => Pair { token: secret, password: None },
            Wanted::Password => Pair { token: None, password: secret },
        };
        return Ok((pair, Origin::Config));
    }
    Ok(match &sources.made_token {
        Some(token) => (Pair { token: Some(token.clone()), password: None }, Origin::Made),
        None => (Pair::default(), Origin::Nowhere),
    })
}

/// Of two secrets in the environment the gateway's mode says which one counts.
fn narrow(pair: Pair, auth: Option<AuthMode>) -> Pair {
    match (auth, &pair.token, &pair.password) {
        (Some(AuthMode::Password), Some(_), Some(_)) => Pair { token: None, ..pair },
        (Some(AuthMode::Token), Some(_), Some(_)) => Pair { password: None, ..pair },
        (_, _, _) => pair,
    }
}

fn unresolved(wanted: Wanted, why: &str) -> Failure {
    let message = format!("`{}` is a reference that does not resolve here: {why}", wanted.key());
    let mut failure = Failure::user("auth_secretref_unresolved", message)
        .hint("pass `--token` or `--password`, or repair the reference");
    failure.exit = crate::cli::failure::Exit::Config;
    failure
}

/// Where the gateway keeps the token that it made: one line, 0600.
#[must_use]
pub fn made_token(state: &Path) -> Option<SecretValue> {
    let text = crate::store::private_file::read(&state.join("gateway.token")).ok()??;
    let token = text.trim();
    (!token.is_empty()).then(|| SecretValue::new(token))
}

#[cfg(test)]
mod tests;
