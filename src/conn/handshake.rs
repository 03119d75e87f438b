//! The first words of a connection: challenge out, `connect` in. No I/O; the decision is `openclaw_auth`'s.

use openclaw_auth::{
    Ask, Challenge, Denied, DetailValue, DeviceProof, Protocol, Role, ScopeSet, Secret,
    decide::Client,
};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    clock::UnixMs,
    devices::Applicant,
    protocol::{
        close::Close,
        connect::{self, ConnectParams},
        error::{ErrorCode, ErrorShape},
        fault,
        frame::{self, Malformed, Request},
        limits::JSON_DEPTH,
    },
};

/// A fresh challenge; it lives in its connection only (row F23).
#[must_use]
pub fn challenge(now: UnixMs) -> Challenge {
    Challenge { nonce: uuid::Uuid::new_v4().to_string().into(), issued_at: now }
}

/// The event that opens every connection.
#[must_use]
pub fn challenge_frame(challenge: &Challenge) -> String {
    let payload = json!({ "nonce": challenge.nonce, "ts": challenge.issued_at });
    frame::event("connect.challenge", &payload.to_string(), None, None)
}

/// A `connect` that can be decided.
#[derive(Debug)]
pub struct Connect {
    /// The id of the request, to answer under.
    pub id: String,
    pub ask: Ask,
    pub client: connect::Client,
    pub caps: Vec<String>,
}

/// A connection that ends before hello: perhaps an answer, then a close.
#[derive(Debug, PartialEq)]
pub struct Refusal {
    pub answer: Option<String>,
    pub close: Close,
    /// The limiter counts it although no credential was compared.
    pub counts: bool,
}

impl Refusal {
    fn silent(close: Close) -> Box<Self> {
        Box::new(Self { answer: None, close, counts: false })
    }

    fn told(id: &str, message: String) -> Box<Self> {
        let close = Close::policy(&message);
        let counts = message.starts_with("invalid connect params: at /auth");
        let answer = frame::response_error(&Value::from(id), &ErrorShape::invalid(message));
        Box::new(Self { answer: Some(answer), close, counts })
    }

    /// The refusal that a decision gave.
    #[must_use]
    pub fn denied(id: &str, denied: &Denied) -> Box<Self> {
        let answer =
            denied.answers().then(|| frame::response_error(&Value::from(id), &error_shape(denied)));
        Box::new(Self {
            answer,
            close: Close::new(denied.close_code(), &denied.close_reason()),
            counts: false,
        })
    }

    /// A refusal that is not about authority.
    #[must_use]
    pub fn failed(id: &str, error: &ErrorShape) -> Box<Self> {
        let answer = frame::response_error(&Value::from(id), error);
        Box::new(Self { answer: Some(answer), close: Close::policy(&error.message), counts: false })
    }
}

/// Reads the first message (protocol page 3.8).
///
/// # Errors
/// How the connection ends when it is not a `connect` that can be decided.
pub fn read(text: &str) -> Result<Connect, Box<Refusal>> {
    if frame::deeper_than(text, JSON_DEPTH) {
        return Err(Refusal::silent(Close::policy("invalid request frame")));
    }
    let request = match Request::read(text) {
        Ok(request) => request,
        Err(Malformed::NotJson) => return Err(Refusal::silent(Close::silent(Close::NORMAL))),
        Err(Malformed::NotARequest { .. }) => {
            return Err(Refusal::silent(Close::policy("invalid request frame")));
        }
    };
    let id = request.id.into_owned();
    if request.method != "connect" {
        return Err(Refusal::told(
            &id,
            "invalid handshake: first request must be connect".to_owned(),
        ));
    }
    let params = request.params.map_or("{}", RawValue::get);
    let params = fault::read::<ConnectParams>(params)
        .and_then(|params| params.check().map(|()| params))
        .map_err(|sentence| Refusal::told(&id, format!("invalid connect params: {sentence}")))?;
    connect(id, params)
}

fn connect(id: String, params: ConnectParams) -> Result<Connect, Box<Refusal>> {
    let refuse = |denied: Denied| Refusal::denied(&id, &denied);
    let (min, max) = (params.min_protocol.into(), params.max_protocol.into());
    let protocol = Protocol::negotiate(min, max).map_err(refuse)?;
    let refuse = |denied: Denied| Refusal::denied(&id, &denied.for_protocol(protocol));
    let role = Role::parse(params.role.as_deref()).map_err(refuse)?;
    let scopes = ScopeSet::from_sent(params.scopes.unwrap_or_default()).map_err(refuse)?;
    let auth = params.auth.unwrap_or_default();
    let client = &params.client;
    let ask = Ask {
        protocol,
        role,
        scopes,
        client: Client {
            id: client.id.as_str().into(),
            mode: client.mode.as_str().into(),
            platform: client.platform.as_str().into(),
            device_family: client.device_family.as_deref().map(Into::into),
        },
        token: auth.token.map(Secret::new),
        password: auth.password.map(Secret::new),
        device_token: auth.device_token.map(Secret::new),
        device: params.device.map(|device| DeviceProof {
            id: device.id.into(),
            public_key: device.public_key.into(),
            signature: device.signature.into(),
            signed_at: device.signed_at,
            nonce: device.nonce.into(),
        }),
    };
    Ok(Connect { id, ask, client: params.client, caps: params.caps })
}

impl Connect {
    /// What the client says of itself, for a pairing.
    #[must_use]
    pub fn applicant(&self, remote_ip: Option<std::net::IpAddr>) -> Applicant {
        Applicant {
            display_name: self.client.display_name.clone(),
            platform: Some(self.client.platform.clone()),
            device_family: self.client.device_family.clone(),
            client_id: self.client.id.clone(),
            client_mode: self.client.mode.clone(),
            remote_ip: remote_ip.filter(|ip| !ip.is_loopback()),
        }
    }
}

/// A decision's refusal as the error of a `res` frame.
#[must_use]
pub fn error_shape(denied: &Denied) -> ErrorShape {
    let mut shape = ErrorShape::new(ErrorCode::from(denied.code().to_owned()), denied.message());
    let details: Map<String, Value> =
        denied.details().into_iter().map(|(key, value)| (key.to_owned(), detail(value))).collect();
    if !details.is_empty() {
        shape = shape.with_details(Value::Object(details));
    }
    match denied.retry_after_ms() {
        Some(ms) => shape.retry_after(ms),
        None => shape,
    }
}

fn detail(value: DetailValue) -> Value {
    match value {
        DetailValue::Text(text) => Value::from(text.as_ref()),
        DetailValue::Number(number) => Value::from(number),
        DetailValue::Flag(flag) => Value::from(flag),
        DetailValue::List(items) => Value::from(items),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Refusal {
        *read(text).map(|_| ()).expect_err(text)
    }

    #[test]
    fn first_frame_mistakes_end_as_upstream_ends_them() {
        let told = |id: &str, message: &str| *Refusal::told(id, message.to_owned());
        let silent = |close| *Refusal::silent(close);
        let frame = silent(Close::policy("invalid request frame"));
        let rows = [
            ("{bad json", silent(Close::silent(1000))),
            ("[1]", frame),
            ("null", silent(Close::policy("invalid request frame"))),
            (
                r#"{"type":"req","id":5,"method":"connect"}"#,
                silent(Close::policy("invalid request frame")),
            ),
            (
                r#"{"type":"req","id":"a","method":"config.apply","params":{}}"#,
                told("a", "invalid handshake: first request must be connect"),
            ),
            (
                r#"{"type":"req","id":"a","method":"connect"}"#,
                told("a", "invalid connect params: must have required property 'minProtocol'"),
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(refused(text), expected, "{text}");
        }
        assert_eq!(refused(&"[".repeat(40)).close, Close::policy("invalid request frame"), "F18");
    }

    #[test]
    fn a_wrong_type_of_secret_is_an_invalid_request() {
        for token in ["123", r#"["T"]"#, r#"{"$ne":""}"#, "true"] {
            let text = format!(
                r#"{{"type":"req","id":"a","method":"connect","params":{{"minProtocol":4,"maxProtocol":4,
                "client":{{"id":"cli","version":"1","platform":"linux","mode":"cli"}},"auth":{{"token":{token}}}}}}}"#
            );
            let refusal = refused(&text);
            assert!(refusal.counts, "E12: {text}");
            let answer = refusal.answer.expect("E12: told");
            assert!(answer.contains("at /auth/token: must be string"), "{answer}");
        }
    }
}
