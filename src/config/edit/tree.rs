//! Edits of the syntax tree.

use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstRootNode, ObjectPropName};
use serde_json::Value;

use crate::config::document::{dotted, options};
use crate::config::problem::Problem;

/// `text` with `value` at `path`.
///
/// # Errors
/// The path goes through a value that is no object or list, or past the end of a list.
pub fn set(text: &str, path: &[String], value: &Value) -> Result<String, Problem> {
    let root = parse(text)?;
    let Some((name, parents)) = path.split_last() else {
        return Err(Problem::new("", "there is no path"));
    };
    let mut at = root.object_value_or_create().and_then(|_| root.value()).ok_or_else(not_object)?;
    for (depth, step) in parents.iter().enumerate() {
        let done = path.get(..=depth).unwrap_or(path);
        at = descend(&at, step, done)?;
    }
    put(&at, name, value, path)?;
    Ok(root.to_string())
}

/// `text` without `path`.
///
/// # Errors
/// Nothing is there.
pub fn unset(text: &str, path: &[String]) -> Result<String, Problem> {
    let root = parse(text)?;
    let absent = || Problem::new(dotted(path), "nothing is set here");
    let (name, parents) = path.split_last().ok_or_else(absent)?;
    let mut at = root.value().ok_or_else(absent)?;
    for step in parents {
        at = child(&at, step).ok_or_else(absent)?;
    }
    if let Some(object) = at.as_object() {
        property(&object, name).ok_or_else(absent)?.remove();
    } else if let Some(array) = at.as_array() {
        element(&array, name).ok_or_else(absent)?.remove();
    } else {
        return Err(absent());
    }
    Ok(root.to_string())
}

/// `text` with the merge patch applied.
///
/// # Errors
/// The patch is no object.
pub fn merge(text: &str, patch: &Value) -> Result<String, Problem> {
    let root = parse(text)?;
    let object = root.object_value_or_create().ok_or_else(not_object)?;
    if !patch.is_object() {
        return Err(Problem::new("", "a patch is an object").hint("write `{ gateway: { … } }`"));
    }
    merge_object(&object, patch);
    Ok(root.to_string())
}

fn merge_object(object: &CstObject, patch: &Value) {
    for (name, value) in patch.as_object().into_iter().flatten() {
        let there = property(object, name);
        match (value, there) {
            (Value::Null, Some(property)) => property.remove(),
            (Value::Null, None) => {}
            (Value::Object(_), Some(property)) => {
                merge_object(&property.object_value_or_set(), value)
            }
            (_, Some(property)) => property.set_value(input(value)),
            (_, None) => drop(object.append(name, input(&without_nulls(value)))),
        }
    }
}

/// A patch onto nothing: its `null`s remove nothing.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, inner)| !inner.is_null())
                .map(|(name, inner)| (name.clone(), without_nulls(inner)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            value.clone()
        }
    }
}

fn parse(text: &str) -> Result<CstRootNode, Problem> {
    CstRootNode::parse(text, &options()).map_err(|error| {
        let message = error.kind().to_string().to_lowercase();
        Problem::new("", format!("not valid JSON5: {message}"))
    })
}

fn not_object() -> Problem {
    Problem::new("", "the file does not hold an object")
}

/// The node at `step`; an object is made where nothing is.
fn descend(at: &CstNode, step: &str, done: &[String]) -> Result<CstNode, Problem> {
    if let Some(found) = child(at, step) {
        if found.as_object().is_some() || found.as_array().is_some() {
            return Ok(found);
        }
        return Err(Problem::new(dotted(done), "this is neither an object nor a list"));
    }
    put(at, step, &Value::Object(serde_json::Map::new()), done)?;
    child(at, step).ok_or_else(|| Problem::new(dotted(done), "the object could not be made"))
}

fn child(at: &CstNode, step: &str) -> Option<CstNode> {
    match (at.as_object(), at.as_array()) {
        (Some(object), _) => property(&object, step)?.value(),
        (None, Some(array)) => element(&array, step),
        (None, None) => None,
    }
}

fn property(object: &CstObject, name: &str) -> Option<jsonc_parser::cst::CstObjectProp> {
    object.properties().into_iter().find(|property| {
        property.name().as_ref().and_then(decoded).is_some_and(|found| found == name)
    })
}

fn decoded(name: &ObjectPropName) -> Option<String> {
    name.decoded_value().ok()
}

fn element(array: &CstArray, step: &str) -> Option<CstNode> {
    array.elements().into_iter().nth(step.parse().ok()?)
}

fn put(at: &CstNode, name: &str, value: &Value, path: &[String]) -> Result<(), Problem> {
    if let Some(object) = at.as_object() {
        match property(&object, name) {
            Some(property) => property.set_value(input(value)),
            None => drop(object.append(name, input(value))),
        }
        return Ok(());
    }
    let Some(array) = at.as_array() else {
        return Err(Problem::new(dotted(path), "this is neither an object nor a list"));
    };
    let length = array.elements().len();
    match name.parse::<usize>() {
        Ok(index) if index < length => {
            if let Some(old) = element(&array, name) {
                drop(array.insert(index, input(value)));
                old.remove();
            }
            Ok(())
        }
        Ok(index) if index == length => {
            drop(array.append(input(value)));
            Ok(())
        }
        Ok(_) | Err(_) => Err(Problem::new(dotted(path), format!("the list has {length} entries"))
            .hint(format!("use [0] to [{length}]"))),
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(map) => CstInputValue::Object(
            map.iter().map(|(name, inner)| (name.clone(), input(inner))).collect(),
        ),
    }
}
