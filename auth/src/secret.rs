//! Secrets: a type that does not print, a compare that does not leak, and the lint for configured ones.
//!
//! Both sides are hashed before a constant-time compare (row E11), bytes are compared as they are, without Unicode
//! folding (E13), and nothing longer than 1 KiB is hashed at all (E14).

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

mod vet;

pub use vet::{Exposure, Refusal, Warning, vet};

/// The longest credential that is looked at (E14).
pub const MAX_CREDENTIAL_BYTES: usize = 1024;

/// Bytes that leave memory when dropped and never reach a log.
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// Take ownership of a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into().into_bytes().into_boxed_slice()))
    }

    /// The bytes, for hashing, signing and the wire; never for a message.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The text, where the secret came from or goes to JSON.
    #[must_use]
    pub fn expose_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Constant-time equality over digests.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        bool::from(digest(self.expose()).ct_eq(&digest(other.expose())))
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The configured token or password, kept as a digest only.
#[derive(Clone)]
pub struct SharedSecret {
    /// `None` is a secret that nothing equals (E1: an empty expected value never matches).
    digest: Option<Zeroizing<[u8; 32]>>,
}

impl SharedSecret {
    /// Keep the digest of a configured secret. An empty one matches nothing; `vet` refuses it earlier.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let digest = (!secret.is_empty()).then(|| Zeroizing::new(digest(secret.expose())));
        Self { digest }
    }

    /// True when `presented` is the secret; constant time in its content and in the length of the configured one.
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        if presented.is_empty() || presented.len() > MAX_CREDENTIAL_BYTES {
            return false;
        }
        self.digest.as_ref().is_some_and(|own| bool::from(own.ct_eq(&digest(presented))))
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(***)")
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
