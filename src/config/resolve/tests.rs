//! References: `E6`, `E18`, `E19`, and providers that misbehave.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Instant;

use super::*;
use crate::config::document::Document;
use crate::config::layers::Flags;
use crate::config::load::{Purpose, Request, assemble};

struct Lab {
    folder: tempfile::TempDir,
    env: Env,
    paths: Paths,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let config = path.join("openclaw.json");
        let paths = Paths { home: path.clone(), state: path, config, profile: None };
        let env = Env::of([("VAULT", "from-env"), ("BLANK", " "), ("PASSED", "p")]);
        Self { folder, env, paths }
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn resolve(&self, providers: &str, reference: &str) -> Result<String, Problem> {
        let providers: BTreeMap<String, SecretProvider> = serde_json::from_str(providers).unwrap();
        let secrets = Secrets { providers, defaults: BTreeMap::new() };
        let input: SecretInput = serde_json::from_str(reference).unwrap();
        let resolver = Resolver { env: &self.env, secrets: &secrets, paths: &self.paths };
        resolver.resolve("k", &input).map(|secret| secret.expose().to_owned())
    }
}

#[test]
fn env_references() {
    let lab = Lab::new();
    let id = |id: &str| format!(r#"{{"source":"env","id":"{id}"}}"#);
    assert_eq!(lab.resolve("{}", &id("VAULT")).unwrap(), "from-env");
    assert_eq!(lab.resolve("{}", "\"plain\"").unwrap(), "plain");
    for (providers, reference, said) in [
        ("{}", id("NOT_SET"), "`NOT_SET` is not set"),
        ("{}", id("BLANK"), "not set"),
        ("{}", id("lower"), "environment variable"),
        (r#"{"default":{"source":"env","allowlist":["OTHER"]}}"#, id("VAULT"), "does not allow"),
        (r#"{"default":{"source":"env","allowlist":[]}}"#, id("VAULT"), "does not allow"),
        (
            "{}",
            r#"{"source":"env","provider":"other","id":"VAULT"}"#.to_owned(),
            "no `env` provider `other`",
        ),
    ] {
        let problem = lab.resolve(providers, &reference).unwrap_err();
        assert!(problem.message.contains(said), "{reference}: {problem}");
    }
}

#[test]
fn file_references() {
    let lab = Lab::new();
    lab.file("one.txt", " a b \n\n", 0o600);
    lab.file("many.json", r#"{"a":{"x/y":"deep","n":1,"e":""}}"#, 0o600);
    lab.file("open.json", "{}", 0o644);
    lab.file("bad.json", "{ canary", 0o600);
    let providers = r#"{
        "one": {"source":"file","path":"one.txt","mode":"singleValue"},
        "many": {"source":"file","path":"~/many.json","mode":"json"},
        "open": {"source":"file","path":"open.json"},
        "bad": {"source":"file","path":"bad.json"},
        "small": {"source":"file","path":"many.json","maxBytes":3},
        "none": {"source":"file","path":"none.json"}}"#;
    let get = |provider: &str, id: &str| {
        lab.resolve(
            providers,
            &format!(r#"{{"source":"file","provider":"{provider}","id":"{id}"}}"#),
        )
    };
    assert_eq!(get("one", "value").unwrap(), " a b \n", "E6: one newline goes, spaces stay");
    assert_eq!(get("many", "/a/x~1y").unwrap(), "deep");
    for (provider, id, said) in [
        ("one", "/x", "one secret"),
        ("many", "/a/z", "no text at"),
        ("many", "/a/n", "no text at"),
        ("many", "/a/e", "is empty"),
        ("many", "a", "JSON pointer"),
        ("open", "/a", "others may read"),
        ("bad", "/a", "not JSON"),
        ("small", "/a", "larger"),
        ("none", "/a", "does not exist"),
        ("nobody", "/a", "no `file` provider"),
    ] {
        let problem = get(provider, id).unwrap_err();
        assert!(problem.message.contains(said), "{provider} {id}: {problem}");
        assert!(!problem.to_string().contains("canary"), "J13");
    }
    let path = lab.file("password", "p w\r\n", 0o600);
    assert_eq!(password_file(&path).unwrap().expose(), "p w");
}

#[test]
fn exec_references() {
    let lab = Lab::new();
    let answer = r#"echo '{"protocolVersion":1,"values":{"a/b#c":"sec","n":3},"errors":{"gone":{"code":"NOT_FOUND","message":"canary"},"odd":{"code":"canary"}}}'"#;
    lab.file("good", &format!("#!/bin/sh\ncat >/dev/null\n{answer}\n"), 0o700);
    lab.file("plain", "#!/bin/sh\nprintf '%s-%s-%s\\n' \"$PASSED\" \"$FIXED\" \"$VAULT\"\n", 0o700);
    lab.file("hang", "#!/bin/sh\nexec sleep 60\n", 0o700);
    lab.file("long", "#!/bin/sh\nexec head -c 100000 /dev/zero\n", 0o700);
    lab.file("fail", "#!/bin/sh\nexit 3\n", 0o700);
    lab.file("open", "#!/bin/sh\n", 0o777);
    std::os::unix::fs::symlink(lab.folder.path().join("good"), lab.folder.path().join("link"))
        .unwrap();
    let get = |program: &str, extra: &str, id: &str| {
        let providers = format!(r#"{{"v":{{"source":"exec","command":"~/{program}"{extra}}}}}"#);
        lab.resolve(&providers, &format!(r#"{{"source":"exec","provider":"v","id":"{id}"}}"#))
    };
    assert_eq!(get("good", "", "a/b#c").unwrap(), "sec");
    let given = r#","jsonOnly":false,"passEnv":["PASSED"],"env":{"FIXED":"f"}"#;
    assert_eq!(get("plain", given, "x").unwrap(), "p-f-", "nothing else of our environment");
    let started = Instant::now();
    for (program, extra, id, said) in [
        ("good", "", "gone", "NOT_FOUND"),
        ("good", "", "odd", "has no `odd`"),
        ("good", "", "n", "something else"),
        ("good", "", "a/../b", "`..` parts"),
        ("good", r#","trustedDirs":["/usr/bin"]"#, "a", "trustedDirs"),
        ("plain", "", "x", "protocol version 1"),
        ("hang", r#","timeoutMs":50"#, "x", "in time"),
        ("long", r#","maxOutputBytes":1000"#, "x", "too long"),
        ("fail", "", "x", "ended with an error"),
        ("open", "", "x", "others may write"),
        ("link", "", "x", "symbolic link"),
        ("none", "", "x", "does not exist"),
    ] {
        let problem = get(program, extra, id).unwrap_err();
        assert!(problem.message.contains(said), "{program} {id}: {problem}");
        assert!(!problem.to_string().contains("canary"), "J13");
    }
    assert!(started.elapsed().as_secs() < 30, "a hung program does not hold us");
}

#[test]
fn credentials_are_those_of_the_mode_and_fresh() {
    let lab = Lab::new();
    let load = |text: &str| {
        let document = Document::parse(&lab.paths.config, text).unwrap();
        let flags = Flags::default();
        let request = Request { paths: &lab.paths, env: &lab.env, flags: &flags };
        assemble(&request, Some(document), Purpose::Start).unwrap()
    };
    let providers =
        "secrets: { providers: { f: { source: 'file', path: 'tok', mode: 'singleValue' } } }";
    let token = "token: { source: 'file', provider: 'f', id: 'value' }";
    let loaded =
        load(&format!("{{ gateway: {{ bind: 'lan', auth: {{ {token} }} }}, {providers} }}"));

    assert!(credentials(&loaded).is_err(), "E19: no file, no secret");
    lab.file("tok", "first-strong-secret-9f2k", 0o600);
    assert_eq!(credentials(&loaded).unwrap().token.unwrap().expose(), "first-strong-secret-9f2k");
    lab.file("tok", "second-strong-secret-8d1m", 0o600);
    assert_eq!(
        credentials(&loaded).unwrap().token.unwrap().expose(),
        "second-strong-secret-8d1m",
        "E18"
    );
    lab.file("tok", "short", 0o600);
    let problems = credentials(&loaded).unwrap_err();
    assert_eq!(problems.list[0].key, "gateway.auth.token", "E4: judged when it resolves");
    assert!(problems.list[0].place.is_some());
    assert!(!problems.to_string().contains("short\n"));

    let password = load(&format!(
        "{{ gateway: {{ auth: {{ mode: 'password', password: 'a-good-password-22', {token} }} }} }}"
    ));
    let found = credentials(&password).unwrap();
    assert!(found.token.is_none(), "the reference that no mode needs is not touched");
    assert!(found.password.is_some());
    assert_eq!(credentials(&load("{}")).unwrap(), Credentials::default(), "E8");
}
