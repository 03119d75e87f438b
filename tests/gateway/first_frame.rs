//! Before hello: first-frame mistakes (wire contract 3.8), protocol negotiation (3.5), what the first
//! message may weigh (F15, F16, F18, F19), and how long a stranger may take (F14).

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    client::{ADMIN, Connect, PROTOCOLS, Stranger, policy},
    device::Device,
    rig::{TestGateway, with_token},
    wire::{BINARY, CONTINUATION, FIN, Frame, PING, Socket, TEXT, frame, soon},
};

/// Sends `bytes` as the first thing and returns what comes: an answer, perhaps, and the close.
async fn first(gateway: &TestGateway, bytes: &[u8]) -> (Option<Value>, Frame) {
    let mut stranger = Stranger::open(gateway, "").await;
    stranger.socket.send(bytes).await;
    let (texts, close) = stranger.socket.closed().await;
    assert!(texts.len() < 2, "{texts:?}");
    (texts.first().map(|text| serde_json::from_str(text).expect("JSON")), close)
}

fn invalid(message: &str) -> Option<Value> {
    let error = json!({ "code": "INVALID_REQUEST", "message": message });
    Some(json!({ "type": "res", "id": "a", "ok": false, "error": error }))
}

#[tokio::test]
async fn mistakes_end_as_the_contract_says() {
    let gateway = TestGateway::start(with_token()).await;
    let frame_error = || (None, policy("invalid request frame"));
    let must_connect = "invalid handshake: first request must be connect";
    let rows = [
        (
            r#"{"type":"req","id":"a","method":"health"}"#,
            (invalid(must_connect), policy(must_connect)),
        ),
        (
            r#"{"type":"req","id":"a","method":"config.apply","params":{"raw":"{}"}}"#,
            (invalid(must_connect), policy(must_connect)),
        ),
        (r#"{"type":"event","event":"connect"}"#, frame_error()),
        (r#"{"type":"res","id":"a","ok":true}"#, frame_error()),
        ("[1]", frame_error()),
        ("null", frame_error()),
        ("7", frame_error()),
        (r#"{"type":"req","id":7,"method":"connect"}"#, frame_error()),
        (r#"{"type":"req","id":"","method":"connect"}"#, frame_error()),
        (r#"{"type":"req","id":"a","method":"connect","extra":1}"#, frame_error()),
        (r#"{"type":"req","id":"a","id":"b","method":"connect"}"#, frame_error()),
        ("{not json", (None, Frame::Close(1000, String::new()))),
        ("", (None, Frame::Close(1000, String::new()))),
    ];
    for (text, expected) in rows {
        let found = first(&gateway, &frame(FIN | TEXT, text.as_bytes())).await;
        assert_eq!(found, expected, "3.8, H21: {text}");
    }
}

#[tokio::test]
async fn bad_params_are_named() {
    let gateway = TestGateway::start(with_token()).await;
    let rows = [
        (Connect::cli(4).without("client"), "must have required property 'client'"),
        (Connect::cli(4).without("minProtocol"), "must have required property 'minProtocol'"),
        (Connect::cli(4).set("minProtocol", json!(0)), "at /minProtocol: must be >= 1"),
        (Connect::cli(4).set("bogus", json!(1)), "at root: unexpected property 'bogus'"),
        (Connect::cli(4).client("bogus", "1"), "at /client: unexpected property 'bogus'"),
        (
            Connect::of(4, "ios-node", "cli"),
            "at /client/id: must be equal to one of the allowed values",
        ),
        (
            Connect::of(4, "cli", "operator"),
            "at /client/mode: must be equal to one of the allowed values",
        ),
        (
            Connect::cli(4).client("version", ""),
            "at /client/version: must not have fewer than 1 characters",
        ),
        (Connect::cli(4).auth(json!({ "token": 123 })), "at /auth/token: must be string"),
        (Connect::cli(4).auth(json!({ "token": ["T"] })), "at /auth/token: must be string"),
        (Connect::cli(4).auth(json!({ "token": { "$ne": "" } })), "at /auth/token: must be string"),
        (Connect::cli(4).auth(json!({ "password": true })), "at /auth/password: must be string"),
        (Connect::cli(4).auth(json!({ "cookie": "x" })), "at /auth: unexpected property 'cookie'"),
    ];
    for (connect, sentence) in rows {
        let refused = connect.refused(&gateway).await;
        let message = format!("invalid connect params: {sentence}");
        assert_eq!((refused.code(), refused.message()), ("INVALID_REQUEST", message.as_str()));
        assert_eq!(refused.close, policy(&message), "3.8, E12");
    }
    let mut unsigned =
        Connect::cli(4).device(&Device::new(1)).request(&json!({ "nonce": "n", "ts": 1 }));
    unsigned["params"]["device"].as_object_mut().expect("a block").remove("nonce");
    let (answer, _) = first(&gateway, &frame(FIN | TEXT, unsigned.to_string().as_bytes())).await;
    let message = answer.expect("an answer")["error"]["message"].clone();
    assert_eq!(
        message, "invalid connect params: at /device: must have required property 'nonce'",
        "4.2"
    );
}

#[tokio::test]
async fn roles_are_a_closed_set() {
    let gateway = TestGateway::start(with_token()).await;
    for protocol in PROTOCOLS {
        for role in ["admin", "Operator", "", "operator "] {
            let refused = Connect::cli(protocol).role(role).refused(&gateway).await;
            assert_eq!((refused.code(), refused.message()), ("INVALID_REQUEST", "invalid role"));
            assert_eq!(refused.close, policy("invalid role"), "3.8");
        }
        let worker = Connect::cli(protocol).role("worker").refused(&gateway).await;
        assert_eq!((worker.error, worker.close), (None, policy("invalid-handshake")), "3.8");
        let absent = Connect::admin(protocol).without("role").welcome(&gateway).await;
        if protocol == 4 {
            assert_eq!(absent.hello["auth"]["role"], "operator", "3.2");
        }
    }
}

#[tokio::test]
async fn the_highest_common_protocol_is_spoken() {
    let gateway = TestGateway::start(with_token()).await;
    for ((min, max), spoken) in [((3, 3), 3), ((4, 4), 4), ((3, 4), 4), ((1, 3), 3), ((2, 99), 4)] {
        let connect = Connect::cli(4).set("minProtocol", json!(min)).set("maxProtocol", json!(max));
        let client = connect.welcome(&gateway).await;
        assert_eq!(client.hello["protocol"], spoken, "{min}..{max}");
    }
    for (min, max) in [(5, 9), (1, 2), (4, 3)] {
        let connect = Connect::cli(4).set("minProtocol", json!(min)).set("maxProtocol", json!(max));
        let refused = connect.refused(&gateway).await;
        assert_eq!((refused.code(), refused.message()), ("INVALID_REQUEST", "protocol mismatch"));
        assert_eq!(
            refused.close,
            Frame::Close(1002, "protocol mismatch".to_owned()),
            "{min}..{max}"
        );
        let details = json!({
            "code": "PROTOCOL_MISMATCH", "clientMinProtocol": min, "clientMaxProtocol": max,
            "expectedProtocol": 4, "minimumProbeProtocol": 3,
        });
        assert_eq!(refused.error()["details"], details, "3.5");
    }
}

#[tokio::test]
async fn a_connect_may_be_binary_or_in_pieces_or_early() {
    let gateway = TestGateway::start(with_token()).await;
    let request = Connect::admin(4).request(&Value::Null).to_string();
    let bytes = request.as_bytes();
    let (head, tail) = bytes.split_at(100);
    let binary = frame(FIN | BINARY, bytes);
    let pieces =
        [frame(TEXT, head), frame(FIN | PING, b"p"), frame(FIN | CONTINUATION, tail)].concat();
    for message in [binary, pieces] {
        let mut stranger = Stranger::open(&gateway, "").await;
        stranger.socket.send(message).await;
        if stranger.challenge.is_null() {
            panic!("no challenge");
        }
        // The ping in between is answered before the verdict.
        let mut frames = vec![stranger.socket.frame().await];
        while matches!(frames.last(), Some(Frame::Pong(_))) {
            frames.push(stranger.socket.frame().await);
        }
        let Some(Frame::Text(text)) = frames.last() else { panic!("{frames:?}") };
        assert!(text.contains(r#""type":"hello-ok""#), "3.8: {text}");
    }
    // Together with the upgrade request, before the challenge was seen.
    let mut socket = Socket::open(gateway.addr()).await;
    let upgrade = super::wire::upgrade_request(&gateway.host(), "");
    socket.send([upgrade.as_bytes(), &frame(FIN | TEXT, bytes)].concat()).await;
    assert_eq!(socket.reply("GET").await.status, 101);
    let client = Stranger::after_upgrade(socket).await.verdict().await.expect("let in");
    assert_eq!(client.hello["auth"]["scopes"], json!([ADMIN]));
}

/// F15: 64 KiB and one byte, in one frame, in pieces, or merely announced.
#[tokio::test]
async fn strangers_may_send_64_kib() {
    let gateway = TestGateway::start(with_token()).await;
    let too_big = || (None, Frame::Close(1009, String::new()));
    let pad = |size: usize| {
        let request = Connect::cli(4).set("userAgent", json!("")).request(&Value::Null).to_string();
        let fill = "x".repeat(size - request.len());
        request.replace(r#""userAgent":"""#, &format!(r#""userAgent":"{fill}""#))
    };
    let fits = pad(64 * 1024);
    assert_eq!(fits.len(), 64 * 1024);
    let mut stranger = Stranger::open(&gateway, "").await;
    stranger.socket.text(&fits).await;
    stranger.verdict().await.expect("64 KiB are let in");
    let over = pad(64 * 1024 + 1);
    assert_eq!(first(&gateway, &frame(FIN | TEXT, over.as_bytes())).await, too_big());
    let (head, tail) = over.as_bytes().split_at(40_000);
    let pieces = [frame(TEXT, head), frame(FIN | CONTINUATION, tail)].concat();
    assert_eq!(first(&gateway, &pieces).await, too_big());
    let announced = [&[FIN | TEXT, 0x80 | 127][..], &u64::MAX.to_be_bytes()[..], &[0; 4]].concat();
    assert_eq!(first(&gateway, &announced).await, too_big(), "nothing is reserved for it");
}

/// F16: many small pieces; F19: bytes that are not text; RFC 6455 masks.
#[tokio::test]
async fn odd_frames_of_strangers_close() {
    let gateway = TestGateway::start(with_token()).await;
    let mut flood = frame(TEXT, b"{");
    (0..16).for_each(|_| flood.extend(frame(CONTINUATION, b" ")));
    assert_eq!(first(&gateway, &flood).await, (None, policy("too many pending handshake frames")));
    let pings = frame(FIN | PING, b"").repeat(17);
    let (_, close) = first(&gateway, &pings).await;
    assert_eq!(close, policy("too many pending handshake frames"), "F17");
    let (_, close) = first(&gateway, &frame(FIN | TEXT, &[0xff, 0xfe])).await;
    assert_eq!(close, Frame::Close(1007, String::new()));
    let (_, close) = first(&gateway, &frame(FIN | BINARY, &[0xff, 0xfe])).await;
    assert_eq!(close, Frame::Close(1007, String::new()));
    let (_, close) = first(&gateway, b"\x81\x02{}").await;
    assert_eq!(close, Frame::Close(1002, String::new()), "a client masks");
    let (_, close) = first(&gateway, &frame(0xf0 | TEXT, b"{}")).await;
    assert_eq!(close, Frame::Close(1002, String::new()), "D25: no extension was agreed");
}

/// F18: deep JSON and properties that stand twice.
#[tokio::test]
async fn deep_and_ambiguous_json_is_refused() {
    let gateway = TestGateway::start(with_token()).await;
    let deep =
        format!(r#"{{"type":"req","id":"a","method":"connect","params":{}"#, "[".repeat(60_000));
    let found = first(&gateway, &frame(FIN | TEXT, deep.as_bytes())).await;
    assert_eq!(found, (None, policy("invalid request frame")));
    let request = Connect::cli(4).request(&Value::Null).to_string();
    let twice = [
        ("at root", request.replace(r#""role":"#, r#""role":"node","role":"#)),
        ("at /auth", request.replace(r#""token":"#, r#""token":"x","token":"#)),
        ("at /client", request.replace(r#""mode":"#, r#""mode":"ui","mode":"#)),
    ];
    for (place, text) in twice {
        let (answer, _) = first(&gateway, &frame(FIN | TEXT, text.as_bytes())).await;
        let message = answer.expect("an answer")["error"]["message"].clone();
        let expected = format!("invalid connect params: {place}: must not name a property twice");
        assert_eq!(message, expected.as_str());
    }
}

/// F14: the deadline counts from accept, and neither pings nor half a message move it.
#[tokio::test]
async fn a_stranger_that_says_nothing_is_closed_in_time() {
    let gateway =
        TestGateway::start_in(with_token(), &[("OPENCLAW_HANDSHAKE_TIMEOUT_MS", "300")]).await;
    let started = Instant::now();
    let mut silent = Stranger::open(&gateway, "").await;
    let mut half = Stranger::open(&gateway, "").await;
    half.socket.send(frame(TEXT, b"{\"type\":")).await;
    let mut pinging = Stranger::open(&gateway, "").await;
    pinging.socket.send(frame(FIN | PING, b"still here")).await;
    for stranger in [&mut silent, &mut half, &mut pinging] {
        let (texts, close) = stranger.socket.closed().await;
        assert_eq!((texts, close), (vec![], Frame::Close(1000, String::new())), "3.8");
    }
    assert!(started.elapsed().as_millis() >= 250, "not before its time");
    let mut bare = Socket::open(gateway.addr()).await;
    bare.send("GET / HTTP/1.1\r\n").await;
    drop(soon("the end of half a request", bare.rest()));
}
