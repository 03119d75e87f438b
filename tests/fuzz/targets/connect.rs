//! The first message of a stranger: a `connect` that can be decided, or an end that tells nobody's secret.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openclaw::{
    conn::handshake,
    protocol::{
        connect::{CLIENT_IDS, CLIENT_MODES},
        limits::CLOSE_REASON,
    },
};
use openclaw_auth::Protocol;
use openclaw_fuzz::CANARY;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let _seen = check(text);
    if text.contains(CANARY) {
        return;
    }
    // The same message with a credential that must not come back.
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return };
    if let Some(params) = value.get_mut("params").and_then(Value::as_object_mut) {
        let auth = json!({ "token": CANARY, "password": CANARY, "deviceToken": CANARY });
        drop(params.insert("auth".to_owned(), auth));
        let shown = check(&value.to_string());
        assert!(!shown.contains(CANARY), "a credential came back: {shown}");
    }
});

/// Everything that anybody can see of the outcome.
fn check(text: &str) -> String {
    match handshake::read(text) {
        Ok(connect) => {
            assert!(!connect.id.is_empty());
            assert!(CLIENT_IDS.contains(&&*connect.ask.client.id));
            assert!(CLIENT_MODES.contains(&&*connect.ask.client.mode));
            check_protocol(text, connect.ask.protocol);
            format!("{connect:?}")
        }
        Err(refusal) => {
            assert!(
                refusal.close.reason.len() <= CLOSE_REASON,
                "a close frame has no room for that"
            );
            if let Some(answer) = &refusal.answer {
                let frame: Value = serde_json::from_str(answer).expect("our own frame");
                assert_eq!(frame["type"], "res");
                assert_eq!(frame["ok"], false);
                assert!(
                    frame["error"]["code"].is_string() && frame["error"]["message"].is_string()
                );
            }
            format!("{refusal:?}")
        }
    }
}

/// The answer is the highest version in the client's range.
fn check_protocol(text: &str, protocol: Protocol) {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    let bound = |name: &str| value["params"][name].as_u64().expect("checked before");
    let range = bound("minProtocol")..=bound("maxProtocol");
    assert!(range.contains(&protocol.number()));
    assert!(protocol == Protocol::V4 || !range.contains(&4));
}
