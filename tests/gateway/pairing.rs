//! Pairing (wire contract 6): silent on this host, by an operator otherwise; who may approve what (H10-H14).
//!
//! With `autoApproveLocal` off, a device on this host is asked about like one from anywhere else.

use serde_json::{Value, json};

use super::{
    client::{ADMIN, Client, Connect, PAIRING, PROTOCOLS, READ, Refused, WRITE},
    device::Device,
    rig::{TestGateway, merged, with_token},
    wire::Frame,
};

/// A gateway where every device needs an operator.
pub async fn strict() -> TestGateway {
    TestGateway::start(merged(with_token(), &asking())).await
}

pub fn asking() -> Value {
    json!({ "gateway": { "nodes": { "pairing": { "autoApproveLocal": false } } } })
}

/// Pairs a device that is refused at first, and connects it.
pub async fn paired(gateway: &TestGateway, operator: &mut Client, connect: &Connect) -> Client {
    let refused = connect.refused(gateway).await;
    operator.ok("device.pair.approve", json!({ "requestId": refused.request_id() })).await;
    connect.welcome(gateway).await
}

fn pairing_close(refused: &Refused) -> String {
    let Frame::Close(1008, reason) = &refused.close else { panic!("{refused:?}") };
    reason.clone()
}

/// 6.1: silent on this host with the secret; only `resolved` is told.
#[tokio::test]
async fn a_local_device_is_paired_silently() {
    let gateway = TestGateway::start(with_token()).await;
    let mut watcher = Connect::cli(4).scopes(&[PAIRING]).welcome(&gateway).await;
    for (seed, protocol) in [(3, 3), (4, 4)] {
        let device = Device::new(seed);
        let client = Connect::cli(protocol).scopes(&[READ]).device(&device).welcome(&gateway).await;
        let auth = &client.hello["auth"];
        assert_eq!(client.device_token().len(), 43, "6.5: 32 bytes in base64url");
        assert!(auth["issuedAtMs"].as_u64().is_some() && auth["role"] == "operator", "{auth}");
        let event = watcher.next_event().await;
        assert_eq!(event["event"], "device.pair.resolved", "6.1: no request is shown");
        assert_eq!(event["payload"]["decision"], "approved");
        assert_eq!(event["payload"]["deviceId"], device.id.as_str());
        let again = Connect::cli(protocol).scopes(&[READ]).device(&device).welcome(&gateway).await;
        assert_eq!(again.device_token(), client.device_token(), "6.5: repeated while it covers");
    }
    let more = Connect::cli(4).scopes(&[ADMIN]).device(&Device::new(4)).welcome(&gateway).await;
    assert_eq!(more.hello["auth"]["scopes"], json!([ADMIN]), "6.1: a scope upgrade is silent too");
    let node = Connect::node(4).device(&Device::new(4)).refused(&gateway).await;
    assert_eq!(
        node.error()["details"]["reason"],
        "role-upgrade",
        "6.1: another kind is not silent"
    );
}

/// 6.2: what the refused device is told, by protocol.
#[tokio::test]
async fn pairing_required_says_what_is_asked() {
    let gateway = strict().await;
    let device = Device::new(1);
    let new = Connect::cli(4).scopes(&[READ]).device(&device).refused(&gateway).await;
    let message = "pairing required: device is not approved yet";
    assert_eq!((new.code(), new.message()), ("NOT_PAIRED", message));
    let details = json!({
        "code": "PAIRING_REQUIRED", "reason": "not-paired", "requestId": new.request_id(),
        "remediationHint": "Approve this device from the pending pairing requests.",
        "deviceId": device.id, "requestedRole": "operator", "requestedScopes": [READ],
    });
    assert_eq!(new.error()["details"], details);
    assert_eq!(pairing_close(&new), format!("{message} (requestId: {})", new.request_id()));
    let old = Connect::cli(3).scopes(&[READ]).device(&Device::new(2)).refused(&gateway).await;
    assert_eq!((old.code(), old.message()), ("NOT_PAIRED", "pairing required"));
    let details = json!({ "code": "PAIRING_REQUIRED", "requestId": old.request_id(), "reason": "not-paired" });
    assert_eq!(
        (old.error()["details"].clone(), pairing_close(&old)),
        (details, "pairing required".to_owned())
    );
}

/// 6.2: the same question keeps its id; a changed one takes its place, and the old one is answered.
#[tokio::test]
async fn a_repeated_question_keeps_its_id() {
    let gateway = strict().await;
    let mut operator = Connect::admin(4).welcome(&gateway).await;
    for (seed, protocol) in [(3, 3), (4, 4)] {
        let connect = Connect::cli(protocol).device(&Device::new(seed));
        let first = connect.clone().scopes(&[READ, PAIRING]).refused(&gateway).await;
        let same = connect.clone().scopes(&[PAIRING, READ]).refused(&gateway).await;
        assert_eq!(same.request_id(), first.request_id(), "the order of scopes asks nothing new");
        let wider = connect.clone().scopes(&[ADMIN]).refused(&gateway).await;
        assert_ne!(wider.request_id(), first.request_id());
        let requested = operator.event("device.pair.requested").await;
        assert_eq!(requested["payload"]["requestId"], first.request_id());
        let resolved = operator.event("device.pair.resolved").await;
        assert_eq!(resolved["payload"]["requestId"], first.request_id());
        assert_eq!(resolved["payload"]["decision"], "rejected", "the old one is answered");
        let stale = json!({ "requestId": first.request_id() });
        let error = operator.fails("device.pair.approve", stale).await;
        assert_eq!(error["message"], "unknown requestId", "H12");
        operator.event("device.pair.requested").await;
    }
}

/// 6.3, 6.4: approve, reject, and the shapes of the list.
#[tokio::test]
async fn an_operator_approves_or_rejects() {
    let gateway = strict().await;
    let mut operator = Connect::admin(4).welcome(&gateway).await;
    let (good, bad) = (Device::new(1), Device::new(2));
    let connect = Connect::cli(4).scopes(&[READ]).device(&good).client("displayName", "Laptop");
    let refused = connect.refused(&gateway).await;
    let requested = operator.event("device.pair.requested").await["payload"].clone();
    let list = operator.ok("device.pair.list", json!({})).await;
    assert_eq!(list["pending"], json!([requested]), "6.4: the same fields as the event");
    for key in
        ["requestId", "deviceId", "publicKey", "displayName", "platform", "clientId", "clientMode"]
    {
        assert!(requested[key].is_string(), "{key}: {requested}");
    }
    assert_eq!((&requested["roles"], &requested["scopes"]), (&json!(["operator"]), &json!([READ])));
    assert_eq!((&requested["silent"], &requested["isRepair"]), (&json!(false), &json!(false)));
    let approved =
        operator.ok("device.pair.approve", json!({ "requestId": refused.request_id() })).await;
    assert_eq!(approved["requestId"], refused.request_id());
    assert_eq!(approved["device"]["deviceId"], good.id.as_str());
    let client = connect.welcome(&gateway).await;
    let list = operator.ok("device.pair.list", json!({})).await;
    let row = &list["paired"][0];
    assert_eq!((&list["pending"], &row["connected"]), (&json!([]), &json!(true)));
    assert_eq!((&row["displayName"], &row["approvedVia"]), (&json!("Laptop"), &json!("owner")));
    assert_eq!(row["tokens"][0]["role"], "operator");
    assert!(!list.to_string().contains(&client.device_token()), "6.4: secrets are never listed");
    let refused = Connect::cli(4).scopes(&[READ]).device(&bad).refused(&gateway).await;
    let rejected =
        operator.ok("device.pair.reject", json!({ "requestId": refused.request_id() })).await;
    assert_eq!(rejected, json!({ "requestId": refused.request_id(), "deviceId": bad.id }));
    let again = Connect::cli(4).scopes(&[READ]).device(&bad).refused(&gateway).await;
    assert_ne!(again.request_id(), refused.request_id(), "a rejected question may be asked again");
    for method in ["device.pair.approve", "device.pair.reject"] {
        let error = operator.fails(method, json!({ "requestId": "no-such" })).await;
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!("INVALID_REQUEST"), &json!("unknown requestId"))
        );
    }
}

/// H11: nobody hands out more than it holds; another role needs admin.
#[tokio::test]
async fn an_approver_needs_what_it_gives() {
    let gateway = strict().await;
    let wants_admin = Connect::admin(4).device(&Device::new(1)).refused(&gateway).await;
    let wants_read =
        Connect::cli(4).scopes(&[READ]).device(&Device::new(2)).refused(&gateway).await;
    let node = Connect::node(4).device(&Device::new(3)).refused(&gateway).await;
    for protocol in PROTOCOLS {
        let mut pairing = Connect::cli(protocol).scopes(&[PAIRING]).welcome(&gateway).await;
        for (refused, needed) in [(&wants_admin, ADMIN), (&wants_read, READ), (&node, ADMIN)] {
            let id = json!({ "requestId": refused.request_id() });
            let error = pairing.fails("device.pair.approve", id).await;
            assert_eq!(error["code"], "INVALID_REQUEST");
            assert_eq!(error["message"], "device pairing approval denied", "needs {needed}");
        }
        let unknown = pairing.fails("device.pair.approve", json!({ "requestId": "no-such" })).await;
        assert_eq!(unknown["message"], "device pairing approval denied", "nothing is told");
    }
    let mut reader = Connect::cli(4).scopes(&[PAIRING, WRITE]).welcome(&gateway).await;
    reader.ok("device.pair.approve", json!({ "requestId": wants_read.request_id() })).await;
    let mut admin = Connect::admin(4).welcome(&gateway).await;
    admin.ok("device.pair.approve", json!({ "requestId": node.request_id() })).await;
    let node = Connect::node(4).device(&Device::new(3)).welcome(&gateway).await;
    assert_eq!(
        (&node.hello["auth"]["role"], &node.hello["auth"]["scopes"]),
        (&json!("node"), &json!([]))
    );
}

/// 6.6, H14: each upgrade is asked about, and until then the old approval holds.
#[tokio::test]
async fn upgrades_are_asked_about() {
    let gateway = strict().await;
    let mut operator = Connect::admin(4).welcome(&gateway).await;
    let device = Device::new(1);
    let reader = Connect::cli(4).scopes(&[READ]).device(&device).client("platform", "linux");
    paired(&gateway, &mut operator, &reader).await;
    let rows = [
        (
            reader.clone().scopes(&[READ, PAIRING]),
            "scope-upgrade",
            "device is asking for more scopes than currently approved",
        ),
        (
            reader.clone().role("node").scopes(&[]),
            "role-upgrade",
            "device is asking for a higher role than currently approved",
        ),
        (
            reader.clone().client("platform", "darwin"),
            "metadata-upgrade",
            "device identity changed and must be re-approved",
        ),
    ];
    for (connect, reason, sentence) in rows {
        let refused = connect.refused(&gateway).await;
        assert_eq!(refused.message(), format!("pairing required: {sentence}"));
        let details = &refused.error()["details"];
        assert_eq!(
            (&details["reason"], &details["approvedRoles"]),
            (&json!(reason), &json!(["operator"]))
        );
        assert_eq!(details["approvedScopes"], json!([READ]));
        reader.welcome(&gateway).await;
    }
    let token = reader.welcome(&gateway).await.device_token();
    let wider = reader.clone().scopes(&[READ, PAIRING]);
    let both = paired(&gateway, &mut operator, &wider).await;
    assert_eq!(both.hello["auth"]["scopes"], json!([READ, PAIRING]), "6.6: the union");
    assert_eq!(both.device_token(), token, "the generation did not change");
    let node = reader.clone().role("node").scopes(&[]);
    paired(&gateway, &mut operator, &node).await;
    reader.welcome(&gateway).await;
}

/// 6.1: the loopback backend with the secret never needs pairing.
#[tokio::test]
async fn a_local_backend_needs_no_pairing() {
    let gateway = strict().await;
    let backend =
        Connect::of(4, "gateway-client", "backend").scopes(&[ADMIN]).device(&Device::new(1));
    let mut client = backend.welcome(&gateway).await;
    client.ok("status", json!({})).await;
    assert_eq!(
        client.ok("device.pair.list", json!({})).await,
        json!({ "pending": [], "paired": [] })
    );
}

/// F24: pending requests are bounded, whoever asks.
#[tokio::test]
async fn pending_requests_are_bounded() {
    let gateway = strict().await;
    let connect = |seed| Connect::cli(4).scopes(&[READ]).device(&Device::new(seed));
    for seed in 0..32 {
        connect(seed).refused(&gateway).await.request_id();
    }
    let full = connect(32).refused(&gateway).await;
    assert_eq!(
        (full.code(), full.message()),
        ("UNAVAILABLE", "too many pairing requests are waiting")
    );
    assert_eq!(full.error()["retryable"], true);
    let known = connect(0).refused(&gateway).await;
    assert!(!known.request_id().is_empty(), "who waits already is answered");
}
