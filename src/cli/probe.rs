//! `openclaw gateway probe`: every gateway that this machine knows of, side by side.
//!
//! Each target is connected as a probe, which leaves nothing behind, and asked four questions at once. A
//! question that lacks a scope makes the target degraded, not unreachable. Exit 1 when no target answers.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    cli::{
        args::{Dial, ProbeArgs},
        capability::{Capability, auth_json, server_json},
        context::Context,
        failure::{Exit, Failure},
        printer::{Span, Style},
        reply,
        session::Session,
        target::Source,
    },
    client::{
        credentials::{ConnectAs, Who},
        error::ClientError,
        scopes,
    },
    config::env,
    protocol::hello::Greeting,
};

/// A probe that takes longer tells as much as one that fails.
const PATIENCE: Duration = Duration::from_secs(3);

/// In the order of the answers that [`detail`] reads.
const QUESTIONS: [&str; 4] = ["health", "status", "system-presence", "config.get"];

/// What one target said.
struct Outcome {
    id: &'static str,
    url: String,
    source: Source,
    connected: Result<Connected, ClientError>,
    latency_ms: u64,
}

struct Connected {
    hello: Greeting,
    answers: Vec<Result<Value, ClientError>>,
    /// The connection broke while the answers came.
    broken: Option<ClientError>,
}

/// Runs the command.
///
/// # Errors
/// Bad flags, or no target answers.
pub async fn run(context: &mut Context, args: &ProbeArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let sessions = targets(context, &args.dial)?;
    let spinner = context.printer.spinner("probing");
    let mut outcomes = Vec::with_capacity(sessions.len());
    for (id, session) in &sessions {
        outcomes.push(probe(id, session).await);
    }
    drop(spinner);
    let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let report = report(&outcomes, context.now_ms, took, &args.dial);
    match args.json {
        true => context.printer.json(&report)?,
        false => print(context, &outcomes, &report)?,
    }
    match outcomes.iter().any(|outcome| outcome.connected.is_ok()) {
        true => Ok(()),
        false => Err(Failure::told(Exit::User)),
    }
}

/// The explicit target first, then the local gateway.
fn targets(context: &mut Context, dial: &Dial) -> Result<Vec<(&'static str, Session)>, Failure> {
    let mut found = Vec::new();
    let explicit = dial.url.is_some()
        || (dial.port.is_none() && context.env.value(&env::GATEWAY_URL).is_some());
    if explicit {
        found.push(("explicit", Session::open(context, dial, PATIENCE)?));
    }
    // Credentials given for a URL are for that URL: the local gateway is asked with its own.
    let local = match (dial.port, explicit) {
        (Some(_), _) => dial.clone(),
        (None, false) => dial.clone(),
        (None, true) => {
            Dial { port: local_port(context), timeout: dial.timeout, ..Dial::default() }
        }
    };
    match Session::open(context, &local, PATIENCE) {
        Ok(session) => found.push(("localLoopback", session)),
        Err(failure) if found.is_empty() => return Err(failure),
        Err(_) => {}
    }
    Ok(found)
}

fn local_port(context: &Context) -> Option<u16> {
    let sources = crate::cli::sources::gather(context);
    let running = sources.runtime.map(|runtime| runtime.port);
    running.or_else(|| sources.config.ok().map(|local| local.dial.port()))
}

async fn probe(id: &'static str, session: &Session) -> Outcome {
    let connect_as = ConnectAs::new(Who::Probe, &[scopes::READ]);
    let started = Instant::now();
    let connected = session.connect(&connect_as).await;
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let connected = match connected {
        Err(error) => Err(error),
        Ok(mut connection) => {
            let hello = connection.hello().clone();
            let asked = connection.call_all(&QUESTIONS.map(|method| (method, None))).await;
            connection.close().await;
            Ok(match asked {
                Ok(answers) => Connected { hello, answers, broken: None },
                Err(error) => Connected { hello, answers: Vec::new(), broken: Some(error) },
            })
        }
    };
    Outcome { id, url: session.url(), source: session.resolved.source, connected, latency_ms }
}

impl Connected {
    /// The first question that was not answered.
    fn refusal(&self) -> Option<&ClientError> {
        self.broken
            .as_ref()
            .or_else(|| self.answers.iter().find_map(|answer| answer.as_ref().err()))
    }

    fn is_scope_limited(&self) -> bool {
        self.answers
            .iter()
            .any(|answer| answer.as_ref().is_err_and(|error| error.missing_scope().is_some()))
    }

    fn answer(&self, question: usize) -> &Value {
        static NONE: Value = Value::Null;
        self.answers.get(question).and_then(|answer| answer.as_ref().ok()).unwrap_or(&NONE)
    }
}

impl Outcome {
    fn capability(&self) -> Capability {
        match &self.connected {
            Ok(connected) => Capability::of_hello(&connected.hello),
            Err(error) => Capability::of_error(error),
        }
    }

    fn is_degraded(&self) -> bool {
        self.connected.as_ref().is_ok_and(|connected| connected.refusal().is_some())
    }

    fn to_json(&self) -> Value {
        let connected = self.connected.as_ref().ok();
        let error = match &self.connected {
            Ok(connected) => connected.refusal(),
            Err(error) => Some(error),
        };
        let presence = connected.map_or(&Value::Null, |connected| connected.answer(2));
        let itself = presence.as_array().and_then(|list| {
            list.iter().find(|entry| reply::text(entry, "mode") == Some("gateway"))
        });
        json!({
            "id": self.id,
            "kind": self.id,
            "url": self.url,
            "source": self.source.to_string(),
            "active": true,
            "connect": {
                "ok": connected.is_some(),
                "rpcOk": connected.is_some_and(|connected| connected.refusal().is_none()),
                "scopeLimited": connected.is_some_and(Connected::is_scope_limited),
                "latencyMs": self.latency_ms,
                "error": error.map(|error| error.message.as_str()),
                "errorType": error.map(|error| error.kind.as_str()),
                "close": error.and_then(|error| error.close.as_ref()).map(|close| {
                    json!({ "code": close.code, "reason": close.reason })
                }),
            },
            "auth": auth_json(connected.map(|connected| &connected.hello), self.capability()),
            "server": server_json(connected.map(|connected| &connected.hello)),
            "self": itself,
            "config": connected.map(|connected| config_summary(connected.answer(3))),
            "health": connected.map(|connected| connected.answer(0)),
            "summary": connected.map(|connected| connected.answer(1)),
            "presence": presence,
        })
    }
}

/// Where the gateway's configuration is and whether it is valid; its content is not a probe's business.
fn config_summary(config: &Value) -> Value {
    match config.is_object() {
        true => json!({
            "path": config.get("path"), "exists": config.get("exists"), "valid": config.get("valid"),
        }),
        false => Value::Null,
    }
}

fn report(outcomes: &[Outcome], now_ms: u64, took: u64, dial: &Dial) -> Value {
    let reachable = || outcomes.iter().filter(|outcome| outcome.connected.is_ok());
    let best = outcomes.iter().map(Outcome::capability).max();
    let limited: Vec<&str> = reachable()
        .filter(|outcome| outcome.connected.as_ref().is_ok_and(Connected::is_scope_limited))
        .map(|outcome| outcome.id)
        .collect();
    let mut warnings = Vec::new();
    if !limited.is_empty() {
        warnings.push(json!({
            "code": "probe_scope_limited",
            "message": "connected, but without `operator.read` the gateway answers only a part",
            "targetIds": limited,
        }));
    }
    let local = outcomes.iter().find(|outcome| outcome.id == "localLoopback");
    let patience = dial.timeout.map_or(PATIENCE, Duration::from_millis);
    json!({
        "ok": reachable().next().is_some(),
        "degraded": outcomes.iter().any(Outcome::is_degraded),
        "capability": best.unwrap_or(Capability::Unknown).as_str(),
        "ts": now_ms,
        "durationMs": took,
        "timeoutMs": u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
        "primaryTargetId": reachable().next().map(|outcome| outcome.id),
        "warnings": warnings,
        "network": { "localLoopbackUrl": local.map(|outcome| outcome.url.as_str()) },
        "targets": outcomes.iter().map(Outcome::to_json).collect::<Vec<_>>(),
    })
}

fn print(context: &mut Context, outcomes: &[Outcome], report: &Value) -> Result<(), Failure> {
    let reachable = report.get("ok") == Some(&Value::Bool(true));
    let word = if reachable {
        Span(Style::Good, "yes".to_owned())
    } else {
        Span(Style::Bad, "no".to_owned())
    };
    context.printer.spans(&["Reachable: ".into(), word])?;
    for outcome in outcomes {
        context.printer.line("")?;
        let name = if outcome.id == "explicit" { "Explicit" } else { "Local" };
        context.printer.spans(&[
            Span(Style::Strong, format!("{name} {}", outcome.url)),
            Span(Style::Dim, format!(" (from {})", outcome.source)),
        ])?;
        context.printer.pairs(describe(outcome))?;
        if let Err(error) = &outcome.connected {
            for hint in &error.hints {
                context.printer.hint(hint);
            }
        }
    }
    Ok(())
}

fn describe(outcome: &Outcome) -> Vec<(&'static str, Span)> {
    let connected = match &outcome.connected {
        Err(error) => return vec![("  Connect", Span(Style::Bad, error.message.clone()))],
        Ok(connected) => connected,
    };
    let hello = &connected.hello;
    let read = match connected.refusal() {
        None => Span(Style::Good, "ok".to_owned()),
        Some(error) => Span(Style::Warn, format!("limited: {}", error.message)),
    };
    let method = hello.auth.as_ref().and_then(|auth| auth.method.clone());
    vec![
        ("  Connect", Span(Style::Good, format!("ok in {} ms", outcome.latency_ms))),
        ("  Version", format!("{} (protocol {})", hello.server.version, hello.protocol).into()),
        ("  Auth", method.unwrap_or_else(|| "unknown".to_owned()).into()),
        ("  Allowed", outcome.capability().words().into()),
        ("  Reading", read),
    ]
}
