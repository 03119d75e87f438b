//! The reply of `config.get`.

use std::path::{Path, PathBuf};

use super::*;
use crate::config::env::Env;
use crate::config::layers::Flags;
use crate::config::load::{Purpose, Request, assemble};

fn paths() -> Paths {
    let config = PathBuf::from("/h/.openclaw/openclaw.json");
    Paths { home: PathBuf::from("/h"), state: PathBuf::from("/h/.openclaw"), config, profile: None }
}

fn shown(text: Option<&str>, env: &Env) -> Value {
    let (paths, flags, key) = (paths(), Flags::default(), RevisionKey::new([7; 32]));
    let document =
        text.map(|text| Document::parse(Path::new("/h/.openclaw/openclaw.json"), text).unwrap());
    let request = Request { paths: &paths, env, flags: &flags };
    let outcome = assemble(&request, document.clone(), Purpose::Start);
    snapshot(&View {
        paths: &paths,
        document: document.as_ref(),
        outcome: outcome.as_ref(),
        applied: document.as_ref(),
        key: &key,
    })
}

#[test]
fn a_valid_file() {
    let env = Env::of([("OPENCLAW_GATEWAY_TOKEN", "canary-canary-canary"), ("KEY", "canary-2")]);
    let text = "{ gateway: { mode: 'local', auth: { token: 'canary-canary-canary-3' } }, models: { x: { apiKey: 'canary-4', note: '${KEY}' } } }";
    let shown = shown(Some(text), &env);
    assert!(!shown.to_string().contains("canary"), "{shown}");
    assert_eq!(shown["valid"], true);
    assert_eq!(shown["exists"], true);
    assert_eq!(shown["path"], "/h/.openclaw/openclaw.json");
    assert_eq!(
        shown["config"]["gateway"],
        json!({ "mode": "local", "auth": { "token": "__OPENCLAW_REDACTED__" } })
    );
    assert_eq!(shown["config"]["models"]["x"]["note"], "${KEY}");
    assert_eq!(shown["raw"].as_str().unwrap().matches("__OPENCLAW_REDACTED__").count(), 2);
    assert!(shown["hash"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(shown["hash"], shown["appliedConfigHash"]);
    for field in ["parsed", "resolved", "sourceConfig", "runtimeConfig"] {
        assert!(shown[field].is_object(), "{field}");
    }
    for field in ["issues", "legacyIssues", "includedPaths"] {
        assert_eq!(shown[field], json!([]), "{field}");
    }
}

#[test]
fn an_invalid_file_and_none() {
    let shown_bad =
        shown(Some("{ gateway: { bnd: 1, auth: { token: 'canary-1' } } }"), &Env::default());
    assert_eq!(shown_bad["valid"], false);
    assert_eq!(shown_bad["issues"][0]["path"], "gateway.bnd");
    assert!(shown_bad["issues"][0]["message"].as_str().unwrap().contains("gateway.bind"));
    assert!(!shown_bad.to_string().contains("canary"));

    let none = shown(None, &Env::default());
    assert_eq!(
        (&none["exists"], &none["valid"], &none["raw"]),
        (&json!(false), &json!(true), &json!(null))
    );
    assert_eq!(none["config"], json!({}));
}
