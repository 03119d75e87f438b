//! Device tokens (wire contract 6.5, 6.6): what they open, rotation, revocation, removal (H10, H16, H20).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    client::{ADMIN, Client, Connect, PAIRING, PROTOCOLS, READ, WRITE},
    device::Device,
    pairing::{paired, strict},
    rig::{TestGateway, with_token},
    wire::Frame,
};

/// Row H20 says one second; a busy machine gets some more.
const SOON: Duration = Duration::from_secs(3);

fn removed() -> Frame {
    Frame::Close(4001, "device removed".to_owned())
}

async fn operator_and_device(gateway: &TestGateway, scopes: &[&str]) -> (Client, Connect, Client) {
    let mut operator = Connect::admin(4).welcome(gateway).await;
    let connect = Connect::cli(4).scopes(scopes).device(&Device::new(1));
    let client = paired(gateway, &mut operator, &connect).await;
    (operator, connect, client)
}

/// 4.3, 6.5: in either field, with the same device only.
#[tokio::test]
async fn a_device_token_opens_for_its_device() {
    let gateway = strict().await;
    let (_, connect, client) = operator_and_device(&gateway, &[READ, PAIRING]).await;
    let token = client.device_token();
    for protocol in PROTOCOLS {
        let connect =
            connect.clone().set("minProtocol", json!(protocol)).set("maxProtocol", json!(protocol));
        for auth in [
            json!({ "deviceToken": token }),
            json!({ "token": token }),
            json!({ "token": token, "deviceToken": token }),
        ] {
            for scopes in [&[READ][..], &[], &[PAIRING, READ]] {
                let client =
                    connect.clone().auth(auth.clone()).scopes(scopes).welcome(&gateway).await;
                assert_eq!(client.device_token(), token);
                if protocol == 4 {
                    assert_eq!(client.hello["auth"]["method"], "device-token");
                    assert_eq!(client.hello["auth"]["scopes"], json!(scopes), "what it really has");
                } else {
                    let scopes = &client.hello["auth"]["scopes"];
                    assert_eq!(scopes, &json!([READ, PAIRING]), "3.6: what the token has");
                }
            }
        }
        let other = connect.clone().device(&Device::new(2)).auth(json!({ "deviceToken": token }));
        assert_eq!(other.refused(&gateway).await.detail(), "AUTH_DEVICE_TOKEN_MISMATCH", "H16");
        let node = connect.clone().role("node").scopes(&[]).auth(json!({ "deviceToken": token }));
        assert_eq!(
            node.refused(&gateway).await.detail(),
            "AUTH_DEVICE_TOKEN_MISMATCH",
            "another role"
        );
    }
    let wrong = connect.auth(json!({ "deviceToken": "wrong" })).refused(&gateway).await;
    let message = "unauthorized: device token mismatch (rotate/reissue device token)";
    assert_eq!((wrong.code(), wrong.message()), ("INVALID_REQUEST", message));
    assert_eq!(wrong.error()["details"]["recommendedNextStep"], "update_auth_credentials");
}

/// 6.6: a device token never starts an upgrade.
#[tokio::test]
async fn a_device_token_does_not_grow() {
    let gateway = strict().await;
    let (mut operator, connect, client) = operator_and_device(&gateway, &[READ]).await;
    let auth = json!({ "deviceToken": client.device_token() });
    for (protocol, code, message) in [
        (
            3,
            "AUTH_DEVICE_TOKEN_MISMATCH",
            "unauthorized: device token mismatch (rotate/reissue device token)",
        ),
        (
            4,
            "AUTH_SCOPE_MISMATCH",
            "unauthorized: device token scope mismatch (re-pair or approve scope upgrade)",
        ),
    ] {
        let wider = connect.clone().auth(auth.clone()).scopes(&[WRITE]);
        let wider = wider.set("minProtocol", json!(protocol)).set("maxProtocol", json!(protocol));
        let refused = wider.refused(&gateway).await;
        assert_eq!((refused.detail(), refused.message()), (code, message));
        assert_eq!(refused.error()["details"]["authReason"], "scope_mismatch");
    }
    let list = operator.ok("device.pair.list", json!({})).await;
    assert_eq!(list["pending"], json!([]), "nothing is asked of anybody");
}

/// 6.5: admin covers all, write covers read, and the stored list says so.
#[tokio::test]
async fn stored_scopes_are_normalised() {
    let gateway = strict().await;
    let (mut operator, connect, _) = operator_and_device(&gateway, &[WRITE]).await;
    let row = operator.ok("device.pair.list", json!({})).await["paired"][0].clone();
    assert_eq!(row["scopes"], json!([READ, WRITE]));
    let mut reader = connect.clone().scopes(&[READ]).welcome(&gateway).await;
    reader.ok("status", json!({})).await;
    let admin = Connect::admin(4).device(&Device::new(2));
    paired(&gateway, &mut operator, &admin).await;
    let mut any = admin.clone().scopes(&[PAIRING, READ]).welcome(&gateway).await;
    any.ok("device.pair.list", json!({})).await;
}

/// 6.4, H20: removing closes every socket of the device, and its token is dead for good.
#[tokio::test]
async fn a_removed_device_is_out_at_once() {
    let gateway = strict().await;
    let (mut operator, connect, mut one) = operator_and_device(&gateway, &[READ]).await;
    let mut two = connect.welcome(&gateway).await;
    let token = two.device_token();
    let id = Device::new(1).id;
    let asked = Instant::now();
    assert_eq!(
        operator.ok("device.pair.remove", json!({ "deviceId": id })).await,
        json!({ "deviceId": id })
    );
    assert_eq!((one.closed().await, two.closed().await), (removed(), removed()));
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    operator.event("device.pair.changed").await;
    let by_token = connect.clone().auth(json!({ "deviceToken": token }));
    assert_eq!(by_token.refused(&gateway).await.detail(), "AUTH_DEVICE_TOKEN_MISMATCH");
    let again = paired(&gateway, &mut operator, &connect).await;
    assert_ne!(again.device_token(), token, "a token of before the removal never works again");
    assert_eq!(by_token.refused(&gateway).await.detail(), "AUTH_DEVICE_TOKEN_MISMATCH");
    let unknown =
        operator.fails("device.pair.remove", json!({ "deviceId": Device::new(9).id })).await;
    assert_eq!(unknown["message"], "unknown deviceId");
}

/// 6.4: rotation withholds the token from others, closes old sockets, and the old token is dead.
#[tokio::test]
async fn rotation_ends_the_old_token() {
    let gateway = strict().await;
    let (mut operator, connect, mut client) = operator_and_device(&gateway, &[READ, PAIRING]).await;
    let old = client.device_token();
    let params = json!({ "deviceId": Device::new(1).id, "role": "operator" });
    let rotated = operator.ok("device.token.rotate", params.clone()).await;
    assert_eq!(rotated["tokenDelivery"], "withheld-cross-device");
    assert_eq!((rotated.get("token"), &rotated["scopes"]), (None, &json!([READ, PAIRING])));
    assert!(rotated["rotatedAtMs"].is_u64());
    assert_eq!(client.closed().await, removed());
    let stale = connect.clone().auth(json!({ "deviceToken": old }));
    assert_eq!(stale.refused(&gateway).await.detail(), "AUTH_DEVICE_TOKEN_MISMATCH");
    let mut own = connect.welcome(&gateway).await;
    let middle = own.device_token();
    assert_ne!(middle, old);
    let rotated = own.ok("device.token.rotate", params).await;
    let new = rotated["token"].as_str().expect("told to the device itself").to_owned();
    assert!(new != middle && rotated.get("tokenDelivery").is_none());
    own.ok("health", json!({})).await;
    connect.clone().auth(json!({ "deviceToken": new })).welcome(&gateway).await;
    let row = operator.ok("device.pair.list", json!({})).await["paired"][0]["tokens"][0].clone();
    assert!(row["rotatedAtMs"].is_u64(), "{row}");
}

/// H10: a rotation never widens, neither beyond the approval nor beyond the caller.
#[tokio::test]
async fn rotation_never_widens() {
    let gateway = strict().await;
    let (mut operator, connect, _) = operator_and_device(&gateway, &[READ, PAIRING]).await;
    let rotate = |scopes: Value| json!({ "deviceId": Device::new(1).id, "role": "operator", "scopes": scopes });
    let denied = operator.fails("device.token.rotate", rotate(json!([ADMIN]))).await;
    assert_eq!(
        (&denied["code"], &denied["message"]),
        (&json!("INVALID_REQUEST"), &json!("device token rotation denied"))
    );
    let mut pairing = Connect::cli(4).scopes(&[PAIRING]).welcome(&gateway).await;
    for scopes in [json!([ADMIN]), json!([READ])] {
        let denied = pairing.fails("device.token.rotate", rotate(scopes)).await;
        assert_eq!(denied["message"], "device token rotation denied");
    }
    let narrowed = operator.ok("device.token.rotate", rotate(json!([READ]))).await;
    assert_eq!(narrowed["scopes"], json!([READ]));
    let refused = connect.refused(&gateway).await;
    assert_eq!(
        refused.error()["details"]["reason"],
        "scope-upgrade",
        "what was narrowed is asked anew"
    );
    let role = json!({ "deviceId": Device::new(1).id, "role": "node" });
    assert_eq!(
        operator.fails("device.token.rotate", role).await["message"],
        "device token rotation denied"
    );
}

/// 6.4, 6.5: revocation ends one role; the shared secret does not bring it back by itself.
#[tokio::test]
async fn revocation_needs_a_new_approval() {
    let gateway = strict().await;
    let (mut operator, connect, mut client) = operator_and_device(&gateway, &[READ]).await;
    let node = connect.clone().role("node").scopes(&[]);
    let mut node_client = paired(&gateway, &mut operator, &node).await;
    let token = client.device_token();
    let params = json!({ "deviceId": Device::new(1).id, "role": "operator" });
    let revoked = operator.ok("device.token.revoke", params.clone()).await;
    assert!(revoked["revokedAtMs"].is_u64(), "{revoked}");
    assert_eq!(client.closed().await, removed());
    node_client.ok("health", json!({})).await;
    let by_token = connect.clone().auth(json!({ "deviceToken": token }));
    assert_eq!(by_token.refused(&gateway).await.detail(), "AUTH_DEVICE_TOKEN_MISMATCH");
    let by_secret = connect.refused(&gateway).await;
    assert_eq!(by_secret.error()["details"]["reason"], "role-upgrade", "6.5");
    let again = operator.fails("device.token.revoke", params).await;
    assert_eq!(again["message"], "device token revocation denied");
    operator.ok("device.pair.approve", json!({ "requestId": by_secret.request_id() })).await;
    assert_ne!(connect.welcome(&gateway).await.device_token(), token);
}

/// 6.4: a label of the operator's choice; 6.3: a change is told.
#[tokio::test]
async fn a_device_gets_a_name() {
    let gateway = TestGateway::start(with_token()).await;
    let device = Device::new(1);
    Connect::admin(4).device(&device).client("displayName", "raw").welcome(&gateway).await;
    let mut operator = Connect::admin(4).welcome(&gateway).await;
    let params = json!({ "deviceId": device.id, "label": "  Kitchen  " });
    let renamed = operator.ok("device.pair.rename", params).await;
    assert_eq!(renamed, json!({ "deviceId": device.id, "label": "Kitchen" }));
    operator.event("device.pair.changed").await;
    let row = operator.ok("device.pair.list", json!({})).await["paired"][0].clone();
    assert_eq!((&row["label"], &row["displayName"]), (&json!("Kitchen"), &json!("Kitchen")));
    for label in ["", "   ", &"x".repeat(1000)] {
        operator
            .fails("device.pair.rename", json!({ "deviceId": device.id, "label": label }))
            .await;
    }
}

/// A caller without admin manages its own device only.
#[tokio::test]
async fn others_devices_are_not_managed_without_their_scopes() {
    let gateway = TestGateway::start(with_token()).await;
    let boss = Device::new(1);
    let mut admin = Connect::admin(4).device(&boss).welcome(&gateway).await;
    let mut pairing =
        Connect::cli(4).scopes(&[PAIRING]).device(&Device::new(2)).welcome(&gateway).await;
    for (method, params) in [
        ("device.pair.remove", json!({ "deviceId": boss.id })),
        ("device.pair.rename", json!({ "deviceId": boss.id, "label": "mine" })),
        ("device.token.revoke", json!({ "deviceId": boss.id, "role": "operator" })),
        ("device.token.rotate", json!({ "deviceId": boss.id, "role": "operator" })),
    ] {
        pairing.fails(method, params).await;
    }
    admin.ok("status", json!({})).await;
    let own = json!({ "deviceId": Device::new(2).id, "label": "mine" });
    pairing.ok("device.pair.rename", own).await;
}
