//! `${NAME}` in any text of the file.
//!
//! A name is capitals, digits and `_`; `$${NAME}` is the text `${NAME}`. A name that is unset or blank is
//! a [`Missing`]: in a section that we read it stops the start (`J9`), elsewhere the text stays as it is.
//! Substituted text is never scanned again, so a variable cannot name another one.

use serde_json::Value;

use crate::config::document::Segments;
use crate::config::env::Env;

/// A variable that a text needs and nobody set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Path of the text.
    pub path: Segments,
    /// The variable.
    pub name: String,
}

/// `value` with every `${NAME}` replaced from `env`, and what was missing.
pub fn interpolate(value: &Value, env: &Env) -> (Value, Vec<Missing>) {
    let mut work = Interpolation { env, path: Vec::new(), missing: Vec::new() };
    let value = work.node(value);
    (value, work.missing)
}

/// Whether `text` refers to a variable.
pub fn refers(text: &str) -> bool {
    pieces(text).iter().any(|piece| matches!(piece, Piece::Name(_)))
}

struct Interpolation<'e> {
    env: &'e Env,
    path: Segments,
    missing: Vec<Missing>,
}

impl Interpolation<'_> {
    fn node(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) if text.contains('$') => Value::String(self.text(text)),
            Value::Object(map) => Value::Object(
                map.iter()
                    .map(|(name, inner)| (name.clone(), self.child(name.clone(), inner)))
                    .collect(),
            ),
            Value::Array(items) => {
                let each = items.iter().enumerate();
                Value::Array(each.map(|(at, item)| self.child(at.to_string(), item)).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }

    fn child(&mut self, name: String, value: &Value) -> Value {
        self.path.push(name);
        let value = self.node(value);
        self.path.pop();
        value
    }

    fn text(&mut self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Text(plain) => result.push_str(plain),
                Piece::Escaped(name) => result.push_str(&format!("${{{name}}}")),
                Piece::Name(name) => match self.env.named(name) {
                    Some(value) => result.push_str(value),
                    None => {
                        result.push_str(&format!("${{{name}}}"));
                        let path = self.path.clone();
                        self.missing.push(Missing { path, name: name.to_owned() });
                    }
                },
            }
        }
        result
    }
}

enum Piece<'t> {
    Text(&'t str),
    Name(&'t str),
    Escaped(&'t str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at_checked(dollar).unwrap_or((rest, ""));
        found.push(Piece::Text(before));
        if let Some((name, after)) = from.strip_prefix("$${").and_then(reference) {
            found.push(Piece::Escaped(name));
            rest = after;
        } else if let Some((name, after)) = from.strip_prefix("${").and_then(reference) {
            found.push(Piece::Name(name));
            rest = after;
        } else {
            found.push(Piece::Text("$"));
            rest = from.strip_prefix('$').unwrap_or_default();
        }
    }
    found.push(Piece::Text(rest));
    found
}

fn reference(after_brace: &str) -> Option<(&str, &str)> {
    let (name, after) = after_brace.split_once('}')?;
    let first = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
    let all = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    (first && all).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn j9_replaces_escapes_and_reports() {
        let env = Env::of([("A", "1"), ("B_2", "x${A}"), ("BLANK", "  ")]);
        for (text, expected, missing) in [
            ("${A}", "1", ""),
            ("a${A}b${A}", "a1b1", ""),
            ("${B_2}", "x${A}", ""),
            ("$${A}", "${A}", ""),
            ("$A $ ${a} ${} ${A", "$A $ ${a} ${} ${A", ""),
            ("${NOPE}", "${NOPE}", "NOPE"),
            ("${BLANK}", "${BLANK}", "BLANK"),
            ("$${NOPE}", "${NOPE}", ""),
        ] {
            let (value, found) = interpolate(&json!({ "k": [text] }), &env);
            assert_eq!(value, json!({ "k": [expected] }), "{text}");
            let names: Vec<&str> = found.iter().map(|missing| missing.name.as_str()).collect();
            assert_eq!(names.join(","), missing, "{text}");
            assert!(found.iter().all(|missing| missing.path == ["k", "0"]));
        }
    }
}
