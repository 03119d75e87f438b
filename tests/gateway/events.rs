//! Events (wire contract 2.1, 9): numbers, versions, who sees what, slow readers (F20), keepalive, and the
//! crowd before the door (F11).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use openclaw::{events::kinds, protocol::frame::to_json};
use serde_json::{Value, json};
use tokio::time::{advance, pause, resume};

use super::{
    client::{Connect, PAIRING, PROTOCOLS, READ, Stranger, policy},
    device::Device,
    pairing::strict,
    rig::{TestGateway, logged, with_token},
    wire::{FIN, Frame, PONG, Socket, frame},
};

/// Lets the gateway's timers run on without waiting for them.
async fn fly(seconds: u64) {
    pause();
    advance(Duration::from_secs(seconds)).await;
    resume();
}

/// A client that presence lists.
fn listed(name: &str) -> Connect {
    Connect::of(4, "openclaw-tui", "ui").client("instanceId", name).client("displayName", name)
}

fn hosts(presence: &Value) -> Vec<&str> {
    let entries = presence.as_array().expect("a list");
    entries.iter().map(|entry| entry["host"].as_str().expect("a host")).collect()
}

/// 2.1: per connection, from 1, without a gap; state versions on presence and health only.
#[tokio::test]
async fn events_are_numbered_per_connection() {
    let gateway = TestGateway::start(with_token()).await;
    let mut early = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    let _one = listed("one").welcome(&gateway).await;
    assert_eq!(early.event("presence").await["seq"], 1);
    let mut late = Connect::cli(3).scopes(&[READ]).welcome(&gateway).await;
    fly(60).await;
    for (client, mut seq) in [(&mut early, 1), (&mut late, 0)] {
        let mut names = Vec::new();
        while !(names.contains(&"tick".to_owned()) && names.contains(&"health".to_owned())) {
            let event = client.next_event().await;
            seq += 1;
            assert_eq!(event["seq"], seq, "{event}");
            let name = event["event"].as_str().expect("a name").to_owned();
            let versions = ["presence", "health"].contains(&name.as_str());
            assert_eq!(event["stateVersion"]["health"].is_u64(), versions, "{event}");
            assert_eq!(event["stateVersion"]["presence"].is_u64(), versions, "{event}");
            names.push(name);
        }
    }
    let health = early.ok("health", json!({})).await;
    assert_eq!(health["ok"], true);
    let hello = Connect::cli(4).welcome(&gateway).await.hello;
    assert_eq!(hello["snapshot"]["stateVersion"]["health"], 2, "rebuilt once a minute: {hello}");
}

/// 9: tick is for everyone; presence needs read; pairing needs its scope; nodes get only the ungated.
#[tokio::test]
async fn events_go_to_those_who_may_see_them() {
    let gateway = strict().await;
    let mut admin = Connect::admin(4).welcome(&gateway).await;
    let node = Connect::node(4).device(&Device::new(1));
    let refused = node.refused(&gateway).await;
    admin.ok("device.pair.approve", json!({ "requestId": refused.request_id() })).await;
    let mut audience = [
        (Connect::cli(4).welcome(&gateway).await, vec!["tick"]),
        (Connect::cli(4).scopes(&[READ]).welcome(&gateway).await, vec!["presence", "tick"]),
        (
            Connect::cli(4).scopes(&[PAIRING]).welcome(&gateway).await,
            vec!["device.pair.requested", "tick"],
        ),
        (
            Connect::cli(3).scopes(&[PAIRING]).welcome(&gateway).await,
            vec!["device.pair.requested", "tick"],
        ),
        (node.welcome(&gateway).await, vec!["tick"]),
    ];
    Connect::cli(4).scopes(&[READ]).device(&Device::new(2)).refused(&gateway).await;
    admin.event("device.pair.requested").await;
    admin.event("presence").await;
    fly(30).await;
    for (client, expected) in &mut audience {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|name| name != "tick") {
            let event = client.next_event().await;
            seen.push(event["event"].as_str().expect("a name").to_owned());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(&seen, expected);
    }
    for payload in [&audience[0].0.hello, &audience[4].0.hello] {
        assert_eq!(
            payload["snapshot"]["presence"],
            json!([]),
            "who may not read is not told in hello"
        );
    }
}

/// 9: the gateway first, one entry per instance, `disconnect` when it left; command lines are not listed.
#[tokio::test]
async fn presence_says_who_is_here() {
    let gateway = TestGateway::start(with_token()).await;
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    let first = listed("desk").welcome(&gateway).await;
    let second = listed("desk").welcome(&gateway).await;
    let entries = reader.ok("system-presence", json!({})).await;
    assert_eq!(hosts(&entries)[1..], ["desk"], "{entries}");
    assert_eq!((&entries[0]["mode"], &entries[0]["reason"]), (&json!("gateway"), &json!("self")));
    assert_eq!((&entries[1]["mode"], &entries[1]["reason"]), (&json!("ui"), &json!("connect")));
    drop(first);
    drop(second);
    loop {
        let event = reader.event("presence").await;
        let desk = &event["payload"]["presence"][1];
        assert_eq!(desk["host"], "desk");
        if desk["reason"] == "disconnect" {
            break;
        }
    }
}

/// A crowd that arrives at once makes a handful of events, and the last one holds everybody.
#[tokio::test]
async fn arrivals_are_gathered() {
    let gateway = TestGateway::start(with_token()).await;
    let mut reader = Connect::cli(4).scopes(&[READ]).welcome(&gateway).await;
    let mut crowd = Vec::new();
    let started = Instant::now();
    for n in 0..40 {
        crowd.push(listed(&format!("seat-{n}")).welcome(&gateway).await);
    }
    let mut events = 0;
    loop {
        let event = reader.event("presence").await;
        events += 1;
        if hosts(&event["payload"]["presence"]).len() == 41 {
            break;
        }
    }
    let most = 2 + started.elapsed().as_millis() / 100;
    assert!(events <= most, "{events} events in {:?}", started.elapsed());
}

/// F20: a client that does not read is closed; one that reads gets everything, in order.
#[tokio::test]
async fn a_slow_consumer_is_closed_and_others_are_served() {
    let gateway = TestGateway::start(with_token()).await;
    let mut deaf = Connect::cli(4).scopes(&[PAIRING]).welcome(&gateway).await;
    let mut good = Connect::cli(4).scopes(&[PAIRING]).welcome(&gateway).await;
    let hub = &gateway.running().house.door.services.hub;
    assert_eq!(hub.count(), 2);
    let payload = to_json(&json!({ "fill": "x".repeat(1024 * 1024) }));
    let mut seq = 0;
    while hub.count() == 2 {
        assert!(seq < 100, "100 MiB wait for a client that reads nothing");
        hub.publish(&kinds::DEVICE_PAIR_REQUESTED, Arc::clone(&payload), None);
        seq += 1;
        assert_eq!(good.event("device.pair.requested").await["seq"], seq);
    }
    good.ok("health", json!({})).await;
    let line = |line: &String| line.contains("connection closed") && line.contains("slow consumer");
    assert!(logged().iter().any(line), "the reason is logged");
    // What was on its way before comes first; the reason comes where the client reads soon enough.
    let close = deaf.closed().await;
    assert!(close == policy("slow consumer") || close == Frame::End, "{close:?}");
}

/// F20: answers pile up just as well.
#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_closed() {
    let gateway = TestGateway::start(with_token()).await;
    let mut deaf = Connect::admin(4).welcome(&gateway).await;
    let mut good = Connect::cli(4).welcome(&gateway).await;
    for n in 0..199 {
        let text = format!("Node: {n} {}", "x".repeat(1000));
        deaf.ok("system-event", json!({ "text": text, "instanceId": n.to_string() })).await;
    }
    let size = deaf.ok("system-presence", json!({})).await.to_string().len();
    let hub = &gateway.running().house.door.services.hub;
    // Past the socket's own buffers, 41 MiB are the most that may wait.
    let mut left = 100 * 1024 * 1024 / size;
    while hub.count() == 2 {
        left = left.checked_sub(1).expect("100 MiB wait for a client that reads nothing");
        deaf.request("system-presence", json!({})).await;
        good.ok("health", json!({})).await;
    }
    let close = deaf.closed().await;
    assert!(close == policy("slow consumer") || close == Frame::End, "{close:?}");
}

/// 1: a ping every 25 s; who answers stays, who does not is gone by the next one.
#[tokio::test]
async fn silence_is_noticed() {
    let gateway = TestGateway::start(with_token()).await;
    let mut alive = Connect::cli(4).welcome(&gateway).await;
    let mut gone = Connect::cli(4).welcome(&gateway).await;
    fly(25).await;
    for client in [&mut alive, &mut gone] {
        assert_eq!(client.socket.frame().await, Frame::Ping);
    }
    alive.socket.send(frame(FIN | PONG, b"")).await;
    alive.ok("health", json!({})).await;
    fly(25).await;
    assert_eq!(gone.socket.closed().await.1, Frame::End);
    alive.ok("health", json!({})).await;
}

/// F11: silent sockets push out their own oldest, once it had its moment; a good client gets in at once.
#[tokio::test]
async fn a_crowd_of_silent_sockets_keeps_nobody_out() {
    let gateway = TestGateway::start(with_token()).await;
    let mut inside = Connect::cli(4).welcome(&gateway).await;
    let mut crowd = Vec::new();
    for _ in 0..32 {
        crowd.push(Stranger::open(&gateway, "").await);
    }
    fly(1).await;
    for _ in 0..8 {
        crowd.push(Stranger::open(&gateway, "").await);
    }
    let started = Instant::now();
    for protocol in PROTOCOLS {
        Connect::cli(protocol).welcome(&gateway).await;
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    for stranger in &mut crowd[..8] {
        let (_, close) = stranger.socket.closed().await;
        let reason = "too many unauthenticated sockets".to_owned();
        assert_eq!(close, Frame::Close(1013, reason), "the oldest give way");
    }
    for stranger in &mut crowd[12..] {
        assert!(stranger.socket.is_quiet().await, "the newest stay");
    }
    inside.ok("health", json!({})).await;
}

/// F11: those that never say a word of HTTP are no better, and there are never more than so many.
#[tokio::test]
async fn a_crowd_of_mute_sockets_keeps_nobody_out() {
    let gateway = TestGateway::start(with_token()).await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(Socket::open(gateway.addr()).await);
    }
    Connect::cli(4).welcome(&gateway).await;
    let strangers = &gateway.running().house.strangers;
    assert!(strangers.count() <= 256, "a burst is bounded: {}", strangers.count());
    assert_eq!(crowd[0].rest().await, b"", "closed without a byte");
    fly(1).await;
    Connect::cli(4).welcome(&gateway).await;
    drop(crowd);
    while strangers.count() > 0 {
        Connect::cli(4).welcome(&gateway).await;
    }
}
