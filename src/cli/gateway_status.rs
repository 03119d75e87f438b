//! `openclaw gateway status`: the local installation and whether its gateway answers.
//!
//! It works without a valid configuration, and says only what it knows. The probe leaves nothing behind;
//! `--require-rpc` makes a read request and turns its failure into exit 1.

use serde_json::{Value, json};

use crate::{
    cli::{
        args::GatewayStatusArgs,
        capability::{Capability, auth_json, server_json},
        context::Context,
        failure::{Exit, Failure},
        health,
        printer::{Span, Style},
        session::{PATIENCE, Session},
        sources, version, words,
    },
    client::{
        credentials::{ConnectAs, Who},
        error::ClientError,
        scopes,
    },
    config::problem::Problems,
    protocol::hello::Greeting,
    store::runtime_file::RuntimeFile,
};

/// What the probe found.
struct Rpc {
    url: String,
    source: String,
    /// `connect`, or `read` with `--require-rpc`.
    kind: &'static str,
    latency_ms: u64,
    hello: Option<Greeting>,
    health: Option<Value>,
    error: Option<ClientError>,
}

/// Runs the command.
///
/// # Errors
/// Bad flags; with `--require-rpc` also a gateway that does not answer.
pub async fn run(context: &mut Context, args: &GatewayStatusArgs) -> Result<(), Failure> {
    let local = Installation::of(context);
    let rpc = match (args.no_probe, Session::open(context, &args.dial, PATIENCE)) {
        (true, _) => None,
        (false, Ok(session)) => Some(Ok(probe(context, &session, args).await)),
        // Without a valid configuration there may be no target; the rest of the report still helps.
        (false, Err(failure)) if failure.exit == Exit::Config => Some(Err(failure)),
        (false, Err(failure)) => return Err(failure),
    };
    let ok = matches!(&rpc, Some(Ok(Rpc { error: None, .. })));
    match args.json {
        true => {
            let report = report(context, &local, rpc.as_ref());
            context.printer.json(&report)?;
        }
        false => print(context, &local, rpc.as_ref())?,
    }
    match args.require_rpc && !ok {
        true => Err(Failure::told(Exit::User)),
        false => Ok(()),
    }
}

struct Installation {
    problems: Option<Problems>,
    runtime: Option<RuntimeFile>,
}

impl Installation {
    fn of(context: &Context) -> Self {
        let sources = sources::gather(context);
        Self { problems: sources.config.err(), runtime: sources.runtime }
    }
}

async fn probe(context: &Context, session: &Session, args: &GatewayStatusArgs) -> Rpc {
    let spinner = context.printer.spinner("asking the gateway");
    let (who, kind) = match args.require_rpc {
        true => (Who::Backend("gateway.status".to_owned()), "read"),
        false => (Who::Probe, "connect"),
    };
    let connected = session.timed(&ConnectAs::new(who, &[scopes::READ])).await;
    let mut rpc = Rpc {
        url: session.url(),
        source: session.resolved.source.to_string(),
        kind,
        latency_ms: 0,
        hello: None,
        health: None,
        error: None,
    };
    match connected {
        Err(error) => rpc.error = Some(error),
        Ok((mut connection, latency_ms)) => {
            rpc.latency_ms = latency_ms;
            rpc.hello = Some(connection.hello().clone());
            if args.require_rpc {
                rpc.error = connection.call("status", None).await.err();
            }
            if args.deep && rpc.error.is_none() {
                rpc.health = connection.call("health", None).await.ok();
            }
            connection.close().await;
        }
    }
    drop(spinner);
    rpc
}

impl Rpc {
    fn capability(&self) -> Capability {
        match (&self.hello, &self.error) {
            (Some(hello), _) => Capability::of_hello(hello),
            (None, Some(error)) => Capability::of_error(error),
            (None, None) => Capability::Unknown,
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "ok": self.error.is_none(),
            "kind": self.kind,
            "url": self.url,
            "source": self.source,
            "latencyMs": self.latency_ms,
            "capability": self.capability().as_str(),
            "auth": auth_json(self.hello.as_ref(), self.capability()),
            "server": server_json(self.hello.as_ref()),
            "version": self.hello.as_ref().map(|hello| hello.server.version.as_str()),
            "error": self.error.as_ref().map(|error| Failure::from(error.clone()).error_json()),
        })
    }
}

fn report(context: &Context, local: &Installation, rpc: Option<&Result<Rpc, Failure>>) -> Value {
    let sockets = local.runtime.as_ref().map(|runtime| runtime.urls.as_slice());
    json!({
        "cli": { "version": version::NUMBER },
        "config": { "cli": {
            "path": context.paths.config,
            "exists": context.paths.config.exists(),
            "valid": local.problems.is_none(),
            "problems": local.problems.as_ref().map(|problems| &problems.list),
        }},
        "stateDir": context.paths.state,
        "runtime": local.runtime,
        "sockets": sockets.unwrap_or_default(),
        "rpc": match rpc {
            None => Value::Null,
            Some(Ok(rpc)) => rpc.to_json(),
            Some(Err(failure)) => failure.to_json(),
        },
        "health": rpc.and_then(|rpc| rpc.as_ref().ok()?.health.as_ref()),
    })
}

fn print(
    context: &mut Context,
    local: &Installation,
    rpc: Option<&Result<Rpc, Failure>>,
) -> Result<(), Failure> {
    let mut rows = vec![("Config", config_line(context, local))];
    rows.push(("State", context.paths.state.display().to_string().into()));
    rows.push(("Process", process_line(context, local.runtime.as_ref())));
    for url in local.runtime.iter().flat_map(|runtime| &runtime.urls) {
        rows.push(("Listening", url.as_str().into()));
    }
    if let Some(tls) = local.runtime.as_ref().and_then(|runtime| runtime.tls.as_ref()) {
        rows.push(("Certificate", tls.fingerprint.as_str().into()));
    }
    let mut hints: Vec<String> = Vec::new();
    match rpc {
        None => {}
        Some(Err(failure)) => {
            rows.push(("Probe", Span(Style::Bad, failure.message.clone())));
            hints.clone_from(&failure.hints);
        }
        Some(Ok(rpc)) => {
            rows.push(("Target", format!("{} (from {})", rpc.url, rpc.source).into()));
            rows.push(("Probe", probe_line(rpc)));
            if let Some(hello) = &rpc.hello {
                let server = &hello.server.version;
                rows.push(("Version", format!("{server} (protocol {})", hello.protocol).into()));
                rows.push(("Allowed", rpc.capability().words().into()));
            }
            if let Some(answer) = &rpc.health {
                rows.extend(health::lines(answer));
            }
            hints.extend(rpc.error.iter().flat_map(|error| error.hints.clone()));
        }
    }
    context.printer.pairs(rows)?;
    if let Some(problems) = &local.problems {
        context.printer.note(&problems.to_string());
    }
    for hint in hints {
        context.printer.hint(&hint);
    }
    Ok(())
}

fn config_line(context: &Context, local: &Installation) -> Span {
    let path = context.paths.config.display();
    match (&local.problems, context.paths.config.exists()) {
        (Some(problems), _) => {
            let count = u64::try_from(problems.list.len()).unwrap_or(u64::MAX);
            Span(Style::Bad, format!("{path} ({})", words::count(count, "problem")))
        }
        (None, true) => format!("{path} (valid)").into(),
        (None, false) => format!("{path} (no file: defaults)").into(),
    }
}

fn process_line(context: &Context, runtime: Option<&RuntimeFile>) -> Span {
    match runtime {
        Some(runtime) => {
            let age = words::age(runtime.started_at_ms, context.now_ms);
            Span(Style::Good, format!("pid {}, started {age}", runtime.pid))
        }
        None => "no gateway of this state directory is known to run".into(),
    }
}

fn probe_line(rpc: &Rpc) -> Span {
    match &rpc.error {
        None => Span(Style::Good, format!("ok in {} ms", rpc.latency_ms)),
        Some(error) => Span(Style::Bad, error.message.clone()),
    }
}
