//! `J7`, `J8`, sizes, places, and that no bytes make the parser fall.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parse(text: &str) -> Result<Document, Problems> {
    Document::parse(Path::new("/c/openclaw.json"), text)
}

#[test]
fn json5_is_read() {
    let text = "// head\n{\n  a: 'x', \"b\": [1, 2,], /* in */ $include: 'f', c-d: 0x1F, e: +1, f: .5, g: 5., h: -0x2,\n  \"i\": 'a\\\n b', j: \"\\x41\\u0042\", k: null, l: true,\n}\n// tail";
    let document = parse(text).unwrap();
    assert_eq!(
        document.value,
        json!({ "a": "x", "b": [1, 2], "$include": "f", "c-d": 31, "e": 1, "f": 0.5, "g": 5.0, "h": -2,
                "i": "a b", "j": "AB", "k": null, "l": true })
    );
    assert_eq!(document.comments().count(), 3);
    assert_eq!(parse("").unwrap().value, json!({}));
    assert_eq!(parse("// only\n").unwrap().value, json!({}));
}

#[test]
fn strictness() {
    for (row, text, said) in [
        ("J7", "{bind:'loopback',\n bind:'lan'}", "written twice"),
        ("J7", "{'bind':1,\"b\\u0069nd\":2}", "written twice"),
        ("J7", "{a:{b:1,b:1}}", "written twice"),
        ("J8", "\u{feff}{}", "byte order mark"),
        ("J8", "{a:NaN}", "not valid JSON5"),
        ("J8", "{a:-Infinity}", "not valid JSON5"),
        ("J8", "{a:1e999}", "too large"),
        ("J8", "{a:0xFFFFFFFFFFFFFFFFFF}", "too large"),
        ("J8", "{'bi\u{200b}nd':1}", "invisible"),
        ("J8", "{'bi\\u202end':1}", "invisible"),
        ("J8", "{a:1 b:2}", "comma"),
        ("J8", "{a:1}{}", "more than one"),
        ("J8", "[]", "object"),
        ("J8", "{a:", "not valid JSON5"),
        ("J8", "{a:'", "not valid JSON5"),
    ] {
        let problems = parse(text).expect_err(text);
        assert!(problems.to_string().contains(said), "{row} {text:?}: {problems}");
        assert!(problems.list[0].place.is_some(), "{row} {text:?}");
    }
    let twice = parse("{bind:'loopback',\n bind:'lan'}").unwrap_err();
    assert_eq!(twice.list[0].place.as_ref().unwrap().to_string(), "/c/openclaw.json:2:2");
}

#[test]
fn sizes_have_a_limit() {
    let deep = |levels: usize| format!("{{a:{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(&deep(MAX_DEPTH - 1)).is_ok());
    assert!(parse(&deep(MAX_DEPTH)).unwrap_err().to_string().contains("64 levels"));
    assert!(parse(&"[".repeat(500_000)).is_err());
    assert!(parse(&"{a:".repeat(100_000)).is_err());
    let brackets_in_text = format!("{{a:'{}', /*{}*/ }}", "[".repeat(100), "{".repeat(100));
    assert!(parse(&brackets_in_text).is_ok());
    let large = format!("{{a:'{}'}}", "x".repeat(MAX_BYTES));
    assert!(parse(&large).unwrap_err().to_string().contains("1 MiB"));
}

#[test]
fn places_count_characters_from_one() {
    let document = parse("{\n  'ä': 1, b: { c: [\n 7, 8 ] },\n}").unwrap();
    let place = |path: &str| {
        let place = document.place(&segments(path).unwrap()).unwrap();
        (place.line, place.column)
    };
    assert_eq!(place("b"), (2, 14));
    assert_eq!(place("b.c[1]"), (3, 5));
    assert_eq!(place("b.c.d.e"), (2, 19), "the nearest parent");
}

#[test]
fn paths_are_read_in_both_notations() {
    for (path, expected) in [
        ("a", vec!["a"]),
        ("a.b[0].c", vec!["a", "b", "0", "c"]),
        ("a.b.0.c", vec!["a", "b", "0", "c"]),
        ("a[\"x.y\"].z", vec!["a", "x.y", "z"]),
        ("['x']", vec!["x"]),
    ] {
        assert_eq!(segments(path).unwrap(), expected, "{path}");
    }
    for path in ["", " ", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a['x]"] {
        assert!(segments(path).is_err(), "{path}");
    }
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in "\\PC{0,200}") {
        drop(parse(&text));
        drop(parse_value(&text));
        drop(segments(&text));
    }

    #[test]
    fn any_json5_shaped_text_parses_or_is_refused(text in "[\\[\\]{}:,'\"/*\\\\a0.+x$\\-\\n \u{e4}\u{200b}]{0,120}") {
        drop(parse(&text));
    }

    #[test]
    fn bytes_never_fall(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(parse(&String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn no_error_repeats_the_file(noise in "[\\[\\]{}:, ]{0,10}") {
        let text = format!("{{token:'canary-canary' {noise} canarycanary }}");
        if let Err(problems) = parse(&text) {
            prop_assert!(!problems.to_string().contains("canary"), "{}", problems);
        }
    }
}
