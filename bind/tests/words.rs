//! `gateway.bind` and `gateway.customBindHost` as people write them.

use openclaw_bind::{CustomHost, Mode};

use crate::fixture::{LAN, V4, custom};

#[test]
fn the_five_words() {
    for word in Mode::WORDS {
        let mode = Mode::parse(word, Some("192.168.1.10")).unwrap();
        assert_eq!(mode.word(), word);
        assert_eq!(mode.to_string(), word);
    }
    assert_eq!(Mode::default(), Mode::Loopback, "A6: unset is loopback");
}

#[test]
fn a_wrong_word_gets_the_nearest_one() {
    for (word, hint) in [
        ("loopbak", "did you mean `bind=loopback`?"),
        ("Loopback", "did you mean `bind=loopback`?"),
        (" lan ", "did you mean `bind=lan`?"),
        ("lna", "did you mean `bind=lan`?"),
        ("tailnt", "did you mean `bind=tailnet`?"),
        ("tailscale", "did you mean `bind=tailnet`?"),
        ("localhost", "did you mean `bind=loopback`?"),
        ("all", "did you mean `bind=lan`?"),
        ("custon", "did you mean `bind=custom`?"),
        ("atuo", "did you mean `bind=auto`?"),
        ("web", "use one of `loopback`, `tailnet`, `custom`, `lan`, `auto`"),
        ("", "use one of `loopback`, `tailnet`, `custom`, `lan`, `auto`"),
        ("gw.example.com", "use one of `loopback`, `tailnet`, `custom`, `lan`, `auto`"),
    ] {
        let refusal = Mode::parse(word, None).expect_err(word);
        assert_eq!(
            (refusal.code(), refusal.hint().as_str()),
            ("unknown_bind_mode", hint),
            "{word}"
        );
    }
}

#[test]
fn an_address_is_not_a_mode() {
    for (word, hint) in [
        ("192.168.1.10", "use `bind=custom` and `customBindHost=192.168.1.10`"),
        ("192.168.1.10:18789", "use `bind=custom` and `customBindHost=192.168.1.10`"),
        ("2a01:4f8::7", "use `bind=custom` and `customBindHost=2a01:4f8::7`"),
        ("0.0.0.0", "use `bind=lan`"),
        ("[::]", "use `bind=lan`"),
        ("::ffff:0.0.0.0", "use `bind=lan`"),
        ("127.0.0.1", "use `bind=loopback`"),
        ("[::1]:80", "use `bind=loopback`"),
    ] {
        let refusal = Mode::parse(word, Some("10.0.0.1")).expect_err(word);
        assert_eq!((refusal.code(), refusal.hint().as_str()), ("bind_is_address", hint), "{word}");
    }
}

#[test]
fn a_custom_host_is_one_canonical_literal() {
    let absent = Mode::parse("custom", None).unwrap_err();
    assert_eq!(absent.code(), "custom_host_missing", "A7 absent");
    for (row, text, code) in [
        ("A7 empty", "", "custom_host_missing"),
        ("A7 typo", "10.0.0.300", "custom_host_not_literal"),
        ("A9 two parts", "127.1", "custom_host_not_literal"),
        ("A9 one part", "0", "custom_host_not_literal"),
        ("A9 hexadecimal", "0x7f.0.0.1", "custom_host_not_literal"),
        ("A9 octal", "0177.0.0.1", "custom_host_not_literal"),
        ("A9 a number", "2130706433", "custom_host_not_literal"),
        ("A9 a leading zero", "127.0.0.01", "custom_host_not_literal"),
        ("A9 a blank", " 10.0.0.1", "custom_host_not_literal"),
        ("A9 a line", "10.0.0.1\n", "custom_host_not_literal"),
        ("A9 full-width digits", "１０.0.0.1", "custom_host_not_literal"),
        ("A10 a name", "localhost", "custom_host_not_literal"),
        ("A10 a name", "gw.tail1234.ts.net", "custom_host_not_literal"),
        ("a network", "10.0.0.0/8", "custom_host_not_literal"),
        ("a port", "10.0.0.1:18789", "custom_host_not_literal"),
        ("brackets", "[::1]", "custom_host_not_literal"),
        ("A11 v4", "0.0.0.0", "custom_host_wildcard"),
        ("A11 v6", "::", "custom_host_wildcard"),
        ("A11 v6, long", "0:0:0:0:0:0:0:0", "custom_host_wildcard"),
        ("A11 brackets", "[::]", "custom_host_wildcard"),
        ("A11 mapped", "::ffff:0.0.0.0", "custom_host_wildcard"),
        ("A11 mapped, hexadecimal", "::ffff:0:0", "custom_host_wildcard"),
        ("A11 with a port", "0.0.0.0:18789", "custom_host_wildcard"),
        ("A11 scoped", "::%eth0", "custom_host_wildcard"),
        ("A13 no scope", "fe80::1", "link_local_without_scope"),
        ("A13 empty scope", "fe80::1%", "scope_misplaced"),
        ("A13 two scopes", "fe80::1%eth0%eth1", "scope_misplaced"),
        ("A13 no interface's name", "fe80::1%an interface", "scope_misplaced"),
        ("A13 a scope on v4", "10.0.0.1%eth0", "scope_misplaced"),
        ("A13 a scope on loopback", "::1%lo", "scope_misplaced"),
        ("multicast", "224.0.0.1", "custom_host_not_unicast"),
        ("multicast v6", "ff02::1", "custom_host_not_unicast"),
        ("broadcast", "255.255.255.255", "custom_host_not_unicast"),
    ] {
        assert_eq!(custom(text).expect_err(text).code(), code, "{row}: {text}");
    }
}

#[test]
fn a_custom_host_is_kept_in_canonical_form() {
    let ip = |text: &str| CustomHost::parse(text).unwrap().ip();
    assert_eq!(ip("::ffff:127.0.0.1"), V4, "A12");
    assert_eq!(ip("::ffff:7f00:1"), V4, "A12");
    assert_eq!(ip("::ffff:192.168.1.10"), LAN);
    let linked = CustomHost::parse("FE80:0::1%eth0").unwrap();
    assert_eq!(
        (linked.to_string().as_str(), linked.scope()),
        ("fe80::1%eth0", Some("eth0")),
        "A13"
    );
}

#[test]
fn a_refusal_names_the_value_and_the_remedy() {
    for (text, cause, hint) in [
        (
            "localhost",
            "`gateway.customBindHost` is `localhost`, which is not a canonical IP address",
            "write one IP address in full, such as `192.168.1.10`; names are not resolved",
        ),
        (
            "10.0.0.1:80",
            "`gateway.customBindHost` is `10.0.0.1:80`, which is not a canonical IP address",
            "write `10.0.0.1` alone; the port belongs to `gateway.port`",
        ),
        ("::", "`gateway.customBindHost` is `::`, which means every address", "use `bind=lan`"),
        (
            "fe80::1",
            "`gateway.customBindHost` is the link-local address `fe80::1` without its interface",
            "add the interface, as in `fe80::1%eth0`",
        ),
    ] {
        let refusal = custom(text).expect_err(text);
        assert_eq!((refusal.to_string().as_str(), refusal.hint().as_str()), (cause, hint));
    }
}

#[test]
fn a_refusal_is_safe_on_a_terminal() {
    let text = custom(&format!("\u{1b}[2J{}\n", "x".repeat(500))).unwrap_err().to_string();
    assert!(text.chars().all(|c| !c.is_control()) && text.len() < 200, "{text}");
}
