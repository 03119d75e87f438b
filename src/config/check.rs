//! The file against the table of keys.
//!
//! Everything that is wrong is reported, each with its place. Under `gateway` an unknown key stops the
//! start: a typo in a security key must not pass in silence (`J6`). In `logging` and `secrets` it is a
//! warning, other sections are kept and listed. No message repeats a value of a secret key (`J13`).

use ipnet::IpNet;
use openclaw_auth::forwarded::ProxyRangeWarning;
use serde_json::{Map, Value};

use crate::config::document::{Segments, dotted};
use crate::config::include::Tree;
use crate::config::keys::{self, Key, Kind, Standing};
use crate::config::problem::{Problem, Warning};
use crate::config::secret::{self, SecretProvider, SecretRef};
use crate::config::values;

/// What the check found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// Stop the start.
    pub problems: Vec<Problem>,
    /// Worth a line.
    pub warnings: Vec<Warning>,
    /// Keys that nobody here reads, dotted.
    pub unread: Vec<String>,
}

/// The section in which an unknown key is an error.
const STRICT: &str = "gateway";

/// Checks the merged and interpolated `value`; `tree` knows the places.
pub fn check(value: &Value, tree: &Tree) -> Findings {
    let mut work = Check { tree, found: Findings::default(), path: Segments::new() };
    let Value::Object(root) = value else { return work.found };
    for (name, section) in root {
        work.path = vec![name.clone()];
        match keys::standing(name) {
            Standing::Section => work.section(section),
            Standing::Key(_) | Standing::Inside(_) => {}
            Standing::Unknown => work.foreign_section(name),
        }
    }
    work.found
}

struct Check<'t> {
    tree: &'t Tree,
    found: Findings,
    path: Segments,
}

impl Check<'_> {
    fn refuse(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        let hint = hint.into();
        let problem = Problem::new(dotted(&self.path), message).at(self.tree.place(&self.path));
        self.found.problems.push(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    fn warn(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.found.warnings.push(Warning::new(dotted(&self.path), message, hint));
    }

    fn foreign_section(&mut self, name: &str) {
        if keys::is_official_section(name) {
            if !matches!(name, "$schema" | "meta" | "wizard") {
                self.found.unread.push(name.to_owned());
            }
            return;
        }
        let hint = match keys::nearest(name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "remove it if nothing else needs it".to_owned(),
        };
        self.found.unread.push(name.to_owned());
        self.warn("no such section; it is kept and ignored", hint);
    }

    fn section(&mut self, value: &Value) {
        let Value::Object(map) = value else {
            return self.refuse(format!("an object is needed, not {}", name_of(value)), "");
        };
        for (name, inner) in map {
            self.path.push(name.clone());
            match keys::standing(&dotted(&self.path)) {
                Standing::Key(key) => self.key(key, inner),
                Standing::Section => self.section(inner),
                Standing::Inside(_) | Standing::Unknown => self.unknown(),
            }
            self.path.pop();
        }
    }

    fn unknown(&mut self) {
        let path = dotted(&self.path);
        let nearest = keys::nearest(&path);
        if self.path.first().is_some_and(|root| root == STRICT) {
            let mut problem = Problem::new(path, "no such key").at(self.tree.place(&self.path));
            problem.nearest = nearest.map(String::into_boxed_str);
            let odd = self.path.last().is_some_and(|name| !name.is_ascii());
            let hint = if odd {
                "the key holds a letter that only looks like an ASCII one: retype it"
            } else {
                "`openclaw config schema` lists every key"
            };
            return self.found.problems.push(problem.hint(hint));
        }
        let hint = nearest.map_or(String::new(), |near| format!("did you mean `{near}`?"));
        self.found.unread.push(path);
        self.warn("no such key here; it is kept and ignored", hint);
    }

    fn key(&mut self, key: &'static Key, value: &Value) {
        match key.kind {
            Kind::Unread => self.found.unread.push(key.path.to_owned()),
            Kind::Refused(_) if *value == Value::Bool(false) => {}
            Kind::Refused(why) => self.refuse(why, "remove the key"),
            Kind::Flag if value.is_boolean() => {}
            Kind::Flag => self.refuse(needs("`true` or `false`", value), ""),
            Kind::Number(least, most) => self.number(value, least, most),
            Kind::Word(words) => self.word(value, words),
            Kind::Secret => self.secret(value),
            Kind::TextOrFalse if *value == Value::Bool(false) => {}
            Kind::Text | Kind::Path | Kind::TextOrFalse => self.text(value, |text| {
                if text.trim().is_empty() { Err("the text is empty".to_owned()) } else { Ok(()) }
            }),
            Kind::BasePath => self.text(value, |text| values::base_path(text).map(drop)),
            Kind::Header => self.text(value, |text| values::header_name(text).map(drop)),
            Kind::PublicOrigin => self.text(value, |text| values::public_origin(text).map(drop)),
            Kind::SocketUrl => self.text(value, values::socket_url),
            Kind::Fingerprint => self.text(value, |text| values::fingerprint(text).map(drop)),
            Kind::Texts => self.texts(value, |_| Ok(())),
            Kind::Headers => self.texts(value, |text| values::header_name(text).map(drop)),
            Kind::Origins => self.texts(value, |text| values::origin(text).map(drop)),
            Kind::Networks => self.networks(value),
            Kind::Numbers(most) => self.numbers(value, most),
            Kind::Scopes => self.scopes(value),
            Kind::Providers => self.providers(value),
            Kind::TextMap => self.text_map(value),
        }
    }

    fn number(&mut self, value: &Value, least: u64, most: u64) {
        let inside = value.as_u64().is_some_and(|number| (least..=most).contains(&number));
        if !inside {
            self.refuse(needs(&format!("a whole number from {least} to {most}"), value), "");
        }
    }

    fn word(&mut self, value: &Value, words: &[&str]) {
        let allowed = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let Value::String(text) = value else {
            return self.refuse(needs(&format!("one of {allowed}"), value), "");
        };
        if words.contains(&text.as_str()) {
            return;
        }
        if self.path == ["gateway", "bind"]
            && let Err(refusal) = openclaw_bind::Mode::parse(text, None)
        {
            return self.refuse(refusal.to_string(), refusal.hint());
        }
        let hint = match keys::closest(text, words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {allowed}"),
        };
        self.refuse("not one of its words", hint);
    }

    fn text(&mut self, value: &Value, parse: impl Fn(&str) -> Result<(), String>) {
        match value.as_str().map(parse) {
            Some(Ok(())) => {}
            Some(Err(message)) => self.refuse(message, ""),
            None => self.refuse(needs("a text", value), ""),
        }
    }

    fn each(&mut self, value: &Value, mut see: impl FnMut(&mut Self, &Value)) {
        let Value::Array(items) = value else {
            return self.refuse(needs("a list", value), "write `[ … ]`");
        };
        for (index, item) in items.iter().enumerate() {
            self.path.push(index.to_string());
            see(self, item);
            self.path.pop();
        }
    }

    fn texts(&mut self, value: &Value, parse: impl Fn(&str) -> Result<(), String>) {
        self.each(value, |work, item| work.text(item, &parse));
    }

    fn numbers(&mut self, value: &Value, most: u64) {
        self.each(value, |work, item| work.number(item, 0, most));
    }

    fn networks(&mut self, value: &Value) {
        self.each(value, |work, item| match item.as_str().map(values::cidr) {
            None => work.refuse(needs("an address or a CIDR", item), ""),
            Some(Err(message)) => {
                work.refuse(message, "list the addresses of the proxies or nodes")
            }
            Some(Ok(found)) => {
                for warning in found.warnings {
                    work.network_warning(warning, found.net);
                }
            }
        });
    }

    fn network_warning(&mut self, warning: ProxyRangeWarning, net: IpNet) {
        match warning {
            ProxyRangeWarning::HostBits => {
                self.warn(format!("host bits are cleared: `{net}` counts"), "");
            }
            ProxyRangeWarning::Wide => {
                let hint = "anybody in that network is believed; name single hosts";
                self.warn(format!("`{net}` holds very many hosts"), hint);
            }
        }
    }

    fn secret(&mut self, value: &Value) {
        match value {
            Value::String(_) => {}
            Value::Object(_) => match serde_json::from_value::<SecretRef>(value.clone()) {
                Ok(reference) => {
                    if let Err(message) = secret::check_reference(&reference) {
                        self.refuse(message, "");
                    }
                }
                Err(_) => self.refuse(
                    "not a secret reference",
                    "write { source: \"env\" | \"file\" | \"exec\", provider: \"…\", id: \"…\" }",
                ),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                self.refuse(needs("a text or a secret reference", value), "");
            }
        }
    }

    fn entries<'v>(&mut self, value: &'v Value) -> Option<&'v Map<String, Value>> {
        if !value.is_object() {
            self.refuse(needs("an object", value), "write `{ … }`");
        }
        value.as_object()
    }

    fn scopes(&mut self, value: &Value) {
        let Some(map) = self.entries(value) else { return };
        for (login, scopes) in map {
            self.path.push(login.clone());
            self.each(scopes, |work, item| work.word(item, keys::table::SCOPES));
            self.path.pop();
        }
    }

    fn text_map(&mut self, value: &Value) {
        let Some(map) = self.entries(value) else { return };
        for (name, inner) in map {
            self.path.push(name.clone());
            self.text(inner, |_| Ok(()));
            self.path.pop();
        }
    }

    fn providers(&mut self, value: &Value) {
        let Some(map) = self.entries(value) else { return };
        for (name, provider) in map {
            self.path.push(name.clone());
            if provider.get("source").and_then(Value::as_str) == Some("store") {
                self.warn("the shared secret store is not part of this gateway", "");
            } else if provider.get("pluginIntegration").is_some() {
                self.warn("secret providers of plugins are not part of this gateway", "");
            } else if serde_json::from_value::<SecretProvider>(provider.clone()).is_err() {
                self.refuse(
                    "not a secret provider",
                    "write { source: \"env\" }, { source: \"file\", path }, or { source: \"exec\", command }",
                );
            }
            if !secret::is_provider_name(name) {
                self.refuse("not a provider name", "use a-z, 0-9, `_` and `-`, up to 64");
            }
            self.path.pop();
        }
    }
}

fn needs(what: &str, value: &Value) -> String {
    format!("{what} is needed, not {}", name_of(value))
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "`null`",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "this number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
