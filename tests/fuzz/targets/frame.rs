//! A message of an authenticated client: read as a request, or refused in a way that can be answered.
#![no_main]

use std::fmt;

use libfuzzer_sys::fuzz_target;
use openclaw::protocol::frame::{self, Malformed, Request};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
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
    if let Ok(Depth(depth)) = serde_json::from_str(text) {
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

/// Nesting of a JSON text, counted while reading: a `Value` would forget a property that is written twice.
struct Depth(usize);

impl<'de> Deserialize<'de> for Depth {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Levels)
    }
}

struct Levels;

impl<'de> Visitor<'de> for Levels {
    type Value = Depth;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_str<E>(self, _: &str) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Depth, A::Error> {
        let mut deepest = 0;
        while let Some(Depth(depth)) = list.next_element()? {
            deepest = deepest.max(depth);
        }
        Ok(Depth(deepest + 1))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Depth, A::Error> {
        let mut deepest = 0;
        while let Some((IgnoredAny, Depth(depth))) = map.next_entry()? {
            deepest = deepest.max(depth);
        }
        Ok(Depth(deepest + 1))
    }
}
