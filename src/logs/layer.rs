//! From `tracing` events to lines: JSON for the file, a short text for a person at the terminal.

use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal, Write as _},
};

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};
use tracing::{Event, Level, Subscriber, field::Field, field::Visit};
use tracing_subscriber::layer::{Context, Layer};

use crate::{clock::Clock, protocol::frame};

use super::Logs;

/// A value longer than this is cut (upstream caps at 300; row J12).
const VALUE_CHARS: usize = 256;

/// What a person at the terminal sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    Silent,
    Plain,
    Colour,
    Json,
}

impl Console {
    /// Colour only on a terminal, and only when the user did not refuse it.
    #[must_use]
    pub fn detect(refused: Option<&str>) -> Self {
        if refused.is_none_or(str::is_empty) && io::stderr().is_terminal() {
            Self::Colour
        } else {
            Self::Plain
        }
    }
}

/// The one subscriber layer of the gateway.
pub struct LogLayer {
    pub logs: Option<Logs>,
    pub clock: Clock,
    pub console: Console,
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = Line {
            level: *event.metadata().level(),
            subsystem: subsystem(event.metadata().target()),
            at: Timestamp::from_millisecond(self.clock.now_ms().cast_signed()).unwrap_or_default(),
            fields,
        };
        if let Some(logs) = &self.logs {
            logs.append(line.day(), line.json());
        }
        let text = match self.console {
            Console::Silent => return,
            Console::Json => line.json(),
            Console::Plain | Console::Colour => line.text(self.console),
        };
        // Nobody reads stderr any more: that is no reason to stop.
        writeln!(io::stderr().lock(), "{text}").ok();
    }
}

/// `openclaw::conn::actor` is the subsystem `conn`.
fn subsystem(target: &str) -> &str {
    let mut parts = target.split("::");
    match (parts.next(), parts.next()) {
        (Some("openclaw"), Some(module)) => module,
        (first, _) => first.unwrap_or(target),
    }
}

struct Line<'a> {
    level: Level,
    subsystem: &'a str,
    at: Timestamp,
    fields: Fields,
}

impl Line<'_> {
    fn day(&self) -> String {
        self.at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
    }

    fn json(&self) -> String {
        let name = json!({ "subsystem": self.subsystem }).to_string();
        let mut line = Map::new();
        line.insert("0".to_owned(), Value::from(name.as_str()));
        line.insert("1".to_owned(), Value::from(self.sentence()));
        line.insert(
            "_meta".to_owned(),
            json!({ "date": self.at.to_string(), "logLevelName": self.level.as_str(), "name": name }),
        );
        line.insert("time".to_owned(), Value::from(self.at.to_string()));
        line.insert("level".to_owned(), Value::from(self.level.as_str().to_ascii_lowercase()));
        line.insert("message".to_owned(), Value::from(self.fields.message.as_str()));
        if !self.fields.others.is_empty() {
            line.insert("fields".to_owned(), Value::Object(self.fields.others.clone()));
        }
        frame::to_text(&line)
    }

    fn text(&self, console: Console) -> String {
        let time = self.at.to_zoned(TimeZone::system()).strftime("%H:%M:%S");
        let level = self.level.as_str().to_ascii_lowercase();
        let colour = if self.level == Level::ERROR {
            "31"
        } else if self.level == Level::WARN {
            "33"
        } else {
            "2"
        };
        match console {
            Console::Colour => {
                format!("\x1b[2m{time}\x1b[0m \x1b[{colour}m{level:<5}\x1b[0m {}", self.sentence())
            }
            Console::Plain | Console::Json | Console::Silent => {
                format!("{time} {level:<5} {}", self.sentence())
            }
        }
    }

    /// The message, then `key=value` for what else the event carries. One line, no control characters.
    fn sentence(&self) -> String {
        let mut text = self.fields.message.clone();
        for (key, value) in &self.fields.others {
            // Writing to a string cannot fail.
            match value.as_str() {
                Some(value) => write!(text, " {key}={value}").ok(),
                None => write!(text, " {key}={value}").ok(),
            };
        }
        text
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.others.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::from(clean(&format!("{value:?}"))));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(clean(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }
}

/// Cuts a value and replaces what could forge a line or steer a terminal (row J12).
#[must_use]
pub fn clean(text: &str) -> String {
    let bidi = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let safe = |c: char| if c.is_control() || bidi(c) { '\u{fffd}' } else { c };
    let mut cleaned: String = text.chars().take(VALUE_CHARS).map(safe).collect();
    if cleaned.len() < text.len() && text.chars().count() > VALUE_CHARS {
        cleaned.push('…');
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_line_stays_one_line() {
        let cleaned = clean("a\r\nb\x1b[31m\u{202e}c");
        assert!(!cleaned.contains(['\r', '\n', '\x1b', '\u{202e}']), "{cleaned:?}");
        assert_eq!(clean(&"x".repeat(1000)).chars().count(), VALUE_CHARS + 1);
    }

    #[test]
    fn a_line_carries_the_keys_that_official_readers_want() {
        let mut fields = Fields { message: "listening".to_owned(), ..Fields::default() };
        fields.others.insert("port".to_owned(), json!(18789));
        let line =
            Line { level: Level::INFO, subsystem: "gateway", at: Timestamp::UNIX_EPOCH, fields };
        let json: Value = serde_json::from_str(&line.json()).expect("json");
        assert_eq!(json["1"], "listening port=18789");
        assert_eq!(json["_meta"]["logLevelName"], "INFO");
        assert_eq!(json["0"], "{\"subsystem\":\"gateway\"}");
        assert_eq!(json["time"], "1970-01-01T00:00:00Z");
        assert_eq!(line.day(), "1970-01-01");
    }
}
