//! The JSON Schema, the UI hints and the lookup of one path, all from the table of keys.
//!
//! `config.schema` and `openclaw config schema` give the same document. Below `gateway` nothing else is
//! allowed; elsewhere other keys are, because they are official features that we keep and ignore.

use serde_json::{Map, Value, json};

use crate::config::keys::table::{KEYS, SCOPES};
use crate::config::keys::{self, Key, Kind, ReloadClass, Standing};

/// The dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The reply of `config.schema`: `{ schema, uiHints, version, generatedAt }`.
///
/// `version` is the product's, `generated_at` an RFC 3339 time.
pub fn reply(version: &str, generated_at: &str) -> Value {
    json!({
        "schema": schema(),
        "uiHints": hints(),
        "version": version,
        "generatedAt": generated_at,
    })
}

/// The schema of the file.
pub fn schema() -> Value {
    let mut root = node("");
    if let Value::Object(map) = &mut root {
        map.insert("$schema".to_owned(), json!(DIALECT));
        map.insert("title".to_owned(), json!("OpenClaw configuration"));
    }
    root
}

/// The schema of `path`, whole.
fn node(path: &str) -> Value {
    if let Standing::Key(key) = keys::standing(path) {
        return leaf(key);
    }
    let properties: Map<String, Value> = keys::children(path)
        .into_iter()
        .map(|name| (name.to_owned(), node(&keys::join(path, name))))
        .collect();
    json!({
        "type": "object",
        "title": label(path),
        "properties": properties,
        "additionalProperties": !is_strict(path),
    })
}

fn is_strict(path: &str) -> bool {
    path == "gateway" || keys::is_below(path, "gateway")
}

fn leaf(key: &Key) -> Value {
    let mut schema = shape(key.kind);
    if let Value::Object(map) = &mut schema {
        map.insert("title".to_owned(), json!(label(key.path)));
        map.insert("description".to_owned(), json!(key.about));
        if let Some(default) = key.default_value() {
            map.insert("default".to_owned(), default);
        }
    }
    schema
}

fn shape(kind: Kind) -> Value {
    let texts = |item: Value| json!({ "type": "array", "items": item });
    match kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Text | Kind::Path => json!({ "type": "string", "minLength": 1 }),
        Kind::BasePath => json!({ "type": "string" }),
        Kind::Header => json!({ "type": "string", "minLength": 1, "maxLength": 128 }),
        Kind::PublicOrigin => json!({ "type": "string", "pattern": "^https?://[^/?#@]+/?$" }),
        Kind::SocketUrl => json!({ "type": "string", "pattern": "^wss?://" }),
        Kind::Fingerprint => json!({ "type": "string", "minLength": 64 }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::TextOrFalse => json!({ "anyOf": [{ "type": "string" }, { "const": false }] }),
        Kind::Secret => json!({ "anyOf": [{ "type": "string", "minLength": 1 }, reference()] }),
        Kind::Texts | Kind::Headers | Kind::Networks => texts(json!({ "type": "string" })),
        Kind::Origins => texts(json!({ "type": "string", "pattern": "^[a-z-]+://[^/?#@*]+/?$" })),
        Kind::Numbers(most) => texts(json!({ "type": "integer", "minimum": 0, "maximum": most })),
        Kind::Scopes => json!({
            "type": "object",
            "additionalProperties": texts(json!({ "type": "string", "enum": SCOPES })),
        }),
        Kind::Providers => json!({
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["source"],
                "properties": { "source": { "type": "string" } },
            },
        }),
        Kind::TextMap => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Unread => json!({}),
        Kind::Refused(_) => json!({ "const": false }),
    }
}

fn reference() -> Value {
    json!({
        "type": "object",
        "required": ["source", "id"],
        "properties": {
            "source": { "type": "string", "enum": ["env", "file", "exec"] },
            "provider": { "type": "string", "pattern": "^[a-z][a-z0-9_-]{0,63}$" },
            "id": { "type": "string", "minLength": 1 },
        },
        "additionalProperties": false,
    })
}

/// The hints of every key and section that somebody here reads.
pub fn hints() -> Value {
    let mut map = Map::new();
    for key in KEYS.iter().filter(|key| key.reload != ReloadClass::None) {
        let mut section = "";
        for (dot, _) in key.path.match_indices('.') {
            section = key.path.get(..dot).unwrap_or(section);
            map.entry(section).or_insert_with(|| json!({ "label": label(section) }));
        }
        map.insert(key.path.to_owned(), hint(key));
    }
    for (order, section) in keys::children("").into_iter().enumerate() {
        if let Some(Value::Object(hint)) = map.get_mut(section) {
            hint.insert("group".to_owned(), json!(label(section)));
            hint.insert("order".to_owned(), json!(order));
        }
    }
    Value::Object(map)
}

/// Keys that most people set; a form shows the others on demand.
const COMMON: [&str; 9] = [
    "gateway.mode",
    "gateway.port",
    "gateway.bind",
    "gateway.auth.mode",
    "gateway.auth.token",
    "gateway.auth.password",
    "gateway.tailscale.mode",
    "gateway.remote.url",
    "logging.level",
];

fn hint(key: &Key) -> Value {
    let mut hint = json!({
        "label": label(key.path),
        "help": key.about,
        "advanced": !COMMON.contains(&key.path),
    });
    if let (true, Value::Object(map)) = (key.is_secret(), &mut hint) {
        map.insert("sensitive".to_owned(), json!(true));
    }
    hint
}

/// `gateway.controlUi.allowedOrigins` -> `Allowed Origins`.
fn label(path: &str) -> String {
    let name = path.rsplit('.').next().unwrap_or_default();
    let mut words = String::new();
    for (index, c) in name.chars().enumerate() {
        match (index, c.is_ascii_uppercase()) {
            (0, _) => words.extend(c.to_uppercase()),
            (_, true) => words.extend([' ', c]),
            (_, false) => words.push(c),
        }
    }
    words.replace(" Ms", " (ms)").replace("Tls", "TLS").replace("Ssh", "SSH").replace(" Ui", " UI")
}

/// The reply of `config.schema.lookup` for `path` (`.` is the root); `None` where nothing is.
pub fn lookup(path: &str) -> Option<Value> {
    let normal = path.replace('[', ".").replace([']', '/'], ".");
    let names: Vec<&str> = normal.split('.').filter(|name| !name.is_empty()).collect();
    let normal = names.join(".");
    let children: Vec<Value> = match keys::standing(&normal) {
        Standing::Key(_) => Vec::new(),
        Standing::Section => {
            keys::children(&normal).into_iter().map(|name| child(&normal, name)).collect()
        }
        Standing::Inside(_) | Standing::Unknown => return None,
    };
    let mut schema = node(&normal);
    if let Value::Object(map) = &mut schema {
        map.shift_remove("properties");
    }
    let shown = if normal.is_empty() { "." } else { &normal };
    let mut reply = json!({ "path": shown, "schema": schema, "children": children });
    annotate(&mut reply, &normal);
    Some(reply)
}

fn child(section: &str, name: &str) -> Value {
    let path = keys::join(section, name);
    let is_section = keys::standing(&path) == Standing::Section;
    let mut entry = json!({
        "key": name,
        "path": path,
        "required": false,
        "hasChildren": is_section,
    });
    let kind = if is_section { Some(json!("object")) } else { node(&path).get("type").cloned() };
    if let (Some(kind), Value::Object(map)) = (kind, &mut entry) {
        map.insert("type".to_owned(), kind);
    }
    annotate(&mut entry, &path);
    entry
}

/// Adds what the table knows of `path`: reload class and hint.
fn annotate(entry: &mut Value, path: &str) {
    let (Some(key), Value::Object(map)) = (keys::find(path), entry) else { return };
    map.insert("reloadKind".to_owned(), json!(key.reload.as_str()));
    if key.reload != ReloadClass::None {
        map.insert("hint".to_owned(), hint(key));
        map.insert("hintPath".to_owned(), json!(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_schema() {
        let schema = schema();
        for key in KEYS {
            let pointer =
                key.path.split('.').fold(String::new(), |at, name| at + "/properties/" + name);
            let found = schema.pointer(&pointer).unwrap_or_else(|| panic!("{}", key.path));
            assert_eq!(found.get("default").cloned(), key.default_value(), "{}", key.path);
        }
        assert_eq!(schema.pointer("/properties/gateway/additionalProperties"), Some(&json!(false)));
        assert_eq!(schema.pointer("/additionalProperties"), Some(&json!(true)));
        assert_eq!(
            schema.pointer("/properties/gateway/properties/auth/properties/mode/enum/3"),
            Some(&json!("trusted-proxy"))
        );
    }

    #[test]
    fn hints_mark_secrets() {
        let hints = hints();
        for key in KEYS.iter().filter(|key| key.reload != ReloadClass::None) {
            let sensitive = hints[key.path].get("sensitive") == Some(&json!(true));
            assert_eq!(sensitive, key.is_secret(), "{}", key.path);
        }
        assert_eq!(hints["gateway"]["group"], "Gateway");
        assert_eq!(hints["gateway.auth.rateLimit.windowMs"]["label"], "Window (ms)");
    }

    #[test]
    fn lookup_shows_one_level() {
        let root = lookup(".").unwrap();
        assert_eq!(root["path"], ".");
        assert_eq!(root["children"].as_array().unwrap().len(), 3);
        let gateway = lookup("gateway").unwrap();
        let bind = gateway["children"].as_array().unwrap().iter().find(|one| one["key"] == "bind");
        assert_eq!(bind.unwrap()["reloadKind"], "restart");
        assert_eq!(bind.unwrap()["hasChildren"], false);
        assert!(gateway["schema"].get("properties").is_none());
        let token = lookup("gateway.auth.token").unwrap();
        assert_eq!(token["hint"]["sensitive"], true);
        assert_eq!(token["children"], json!([]));
        assert!(lookup("gateway.nope").is_none());
        assert!(lookup("agents.defaults").is_none());
    }
}
