//! `openclaw devices`: who may connect.
//!
//! A connection asks for `operator.pairing` and, where a device's operator token is at stake, for the
//! scopes of that token too: a gateway lets nobody hand out more than they hold. Other roles, and devices
//! that the list does not show, need `operator.admin`.

use serde_json::{Value, json};

use crate::{
    cli::{
        args::{DevicesCommand, DevicesDial, TokenOf},
        context::Context,
        devices_table,
        failure::{Exit, Failure},
        reply,
        session::{PATIENCE, Session},
        words,
    },
    client::{
        credentials::{ConnectAs, ROLE, Who},
        scopes,
    },
};

/// Runs the command.
///
/// # Errors
/// No connection, the gateway's refusal, or nothing to approve.
pub async fn run(context: &mut Context, command: &DevicesCommand) -> Result<(), Failure> {
    match command {
        DevicesCommand::List { common } => {
            let list = Desk::open(context, common)?.list().await?;
            match common.json {
                true => context.printer.json(&list),
                false => devices_table::print(context, &list),
            }
        }
        DevicesCommand::Approve { request_id: Some(id), common, latest: _ } => {
            approve(context, common, id).await
        }
        DevicesCommand::Approve { request_id: None, common, latest: _ } => {
            preview(context, common).await
        }
        DevicesCommand::Reject { request_id, common } => {
            let params = json!({ "requestId": request_id });
            let done = format!("rejected the request `{request_id}`");
            change(context, common, Change::of("device.pair.reject", params, done)).await
        }
        DevicesCommand::Remove { device_id, common } => {
            let params = json!({ "deviceId": device_id });
            let done = format!("removed the device `{}`", words::short(device_id));
            change(context, common, Change::of("device.pair.remove", params, done)).await
        }
        DevicesCommand::Rename { device, name, common } => {
            let label = label(name)?;
            let params = json!({ "deviceId": device, "label": label });
            let done = format!("the device `{}` is now `{label}`", words::short(device));
            change(context, common, Change::of("device.pair.rename", params, done)).await
        }
        DevicesCommand::Rotate { of, scopes, common } => rotate(context, common, of, scopes).await,
        DevicesCommand::Revoke { of, common } => {
            let params = json!({ "deviceId": of.device, "role": of.role });
            let done =
                format!("the {} token of `{}` is invalid", of.role, words::short(&of.device));
            let needed = Desk::open(context, common)?.scopes_of_token(of).await?;
            let change = Change { needed, ..Change::of("device.token.revoke", params, done) };
            self::change(context, common, change).await
        }
    }
}

/// One change and what to say when it is done.
struct Change {
    method: &'static str,
    params: Value,
    done: String,
    needed: Vec<String>,
}

impl Change {
    fn of(method: &'static str, params: Value, done: String) -> Self {
        Self { method, params, done, needed: vec![scopes::PAIRING.to_owned()] }
    }
}

/// A session for device commands.
struct Desk(Session);

impl Desk {
    fn open(context: &mut Context, common: &DevicesDial) -> Result<Self, Failure> {
        Session::open(context, &common.dial, PATIENCE).map(Self)
    }

    async fn call(
        &self,
        needed: Vec<String>,
        method: &str,
        params: &Value,
    ) -> Result<Value, Failure> {
        let connect_as = ConnectAs { who: Who::Cli, scopes: needed };
        let mut connection = self.0.connect(&connect_as).await?;
        let answer = connection.call(method, Some(params)).await;
        connection.close().await;
        Ok(answer?)
    }

    async fn list(&self) -> Result<Value, Failure> {
        self.call(vec![scopes::PAIRING.to_owned()], "device.pair.list", &json!({})).await
    }

    /// What a change of the token `of` needs.
    async fn scopes_of_token(&self, of: &TokenOf) -> Result<Vec<String>, Failure> {
        let list = self.list().await?;
        let device = reply::list(&list, "paired")
            .find(|device| reply::text(device, "deviceId") == Some(of.device.as_str()));
        let token = device.and_then(|device| {
            reply::list(device, "tokens")
                .find(|token| reply::text(token, "role") == Some(of.role.as_str()))
        });
        Ok(needed(&of.role, token))
    }
}

/// The scopes for handling the token or request `held`.
fn needed(role: &str, held: Option<&Value>) -> Vec<String> {
    let pairing = scopes::PAIRING.to_owned();
    let Some(held) = held.filter(|_| role == ROLE) else {
        return vec![scopes::ADMIN.to_owned(), pairing];
    };
    let mut all = vec![pairing];
    for scope in reply::list(held, "scopes").filter_map(Value::as_str) {
        if !all.iter().any(|known| known == scope) {
            all.push(scope.to_owned());
        }
    }
    all
}

async fn change(
    context: &mut Context,
    common: &DevicesDial,
    change: Change,
) -> Result<(), Failure> {
    let desk = Desk::open(context, common)?;
    let Change { method, params, done, needed } = change;
    let answer = desk.call(needed, method, &params).await?;
    match common.json {
        true => context.printer.json(&answer),
        false => context.printer.line(&done),
    }
}

async fn approve(context: &mut Context, common: &DevicesDial, id: &str) -> Result<(), Failure> {
    let desk = Desk::open(context, common)?;
    let list = desk.list().await?;
    let pending =
        reply::list(&list, "pending").find(|request| reply::text(request, "requestId") == Some(id));
    let Some(pending) = pending else {
        let other = context.command("devices list");
        return Err(Failure::user(
            "gateway_request_error",
            format!("no request `{id}` is pending"),
        )
        .hint(format!("a device that tries again gets a new id: see `{other}`")));
    };
    let role = reply::text(pending, "role").unwrap_or(ROLE);
    let params = json!({ "requestId": id });
    let answer = desk.call(needed(role, Some(pending)), "device.pair.approve", &params).await?;
    match common.json {
        true => context.printer.json(&answer),
        false => {
            let device = answer.get("device").unwrap_or(pending);
            let name = devices_table::name(device);
            let id = reply::text(device, "deviceId").map(words::short).unwrap_or_default();
            context.printer.line(&format!("approved `{name}` ({id}) as {role}"))
        }
    }
}

/// Shows the newest request; a person approves what they saw, by its id.
async fn preview(context: &mut Context, common: &DevicesDial) -> Result<(), Failure> {
    let list = Desk::open(context, common)?.list().await?;
    let newest = reply::list(&list, "pending")
        .max_by_key(|request| reply::number(request, "ts").unwrap_or(0));
    let Some(newest) = newest else {
        return Err(Failure::user("nothing_pending", "no device waits for approval")
            .hint("connect with the device first; its request stays for five minutes"));
    };
    let id = reply::text(newest, "requestId").unwrap_or_default();
    let url = common.dial.url.as_ref().map(|url| format!(" --url {url}")).unwrap_or_default();
    let command = context.command(&format!("devices approve {id}{url}"));
    if common.json {
        context.printer.json(&json!({ "selected": newest, "approveCommand": command }))?;
    } else {
        context.printer.pairs(devices_table::request(newest, context.now_ms))?;
        context.printer.note("nothing is approved yet");
        context.printer.hint(&format!("to approve it run `{command}`"));
        if !url.is_empty() {
            context.printer.hint("with the same `--token` or `--password`");
        }
    }
    Err(Failure::told(Exit::User))
}

async fn rotate(
    context: &mut Context,
    common: &DevicesDial,
    of: &TokenOf,
    wanted: &[String],
) -> Result<(), Failure> {
    let desk = Desk::open(context, common)?;
    let mut needed = desk.scopes_of_token(of).await?;
    let mut params = json!({ "deviceId": of.device, "role": of.role });
    if let Some(params) = params.as_object_mut().filter(|_| !wanted.is_empty()) {
        params.insert("scopes".to_owned(), json!(wanted));
        needed.extend(
            wanted.iter().filter(|scope| !needed.contains(scope)).cloned().collect::<Vec<_>>(),
        );
    }
    let answer = desk.call(needed, "device.token.rotate", &params).await?;
    if common.json {
        return context.printer.json(&answer);
    }
    let device = words::short(&of.device);
    context.printer.line(&format!("the {} token of `{device}` is replaced", of.role))?;
    context
        .printer
        .hint("the device gets its new token when it connects with the shared token or password");
    Ok(())
}

/// The official limit.
const LABEL: usize = 64;

fn label(name: &str) -> Result<&str, Failure> {
    let name = name.trim();
    match name.chars().count() {
        1..=LABEL => Ok(name),
        _ => Err(Failure::usage(format!("a name has 1 to {LABEL} characters"))),
    }
}
