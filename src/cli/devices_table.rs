//! The two tables of `devices list`.

use serde_json::Value;

use crate::cli::{
    context::Context,
    failure::Failure,
    printer::{Span, Style},
    reply, words,
};

/// Prints pending requests and paired devices.
///
/// # Errors
/// stdout cannot be written.
pub fn print(context: &mut Context, list: &Value) -> Result<(), Failure> {
    let now = context.now_ms;
    let pending: Vec<Vec<Span>> = reply::list(list, "pending")
        .map(|request| {
            let approved = approved_scopes(list, request);
            pending_row(request, approved, now)
        })
        .collect();
    let paired: Vec<Vec<Span>> =
        reply::list(list, "paired").map(|device| paired_row(device, now)).collect();
    if pending.is_empty() && paired.is_empty() {
        return context.printer.line("No device is paired and none waits.");
    }
    if !pending.is_empty() {
        context.printer.spans(&[Span(Style::Strong, "Waiting for approval".to_owned())])?;
        let header = ["REQUEST", "DEVICE", "ROLE", "ASKS FOR", "HAS", "FROM", "SINCE"];
        context.printer.table(&header, pending)?;
        let command = context.command("devices approve REQUEST");
        context.printer.hint(&format!("approve with `{command}`"));
    }
    if !paired.is_empty() {
        context.printer.spans(&[Span(Style::Strong, "Paired".to_owned())])?;
        let header = ["DEVICE", "ID", "ROLES", "SCOPES", "TOKENS", "LAST SEEN"];
        context.printer.table(&header, paired)?;
    }
    Ok(())
}

/// The words for a device: the operator's name for it, its own, its client, its id.
#[must_use]
pub fn name(device: &Value) -> String {
    let fields = ["operatorLabel", "label", "displayName", "clientId", "deviceId"];
    let found = fields.into_iter().find_map(|field| reply::text(device, field));
    words::short(found.unwrap_or("unnamed"))
}

/// One request as names and values.
#[must_use]
pub fn request(request: &Value, now_ms: u64) -> Vec<(&'static str, Span)> {
    let text = |field: &str| reply::text(request, field).unwrap_or("-").to_owned();
    vec![
        ("Request", text("requestId").into()),
        ("Device", name(request).into()),
        ("Device id", text("deviceId").into()),
        ("Role", text("role").into()),
        ("Asks for", or_none(reply::texts(request, "scopes"))),
        ("Platform", text("platform").into()),
        ("From", text("remoteIp").into()),
        ("Since", since(request, now_ms).into()),
    ]
}

fn pending_row(request: &Value, approved: Option<String>, now_ms: u64) -> Vec<Span> {
    let text = |field: &str| reply::text(request, field).unwrap_or("-").to_owned();
    vec![
        Span(Style::Strong, text("requestId")),
        name(request).into(),
        text("role").into(),
        or_none(reply::texts(request, "scopes")),
        match approved {
            Some(scopes) => or_none(scopes),
            None => Span(Style::Warn, "new device".to_owned()),
        },
        text("remoteIp").into(),
        since(request, now_ms).into(),
    ]
}

/// What the asking device was approved for already.
fn approved_scopes(list: &Value, request: &Value) -> Option<String> {
    let id = reply::text(request, "deviceId")?;
    let known =
        reply::list(list, "paired").find(|device| reply::text(device, "deviceId") == Some(id))?;
    Some(reply::texts(known, "scopes"))
}

fn paired_row(device: &Value, now_ms: u64) -> Vec<Span> {
    let seen = match (device.get("connected"), reply::number(device, "lastSeenAtMs")) {
        (Some(Value::Bool(true)), _) => Span(Style::Good, "connected".to_owned()),
        (_, Some(then)) => words::age(then, now_ms).into(),
        (_, None) => "-".into(),
    };
    let tokens = reply::list(device, "tokens").map(|token| {
        let role = reply::text(token, "role").unwrap_or("?");
        match reply::number(token, "revokedAtMs") {
            Some(_) => format!("{role} (revoked)"),
            None => role.to_owned(),
        }
    });
    let id = reply::text(device, "deviceId").unwrap_or("-");
    vec![
        Span(Style::Strong, name(device)),
        id.into(),
        or_none(reply::texts(device, "roles")),
        or_none(reply::texts(device, "scopes")),
        or_none(tokens.collect::<Vec<_>>().join(", ")),
        seen,
    ]
}

fn since(request: &Value, now_ms: u64) -> String {
    reply::number(request, "ts").map_or_else(|| "-".to_owned(), |then| words::age(then, now_ms))
}

fn or_none(text: String) -> Span {
    match text.as_str() {
        "" => Span(Style::Dim, "none".to_owned()),
        _ => text.into(),
    }
}
