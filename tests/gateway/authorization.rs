//! The authorization matrix: every method of the table, by every kind of caller, in both protocols. A new
//! method is covered at birth; who may call it stands in `tests/golden/gates.json` for a reviewer to see.

use std::collections::BTreeMap;

use openclaw::rpc::{self, Gate};
use serde_json::{Value, json};

use super::{
    client::{ADMIN, Client, Connect, PROTOCOLS, READ, WRITE, policy},
    device::Device,
    golden,
    rig::{TestGateway, with_token},
};

/// Every scope there is, one at a time.
const SCOPES: [&str; 10] = [
    ADMIN,
    READ,
    WRITE,
    "operator.approvals",
    "operator.pairing",
    "operator.questions",
    "operator.talk",
    "operator.talk.secrets",
    "operator.sessions.read",
    "operator.sessions.write",
];

/// The rule in words of the wire contract (4.4): admin satisfies everything, write satisfies read.
fn satisfies(held: &str, needed: &str) -> bool {
    held == needed || held == ADMIN || (held == WRITE && needed == READ)
}

/// What the caller must be told, or nothing when the gate lets it pass.
fn expected(gate: Gate, caller: Caller<'_>, protocol: u64) -> Option<Value> {
    let Gate::Operator(needed) = gate else { return None };
    let needed = needed.as_str();
    match caller {
        Caller::Node => Some(json!({
            "code": "INVALID_REQUEST", "message": "unauthorized role: node",
        })),
        Caller::Operator(Some(held)) if satisfies(held, needed) => None,
        Caller::Operator(_) if protocol == 3 => Some(json!({
            "code": "INVALID_REQUEST", "message": format!("missing scope: {needed}"),
        })),
        Caller::Operator(_) => Some(json!({
            "code": "FORBIDDEN", "message": format!("missing scope: {needed}"),
            "details": { "code": "MISSING_SCOPE", "missingScope": needed, "requiredScopes": [needed] },
        })),
    }
}

#[derive(Debug, Clone, Copy)]
enum Caller<'a> {
    Operator(Option<&'a str>),
    Node,
}

/// Calls every method with params that no method takes: past the gate nothing happens.
async fn call_all(client: &mut Client, caller: Caller<'_>, protocol: u64) {
    for entry in rpc::entries() {
        let answer = client.call(entry.name, json!({ "no-such-property": 1 })).await;
        let place = format!("{} by {caller:?} in protocol {protocol}", entry.name);
        match (expected(entry.gate, caller, protocol), answer) {
            (Some(refusal), Err(error)) => assert_eq!(error, refusal, "{place}"),
            (Some(_), Ok(payload)) => panic!("{place}: let through: {payload}"),
            (None, Ok(_)) => {}
            (None, Err(error)) => {
                let message = error["message"].as_str().expect("a message");
                let past = message.starts_with(&format!("invalid {} params: ", entry.name));
                assert!(past, "{place}: {error}");
            }
        }
        // Ten refusals in a row would close the connection (2.3).
        client.ok("health", json!({})).await;
    }
}

#[tokio::test]
async fn every_method_is_gated_for_every_operator_and_node() {
    let gateway = TestGateway::start(with_token()).await;
    for protocol in PROTOCOLS {
        for scope in SCOPES {
            let mut client = Connect::cli(protocol).scopes(&[scope]).welcome(&gateway).await;
            call_all(&mut client, Caller::Operator(Some(scope)), protocol).await;
        }
        let mut client = Connect::cli(protocol).welcome(&gateway).await;
        call_all(&mut client, Caller::Operator(None), protocol).await;
        let mut client = Connect::node(protocol).device(&Device::new(1)).welcome(&gateway).await;
        call_all(&mut client, Caller::Node, protocol).await;
    }
}

#[tokio::test]
async fn words_that_are_no_scopes_allow_nothing() {
    let gateway = TestGateway::start(with_token()).await;
    let words = ["operator.admin ", "OPERATOR.ADMIN", "operator.*", "admin", "operator.readx"];
    for protocol in PROTOCOLS {
        let mut client = Connect::cli(protocol).scopes(&words).welcome(&gateway).await;
        call_all(&mut client, Caller::Operator(None), protocol).await;
        if protocol == 4 {
            assert_eq!(client.hello["auth"]["scopes"], json!([]), "H18: granted is what is known");
        }
    }
}

/// 3.6: what is advertised is what the table holds, to everyone.
#[tokio::test]
async fn hello_lists_the_table() {
    let gateway = TestGateway::start(with_token()).await;
    let names: Vec<&str> = rpc::entries().map(|entry| entry.name).collect();
    for protocol in PROTOCOLS {
        let client = Connect::cli(protocol).welcome(&gateway).await;
        assert_eq!(client.hello["features"]["methods"], json!(names));
    }
}

#[test]
fn gates_are_the_reviewed_ones() {
    let gates: BTreeMap<&str, &str> = rpc::entries()
        .map(|entry| match entry.gate {
            Gate::Anyone => (entry.name, "anyone"),
            Gate::Operator(scope) => (entry.name, scope.as_str()),
        })
        .collect();
    golden::compare("gates", &json!(gates));
}

/// 2.3, F21: ten in a row are answered, the eleventh closes; any answered call starts the count anew.
#[tokio::test]
async fn repeated_unauthorised_calls_close_the_connection() {
    let gateway = TestGateway::start(with_token()).await;
    for protocol in PROTOCOLS {
        let mut client = Connect::cli(protocol).welcome(&gateway).await;
        for _ in 0..9 {
            client.fails("status", json!({})).await;
        }
        client.ok("health", json!({})).await;
        for _ in 0..10 {
            client.fails("status", json!({})).await;
        }
        client.request("status", json!({})).await;
        assert_eq!(client.closed().await, policy("repeated unauthorized calls"));
        assert!(client.kept().is_empty(), "the eleventh has no answer");
    }
}
