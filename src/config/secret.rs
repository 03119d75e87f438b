//! Secrets as the file writes them and as the product holds them.
//!
//! A secret key takes a string or a reference `{ source, provider?, id }`; both are a [`SecretInput`].
//! `config::resolve` turns it into a [`SecretValue`], which is erased when it is dropped and shows
//! `***` wherever it is printed (`J13`).

use std::fmt;

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
