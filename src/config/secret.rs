//! Secrets as the file writes them and as the product holds them.
//!
//! A secret key takes a string or a reference `{ source, provider?, id }`; both are a [`SecretInput`].
//! `config::resolve` turns it into a [`SecretValue`], which is erased when it is dropped and shows
//! `***` wherever it is printed (`J13`).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroize;

/// A resolved secret. Compare it in constant time in `openclaw-auth`; here `==` serves reload and tests.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// Takes ownership of the secret's text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for SecretValue {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for SecretValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// Where a referenced secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// An environment variable.
    Env,
    /// A file: a JSON document with a pointer, or one whole file.
    File,
    /// A program that answers on stdout.
    Exec,
}

impl SecretSource {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::File => "file",
            Self::Exec => "exec",
        }
    }
}

/// A reference to a secret that is stored elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// Kind of source.
    pub source: SecretSource,
    /// Name under `secrets.providers`; `default` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Variable name, JSON pointer or provider id.
    pub id: String,
}

/// A secret key's value as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum SecretInput {
    /// The text itself.
    Plain(SecretValue),
    /// A reference.
    Ref(SecretRef),
}

/// `secrets`: where references are looked up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Secrets {
    /// `providers`; kinds that we do not have are left out.
    #[serde(deserialize_with = "de_providers")]
    pub providers: BTreeMap<String, SecretProvider>,
    /// `defaults`: source -> provider name.
    pub defaults: BTreeMap<String, String>,
}

fn de_providers<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, SecretProvider>, D::Error> {
    let written = BTreeMap::<String, serde_json::Value>::deserialize(from)?;
    let known = written
        .into_iter()
        .filter_map(|(name, provider)| Some((name, serde_json::from_value(provider).ok()?)));
    Ok(known.collect())
}

/// One entry of `secrets.providers`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum SecretProvider {
    /// Environment variables, optionally only those listed.
    Env {
        /// `allowlist`.
        #[serde(default)]
        allowlist: Option<Vec<String>>,
    },
    /// A file.
    #[serde(rename_all = "camelCase")]
    File {
        /// `path`.
        path: PathBuf,
        /// `mode`.
        #[serde(default)]
        mode: FileMode,
        /// `maxBytes`.
        #[serde(default)]
        max_bytes: Option<usize>,
    },
    /// A program.
    Exec(ExecProvider),
}

/// `mode` of a file provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FileMode {
    /// A JSON document; the id is a JSON pointer.
    #[default]
    Json,
    /// The whole file is the secret; the id is `value`.
    SingleValue,
}

/// A program that answers with secrets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecProvider {
    /// `command`: absolute path.
    pub command: PathBuf,
    /// `args`.
    #[serde(default)]
    pub args: Vec<String>,
    /// `timeoutMs`.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// `maxOutputBytes`.
    #[serde(default)]
    pub max_output_bytes: Option<usize>,
    /// `jsonOnly`.
    #[serde(default)]
    pub json_only: Option<bool>,
    /// `env`: literal variables of the child.
    #[serde(default)]
    pub env: BTreeMap<String, SecretValue>,
    /// `passEnv`: variables of ours that the child gets.
    #[serde(default)]
    pub pass_env: Vec<String>,
    /// `trustedDirs`.
    #[serde(default)]
    pub trusted_dirs: Vec<PathBuf>,
}

/// Whether `name` may name a provider: a lower-case letter, then letters, digits, `_`, `-`, 64 in all.
pub fn is_provider_name(name: &str) -> bool {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name.chars().all(valid)
}

/// Checks a reference's grammar, which is the official one.
///
/// # Errors
/// One sentence.
pub fn check_reference(reference: &SecretRef) -> Result<(), String> {
    if reference.provider.as_deref().is_some_and(|name| !is_provider_name(name)) {
        return Err("`provider` is not a provider name".to_owned());
    }
    let id = reference.id.as_str();
    let (valid, wanted) = match reference.source {
        SecretSource::Env => (is_variable(id), "the name of an environment variable"),
        SecretSource::File => (
            id == SINGLE_VALUE || id.starts_with('/') && id.len() <= 1024,
            "a JSON pointer such as `/providers/x/key`, or `value`",
        ),
        SecretSource::Exec => (is_exec_id(id), "letters, digits and `._:/#-` without `..` parts"),
    };
    if valid { Ok(()) } else { Err(format!("`id` is not {wanted}")) }
}

/// The id of a secret that is a whole file.
pub const SINGLE_VALUE: &str = "value";

/// Whether `name` is capitals, digits and `_`, 128 at most.
pub fn is_variable(name: &str) -> bool {
    let valid = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.len() <= 128
        && name.chars().all(valid)
}

fn is_exec_id(id: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || "._:/#-".contains(c);
    id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.len() <= 256
        && id.chars().all(valid)
        && !id.split('/').any(|part| part == "." || part == "..")
}

impl SecretInput {
    /// The reference. The short form `"$NAME"` of the file is written out when it is loaded.
    pub fn reference(&self) -> Option<&SecretRef> {
        match self {
            Self::Ref(reference) => Some(reference),
            Self::Plain(_) => None,
        }
    }

    /// The text itself, where it is written out.
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text.expose()),
            Self::Ref(_) => None,
        }
    }
}
