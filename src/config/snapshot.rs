//! The reply of `config.get`: the file as clients may see it.
//!
//! Every view is redacted and shows `${NAME}` as written: substituted values may be secrets anywhere in
//! the file. `config` and `resolved` are the merged file without defaults, because clients edit them and
//! write them back. `raw` is `null` where there is no file, where it does not parse, and where a secret
//! stands in a comment and could not be hidden.

use serde_json::{Value, json};

use crate::config::document::Document;
use crate::config::edit::revision::RevisionKey;
use crate::config::load::Loaded;
use crate::config::paths::Paths;
use crate::config::problem::{Problem, Problems, Warning};
use crate::config::redact::{redact, redact_text};

/// What the snapshot shows.
#[derive(Debug, Clone, Copy)]
pub struct View<'v> {
    /// Where the files are.
    pub paths: &'v Paths,
    /// The file on disk, where it parses.
    pub document: Option<&'v Document>,
    /// What became of it.
    pub outcome: Result<&'v Loaded, &'v Problems>,
    /// The file that the running gateway applied.
    pub applied: Option<&'v Document>,
    /// The key of base hashes.
    pub key: &'v RevisionKey,
}

/// The reply of `config.get`, with the fields that clients of both protocols read.
pub fn snapshot(view: &View<'_>) -> Value {
    let exists = view.document.is_some() || view.outcome.is_err();
    let parsed = view.document.map_or_else(|| json!({}), |document| redact(&document.value));
    let config = match view.outcome {
        Ok(loaded) => redact(&loaded.tree.value),
        Err(_) => parsed.clone(),
    };
    let hash = view.key.hash(view.document.map(|document| document.text.as_str()));
    let applied = view.key.hash(view.applied.map(|document| document.text.as_str()));
    let included = view.outcome.map(|loaded| loaded.tree.included_files()).unwrap_or_default();
    json!({
        "path": view.paths.config,
        "includedPaths": included,
        "includeProvenance": [],
        "agentRosterIncludeOwned": false,
        "bindingsIncludeOwned": false,
        "exists": exists,
        "raw": view.document.and_then(redact_text),
        "parsed": parsed,
        "sourceConfig": config,
        "resolved": config,
        "valid": view.outcome.is_ok(),
        "runtimeConfig": config,
        "config": config,
        "hash": hash,
        "issues": issues(view.outcome.err()),
        "warnings": warnings(view.outcome.ok()),
        "legacyIssues": [],
        "configRevisionHash": hash,
        "appliedConfigHash": applied,
    })
}

fn issues(problems: Option<&Problems>) -> Vec<Value> {
    problems.into_iter().flat_map(|problems| problems.list.iter().map(issue)).collect()
}

/// One problem in the shape of clients: `{ path, message }`, with the hint and the nearest key in words.
pub fn issue(problem: &Problem) -> Value {
    let mut message = problem.message.clone();
    if let Some(nearest) = &problem.nearest {
        message.push_str(&format!(" (did you mean `{nearest}`?)"));
    }
    if let Some(hint) = &problem.hint {
        message.push_str(&format!("; {hint}"));
    }
    json!({ "path": problem.key, "message": message })
}

fn warnings(loaded: Option<&Loaded>) -> Vec<Value> {
    let shown = |warning: &Warning| {
        let hint =
            if warning.hint.is_empty() { String::new() } else { format!("; {}", warning.hint) };
        json!({ "path": warning.key, "message": format!("{}{hint}", warning.message) })
    };
    loaded.into_iter().flat_map(|loaded| loaded.warnings.iter().map(shown)).collect()
}

#[cfg(test)]
mod tests;
