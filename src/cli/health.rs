//! `openclaw health` and `openclaw gateway health`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    cli::{
        args::HealthArgs,
        context::Context,
        failure::{Exit, Failure},
        printer::{Span, Style},
        reply,
        session::Session,
        words,
    },
    client::{
        credentials::{ConnectAs, Who},
        scopes,
    },
};

/// A live probe asks every channel's own server.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the command.
///
/// # Errors
/// No connection, or a gateway that is not well.
pub async fn run(context: &mut Context, args: &HealthArgs) -> Result<(), Failure> {
    let session = Session::open(context, &args.dial, PATIENCE)?;
    let spinner = context.printer.spinner("asking the gateway");
    let connect_as = ConnectAs::new(Who::Cli, scopes::of_method("health"));
    let (mut connection, latency) = session.timed(&connect_as).await?;
    let params = args.verbose.then(|| json!({ "probe": true }));
    let health = connection.call("health", params.as_ref()).await?;
    connection.close().await;
    drop(spinner);
    if args.json {
        context.printer.json(&health)?;
    } else {
        context.printer.spans(&headline(&health, latency))?;
        let mut rows = lines(&health);
        if let Some(count) = reply::number(&health, "sessions.count") {
            let newest = reply::list(&health, "sessions.recent").next();
            rows.push(("Sessions", sessions(count, newest, context.now_ms).into()));
        }
        context.printer.pairs(rows)?;
    }
    match health.get("ok") {
        Some(Value::Bool(false)) => Err(Failure::told(Exit::User)),
        Some(_) | None => Ok(()),
    }
}

/// `Gateway is healthy (5 ms)`.
fn headline(health: &Value, latency: u64) -> Vec<Span> {
    let (style, word) = match health.get("ok") {
        Some(Value::Bool(false)) => (Style::Bad, "not healthy"),
        Some(_) | None => (Style::Good, "healthy"),
    };
    vec![
        "Gateway is ".into(),
        Span(style, word.to_owned()),
        format!(" ({latency} ms to connect)").into(),
    ]
}

/// What a health answer says, one line each.
#[must_use]
pub fn lines(health: &Value) -> Vec<(&'static str, Span)> {
    let mut rows: Vec<(&'static str, Span)> = Vec::new();
    if let Some(ms) = reply::number(health, "durationMs") {
        rows.push(("Health", format!("looked at in {}", words::duration(ms)).into()));
    }
    if reply::at(health, "eventLoop.degraded") == Some(&Value::Bool(true)) {
        let why = reply::texts(health, "eventLoop.reasons");
        rows.push(("Event loop", Span(Style::Warn, format!("degraded: {why}"))));
    }
    for channel in channels(health) {
        rows.push(("Channel", channel));
    }
    let agents: Vec<&str> =
        reply::list(health, "agents").filter_map(|agent| reply::text(agent, "agentId")).collect();
    if !agents.is_empty() {
        rows.push(("Agents", agents.join(", ").into()));
    }
    if let Some(seconds) = reply::number(health, "heartbeatSeconds").filter(|seconds| *seconds > 0)
    {
        rows.push(("Heartbeat", format!("every {}", words::duration(seconds * 1000)).into()));
    }
    rows
}

/// `3 sessions, newest agent:main:main 2 min ago`.
#[must_use]
pub fn sessions(count: u64, newest: Option<&Value>, now_ms: u64) -> String {
    let mut text = words::count(count, "session");
    let key = newest.and_then(|session| reply::text(session, "key"));
    if let (Some(key), Some(newest)) = (key, newest) {
        text.push_str(&format!(", newest {key}"));
        if let Some(then) = reply::number(newest, "updatedAt") {
            text.push_str(&format!(" {}", words::age(then, now_ms)));
        }
    }
    text
}

/// One line per channel of `health` or `channels.status`.
#[must_use]
pub fn channels(answer: &Value) -> Vec<Span> {
    let order = reply::list(answer, "channelOrder").filter_map(Value::as_str);
    order
        .map(|id| {
            let label = answer.get("channelLabels").and_then(|labels| reply::text(labels, id));
            let state = answer.get("channels").and_then(|channels| channels.get(id));
            let (style, word) = state.map_or((Style::Dim, "unknown"), channel_state);
            Span(style, format!("{}: {word}", label.unwrap_or(id)))
        })
        .collect()
}

fn channel_state(channel: &Value) -> (Style, &'static str) {
    let flag = |path: &str| reply::at(channel, path).and_then(Value::as_bool);
    if flag("configured") == Some(false) {
        return (Style::Dim, "not configured");
    }
    if flag("enabled") == Some(false) {
        return (Style::Dim, "off");
    }
    match (flag("probe.ok"), flag("running"), flag("connected")) {
        (Some(false), _, _) => (Style::Bad, "failing"),
        (_, Some(false), _) => (Style::Warn, "stopped"),
        (_, _, Some(false)) => (Style::Warn, "not connected"),
        (Some(true), _, _) | (_, _, Some(true)) => (Style::Good, "ok"),
        (None, Some(true), None) => (Style::Good, "running"),
        (None, None, None) => (Style::Plain, "configured"),
    }
}
