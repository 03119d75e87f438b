//! The environment, read in one place.
//!
//! [`Env::process`] is the only reader of process variables in the product; everything else takes an
//! [`Env`] as an argument, so tests use [`Env::of`] and never touch the process. Every variable that we
//! read is a [`Variable`] constant in [`VARIABLES`]. No `.env` file is read, neither the workspace's nor
//! a global one: a file that a project brings along must not move the gateway (`A23`).
//! Names of the oldest releases (`CLAWDBOT_*`) are still read, each with one deprecation warning.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::config::problem::Warning;

/// One environment variable that the product reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The name to set.
    pub name: &'static str,
    /// The name of the same thing in the oldest releases; accepted with a warning.
    pub former: Option<&'static str>,
    /// One line for help and documents.
    pub about: &'static str,
}

const fn variable(name: &'static str, about: &'static str) -> Variable {
    Variable { name, former: None, about }
}

const fn renamed(name: &'static str, former: &'static str, about: &'static str) -> Variable {
    Variable { name, former: Some(former), about }
}

/// Port of the local gateway; below `--port`, above `gateway.port`.
pub const GATEWAY_PORT: Variable =
    renamed("OPENCLAW_GATEWAY_PORT", "CLAWDBOT_GATEWAY_PORT", "port of the local gateway");
/// Shared token of gateway and clients; below `--token`, above `gateway.auth.token`.
pub const GATEWAY_TOKEN: Variable =
    renamed("OPENCLAW_GATEWAY_TOKEN", "CLAWDBOT_GATEWAY_TOKEN", "shared token");
/// Shared password of gateway and clients.
pub const GATEWAY_PASSWORD: Variable =
    renamed("OPENCLAW_GATEWAY_PASSWORD", "CLAWDBOT_GATEWAY_PASSWORD", "shared password");
/// Address that client commands dial; never read by the gateway itself.
pub const GATEWAY_URL: Variable =
    variable("OPENCLAW_GATEWAY_URL", "address of the gateway that client commands dial");
/// Bind word from the process environment (never from a `.env` file: `A23`).
pub const GATEWAY_BIND: Variable = variable(
    "OPENCLAW_GATEWAY_BIND",
    "bind mode; read from the process environment only, never from a `.env` file",
);
/// State directory in place of `~/.openclaw`.
pub const STATE_DIR: Variable = variable("OPENCLAW_STATE_DIR", "state directory");
/// Configuration file in place of `<state>/openclaw.json`.
pub const CONFIG_PATH: Variable = variable("OPENCLAW_CONFIG_PATH", "configuration file");
/// Home directory for the defaults above.
pub const OPENCLAW_HOME: Variable =
    variable("OPENCLAW_HOME", "home directory for the default paths");
/// Profile name, as `--profile`.
pub const PROFILE: Variable = variable("OPENCLAW_PROFILE", "profile name, as `--profile`");
/// Further directories, separated like `PATH`, from which `$include` may read.
pub const INCLUDE_ROOTS: Variable =
    variable("OPENCLAW_INCLUDE_ROOTS", "directories from which `$include` may read, like `PATH`");
/// Milliseconds that a socket may take to send a valid `connect`.
pub const HANDSHAKE_TIMEOUT_MS: Variable =
    variable("OPENCLAW_HANDSHAKE_TIMEOUT_MS", "milliseconds until `connect` must have come");
/// `1` lets a client speak plain `ws://` to a private address.
pub const ALLOW_INSECURE_PRIVATE_WS: Variable = variable(
    "OPENCLAW_ALLOW_INSECURE_PRIVATE_WS",
    "`1` lets a client speak plain `ws://` to a private address",
);
/// `1` starts the gateway without channels.
pub const SKIP_CHANNELS: Variable =
    variable("OPENCLAW_SKIP_CHANNELS", "`1` starts the gateway without channels");
/// Log level over `logging.level`.
pub const LOG_LEVEL: Variable = variable("OPENCLAW_LOG_LEVEL", "log level over `logging.level`");
/// `1` refuses every write to the configuration file.
pub const CONFIG_READONLY: Variable =
    variable("OPENCLAW_CONFIG_READONLY", "`1` refuses every write to the configuration file");
/// Any value switches colour off (no-color.org).
pub const NO_COLOR: Variable = variable("NO_COLOR", "any value switches colour off");
/// systemd's notification socket.
pub const NOTIFY_SOCKET: Variable = variable("NOTIFY_SOCKET", "systemd's notification socket");
/// systemd's watchdog period in microseconds.
pub const WATCHDOG_USEC: Variable = variable("WATCHDOG_USEC", "systemd's watchdog period");
/// systemd's credential directory (`LoadCredential=`).
pub const CREDENTIALS_DIRECTORY: Variable =
    variable("CREDENTIALS_DIRECTORY", "systemd's credential directory");
/// The user's home directory.
pub const HOME: Variable = variable("HOME", "the user's home directory");

/// Every variable we read, in the order in which help lists them.
pub const VARIABLES: &[Variable] = &[
    GATEWAY_PORT,
    GATEWAY_TOKEN,
    GATEWAY_PASSWORD,
    GATEWAY_URL,
    GATEWAY_BIND,
    STATE_DIR,
    CONFIG_PATH,
    OPENCLAW_HOME,
    PROFILE,
    INCLUDE_ROOTS,
    HANDSHAKE_TIMEOUT_MS,
    ALLOW_INSECURE_PRIVATE_WS,
    SKIP_CHANNELS,
    LOG_LEVEL,
    CONFIG_READONLY,
    NO_COLOR,
    NOTIFY_SOCKET,
    WATCHDOG_USEC,
    CREDENTIALS_DIRECTORY,
    HOME,
];

/// A frozen copy of an environment. `Debug` shows names only: values hold secrets (`J13`).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env {
    variables: Arc<BTreeMap<String, String>>,
}

impl Env {
    /// The environment of this process, copied once. Values that are not UTF-8 are left out.
    pub fn process() -> Self {
        let pairs = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self { variables: Arc::new(pairs.collect()) }
    }

    /// An environment made of `pairs`.
    pub fn of<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { variables: Arc::new(pairs.collect()) }
    }

    /// The value of `variable` under its name or its former name. A blank value counts as unset.
    pub fn value(&self, variable: &Variable) -> Option<&str> {
        self.named(variable.name).or_else(|| self.named(variable.former?))
    }

    /// The name under which `variable` is set: what an error should print.
    pub fn name_of(&self, variable: &Variable) -> &'static str {
        match (self.named(variable.name), variable.former) {
            (None, Some(former)) if self.named(former).is_some() => former,
            _ => variable.name,
        }
    }

    /// The value of any name, for `${NAME}` and secret references. A blank value counts as unset.
    pub fn named(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// Whether `variable` is switched on: `1`, `true`, `yes` or `on`.
    pub fn is_on(&self, variable: &Variable) -> bool {
        self.value(variable).is_some_and(|value| {
            matches!(value.trim().to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
        })
    }

    /// This environment where a name is set, `fallback` elsewhere (the file's `env.vars`).
    #[must_use]
    pub fn or_fallback<'v>(&self, fallback: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        let mut variables = (*self.variables).clone();
        for (name, value) in fallback {
            if self.named(name).is_none() {
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
        Self { variables: Arc::new(variables) }
    }

    /// One warning for every former name that is set.
    pub fn deprecations(&self) -> Vec<Warning> {
        VARIABLES
            .iter()
            .filter_map(|variable| {
                let former = variable.former.filter(|former| self.named(former).is_some())?;
                Some(Warning::new(
                    former,
                    format!("`{former}` is a former name and will stop working"),
                    format!("set `{}` instead", variable.name),
                ))
            })
            .collect()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
