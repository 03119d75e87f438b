//! Where the state directory and the configuration file are.
//!
//! | asked | state | file |
//! |---|---|---|
//! | nothing | `~/.openclaw` | `<state>/openclaw.json` |
//! | `--profile NAME` or `OPENCLAW_PROFILE` | `~/.openclaw-NAME` | `<state>/openclaw.json` |
//! | `--dev` | `~/.openclaw-dev`, port 19001 | `<state>/openclaw.json` |
//! | `OPENCLAW_STATE_DIR` | that directory | `<state>/openclaw.json` |
//! | `OPENCLAW_CONFIG_PATH` | as above | that file |
//!
//! The flag beats `OPENCLAW_PROFILE`; an explicit path variable beats both. `~` is `OPENCLAW_HOME`,
//! else `HOME`. Nothing is created or opened here: `config::guard` does that with its checks.

use std::path::{Path, PathBuf};

use crate::config::env::{self, Env};
use crate::config::problem::Problem;

/// The file's name inside the state directory.
pub const FILE_NAME: &str = "openclaw.json";

/// The profile of `--dev`.
pub const DEV_PROFILE: &str = "dev";

/// Which instance a command means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Instance {
    /// The ordinary one, or `OPENCLAW_PROFILE`.
    #[default]
    Default,
    /// `--profile NAME`.
    Profile(String),
    /// `--dev`.
    Dev,
}

/// The paths of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Home directory that `~` means.
    pub home: PathBuf,
    /// State directory.
    pub state: PathBuf,
    /// Configuration file.
    pub config: PathBuf,
    /// Profile in force.
    pub profile: Option<String>,
}

impl Paths {
    /// The paths of `instance` in `env`.
    ///
    /// # Errors
    /// No home directory, or a profile name with other characters than letters, digits, `_` and `-`.
    pub fn resolve(instance: &Instance, env: &Env) -> Result<Self, Problem> {
        let home = home(env)?;
        let profile = profile(instance, env)?;
        let state = match (env.value(&env::STATE_DIR), &profile) {
            (Some(path), _) => expand(path, &home),
            (None, Some(name)) => home.join(format!(".openclaw-{name}")),
            (None, None) => home.join(".openclaw"),
        };
        let config = match env.value(&env::CONFIG_PATH) {
            Some(path) => expand(path, &home),
            None => state.join(FILE_NAME),
        };
        Ok(Self { home, state, config, profile })
    }

    /// Whether this is the `--dev` instance.
    pub fn is_dev(&self) -> bool {
        self.profile.as_deref() == Some(DEV_PROFILE)
    }

    /// A path as a person wrote it: `~` is the home, a relative one is taken from the file's directory.
    pub fn absolute(&self, written: &Path) -> PathBuf {
        let expanded = match written.to_str() {
            Some(text) => expand(text, &self.home),
            None => written.to_owned(),
        };
        match (expanded.is_absolute(), self.config.parent()) {
            (false, Some(folder)) => folder.join(expanded),
            _ => expanded,
        }
    }
}

fn home(env: &Env) -> Result<PathBuf, Problem> {
    let system = env.value(&env::HOME).map(PathBuf::from);
    let wanted =
        env.value(&env::OPENCLAW_HOME).filter(|path| !matches!(*path, "undefined" | "null"));
    match (wanted, system) {
        (Some(path), Some(system)) => Ok(expand(path, &system)),
        (Some(path), None) if !path.starts_with('~') => Ok(PathBuf::from(path)),
        (None, Some(system)) => Ok(system),
        (Some(_) | None, None) => Err(Problem::new("HOME", "there is no home directory")
            .hint("set `HOME`, `OPENCLAW_HOME`, or both `OPENCLAW_STATE_DIR` and `HOME`")),
    }
}

fn profile(instance: &Instance, env: &Env) -> Result<Option<String>, Problem> {
    let (name, key) = match instance {
        Instance::Dev => return Ok(Some(DEV_PROFILE.to_owned())),
        Instance::Profile(name) => (name.as_str(), "--profile"),
        Instance::Default => match env.value(&env::PROFILE) {
            Some(name) => (name.trim(), env::PROFILE.name),
            None => return Ok(None),
        },
    };
    if name.eq_ignore_ascii_case("default") {
        return Ok(None);
    }
    let valid = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if name.is_empty() || name.len() > MAX_PROFILE || name.starts_with('-') || !valid {
        return Err(Problem::new(key, "not a profile name")
            .hint("use up to 64 letters, digits, `_` and `-`, not starting with `-`"));
    }
    Ok(Some(name.to_owned()))
}

/// A profile name is part of a directory name; 64 is far below the 255 of every file system.
const MAX_PROFILE: usize = 64;

fn expand(path: &str, home: &Path) -> PathBuf {
    let path = path.trim();
    match path.strip_prefix('~') {
        Some("") => home.to_owned(),
        Some(rest) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        Some(_) | None => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests;
