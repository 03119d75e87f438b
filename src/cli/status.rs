//! `openclaw status`: one screen.
//!
//! One connection, all questions at once; what the gateway refuses is named and the rest is shown. Exit 1
//! when no connection came about.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    cli::{
        args::StatusArgs,
        capability::{Capability, auth_json, server_json},
        context::Context,
        failure::{Exit, Failure},
        health,
        printer::{Span, Style},
        reply,
        session::Session,
        words,
    },
    client::{
        credentials::{ConnectAs, Who},
        error::ClientError,
        scopes,
    },
    protocol::hello::Greeting,
};

/// `--deep` waits for live probes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A question and its answer.
type Answer = (&'static str, Result<Value, ClientError>);

/// What the gateway said.
struct Found {
    hello: Greeting,
    latency_ms: u64,
    answers: Vec<Answer>,
}

/// Runs the command.
///
/// # Errors
/// No connection.
pub async fn run(context: &mut Context, args: &StatusArgs) -> Result<(), Failure> {
    let session = Session::open(context, &args.dial, PATIENCE)?;
    if args.verbose {
        let source = session.resolved.source;
        context.printer.note(&format!("target: `{}` (from {source})", session.url()));
    }
    let spinner = context.printer.spinner("asking the gateway");
    let found = ask(&session, args).await;
    drop(spinner);
    match (&found, args.json) {
        (_, true) => {
            let report = report(context, &session, args, found.as_ref());
            context.printer.json(&report)?;
        }
        (Ok(found), false) => print(context, &session, args, found)?,
        (Err(error), false) => return Err(Failure::from(error.clone())),
    }
    match found {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::told(Exit::User)),
    }
}

async fn ask(session: &Session, args: &StatusArgs) -> Result<Found, ClientError> {
    let mut wanted = vec![scopes::READ];
    if args.all {
        wanted.push(scopes::PAIRING);
    }
    let connect_as = ConnectAs::new(Who::Backend("status".to_owned()), &wanted);
    let (mut connection, latency_ms) = session.timed(&connect_as).await?;
    let hello = connection.hello().clone();
    let questions = questions(args);
    let answers = connection.call_all(&questions).await?;
    connection.close().await;
    let answers = questions.iter().map(|(method, _)| *method).zip(answers).collect();
    Ok(Found { hello, latency_ms, answers })
}

fn questions(args: &StatusArgs) -> Vec<(&'static str, Option<Value>)> {
    let probe = json!({ "probe": args.deep });
    let mut list = vec![
        ("status", Some(json!({ "includeChannelSummary": false }))),
        ("system-presence", None),
        ("channels.status", Some(probe.clone())),
    ];
    if args.deep {
        list.push(("health", Some(probe)));
        list.push(("last-heartbeat", None));
    }
    if args.all {
        list.push(("logs.tail", Some(json!({ "limit": 1 }))));
        list.push(("device.pair.list", Some(json!({}))));
    }
    list
}

impl Found {
    fn answer(&self, method: &str) -> Option<&Value> {
        let found = self.answers.iter().find(|(asked, _)| *asked == method);
        found.and_then(|(_, answer)| answer.as_ref().ok())
    }

    /// Questions that were refused, other than for a method that this gateway does not have.
    fn refused(&self) -> impl Iterator<Item = (&'static str, &ClientError)> {
        let errors = self
            .answers
            .iter()
            .filter_map(|(method, answer)| Some((*method, answer.as_ref().err()?)));
        errors.filter(|(_, error)| !error.message.starts_with("unknown method"))
    }
}

fn report(
    context: &Context,
    session: &Session,
    args: &StatusArgs,
    found: Result<&Found, &ClientError>,
) -> Value {
    let hello = found.ok().map(|found| &found.hello);
    let capability = match found {
        Ok(found) => Capability::of_hello(&found.hello),
        Err(error) => Capability::of_error(error),
    };
    let answer = |method: &str| found.ok().and_then(|found| found.answer(method));
    let refused = |(method, error): (&str, &ClientError)| json!({ "method": method, "error": Failure::from(error.clone()).error_json() });
    let refused: Vec<Value> =
        found.ok().into_iter().flat_map(Found::refused).map(refused).collect();
    let mut report = json!({
        "ok": found.is_ok(),
        "degraded": !refused.is_empty(),
        "gateway": {
            "url": session.url(),
            "source": session.resolved.source.to_string(),
            "reachable": found.is_ok(),
            "latencyMs": found.ok().map(|found| found.latency_ms),
            "server": server_json(hello),
            "auth": auth_json(hello, capability),
            "uptimeMs": hello.and_then(|hello| reply::number(&hello.snapshot, "uptimeMs")),
            "error": found.err().map(|error| Failure::from(error.clone()).error_json()),
        },
        "sockets": session.runtime.as_ref().map(|file| file.urls.as_slice()).unwrap_or_default(),
        "status": answer("status"),
        "presence": answer("system-presence"),
        "channels": answer("channels.status"),
        "refused": refused,
    });
    let mut add = |key: &str, value: Value| {
        if let Some(report) = report.as_object_mut() {
            report.insert(key.to_owned(), value);
        }
    };
    if args.deep {
        add("health", json!(answer("health")));
        add("lastHeartbeat", json!(answer("last-heartbeat")));
    }
    if args.all {
        let (path, state) = (&context.paths.config, &context.paths.state);
        add("config", json!({ "path": path, "exists": path.exists(), "stateDir": state }));
        add("logFile", json!(answer("logs.tail").and_then(|answer| answer.get("file"))));
        add("devices", json!(answer("device.pair.list")));
    }
    report
}

fn print(
    context: &mut Context,
    session: &Session,
    args: &StatusArgs,
    found: &Found,
) -> Result<(), Failure> {
    let now = context.now_ms;
    let mut rows = gateway_rows(session, found);
    for url in session.runtime.iter().flat_map(|file| &file.urls) {
        rows.push(("Listening", url.as_str().into()));
    }
    if let Some(status) = found.answer("status") {
        let newest = reply::list(status, "sessions.recent").next();
        let count = reply::number(status, "sessions.count").unwrap_or(0);
        rows.push(("Sessions", health::sessions(count, newest, now).into()));
    }
    if let Some(answer) = found.answer("channels.status") {
        let channels = health::channels(answer);
        if channels.is_empty() {
            rows.push(("Channels", Span(Style::Dim, "none configured".to_owned())));
        }
        rows.extend(channels.into_iter().map(|channel| ("Channel", channel)));
    }
    if let Some(presence) = found.answer("system-presence") {
        rows.extend(reply::list(presence, "").map(|entry| ("Present", present(entry, now))));
    }
    if let Some(answer) = found.answer("health") {
        rows.extend(health::lines(answer));
    }
    if let Some(beat) = found.answer("last-heartbeat") {
        rows.push(("Last heartbeat", heartbeat(beat, now)));
    }
    if args.all {
        rows.extend(all_rows(context, found));
    }
    context.printer.spans(&[Span(Style::Strong, "OpenClaw status".to_owned())])?;
    context.printer.pairs(rows)?;
    for (method, error) in found.refused() {
        context.printer.warn(&format!("`{method}`: {}", error.message));
        for hint in &error.hints {
            context.printer.hint(hint);
        }
    }
    Ok(())
}

fn gateway_rows(session: &Session, found: &Found) -> Vec<(&'static str, Span)> {
    let Found { hello, latency_ms, .. } = found;
    let source = session.resolved.source;
    let server = &hello.server.version;
    let mut running = format!("{server}, protocol {}", hello.protocol);
    if let Some(uptime) = reply::number(&hello.snapshot, "uptimeMs") {
        running.push_str(&format!(", up {}", words::duration(uptime)));
    }
    let auth = hello.auth.as_ref();
    let method = auth.and_then(|auth| auth.method.as_deref()).unwrap_or("unknown");
    let held = match auth.map(|auth| auth.scopes.join(", ")).as_deref() {
        None | Some("") => "no scopes".to_owned(),
        Some(scopes) => scopes.to_owned(),
    };
    vec![
        ("Gateway", format!("{} (from {source})", session.url()).into()),
        ("Reachable", Span(Style::Good, format!("yes, in {latency_ms} ms"))),
        ("Version", running.into()),
        ("Auth", format!("{method}; {held}").into()),
    ]
}

/// `laptop, cli, 10.0.0.2, 5 min ago`.
fn present(entry: &Value, now_ms: u64) -> Span {
    let fields = ["host", "mode", "ip"].into_iter().filter_map(|field| reply::text(entry, field));
    let mut text = fields.collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        text.push_str(reply::text(entry, "text").unwrap_or("unnamed"));
    }
    if let Some(then) = reply::number(entry, "ts") {
        text.push_str(&format!(", {}", words::age(then, now_ms)));
    }
    text.into()
}

fn heartbeat(beat: &Value, now_ms: u64) -> Span {
    let Some(then) = reply::number(beat, "ts") else {
        return Span(Style::Dim, "none yet".to_owned());
    };
    let status = reply::text(beat, "status").unwrap_or("unknown");
    let reason = reply::text(beat, "reason").map(|reason| format!(" ({reason})"));
    format!("{}: {status}{}", words::age(then, now_ms), reason.unwrap_or_default()).into()
}

fn all_rows(context: &Context, found: &Found) -> Vec<(&'static str, Span)> {
    let mut rows: Vec<(&'static str, Span)> = vec![
        ("Config", context.paths.config.display().to_string().into()),
        ("State", context.paths.state.display().to_string().into()),
    ];
    if let Some(file) = found.answer("logs.tail").and_then(|answer| reply::text(answer, "file")) {
        rows.push(("Log file", file.into()));
    }
    if let Some(devices) = found.answer("device.pair.list") {
        let count = |list: &str| u64::try_from(reply::list(devices, list).count()).unwrap_or(0);
        let paired = words::count(count("paired"), "device");
        rows.push(("Devices", format!("{paired} paired, {} waiting", count("pending")).into()));
    }
    rows
}
