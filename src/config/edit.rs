//! Changes to the file: comments, order and layout stay.
//!
//! An [`Edit`] is applied to the syntax tree of the text, the result is checked as a whole (with the
//! rules, for [`Purpose::Save`]) and only then written by [`save`] or, for a client that
//! must have seen the current text, [`save_over`]. A file that already has problems may
//! be improved: a change is refused when it brings a problem that was not there.
//! What comes from an `$include` is not touched: the message names the file to edit.

use serde_json::Value;

use crate::config::document::{Document, Segments, dotted, parse_value};
use crate::config::edit::revision::RevisionKey;
use crate::config::env;
use crate::config::include::INCLUDE;
use crate::config::load::{self, Loaded, Purpose, Request};
use crate::config::problem::{Problem, Problems};
use crate::config::redact;

pub mod revision;
pub mod tree;
pub mod write;

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Put `value` at the path; missing objects are made.
    Set(Segments, Value),
    /// Remove the path.
    Unset(Segments),
    /// RFC 7396 merge patch: `null` removes, objects merge, everything else replaces.
    Merge(Value),
    /// The whole text.
    Replace(String),
}

/// A changed text that passed every check.
#[derive(Debug, Clone)]
pub struct Change {
    /// The new text.
    pub text: String,
    /// Whether it differs from the old one.
    pub differs: bool,
    /// The configuration it makes; `None` where older problems remain.
    pub loaded: Option<Loaded>,
    /// Problems that the file had before and still has.
    pub remaining: Vec<Problem>,
}

/// The value of an argument: JSON5 where it parses, else the text itself, as the official command.
pub fn argument(text: &str) -> Value {
    parse_value(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Applies `edits` to `current` (`None` where there is no file) and checks the result; writes nothing.
///
/// # Errors
/// A path that does not fit, a sentinel without a secret (`E3`), and every problem of the new file.
pub fn prepare(
    request: &Request<'_>,
    current: Option<&Document>,
    edits: &[Edit],
) -> Result<Change, Problems> {
    if request.env.is_on(&env::CONFIG_READONLY) {
        return Err(Problem::new(
            "OPENCLAW_CONFIG_READONLY",
            "the configuration is read-only here",
        )
        .hint("change it where it is made")
        .into());
    }
    let file = &request.paths.config;
    let old = current.map_or("", |document| document.text.as_str());
    let mut text = if old.trim().is_empty() { "{\n}\n".to_owned() } else { old.to_owned() };
    for edit in edits {
        text = apply(&Document::parse(file, &text)?, current, edit)?;
    }
    let document = Document::parse(file, &text)?;
    let differs = text != old;
    match load::assemble(request, Some(document), Purpose::Save) {
        Ok(loaded) => Ok(Change { differs, text, loaded: Some(loaded), remaining: Vec::new() }),
        Err(after) => {
            let before = load::assemble(request, current.cloned(), Purpose::Save);
            let before = before.err().unwrap_or_default();
            let remaining = only_old(&before, after)?;
            Ok(Change { differs, text, loaded: None, remaining })
        }
    }
}

/// What remains of the problems `before`.
///
/// # Errors
/// The problems of `after` that are new; all of them where the change mended nothing.
fn only_old(before: &Problems, after: Problems) -> Result<Vec<Problem>, Problems> {
    let known = |problem: &Problem| {
        let same = |old: &Problem| (&old.key, &old.message) == (&problem.key, &problem.message);
        before.list.iter().any(same)
    };
    let (old, new): (Vec<Problem>, Vec<Problem>) = after.list.into_iter().partition(known);
    match (new.is_empty(), old.len() < before.list.len()) {
        (true, true) => Ok(old),
        (true, false) => Err(old.into()),
        (false, _) => Err(new.into()),
    }
}

fn apply(now: &Document, original: Option<&Document>, edit: &Edit) -> Result<String, Problems> {
    let null = Value::Null;
    let first = original.map_or(&null, |document| &document.value);
    match edit {
        Edit::Set(path, value) => {
            refuse_included(now, path)?;
            let value = redact::restore_value(value, path, first)?;
            Ok(tree::set(&now.text, path, &value)?)
        }
        Edit::Unset(path) => {
            refuse_included(now, path)?;
            Ok(tree::unset(&now.text, path)?)
        }
        Edit::Merge(patch) => {
            let patch = redact::restore_value(patch, &[], first)?;
            for path in leaves(&patch) {
                refuse_included(now, &path)?;
            }
            Ok(tree::merge(&now.text, &patch)?)
        }
        Edit::Replace(text) => {
            let written = Document::parse(&now.file, text)?;
            refuse_flattened(&written, original)?;
            let text = redact::restore_text(&written, original)?;
            match original {
                Some(original) if original.comments().count() > 0 => carry_over(original, &text),
                Some(_) | None => Ok(text),
            }
        }
    }
}

/// A form writes the merged view back: that would copy the included files into this one.
fn refuse_flattened(written: &Document, original: Option<&Document>) -> Result<(), Problem> {
    for (path, _) in original.into_iter().flat_map(Document::spans) {
        if path.last().is_some_and(|name| name == INCLUDE) && written.span(path).is_none() {
            let message = "the new text no longer has the `$include` of the file";
            return Err(Problem::new(dotted(path), message)
                .hint("edit the included file, or remove the `$include` by hand"));
        }
    }
    Ok(())
}

/// A text without comments comes from a form: its changes are made in the old text, which has them.
fn carry_over(original: &Document, text: &str) -> Result<String, Problems> {
    let written = Document::parse(&original.file, text)?;
    if written.comments().count() > 0 {
        return Ok(text.to_owned());
    }
    let mut steps = Vec::new();
    differences(&original.value, &written.value, &mut Segments::new(), &mut steps);
    let mut result = original.text.clone();
    for (path, value) in steps {
        result = match value {
            Some(value) => tree::set(&result, &path, &value)?,
            None => tree::unset(&result, &path)?,
        };
    }
    Ok(result)
}

fn differences(
    old: &Value,
    new: &Value,
    path: &mut Segments,
    steps: &mut Vec<(Segments, Option<Value>)>,
) {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        if old != new {
            steps.push((path.clone(), Some(new.clone())));
        }
        return;
    };
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        path.push(name.clone());
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => differences(old, new, path, steps),
            (None, Some(new)) => steps.push((path.clone(), Some(new.clone()))),
            (_, None) => steps.push((path.clone(), None)),
        }
        path.pop();
    }
}

/// A path below an object with `$include` belongs to another file.
fn refuse_included(document: &Document, path: &[String]) -> Result<(), Problem> {
    for length in 0..path.len() {
        let Some(parents) = path.get(..length) else { break };
        let parent = redact::at(&document.value, parents);
        if let Some(target) = parent.and_then(|parent| parent.get(INCLUDE))
            && path.get(length).is_none_or(|name| name != INCLUDE)
        {
            let message = format!("`{}` comes from `$include` of {target}", dotted(parents));
            return Err(Problem::new(dotted(path), message).hint("edit that file"));
        }
    }
    Ok(())
}

fn leaves(value: &Value) -> Vec<Segments> {
    match value {
        Value::Object(map) if !map.is_empty() => map
            .iter()
            .flat_map(|(name, inner)| {
                leaves(inner).into_iter().map(|path| [vec![name.clone()], path].concat())
            })
            .collect(),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => vec![Segments::new()],
    }
}

/// What a writer must have seen.
#[derive(Debug, Clone, Copy)]
pub enum Base<'b> {
    /// The command line on this host reads and writes in one go.
    Any,
    /// A client shows the hash that `config.get` gave it.
    Seen(&'b RevisionKey, Option<&'b str>),
}

/// As [`save_over`] with [`Base::Any`].
///
/// # Errors
/// As [`prepare`] and [`write::replace`].
pub fn save(request: &Request<'_>, edits: &[Edit]) -> Result<Change, Problems> {
    save_over(Base::Any, request, edits)
}

/// Applies `edits` to the file on disk and writes the result, under the ownership checks.
///
/// # Errors
/// A missing or stale base, as [`prepare`], and as [`write::replace`].
pub fn save_over(
    base: Base<'_>,
    request: &Request<'_>,
    edits: &[Edit],
) -> Result<Change, Problems> {
    let current = load::read(&request.paths.config)?;
    match base {
        Base::Any => {}
        Base::Seen(key, hash) => key.check(current.as_ref(), hash)?,
    }
    let change = prepare(request, current.as_ref(), edits)?;
    if change.differs {
        write::replace(&request.paths.config, &change.text)?;
    }
    Ok(change)
}

#[cfg(test)]
mod tests;
