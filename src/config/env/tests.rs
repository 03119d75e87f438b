//! The one reader of the environment.

use super::*;

#[test]
fn new_names_beat_former_ones_and_blanks_are_unset() {
    let env = Env::of([("OPENCLAW_GATEWAY_PORT", "1"), ("CLAWDBOT_GATEWAY_PORT", "2")]);
    assert_eq!(env.value(&GATEWAY_PORT), Some("1"));
    assert_eq!(env.name_of(&GATEWAY_PORT), "OPENCLAW_GATEWAY_PORT");
    assert_eq!(
        env.deprecations().len(),
        1,
        "a former name that is set is said, even where it loses"
    );
    let env = Env::of([("OPENCLAW_GATEWAY_PORT", " "), ("CLAWDBOT_GATEWAY_PORT", "2")]);
    assert_eq!(env.value(&GATEWAY_PORT), Some("2"));
    assert_eq!(env.name_of(&GATEWAY_PORT), "CLAWDBOT_GATEWAY_PORT");
    assert_eq!(env.value(&GATEWAY_TOKEN), None);
}

#[test]
fn switches_and_fallbacks() {
    for (text, on) in
        [("1", true), ("TRUE", true), (" yes ", true), ("0", false), ("", false), ("2", false)]
    {
        assert_eq!(Env::of([("OPENCLAW_SKIP_CHANNELS", text)]).is_on(&SKIP_CHANNELS), on, "{text}");
    }
    let env = Env::of([("A", "process"), ("B", "")]).or_fallback([
        ("A", "file"),
        ("B", "file"),
        ("C", "file"),
    ]);
    assert_eq!(
        (env.named("A"), env.named("B"), env.named("C")),
        (Some("process"), Some("file"), Some("file"))
    );
}

#[test]
fn j13_debug_shows_names_only() {
    let shown = format!("{:?}", Env::of([("OPENCLAW_GATEWAY_TOKEN", "canary")]));
    assert!(shown.contains("OPENCLAW_GATEWAY_TOKEN") && !shown.contains("canary"));
}

#[test]
fn every_variable_is_listed_once() {
    let mut names: Vec<&str> =
        VARIABLES.iter().flat_map(|one| [Some(one.name), one.former]).flatten().collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(Env::process().named("PATH").is_some());
}
