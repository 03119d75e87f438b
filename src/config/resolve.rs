//! Secret references become secrets, at the moment they are needed.
//!
//! `env` reads our frozen environment, `file` a guarded file (`J1`-`J5`), `exec` starts one program without
//! a shell, with a bare environment and a deadline, and speaks the official protocol on its stdin and
//! stdout. Nothing is cached: a rotated secret counts at the next resolution (`E18`), and one that does not
//! resolve is an error, never the old value (`E19`). `exec` blocks its thread for up to its deadline.

use std::path::Path;

use openclaw_auth::secret::{Secret, vet};
use serde_json::Value;

use crate::config::env::Env;
use crate::config::gateway::AuthMode;
use crate::config::guard::{self, Holds};
use crate::config::load::Loaded;
use crate::config::paths::Paths;
use crate::config::problem::{Problem, Problems};
use crate::config::redact::at;
use crate::config::rules;
use crate::config::secret::{
    FileMode, SINGLE_VALUE, SecretInput, SecretProvider, SecretRef, SecretSource, SecretValue,
    Secrets, check_reference,
};

mod exec;

/// The largest file with secrets: the official default.
const MAX_FILE: usize = 1024 * 1024;

/// Where references are looked up.
#[derive(Debug, Clone, Copy)]
pub struct Resolver<'r> {
    /// Variables.
    pub env: &'r Env,
    /// Providers.
    pub secrets: &'r Secrets,
    /// For `~` and relative paths.
    pub paths: &'r Paths,
}

impl Loaded {
    /// The resolver of this configuration.
    pub fn resolver(&self) -> Resolver<'_> {
        Resolver { env: &self.env, secrets: &self.config.secrets, paths: &self.paths }
    }
}

/// The gateway's own secrets, resolved and vetted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Shared token; `None` in token mode means that the state makes one (`E8`).
    pub token: Option<SecretValue>,
    /// Shared password; beside `trusted-proxy` it lets clients of this host in.
    pub password: Option<SecretValue>,
}

/// Resolves what `gateway.auth.mode` compares with, and only that.
///
/// # Errors
/// A reference that does not resolve, or a secret that is none (`E1`-`E5`).
pub fn credentials(loaded: &Loaded) -> Result<Credentials, Problems> {
    let auth = &loaded.config.gateway.auth;
    let (token, password) = match auth.effective_mode() {
        AuthMode::Token => (auth.token.as_ref(), None),
        AuthMode::Password | AuthMode::TrustedProxy => (None, auth.password.as_ref()),
        AuthMode::None => (None, None),
    };
    let mut problems = Vec::new();
    let mut take = |key: &str, input: Option<&SecretInput>| {
        let found = vetted(loaded, key, input?);
        found.map_err(|problem| problems.push(problem)).ok()
    };
    let token = take("gateway.auth.token", token);
    let password = take("gateway.auth.password", password);
    if problems.is_empty() { Ok(Credentials { token, password }) } else { Err(problems.into()) }
}

fn vetted(loaded: &Loaded, key: &str, input: &SecretInput) -> Result<SecretValue, Problem> {
    let located = |problem: Problem| problem.at(loaded.sources.place(key));
    let secret = loaded.resolver().resolve(key, input).map_err(located)?;
    match vet(&Secret::new(secret.expose()), rules::exposure(&loaded.config)) {
        Ok(_) => Ok(secret),
        Err(refusal) => Err(located(Problem::new(key, refusal.to_string()).hint(refusal.hint()))),
    }
}

impl Resolver<'_> {
    /// The secret of `input`, which was written at `key`.
    ///
    /// # Errors
    /// What is missing or refused; never a part of the secret.
    pub fn resolve(&self, key: &str, input: &SecretInput) -> Result<SecretValue, Problem> {
        let reference = match input {
            SecretInput::Plain(text) => return Ok(text.clone()),
            SecretInput::Ref(reference) => reference,
        };
        check_reference(reference).map_err(|message| Problem::new(key, message))?;
        let secret = match reference.source {
            SecretSource::Env => self.read_env(reference),
            SecretSource::File => self.read_file(reference),
            SecretSource::Exec => self.read_exec(reference),
        };
        let secret = secret.map_err(|(message, hint)| Problem::new(key, message).hint(hint))?;
        if secret.is_empty() {
            return Err(Problem::new(key, "the referenced secret is empty"));
        }
        Ok(SecretValue::new(secret))
    }

    fn name<'s>(&'s self, reference: &'s SecretRef) -> &'s str {
        let default = self.secrets.defaults.get(reference.source.as_str());
        reference.provider.as_deref().or_else(|| default.map(String::as_str)).unwrap_or("default")
    }

    fn provider(&self, reference: &SecretRef) -> Option<&SecretProvider> {
        self.secrets.providers.get(self.name(reference))
    }

    fn unknown(&self, reference: &SecretRef) -> Failure {
        let (name, source) = (self.name(reference), reference.source.as_str());
        (
            format!("there is no `{source}` provider `{name}`"),
            format!("add it to `secrets.providers` with `source: \"{source}\"`"),
        )
    }

    fn read_env(&self, reference: &SecretRef) -> Found {
        let id = reference.id.as_str();
        let default = self.secrets.defaults.get("env").map_or("default", String::as_str);
        match self.provider(reference) {
            Some(SecretProvider::Env { allowlist: Some(names) })
                if !names.iter().any(|name| name == id) =>
            {
                let message =
                    format!("the provider `{}` does not allow `{id}`", self.name(reference));
                return Err((message, "add it to the provider's `allowlist`".to_owned()));
            }
            Some(SecretProvider::Env { .. }) => {}
            Some(SecretProvider::File { .. } | SecretProvider::Exec(_)) | None
                if self.name(reference) == default => {}
            Some(SecretProvider::File { .. } | SecretProvider::Exec(_)) | None => {
                return Err(self.unknown(reference));
            }
        }
        let value = self.env.named(id).map(str::to_owned);
        value.ok_or_else(|| (format!("the variable `{id}` is not set"), format!("set `{id}`")))
    }

    fn read_file(&self, reference: &SecretRef) -> Found {
        let Some(SecretProvider::File { path, mode, max_bytes }) = self.provider(reference) else {
            return Err(self.unknown(reference));
        };
        let path = self.paths.absolute(path);
        let text = read_private(&path, max_bytes.unwrap_or(MAX_FILE)).map_err(told)?;
        match mode {
            FileMode::SingleValue if reference.id == SINGLE_VALUE => Ok(without_newline(&text)),
            FileMode::SingleValue => Err((
                "a `singleValue` file has one secret".to_owned(),
                "use the id `value`".to_owned(),
            )),
            FileMode::Json => {
                let json: Value = serde_json::from_str(&text).map_err(|error| {
                    let place = format!("{}:{}:{}", path.display(), error.line(), error.column());
                    (format!("`{place}` is not JSON"), "check the file".to_owned())
                })?;
                let found = pointer(&json, &reference.id).and_then(Value::as_str);
                found.map(str::to_owned).ok_or_else(|| {
                    let message = format!("`{}` has no text at `{}`", path.display(), reference.id);
                    (message, "the id is a JSON pointer such as `/a/b`".to_owned())
                })
            }
        }
    }

    fn read_exec(&self, reference: &SecretRef) -> Found {
        let Some(SecretProvider::Exec(provider)) = self.provider(reference) else {
            return Err(self.unknown(reference));
        };
        exec::ask(self, self.name(reference), provider, &reference.id)
    }
}

/// The secret of a file named on the command line: guarded, one trailing newline cut (`E6`).
///
/// # Errors
/// As `config::guard`.
pub fn password_file(path: &Path) -> Result<SecretValue, Problem> {
    let text = read_private(path, MAX_FILE)?;
    Ok(SecretValue::new(without_newline(&text)))
}

/// Message and hint.
type Failure = (String, String);

type Found = Result<String, Failure>;

fn told(problem: Problem) -> Failure {
    (problem.message, problem.hint.map(String::from).unwrap_or_default())
}

fn read_private(path: &Path, limit: usize) -> Result<String, Problem> {
    let missing = || Problem::new("", format!("`{}` does not exist", path.display()));
    let guarded = guard::read(path, limit)?.ok_or_else(missing)?;
    guarded.judge(Holds::Secrets)?;
    Ok(guarded.text)
}

fn without_newline(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text).to_owned()
}

fn pointer<'j>(json: &'j Value, pointer: &str) -> Option<&'j Value> {
    let names: Vec<String> =
        pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~")).collect();
    at(json, &names)
}

#[cfg(test)]
mod tests;
