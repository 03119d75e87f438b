//! Answers of our own that are kept in `tests/golden`, so that a change of shape is seen in a review.
//!
//! `OPENCLAW_GOLDEN=write cargo test --test gateway golden gates` writes them anew.

use std::{fs, path::PathBuf};

use serde_json::{Map, Value, json};

use super::{
    client::{Connect, PROTOCOLS, READ},
    device::Device,
    pairing,
    rig::{TestGateway, with_token},
};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"))
}

#[expect(clippy::disallowed_methods, reason = "a switch for the person who runs the tests")]
fn rewrite() -> bool {
    std::env::var("OPENCLAW_GOLDEN").is_ok_and(|word| word == "write")
}

/// Compares with what is kept.
pub fn compare(name: &str, found: &Value) {
    let path = path(name);
    let text = serde_json::to_string_pretty(found).expect("JSON") + "\n";
    if rewrite() {
        fs::write(&path, text).expect("write");
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(text, kept, "`{name}` changed; OPENCLAW_GOLDEN=write keeps the new one");
}

/// Leaves the shape: values that differ from run to run become the name of their type.
fn shape(value: &Value) -> Value {
    match value {
        // A host without a network has no address to tell.
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "ip")
            .map(|(key, value)| (key.clone(), shape(value)))
            .collect(),
        Value::Array(list) if list.iter().all(Value::is_string) => "strings".into(),
        Value::Array(list) => Value::Array(list.iter().map(shape).collect()),
        Value::String(_) => "string".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "bool".into(),
        Value::Null => "null".into(),
    }
}

/// hello-ok of an administrator with and without a device, of a node, of nobody in particular.
#[tokio::test]
async fn hello_has_the_kept_shape() {
    let gateway = TestGateway::start(with_token()).await;
    for protocol in PROTOCOLS {
        let rows = [
            ("admin", Connect::admin(protocol)),
            ("device", Connect::cli(protocol).scopes(&[READ]).device(&Device::new(1))),
            ("node", Connect::node(protocol).device(&Device::new(2))),
            ("bare", Connect::cli(protocol)),
        ];
        let mut found = Map::new();
        for (name, connect) in rows {
            let mut hello = connect.welcome(&gateway).await.hello;
            // Only the gateway itself is always here.
            let presence = hello["snapshot"]["presence"].as_array_mut().expect("a list");
            presence.truncate(1);
            found.insert(name.to_owned(), shape(&hello));
        }
        compare(&format!("hello-v{protocol}"), &Value::Object(found));
    }
}

/// Refusals word by word, ids normalised.
#[tokio::test]
async fn refusals_have_the_kept_words() {
    let gateway = pairing::strict().await;
    for protocol in PROTOCOLS {
        let device = Device::new(1);
        let rows = [
            ("wrong token", Connect::cli(protocol).token("x")),
            ("missing token", Connect::cli(protocol).without("auth").device(&device)),
            ("no device", Connect::cli(protocol).without("auth")),
            ("not paired", Connect::cli(protocol).scopes(&[READ]).device(&device)),
            ("protocol", Connect::cli(9)),
            ("bad params", Connect::cli(protocol).without("client")),
            ("role", Connect::cli(protocol).role("x")),
            ("worker", Connect::cli(protocol).role("worker")),
        ];
        let mut found = Map::new();
        for (name, connect) in rows {
            let refused = connect.refused(&gateway).await;
            let id =
                refused.error.as_ref().and_then(|error| error["details"]["requestId"].as_str());
            let text = json!({ "error": refused.error, "close": format!("{:?}", refused.close) })
                .to_string();
            let text = id.map_or_else(|| text.clone(), |id| text.replace(id, "<request>"));
            found.insert(name.to_owned(), serde_json::from_str(&text).expect("JSON"));
        }
        compare(&format!("refusals-v{protocol}"), &Value::Object(found));
    }
}

/// The answers that official clients read, by shape.
#[tokio::test]
async fn replies_have_the_kept_shape() {
    let gateway = TestGateway::start(with_token()).await;
    let mut admin = Connect::admin(4).device(&Device::new(1)).welcome(&gateway).await;
    let mut found = Map::new();
    for method in [
        "health",
        "status",
        "system-presence",
        "gateway.identity.get",
        "channels.status",
        "config.get",
        "device.pair.list",
        "last-heartbeat",
    ] {
        found.insert(method.to_owned(), shape(&admin.ok(method, json!({})).await));
    }
    compare("replies", &Value::Object(found));
}
