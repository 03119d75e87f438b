//! A configuration file: read as what it says or refused with a place, and never more exposed than it may be.
#![no_main]

use std::{path::Path, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use openclaw::config::{
    document::{Document, MAX_DEPTH},
    env::Env,
    gateway::{AuthMode, BindMode},
    layers::Flags,
    load::{self, Purpose, Request},
    paths::{Instance, Paths},
    problem::Problems,
};
use serde_json::Value;

/// Nothing is there: `$include` finds no file.
static PLACE: LazyLock<(Env, Paths, Flags)> = LazyLock::new(|| {
    let env = Env::of([("HOME", "/nonexistent/openclaw-fuzz")]);
    let paths = Paths::resolve(&Instance::Default, &env).expect("a home is all it needs");
    (env, paths, Flags::default())
});

fuzz_target!(|text: &str| {
    let file = Path::new("openclaw.json");
    let document = match Document::parse(file, text) {
        Ok(document) => document,
        Err(problems) => return check_problems(&problems),
    };
    assert!(depth(&document.value) <= MAX_DEPTH);
    for (path, span) in document.spans() {
        assert!(text.get(span.clone()).is_some(), "{path:?} stands outside the file");
        assert!(document.place(path).is_some());
    }
    // What was read, written as plain JSON, is read as the same.
    let plain = document.value.to_string();
    let again = Document::parse(file, &plain);
    assert_eq!(
        again.map(|document| document.value).ok().as_ref(),
        Some(&document.value),
        "{plain}"
    );

    for purpose in [Purpose::Start, Purpose::Save] {
        check_load(&document, purpose);
    }
});

fn check_load(document: &Document, purpose: Purpose) {
    let (env, paths, flags) = &*PLACE;
    let request = Request { paths, env, flags };
    match load::assemble(&request, Some(document.clone()), purpose) {
        Err(problems) => check_problems(&problems),
        Ok(loaded) => {
            let gateway = &loaded.config.gateway;
            assert!(gateway.port > 0, "only a flag may leave the port to the system");
            if gateway.auth.mode == Some(AuthMode::None) && gateway.bind_written {
                let exposed = match gateway.bind {
                    BindMode::Lan | BindMode::Tailnet => true,
                    // Whether these leave this host is decided by the plan, not by the file.
                    BindMode::Loopback | BindMode::Custom | BindMode::Auto => false,
                };
                assert!(!exposed, "no secret beyond loopback: {:?}", document.value);
            }
        }
    }
}

fn check_problems(problems: &Problems) {
    assert!(!problems.list.is_empty(), "refused without a reason");
    assert!(!problems.to_string().trim().is_empty());
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
