//! `$include`: one configuration out of several files.
//!
//! `{ $include: "./a.json5" }` becomes the content of that file, a list is merged in order with later
//! files over earlier ones, and keys beside `$include` come last. Paths are relative to the file that
//! includes. A file must lie inside the directory of `openclaw.json` or below a directory named in
//! `OPENCLAW_INCLUDE_ROOTS`, after symbolic links are followed. Ten levels, 64 files, no cycles.
//! Every value keeps the document it came from, so that a problem names the right file and line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::config::document::{Document, Segments, dotted};
use crate::config::problem::{Place, Problem, Problems};

/// The key that includes.
pub const INCLUDE: &str = "$include";

/// Levels of files within files, as the official gateway.
const MAX_LEVELS: usize = 10;

/// All files of one configuration: far above any real one, far below a bomb.
const MAX_FILES: usize = 64;

/// The official limit of a path.
const MAX_PATH: usize = 4096;

/// Reads a file for `$include`; the checks of `config::guard` are the caller's.
pub type ReadFile<'r> = &'r dyn Fn(&Path) -> Result<String, Problem>;

/// The merged configuration and where each value came from.
#[derive(Clone, PartialEq)]
pub struct Tree {
    /// The merged value, before `${VAR}`.
    pub value: Value,
    documents: Vec<Document>,
    origins: BTreeMap<Segments, (usize, Segments)>,
    /// Objects whose content comes from other files, with those files.
    pub included: BTreeMap<Segments, Vec<PathBuf>>,
}

impl fmt::Debug for Tree {
    /// Files only: the value holds secrets (`J13`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("documents", &self.documents).finish_non_exhaustive()
    }
}

impl Tree {
    /// A configuration without a file.
    pub fn empty() -> Self {
        Self {
            value: Value::Object(Map::new()),
            documents: Vec::new(),
            origins: BTreeMap::new(),
            included: BTreeMap::new(),
        }
    }

    /// Line and column of the value at `path`, or of its nearest parent.
    pub fn place(&self, path: &[String]) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some((document, inside)) = self.origins.get(path) {
                return self.documents.get(*document)?.place(inside);
            }
            path = path.split_last()?.1;
        }
    }

    /// Line and column of a dotted path without dots in its names.
    pub fn place_of(&self, path: &str) -> Option<Place> {
        let path: Segments = path.split('.').map(str::to_owned).collect();
        self.place(&path)
    }

    /// Whether a file wrote a value at exactly this dotted path.
    pub fn wrote(&self, path: &str) -> bool {
        let path: Segments = path.split('.').map(str::to_owned).collect();
        self.origins.contains_key(&path)
    }

    /// The files besides the main one.
    pub fn included_files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.included.values().flatten().cloned().collect();
        files.sort();
        files.dedup();
        files
    }
}

/// Expands every `$include` of `document`.
///
/// # Errors
/// All of them at once: missing, unreadable, outside, cyclic, too deep, not an object beside other keys.
pub fn expand(document: Document, roots: &[PathBuf], read: ReadFile<'_>) -> Result<Tree, Problems> {
    let folder = document.file.parent().unwrap_or_else(|| Path::new("/")).to_owned();
    let mut roots: Vec<PathBuf> = roots.to_vec();
    roots.insert(0, folder);
    let roots = roots.iter().filter_map(|root| root.canonicalize().ok()).collect();
    let file = document.file.to_path_buf();
    let value = document.value.clone();
    let mut work = Expansion {
        roots,
        read,
        stack: vec![file.canonicalize().unwrap_or(file)],
        tree: Tree { documents: vec![document], ..Tree::empty() },
        problems: Vec::new(),
    };
    let at = Cursor { document: 0, inside: Vec::new(), path: Vec::new() };
    work.tree.value = work.node(value, &at);
    if work.problems.is_empty() { Ok(work.tree) } else { Err(work.problems.into()) }
}

#[derive(Clone)]
struct Cursor {
    document: usize,
    inside: Segments,
    path: Segments,
}

impl Cursor {
    fn child(&self, name: &str) -> Self {
        let mut next = self.clone();
        next.inside.push(name.to_owned());
        next.path.push(name.to_owned());
        next
    }
}

struct Expansion<'r> {
    roots: Vec<PathBuf>,
    read: ReadFile<'r>,
    stack: Vec<PathBuf>,
    tree: Tree,
    problems: Vec<Problem>,
}

impl Expansion<'_> {
    fn node(&mut self, value: Value, at: &Cursor) -> Value {
        self.tree.origins.insert(at.path.clone(), (at.document, at.inside.clone()));
        match value {
            Value::Object(mut map) => match map.shift_remove(INCLUDE) {
                Some(target) => self.include(&target, map, at),
                None => self.object(map, at),
            },
            Value::Array(items) => Value::Array(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| self.node(item, &at.child(&index.to_string())))
                    .collect(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
        }
    }

    fn object(&mut self, map: Map<String, Value>, at: &Cursor) -> Value {
        Value::Object(
            map.into_iter()
                .map(|(name, value)| {
                    let value = self.node(value, &at.child(&name));
                    (name, value)
                })
                .collect(),
        )
    }

    fn include(&mut self, target: &Value, siblings: Map<String, Value>, at: &Cursor) -> Value {
        let mut merged: Option<Value> = None;
        for file in self.targets(target, at) {
            let Some(value) = self.file(&file, at) else { continue };
            merged = Some(match merged {
                Some(earlier) => merge(earlier, value),
                None => value,
            });
        }
        let merged = merged.unwrap_or_else(|| Value::Object(Map::new()));
        if siblings.is_empty() {
            return merged;
        }
        if !merged.is_object() {
            self.refuse(at, "the included file does not hold an object", "remove the other keys");
            return merged;
        }
        let own = self.object(siblings, at);
        merge(merged, own)
    }

    fn targets(&mut self, target: &Value, at: &Cursor) -> Vec<String> {
        let texts: Option<Vec<String>> = match target {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(items) => {
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        };
        texts.unwrap_or_else(|| {
            self.refuse(at, "`$include` takes a path or a list of paths", "write \"./file.json5\"");
            Vec::new()
        })
    }

    fn file(&mut self, written: &str, at: &Cursor) -> Option<Value> {
        match self.open(written, at) {
            Ok((file, document)) => {
                self.tree.included.entry(at.path.clone()).or_default().push(file.clone());
                let value = document.value.clone();
                self.tree.documents.push(document);
                let inner = Cursor {
                    document: self.tree.documents.len() - 1,
                    inside: Vec::new(),
                    path: at.path.clone(),
                };
                self.stack.push(file);
                let value = self.node(value, &inner);
                self.stack.pop();
                Some(value)
            }
            Err(problems) => {
                let place = self.place(at);
                self.problems.extend(problems.list.into_iter().map(
                    |problem| match problem.place {
                        Some(_) => problem,
                        None => problem.at(place.clone()),
                    },
                ));
                None
            }
        }
    }

    fn open(&self, written: &str, at: &Cursor) -> Result<(PathBuf, Document), Problems> {
        let key = dotted(&at.path);
        let problem = |message: String| Problem::new(key.clone(), message);
        if written.is_empty() || written.len() >= MAX_PATH || written.contains('\0') {
            return Err(problem("`$include` names no usable path".to_owned()).into());
        }
        if self.stack.len() > MAX_LEVELS || self.tree.documents.len() >= MAX_FILES {
            return Err(
                problem("`$include` goes deeper than 10 levels or 64 files".to_owned()).into()
            );
        }
        let folder =
            self.stack.last().and_then(|file| file.parent()).unwrap_or_else(|| Path::new("/"));
        let file = folder.join(written).canonicalize().map_err(|error| {
            problem(format!("`$include` of `{written}`: {}", error.kind()))
                .hint("paths are relative to the file that includes")
        })?;
        if !self.roots.iter().any(|root| file.starts_with(root)) {
            return Err(problem(format!(
                "`$include` of `{written}` leaves the configuration directory"
            ))
            .hint("move the file, or name its directory in `OPENCLAW_INCLUDE_ROOTS`")
            .into());
        }
        if self.stack.contains(&file) {
            return Err(problem(format!("`$include` of `{written}` goes round in a circle")).into());
        }
        let text = (self.read)(&file)?;
        Ok((file.clone(), Document::parse_part(&file, &text)?))
    }

    fn place(&self, at: &Cursor) -> Option<Place> {
        let mut inside = at.inside.clone();
        inside.push(INCLUDE.to_owned());
        self.tree.documents.get(at.document)?.place(&inside)
    }

    fn refuse(&mut self, at: &Cursor, message: &str, hint: &str) {
        let problem = Problem::new(dotted(&at.path), message).hint(hint).at(self.place(at));
        self.problems.push(problem);
    }
}

/// `over` on top of `under`: objects are merged key by key, everything else is replaced.
pub fn merge(under: Value, over: Value) -> Value {
    match (under, over) {
        (Value::Object(mut under), Value::Object(over)) => {
            for (name, value) in over {
                let merged = match under.shift_remove(&name) {
                    Some(earlier) => merge(earlier, value),
                    None => value,
                };
                under.insert(name, merged);
            }
            Value::Object(under)
        }
        (_, over) => over,
    }
}

#[cfg(test)]
mod tests;
