//! The signed payload and its verification.

use ed25519_dalek::Signature;

use super::{Challenge, DeviceId, DeviceProof, PublicKey, decode_base64, read_point};
use crate::policy::{Now, Protocol};
use crate::role::Role;
use crate::scope::ScopeSet;

/// How far a client's clock may be off, both ways (H3, protocol 5.1).
const MAX_SKEW_MS: u64 = 120_000;
/// 64 bytes in padded base64.
const MAX_SIGNATURE_TEXT: usize = 88;

/// What is wrong with a device block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceFault {
    /// The id is not the fingerprint of the key, or the key is none (H4, H6).
    IdMismatch,
    /// `signedAt` is too far off (H3).
    Expired,
    /// The nonce is blank (H2).
    NonceMissing,
    /// The nonce is not this connection's (H1).
    NonceMismatch,
    /// The signature does not cover what was sent (H5).
    Signature,
    /// A paired id came with another key (H7).
    PublicKey,
}

/// The fields of a connect that the device signs.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    pub client_id: &'a str,
    pub client_mode: &'a str,
    pub role: Role,
    pub scopes: &'a ScopeSet,
    pub signed_at: i64,
    /// `auth.token`, else `auth.deviceToken`, else empty; never the password.
    pub token: &'a [u8],
    pub nonce: &'a str,
    pub platform: &'a str,
    pub device_family: &'a str,
}

/// A device whose key signed this connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDevice {
    id: DeviceId,
    key: PublicKey,
    layout: Layout,
}

/// The two payload layouts still served; the first one, without nonce, is not (protocol 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    V2,
    V3,
}

impl VerifiedDevice {
    #[must_use]
    pub fn id(&self) -> &DeviceId {
        &self.id
    }

    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Platform and device family were part of the signature.
    #[must_use]
    pub fn covers_metadata(&self) -> bool {
        self.layout == Layout::V3
    }
}

/// The exact bytes that are signed: parts joined by `|`, scopes in the order sent.
#[must_use]
pub fn payload(layout: Layout, id: &DeviceId, signed: &Signed<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(match layout {
        Layout::V2 => b"v2",
        Layout::V3 => b"v3",
    });
    for part in [id.as_str(), signed.client_id, signed.client_mode, signed.role.as_str()] {
        out.push(b'|');
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'|');
    for (index, word) in signed.scopes.words().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(word.as_bytes());
    }
    let signed_at = signed.signed_at.to_string();
    for part in [signed_at.as_bytes(), signed.token, signed.nonce.as_bytes()] {
        out.push(b'|');
        out.extend_from_slice(part);
    }
    if layout == Layout::V3 {
        for part in [signed.platform, signed.device_family] {
            out.push(b'|');
            out.extend(part.trim().bytes().map(|byte| byte.to_ascii_lowercase()));
        }
    }
    out
}

/// Check one device block: id, time, nonce, signature, in the order of the wire (protocol 4.2).
///
/// The layout that the client is known to use is tried first, so an honest client costs one verification.
///
/// # Errors
/// The first fault found.
pub fn verify(
    proof: &DeviceProof,
    signed: &Signed<'_>,
    challenge: &Challenge,
    protocol: Protocol,
    now: Now,
) -> Result<VerifiedDevice, DeviceFault> {
    let point = read_point(&proof.public_key).ok_or(DeviceFault::IdMismatch)?;
    let key = PublicKey(point.to_bytes());
    let id = key.device_id();
    if *id.0 != *proof.id {
        return Err(DeviceFault::IdMismatch);
    }
    if !is_fresh(proof.signed_at, challenge, now) {
        return Err(DeviceFault::Expired);
    }
    let nonce = proof.nonce.trim();
    if nonce.is_empty() {
        return Err(DeviceFault::NonceMissing);
    }
    if nonce != &*challenge.nonce {
        return Err(DeviceFault::NonceMismatch);
    }
    let signature = read_signature(&proof.signature).ok_or(DeviceFault::Signature)?;
    layouts(signed.client_id, protocol)
        .into_iter()
        .flatten()
        .find(|layout| point.verify_strict(&payload(*layout, &id, signed), &signature).is_ok())
        .map(|layout| VerifiedDevice { id, key, layout })
        .ok_or(DeviceFault::Signature)
}

/// Both Control UIs sign the second layout, everybody else the third (protocol 5.2). A protocol-4 client that is not a
/// browser has no reason to leave its metadata unsigned (H5).
fn layouts(client_id: &str, protocol: Protocol) -> [Option<Layout>; 2] {
    let browser = matches!(
        client_id,
        "openclaw-control-ui" | "webchat" | "webchat-ui" | "openclaw-browser-copilot"
    );
    match (browser, protocol) {
        (true, _) => [Some(Layout::V2), Some(Layout::V3)],
        (false, Protocol::V3) => [Some(Layout::V3), Some(Layout::V2)],
        (false, Protocol::V4) => [Some(Layout::V3), None],
    }
}

/// Near our clock, or the challenge's own time: a client with a wrong clock may simply echo it (H3).
fn is_fresh(signed_at: i64, challenge: &Challenge, now: Now) -> bool {
    u64::try_from(signed_at)
        .is_ok_and(|at| at == challenge.issued_at || at.abs_diff(now.unix_ms) <= MAX_SKEW_MS)
}

fn read_signature(text: &str) -> Option<Signature> {
    if text.len() > MAX_SIGNATURE_TEXT {
        return None;
    }
    let raw: [u8; 64] = decode_base64(text)?.try_into().ok()?;
    Some(Signature::from_bytes(&raw))
}
