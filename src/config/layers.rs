//! The layers: defaults < profile < file < environment < flags.
//!
//! Each layer is a figment provider with its own metadata, so that figment itself answers where a value
//! came from. A layer holds only what it says; typing happens once, on the merged result.

use std::collections::BTreeMap;

use figment::value::{Dict, Map as FigmentMap, Value as FigmentValue};
use figment::{Error, Figment, Metadata, Profile, Provider};
use serde_json::{Map, Value, json};

use crate::config::env::{self, Env, Variable};
use crate::config::gateway::{AuthMode, BindMode, DEV_PORT, TailscaleMode};
use crate::config::include::Tree;
use crate::config::keys;
use crate::config::keys::table::{KEYS, LEVELS};
use crate::config::paths::Paths;
use crate::config::problem::{Place, Problem, Warning};
use crate::config::reload::Marks;
use crate::config::secret::SecretValue;

/// What the command line says. `None` = not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--port`; 0 lets the system choose (tests).
    pub port: Option<u16>,
    /// `--bind`.
    pub bind: Option<BindMode>,
    /// `--auth`.
    pub auth: Option<AuthMode>,
    /// `--token`: visible to every process of the host, hence a warning (`E20`).
    pub token: Option<SecretValue>,
    /// `--password` or the content of `--password-file`.
    pub password: Option<SecretValue>,
    /// `--tailscale`.
    pub tailscale: Option<TailscaleMode>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody wrote it.
    Default,
    /// `--dev`.
    Profile,
    /// A file.
    File(Option<Place>),
    /// An environment variable.
    Environment(&'static str),
    /// A flag.
    Flag(&'static str),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile => f.write_str("`--dev`"),
            Self::File(Some(place)) => write!(f, "{place}"),
            Self::File(None) => f.write_str("file"),
            Self::Environment(name) | Self::Flag(name) => write!(f, "`{name}`"),
        }
    }
}

/// The source of every key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    sources: BTreeMap<&'static str, Source>,
}

impl Provenance {
    /// The source of the key at the dotted `path`.
    pub fn of(&self, path: &str) -> &Source {
        self.sources.get(path).unwrap_or(&Source::Default)
    }

    /// Whether a person wrote the key anywhere.
    pub fn is_written(&self, path: &str) -> bool {
        !matches!(self.of(path), Source::Default | Source::Profile)
    }

    /// The place in a file, if a file wrote it.
    pub fn place(&self, path: &str) -> Option<Place> {
        match self.of(path) {
            Source::File(place) => place.clone(),
            Source::Default | Source::Profile | Source::Environment(_) | Source::Flag(_) => None,
        }
    }
}

const DEFAULTS: &str = "defaults";
const PROFILE: &str = "profile";
const FILE: &str = "file";
const ENVIRONMENT: &str = "environment";
const FLAGS: &str = "flags";

struct Layer {
    name: &'static str,
    data: Value,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<FigmentMap<Profile, Dict>, Error> {
        let dict = FigmentValue::serialize(&self.data)?.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

/// A layer from outside the file: its values, and the variable or flag of each.
#[derive(Default)]
pub struct Overlay {
    data: Map<String, Value>,
    names: BTreeMap<&'static str, &'static str>,
    /// Values that cannot be used.
    pub problems: Vec<Problem>,
    /// Values that are used, or ignored harmlessly.
    pub warnings: Vec<Warning>,
}

impl Overlay {
    fn put(&mut self, path: &'static str, name: &'static str, value: Value) {
        put(&mut self.data, path, value);
        self.names.insert(path, name);
    }
}

fn put(map: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(map.insert(path.to_owned(), value)),
        Some((section, rest)) => {
            let inner = map.entry(section).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// The layer of the environment.
pub fn environment(env: &Env) -> Overlay {
    let mut layer = Overlay { warnings: env.deprecations(), ..Overlay::default() };
    let rows: [(&Variable, &'static str); 6] = [
        (&env::GATEWAY_PORT, "gateway.port"),
        (&env::HANDSHAKE_TIMEOUT_MS, "gateway.handshakeTimeoutMs"),
        (&env::GATEWAY_BIND, "gateway.bind"),
        (&env::GATEWAY_TOKEN, "gateway.auth.token"),
        (&env::GATEWAY_PASSWORD, "gateway.auth.password"),
        (&env::LOG_LEVEL, "logging.level"),
    ];
    for (variable, path) in rows {
        let Some(text) = env.value(variable) else { continue };
        let name = env.name_of(variable);
        match read_variable(path, text) {
            Ok(value) => layer.put(path, name, value),
            Err(hint) if path == "logging.level" => {
                layer.warnings.push(Warning::new(name, "not a log level; ignored", hint));
            }
            Err(hint) => {
                layer
                    .problems
                    .push(Problem::new(name, format!("not a value of `{path}`")).hint(hint));
            }
        }
    }
    if let Some(level) = layer.data.get("logging").and_then(|logging| logging.get("level")).cloned()
    {
        let name = env.name_of(&env::LOG_LEVEL);
        layer.put("logging.consoleLevel", name, level);
    }
    layer
}

fn read_variable(path: &str, text: &str) -> Result<Value, String> {
    let number = |least: u64, most: u64| match text.trim().parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(json!(number)),
        Ok(_) | Err(_) => Err(format!("a whole number from {least} to {most}")),
    };
    let word = |words: &[&str]| {
        let lower = text.trim().to_ascii_lowercase();
        if words.contains(&lower.as_str()) { Ok(json!(lower)) } else { Err(words.join(", ")) }
    };
    match path {
        "gateway.port" => number(1, 65_535),
        "gateway.handshakeTimeoutMs" => number(100, 600_000),
        "gateway.bind" => word(&["loopback", "lan", "tailnet", "custom", "auto"]),
        "logging.level" => word(LEVELS),
        _ => Ok(json!(text)),
    }
}

/// The layer of the command line.
pub fn flags(flags: &Flags) -> Overlay {
    let mut layer = Overlay::default();
    if let Some(port) = flags.port {
        layer.put("gateway.port", "--port", json!(port));
    }
    if let Some(bind) = flags.bind {
        layer.put("gateway.bind", "--bind", json!(bind));
    }
    if let Some(mode) = flags.auth {
        layer.put("gateway.auth.mode", "--auth", json!(mode));
    }
    if let Some(token) = &flags.token {
        layer.put("gateway.auth.token", "--token", json!(token.expose()));
        layer.warnings.push(Warning::new(
            "--token",
            "every process of this host can read a secret on the command line",
            "set `OPENCLAW_GATEWAY_TOKEN` or `gateway.auth.token` instead",
        ));
    }
    if let Some(password) = &flags.password {
        layer.put("gateway.auth.password", "--password", json!(password.expose()));
    }
    if let Some(mode) = flags.tailscale {
        layer.put("gateway.tailscale.mode", "--tailscale", json!(mode));
    }
    layer
}

/// The layers in their order.
pub struct Stack {
    figment: Figment,
    /// Each section once merged: figment merges anew at every question.
    merged: BTreeMap<String, FigmentValue>,
    environment: BTreeMap<&'static str, &'static str>,
    flags: BTreeMap<&'static str, &'static str>,
}

impl Stack {
    /// Stacks the layers; `file` is the merged, interpolated and checked document.
    pub fn new(paths: &Paths, file: Value, environment: Overlay, flags: Overlay) -> Self {
        let profile = match paths.is_dev() {
            true => json!({ "gateway": { "port": DEV_PORT } }),
            false => json!({}),
        };
        let figment = Figment::new()
            .merge(Layer { name: DEFAULTS, data: defaults() })
            .merge(Layer { name: PROFILE, data: profile })
            .merge(Layer { name: FILE, data: file })
            .merge(Layer { name: ENVIRONMENT, data: Value::Object(environment.data) })
            .merge(Layer { name: FLAGS, data: Value::Object(flags.data) });
        let sections = keys::children("").into_iter();
        let merged = sections
            .filter_map(|section| Some((section.to_owned(), figment.find_value(section).ok()?)))
            .collect();
        Self { figment, merged, environment: environment.names, flags: flags.names }
    }

    fn value(&self, path: &str) -> Option<&FigmentValue> {
        let (section, rest) = path.split_once('.')?;
        self.merged.get(section)?.find_ref(rest)
    }

    /// The typed result.
    ///
    /// # Errors
    /// The key that does not fit, without its value (`J13`).
    pub fn extract<T: serde::de::DeserializeOwned>(&self) -> Result<T, Problem> {
        self.figment.extract().map_err(|error| {
            let key = error.path.join(".");
            Problem::new(key, "the value does not fit")
                .hint("`openclaw config schema` shows its shape")
        })
    }

    /// The source of every key of the table.
    pub fn provenance(&self, tree: &Tree) -> Provenance {
        let sources = KEYS.iter().filter_map(|key| Some((key.path, self.source(key.path, tree)?)));
        Provenance { sources: sources.collect() }
    }

    /// The marks of the effective values.
    pub fn marks(&self) -> Marks {
        Marks::new(|path| self.value(path))
    }

    fn source(&self, path: &'static str, tree: &Tree) -> Option<Source> {
        match self.figment.get_metadata(self.value(path)?.tag())?.name.as_ref() {
            PROFILE => Some(Source::Profile),
            FILE => Some(Source::File(tree.place_of(path))),
            ENVIRONMENT => self.environment.get(path).copied().map(Source::Environment),
            FLAGS => self.flags.get(path).copied().map(Source::Flag),
            _ => Some(Source::Default),
        }
    }
}

/// The defaults of the table as one object.
pub fn defaults() -> Value {
    let mut map = Map::new();
    for key in KEYS {
        if let Some(value) = key.default_value() {
            put(&mut map, key.path, value);
        }
    }
    Value::Object(map)
}
