//! Every way to say where the files are.

use super::*;

fn resolve(instance: Instance, pairs: &[(&str, &str)]) -> Result<(String, String), Problem> {
    let paths = Paths::resolve(&instance, &Env::of(pairs.iter().copied()))?;
    Ok((paths.state.display().to_string(), paths.config.display().to_string()))
}

#[test]
fn the_table() {
    let home = ("HOME", "/h");
    let profile = |name: &str| Instance::Profile(name.to_owned());
    for (instance, pairs, state, config) in [
        (Instance::Default, vec![home], "/h/.openclaw", "/h/.openclaw/openclaw.json"),
        (profile("x-1"), vec![home], "/h/.openclaw-x-1", "/h/.openclaw-x-1/openclaw.json"),
        (profile("default"), vec![home], "/h/.openclaw", "/h/.openclaw/openclaw.json"),
        (Instance::Dev, vec![home], "/h/.openclaw-dev", "/h/.openclaw-dev/openclaw.json"),
        (
            Instance::Default,
            vec![home, ("OPENCLAW_PROFILE", "p")],
            "/h/.openclaw-p",
            "/h/.openclaw-p/openclaw.json",
        ),
        (
            profile("q"),
            vec![home, ("OPENCLAW_PROFILE", "p")],
            "/h/.openclaw-q",
            "/h/.openclaw-q/openclaw.json",
        ),
        (
            Instance::Default,
            vec![home, ("OPENCLAW_STATE_DIR", "~/s")],
            "/h/s",
            "/h/s/openclaw.json",
        ),
        (Instance::Dev, vec![home, ("OPENCLAW_STATE_DIR", "/s")], "/s", "/s/openclaw.json"),
        (
            Instance::Default,
            vec![home, ("OPENCLAW_CONFIG_PATH", "/e/c.json")],
            "/h/.openclaw",
            "/e/c.json",
        ),
        (
            Instance::Default,
            vec![home, ("OPENCLAW_HOME", "/o")],
            "/o/.openclaw",
            "/o/.openclaw/openclaw.json",
        ),
        (
            Instance::Default,
            vec![home, ("OPENCLAW_HOME", "~/o")],
            "/h/o/.openclaw",
            "/h/o/.openclaw/openclaw.json",
        ),
        (
            Instance::Default,
            vec![home, ("OPENCLAW_HOME", "undefined")],
            "/h/.openclaw",
            "/h/.openclaw/openclaw.json",
        ),
        (
            Instance::Default,
            vec![home, ("OPENCLAW_STATE_DIR", "  ")],
            "/h/.openclaw",
            "/h/.openclaw/openclaw.json",
        ),
    ] {
        assert_eq!(
            resolve(instance.clone(), &pairs).unwrap(),
            (state.to_owned(), config.to_owned()),
            "{instance:?} {pairs:?}"
        );
    }
    assert!(resolve(Instance::Default, &[]).is_err());
    for name in ["", "a/b", "..", "-x", "a b", "ä", &"x".repeat(65)] {
        assert!(resolve(profile(name), &[home]).is_err(), "{name}");
    }
}
