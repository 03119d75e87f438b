//! Group G: parsing and smuggling, as far as headers tell.

use super::fixture::*;
use crate::{Head, HttpVersion, Path, RequestLine};

fn word(version: HttpVersion, lines: Lines<'_>) -> String {
    let line = RequestLine { method: "POST", target: "/", version };
    let all = [&[("Host", "127.0.0.1")], lines].concat();
    match Head::read(line, all.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()))) {
        Ok(_) => "ok".to_owned(),
        Err(denied) => format!("{} {}", denied.http_status(), denied.reason()),
    }
}

#[test]
fn a_body_has_one_end() {
    use HttpVersion::{Http10, Http11};
    for (row, version, lines, expected) in [
        (
            "G1",
            Http11,
            vec![("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
            "400 bad_request",
        ),
        (
            "G2",
            Http11,
            vec![("Content-Length", "5"), ("Content-Length", "6")],
            "400 ambiguous_header",
        ),
        (
            "G2 same",
            Http11,
            vec![("Content-Length", "5"), ("Content-Length", "5")],
            "400 ambiguous_header",
        ),
        ("G2 list", Http11, vec![("Content-Length", "5, 5")], "400 bad_request"),
        ("G2 sign", Http11, vec![("Content-Length", "+5")], "400 bad_request"),
        ("G2 empty", Http11, vec![("Content-Length", "")], "400 bad_request"),
        ("G3 x", Http11, vec![("Transfer-Encoding", "xchunked")], "400 bad_request"),
        ("G3 list", Http11, vec![("Transfer-Encoding", "chunked, identity")], "400 bad_request"),
        (
            "G3 twice",
            Http11,
            vec![("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
            "400 ambiguous_header",
        ),
        ("G3 twin", Http11, vec![("Transfer_Encoding", "chunked")], "400 ambiguous_header"),
        ("G3 1.0", Http10, vec![("Transfer-Encoding", "chunked")], "400 bad_request"),
        ("G3 1.0 CL", Http10, vec![("Content-Length", "5")], "ok"),
        ("chunked", Http11, vec![("Transfer-Encoding", "Chunked")], "ok"),
        ("length", Http11, vec![("Content-Length", "5")], "ok"),
        ("G4 nul", Http11, vec![("X-A", "a\0b")], "400 bad_request"),
        ("G4 lf", Http11, vec![("X-A", "a\nb")], "400 bad_request"),
        ("G4 cr", Http11, vec![("X-A", "a\rb")], "400 bad_request"),
        ("G4 del", Http11, vec![("X-A", "a\x7fb")], "400 bad_request"),
        ("G4 space", Http11, vec![("X-A ", "a")], "400 bad_request"),
        ("G4 no name", Http11, vec![("", "a")], "400 bad_request"),
        ("utf-8", Http11, vec![("X-A", "ä")], "ok"),
    ] {
        assert_eq!(word(version, &lines), expected, "{row}");
    }
}

#[test]
fn heads_are_small() {
    let many = vec![("X-A", "1"); 64];
    assert_eq!(word(HttpVersion::Http11, &many), "431 header_too_large", "G8 count");
    assert_eq!(word(HttpVersion::Http11, &many[1..]), "ok", "G8 count");
    let big = "x".repeat(16 * 1024);
    assert_eq!(word(HttpVersion::Http11, &[("X-A", &big)]), "431 header_too_large", "G8 size");
    let long = format!("https://{}", "a".repeat(8 * 1024));
    assert_eq!(word(HttpVersion::Http11, &[("Origin", &long)]), "431 header_too_large", "F28");
    let host = "a".repeat(513);
    let denied = read("/", &[("Host", &host)]).unwrap_err();
    assert_eq!(denied.http_status(), 431, "F28");
}

#[test]
fn paths_are_read_once() {
    for (raw, expected) in [
        ("/", Some("/")),
        ("//control", Some("/control")),
        ("/./a", Some("/a")),
        ("/a/../b", Some("/b")),
        ("/%2e%2e/a", Some("/a")),
        ("/a/%2E%2e/%2e/b/", Some("/b/")),
        ("/../../etc/passwd", Some("/etc/passwd")),
        ("/API/", Some("/API/")),
        ("/a;x", Some("/a;x")),
        ("/a%20b", Some("/a b")),
        ("/%61pi", Some("/api")),
        ("/%2561", Some("/%61")),
        ("/a/.", Some("/a/")),
        ("/a/..", Some("/")),
        ("/a%2fb", None),
        ("/a%5cb", None),
        ("/a\\b", None),
        ("/%00", None),
        ("/%0a", None),
        ("/%", None),
        ("/%4", None),
        ("/%zz", None),
        ("/%+1", None),
        ("/%ff", None),
        ("a", None),
        ("", None),
    ] {
        assert_eq!(Path::parse(raw).ok().as_ref().map(Path::as_str), expected, "G9 {raw}");
    }
    let own = [("Host", "127.0.0.1")];
    for target in ["/a b", "/a#b", "/\u{e4}", "/a\tb", &format!("/{}", "a".repeat(9_000))] {
        assert_eq!(read(target, &own).unwrap_err().http_status(), 400, "G9 {target}");
    }
    let head = read("//x/../control?b=1", &own).unwrap();
    assert_eq!((head.path().as_str(), head.query()), ("/control", Some("b=1")), "G9");
}

#[test]
fn upgrades_are_whole_or_nothing() {
    let base = [
        ("Host", "127.0.0.1"),
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "WebSocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let swap = |name: &str, value: Option<&'static str>| -> Vec<(&'static str, &'static str)> {
        base.iter()
            .filter_map(
                |(n, v)| if *n == name { value.map(|value| (*n, value)) } else { Some((*n, *v)) },
            )
            .collect()
    };
    let plus =
        |name: &'static str, value: &'static str| [base.as_slice(), &[(name, value)]].concat();
    for (row, lines, expected) in [
        ("whole", base.to_vec(), "yes"),
        ("empty body", plus("Content-Length", "0"), "yes"),
        ("G5 length", plus("Content-Length", "10"), "400"),
        ("G5 chunked", plus("Transfer-Encoding", "chunked"), "400"),
        ("G6", swap("Upgrade", Some("h2c")), "no"),
        ("G6 list", swap("Upgrade", Some("h2c, websocket")), "no"),
        ("G12 no upgrade", swap("Upgrade", None), "400"),
        ("G12 no key", swap("Sec-WebSocket-Key", None), "400"),
        ("G12 short key", swap("Sec-WebSocket-Key", Some("AAAA")), "400"),
        ("G12 junk key", swap("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25jZQ=!")), "400"),
        ("G12 version", swap("Sec-WebSocket-Version", Some("12")), "426"),
        ("G12 no version", swap("Sec-WebSocket-Version", None), "426"),
        ("G12 connection", swap("Connection", Some("keep-alive")), "400"),
        ("G12 two keys", plus("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), "400"),
        ("D25", plus("Sec-WebSocket-Extensions", "permessage-deflate"), "yes"),
        ("plain", vec![("Host", "127.0.0.1")], "no"),
    ] {
        let word =
            match read("/", &lines).and_then(|head| head.upgrade().map(|found| found.is_some())) {
                Ok(true) => "yes".to_owned(),
                Ok(false) => "no".to_owned(),
                Err(denied) => denied.http_status().to_string(),
            };
        assert_eq!(word, expected, "{row}");
    }
    let line = RequestLine { method: "POST", target: "/", version: HttpVersion::Http11 };
    let post = Head::read(line, base.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()))).unwrap();
    assert_eq!(post.upgrade().unwrap_err().http_status(), 400, "G12 method");
}
