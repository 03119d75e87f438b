//! Single values: good forms, bad forms, and that no text makes a parser fall.

use proptest::prelude::*;

use super::*;

#[test]
fn c12_c14_c15_networks() {
    for (text, net) in [
        ("10.0.0.1", "10.0.0.1/32"),
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("fd00::1/64", "fd00::/64"),
        ("::1", "::1/128"),
    ] {
        assert_eq!(cidr(text).unwrap().net.to_string(), net, "{text}");
    }
    let warnings = |text: &str| cidr(text).unwrap().warnings;
    assert_eq!(warnings("10.0.0.1/28"), [ProxyRangeWarning::HostBits]);
    assert_eq!(warnings("10.0.0.0/8"), [ProxyRangeWarning::Wide]);
    assert_eq!(warnings("10.0.0.1"), []);
    for text in [
        "",
        "*",
        "proxy",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.0/33",
        "10.0.0/8",
        "010.0.0.1",
        "1",
        "::ffff:0:0/95",
        "::ffff:0:0/96",
        "10.0.0.1 ",
        "::/64",
    ] {
        assert!(cidr(text).is_err(), "{text}");
    }
}

#[test]
fn origins() {
    for (text, normal) in [
        ("https://A.Example:443/", "https://a.example"),
        ("http://h:80", "http://h"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://[fd00::1]:8443", "https://[fd00::1]:8443"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ] {
        assert_eq!(origin(text).unwrap(), normal);
    }
    for text in [
        "",
        "*",
        "null",
        "a.example",
        "ws://a",
        "https://",
        "https://*.a",
        "https://a/b",
        "https://a?b",
        "https://u:p@a",
        "https://a:99999",
        "https://[x]",
        "https://a b",
    ] {
        assert!(origin(text).is_err(), "{text}");
    }
    assert!(public_origin("http://a.example").is_err());
    assert_eq!(public_origin("http://localhost:18789").unwrap(), "http://localhost:18789");
    assert!(public_origin("http://127.0.0.1.evil.example").is_err());
}

#[test]
fn the_rest() {
    assert!(socket_url("wss://h.example:1/p?q").is_ok());
    for text in ["http://h", "h:1", "ws://u:canary@h", "wss://", "wss://h:0"] {
        let message = socket_url(text).unwrap_err();
        assert!(!message.contains("canary"));
    }
    for (text, path) in [("", ""), ("/", ""), ("ui", "/ui"), ("/a/b/", "/a/b")] {
        assert_eq!(base_path(text).unwrap(), path);
    }
    for text in ["/../x", "/a//b", "/a b", "/%2e", "/a?b"] {
        assert!(base_path(text).is_err(), "{text}");
    }
    assert_eq!(header_name(" X-User ").unwrap(), "x-user");
    assert!(header_name("a b").is_err() && header_name("").is_err() && header_name("a:b").is_err());
}

proptest! {
    #[test]
    fn nothing_falls_and_normal_forms_are_stable(text in "\\PC{0,40}") {
        if let Ok(normal) = origin(&text) {
            prop_assert_eq!(origin(&normal).unwrap(), normal);
        }
        if let Ok(path) = base_path(&text) {
            prop_assert_eq!(base_path(&path).unwrap(), path);
        }
        drop((socket_url(&text), fingerprint(&text), header_name(&text), public_origin(&text)));
    }

    #[test]
    fn networks_are_stable(bits in any::<u128>(), prefix in 0_u8..=128, v4 in any::<bool>()) {
        let text = match v4 {
            true => format!("{}/{}", Ipv4Addr::from_bits(bits as u32), prefix % 33),
            false => format!("{}/{prefix}", std::net::Ipv6Addr::from_bits(bits)),
        };
        if let Ok(found) = cidr(&text) {
            prop_assert_eq!(cidr(&found.net.to_string()).unwrap().net, found.net);
        }
    }
}
