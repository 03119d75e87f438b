//! Every source of a target with every source of a secret.

use std::cell::Cell;

use super::*;
use crate::{
    cli::failure::Exit,
    config::problem::{Problem, Problems},
};

const FLAG: &str = "flag-secret";
const ENV: &str = "env-secret";
const FILE: &str = "file-secret";
const MADE: &str = "made-secret";
const PIN: &str = "sha256:abababababababababababababababababababababababababababababababab";

fn env(pairs: &[(&str, &str)]) -> Env {
    Env::of(pairs.iter().copied())
}

fn sources<'s>(env: &'s Env) -> Sources<'s> {
    Sources {
        env,
        config: Ok(Local::default()),
        runtime: None,
        made_token: None,
        secret: Box::new(|_| Secret::Unset),
    }
}

fn running(url: &str) -> RuntimeFile {
    RuntimeFile { pid: 1, port: 4000, urls: vec![url.to_owned()], tls: None, started_at_ms: 1 }
}

fn shown(resolved: &Resolved) -> (String, Option<String>, Option<String>) {
    let text = |secret: &Option<SecretValue>| secret.as_ref().map(|text| text.expose().to_owned());
    let Resolved { target, credentials, .. } = resolved;
    (target.endpoint.to_string(), text(&credentials.token), text(&credentials.password))
}

#[test]
fn i1_i2_every_target_with_every_secret() {
    let all = [("OPENCLAW_GATEWAY_TOKEN", ENV)];
    let with_url = [("OPENCLAW_GATEWAY_TOKEN", ENV), ("OPENCLAW_GATEWAY_URL", "wss://gw.example")];
    let url_alone = [("OPENCLAW_GATEWAY_URL", "wss://gw.example")];
    let none: [(&str, &str); 0] = [];
    let url = Some("wss://other.example".to_owned());
    let token = Some(FLAG.to_owned());
    // (url flag, port flag, token flag, environment) -> (url, token, device tokens on disk)
    let rows = [
        (&url, None, &token, &with_url[..], "wss://other.example:443", Some(FLAG), Stored::Never),
        (&None, None, &token, &with_url[..], "wss://gw.example:443", Some(FLAG), Stored::Never),
        (&None, None, &None, &with_url[..], "wss://gw.example:443", Some(ENV), Stored::Never),
        (&None, None, &None, &url_alone[..], "wss://gw.example:443", None, Stored::Never),
        (&None, Some(5), &None, &with_url[..], "ws://127.0.0.1:5", Some(ENV), Stored::Allowed),
        (&None, Some(5), &None, &none[..], "ws://127.0.0.1:5", Some(FILE), Stored::Allowed),
        (&None, None, &token, &all[..], "ws://127.0.0.1:4000", Some(FLAG), Stored::Allowed),
        (&None, None, &None, &all[..], "ws://127.0.0.1:4000", Some(ENV), Stored::Allowed),
        (&None, None, &None, &none[..], "ws://127.0.0.1:4000", Some(FILE), Stored::Allowed),
    ];
    for (url, port, token, environment, dialled, secret, stored) in rows {
        let env = env(environment);
        let sources = Sources {
            runtime: Some(running("ws://127.0.0.1:4000")),
            made_token: Some(SecretValue::new(MADE)),
            secret: Box::new(|wanted| match wanted {
                Wanted::Token => Secret::Is(SecretValue::new(FILE)),
                Wanted::Password => Secret::Unset,
            }),
            ..sources(&env)
        };
        let dial = Dial { url: url.clone(), port, token: token.clone(), ..Dial::default() };
        let resolved = resolve(&dial, &sources).expect(dialled);
        let expected = (dialled.to_owned(), secret.map(str::to_owned), None);
        assert_eq!(shown(&resolved), expected, "{dial:?} {environment:?}");
        assert_eq!(resolved.credentials.stored, stored, "{dialled}");
    }
}

#[test]
fn i1_a_url_without_its_own_credentials_is_refused() {
    let env = env(&[("OPENCLAW_GATEWAY_TOKEN", ENV), ("OPENCLAW_GATEWAY_PASSWORD", ENV)]);
    let asked = Cell::new(false);
    let sources = Sources {
        made_token: Some(SecretValue::new(MADE)),
        secret: Box::new(|_| {
            asked.set(true);
            Secret::Is(SecretValue::new(FILE))
        }),
        ..sources(&env)
    };
    for token in [None, Some("  ".to_owned())] {
        let dial = Dial { url: Some("ws://127.0.0.1:1".to_owned()), token, ..Dial::default() };
        let failure = resolve(&dial, &sources).expect_err("no credentials");
        assert_eq!((failure.kind, failure.exit), ("gateway_credentials_required", Exit::User));
        assert!(failure.hints[0].contains("`--token`"));
    }
    assert!(!asked.get(), "the configuration's secret was not even looked up");
}

#[test]
fn local_secrets_follow_the_mode_of_the_gateway() {
    let is = |text: &str| Secret::Is(SecretValue::new(text));
    let rows = [
        (None, Secret::Unset, Secret::Unset, (Some(MADE), None)),
        (Some(AuthMode::Token), is("t"), is("p"), (Some("t"), None)),
        (Some(AuthMode::Password), is("t"), is("p"), (None, Some("p"))),
        (Some(AuthMode::Password), Secret::Unset, is("p"), (None, Some("p"))),
        (None, Secret::Unset, is("p"), (None, Some("p"))),
        (Some(AuthMode::None), is("t"), is("p"), (None, None)),
    ];
    for (auth, token, password, (wanted_token, wanted_password)) in rows {
        let env = env(&[]);
        let sources = Sources {
            config: Ok(Local { auth, ..Local::default() }),
            made_token: Some(SecretValue::new(MADE)),
            secret: Box::new(|wanted| match wanted {
                Wanted::Token => token.clone(),
                Wanted::Password => password.clone(),
            }),
            ..sources(&env)
        };
        let resolved = resolve(&Dial::default(), &sources).expect("resolved");
        let expected = (
            "ws://127.0.0.1:18789".to_owned(),
            wanted_token.map(str::to_owned),
            wanted_password.map(str::to_owned),
        );
        assert_eq!(shown(&resolved), expected, "{auth:?}");
    }
}

#[test]
fn a_reference_that_does_not_resolve_fails_closed() {
    let env = env(&[]);
    let sources = Sources {
        made_token: Some(SecretValue::new(MADE)),
        secret: Box::new(|_| Secret::Unresolved("`X` is not set".to_owned())),
        ..sources(&env)
    };
    let failure = resolve(&Dial::default(), &sources).expect_err("unresolved");
    assert_eq!((failure.kind, failure.exit), ("auth_secretref_unresolved", Exit::Config));
    let dial = Dial { token: Some(FLAG.to_owned()), ..Dial::default() };
    assert!(resolve(&dial, &sources).is_ok(), "a flag needs no reference");
}

#[test]
fn a_wrong_configuration_stops_only_what_needs_it() {
    let wrong = || Err(Problems::from(Problem::new("gateway.port", "must be a number")));
    let bare = env(&[]);
    let failure = resolve(&Dial::default(), &Sources { config: wrong(), ..sources(&bare) })
        .expect_err("no target");
    assert_eq!(failure.exit, Exit::Config);
    let full = env(&[("OPENCLAW_GATEWAY_TOKEN", ENV)]);
    let running = Some(running("ws://127.0.0.1:4000"));
    let sources = Sources { config: wrong(), runtime: running, ..sources(&full) };
    assert!(resolve(&Dial::default(), &sources).is_ok());
}

#[test]
fn a_remote_configuration_never_means_the_local_gateway() {
    let env = env(&[]);
    let config = Ok(Local { mode: Mode::Remote, ..Local::default() });
    let sources =
        Sources { config, runtime: Some(running("ws://127.0.0.1:4000")), ..sources(&env) };
    let failure = resolve(&Dial::default(), &sources).expect_err("remote");
    assert!(failure.message.contains("remote") && failure.hints[0].contains("--url"));
}

#[test]
fn r22_the_running_gateway_says_where_it_listens() {
    let env = env(&[("OPENCLAW_GATEWAY_TOKEN", ENV)]);
    let mut file = running("wss://127.0.0.1:4000");
    file.urls.insert(0, "ws://10.0.0.1:4000".to_owned());
    file.tls = Some(crate::store::runtime_file::RuntimeTls { fingerprint: PIN.to_owned() });
    let sources = Sources { runtime: Some(file), ..sources(&env) };
    for dial in [Dial::default(), Dial { port: Some(4000), ..Dial::default() }] {
        let resolved = resolve(&dial, &sources).expect("resolved");
        assert_eq!(shown(&resolved).0, "wss://127.0.0.1:4000");
        assert_eq!(resolved.target.pin.map(|pin| pin.to_string()), Some(PIN.to_owned()));
    }
}

#[test]
fn a_pin_on_the_command_line_wins() {
    let env = env(&[]);
    let dial = Dial {
        url: Some("wss://gw.example".to_owned()),
        token: Some(FLAG.to_owned()),
        tls_fingerprint: Some(PIN.to_owned()),
        ..Dial::default()
    };
    let resolved = resolve(&dial, &sources(&env)).expect("resolved");
    assert_eq!(resolved.target.pin.map(|pin| pin.to_string()), Some(PIN.to_owned()));
    let dial = Dial { tls_fingerprint: Some("abc".to_owned()), ..dial };
    assert!(resolve(&dial, &sources(&env)).is_err());
}

#[test]
fn i3_plaintext_is_refused_here_already() {
    let bare = env(&[]);
    let token = Some(FLAG.to_owned());
    let dial = Dial { url: Some("ws://gw.example.com".to_owned()), token, ..Dial::default() };
    let failure = resolve(&dial, &sources(&bare)).expect_err("plain text");
    assert_eq!(failure.kind, "gateway_target_error");
    let dial = Dial { url: Some("ws://192.168.1.2:1".to_owned()), ..dial };
    assert!(resolve(&dial, &sources(&bare)).is_err());
    let allowed = env(&[("OPENCLAW_ALLOW_INSECURE_PRIVATE_WS", "1")]);
    assert!(resolve(&dial, &sources(&allowed)).is_ok());
}
