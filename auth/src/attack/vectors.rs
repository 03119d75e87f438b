//! Signatures that official gateways accept: RFC 8032 is deterministic, so payload and signature are fixed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};

use super::fixture::scopes;
use crate::device::{Layout, Signed, payload, verify};
use crate::{Challenge, DeviceProof, Now, Protocol, PublicKey, Role, ScopeSet};

const DEVICE_ID: &str = "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c";
const PUBLIC_KEY: &str = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg";
const NONCE: &str = "11111111-2222-3333-4444-555555555555";
const SIGNED_AT: i64 = 1_737_264_000_000;

struct Vector {
    name: &'static str,
    layout: Layout,
    client: (&'static str, &'static str),
    role: Role,
    scopes: ScopeSet,
    token: &'static str,
    metadata: (&'static str, &'static str),
    tail: &'static str,
    signature: &'static str,
}

fn vectors() -> Vec<Vector> {
    let operator = |name, layout, metadata, tail, signature| Vector {
        name,
        layout,
        client: ("cli", "cli"),
        role: Role::Operator,
        scopes: scopes(&["operator.read", "operator.write"]),
        token: "tok-fake-1234",
        metadata,
        tail,
        signature,
    };
    let node = |name, layout, metadata, tail, signature| Vector {
        client: ("node-host", "node"),
        role: Role::Node,
        scopes: ScopeSet::empty(),
        token: "",
        ..operator(name, layout, metadata, tail, signature)
    };
    vec![
        operator(
            "v2-operator-token",
            Layout::V2,
            ("Linux", ""),
            "",
            "k1gdWVoNpWz4ArpSGq1EXuGyNmJGyMoloOvUtjrbaOR5EyvA9P9yERm4crdehJqzmq-AydLRG_5DxKODBpcSDQ",
        ),
        operator(
            "v3-operator-token",
            Layout::V3,
            ("Linux", ""),
            "|linux|",
            "pIqvB8Wgh_NJf6ODRqFftNmetXfAi8bYuqcH19M2IAXdT3ZF3jMi13acsVLgH4d1WZeEh1gKC1x50_G2NTtOBQ",
        ),
        operator(
            "v3-operator-token-deviceFamily",
            Layout::V3,
            (" macOS ", "Mac"),
            "|macos|mac",
            "YuUEuJ904VqenChJDfyjgVtOBgR4jdkpapw5s_56_C5sSUDwe1NHkUKHd2k6cJehc8CJ-vEx6NVzTRgVTWrECw",
        ),
        operator(
            "v3-non-ascii-platform",
            Layout::V3,
            ("ÄBC Linux", ""),
            "|Äbc linux|",
            "KE_XwtF_Ej4wm4d7Bosh2P_qeTo-gHi1VpseK27P1gD9dGK17wplsgLjDAEkRZBGDBZI2vNZ7cFDSiRw7K7rAg",
        ),
        node(
            "v2-no-token-no-scopes-node",
            Layout::V2,
            ("Linux", ""),
            "",
            "n9lHs9ICpKTj9_3Fb7eP7IjQEEH_8DFRhuEXkgOwWTNfm5_w9rlomGZY1-XxG1OZVvwdI_DGv2OCdaviK550BQ",
        ),
        node(
            "v3-no-token-no-scopes-node",
            Layout::V3,
            ("linux", "Linux"),
            "|linux|linux",
            "kgauQIYgdF9hXGkiGup48tFl-vLcyrDm43DRDCP2eyVAlucw70NAUuitSDpJvrGSdroqeJH_Ejgu4gRpBD7sDQ",
        ),
    ]
}

#[test]
fn payloads_and_signatures_are_those_of_official_clients() {
    let seed: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let signer = SigningKey::from_bytes(&seed);
    let key = PublicKey::parse(PUBLIC_KEY).unwrap();
    assert_eq!(key.device_id().as_str(), DEVICE_ID);
    assert_eq!(key.as_bytes(), &signer.verifying_key().to_bytes());
    let challenge = Challenge { nonce: NONCE.into(), issued_at: 0 };
    let now = Now { unix_ms: SIGNED_AT.unsigned_abs() + 119_000, uptime: Duration::ZERO };
    for vector in vectors() {
        let signed = Signed {
            client_id: vector.client.0,
            client_mode: vector.client.1,
            role: vector.role,
            scopes: &vector.scopes,
            signed_at: SIGNED_AT,
            token: vector.token.as_bytes(),
            nonce: NONCE,
            platform: vector.metadata.0,
            device_family: vector.metadata.1,
        };
        let bytes = payload(vector.layout, &key.device_id(), &signed);
        let words: Vec<_> = vector.scopes.words().collect();
        let version = if vector.layout == Layout::V2 { "v2" } else { "v3" };
        let expected = format!(
            "{version}|{DEVICE_ID}|{}|{}|{}|{}|{SIGNED_AT}|{}|{NONCE}{}",
            vector.client.0,
            vector.client.1,
            vector.role,
            words.join(","),
            vector.token,
            vector.tail
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected, "{}", vector.name);
        let signature = URL_SAFE_NO_PAD.encode(signer.sign(&bytes).to_bytes());
        assert_eq!(signature, vector.signature, "{}", vector.name);
        let proof = DeviceProof {
            id: DEVICE_ID.into(),
            public_key: PUBLIC_KEY.into(),
            signature: vector.signature.into(),
            signed_at: SIGNED_AT,
            nonce: format!(" {NONCE} ").into(),
        };
        let device = verify(&proof, &signed, &challenge, Protocol::V3, now).unwrap();
        assert_eq!(device.covers_metadata(), vector.layout == Layout::V3, "{}", vector.name);
    }
}
