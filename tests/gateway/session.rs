//! After hello: what a frame may be (wire contract 2.2), calls side by side, limits of a connection.

use std::sync::mpsc;

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{
    client::{ADMIN, Client, Connect, PROTOCOLS, READ, policy},
    rig::{TestGateway, with_token},
    wire::{BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, PONG, TEXT, frame},
};

/// `policy.maxPayload`.
const MAX_PAYLOAD: usize = 25 * 1024 * 1024;

async fn said(client: &mut Client, text: &str) -> Value {
    client.socket.text(text).await;
    client.answer().await
}

#[tokio::test]
async fn malformed_frames_are_answered_and_the_connection_stays() {
    let gateway = TestGateway::start(with_token()).await;
    let rows = [
        (r#"{"type":"req","method":"health"}"#, "invalid", "must have required property 'id'"),
        (
            r#"{"type":"req","id":"z","method":"health","x":1}"#,
            "z",
            "at root: unexpected property 'x'",
        ),
        (r#"{"type":"req","id":"z","method":7}"#, "z", "at /method: must be string"),
        (
            r#"{"type":"req","id":"z","method":""}"#,
            "z",
            "at /method: must not have fewer than 1 characters",
        ),
        (
            r#"{"type":"req","id":"","method":"health"}"#,
            "invalid",
            "at /id: must not have fewer than 1 characters",
        ),
        (
            r#"{"type":"res","id":"z","method":"health"}"#,
            "z",
            "at /type: must be equal to constant",
        ),
        ("null", "invalid", "must be object"),
        ("[]", "invalid", "must be object"),
        ("\"text\"", "invalid", "must be object"),
    ];
    for protocol in PROTOCOLS {
        let mut client = Connect::cli(protocol).welcome(&gateway).await;
        for (text, id, sentence) in rows {
            let error = json!({
                "code": "INVALID_REQUEST", "message": format!("invalid request frame: {sentence}"),
            });
            let expected = json!({ "type": "res", "id": id, "ok": false, "error": error });
            assert_eq!(said(&mut client, text).await, expected, "{text}");
        }
        let event = said(&mut client, r#"{"type":"event","event":"tick","payload":{}}"#).await;
        assert_eq!(event["id"], "invalid");
        client.socket.text("{not json").await;
        client.socket.text("").await;
        client.ok("health", json!({})).await;
    }
}

#[tokio::test]
async fn calls_fail_in_the_words_that_clients_know() {
    let gateway = TestGateway::start(with_token()).await;
    for protocol in PROTOCOLS {
        let mut client = Connect::admin(protocol).welcome(&gateway).await;
        let rows = [
            ("connect", json!({}), "connect is only valid as the first request"),
            ("foo.bar", json!({}), "unknown method: foo.bar"),
            ("Health", json!({}), "unknown method: Health"),
            ("health ", json!({}), "unknown method: health "),
            (
                "config.get",
                json!({ "bogus": 1 }),
                "invalid config.get params: at root: unexpected property 'bogus'",
            ),
            ("config.get", json!([]), "invalid config.get params: must be object"),
            (
                "device.pair.approve",
                json!({}),
                "invalid device.pair.approve params: must have required property 'requestId'",
            ),
            (
                "device.pair.approve",
                json!({ "requestId": 5 }),
                "invalid device.pair.approve params: at /requestId: must be string",
            ),
            (
                "logs.tail",
                json!({ "limit": 0 }),
                "invalid logs.tail params: at /limit: must be >= 1",
            ),
        ];
        for (method, params, message) in rows {
            let error = client.fails(method, params).await;
            assert_eq!(error, json!({ "code": "INVALID_REQUEST", "message": message }));
        }
        for method in ["health", "status"] {
            for params in [json!(null), json!([1]), json!("x"), json!({ "any": { "thing": 1 } })] {
                client.ok(method, params).await;
            }
        }
        let twice = r#"{"type":"req","id":"same","method":"health"}"#;
        assert_eq!(said(&mut client, twice).await["id"], "same");
        assert_eq!(said(&mut client, twice).await["ok"], true, "2.2: the same id twice");
        let traced = r#"{"type":"req","id":"t","method":"health","traceparent":"00-1-2-01","expectedProfileId":"p"}"#;
        assert_eq!(said(&mut client, traced).await["ok"], true, "2: protocol 4 properties");
    }
}

/// Binary frames, fragments with control frames between them, and an orderly close.
#[tokio::test]
async fn messages_come_in_any_shape() {
    let gateway = TestGateway::start(with_token()).await;
    let mut client = Connect::cli(4).welcome(&gateway).await;
    let call = br#"{"type":"req","id":"b","method":"health"}"#;
    client.socket.send(frame(FIN | BINARY, call)).await;
    assert_eq!(client.answer().await["ok"], true, "1: binary");
    let (a, b) = call.split_at(7);
    let pieces = [
        frame(TEXT, a),
        frame(FIN | PING, b"x"),
        frame(CONTINUATION, b""),
        frame(FIN | CONTINUATION, b),
    ];
    client.socket.send(pieces.concat()).await;
    assert_eq!(client.socket.frame().await, Frame::Pong(b"x".to_vec()));
    assert_eq!(client.answer().await["ok"], true, "1: fragments");
    client.socket.send(frame(FIN | PONG, b"unasked")).await;
    client.ok("health", json!({})).await;
    client.socket.send(frame(FIN | CLOSE, &[&1000_u16.to_be_bytes()[..], b"bye"].concat())).await;
    assert_eq!(client.closed().await, Frame::Close(1000, "bye".to_owned()));
}

/// 1.1, F15, F16: 25 MiB in one frame or in many; a byte more closes with 1009.
#[tokio::test]
async fn a_message_may_weigh_25_mib() {
    let gateway = TestGateway::start(with_token()).await;
    let head = r#"{"type":"req","id":"big","method":"health","params":""#;
    let message = |size: usize| format!("{head}{}\"}}", "x".repeat(size - head.len() - 2));
    let mut client = Connect::cli(4).welcome(&gateway).await;
    assert_eq!(said(&mut client, &message(MAX_PAYLOAD)).await["ok"], true);
    client.socket.text(&message(MAX_PAYLOAD + 1)).await;
    assert_eq!(client.closed().await, Frame::Close(1009, String::new()));
    let mut client = Connect::cli(4).welcome(&gateway).await;
    client.socket.send(frame(TEXT, &[b' '; 1024])).await;
    let piece = frame(CONTINUATION, &vec![b' '; 1024 * 1024]);
    for _ in 0..25 {
        client.socket.send(&piece).await;
    }
    assert_eq!(client.closed().await, Frame::Close(1009, String::new()), "an endless message");
}

/// F21: frames that nobody can read, one after the other.
#[tokio::test]
async fn repeated_nonsense_closes() {
    let gateway = TestGateway::start(with_token()).await;
    let mut client = Connect::cli(4).welcome(&gateway).await;
    client.socket.send(frame(FIN | TEXT, b"{nonsense").repeat(100)).await;
    client.ok("health", json!({})).await;
    client.socket.send(frame(FIN | TEXT, b"{nonsense").repeat(101)).await;
    assert_eq!(client.closed().await, policy("repeated invalid frames"));
}

/// F17: pings are answered, a flood of them is not.
#[tokio::test]
async fn a_flood_of_pings_closes() {
    let gateway = TestGateway::start(with_token()).await;
    let mut client = Connect::cli(4).welcome(&gateway).await;
    client.socket.send(frame(FIN | PING, b"p").repeat(500)).await;
    for _ in 0..500 {
        assert_eq!(client.socket.frame().await, Frame::Pong(b"p".to_vec()));
    }
    client.ok("health", json!({})).await;
    client.socket.send(frame(FIN | PING, b"p")).await;
    assert_eq!(client.closed().await, policy("too many pings"));
}

/// A slow call delays nobody; 64 may be in flight, the next is told to come again; all are answered once.
#[test]
fn calls_run_side_by_side() {
    // The one thread for blocking work is held, so that calls that read files cannot end.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(with_token()).await;
        let mut client = Connect::admin(4).welcome(&gateway).await;
        let mut other = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
        let (release, held) = mpsc::channel::<()>();
        let holder = spawn_blocking(move || held.recv());
        let mut slow = Vec::new();
        for _ in 0..64 {
            slow.push(client.request("config.get", json!({})).await);
        }
        let busy = client.fails("health", json!({})).await;
        let message = "too many calls in flight on this connection";
        assert_eq!((&busy["code"], &busy["message"]), (&json!("UNAVAILABLE"), &json!(message)));
        assert_eq!((&busy["retryable"], &busy["retryAfterMs"]), (&json!(true), &json!(100)));
        other.ok("health", json!({})).await;
        other.ok("system-presence", json!({})).await;
        release.send(()).expect("held");
        holder.await.expect("ended").expect("released");
        let mut answered = Vec::new();
        for _ in 0..64 {
            let answer = client.answer().await;
            assert_eq!(answer["ok"], true, "{answer}");
            answered.push(answer["id"].as_str().expect("an id").to_owned());
        }
        answered.sort();
        slow.sort();
        assert_eq!(answered, slow);
        client.ok("health", json!({})).await;
    });
}

/// Calls that need no waiting are answered in the order in which they came.
#[tokio::test]
async fn quick_calls_keep_their_order() {
    let gateway = TestGateway::start(with_token()).await;
    let mut client = Connect::cli(4).scopes(&[ADMIN]).welcome(&gateway).await;
    let mut asked = Vec::new();
    for round in 0..100 {
        let method = ["health", "status", "unknown.method", "system-presence"][round % 4];
        asked.push(client.request(method, json!({})).await);
    }
    for id in asked {
        assert_eq!(client.answer().await["id"], id.as_str());
    }
}
