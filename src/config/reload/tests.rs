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

#[test]
fn each_change_has_its_class() {
    const T: &str = "kq8ZtV2mX0cR7yB4nW6sL1dF9hJ3gP5a";
    for (old, new, hot, restart) in [
        ("{}".to_owned(), "{}".to_owned(), vec![], vec![]),
        ("{}".to_owned(), "{gateway:{port:18789,mode:'local'}}".to_owned(), vec![], vec![]),
        ("{}".to_owned(), "{gateway:{port:1}}".to_owned(), vec![], vec!["gateway.port"]),
        ("{}".to_owned(), "{gateway:{bind:'lan'}}".to_owned(), vec![], vec!["gateway.bind"]),
        (
            "{}".to_owned(),
            "{gateway:{auth:{mode:'token'}}}".to_owned(),
            vec![],
            vec!["gateway.auth.mode"],
        ),
        (
            "{}".to_owned(),
            "{gateway:{tls:{enabled:true}}}".to_owned(),
            vec![],
            vec!["gateway.tls.enabled"],
        ),
        (
            "{}".to_owned(),
            "{gateway:{tailscale:{mode:'serve'}}}".to_owned(),
            vec![],
            vec!["gateway.tailscale.mode"],
        ),
        (
            "{}".to_owned(),
            format!("{{gateway:{{auth:{{token:'{T}'}}}}}}"),
            vec!["gateway.auth.token"],
            vec![],
        ),
        (
            "{}".to_owned(),
            "{gateway:{controlUi:{allowedOrigins:['https://a']}}}".to_owned(),
            vec!["gateway.controlUi.allowedOrigins"],
            vec![],
        ),
        (
            "{}".to_owned(),
            "{gateway:{auth:{rateLimit:{maxAttempts:3}}},logging:{level:'debug'}}".to_owned(),
            vec!["gateway.auth.rateLimit.maxAttempts", "logging.level"],
            vec![],
        ),
        (
            "{gateway:{trustedProxies:['10.0.0.0/24']}}".to_owned(),
            "{gateway:{trustedProxies:['10.0.0.1']}}".to_owned(),
            vec!["gateway.trustedProxies"],
            vec![],
        ),
        (
            "{gateway:{trustedProxies:['10.0.0.1']}}".to_owned(),
            "{gateway:{trustedProxies:['10.0.0.0/24']}}".to_owned(),
            vec![],
            vec!["gateway.trustedProxies"],
        ),
        (
            "{}".to_owned(),
            "{gateway:{auth:{allowTailscale:true}}}".to_owned(),
            vec![],
            vec!["gateway.auth.allowTailscale"],
        ),
        (
            "{gateway:{auth:{allowTailscale:true}}}".to_owned(),
            "{}".to_owned(),
            vec!["gateway.auth.allowTailscale"],
            vec![],
        ),
        (
            "{gateway:{nodes:{pairing:{autoApproveLocal:false}}}}".to_owned(),
            "{}".to_owned(),
            vec![],
            vec!["gateway.nodes.pairing.autoApproveLocal"],
        ),
    ] {
        let change = diff(&load(&old), &load(&new));
        assert_eq!((change.hot, change.restart), (hot, restart), "{old} -> {new}");
    }
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
