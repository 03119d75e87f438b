//! Device identities and what they sign (wire contract 5), written down here a second time on purpose.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A device with a key of its own.
#[derive(Clone)]
pub struct Device {
    key: SigningKey,
    pub id: String,
    pub public_key: String,
}

/// Which payload is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    V1,
    V2,
    V3,
}

impl Device {
    pub fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = key.verifying_key().to_bytes();
        let id = Sha256::digest(public).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { key, id, public_key: URL_SAFE_NO_PAD.encode(public) }
    }

    pub fn sign(&self, payload: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(payload.as_bytes()).to_bytes())
    }

    /// The device block for `params`, which hold everything else that is signed.
    pub fn block(&self, params: &Value, layout: Layout, (nonce, signed_at): (&str, i64)) -> Value {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().map(text).collect()
        };
        let client = &params["client"];
        let auth = &params["auth"];
        let token = [&auth["token"], &auth["deviceToken"]].into_iter().find_map(Value::as_str);
        let role = params["role"].as_str().unwrap_or("operator");
        let mut parts = vec![
            match layout {
                Layout::V1 => "v1",
                Layout::V2 => "v2",
                Layout::V3 => "v3",
            }
            .to_owned(),
            self.id.clone(),
            text(&client["id"]),
            text(&client["mode"]),
            role.to_owned(),
            list(&params["scopes"]).join(","),
            signed_at.to_string(),
            token.unwrap_or_default().to_owned(),
        ];
        if layout != Layout::V1 {
            parts.push(nonce.trim().to_owned());
        }
        if layout == Layout::V3 {
            parts.push(text(&client["platform"]).trim().to_ascii_lowercase());
            parts.push(text(&client["deviceFamily"]).trim().to_ascii_lowercase());
        }
        json!({
            "id": self.id, "publicKey": self.public_key, "signature": self.sign(&parts.join("|")),
            "signedAt": signed_at, "nonce": nonce,
        })
    }
}

/// The worked example of the wire contract (5.3): a signature that others made.
#[test]
fn the_published_vector_comes_out() {
    let seed: Vec<u8> = (0..32).collect();
    let key = SigningKey::from_bytes(&seed.try_into().expect("32 bytes"));
    let public_key = URL_SAFE_NO_PAD.encode(key.verifying_key().to_bytes());
    let id = "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c".to_owned();
    let device = Device { key, id, public_key };
    let params = json!({
        "client": { "id": "cli", "mode": "cli", "platform": "Linux" },
        "scopes": ["operator.read", "operator.write"], "auth": { "token": "tok-fake-1234" },
    });
    let nonce = "11111111-2222-3333-4444-555555555555";
    let signature =
        |layout| device.block(&params, layout, (nonce, 1_737_264_000_000))["signature"].clone();
    let v2 =
        "k1gdWVoNpWz4ArpSGq1EXuGyNmJGyMoloOvUtjrbaOR5EyvA9P9yERm4crdehJqzmq-AydLRG_5DxKODBpcSDQ";
    let v3 =
        "pIqvB8Wgh_NJf6ODRqFftNmetXfAi8bYuqcH19M2IAXdT3ZF3jMi13acsVLgH4d1WZeEh1gKC1x50_G2NTtOBQ";
    assert_eq!((signature(Layout::V2), signature(Layout::V3)), (v2.into(), v3.into()));
}
