//! Challenge, connect, hello-ok; and what a refusal means to a person.

use openclaw_auth::Protocol;

use crate::{
    client::{
        Client,
        connection::Wire,
        credentials::{Challenge, ConnectAs, Proof, ROLE, Who, family, platform},
        error::{ClientError, Kind},
    },
    protocol::{
        connect::{Client as About, ConnectParams},
        error::{ErrorCode, ErrorShape},
        frame::{Incoming, Response},
        hello::Greeting,
    },
};

/// Waits for the first word of the gateway.
///
/// # Errors
/// The connection broke, or something else than a gateway spoke.
pub async fn challenge(wire: &mut Wire) -> Result<Challenge, ClientError> {
    loop {
        match wire.next().await? {
            Incoming::Event(event) if event.event == "connect.challenge" => {
                return Challenge::read(&event.payload).ok_or_else(|| {
                    ClientError::protocol("the gateway's challenge has no nonce")
                        .hint("update the gateway: this client signs nonces only")
                });
            }
            Incoming::Event(_) | Incoming::Res(_) => {}
        }
    }
}

/// Sends `connect` and reads the answer.
///
/// # Errors
/// The gateway's refusal with what to do about it, or a broken connection.
pub async fn connect(
    wire: &mut Wire,
    client: &Client,
    connect_as: &ConnectAs,
    proof: Proof,
) -> Result<Greeting, ClientError> {
    let params = params(client, connect_as, proof);
    let params = serde_json::to_value(&params)
        .map_err(|error| ClientError::protocol(format!("`connect` cannot be written: {error}")))?;
    let id = wire.request("connect", Some(&params)).await?;
    let response = loop {
        match wire.next().await {
            Ok(Incoming::Res(response)) if response.id == id => break response,
            Ok(Incoming::Res(_) | Incoming::Event(_)) => {}
            Err(error) => return Err(refused_by_close(error)),
        }
    };
    greeting(response)
}

fn params(client: &Client, connect_as: &ConnectAs, proof: Proof) -> ConnectParams {
    let display_name = match (&connect_as.who, &proof.device) {
        (Who::Backend(purpose), _) => Some(format!("gateway:{purpose}")),
        // What an operator reads when asked to approve this device.
        (Who::Cli | Who::Probe, Some(_)) => host_name(),
        (Who::Cli | Who::Probe, None) => None,
    };
    ConnectParams {
        min_protocol: number(connect_as.who.oldest()),
        max_protocol: number(Protocol::V4),
        client: About {
            id: connect_as.who.id().to_owned(),
            display_name,
            version: client.version.to_owned(),
            build_id: None,
            platform: platform().to_owned(),
            device_family: Some(family().to_owned()),
            model_identifier: None,
            time_zone: None,
            mode: connect_as.who.mode().to_owned(),
            instance_id: Some(uuid::Uuid::new_v4().to_string()),
        },
        caps: Vec::new(),
        commands: Vec::new(),
        permissions: Default::default(),
        path_env: None,
        computer_use: None,
        worker_runs: None,
        role: Some(ROLE.to_owned()),
        scopes: Some(connect_as.scopes.clone()),
        device: proof.device,
        auth: proof.auth,
        model_catalog: None,
        locale: None,
        user_agent: None,
    }
}

/// The wire wants 32 bits; versions are single digits.
fn number(protocol: Protocol) -> u32 {
    u32::try_from(protocol.number()).unwrap_or(u32::MAX)
}

fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    (!name.is_empty()).then_some(name)
}

fn greeting(response: Response) -> Result<Greeting, ClientError> {
    let Response { ok, payload, error, .. } = response;
    match (ok, payload, error) {
        (true, Some(payload), _) => serde_json::from_value(payload).map_err(|error| {
            ClientError::protocol(format!("the gateway's hello cannot be read: {error}"))
        }),
        (false, _, Some(error)) => Err(refusal(error)),
        (true | false, _, _) => Err(ClientError::protocol("the gateway's answer is empty")),
    }
}

/// A close frame in place of an answer: 1008 is the gateway's "no".
fn refused_by_close(error: ClientError) -> ClientError {
    let code = error.close.as_ref().map(|close| close.code);
    match code {
        Some(1008) => ClientError { kind: Kind::Auth, ..error },
        Some(1012 | 1013) => error.hint("the gateway is restarting; try again in a few seconds"),
        Some(_) | None => error,
    }
}

fn refusal(error: ErrorShape) -> ClientError {
    let (kind, hints) = advice(&error);
    ClientError {
        kind,
        message: error.message.to_string(),
        hints,
        refusal: Some(Box::new(error)),
        close: None,
    }
}

const TOKEN_HINT: &str = "pass the gateway's token with `--token`, or set `OPENCLAW_GATEWAY_TOKEN`; on the gateway host it is `gateway.auth.token` or the file `gateway.token` in the state directory";
const PASSWORD_HINT: &str = "pass the gateway's password with `--password`, or set `OPENCLAW_GATEWAY_PASSWORD`; on the gateway host it is `gateway.auth.password`";

fn advice(error: &ErrorShape) -> (Kind, Vec<String>) {
    let one = |kind, hint: &str| (kind, vec![hint.to_owned()]);
    match error.detail_code().unwrap_or_default() {
        "PAIRING_REQUIRED" => (Kind::Pairing, pairing_hints(error)),
        "AUTH_TOKEN_MISMATCH" | "AUTH_TOKEN_MISSING" => one(Kind::Auth, TOKEN_HINT),
        "AUTH_PASSWORD_MISMATCH" | "AUTH_PASSWORD_MISSING" => one(Kind::Auth, PASSWORD_HINT),
        "AUTH_RATE_LIMITED" => (Kind::Auth, vec![wait_hint(error)]),
        "AUTH_DEVICE_TOKEN_MISMATCH" => one(
            Kind::Auth,
            "the stored device token is no longer valid: connect once with `--token` or `--password`, or have an operator approve this device again",
        ),
        "AUTH_SCOPE_MISMATCH" => one(
            Kind::Auth,
            "this device's token does not cover the command: connect once with `--token` or `--password` to ask for the scope",
        ),
        "DEVICE_IDENTITY_REQUIRED" => (
            Kind::Auth,
            vec![TOKEN_HINT.to_owned(), "or pair this device with the gateway first".to_owned()],
        ),
        "DEVICE_AUTH_SIGNATURE_EXPIRED" => one(
            Kind::Auth,
            "the clocks of this machine and of the gateway differ by more than two minutes",
        ),
        "PROTOCOL_MISMATCH" => {
            one(Kind::Protocol, "update the older of the two: this client speaks protocol 4")
        }
        _ => by_code(error),
    }
}

/// Older gateways give no details for some refusals.
fn by_code(error: &ErrorShape) -> (Kind, Vec<String>) {
    match &error.code {
        ErrorCode::NotPaired if error.message.starts_with("pairing required") => {
            (Kind::Pairing, pairing_hints(error))
        }
        ErrorCode::Unavailable => (Kind::Request, vec![wait_hint(error)]),
        ErrorCode::InvalidRequest if error.message == "protocol mismatch" => {
            (Kind::Protocol, vec!["update the gateway: this client speaks protocol 4".to_owned()])
        }
        ErrorCode::InvalidRequest
        | ErrorCode::NotPaired
        | ErrorCode::Forbidden
        | ErrorCode::Other(_) => (Kind::Auth, Vec::new()),
    }
}

fn wait_hint(error: &ErrorShape) -> String {
    match error.retry_after_ms {
        Some(ms) => format!("try again in {} s", ms.div_ceil(1000)),
        None => "try again in a few minutes".to_owned(),
    }
}

/// The exact command that lets this device in.
fn pairing_hints(error: &ErrorShape) -> Vec<String> {
    let told = error.details.as_ref().and_then(|details| details.get("requestId"));
    let id = told.and_then(serde_json::Value::as_str).filter(|id| is_plain_id(id));
    let command = match id {
        Some(id) => format!("openclaw devices approve {id}"),
        None => "openclaw devices approve --latest".to_owned(),
    };
    vec![format!("on the gateway host run `{command}`, then repeat this command")]
}

/// The id comes from the other side and ends in a command that a person copies.
fn is_plain_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
