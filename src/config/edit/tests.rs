//! Edits keep comments, never save what would not start, and replace the file whole or not at all.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::revision::{BASE_REQUIRED, BASE_STALE, RevisionKey};
use super::write::{Step, replace, replace_watched};
use super::*;
use crate::config::document::segments;
use crate::config::env::Env;
use crate::config::layers::Flags;
use crate::config::paths::Paths;
use crate::config::redact::SENTINEL;

const FILE: &str = "// mine\n{\n  gateway: {\n    port: 18789, // the port\n    auth: { token: 'kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a' },\n  },\n  agents: { list: [ { id: 'a' }, { id: 'b' } ] }, // agents\n}\n";

struct Home {
    folder: tempfile::TempDir,
    paths: Paths,
    env: Env,
    flags: Flags,
}

impl Home {
    fn new(text: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("openclaw.json");
        if let Some(text) = text {
            fs::write(&config, text).unwrap();
            fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let state = folder.path().to_owned();
        let paths = Paths { home: PathBuf::from("/h"), state, config, profile: None };
        Self { folder, paths, env: Env::default(), flags: Flags::default() }
    }

    fn request(&self) -> Request<'_> {
        Request { paths: &self.paths, env: &self.env, flags: &self.flags }
    }

    fn save(&self, edits: &[Edit]) -> Result<Change, Problems> {
        save(&self.request(), edits)
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.paths.config).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn set(path: &str, value: Value) -> Edit {
    Edit::Set(segments(path).unwrap(), value)
}

fn unset(path: &str) -> Edit {
    Edit::Unset(segments(path).unwrap())
}

#[test]
fn comments_and_order_stay() {
    let home = Home::new(Some(FILE));
    home.save(&[
        set("gateway.port", json!(19001)),
        set("agents.list[1].name", json!("B")),
        set("agents.list.2", json!({ "id": "c" })),
    ])
    .unwrap();
    let expected = FILE.replace("18789", "19001");
    let text = home.text();
    for piece in ["// mine\n", "port: 19001, // the port", "// agents"] {
        assert!(text.contains(piece), "{text}");
    }
    assert!(text.starts_with(expected.split("agents").next().unwrap()), "{text}");
    let value = parse_value(&text).unwrap();
    assert_eq!(
        value["agents"]["list"],
        json!([{ "id": "a" }, { "id": "b", "name": "B" }, { "id": "c" }])
    );

    home.save(&[
        set("agents.list[0]", json!({ "id": "z" })),
        unset("agents.list[1]"),
        unset("gateway.port"),
    ])
    .unwrap();
    let value = parse_value(&home.text()).unwrap();
    assert_eq!(value["agents"]["list"], json!([{ "id": "z" }, { "id": "c" }]));
    assert!(value["gateway"].get("port").is_none());
    assert!(home.text().contains("// agents"));
}

#[test]
fn a_new_file_is_private() {
    let home = Home::new(None);
    let change = home
        .save(&[set("gateway.auth.mode", json!("token")), set("agents.x[\"a.b\"]", json!(1))])
        .unwrap();
    assert!(change.differs && change.loaded.is_some());
    assert_eq!(
        parse_value(&home.text()).unwrap(),
        json!({ "gateway": { "auth": { "mode": "token" } }, "agents": { "x": { "a.b": 1 } } })
    );
    assert_eq!(fs::metadata(&home.paths.config).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(home.names(), ["openclaw.json"]);
    let again = home.save(&[set("gateway.auth.mode", json!("token"))]).unwrap();
    assert!(!again.differs, "the same value writes nothing");
}

#[test]
fn what_would_not_start_is_not_saved() {
    let home = Home::new(Some(FILE));
    for (row, edits, key) in [
        (
            "A24",
            vec![set("gateway.bind", json!("lan")), set("gateway.tailscale.mode", json!("serve"))],
            "gateway.tailscale.mode",
        ),
        (
            "A25",
            vec![
                unset("gateway.auth.token"),
                set("gateway.auth.mode", json!("none")),
                set("gateway.bind", json!("lan")),
            ],
            "gateway.auth.mode",
        ),
        ("E3", vec![set("gateway.auth.token", json!("change-me"))], "gateway.auth.token"),
        ("E3", vec![set("gateway.auth.password", json!(SENTINEL))], "gateway.auth.password"),
        (
            "E7",
            vec![set("gateway.auth.password", json!("another-strong-secret-26"))],
            "gateway.auth.mode",
        ),
        ("J6", vec![set("gateway.auth.tokn", json!("x"))], "gateway.auth.tokn"),
        ("J7", vec![Edit::Replace("{a:1,a:2}".to_owned())], "a"),
        ("-", vec![set("gateway.port.x", json!(1))], "gateway.port"),
        ("-", vec![set("agents.list[5]", json!(1))], "agents.list.5"),
        ("-", vec![unset("gateway.nothing")], "gateway.nothing"),
        ("-", vec![Edit::Merge(json!([1]))], ""),
    ] {
        let problems = home.save(&edits).map(|change| change.text).expect_err(row);
        assert_eq!(problems.list[0].key, key, "{row}: {problems}");
        assert_eq!(home.text(), FILE, "{row}");
    }
    assert_eq!(home.names(), ["openclaw.json"]);
}

#[test]
fn a_broken_file_may_be_mended_step_by_step() {
    let home = Home::new(Some("{ gateway: { bnd: 'lan', tokn: 'x' } }"));
    let change = home.save(&[unset("gateway.bnd")]).unwrap();
    assert_eq!(change.remaining.len(), 1);
    assert!(change.loaded.is_none());
    assert!(home.save(&[set("gateway.port", json!(1))]).is_err(), "mends nothing");
    assert!(
        home.save(&[unset("gateway.tokn"), set("gateway.prt", json!(1))]).is_err(),
        "brings a new one"
    );
    assert!(home.save(&[unset("gateway.tokn")]).unwrap().loaded.is_some());
}

#[test]
fn a_merge_patch_removes_merges_and_replaces() {
    let home = Home::new(Some(FILE));
    let patch = parse_value("{ gateway: { port: null, bind: 'loopback', tls: { enabled: null } }, agents: { list: [1] }, ui: { seamColor: '#123456' } }").unwrap();
    home.save(&[Edit::Merge(patch)]).unwrap();
    let text = home.text();
    assert!(text.contains("// mine") && text.contains("// agents"), "{text}");
    assert_eq!(
        parse_value(&text).unwrap(),
        json!({ "gateway": { "auth": { "token": "kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a" }, "bind": "loopback", "tls": {} },
                "agents": { "list": [1] }, "ui": { "seamColor": "#123456" } })
    );
}

#[test]
fn a_form_without_comments_does_not_remove_ours() {
    let home = Home::new(Some(FILE));
    let form = r#"{"gateway":{"bind":"loopback","auth":{"token":"__OPENCLAW_REDACTED__"}},"agents":{"list":[{"id":"a"}]}}"#;
    home.save(&[Edit::Replace(form.to_owned())]).unwrap();
    let text = home.text();
    assert!(text.contains("// mine") && text.contains("// agents"), "{text}");
    assert_eq!(
        parse_value(&text).unwrap(),
        json!({ "gateway": { "auth": { "token": "kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a" }, "bind": "loopback" }, "agents": { "list": [{ "id": "a" }] } })
    );
    let raw = "// new comment\n{ gateway: { auth: { token: '__OPENCLAW_REDACTED__' } } }";
    home.save(&[Edit::Replace(raw.to_owned())]).unwrap();
    assert!(home.text().starts_with("// new comment"), "a person's text is taken as it is");
}

#[test]
fn e3_a_redacted_view_written_back_keeps_the_secret() {
    let home = Home::new(Some(FILE));
    let shown = redact::redact_text(&load::read(&home.paths.config).unwrap().unwrap()).unwrap();
    assert!(shown.contains(SENTINEL));
    home.save(&[Edit::Replace(shown.replace("18789", "18790"))]).unwrap();
    assert_eq!(home.text(), FILE.replace("18789", "18790"));
    home.save(&[Edit::Merge(json!({ "gateway": { "auth": { "token": SENTINEL } } }))]).unwrap();
    assert_eq!(home.text().matches("kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a").count(), 1);
    let lost = Edit::Replace(format!("{{ gateway: {{ remote: {{ token: '{SENTINEL}' }} }} }}"));
    assert!(home.save(&[lost]).is_err());
}

#[test]
fn what_is_included_is_edited_where_it_is() {
    let home = Home::new(Some("{ gateway: { $include: './g.json' }, agents: { x: 1 } }"));
    fs::write(home.folder.path().join("g.json"), "{ port: 1 }").unwrap();
    let problems = home.save(&[set("gateway.port", json!(2))]).map(|_| ()).unwrap_err();
    assert!(problems.to_string().contains("./g.json"), "{problems}");
    assert!(home.save(&[Edit::Merge(json!({ "gateway": { "port": 2 } }))]).is_err());
    assert!(
        home.save(&[Edit::Replace("{ gateway: { port: 1 }, agents: {} }".to_owned())]).is_err(),
        "flattened"
    );
    home.save(&[set("agents.x", json!(2))]).unwrap();
    assert!(home.text().contains("$include: './g.json'"));
}

#[test]
fn a_read_only_configuration_stays() {
    let mut home = Home::new(Some(FILE));
    home.env = Env::of([("OPENCLAW_CONFIG_READONLY", "1")]);
    assert!(home.save(&[set("gateway.port", json!(2))]).is_err());
}

#[test]
fn j11_a_failure_at_any_step_leaves_a_whole_file() {
    let steps =
        [Step::Create, Step::Write, Step::Sync, Step::Backup, Step::Rename, Step::SyncFolder];
    for failing in steps {
        let home = Home::new(Some("old"));
        let mut seen = Vec::new();
        let result = replace_watched(&home.paths.config, "new", &mut |step| {
            seen.push(step);
            if step == failing { Err(io::Error::other("injected")) } else { Ok(()) }
        });
        assert!(result.is_err(), "{failing:?}");
        assert_eq!(seen.last(), Some(&failing));
        let expected = if failing == Step::SyncFolder { "new" } else { "old" };
        assert_eq!(home.text(), expected, "{failing:?}");
        assert!(
            home.names().iter().all(|name| !name.ends_with(".tmp")),
            "{failing:?} {:?}",
            home.names()
        );
    }
    let home = Home::new(Some("old"));
    let mut seen = Vec::new();
    replace_watched(&home.paths.config, "new", &mut |step| {
        seen.push(step);
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, steps, "synced before the rename, the directory after it");
    assert_eq!(fs::read_to_string(home.folder.path().join("openclaw.json.bak")).unwrap(), "old");
    replace(&home.paths.config, "newer").unwrap();
    assert_eq!(home.names(), ["openclaw.json", "openclaw.json.bak"]);
}

#[test]
fn j3_a_link_is_not_written_through() {
    let home = Home::new(Some("old"));
    let link = home.folder.path().join("link.json");
    std::os::unix::fs::symlink(&home.paths.config, &link).unwrap();
    assert!(replace(&link, "new").is_err());
    assert_eq!(home.text(), "old");
}

#[test]
fn base_hashes_show_who_read_what() {
    let (key, other) = (RevisionKey::new([1; 32]), RevisionKey::new([2; 32]));
    let document = Document::parse(Path::new("/c"), FILE).unwrap();
    let hash = key.hash(Some(FILE));
    assert!(key.check(Some(&document), Some(&hash)).is_ok());
    assert!(key.check(None, None).is_ok(), "no file, nothing to overwrite");
    assert_eq!(key.check(Some(&document), None).unwrap_err().message, BASE_REQUIRED);
    assert_eq!(
        key.check(Some(&document), Some(&other.hash(Some(FILE)))).unwrap_err().message,
        BASE_STALE
    );
    assert_eq!(
        key.check(Some(&document), Some(&key.hash(Some("{}")))).unwrap_err().message,
        BASE_STALE
    );
    assert_ne!(key.hash(None), key.hash(Some("")));
}

#[test]
fn a_stale_writer_changes_nothing() {
    let home = Home::new(Some(FILE));
    let key = RevisionKey::new([3; 32]);
    let port = [set("gateway.port", json!(1))];
    let stale = key.hash(Some("{}"));
    for base in [None, Some(stale.as_str())] {
        assert!(save_over(Base::Seen(&key, base), &home.request(), &port).is_err());
        assert_eq!(home.text(), FILE);
    }
    let seen = key.hash(Some(FILE));
    save_over(Base::Seen(&key, Some(&seen)), &home.request(), &port).unwrap();
    assert_ne!(home.text(), FILE);
}

#[test]
fn arguments_are_json5_or_text() {
    for (text, value) in [
        ("19001", json!(19001)),
        ("true", json!(true)),
        ("loopback", json!("loopback")),
        ("[1, 'a',]", json!([1, "a"])),
        ("{ a: 1 }", json!({ "a": 1 })),
        ("0m", json!("0m")),
        ("", json!("")),
        ("wss://h:1", json!("wss://h:1")),
    ] {
        assert_eq!(argument(text), value, "{text}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c$\"' .]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-d]", any_json(), 0..5)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

proptest! {
    #[test]
    fn what_is_set_is_read_and_comments_stay(names in prop::collection::vec("[a-zA-Z_.\"'-]{1,6}", 1..4), value in any_json()) {
        let path: Segments = std::iter::once("agents".to_owned()).chain(names).filter(|name| name != "list").collect();
        prop_assume!(path.len() > 1);
        let text = tree::set(FILE, &path, &value).unwrap();
        let document = Document::parse(Path::new("/c"), &text).unwrap();
        prop_assert_eq!(redact::at(&document.value, &path), Some(&value));
        prop_assert_eq!(document.comments().count(), 3);
        let back = tree::unset(&text, &path).unwrap();
        let document = Document::parse(Path::new("/c"), &back).unwrap();
        prop_assert_eq!(redact::at(&document.value, &path), None);
        prop_assert_eq!(document.comments().count(), 3);
    }

    #[test]
    fn a_merge_is_rfc_7396(first in any_object(), patch in any_object()) {
        let merged = tree::merge(&first.to_string(), &patch).unwrap();
        prop_assert_eq!(parse_value(&merged).unwrap(), by_the_book(&first, &patch));
    }
}

/// RFC 7396, section 2.
fn by_the_book(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut result = target.as_object().cloned().unwrap_or_default();
    for (name, value) in patch {
        if value.is_null() {
            result.shift_remove(name);
        } else {
            let merged = by_the_book(result.get(name).unwrap_or(&Value::Null), value);
            result.insert(name.clone(), merged);
        }
    }
    Value::Object(result)
}
