//! The three frames. Reading is strict (closed objects), writing is a plain concatenation so that a
//! payload that is already JSON is never parsed or escaped again.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{error::ErrorShape, fault};

/// A request as it came in. `params` is still JSON text of the same message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
    /// W3C trace context of a protocol 4 caller; accepted, not used.
    #[serde(borrow, default, rename = "traceparent")]
    _traceparent: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "expectedProfileId")]
    _expected_profile_id: Option<Cow<'a, str>>,
}

/// Why a message is not a request.
#[derive(Debug, PartialEq)]
pub enum Malformed {
    /// Not JSON at all: official gateways stay silent.
    NotJson,
    /// JSON, but no request frame: answered under `id` with the sentence.
    NotARequest { id: Value, sentence: String },
}

impl<'a> Request<'a> {
    /// Reads one message as a request.
    ///
    /// # Errors
    /// [`Malformed`], which says how official gateways answer it.
    pub fn read(text: &'a str) -> Result<Self, Malformed> {
        if !text.trim_start().starts_with('{') {
            return Err(Malformed::of(text));
        }
        match serde_json::from_str::<Self>(text) {
            Ok(request)
                if request.kind == "req"
                    && !request.id.is_empty()
                    && !request.method.is_empty() =>
            {
                Ok(request)
            }
            Ok(_) | Err(_) => Err(Malformed::of(text)),
        }
    }
}

/// The owned twin of [`Request`], only for the sentence of a malformed one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "read for the error sentence alone")]
struct Strict {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    method: String,
    #[serde(default)]
    params: Option<Value>,
    #[serde(default)]
    traceparent: Option<String>,
    #[serde(default)]
    expected_profile_id: Option<String>,
}

impl Malformed {
    fn of(text: &str) -> Self {
        let Ok(value) = serde_json::from_str::<Value>(text) else { return Self::NotJson };
        let Value::Object(object) = &value else {
            return Self::NotARequest {
                id: Value::from("invalid"),
                sentence: "must be object".to_owned(),
            };
        };
        let id = match object.get("id") {
            Some(Value::String(id)) if !id.is_empty() => Value::from(id.as_str()),
            Some(Value::Number(id)) => Value::Number(id.clone()),
            Some(_) | None => Value::from("invalid"),
        };
        let sentence = match fault::read::<Strict>(text) {
            Err(sentence) => sentence,
            Ok(strict) if strict.kind != "req" => "at /type: must be equal to constant".to_owned(),
            Ok(strict) if strict.id.is_empty() => {
                "at /id: must not have fewer than 1 characters".to_owned()
            }
            Ok(_) => "at /method: must not have fewer than 1 characters".to_owned(),
        };
        Self::NotARequest { id, sentence }
    }
}

/// `{"type":"res","id":…,"ok":true,"payload":…}`, the payload serialised once, straight into the frame.
#[must_use]
pub fn response_of<T: Serialize>(id: &str, payload: &T) -> String {
    let mut text = String::with_capacity(256);
    text.push_str(r#"{"type":"res","id":"#);
    push_json(&mut text, id);
    text.push_str(r#","ok":true,"payload":"#);
    let mut bytes = text.into_bytes();
    // Our replies have string keys and finite numbers: serde_json cannot fail on them.
    if serde_json::to_writer(&mut bytes, payload).is_err() {
        bytes.extend_from_slice(b"null");
    }
    bytes.push(b'}');
    String::from_utf8(bytes).unwrap_or_default()
}

/// `{"type":"res","id":…,"ok":false,"error":…}`. `id` is JSON because a malformed frame may carry a number.
#[must_use]
pub fn response_error(id: &Value, error: &ErrorShape) -> String {
    #[derive(Serialize)]
    struct Refusal<'a> {
        r#type: &'static str,
        id: &'a Value,
        ok: bool,
        error: &'a ErrorShape,
    }
    to_text(&Refusal { r#type: "res", id, ok: false, error })
}

/// Versions of the two states that clients compare, attached to `presence` and `health` events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StateVersion {
    pub presence: u64,
    pub health: u64,
}

/// An event frame around a payload that is JSON already. `seq` is absent on frames addressed to one peer.
#[must_use]
pub fn event(name: &str, payload: &str, seq: Option<u64>, state: Option<StateVersion>) -> String {
    let mut text = String::with_capacity(payload.len() + name.len() + 96);
    text.push_str(r#"{"type":"event","event":"#);
    push_json(&mut text, name);
    text.push_str(r#","payload":"#);
    text.push_str(payload);
    if let Some(seq) = seq {
        text.push_str(r#","seq":"#);
        text.push_str(&seq.to_string());
    }
    if let Some(state) = state {
        text.push_str(r#","stateVersion":"#);
        text.push_str(&to_text(&state));
    }
    text.push('}');
    text
}

/// JSON text that is kept as it is: built once, sent many times.
pub type Json = std::sync::Arc<RawValue>;

/// Any of our own wire types as JSON that can be kept and shared.
#[must_use]
pub fn to_json<T: Serialize>(value: &T) -> Json {
    serde_json::value::to_raw_value(value)
        .map_or_else(|_| RawValue::NULL.to_owned().into(), Into::into)
}

/// Any of our own wire types as JSON text.
#[must_use]
pub fn to_text<T: Serialize>(value: &T) -> String {
    // Our wire types have string keys and finite numbers: serde_json cannot fail on them.
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

fn push_json(text: &mut String, string: &str) {
    let plain =
        string.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\');
    if plain {
        text.push('"');
        text.push_str(string);
        text.push('"');
    } else {
        text.push_str(&to_text(&string));
    }
}

/// A frame as a client receives it.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Incoming {
    Res(Response),
    Event(Event),
}

/// The answer to a request; a failed final `agent` answer carries both `payload` and `error`.
#[derive(Debug, Deserialize)]
pub struct Response {
    pub id: String,
    pub ok: bool,
    #[serde(default)]
    pub payload: Option<Value>,
    #[serde(default)]
    pub error: Option<ErrorShape>,
}

#[derive(Debug, Deserialize)]
pub struct Event {
    pub event: String,
    #[serde(default)]
    pub payload: Value,
    #[serde(default)]
    pub seq: Option<u64>,
}

/// A request frame, for the client.
#[must_use]
pub fn request(id: &str, method: &str, params: Option<&Value>) -> String {
    #[derive(Serialize)]
    struct Out<'a> {
        r#type: &'static str,
        id: &'a str,
        method: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        params: Option<&'a Value>,
    }
    to_text(&Out { r#type: "req", id, method, params })
}

/// True when brackets nest deeper than `limit`. Strings are skipped; the text need not be valid JSON.
#[must_use]
pub fn deeper_than(text: &str, limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (false, b'"') => in_string = true,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            (true | false, _) => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn refused(text: &str) -> (Value, String) {
        match Request::read(text) {
            Err(Malformed::NotARequest { id, sentence }) => (id, sentence),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn malformed_frames_are_answered_as_upstream_does() {
        let rows = [
            (
                r#"{"type":"req","method":"health"}"#,
                json!("invalid"),
                "must have required property 'id'",
            ),
            (
                r#"{"type":"req","id":"z1","method":"health","bogus":1}"#,
                json!("z1"),
                "at root: unexpected property 'bogus'",
            ),
            (r#"{"type":"req","id":5,"method":"health"}"#, json!(5), "at /id: must be string"),
            (
                r#"{"type":"req","id":"z2","method":""}"#,
                json!("z2"),
                "at /method: must not have fewer than 1 characters",
            ),
            (
                r#"{"type":"evt","id":"z2","method":"x"}"#,
                json!("z2"),
                "at /type: must be equal to constant",
            ),
            ("null", json!("invalid"), "must be object"),
            ("[1]", json!("invalid"), "must be object"),
        ];
        for (text, id, sentence) in rows {
            assert_eq!(refused(text), (id, sentence.to_owned()), "{text}");
        }
        assert_eq!(Request::read("{bad json").unwrap_err(), Malformed::NotJson);
    }

    #[test]
    fn frames_have_upstreams_key_order() {
        assert_eq!(
            response_of("a\"b", &[1]),
            r#"{"type":"res","id":"a\"b","ok":true,"payload":[1]}"#
        );
        let state = Some(StateVersion { presence: 1, health: 2 });
        assert_eq!(
            event("health", "{}", Some(7), state),
            r#"{"type":"event","event":"health","payload":{},"seq":7,"stateVersion":{"presence":1,"health":2}}"#
        );
        assert_eq!(
            event("connect.challenge", "{}", None, None),
            r#"{"type":"event","event":"connect.challenge","payload":{}}"#
        );
    }

    #[test]
    fn depth_ignores_brackets_in_strings() {
        assert!(deeper_than(&"[".repeat(33), 32));
        assert!(!deeper_than(r#"{"a":"[[[[[[[[[[\"[[["}"#, 2));
    }

    proptest! {
        #[test]
        fn reading_is_total(text in ".{0,200}") {
            drop(Request::read(&text));
        }

        #[test]
        fn a_written_request_is_read_back(id in "[^\\x00]{1,20}", method in "[a-z.]{1,20}", n in any::<i32>()) {
            let text = request(&id, &method, Some(&json!({ "n": n })));
            let read = Request::read(&text).expect("own frame");
            prop_assert_eq!(read.id.as_ref(), id.as_str());
            prop_assert_eq!(read.method.as_ref(), method.as_str());
            prop_assert_eq!(read.params.expect("params").get(), format!("{{\"n\":{n}}}"));
        }
    }
}
