//! Host, Origin and forwarding evidence before the upgrade (groups B, C, D), and TLS.

use openclaw::client::tls::{self, Fingerprint};
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{
    client::{Connect, Stranger},
    device::Device,
    rig::{TOKEN, TestGateway, logged, merged, with_token},
    wire::{Reply, Socket, ask, exchange, soon, upgrade_request},
};

async fn upgrade(gateway: &TestGateway, host: &str, headers: &str) -> Reply {
    exchange(gateway, &upgrade_request(host, headers)).await
}

/// Refused as HTTP, before the upgrade, with the reason that a log reader can look up.
#[tokio::test]
async fn foreign_pages_are_refused_before_the_upgrade() {
    let gateway = TestGateway::start(with_token()).await;
    let port = gateway.addr().port();
    let own = gateway.host();
    let rows = [
        ("D1", own.clone(), "https://evil.example".to_owned(), 403),
        (
            "D2",
            format!("rebind.evil.example:{port}"),
            format!("http://rebind.evil.example:{port}"),
            421,
        ),
        ("D3", format!("evil.local:{port}"), format!("http://evil.local:{port}"), 421),
        (
            "D4",
            format!("evil.other.ts.net:{port}"),
            format!("http://evil.other.ts.net:{port}"),
            421,
        ),
        ("D5", own.clone(), "null".to_owned(), 403),
        ("D7", own.clone(), "http://localhost:3000".to_owned(), 403),
        ("D7", own.clone(), "http://127.0.0.1:1".to_owned(), 403),
        ("D8", own.clone(), format!("https://{own}"), 403),
        ("D9", own.clone(), format!("http://{own}.evil.example"), 403),
        ("D9", own.clone(), format!("http://evil{own}"), 403),
        ("D9", own.clone(), format!("http://{own}@evil.example"), 403),
        ("D9", own.clone(), format!("http://{own}/path"), 403),
        ("D9", own.clone(), format!("http://{own}?query"), 403),
        ("D9", own.clone(), "http://127.1".to_owned(), 403),
        ("D22", own.clone(), "chrome-extension://abcdefghijklmnopabcdefghijklmnop".to_owned(), 403),
        ("own", own.clone(), format!("http://{own}"), 101),
        ("own", own.clone(), format!("http://localhost:{port}"), 101),
        ("own", format!("LOCALHOST:{port}"), format!("http://localhost:{port}"), 101),
    ];
    for (row, host, origin, status) in rows {
        let reply = upgrade(&gateway, &host, &format!("Origin: {origin}\r\n")).await;
        assert_eq!(reply.status, status, "{row}: Host {host}, Origin {origin}");
        let kind = match status {
            403 => "origin_not_allowed",
            421 => "host_not_own",
            _ => continue,
        };
        assert_eq!(reply.kind(), kind, "{row}: {reply:?}");
        assert!(reply.closes(), "{row}");
    }
    // Without a browser any name may lead here.
    assert_eq!(upgrade(&gateway, "gateway.example", "").await.status, 101);
    assert_eq!(upgrade(&gateway, &format!("[::1]:{port}"), "").await.status, 101, "D12");
}

/// D6, D17, D20: what a browser adds by itself decides where there is no Origin.
#[tokio::test]
async fn cross_site_requests_get_nothing() {
    let gateway = TestGateway::start(with_token()).await;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let path = "GET /control-ui-config.json";
    for (site, status) in
        [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
    {
        let headers = format!("Sec-Fetch-Site: {site}\r\n{bearer}");
        assert_eq!(ask(&gateway, path, &headers).await.status, status, "D6: {site}");
    }
    let evil = format!("Origin: https://evil.example\r\n{bearer}");
    assert_eq!(ask(&gateway, path, &evil).await.status, 403, "B37");
    let link =
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    assert_eq!(ask(&gateway, "GET /", link).await.status, 200, "a person follows a link");
    let preflight = "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Private-Network: true\r\n";
    let reply = ask(&gateway, "OPTIONS /control-ui-config.json", preflight).await;
    assert_eq!(reply.status, 403, "D17");
    let own =
        format!("Origin: {}\r\nAccess-Control-Request-Private-Network: true\r\n", gateway.origin());
    let allowed = ask(&gateway, "OPTIONS /control-ui-config.json", &own).await;
    for reply in [reply, allowed] {
        let cors = reply.headers.iter().any(|(name, _)| name.starts_with("access-control-"));
        assert!(!cors, "D17: {reply:?}");
    }
}

/// D14: never a credential, and the value is not logged.
#[tokio::test]
async fn credentials_in_the_url_are_refused() {
    let gateway = TestGateway::start(with_token()).await;
    for query in [
        "token",
        "password",
        "ticket",
        "access_token",
        "TOKEN",
        "%74oken",
        "x=1&token",
        "x=1;password",
    ] {
        let canary = "canary-in-the-url";
        let target = format!("/?{query}={canary}");
        let reply = ask(&gateway, &format!("GET {target}"), "").await;
        assert_eq!((reply.status, reply.kind().as_str()), (400, "credential_in_url"), "{query}");
        assert!(!reply.body.contains(canary), "{reply:?}");
        let request =
            upgrade_request(&gateway.host(), "").replacen("GET / ", &format!("GET {target} "), 1);
        assert_eq!(exchange(&gateway, &request).await.status, 400, "{query}");
    }
    assert!(!logged().iter().any(|line| line.contains("canary-in-the-url")));
}

/// D24, D25: a sub-protocol is no credential and nothing is negotiated (the rig checks the answer).
#[tokio::test]
async fn nothing_is_smuggled_into_the_upgrade() {
    let gateway = TestGateway::start(with_token()).await;
    let headers = format!(
        "Sec-WebSocket-Protocol: bearer.{TOKEN}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\
         Authorization: Bearer {TOKEN}\r\nCookie: token={TOKEN}\r\n"
    );
    let mut stranger = Stranger::open(&gateway, &headers).await;
    let connect = Connect::admin(4).without("auth");
    let request = connect.request(&stranger.challenge).to_string();
    stranger.socket.text(&request).await;
    let refused = stranger.verdict().await.expect_err("no secret was presented");
    assert_eq!(refused.detail(), "DEVICE_IDENTITY_REQUIRED", "D19, D24");
    assert!(!logged().iter().any(|line| line.contains(&format!("bearer.{TOKEN}"))));
}

/// B1, B2, B16, B35, C6, C9, C10: forwarding evidence from someone who is no trusted proxy.
#[tokio::test]
async fn proxy_shaped_requests_are_refused() {
    let gateway = TestGateway::start(with_token()).await;
    for headers in [
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Forwarded-Proto: https\r\n",
        "X-Forwarded-Host: 127.0.0.1\r\n",
        "X-Forwarded-Anything: x\r\n",
        "X-Real-IP: 127.0.0.1\r\n",
        "Forwarded: for=127.0.0.1\r\n",
        "tAiLsCaLe-UsEr-LoGiN: alice@example.com\r\n",
        "Tailscale-User-Login: alice@example.com\r\nX-Forwarded-For: 100.64.1.2\r\nX-Forwarded-Proto: https\r\n",
    ] {
        for reply in [
            upgrade(&gateway, &gateway.host(), headers).await,
            ask(&gateway, "GET /", headers).await,
        ] {
            let found = (reply.status, reply.kind());
            assert_eq!(found, (403, "proxy_attribution_required".to_owned()), "{headers}");
        }
    }
    // B18, C20: what only looks like an identity changes nothing.
    for header in [
        "Remote-User: admin\r\n",
        "X-Webauth-User: admin\r\n",
        "User-Agent: kube-probe/1.0\r\n",
        "True-Client-IP: 1.2.3.4\r\n",
    ] {
        assert_eq!(
            ask(&gateway, "GET /control-ui-config.json", header).await.status,
            401,
            "{header}"
        );
    }
}

/// C1-C5, C10: a listed proxy on this host names the client, right to left, and is never local itself.
#[tokio::test]
async fn a_trusted_proxy_names_the_client() {
    let trusted = json!({ "gateway": { "trustedProxies": ["127.0.0.1/32", "::1/128"] } });
    let gateway = TestGateway::start(merged(with_token(), &trusted)).await;
    let rows = [
        ("C1", "X-Forwarded-For: 127.0.0.1, 203.0.113.9\r\n", 101),
        ("C2", "X-Forwarded-For: 127.0.0.1\r\n", 403),
        ("C3", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 203.0.113.9\r\n", 101),
        ("C4", "X-Forwarded-For: 203.0.113.9, <script>\r\n", 400),
        ("C6", "Forwarded: for=203.0.113.9\r\n", 403),
        ("C8", "X-Real-IP: 203.0.113.9\r\n", 403),
    ];
    for (row, headers, status) in rows {
        assert_eq!(upgrade(&gateway, &gateway.host(), headers).await.status, status, "{row}");
    }
    let hops = format!("X-Forwarded-For: {}\r\n", vec!["203.0.113.9"; 17].join(", "));
    assert_eq!(upgrade(&gateway, &gateway.host(), &hops).await.status, 400, "C5");
    let mut stranger = Stranger::open(&gateway, "X-Forwarded-For: 203.0.113.9\r\n").await;
    let connect = Connect::admin(4).device(&Device::new(1));
    let request = connect.request(&stranger.challenge).to_string();
    stranger.socket.text(&request).await;
    let refused = stranger.verdict().await.expect_err("a remote device needs an operator");
    assert_eq!(refused.error()["details"]["reason"], "not-paired", "C10, C11");
    let mut admin = Connect::cli(4).scopes(&["operator.admin"]).welcome(&gateway).await;
    let list = admin.ok("device.pair.list", json!({})).await;
    assert_eq!(list["pending"][0]["remoteIp"], "203.0.113.9");
}

/// 1, I6: the generated certificate is the one that the greeting names; HTTP and WebSocket both work.
#[tokio::test]
async fn tls_is_what_the_greeting_says() {
    let tls_on = json!({ "gateway": { "tls": { "enabled": true } } });
    let mut gateway = TestGateway::start(merged(with_token(), &tls_on)).await;
    let first = gateway.running().greeting.tls_fingerprint.clone().expect("a fingerprint");
    assert!(gateway.running().greeting.urls.iter().all(|url| url.starts_with("wss://")));
    let mut socket = secure(&gateway, &first).await.expect("the named certificate");
    socket.send(format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.host())).await;
    assert_eq!(socket.reply("GET").await.status, 200);
    let mut page = secure(&gateway, &first).await.expect("the named certificate");
    page.send(upgrade_request(&gateway.host(), &format!("Origin: {}\r\n", gateway.origin()))).await;
    assert_eq!(page.reply("GET").await.status, 403, "D8: the scheme is part of an origin");
    socket.upgrade(&gateway.host(), "").await;
    let mut stranger = Stranger::after_upgrade(socket).await;
    let connect = Connect::admin(4).device(&Device::new(1));
    let request = connect.request(&stranger.challenge).to_string();
    stranger.socket.text(&request).await;
    let mut client = stranger.verdict().await.expect("let in");
    client.ok("status", json!({})).await;
    let mut page = secure(&gateway, &first).await.expect("the named certificate");
    page.upgrade(&gateway.host(), &format!("Origin: https://{}\r\n", gateway.host())).await;
    let mut plain = Socket::open(gateway.addr()).await;
    plain.send(format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.host())).await;
    let answer = plain.rest().await;
    assert!(!answer.starts_with(b"HTTP/"), "no plain HTTP on a TLS port");
    let other = Fingerprint::of(b"another certificate").to_string();
    assert!(secure(&gateway, &other).await.is_err(), "I6: a pin is a pin");
    gateway.restart().await;
    assert_eq!(
        gateway.running().greeting.tls_fingerprint.as_ref(),
        Some(&first),
        "kept over a restart"
    );
}

async fn secure(gateway: &TestGateway, fingerprint: &str) -> std::io::Result<Socket> {
    let pin: Fingerprint = fingerprint.parse().expect("a fingerprint");
    let connector = TlsConnector::from(tls::config(Some(pin)).expect("a configuration"));
    let io = TcpStream::connect(gateway.addr()).await?;
    let name = ServerName::from(gateway.addr().ip());
    Ok(Socket::over(soon("a TLS handshake", connector.connect(name, io)).await?))
}
