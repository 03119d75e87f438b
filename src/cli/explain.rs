//! `openclaw explain`: the sockets this configuration opens, and what would become of a described request.
//! The gateway's own decision functions run here, dry; no gateway needs to run and nothing is sent.

use openclaw_auth::Via;
use openclaw_bind::Plan;
use serde_json::{Value, json};

use crate::{
    cli::{
        args::{self, ExplainArgs, ExplainVia},
        context::Context,
        failure::Failure,
        printer::{Span, Style},
    },
    config::{
        gateway::BindMode,
        layers::Flags,
        load::{self, Request},
        problem::Problems,
    },
    gateway::explain::{self, Described, Presented, Verdict},
};

/// Runs the command.
///
/// # Errors
/// A configuration that would not start.
pub fn run(context: &mut Context, args: &ExplainArgs) -> Result<(), Failure> {
    let flags = Flags { bind: args.bind.as_deref().map(bind).transpose()?, ..Flags::default() };
    let loaded = load::load(&Request { paths: &context.paths, env: &context.env, flags: &flags })?;
    let plan = explain::plan(&loaded).map_err(Problems::from)?;
    let verdict = explain::explain(&loaded, &describe(args)).map_err(Problems::from)?;
    if args.json {
        return context.printer.json(&to_json(&plan, &verdict));
    }
    print_plan(context, &plan)?;
    print_verdict(context, &verdict)
}

fn bind(word: &str) -> Result<BindMode, Failure> {
    serde_json::from_value(Value::from(word))
        .map_err(|_error| Failure::usage(format!("`{word}` is no bind mode")))
}

fn describe(args: &ExplainArgs) -> Described {
    let beyond = args.peer.is_some_and(|ip| !ip.to_canonical().is_loopback());
    let via = match args.via {
        Some(ExplainVia::Loopback) => Via::Loopback,
        Some(ExplainVia::Lan) => Via::Lan,
        Some(ExplainVia::Tailnet) => Via::Tailnet,
        Some(ExplainVia::Custom) => Via::Custom,
        None if beyond => Via::Lan,
        None => Via::Loopback,
    };
    Described {
        path: args.path.clone(),
        method: args.method.clone(),
        peer: args.peer,
        via,
        headers: args.headers.clone(),
        presented: match args.token_present {
            args::Presented::Right => Presented::Right,
            args::Presented::Wrong => Presented::Wrong,
            args::Presented::None => Presented::None,
        },
        role: args.role.clone(),
        client: args.client.clone(),
    }
}

fn to_json(plan: &Plan, verdict: &Verdict) -> Value {
    let sockets: Vec<Value> = plan
        .sockets
        .iter()
        .map(|socket| json!({ "address": socket.addr, "kind": kind(socket), "device": socket.device, "required": socket.required }))
        .collect();
    let trace: Vec<Value> = plan
        .trace
        .iter()
        .map(|step| json!({ "rule": step.rule, "outcome": step.outcome }))
        .collect();
    let notes: Vec<Value> = plan
        .notes
        .iter()
        .map(|note| json!({ "code": note.code(), "message": note.to_string() }))
        .collect();
    let waiting = plan
        .waiting
        .as_ref()
        .map(|waiting| json!({ "reason": waiting.reason, "hint": waiting.hint }));
    json!({
        "plan": {
            "sockets": sockets, "exposure": format!("{:?}", plan.exposure).to_lowercase(),
            "waiting": waiting, "notes": notes, "steps": trace,
        },
        "request": verdict,
    })
}

fn kind(socket: &openclaw_bind::Socket) -> &'static str {
    match socket.kind {
        openclaw_bind::Kind::Loopback => "loopback",
        openclaw_bind::Kind::Lan => "lan",
        openclaw_bind::Kind::Tailnet => "tailnet",
        openclaw_bind::Kind::Custom => "custom",
    }
}

fn print_plan(context: &mut Context, plan: &Plan) -> Result<(), Failure> {
    context.printer.spans(&[Span(Style::Strong, "Sockets".to_owned())])?;
    let rows = plan.sockets.iter().map(|socket| {
        let device = socket.device.as_deref().map(|device| format!("only through `{device}`"));
        let optional = (!socket.required).then(|| "where the host has it".to_owned());
        vec![
            Span::from(socket.addr.to_string()),
            Span::from(kind(socket).to_owned()),
            Span(Style::Dim, device.or(optional).unwrap_or_default()),
        ]
    });
    context.printer.table(&["Address", "Kind", ""], rows.collect())?;
    for step in &plan.trace {
        context.printer.spans(&[Span(Style::Dim, format!("  {}: {}", step.rule, step.outcome))])?;
    }
    if let Some(waiting) = &plan.waiting {
        context.printer.warn(&waiting.reason);
        context.printer.hint(&waiting.hint);
    }
    plan.notes.iter().for_each(|note| context.printer.warn(&note.to_string()));
    Ok(())
}

fn print_verdict(context: &mut Context, verdict: &Verdict) -> Result<(), Failure> {
    context.printer.line("")?;
    context.printer.spans(&[Span(Style::Strong, "Request".to_owned())])?;
    for step in &verdict.steps {
        let style = if step.outcome == "deny" { Style::Bad } else { Style::Dim };
        let outcome = Span(style, format!("{:<6}", step.outcome));
        context.printer.spans(&[
            Span::from("  ".to_owned()),
            outcome,
            Span::from(format!(" {} ", step.name)),
            Span(Style::Dim, step.note.clone()),
        ])?;
    }
    let style = if verdict.allowed { Style::Good } else { Style::Bad };
    context.printer.spans(&[Span(style, verdict.summary.clone())])?;
    if let Some(hint) = &verdict.hint {
        context.printer.hint(hint);
    }
    Ok(())
}
