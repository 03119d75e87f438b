//! This device's Ed25519 key: `<state>/identity/device.json`, the official file, 0600.
//!
//! An identity that the official CLI made is used as it is, so a paired device stays paired. A damaged file
//! is never replaced silently: that would be a new device that an operator must approve again.

use std::{io, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{
    Signer, SigningKey,
    pkcs8::{
        DecodePrivateKey, EncodePrivateKey, EncodePublicKey, KeypairBytes,
        spki::der::pem::LineEnding,
    },
};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    client::error::{ClientError, Kind},
    store::private_file,
};

const FILE: &str = "device.json";

/// A device key. `Debug` shows the id alone.
pub struct DeviceIdentity {
    /// Lower-case hex SHA-256 of the raw public key.
    pub id: String,
    key: SigningKey,
}

/// What we read of the file; the id and the public key follow from the private one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    private_key_pem: String,
}

impl DeviceIdentity {
    /// The stored identity, or none.
    ///
    /// # Errors
    /// The file is there and cannot be used.
    pub fn load(folder: &Path) -> Result<Option<Self>, ClientError> {
        let path = folder.join(FILE);
        let Some(text) = private_file::read(&path).map_err(|error| unusable(&path, &error))? else {
            return Ok(None);
        };
        let stored: Stored =
            serde_json::from_str(&text).map_err(|error| unusable(&path, &shape(&error)))?;
        let pem = Zeroizing::new(stored.private_key_pem);
        let key = SigningKey::from_pkcs8_pem(&pem)
            .map_err(|error| unusable(&path, &format!("its key is not Ed25519 in PEM: {error}")))?;
        Ok(Some(Self::of(key)))
    }

    /// The stored identity, or a new one that is stored first.
    ///
    /// # Errors
    /// The file cannot be used or not be written.
    pub fn load_or_create(folder: &Path, now_ms: u64) -> Result<Self, ClientError> {
        if let Some(identity) = Self::load(folder)? {
            return Ok(identity);
        }
        let path = folder.join(FILE);
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(seed.as_mut()).map_err(|error| unusable(&path, &error))?;
        let identity = Self::of(SigningKey::from_bytes(&seed));
        let text = identity.to_json(now_ms).map_err(|error| unusable(&path, &error))?;
        private_file::write(&path, &text).map_err(|error| unusable(&path, &error))?;
        Ok(identity)
    }

    fn of(key: SigningKey) -> Self {
        let id = Sha256::digest(key.verifying_key().as_bytes());
        Self { id: id.iter().map(|byte| format!("{byte:02x}")).collect(), key }
    }

    fn to_json(&self, now_ms: u64) -> io::Result<Zeroizing<String>> {
        let public = self.key.verifying_key();
        // The first form of PKCS#8, without the public key: the one that every reader knows.
        let pair = KeypairBytes { secret_key: self.key.to_bytes(), public_key: None };
        let private = pair.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
        let document = json!({
            "version": 1,
            "deviceId": self.id,
            "publicKeyPem": public.to_public_key_pem(LineEnding::LF).map_err(io::Error::other)?,
            "privateKeyPem": private.as_str(),
            "createdAtMs": now_ms,
        });
        let text = format!("{document:#}");
        Ok(Zeroizing::new(text + "\n"))
    }

    /// The raw public key, base64url without padding.
    #[must_use]
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes())
    }

    /// The signature over `payload`, base64url without padding.
    #[must_use]
    pub fn sign(&self, payload: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(payload.as_bytes()).to_bytes())
    }
}

impl std::fmt::Debug for DeviceIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceIdentity").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The place of a JSON fault without the text around it, which may be the key.
fn shape(error: &serde_json::Error) -> String {
    format!("it is not the expected JSON (line {}, column {})", error.line(), error.column())
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> ClientError {
    ClientError::new(Kind::State, format!("cannot use `{}`: {why}", path.display())).hint(
        "move the file away to get a new device identity; an operator must then approve this device again",
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn vector() -> DeviceIdentity {
        let mut seed = [0_u8; 32];
        for (at, byte) in seed.iter_mut().enumerate() {
            *byte = u8::try_from(at).expect("small");
        }
        DeviceIdentity::of(SigningKey::from_bytes(&seed))
    }

    #[test]
    fn the_published_vector_signs_as_everyone_does() {
        let identity = vector();
        assert_eq!(identity.id, "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c");
        assert_eq!(identity.public_key(), "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
        let payload = format!(
            "v3|{}|cli|cli|operator|operator.read,operator.write|1737264000000|tok-fake-1234|11111111-2222-3333-4444-555555555555|linux|",
            identity.id
        );
        assert_eq!(
            identity.sign(&payload),
            "pIqvB8Wgh_NJf6ODRqFftNmetXfAi8bYuqcH19M2IAXdT3ZF3jMi13acsVLgH4d1WZeEh1gKC1x50_G2NTtOBQ"
        );
    }

    #[test]
    fn a_new_identity_is_private_and_stays() {
        let home = tempfile::tempdir().expect("temp");
        let folder = home.path().join("identity");
        assert!(DeviceIdentity::load(&folder).expect("load").is_none());
        let made = DeviceIdentity::load_or_create(&folder, 7).expect("made");
        let again = DeviceIdentity::load_or_create(&folder, 8).expect("again");
        assert_eq!(made.id, again.id);
        let path = folder.join(FILE);
        assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&folder).expect("folder").permissions().mode() & 0o777, 0o700);
        let json: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).expect("text")).expect("json");
        assert_eq!(json["version"], 1);
        assert_eq!(json["createdAtMs"], 7);
        // The official file holds the 48-byte form: 64 characters of base64 between its two lines.
        assert_eq!(json["privateKeyPem"].as_str().expect("pem").len(), 119);
        assert_eq!(json["publicKeyPem"].as_str().expect("pem").len(), 113);
    }

    #[test]
    fn an_official_identity_is_reused_and_its_mode_tightened() {
        let home = tempfile::tempdir().expect("temp");
        // The seed of the published vector, in the form that Node.js writes.
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n";
        let json = serde_json::json!({"version": 1, "deviceId": "stale", "publicKeyPem": "", "privateKeyPem": pem, "createdAtMs": 1, "extra": true});
        let path = home.path().join(FILE);
        fs::write(&path, json.to_string()).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("mode");
        let identity = DeviceIdentity::load(home.path()).expect("load").expect("some");
        assert_eq!(identity.id, vector().id);
        assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn j13_a_damaged_identity_is_kept_and_not_quoted() {
        let home = tempfile::tempdir().expect("temp");
        let path = home.path().join(FILE);
        for text in [
            "{",
            "[]",
            r#"{"version":1,"deviceId":"x","publicKeyPem":"","privateKeyPem":"CANARY","createdAtMs":1}"#,
        ] {
            fs::write(&path, text).expect("write");
            let error = DeviceIdentity::load_or_create(home.path(), 1).expect_err(text);
            assert_eq!(error.kind, Kind::State);
            assert!(!format!("{error:?}").contains("CANARY"));
            assert_eq!(fs::read_to_string(&path).expect("kept"), text);
        }
    }
}
