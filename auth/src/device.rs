//! Device identity: keys, ids, and the signature over one connect (protocol 5, rows H1-H6).
//!
//! A device is its Ed25519 key; its id is the lower-case hex SHA-256 of the raw key. The signature covers the nonce of
//! this connection, so it cannot be replayed on another one (H1). At most one payload layout is verified.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use sha2::{Digest as _, Sha256};

mod signature;

pub use signature::{DeviceFault, Layout, Signed, VerifiedDevice, payload, verify};

/// A PEM SPKI of an Ed25519 key has 113 bytes; leave room for line ends.
const MAX_KEY_TEXT: usize = 256;

/// The fingerprint of a device key: 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(Box<str>);

impl DeviceId {
    /// Read a stored or sent id; upper case is not an id (protocol 5.1).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 64 && text.bytes().all(hex)).then(|| Self(text.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A raw Ed25519 public key that is a usable point (H6).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Base64url, standard base64, or a PEM SPKI; `None` for anything else, small-order points included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        read_point(text).map(|point| Self(point.to_bytes()))
    }

    /// The 32 raw bytes.
    #[must_use]
    pub fn from_raw(raw: [u8; 32]) -> Option<Self> {
        let point = VerifyingKey::from_bytes(&raw).ok()?;
        (!point.is_weak()).then_some(Self(raw))
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Base64url without padding, as devices send it.
    #[must_use]
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The id that belongs to this key.
    #[must_use]
    pub fn device_id(&self) -> DeviceId {
        DeviceId(hex(&Sha256::digest(self.0)).into())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.encode())
    }
}

/// `connect.params.device`, as sent.
#[derive(Clone, Debug)]
pub struct DeviceProof {
    pub id: Box<str>,
    pub public_key: Box<str>,
    pub signature: Box<str>,
    /// Unix milliseconds.
    pub signed_at: i64,
    pub nonce: Box<str>,
}

/// What `connect.challenge` said on this connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub nonce: Box<str>,
    /// Unix milliseconds, as sent in `ts`.
    pub issued_at: u64,
}

/// A key as text to a usable point, decompressed once.
fn read_point(text: &str) -> Option<VerifyingKey> {
    let text = text.trim();
    if text.len() > MAX_KEY_TEXT {
        return None;
    }
    let point = if text.starts_with("-----BEGIN") {
        VerifyingKey::from_public_key_pem(text).ok()?
    } else {
        let raw: [u8; 32] = decode_base64(text)?.try_into().ok()?;
        VerifyingKey::from_bytes(&raw).ok()?
    };
    (!point.is_weak()).then_some(point)
}

pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    [URL_SAFE_NO_PAD, STANDARD, STANDARD_NO_PAD, URL_SAFE]
        .iter()
        .find_map(|engine| engine.decode(text).ok())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
