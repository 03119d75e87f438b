//! `J10`: what is hot, what waits, and that nothing is forgotten.

use std::path::PathBuf;

use super::*;
use crate::config::document::Document;
use crate::config::env::Env;
use crate::config::layers::Flags;
use crate::config::load::{Purpose, Request, assemble};
use crate::config::paths::Paths;

fn load(text: &str) -> Loaded {
    let config = PathBuf::from("/h/.openclaw/openclaw.json");
    let document = Document::parse(&config, text).unwrap();
    let paths =
        Paths { home: PathBuf::from("/h"), state: PathBuf::from("/h"), config, profile: None };
    let (env, flags) = (Env::default(), Flags::default());
    let request = Request { paths: &paths, env: &env, flags: &flags };
    assemble(&request, Some(document), Purpose::Save).unwrap()
}

/// Old, new, and the key that differs.
type Row = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const HOT: &[Row] = &[
    ("{}", "{gateway:{auth:{token:'kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a'}}}", "gateway.auth.token"),
    ("{}", "{gateway:{controlUi:{allowedOrigins:['https://a']}}}", "gateway.controlUi.allowedOrigins"),
    ("{}", "{gateway:{auth:{rateLimit:{maxAttempts:3}}}}", "gateway.auth.rateLimit.maxAttempts"),
    ("{}", "{logging:{level:'debug'}}", "logging.level"),
    ("{gateway:{trustedProxies:['10.0.0.0/24']}}", "{gateway:{trustedProxies:['10.0.0.1']}}", "gateway.trustedProxies"),
    ("{gateway:{auth:{allowTailscale:true}}}", "{}", "gateway.auth.allowTailscale"),
];

#[rustfmt::skip]
const RESTART: &[Row] = &[
    ("{}", "{gateway:{port:1}}", "gateway.port"),
    ("{}", "{gateway:{bind:'lan'}}", "gateway.bind"),
    ("{}", "{gateway:{auth:{mode:'token'}}}", "gateway.auth.mode"),
    ("{}", "{gateway:{tls:{enabled:true}}}", "gateway.tls.enabled"),
    ("{}", "{gateway:{tailscale:{mode:'serve'}}}", "gateway.tailscale.mode"),
    ("{gateway:{trustedProxies:['10.0.0.1']}}", "{gateway:{trustedProxies:['10.0.0.0/24']}}", "gateway.trustedProxies"),
    ("{}", "{gateway:{auth:{allowTailscale:true}}}", "gateway.auth.allowTailscale"),
    ("{gateway:{nodes:{pairing:{autoApproveLocal:false}}}}", "{}", "gateway.nodes.pairing.autoApproveLocal"),
];

#[test]
fn each_change_has_its_class() {
    for (old, new, key) in HOT {
        let change = diff(&load(old), &load(new));
        assert_eq!((change.hot, change.restart), (vec![*key], vec![]), "{old} -> {new}");
    }
    for (old, new, key) in RESTART {
        let change = diff(&load(old), &load(new));
        assert_eq!((change.hot, change.restart), (vec![], vec![*key]), "{old} -> {new}");
    }
}

#[test]
fn writing_a_default_changes_nothing() {
    assert!(diff(&load("{}"), &load("{gateway:{port:18789,mode:'local'}}")).is_empty());
}

#[test]
fn sections_of_others_are_named() {
    let change =
        diff(&load("{agents:{a:1},models:{}}"), &load("{agents:{a:2},channels:{},models:{}}"));
    assert_eq!(change.sections, ["agents", "channels"]);
    assert!(!change.is_empty());
    assert!(diff(&load("{}"), &load("{ /* only a comment */ }")).is_empty());
}

#[test]
fn marks_are_never_shown() {
    let loaded = load("{gateway:{auth:{token:'weak-weak-weak'}}}");
    assert_eq!(format!("{:?}", loaded.marks), "Marks");
}
