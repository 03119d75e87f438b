//! `openclaw logs`: the gateway's log over the wire, once or as it grows.
//!
//! While following, one connection is kept; when it breaks the next look makes a new one, waiting longer
//! each time, and says so once.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    cli::{
        args::LogsArgs,
        context::Context,
        failure::Failure,
        printer::{Span, Style},
        reply,
        session::Session,
    },
    client::{
        connection::Connection,
        credentials::{ConnectAs, Who},
        error::{ClientError, Kind},
        scopes,
    },
};

/// Reading a large log takes a gateway a moment.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest wait between two attempts to reach a gateway that went away.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Runs the command; with `--follow` until it is interrupted.
///
/// # Errors
/// No connection, or a refusal.
pub async fn run(context: &mut Context, args: &LogsArgs) -> Result<(), Failure> {
    let session = Session::open(context, &args.dial, PATIENCE)?;
    let mut tail = Tail { session, connection: None, cursor: None };
    let slice = tail.next(args).await?;
    show(context, args, &slice, Part::First)?;
    let interval = Duration::from_millis(args.interval);
    let mut wait = interval;
    if !args.follow {
        tail.close().await;
        return Ok(());
    }
    loop {
        sleep(wait).await;
        match tail.next(args).await {
            Ok(slice) => {
                if wait > interval {
                    context.printer.note("the gateway is back");
                }
                wait = interval;
                show(context, args, &slice, Part::Later)?;
            }
            Err(error) if comes_back(&error) => {
                if wait == interval {
                    context.printer.warn(&format!("{error}; trying again"));
                }
                wait = (wait * 2).min(MAX_WAIT.max(interval));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A gateway that restarts is worth waiting for; a refusal is not.
fn comes_back(error: &ClientError) -> bool {
    matches!(error.kind, Kind::Transport | Kind::Timeout)
}

struct Tail {
    session: Session,
    connection: Option<Connection>,
    cursor: Option<u64>,
}

impl Tail {
    async fn next(&mut self, args: &LogsArgs) -> Result<Value, ClientError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let who = Who::Backend("logs.tail".to_owned());
                self.session.connect(&ConnectAs::new(who, &[scopes::READ])).await?
            }
        };
        let mut params = json!({ "limit": args.limit, "maxBytes": args.max_bytes });
        if let (Some(cursor), Some(params)) = (self.cursor, params.as_object_mut()) {
            params.insert("cursor".to_owned(), json!(cursor));
        }
        let slice = connection.call("logs.tail", Some(&params)).await?;
        self.cursor = reply::number(&slice, "cursor").or(self.cursor);
        self.connection = Some(connection);
        Ok(slice)
    }

    async fn close(self) {
        if let Some(connection) = self.connection {
            connection.close().await;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    First,
    Later,
}

fn show(context: &mut Context, args: &LogsArgs, slice: &Value, part: Part) -> Result<(), Failure> {
    let flag = |name: &str| slice.get(name) == Some(&Value::Bool(true));
    if part == Part::First {
        head(context, args, slice)?;
    }
    if flag("reset") {
        context.printer.note("the log file was rotated");
    }
    for line in reply::list(slice, "lines").filter_map(Value::as_str) {
        let entry = Entry::read(line);
        match (args.json, args.plain) {
            (true, _) => context.printer.json_line(&entry.to_json(line))?,
            (false, true) => context.printer.line(line)?,
            (false, false) => context.printer.spans(&entry.spans(zone(args)))?,
        }
    }
    if flag("truncated") && part == Part::First {
        context.printer.note("older lines are left out");
        context.printer.hint("a larger `--limit` or `--max-bytes` shows more");
    }
    Ok(())
}

fn head(context: &mut Context, args: &LogsArgs, slice: &Value) -> Result<(), Failure> {
    let field = |name: &str| slice.get(name).cloned().unwrap_or_default();
    if args.json {
        return context.printer.json_line(&json!({
            "type": "meta", "file": field("file"), "cursor": field("cursor"), "size": field("size"),
        }));
    }
    if let Some(file) = reply::text(slice, "file").filter(|_| !args.plain) {
        context.printer.note(&format!("log file: {file}"));
    }
    Ok(())
}

fn zone(args: &LogsArgs) -> TimeZone {
    if args.utc { TimeZone::UTC } else { TimeZone::system() }
}

/// One line of the log; a line that is no JSON is its own message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Entry {
    time: Option<String>,
    level: Option<String>,
    subsystem: Option<String>,
    message: String,
}

impl Entry {
    fn read(line: &str) -> Self {
        let Ok(value @ Value::Object(_)) = serde_json::from_str::<Value>(line) else {
            return Self { message: line.to_owned(), ..Self::default() };
        };
        let first = value.get("0").and_then(Value::as_str).unwrap_or_default();
        let about: Option<Value> = serde_json::from_str(first).ok().filter(Value::is_object);
        let name = about.as_ref().and_then(|about| {
            reply::text(about, "subsystem").or_else(|| reply::text(about, "module"))
        });
        let own = reply::text(&value, "message");
        let second = value.get("1").map(plain).filter(|_| about.is_some());
        let message = own.map(str::to_owned).or(second).unwrap_or_else(|| match &about {
            Some(_) => String::new(),
            None => first.to_owned(),
        });
        Self {
            time: reply::text(&value, "time").map(str::to_owned),
            level: reply::text(&value, "_meta.logLevelName").map(str::to_ascii_lowercase),
            subsystem: name.map(str::to_owned),
            message,
        }
    }

    fn to_json(&self, raw: &str) -> Value {
        let Self { time, level, subsystem, message } = self;
        let mut entry = json!({ "type": "log" });
        let known = [("time", time), ("level", level), ("subsystem", subsystem)];
        if let Some(entry) = entry.as_object_mut() {
            for (key, value) in known {
                if let Some(value) = value {
                    entry.insert(key.to_owned(), json!(value));
                }
            }
            entry.insert("message".to_owned(), json!(message));
            entry.insert("raw".to_owned(), json!(raw));
        }
        entry
    }

    fn spans(&self, zone: TimeZone) -> Vec<Span> {
        let mut spans = Vec::new();
        if let Some(time) = &self.time {
            spans.push(Span(Style::Dim, format!("{} ", local(time, zone))));
        }
        if let Some(level) = &self.level {
            let style = match level.as_str() {
                "error" | "fatal" => Style::Bad,
                "warn" => Style::Warn,
                "info" => Style::Plain,
                _ => Style::Dim,
            };
            spans.push(Span(style, format!("{level:<5} ")));
        }
        if let Some(subsystem) = &self.subsystem {
            spans.push(Span(Style::Dim, format!("{subsystem} ")));
        }
        spans.push(self.message.as_str().into());
        spans
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `2026-11-20 09:12:01.821`, or the text as it came.
fn local(time: &str, zone: TimeZone) -> String {
    match time.parse::<Timestamp>() {
        Ok(stamp) => stamp.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_gateways_are_read() {
        let rows = [
            (
                r#"{"0":"{\"subsystem\":\"gateway/ws\"}","1":"res ok","_meta":{"logLevelName":"INFO"},"time":"2026-11-20T09:12:01.821+00:00"}"#,
                "2026-11-20 09:12:01.821 info  gateway/ws res ok",
            ),
            (
                r#"{"0":"plain words","_meta":{"logLevelName":"WARN"},"time":"2026-11-20T09:12:01Z"}"#,
                "2026-11-20 09:12:01.000 warn  plain words",
            ),
            (r#"{"0":"{\"module\":\"cron\"}","1":{"a":1},"message":"own"}"#, "cron own"),
            ("not json", "not json"),
            ("[1]", "[1]"),
            ("{}", ""),
        ];
        for (line, shown) in rows {
            let spans = Entry::read(line).spans(TimeZone::UTC);
            let text: String = spans.into_iter().map(|Span(_, text)| text).collect();
            assert_eq!(text, shown, "{line}");
        }
    }
}
