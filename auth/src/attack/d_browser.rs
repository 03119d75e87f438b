//! Group D: Host, Origin, browsers.

use super::fixture::*;
use crate::{ClientKey, HostName, HostPort, Locality, Origin, Peer, Policy, Scheme, Via};

const EVIL: &str = "https://evil.example";

fn upgrade(host: &'static str, origin: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![("Host", host), ("Origin", origin)]
}

#[test]
fn foreign_pages_and_rebound_names_stop_before_the_upgrade() {
    let own = "127.0.0.1:18789";
    let rows: Vec<(&str, Vec<(&str, &str)>, &str)> = vec![
        ("D1", upgrade(own, EVIL), "403 origin_not_allowed"),
        (
            "D2",
            upgrade("rebind.evil.example:18789", "http://rebind.evil.example:18789"),
            "421 host_not_own",
        ),
        ("D3", upgrade("evil.local:18789", "http://evil.local:18789"), "421 host_not_own"),
        ("D4", upgrade("evil.other.ts.net", "https://evil.other.ts.net"), "421 host_not_own"),
        ("D5", upgrade(own, "null"), "403 origin_not_allowed"),
        ("D6", vec![("Host", own), ("Sec-Fetch-Site", "cross-site")], "403 cross_site"),
        ("D6 same-site", vec![("Host", own), ("Sec-Fetch-Site", "same-site")], "403 cross_site"),
        (
            "D6 frame",
            vec![
                ("Host", own),
                ("Sec-Fetch-Site", "cross-site"),
                ("Sec-Fetch-Mode", "navigate"),
                ("Sec-Fetch-Dest", "iframe"),
            ],
            "403 cross_site",
        ),
        (
            "D6 link",
            vec![
                ("Host", own),
                ("Sec-Fetch-Site", "cross-site"),
                ("Sec-Fetch-Mode", "navigate"),
                ("Sec-Fetch-Dest", "document"),
            ],
            "ALLOW 127.0.0.1 local",
        ),
        ("D6 own", vec![("Host", own), ("Sec-Fetch-Site", "same-origin")], "ALLOW 127.0.0.1 local"),
        ("D6 typed", vec![("Host", own), ("Sec-Fetch-Site", "none")], "ALLOW 127.0.0.1 local"),
        ("D7", upgrade(own, "http://localhost:3000"), "403 origin_not_allowed"),
        ("D8 own scheme", upgrade(own, "https://127.0.0.1:18789"), "403 origin_not_allowed"),
        ("own", upgrade(own, "http://127.0.0.1:18789"), "ALLOW 127.0.0.1 local"),
        ("own v6", upgrade("[::1]:18789", "http://[::1]:18789"), "ALLOW 127.0.0.1 local"),
        ("own alias", upgrade(own, "http://localhost:18789"), "ALLOW 127.0.0.1 local"),
        (
            "forwarded port",
            upgrade("localhost:9999", "http://localhost:9999"),
            "ALLOW 127.0.0.1 local",
        ),
        (
            "D10",
            vec![("Host", own), ("Origin", "http://127.0.0.1:18789"), ("Origin", EVIL)],
            "400 ambiguous_header",
        ),
        ("D11 two", vec![("Host", own), ("Host", own)], "400 ambiguous_header"),
        ("D11 bad", vec![("Host", "a b")], "400 bad_request"),
        ("D11 empty", vec![("Host", "")], "400 bad_request"),
        (
            "D22",
            upgrade(own, "chrome-extension://abcdefghijklmnopabcdefghijklmnop"),
            "403 origin_not_allowed",
        ),
        (
            "D24",
            vec![("Host", own), ("Sec-WebSocket-Protocol", "bearer.T")],
            "ALLOW 127.0.0.1 local",
        ),
        ("cli, any name", vec![("Host", "my-tunnel.example:443")], "ALLOW 127.0.0.1 local"),
    ];
    for (row, lines, expected) in &rows {
        assert_eq!(verdict(&policy(), &local(), Via::Loopback, lines), *expected, "{row}");
    }
}

#[test]
fn a_missing_host_is_no_request() {
    let denied = read("/", &[]).unwrap_err();
    assert_eq!((denied.http_status(), denied.reason()), (400, "bad_request"), "D11");
    let own = [("Host", "127.0.0.1")];
    assert!(read("http://127.0.0.1/x", &own).is_ok(), "same absolute form");
    for target in ["http://evil/", "https://127.0.0.1:1/", "ftp://127.0.0.1/", "127.0.0.1:443", "*"]
    {
        assert_eq!(read(target, &own).unwrap_err().http_status(), 400, "D11 {target}");
    }
}

#[test]
fn serve_has_one_origin() {
    let rows = [
        ("D8", "http://gw.tail1234.ts.net", "403 origin_not_allowed"),
        ("D9 suffix", "https://gw.tail1234.ts.net.evil.example", "403 origin_not_allowed"),
        ("D9 prefix", "https://evilgw.tail1234.ts.net", "403 origin_not_allowed"),
        ("D9 user info", "https://gw.tail1234.ts.net@evil.example", "403 origin_not_allowed"),
        ("D9 user info 2", "https://x@gw.tail1234.ts.net", "403 origin_not_allowed"),
        ("D9 path", "https://gw.tail1234.ts.net/x", "403 origin_not_allowed"),
        ("D9 slash", "https://gw.tail1234.ts.net/", "403 origin_not_allowed"),
        ("D9 query", "https://gw.tail1234.ts.net?x", "403 origin_not_allowed"),
        ("D9 escape", "https://gw%2etail1234.ts.net", "403 origin_not_allowed"),
        ("D9 backslash", "https:\\\\gw.tail1234.ts.net", "403 origin_not_allowed"),
        ("D9 port", "https://gw.tail1234.ts.net:8443", "403 origin_not_allowed"),
        ("D9 tab", "https://gw.tail1234.ts.net\t", "ALLOW 100.64.1.2 remote"),
        ("D9 inner tab", "https://gw.tail\t1234.ts.net", "400 bad_request"),
        ("D9 dot", "https://gw.tail1234.ts.net.", "ALLOW 100.64.1.2 remote"),
        ("D9 case", "HTTPS://GW.Tail1234.TS.net", "ALLOW 100.64.1.2 remote"),
        ("D9 :443", "https://gw.tail1234.ts.net:443", "ALLOW 100.64.1.2 remote"),
        ("D20", EVIL, "403 origin_not_allowed"),
        ("loopback page", "http://127.0.0.1:18789", "403 origin_not_allowed"),
    ];
    for (row, origin, expected) in rows {
        let lines =
            [serve_lines("alice@example.com", "100.64.1.2"), vec![("Origin", origin)]].concat();
        assert_eq!(verdict(&policy(), &tailscaled(), Via::ServeSocket, &lines), expected, "{row}");
    }
}

#[test]
fn written_origins_are_exact_and_never_local() {
    let mut policy = policy();
    let extension = "chrome-extension://abcdefghijklmnopabcdefghijklmnop";
    policy.allowed_origins =
        ["https://ui.example", "http://localhost:3000", extension].map(origin).into();
    policy.public_origin = Some(origin("https://claw.example"));
    let host = "127.0.0.1:18789";
    let rows = [
        ("D7 listed", host, "http://localhost:3000", "ALLOW 127.0.0.1 remote"),
        ("D22 listed", host, extension, "ALLOW 127.0.0.1 remote"),
        (
            "D22 other",
            host,
            "chrome-extension://bbcdefghijklmnopabcdefghijklmnop",
            "403 origin_not_allowed",
        ),
        ("listed", host, "https://ui.example", "ALLOW 127.0.0.1 remote"),
        ("listed host", "ui.example", "https://ui.example", "ALLOW 127.0.0.1 remote"),
        ("listed host only", "ui.example", "http://ui.example", "403 origin_not_allowed"),
        (
            "listed host, our port",
            "ui.example:18789",
            "http://ui.example:18789",
            "403 origin_not_allowed",
        ),
        ("public", "claw.example", "https://claw.example", "ALLOW 127.0.0.1 remote"),
        ("D5 listed or not", host, "null", "403 origin_not_allowed"),
    ];
    for (row, host, origin, expected) in rows {
        let word = verdict(&policy, &local(), Via::Loopback, &upgrade(host, origin));
        assert_eq!(word, expected, "{row}");
    }
    assert!(Origin::configured("null").is_none() && Origin::configured("*").is_none(), "D5");
}

#[test]
fn lan_literals_are_ours_only_when_they_are() {
    let mallory = peer("192.168.1.66");
    for (row, host, origin, expected) in [
        ("D12 own", "192.168.1.10:18789", "http://192.168.1.10:18789", "ALLOW 192.168.1.66 remote"),
        ("D12 other", "192.168.1.11:18789", "http://192.168.1.11:18789", "421 host_not_own"),
        ("D12 number", "3232235786", "http://192.168.1.10:18789", "400 bad_request"),
    ] {
        assert_eq!(
            verdict(&policy(), &mallory, Via::Lan, &upgrade(host, origin)),
            expected,
            "{row}"
        );
    }
    let tls = Policy { own_scheme: Scheme::Https, ..policy() };
    let host = "192.168.1.10:18789";
    let over_tls = upgrade(host, "https://192.168.1.10:18789");
    assert_eq!(verdict(&tls, &mallory, Via::Lan, &over_tls), "ALLOW 192.168.1.66 remote");
    let plain = upgrade(host, "http://192.168.1.10:18789");
    assert_eq!(verdict(&tls, &mallory, Via::Lan, &plain), "403 origin_not_allowed", "D8");
}

#[test]
fn a_preflight_gets_no_permission() {
    let line =
        crate::RequestLine { method: "OPTIONS", target: "/", version: crate::HttpVersion::Http11 };
    let headers = [
        ("Host", "127.0.0.1:18789"),
        ("Origin", EVIL),
        ("Access-Control-Request-Private-Network", "true"),
    ];
    let head =
        crate::Head::read(line, headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()))).unwrap();
    let denied = crate::admit(&policy(), &local(), Via::Loopback, &head).unwrap_err();
    assert_eq!(denied.http_status(), 403, "D17");
}

#[test]
fn a_refused_origin_names_the_line_that_would_allow_it() {
    let lines = upgrade("127.0.0.1:18789", "https://evil.example:8443");
    let denied = admitted(&policy(), &local(), Via::Loopback, &lines).unwrap_err();
    let hint = denied.hint().unwrap();
    assert!(
        hint.contains("\"https://evil.example:8443\"") && hint.contains("controlUi.allowedOrigins"),
        "{hint}"
    );
    for raw in ["null", "https://a b", "https://<script>", "https://x@y"] {
        let denied = crate::Denied::new(crate::Cause::OriginNotAllowed { origin: raw.into() });
        assert_eq!(denied.hint(), None, "J12 {raw}");
    }
}

#[test]
fn a_token_in_the_query_is_refused_unseen() {
    let host = [("Host", "127.0.0.1")];
    for query in [
        "token=T",
        "a=1&token=T",
        "password=p",
        "ticket=t",
        "access_token=x",
        "TOKEN=T",
        "t%6fken=T",
        "a;token=T",
        "token",
    ] {
        let target = format!("/?{query}");
        let denied = read(&target, &host).unwrap_err();
        assert_eq!(
            (denied.http_status(), denied.reason()),
            (400, "credential_in_url"),
            "D14 {query}"
        );
    }
    for query in ["tokens=1", "x=token", "session=main", ""] {
        assert!(read(&format!("/?{query}"), &host).is_ok(), "{query}");
    }
}

#[test]
fn browsers_on_loopback_are_counted_by_page() {
    let lines = upgrade("127.0.0.1:18789", "http://127.0.0.1:18789");
    let page = admitted(&policy(), &local(), Via::Loopback, &lines).unwrap();
    assert_eq!(page.client(), &ClientKey::LoopbackOrigin("http://127.0.0.1:18789".into()), "D23");
    assert!(!page.client().is_exempt(), "D23");
    let cli = admitted(&policy(), &local(), Via::Loopback, &[]).unwrap();
    assert_eq!(cli.client(), &ClientKey::LoopbackUid(OWN_UID), "F8");
    let other = Peer { owner: crate::Owner::Uid(1001), ..local() };
    let other = admitted(&policy(), &other, Via::Loopback, &[]).unwrap();
    assert_eq!(other.client(), &ClientKey::LoopbackUid(1001), "F8");
    assert_eq!(other.locality(), Locality::NotLocal(crate::NotLocal::OtherUser), "H13");
}

#[test]
fn host_names_are_values() {
    for (text, expected) in [
        ("LocalHost.", Some("localhost")),
        ("::1", Some("[::1]")),
        ("[::1]", Some("[::1]")),
        ("::ffff:127.0.0.1", Some("127.0.0.1")),
        ("127.1", None),
        ("0x7f.1", None),
        ("2130706433", None),
        ("a..b", None),
        ("a/b", None),
        ("a@b", None),
        ("", None),
        (".", None),
    ] {
        assert_eq!(HostName::parse(text).as_ref().map(HostName::as_str), expected, "{text}");
    }
    for text in ["::1", "a:b", "a:99999", "a:", "[::1", "[a]:1", "[127.0.0.1]", "x@y", "a:1:2"] {
        assert_eq!(HostPort::parse(text), None, "{text}");
    }
    assert_eq!(HostPort::parse("[::1]:80").unwrap().port, Some(80));
}
