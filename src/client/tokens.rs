//! Device tokens that gateways gave us: `<state>/identity/device-auth.json`, the official file, 0600.
//!
//! One token per role, bound to the device key beside it. Fields that we do not know stay in the file.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{
    client::error::{ClientError, Kind},
    config::secret::SecretValue,
    store::private_file,
};

const FILE: &str = "device-auth.json";

/// The stored token of `device` for `role`. A damaged file means no token: the gateway gives a new one.
///
/// # Errors
/// The file is there and cannot be read.
pub fn load(folder: &Path, device: &str, role: &str) -> Result<Option<SecretValue>, ClientError> {
    let document = document(folder, device)?;
    let entry = document.get("tokens").and_then(|tokens| tokens.get(role));
    let token = entry.and_then(|entry| entry.get("token")).and_then(Value::as_str);
    Ok(token.filter(|token| !token.is_empty()).map(SecretValue::new))
}

/// A token as a gateway issued it.
#[derive(Debug)]
pub struct Issued<'a> {
    pub role: &'a str,
    pub token: &'a SecretValue,
    pub scopes: &'a [String],
}

/// Keeps `issued`, if it is not the one that is there.
///
/// # Errors
/// The file cannot be read or not be written.
pub fn store(
    folder: &Path,
    device: &str,
    issued: &Issued<'_>,
    now_ms: u64,
) -> Result<(), ClientError> {
    if load(folder, device, issued.role)?.as_ref() == Some(issued.token) {
        return Ok(());
    }
    let mut document = document(folder, device)?;
    document.insert("version".to_owned(), json!(1));
    document.insert("deviceId".to_owned(), json!(device));
    let tokens = document.entry("tokens").or_insert_with(|| json!({}));
    if !tokens.is_object() {
        *tokens = json!({});
    }
    if let Some(tokens) = tokens.as_object_mut() {
        let entry = json!({
            "token": issued.token.expose(), "role": issued.role, "scopes": issued.scopes,
            "updatedAtMs": now_ms,
        });
        tokens.insert(issued.role.to_owned(), entry);
    }
    let path = folder.join(FILE);
    let text = format!("{:#}\n", Value::Object(document));
    private_file::write(&path, &text).map_err(|error| unusable(&path, &error))
}

/// The file as it is; empty where there is none or where it belongs to another device.
fn document(folder: &Path, device: &str) -> Result<Map<String, Value>, ClientError> {
    let path = folder.join(FILE);
    let text = private_file::read(&path).map_err(|error| unusable(&path, &error))?;
    let value = text.and_then(|text| serde_json::from_str(&text).ok());
    Ok(match value {
        Some(Value::Object(map)) if map.get("deviceId") == Some(&json!(device)) => map,
        Some(_) | None => Map::new(),
    })
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> ClientError {
    ClientError::new(Kind::State, format!("cannot use `{}`: {why}", path.display()))
        .hint("check its owner and mode; deleting it costs at most one more approval")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_token_is_kept_per_role_and_device() {
        let home = tempfile::tempdir().expect("temp");
        let folder = home.path();
        let official = json!({
            "version": 1, "deviceId": "dev", "future": {"x": 1},
            "tokens": {"node": {"token": "n", "role": "node", "scopes": [], "updatedAtMs": 1}},
        });
        fs::write(folder.join(FILE), official.to_string()).expect("write");
        let token = SecretValue::new("op");
        let scopes = ["operator.read".to_owned()];
        let issued = Issued { role: "operator", token: &token, scopes: &scopes };
        store(folder, "dev", &issued, 9).expect("store");
        assert_eq!(load(folder, "dev", "operator").expect("load"), Some(token));
        assert_eq!(load(folder, "dev", "node").expect("load"), Some(SecretValue::new("n")));
        assert_eq!(load(folder, "other", "operator").expect("load"), None);
        let text = fs::read_to_string(folder.join(FILE)).expect("text");
        let json: Value = serde_json::from_str(&text).expect("json");
        assert_eq!(json["future"]["x"], 1);
        assert_eq!(json["tokens"]["operator"]["updatedAtMs"], 9);
        let mode = fs::metadata(folder.join(FILE)).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_means_no_token() {
        let home = tempfile::tempdir().expect("temp");
        for text in ["", "{", "[]", r#"{"deviceId":"dev","tokens":5}"#] {
            fs::write(home.path().join(FILE), text).expect("write");
            assert_eq!(load(home.path(), "dev", "operator").expect("load"), None, "{text}");
            let token = SecretValue::new("t");
            let issued = Issued { role: "operator", token: &token, scopes: &[] };
            store(home.path(), "dev", &issued, 1).expect("store");
            assert_eq!(load(home.path(), "dev", "operator").expect("load"), Some(token));
        }
    }
}
