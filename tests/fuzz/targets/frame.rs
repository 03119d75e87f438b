//! A message of an authenticated client: read as a request, or refused in a way that can be answered.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openclaw::protocol::frame::{self, Malformed, Request};
use serde_json::Value;

/// Frames are closed objects: these and nothing else.
const PROPERTIES: [&str; 6] =
    ["type", "id", "method", "params", "traceparent", "expectedProfileId"];

fuzz_target!(|text: &str| {
    let value = serde_json::from_str::<Value>(text).ok();
    match Request::read(text) {
        Ok(request) => check_request(text, &request, value.as_ref()),
        Err(Malformed::NotJson) => assert!(value.is_none(), "JSON was called no JSON"),
        Err(Malformed::NotARequest { id, sentence }) => {
            assert!(value.is_some(), "what is no JSON gets no answer");
            assert!(id.is_number() || id.as_str().is_some_and(|id| !id.is_empty()));
            assert!(!sentence.is_empty());
        }
    }
    if let Some(value) = &value {
        let depth = depth(value);
        for limit in 0..40 {
            assert_eq!(
                frame::deeper_than(text, limit),
                depth > limit,
                "depth {depth}, limit {limit}"
            );
        }
    }
});

fn check_request(text: &str, request: &Request<'_>, value: Option<&Value>) {
    assert!(!request.id.is_empty() && !request.method.is_empty());
    let answer: Value =
        serde_json::from_str(&frame::response_of(&request.id, &[0; 0])).expect("our own frame");
    assert_eq!(answer["id"], *request.id);

    // `params` may hold JSON that only a typed reader would refuse, such as a number out of range.
    let Some(value) = value else { return };
    let object = value.as_object().expect("a request is an object");
    assert!(
        object.keys().all(|key| PROPERTIES.contains(&key.as_str())),
        "an unknown property passed"
    );
    assert_eq!(value["type"], "req");
    assert_eq!(value["id"], *request.id);
    assert_eq!(value["method"], *request.method);

    // One property more, and the same frame is refused under the same id.
    let more = text.replacen('{', r#"{"unknown":1,"#, 1);
    match Request::read(&more) {
        Err(Malformed::NotARequest { id, .. }) => assert_eq!(id, *request.id),
        other => panic!("an unknown property gave {other:?}"),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
