//! HTTP over raw sockets: request hygiene (group G), probes, the routes that need a bearer, security
//! headers, keep-alive and slow senders (F12).

use std::time::Duration;

use serde_json::json;
use tokio::time::{advance, pause, resume};

use super::{
    rig::{TOKEN, TestGateway, merged, with_token},
    wire::{KEY, Reply, Socket, ask, exchange, upgrade_request},
};

/// Sends `request` with `HOST` filled in; the answer, and whether the connection was closed after it.
async fn raw(gateway: &TestGateway, request: &str) -> (Reply, bool) {
    let mut socket = Socket::open(gateway.addr()).await;
    socket.send(request.replace("HOST", &gateway.host())).await;
    let method = request.split(' ').next().unwrap_or_default();
    let reply = socket.reply(method).await;
    let ended = reply.closes() && socket.rest().await.is_empty();
    (reply, ended)
}

#[tokio::test]
async fn ambiguous_and_broken_requests_are_refused_and_closed() {
    let gateway = TestGateway::start(with_token()).await;
    let rows = [
        (
            "G2",
            "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        ),
        ("G2", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5, 5\r\n\r\nhello"),
        ("G2", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: +5\r\n\r\nhello"),
        ("G3", "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        (
            "G3",
            "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        ),
        ("G3", "POST / HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("G4", "GET / HTTP/1.1\r\nHost: HOST\r\nX-A: one\r\n two\r\n\r\n"),
        ("G4", "GET / HTTP/1.1\r\nHost: HOST\r\nX-A: a\0b\r\n\r\n"),
        ("G4", "GET / HTTP/1.1\r\nHost: HOST\r\nX-A : b\r\n\r\n"),
        ("G9", "GET /a%2fb HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("G9", "GET /%zz HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("G9", "GET /%00 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("G9", "GET /a%5cb HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("G10", "CONNECT example.com:443 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        (
            "D10",
            "GET / HTTP/1.1\r\nHost: HOST\r\nOrigin: http://HOST\r\nOrigin: https://evil.example\r\n\r\n",
        ),
        ("D11", "GET / HTTP/1.1\r\n\r\n"),
        ("D11", "GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n"),
        ("D11", "GET http://evil.example/ HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        (
            "E15",
            "GET / HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        ),
        ("B17", "GET / HTTP/1.1\r\nHost: HOST\r\nX_Forwarded_For: 127.0.0.1\r\n\r\n"),
        (
            "B14",
            "GET / HTTP/1.1\r\nHost: HOST\r\nTailscale-User-Login: a\r\nTailscale-User-Login: b\r\n\r\n",
        ),
    ];
    for (row, request) in rows {
        let (reply, ended) = raw(&gateway, request).await;
        assert_eq!((reply.status, ended), (400, true), "{row}: {request:?} {reply:?}");
    }
}

/// G1: with two ways to tell where the body ends, nothing behind the first request is ever read as another.
#[tokio::test]
async fn nothing_is_smuggled_behind_a_body() {
    let gateway = TestGateway::start(with_token()).await;
    let second = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.host());
    for body in [format!("0\r\n\r\n{second}"), format!("5\r\nhello\r\n0\r\n\r\n{second}")] {
        let head = "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut socket = Socket::open(gateway.addr()).await;
        socket.send(head.replace("HOST", &gateway.host()) + &body).await;
        let reply = socket.reply("POST").await;
        assert!(matches!(reply.status, 400 | 405) && reply.closes(), "{reply:?}");
        assert_eq!(socket.rest().await, b"", "one answer only");
    }
}

#[tokio::test]
async fn upgrades_are_exact() {
    let gateway = TestGateway::start(with_token()).await;
    let head =
        |lines: &str| format!("GET / HTTP/1.1\r\nHost: HOST\r\nUpgrade: websocket\r\n{lines}\r\n");
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let v13 = "Sec-WebSocket-Version: 13\r\n";
    let connection = "Connection: Upgrade\r\n";
    let rows = [
        ("G12 no key", head(&format!("{connection}{v13}")), 400),
        ("G12 two keys", head(&format!("{connection}{v13}{key}{key}")), 400),
        ("G12 short key", head(&format!("{connection}{v13}Sec-WebSocket-Key: c2hvcnQ=\r\n")), 400),
        ("G12 no base64", head(&format!("{connection}{v13}Sec-WebSocket-Key: !!\r\n")), 400),
        ("G12 version 12", head(&format!("{connection}Sec-WebSocket-Version: 12\r\n{key}")), 426),
        ("G12 no version", head(&format!("{connection}{key}")), 426),
        ("G12 keep-alive", head(&format!("Connection: keep-alive\r\n{v13}{key}")), 400),
        ("G5 body", head(&format!("{connection}{v13}{key}Content-Length: 10\r\n")), 400),
        ("G5 chunked", head(&format!("{connection}{v13}{key}Transfer-Encoding: chunked\r\n")), 400),
        ("G12 POST", head(&format!("{connection}{v13}{key}")).replace("GET", "POST"), 400),
        ("G12 HTTP/1.0", head(&format!("{connection}{v13}{key}")).replace("1.1", "1.0"), 400),
        ("G12 half", format!("GET / HTTP/1.1\r\nHost: HOST\r\n{key}\r\n"), 400),
        (
            "G6 h2c",
            "GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                .to_owned(),
            200,
        ),
    ];
    for (row, request, status) in rows {
        assert_eq!(raw(&gateway, &request).await.0.status, status, "{row}");
    }
    let anywhere = "GET /any/where HTTP/1.1\r\nHost: HOST\r\nUpgrade: WebSocket\r\n";
    let lists = format!("{anywhere}Connection: keep-alive, Upgrade\r\n{v13}{key}\r\n");
    assert_eq!(raw(&gateway, &lists).await.0.status, 101, "1: any path upgrades");
    // G7: what follows an upgrade is never read as HTTP.
    let mut socket = Socket::open(gateway.addr()).await;
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    socket.send(format!("{}{smuggled}", upgrade_request(&gateway.host(), ""))).await;
    assert_eq!(socket.reply("GET").await.status, 101);
    let rest = String::from_utf8_lossy(&socket.rest().await).into_owned();
    assert!(!rest.contains("HTTP/1.1") && !rest.contains("live"), "{rest}");
}

#[tokio::test]
async fn heads_are_bounded() {
    let gateway = TestGateway::start(with_token()).await;
    let many = "X-A: b\r\n".repeat(101);
    let big = format!("X-A: {}\r\n", "a".repeat(64 * 1024));
    let value = format!("X-A: {}\r\n", "a".repeat(16 * 1024));
    let origin = format!("Origin: http://{}.example\r\n", "a".repeat(600));
    for (row, headers) in [("G8", many), ("G8", big), ("G8", value), ("F28", origin)] {
        assert_eq!(ask(&gateway, "GET /", &headers).await.status, 431, "{row}");
    }
    let fits = "X-A: b\r\n".repeat(60);
    assert_eq!(ask(&gateway, "GET /", &fits).await.status, 200);
}

/// G9: one canonical path for routing and for authority, however it is written.
#[tokio::test]
async fn paths_are_read_once() {
    let gateway = TestGateway::start(with_token()).await;
    for path in [
        "/control-ui-config.json",
        "//control-ui-config.json",
        "/./control-ui-config.json",
        "/x/../control-ui-config.json",
        "/%63ontrol-ui-config.json",
        "/control-ui-config.json?x=1",
    ] {
        let reply = ask(&gateway, &format!("GET {path}"), "").await;
        assert_eq!(reply.status, 401, "{path}");
    }
    let absolute = format!("GET http://{}/healthz", gateway.host());
    assert_eq!(ask(&gateway, &absolute, "").await.status, 200, "D11: the same authority is fine");
    for path in ["/control-ui-config.json;x", "/CONTROL-UI-CONFIG.JSON", "/control-ui-config.json/"]
    {
        let reply = ask(&gateway, &format!("GET {path}"), "").await;
        assert!(!reply.body.contains("assistantName"), "{path}");
    }
    for path in ["/api/nothing", "/v1/models", "/nothing.js", "/tools/invoke"] {
        let reply = ask(&gateway, &format!("GET {path}"), "").await;
        assert_eq!((reply.status, reply.body.as_str()), (404, "Not Found"), "{path}");
    }
    for path in ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd"] {
        let reply = ask(&gateway, &format!("GET {path}"), "").await;
        assert!(!reply.body.contains("root:"), "{path}");
    }
}

/// G10, D18: two methods; an override changes nothing.
#[tokio::test]
async fn methods_are_a_closed_set() {
    let gateway = TestGateway::start(with_token()).await;
    for path in ["/", "/healthz", "/control-ui-config.json", "/nothing.js"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "get", "BREW"] {
            let reply = ask(&gateway, &format!("{method} {path}"), "").await;
            assert_eq!(
                (reply.status, reply.header("allow")),
                (405, Some("GET, HEAD")),
                "{method} {path}"
            );
        }
    }
    let reply = ask(&gateway, "GET /healthz", "X-HTTP-Method-Override: DELETE\r\n").await;
    assert_eq!(reply.status, 200);
    let form = "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}";
    let reply = exchange(
        &gateway,
        &format!("POST /tools/invoke HTTP/1.1\r\nHost: {}\r\n{form}", gateway.host()),
    )
    .await;
    assert_eq!(reply.status, 405, "D18");
}

/// 12: probes are answered to anyone, whatever they believe of the caller; F25: nothing is told.
#[tokio::test]
async fn probes() {
    let gateway = TestGateway::start(with_token()).await;
    let rows = [
        ("/health", json!({ "ok": true, "status": "live" })),
        ("/healthz", json!({ "ok": true, "status": "live" })),
        ("/ready", json!({ "ready": true })),
        ("/readyz", json!({ "ready": true })),
        ("/startup", json!({ "ok": true, "status": "started" })),
        ("/startupz", json!({ "ok": true, "status": "started" })),
    ];
    for (path, body) in rows {
        let stranger =
            ask(&gateway, &format!("GET {path}"), "X-Forwarded-For: 203.0.113.9\r\n").await;
        assert_eq!((stranger.status, stranger.json()), (200, body.clone()), "{path}");
        let local = ask(&gateway, &format!("GET {path}"), "").await.json();
        for (key, value) in body.as_object().expect("an object") {
            assert_eq!(&local[key], value, "{path}");
        }
        let told = local["uptimeMs"].is_u64();
        assert_eq!(told, !path.starts_with("/health"), "12: more for local callers: {local}");
        let head = ask(&gateway, &format!("HEAD {path}"), "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    }
    gateway.running().house.closing.cancel();
    drop(gateway);
}

/// 12, B36, E15, G11: the bootstrap config and avatars need a bearer.
#[tokio::test]
async fn what_needs_a_bearer_gets_one() {
    let gateway = TestGateway::start(with_token()).await;
    let bearer = |word: &str| format!("Authorization: {word}\r\n");
    let unauthorised = json!({ "error": { "message": "Unauthorized", "type": "unauthorized" } });
    for path in
        ["/control-ui-config.json", "/__openclaw/control-ui-config.json", "/avatar/main?meta=1"]
    {
        let line = format!("GET {path}");
        let short = TOKEN.get(1..).expect("long enough");
        for header in [
            String::new(),
            bearer("Bearer wrong"),
            bearer(&format!("Bearer {short}")),
            bearer(&format!("Basic {TOKEN}")),
            bearer("Bearer"),
            bearer(TOKEN),
        ] {
            let reply = ask(&gateway, &line, &header).await;
            assert!(matches!(reply.status, 400 | 401), "{path} {header} {reply:?}");
            if header.is_empty() || header.contains("wrong") {
                assert_eq!((reply.status, reply.json()), (401, unauthorised.clone()), "4.6");
            }
        }
        for word in ["Bearer", "bearer", "BEARER"] {
            let reply = ask(&gateway, &line, &bearer(&format!("{word} {TOKEN}"))).await;
            assert_eq!(
                (reply.status, reply.header("cache-control")),
                (200, Some("no-store")),
                "{path}"
            );
            assert!(!reply.body.contains(TOKEN));
        }
    }
    let expecting =
        format!("{}Expect: 100-continue\r\nContent-Length: 5\r\n", bearer("Bearer wrong"));
    let reply = ask(&gateway, "GET /control-ui-config.json", &expecting).await;
    assert_eq!(reply.status, 401, "G11: not 100 first");
    let trailers =
        "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n0\r\nAuthorization: Bearer ";
    let reply =
        ask(&gateway, "GET /control-ui-config.json", &format!("{trailers}{TOKEN}\r\n")).await;
    assert_eq!(reply.status, 401, "G14: trailers are nothing");
}

/// D15, D16: on every answer of ours, whatever it is.
#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let hsts = json!({ "gateway": { "http": { "securityHeaders": { "strictTransportSecurity": "max-age=63072000" } } } });
    let gateway = TestGateway::start(merged(with_token(), &hsts)).await;
    let evil = "Origin: https://evil.example\r\n";
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let rows = [
        ("GET /", "", 200),
        ("HEAD /", "", 200),
        ("GET /nothing.js", "", 404),
        ("POST /", "", 405),
        ("GET /healthz", "", 200),
        ("POST /healthz", "", 405),
        ("GET /control-ui-config.json", "", 401),
        ("GET /control-ui-config.json", bearer.as_str(), 200),
        ("GET /", evil, 403),
        ("GET /?token=x", "", 400),
        ("GET /", "X-Forwarded-For: 1.2.3.4\r\n", 403),
        (
            "GET /",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n",
            426,
        ),
    ];
    for (line, headers, status) in rows {
        let reply = ask(&gateway, line, headers).await;
        assert_eq!(reply.status, status, "{line} {headers}");
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(
            policy.contains("default-src") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{line} {headers}");
        }
        assert!(
            reply.header("server").is_none() && reply.header("set-cookie").is_none(),
            "D19, F25"
        );
    }
    let page = ask(&gateway, "GET /", "").await;
    assert_eq!(page.header("strict-transport-security"), Some("max-age=63072000"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(!policy.contains("unsafe-eval") && !policy.contains('*'), "D13: {policy}");
}

/// One connection serves many; HEAD has no body and says the length of GET.
#[tokio::test]
async fn a_connection_is_kept_alive() {
    let gateway = TestGateway::start(with_token()).await;
    let mut socket = Socket::open(gateway.addr()).await;
    let request = |line: &str| format!("{line} HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.host());
    for _ in 0..100 {
        for line in ["GET /healthz", "HEAD /", "GET /", "HEAD /nothing.js", "GET /nothing.js"] {
            socket.send(request(line)).await;
            let reply = socket.reply(line.split(' ').next().expect("a method")).await;
            assert!(!reply.closes(), "{line}");
        }
    }
    socket.send(request("HEAD /") + &request("GET /")).await;
    let (head, get) = (socket.reply("HEAD").await, socket.reply("GET").await);
    assert_eq!(head.header("content-length"), get.header("content-length"), "G7: pipelined");
    assert!(head.body.is_empty() && get.body.contains("<html"));
    socket.send(upgrade_request(&gateway.host(), "")).await;
    assert_eq!(socket.reply("GET").await.status, 101, "a kept connection may upgrade late");
    assert_eq!(gateway.running().house.strangers.count(), 1);
}

/// F12: a head that never ends; a connection that is kept and says nothing.
#[tokio::test]
async fn slow_senders_are_closed() {
    let gateway = TestGateway::start(with_token()).await;
    let mut slow = Socket::open(gateway.addr()).await;
    slow.send("GET / HTTP/1.1\r\nHost: ").await;
    let mut kept = Socket::open(gateway.addr()).await;
    kept.send(format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.host())).await;
    assert_eq!(kept.reply("GET").await.status, 200);
    slow.send("127").await;
    assert!(slow.is_quiet().await);
    pause();
    advance(Duration::from_secs(11)).await;
    resume();
    let end = String::from_utf8(slow.rest().await).expect("text");
    assert!(end.is_empty() || end.starts_with("HTTP/1.1 408"), "{end}");
    assert_eq!(kept.rest().await, b"");
    assert_eq!(gateway.running().house.strangers.count(), 0, "places are given back");
}

/// 4.6: wrong bearers of a page are counted, answered 429, and told when to come again.
#[tokio::test]
async fn guessed_bearers_lock_a_page_out() {
    let gateway = TestGateway::start(with_token()).await;
    let page =
        |token: &str| format!("Origin: {}\r\nAuthorization: Bearer {token}\r\n", gateway.origin());
    for _ in 0..10 {
        assert_eq!(ask(&gateway, "GET /control-ui-config.json", &page("guess")).await.status, 401);
    }
    let locked = ask(&gateway, "GET /control-ui-config.json", &page(TOKEN)).await;
    assert_eq!((locked.status, locked.kind().as_str()), (429, "rate_limited"));
    let wait: u64 = locked.header("retry-after").expect("a wait").parse().expect("seconds");
    assert!((290..=300).contains(&wait), "{wait}");
    let message = "Too many failed authentication attempts. Please try again later.";
    assert_eq!(locked.json()["error"]["message"], message);
    let here = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(&gateway, "GET /control-ui-config.json", &here).await.status, 200);
}
