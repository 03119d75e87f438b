//! From files, environment and flags to one typed configuration, or to everything that is wrong.
//!
//! read (with `guard`) -> parse -> `$include` -> `${NAME}` -> check against the table -> layers -> typed
//! -> rules. A missing file is the empty configuration: local, loopback, token made by the state.
//! Nothing here resolves a secret reference or starts a program: `config::resolve` does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::check::{self, Findings};
use crate::config::document::{Document, MAX_BYTES, dotted};
use crate::config::env::{self, Env};
use crate::config::gateway::{Config, Gateway, Logging};
use crate::config::guard::{self, Holds};
use crate::config::include::{self, Tree};
use crate::config::interpolate::{self, Missing};
use crate::config::keys::{self, Standing};
use crate::config::layers::{self, Flags, Overlay, Provenance, Stack};
use crate::config::paths::Paths;
use crate::config::problem::{Problem, Problems, Warning};
use crate::config::redact;
use crate::config::reload::Marks;
use crate::config::rules;
use crate::config::secret::{Secrets, is_variable};

/// What to load.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// Where the files are.
    pub paths: &'r Paths,
    /// The environment.
    pub env: &'r Env,
    /// The command line.
    pub flags: &'r Flags,
}

/// Why we look at a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To run it: everything it needs must be here.
    Start,
    /// To save it: a variable or a secret may be set elsewhere, for the service alone.
    Save,
}

/// A configuration that holds together.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The typed result.
    pub config: Config,
    /// Where each value came from.
    pub sources: Provenance,
    /// What a person should know.
    pub warnings: Vec<Warning>,
    /// Sections and keys that nobody here reads.
    pub unread: Vec<String>,
    /// Where the files are.
    pub paths: Paths,
    /// The main file; `None` where there is none.
    pub document: Option<Document>,
    /// The merged file, before `${NAME}`.
    pub tree: Tree,
    /// What `config::reload` compares.
    pub marks: Marks,
    /// The environment with the file's `env` section below it: what references resolve against.
    pub env: Env,
}

/// Loads the configuration.
///
/// # Errors
/// Everything that stops the start, at once.
pub fn load(request: &Request<'_>) -> Result<Loaded, Problems> {
    let document = read(&request.paths.config)?;
    assemble(request, document, Purpose::Start)
}

/// Reads and parses the main file with its ownership checks; `None` where there is none.
///
/// # Errors
/// `J1`-`J5`, `J7`, `J8`.
pub fn read(path: &Path) -> Result<Option<Document>, Problems> {
    let Some(guarded) = guard::read(path, MAX_BYTES)? else { return Ok(None) };
    let document = Document::parse(path, &guarded.text)?;
    if redact::holds_secret(&document.value) {
        guarded.judge(Holds::Secrets)?;
    }
    Ok(Some(document))
}

/// Puts a parsed document together with the other layers.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn assemble(
    request: &Request<'_>,
    document: Option<Document>,
    purpose: Purpose,
) -> Result<Loaded, Problems> {
    let tree = expand(request, document.clone())?;
    let env = overlay_env(request.env, &tree.value);
    let (mut value, missing) = interpolate::interpolate(&tree.value, &env);
    lengthen(&mut value, &mut Vec::new());

    let environment = layers::environment(request.env);
    let flags = layers::flags(request.flags);
    let mut found = check::check(&value, &tree);
    report_missing(&missing, &tree, purpose, &mut found);
    collect(&environment, &mut found);
    collect(&flags, &mut found);
    prune(&mut value, &found.problems);

    let stack = Stack::new(request.paths, typed_part(&value), environment, flags);
    let sources = stack.provenance(&tree);
    let mut typed: Typed = match stack.extract() {
        Ok(typed) => typed,
        Err(problem) => return Err(with(found.problems, problem, &tree)),
    };
    typed.gateway.mode_written = sources.is_written("gateway.mode");
    typed.gateway.bind_written = sources.is_written("gateway.bind");
    typed.gateway.nodes.take_former();
    let config = typed.with_rest(&value);
    let unset = missing.iter().map(|missing| dotted(&missing.path)).collect();
    rules::apply(&rules::Case { config: &config, sources: &sources, purpose, unset }, &mut found);
    if !found.problems.is_empty() {
        return Err(sorted(found.problems));
    }
    let Findings { warnings, unread, .. } = found;
    Ok(Loaded {
        config,
        sources,
        warnings,
        unread,
        paths: request.paths.clone(),
        document,
        tree,
        marks: stack.marks(),
        env,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    gateway: Gateway,
    logging: Logging,
    secrets: Secrets,
}

/// The sections that are typed here.
const TYPED: [&str; 3] = ["gateway", "logging", "secrets"];

impl Typed {
    fn with_rest(self, value: &Value) -> Config {
        let rest = value.as_object().map(|map| {
            let others = map.iter().filter(|(name, _)| !TYPED.contains(&name.as_str()));
            others.map(|(name, value)| (name.clone(), value.clone())).collect()
        });
        let Self { gateway, logging, secrets } = self;
        Config { gateway, logging, secrets, rest: rest.unwrap_or_default() }
    }
}

fn typed_part(value: &Value) -> Value {
    let map = value.as_object().into_iter().flatten();
    let typed = map.filter(|(name, _)| TYPED.contains(&name.as_str()));
    Value::Object(typed.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn expand(request: &Request<'_>, document: Option<Document>) -> Result<Tree, Problems> {
    let Some(document) = document else { return Ok(Tree::empty()) };
    let roots = request.env.value(&env::INCLUDE_ROOTS).unwrap_or_default();
    let roots: Vec<PathBuf> = roots
        .split(':')
        .filter(|root| !root.is_empty())
        .map(|root| request.paths.absolute(Path::new(root)))
        .collect();
    include::expand(document, &roots, &read_included)
}

fn read_included(path: &Path) -> Result<String, Problem> {
    let missing = || Problem::new("", format!("`{}` does not exist", path.display()));
    let guarded = guard::read(path, MAX_BYTES)?.ok_or_else(missing)?;
    // A file that does not parse is reported by the caller, with its place.
    if let Ok(document) = Document::parse_part(path, &guarded.text)
        && redact::holds_secret(&document.value)
    {
        guarded.judge(Holds::Secrets)?;
    }
    Ok(guarded.text)
}

/// `env.vars.NAME` and `env.NAME` count where the process has no such variable.
fn overlay_env(env: &Env, value: &Value) -> Env {
    let section = value.get("env").and_then(Value::as_object);
    let vars = section.and_then(|section| section.get("vars")).and_then(Value::as_object);
    let pairs = section.into_iter().chain(vars).flatten();
    env.or_fallback(pairs.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))))
}

/// Writes the short reference `"$NAME"` out, at secret keys only.
fn lengthen(value: &mut Value, path: &mut Vec<String>) {
    let each: Vec<(String, &mut Value)> = match value {
        Value::Object(map) => map.iter_mut().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(items) => {
            items.iter_mut().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (name, inner) in each {
        path.push(name);
        let id = inner.as_str().and_then(|text| text.strip_prefix('$')).map(str::to_owned);
        match id.filter(|id| is_variable(id) && redact::is_sensitive(path)) {
            Some(id) => *inner = json!({ "source": "env", "id": id }),
            None => lengthen(inner, path),
        }
        path.pop();
    }
}

fn report_missing(missing: &[Missing], tree: &Tree, purpose: Purpose, found: &mut Findings) {
    for Missing { path, name } in missing {
        let key = dotted(path);
        let message = format!("the variable `{name}` is not set");
        let hint = format!("set `{name}`, or write `$${{{name}}}` if the text is meant");
        let needed = path.first().is_some_and(|section| TYPED.contains(&section.as_str()));
        if needed && purpose == Purpose::Start {
            let problem = Problem::new(key, message).hint(hint).at(tree.place(path));
            found.problems.push(problem);
        } else {
            found.warnings.push(Warning::new(key, message, hint));
        }
    }
}

fn collect(overlay: &Overlay, found: &mut Findings) {
    found.problems.extend(overlay.problems.iter().cloned());
    found.warnings.extend(overlay.warnings.iter().cloned());
}

/// Takes what is already reported out of the value, so that the rules can still judge the rest.
fn prune(value: &mut Value, problems: &[Problem]) {
    let keys: BTreeSet<String> = problems.iter().map(|problem| problem.key.clone()).collect();
    for key in keys {
        let path = match keys::standing(&key) {
            Standing::Inside(row) => row.path.to_owned(),
            Standing::Key(_) | Standing::Section | Standing::Unknown => key,
        };
        let path: Vec<&str> = path.split('.').collect();
        if let Some((name, parents)) = path.split_last() {
            let parent = parents.iter().try_fold(&mut *value, |at, name| at.get_mut(*name));
            if let Some(Value::Object(map)) = parent {
                map.shift_remove(*name);
            }
        }
    }
}

fn with(mut problems: Vec<Problem>, problem: Problem, tree: &Tree) -> Problems {
    let place = tree.place_of(&problem.key);
    problems.push(problem.at(place));
    sorted(problems)
}

fn sorted(mut problems: Vec<Problem>) -> Problems {
    problems.sort_by_key(|problem| {
        problem.place.as_ref().map_or((1, 0, 0), |place| (0, place.line, place.column))
    });
    problems.into()
}

#[cfg(test)]
mod tests;
