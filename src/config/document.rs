//! One JSON5 file: its text, its value, and where every value stands.
//!
//! Accepted: comments, trailing commas, single quotes, unquoted keys (also `$include`), hexadecimal and
//! signed numbers, bare decimal points, line continuations. The parser (`jsonc-parser`) does not read
//! `\u` escapes in unquoted keys. Refused on purpose: keys written twice (`J7`), a byte order mark, `NaN`
//! and `Infinity`, missing commas, invisible or control characters in keys (`J8`), more than 1 MiB, more
//! than 64 levels. No error message repeats the text of the file (`J13`).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions};
use serde_json::{Map, Number, Value};

use crate::config::problem::{Place, Problem, Problems};

/// The largest file that is read: a hundred times a large real one, and parsed in milliseconds.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The deepest nesting: real files need 10; the parser recurses per level.
pub const MAX_DEPTH: usize = 64;

/// The segments of a path; array positions are decimal numbers.
pub type Segments = Vec<String>;

/// A parsed file.
#[derive(Clone, PartialEq)]
pub struct Document {
    /// Where it was read from.
    pub file: Arc<Path>,
    /// The text as read.
    pub text: String,
    /// The value, before `$include` and `${VAR}`.
    pub value: Value,
    /// Byte range of every value.
    spans: BTreeMap<Segments, Range<usize>>,
    /// Byte ranges of comments.
    comments: Vec<Range<usize>>,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").field("file", &self.file).finish_non_exhaustive()
    }
}

/// How we parse, and how the editor parses the same text.
pub fn options() -> ParseOptions {
    ParseOptions {
        allow_missing_commas: false,
        allow_non_finite_numbers: false,
        ..ParseOptions::default()
    }
}

impl Document {
    /// Parses `text` as the whole configuration in `file`. An empty file is an empty object.
    ///
    /// # Errors
    /// Every duplicate and forbidden key at once; a syntax error alone; a root that is no object.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Problems> {
        let document = Self::parse_part(file, text)?;
        if document.value.is_object() {
            return Ok(document);
        }
        let place = document.place(&[]);
        let problem = Problem::new("", "the file does not hold an object").at(place);
        Err(problem.hint("write `{ … }`").into())
    }

    /// Parses `text` as a part of a configuration, which may be any value.
    ///
    /// # Errors
    /// As [`Document::parse`], but for the root.
    pub fn parse_part(file: &Path, text: &str) -> Result<Self, Problems> {
        if text.len() > MAX_BYTES {
            return Err(Problem::new("", "the file is larger than 1 MiB")
                .at(Some(place_at(file, text, 0)))
                .hint("move large data out of the configuration")
                .into());
        }
        if text.starts_with('\u{feff}') {
            return Err(Problem::new("", "the file starts with a byte order mark")
                .at(Some(place_at(file, text, 0)))
                .hint("save it as UTF-8 without BOM")
                .into());
        }
        check_depth(file, text)?;
        let collect =
            CollectOptions { comments: CommentCollectionStrategy::Separate, tokens: false };
        let parsed = jsonc_parser::parse_to_ast(text, &collect, &options())
            .map_err(|error| syntax_problem(file, text, &error))?;
        let comments = comment_ranges(parsed.comments.unwrap_or_default());
        let mut reader = Reader::new(file, text);
        let value = match &parsed.value {
            Some(root) => reader.read(root),
            None => Value::Object(Map::new()),
        };
        if !reader.problems.is_empty() {
            return Err(reader.problems.into());
        }
        Ok(Self { file: file.into(), text: text.to_owned(), value, spans: reader.spans, comments })
    }

    /// Byte range of the value at `path`.
    pub fn span(&self, path: &[String]) -> Option<Range<usize>> {
        self.spans.get(path).cloned()
    }

    /// Every path with its byte range.
    pub fn spans(&self) -> impl Iterator<Item = (&Segments, &Range<usize>)> {
        self.spans.iter()
    }

    /// Line and column of the value at `path`, or of its nearest parent.
    pub fn place(&self, path: &[String]) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some(span) = self.spans.get(path) {
                return Some(place_at(&self.file, &self.text, span.start));
            }
            path = path.split_last()?.1;
        }
    }

    /// The texts of all comments.
    pub fn comments(&self) -> impl Iterator<Item = &str> {
        self.comments.iter().filter_map(|range| self.text.get(range.clone()))
    }
}

/// Parses a single JSON5 value: the argument of `config set`.
///
/// # Errors
/// One sentence with line and column.
pub fn parse_value(text: &str) -> Result<Value, Problems> {
    let file = PathBuf::from("value");
    check_depth(&file, text)?;
    let parsed = jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &options())
        .map_err(|error| syntax_problem(&file, text, &error))?;
    let root = parsed.value.ok_or_else(|| Problem::new("", "there is no value"))?;
    let mut reader = Reader::new(&file, text);
    let value = reader.read(&root);
    if reader.problems.is_empty() { Ok(value) } else { Err(reader.problems.into()) }
}

/// A dotted path as segments: `a.b[0]` and `a.b.0` are the same, `a["x.y"]` keeps its dot.
///
/// # Errors
/// One sentence.
pub fn segments(path: &str) -> Result<Segments, Problem> {
    let wrong = || {
        Problem::new(path, "not a path")
            .hint("write `gateway.auth.mode`, `list[0]`, or `map[\"key.with.dot\"]`")
    };
    let mut found = Segments::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (segment, after) = bracket(inside).ok_or_else(wrong)?;
            found.push(segment);
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (segment, after) = rest.split_at_checked(end).ok_or_else(wrong)?;
            if segment.is_empty() {
                return Err(wrong());
            }
            found.push(segment.to_owned());
            rest = after;
        }
        if let Some(after) = rest.strip_prefix('.') {
            if after.is_empty() {
                return Err(wrong());
            }
            rest = after;
        }
    }
    if found.is_empty() || found.len() > MAX_DEPTH { Err(wrong()) } else { Ok(found) }
}

fn bracket(inside: &str) -> Option<(String, &str)> {
    for quote in ['"', '\''] {
        if let Some(quoted) = inside.strip_prefix(quote) {
            let (segment, after) = quoted.split_once(quote)?;
            return Some((segment.to_owned(), after.strip_prefix(']')?));
        }
    }
    let (digits, after) = inside.split_once(']')?;
    let index: usize = digits.trim().parse().ok()?;
    Some((index.to_string(), after))
}

/// Segments as a person writes them, dots in names kept as they are.
pub fn dotted(path: &[String]) -> String {
    path.join(".")
}

fn place_at(file: &Path, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).map_or(0, |rest| rest.chars().count()) + 1;
    Place { file: file.to_owned(), line, column }
}

/// Counts brackets outside strings and comments, so that the parser never recurses too deep.
fn check_depth(file: &Path, text: &str) -> Result<(), Problem> {
    let mut depth = 0_usize;
    let mut rest = text.char_indices().peekable();
    let mut quote: Option<char> = None;
    while let Some((offset, c)) = rest.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                rest.next();
            }
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '/') => skip_comment(&mut rest),
            (None, '{' | '[') => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Problem::new("", "the file nests deeper than 64 levels")
                        .at(Some(place_at(file, text, offset))));
                }
            }
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    Ok(())
}

fn skip_comment(rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>) {
    match rest.peek().map(|(_, c)| *c) {
        Some('/') => {
            rest.find(|(_, c)| *c == '\n');
        }
        Some('*') => {
            rest.next();
            let mut star = false;
            rest.find(|(_, c)| {
                let end = star && *c == '/';
                star = *c == '*';
                end
            });
        }
        Some(_) | None => {}
    }
}

fn comment_ranges(comments: jsonc_parser::CommentMap<'_>) -> Vec<Range<usize>> {
    let mut ranges: Vec<(usize, usize)> = comments
        .values()
        .flat_map(|group| group.iter())
        .map(|comment| (comment.range().start, comment.range().end))
        .collect();
    ranges.sort_unstable();
    ranges.dedup();
    ranges.into_iter().map(|(start, end)| start..end).collect()
}

fn syntax_problem(file: &Path, text: &str, error: &jsonc_parser::errors::ParseError) -> Problem {
    let kind = error.kind();
    let hint = if matches!(kind, ParseErrorKind::NonFiniteNumbersNotAllowed) {
        "write a finite number"
    } else if matches!(kind, ParseErrorKind::ExpectedComma) {
        "put a comma between the two entries"
    } else if matches!(kind, ParseErrorKind::UnterminatedObject) {
        "a `}` is missing"
    } else if matches!(kind, ParseErrorKind::UnterminatedArray) {
        "a `]` is missing"
    } else {
        "the file is JSON5: check quotes, commas and brackets"
    };
    // The kind's own text names what was expected, never what the file says.
    let message = format!("not valid JSON5: {}", kind.to_string().to_lowercase());
    Problem::new("", message).at(Some(place_at(file, text, error.range().start))).hint(hint)
}

struct Reader<'t> {
    file: &'t Path,
    text: &'t str,
    path: Segments,
    spans: BTreeMap<Segments, Range<usize>>,
    problems: Vec<Problem>,
}

impl<'t> Reader<'t> {
    fn new(file: &'t Path, text: &'t str) -> Self {
        let (path, spans, problems) = (Segments::new(), BTreeMap::new(), Vec::new());
        Self { file, text, path, spans, problems }
    }

    fn refuse(&mut self, offset: usize, name: &str, message: &str, hint: &str) {
        let mut path = self.path.clone();
        if !name.is_empty() {
            path.push(name.to_owned());
        }
        let place = Some(place_at(self.file, self.text, offset));
        self.problems.push(Problem::new(dotted(&path), message).at(place).hint(hint));
    }

    fn read(&mut self, node: &ast::Value<'_>) -> Value {
        let range = node.range();
        self.spans.insert(self.path.clone(), range.start..range.end);
        match node {
            ast::Value::StringLit(text) => Value::String(text.value.clone().into_owned()),
            ast::Value::BooleanLit(flag) => Value::Bool(flag.value),
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::NumberLit(number) => self.number(number),
            ast::Value::Array(array) => self.array(array),
            ast::Value::Object(object) => self.object(object),
        }
    }

    fn array(&mut self, array: &ast::Array<'_>) -> Value {
        let mut values = Vec::with_capacity(array.elements.len());
        for (index, element) in array.elements.iter().enumerate() {
            self.path.push(index.to_string());
            values.push(self.read(element));
            self.path.pop();
        }
        Value::Array(values)
    }

    fn object(&mut self, object: &ast::Object<'_>) -> Value {
        let mut map = Map::new();
        for property in &object.properties {
            let name = property.name.as_str();
            let offset = property.range.start;
            if name.chars().any(is_invisible) {
                let hint = "retype the key by hand";
                self.refuse(offset, "", "a key holds an invisible or control character", hint);
                continue;
            }
            self.path.push(name.to_owned());
            let value = self.read(&property.value);
            self.path.pop();
            if map.insert(name.to_owned(), value).is_some() {
                let hint = "keep one of the two: which of them counts must not be a guess";
                self.refuse(offset, name, "the key is written twice", hint);
            }
        }
        Value::Object(map)
    }

    fn number(&mut self, number: &ast::NumberLit<'_>) -> Value {
        match read_number(number.value) {
            Some(number) => Value::Number(number),
            None => {
                let message = "the number is too large or not a number";
                self.refuse(number.range.start, "", message, "write a finite number");
                Value::Null
            }
        }
    }
}

fn read_number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let value = i64::from_str_radix(hex, 16).ok()?;
        return Some(Number::from(if negative { -value } else { value }));
    }
    let mut plain = digits.to_owned();
    if plain.starts_with('.') {
        plain.insert(0, '0');
    }
    if let Some(dot) = plain.find('.')
        && !plain.get(dot + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        plain.insert(dot + 1, '0');
    }
    let signed = if negative { format!("-{plain}") } else { plain };
    serde_json::from_str(&signed).ok()
}

/// Control, zero-width, direction and formatting characters: they make two different keys look alike.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests;
