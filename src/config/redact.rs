//! Secrets out of every view (`J13`), and back in when a view is written (`E3`).
//!
//! A value is secret when its key is (the table, or a name such as `apiKey` or `botToken` in sections
//! that we do not type), when it lies in a map of headers or variables, or when it is an address with
//! credentials. Its text becomes [`SENTINEL`]; a reference stays, it names no secret. A view that comes
//! back with the sentinel gets the old text at the same place; a sentinel without an old text is refused.

use std::ops::Range;

use serde_json::Value;

use crate::config::document::{Document, Segments, dotted};
use crate::config::keys;
use crate::config::problem::{Problem, Problems};

/// What a client sees in place of a secret; the official word.
pub const SENTINEL: &str = "__OPENCLAW_REDACTED__";

/// Whether a text at `path` is a secret.
pub fn is_sensitive(path: &[String]) -> bool {
    let names: Vec<&str> =
        path.iter().map(String::as_str).filter(|name| name.parse::<usize>().is_err()).collect();
    let Some((name, parents)) = names.split_last() else { return false };
    if let Some(key) = keys::find(&names.join(".")) {
        return key.is_secret();
    }
    if names.first() == Some(&"env") {
        return true;
    }
    let parent = parents.last().copied().unwrap_or_default().to_ascii_lowercase();
    if parent.ends_with("headers") || parent == "env" || parent == "vars" || parent == "edgeauth" {
        return true;
    }
    is_secret_name(name)
}

fn is_secret_name(name: &str) -> bool {
    let flat = name.to_ascii_lowercase().replace(['_', '-'], "");
    const PARTS: [&str; 10] = [
        "password",
        "passphrase",
        "secret",
        "apikey",
        "privatekey",
        "credential",
        "cookie",
        "authorization",
        "serviceaccount",
        "webhookurl",
    ];
    const NOT: [&str; 4] = ["secretprovider", "secretsource", "passwordfile", "tokenfile"];
    let ends = ["token", "tokens", "appkey", "accesskey", "encryptkey", "signingkey"];
    !NOT.contains(&flat.as_str())
        && (PARTS.iter().any(|part| flat.contains(part))
            || ends.iter().any(|end| flat.ends_with(end)))
}

/// Whether `text` is an address that carries credentials.
fn has_credentials(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(who, _)| who.contains(':'))
    })
}

/// Whether `text` at `path` must not be shown. `${NAME}` alone names no secret.
fn must_hide(path: &[String], text: &str) -> bool {
    let reference = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let named = reference.is_some_and(|name| !name.contains(['}', '{']));
    !text.is_empty() && !named && (is_sensitive(path) || has_credentials(text))
}

/// `value` with every secret replaced by the sentinel.
pub fn redact(value: &Value) -> Value {
    let mut value = value.clone();
    visit(&mut value, &mut Segments::new(), &mut |path, text| {
        if must_hide(path, text) {
            SENTINEL.clone_into(text);
        }
    });
    value
}

/// Whether `value` holds a secret in plain text.
pub fn holds_secret(value: &Value) -> bool {
    let mut found = false;
    visit(&mut value.clone(), &mut Segments::new(), &mut |path, text| {
        found |= must_hide(path, text);
    });
    found
}

fn visit(value: &mut Value, path: &mut Segments, see: &mut dyn FnMut(&[String], &mut String)) {
    match value {
        Value::String(text) => see(path, text),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push(index.to_string());
                visit(item, path, see);
                path.pop();
            }
        }
        Value::Object(map) if is_reference(map) => {}
        Value::Object(map) => {
            for (name, inner) in map.iter_mut() {
                path.push(name.clone());
                visit(inner, path, see);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_reference(map: &serde_json::Map<String, Value>) -> bool {
    let known = ["source", "provider", "id"];
    map.get("source")
        .is_some_and(|source| matches!(source.as_str(), Some("env" | "file" | "exec" | "store")))
        && map.contains_key("id")
        && map.keys().all(|name| known.contains(&name.as_str()))
}

/// The text of the file with every secret replaced, comments and order kept.
///
/// `None` where a comment seems to hold a secret: it cannot be hidden and put back.
pub fn redact_text(document: &Document) -> Option<String> {
    if document.comments().any(comment_holds_secret) {
        return None;
    }
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut secrets: Vec<String> = Vec::new();
    for (path, span) in document.spans() {
        let Some(text) = text_at(&document.value, path) else { continue };
        if must_hide(path, text) && !inside_reference(&document.value, path) {
            edits.push((span.clone(), format!("\"{SENTINEL}\"")));
            secrets.push(text.to_owned());
        }
    }
    let redacted = splice(&document.text, edits)?;
    // A secret that also stands where it cannot be replaced (a key, a comment) hides the whole text.
    let leaks =
        secrets.iter().any(|secret| secret.len() >= MIN_LEAK && redacted.contains(secret.as_str()));
    (!leaks).then_some(redacted)
}

/// Shorter texts occur by chance.
const MIN_LEAK: usize = 6;

fn comment_holds_secret(comment: &str) -> bool {
    comment.split(['\n', ',']).any(|line| {
        let Some((before, after)) = line.split_once([':', '=']) else { return false };
        let word = before
            .rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
            .find(|word| !word.is_empty());
        let quoted = after.trim_start().starts_with(['"', '\'']);
        has_credentials(line) || quoted && word.is_some_and(is_secret_name)
    })
}

fn text_at<'v>(value: &'v Value, path: &[String]) -> Option<&'v str> {
    at(value, path)?.as_str()
}

/// The value at `path`.
pub fn at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| match value {
        Value::Object(map) => map.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

fn inside_reference(value: &Value, path: &[String]) -> bool {
    let parent = path.split_last().and_then(|(_, parents)| at(value, parents));
    parent.and_then(Value::as_object).is_some_and(is_reference)
}

fn splice(text: &str, mut edits: Vec<(Range<usize>, String)>) -> Option<String> {
    edits.sort_by_key(|(span, _)| span.start);
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    for (span, replacement) in edits {
        result.push_str(text.get(from..span.start)?);
        result.push_str(&replacement);
        from = span.end;
    }
    result.push_str(text.get(from..)?);
    Some(result)
}

/// `text` with every sentinel replaced by what `original` has at the same place.
///
/// # Errors
/// Every sentinel that stands for nothing, and every one inside a longer text.
pub fn restore_text(written: &Document, original: Option<&Document>) -> Result<String, Problems> {
    let mut edits = Vec::new();
    let mut problems = Vec::new();
    for (path, span) in written.spans() {
        let Some(text) = text_at(&written.value, path) else { continue };
        if !text.contains(SENTINEL) {
            continue;
        }
        let old = original.filter(|_| text == SENTINEL).and_then(|original| {
            let place = counterpart(&written.value, &original.value, path)?;
            original.text.get(original.span(&place)?)
        });
        match old {
            Some(old) => edits.push((span.clone(), old.to_owned())),
            None => problems.push(lost(path).at(written.place(path))),
        }
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    splice(&written.text, edits).ok_or_else(|| Problem::new("", "the text moved").into())
}

/// `value` at `path` with every sentinel replaced by what `original` (a whole configuration) has there.
///
/// # Errors
/// Every sentinel that stands for nothing.
pub fn restore_value(value: &Value, path: &[String], original: &Value) -> Result<Value, Problems> {
    let mut problems = Vec::new();
    let mut restored = value.clone();
    let at_first = at(original, path).cloned().unwrap_or(Value::Null);
    visit(&mut restored, &mut Segments::new(), &mut |inside, text| {
        if !text.contains(SENTINEL) {
            return;
        }
        let old = (text == SENTINEL).then(|| counterpart(value, &at_first, inside)).flatten();
        match old.and_then(|place| text_at(&at_first, &place).map(str::to_owned)) {
            Some(old) => *text = old,
            None => problems.push(lost(&[path, inside].concat())),
        }
    });
    if problems.is_empty() { Ok(restored) } else { Err(problems.into()) }
}

fn lost(path: &[String]) -> Problem {
    Problem::new(dotted(path), "the redaction mark stands for no secret here")
        .hint("write the secret itself, or leave the key as it was")
}

/// Where in `original` the text at `path` of `written` was: list entries are matched by `id` or `name`.
fn counterpart(written: &Value, original: &Value, path: &[String]) -> Option<Segments> {
    let (mut new, mut old) = (written, original);
    let mut found = Segments::new();
    for name in path {
        let segment = match (new, old) {
            (Value::Array(new), Value::Array(old)) => same_entry(new, old, name)?.to_string(),
            (
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_),
                _,
            ) => name.clone(),
        };
        new = at(new, std::slice::from_ref(name))?;
        old = at(old, std::slice::from_ref(&segment))?;
        found.push(segment);
    }
    old.as_str().filter(|text| *text != SENTINEL)?;
    Some(found)
}

fn same_entry(new: &[Value], old: &[Value], index: &str) -> Option<usize> {
    let index: usize = index.parse().ok()?;
    let entry = new.get(index)?;
    for key in ["id", "name"] {
        if let Some(name) = entry.get(key) {
            return old.iter().position(|candidate| candidate.get(key) == Some(name));
        }
    }
    (new.len() == old.len()).then_some(index)
}

#[cfg(test)]
mod tests;
