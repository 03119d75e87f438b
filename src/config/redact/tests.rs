//! `J13` and `E3`: secrets out, and back in only where they were.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parse(text: &str) -> Document {
    Document::parse(Path::new("/c/openclaw.json"), text).unwrap()
}

const CANARY: &str = "canary-5f2b";

#[test]
fn what_is_secret() {
    for path in [
        "gateway.auth.token",
        "gateway.auth.password",
        "gateway.remote.token",
        "gateway.remote.password",
        "models.providers.x.apiKey",
        "channels.telegram.botToken",
        "channels.telegram.accounts.a.token",
        "env.vars.OPENAI_API_KEY",
        "env.FOO",
        "secrets.providers.v.env.VAULT_TOKEN",
        "hooks.token",
        "models.providers.x.headers.X-Key",
        "gateway.remote.edgeAuth.cf",
        "talk.api_key",
        "channels.slack.signingSecret",
        "tokens.list.token.0",
    ] {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        assert!(is_sensitive(&path), "{path:?}");
    }
    for path in [
        "gateway.auth.mode",
        "gateway.port",
        "agents.defaults.model.maxTokens.x",
        "gateway.auth.identityScopes.a.0",
        "channels.telegram.tokenFile",
        "models.providers.x.baseUrl",
        "gateway.auth.trustedProxy.userHeader",
    ] {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        assert!(!is_sensitive(&path), "{path:?}");
    }
}

#[test]
fn views_hide_and_keep_the_rest() {
    let text = format!(
        "// my file\n{{ gateway: {{ port: 1, /* here */ auth: {{ token: '{CANARY}', password: {{ source: 'env', id: 'P' }} }} }},\n  models: {{ providers: [{{ id: 'a', apiKey: \"{CANARY}\", url: 'https://u:{CANARY}@h/x' }}, {{ id: 'b', apiKey: '${{KEY}}' }}] }} }}\n"
    );
    let document = parse(&text);
    let shown = redact_text(&document).unwrap();
    assert_eq!(
        shown,
        text.replace(&format!("'{CANARY}'"), "\"__OPENCLAW_REDACTED__\"")
            .replace(&format!("\"{CANARY}\""), "\"__OPENCLAW_REDACTED__\"")
            .replace(&format!("'https://u:{CANARY}@h/x'"), "\"__OPENCLAW_REDACTED__\"")
    );
    let value = redact(&document.value);
    assert_eq!(
        value["gateway"]["auth"],
        json!({ "token": SENTINEL, "password": { "source": "env", "id": "P" } })
    );
    assert_eq!(value["models"]["providers"][1]["apiKey"], "${KEY}");
    assert!(holds_secret(&document.value));
    assert!(!holds_secret(&json!({ "gateway": { "port": 1, "auth": { "token": "${T}" } } })));
}

#[test]
fn a_secret_in_a_comment_hides_the_text() {
    for text in [
        "{ // token: 'old-secret-value'\n }",
        "{ /* \n apiKey = \"old-secret-value\" */ }",
        "{ // see https://user:pass@host/\n }",
        "{ gateway: { auth: { token: 'canary-canary' } } } // was canary-canary",
    ] {
        assert_eq!(redact_text(&parse(text)), None, "{text}");
    }
    assert!(redact_text(&parse("{ // token: see the vault\n a: 1 }")).is_some());
}

#[test]
fn e3_the_mark_comes_back_as_the_secret() {
    let original = parse(&format!(
        "{{ gateway: {{ auth: {{ token: '{CANARY}' /* c */ }} }}, l: [{{ id: 'a', key: 1, token: 'ta' }}, {{ id: 'b', token: 'tb' }}] }}"
    ));
    let shown = redact_text(&original).unwrap();
    assert_eq!(restore_text(&parse(&shown), Some(&original)).unwrap(), original.text);

    let swapped = parse(&format!(
        "{{ l: [{{ id: 'b', token: '{SENTINEL}' }}, {{ id: 'a', token: '{SENTINEL}' }}] }}"
    ));
    let restored = restore_text(&swapped, Some(&original)).unwrap();
    assert_eq!(restored, "{ l: [{ id: 'b', token: 'tb' }, { id: 'a', token: 'ta' }] }");

    for lost in [
        format!("{{ gateway: {{ auth: {{ password: '{SENTINEL}' }} }} }}"),
        format!("{{ gateway: {{ auth: {{ token: 'x{SENTINEL}' }} }} }}"),
        format!("{{ l: [{{ id: 'c', token: '{SENTINEL}' }}] }}"),
    ] {
        assert!(restore_text(&parse(&lost), Some(&original)).is_err(), "{lost}");
        assert!(restore_text(&parse(&lost), None).is_err(), "{lost}");
    }
    let path = ["gateway".to_owned(), "auth".to_owned()];
    let back =
        restore_value(&json!({ "token": SENTINEL, "mode": "token" }), &path, &original.value)
            .unwrap();
    assert_eq!(back, json!({ "token": CANARY, "mode": "token" }));
    assert!(restore_value(&json!({ "password": SENTINEL }), &path, &original.value).is_err());
}

proptest! {
    #[test]
    fn no_view_holds_the_canary(keys in prop::collection::vec("[a-z]{1,6}", 1..5), secret in prop::sample::select(vec!["apiKey", "token", "password", "clientSecret", "botToken"]), quote in prop::sample::select(vec!["'", "\""])) {
        let mut text = format!("{secret}: {quote}{CANARY}{quote}, note: 'x'");
        for key in &keys {
            text = format!("{key}: {{ {text} }}");
        }
        let document = parse(&format!("{{ {text} }}"));
        prop_assert!(!redact(&document.value).to_string().contains(CANARY));
        let shown = redact_text(&document).unwrap();
        prop_assert!(!shown.contains(CANARY));
        prop_assert_eq!(&restore_text(&parse(&shown), Some(&document)).unwrap(), &document.text);
    }
}
