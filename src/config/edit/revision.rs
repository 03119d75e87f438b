//! The base hash of `config.get`: a writer shows that it saw the text it changes.
//!
//! The hash is keyed with a random key of this process: a reader of `config.get` must not be able to try
//! passwords against it. It is opaque to clients and ends with the process, which only makes them read again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize;

use crate::config::document::Document;
use crate::config::problem::Problem;

/// The key of this process's hashes.
#[derive(Clone)]
pub struct RevisionKey([u8; 32]);

impl RevisionKey {
    /// A key of 32 bytes from `getrandom`, which the caller fills.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The hash of a text; `None` is no file.
    pub fn hash(&self, text: Option<&str>) -> String {
        let inner = Sha256::digest(text.unwrap_or_default().as_bytes());
        let mut outer = Sha256::new();
        outer.update(self.0);
        outer.update([u8::from(text.is_some())]);
        outer.update(inner);
        format!("sha256:{}", URL_SAFE_NO_PAD.encode(outer.finalize()))
    }

    /// Checks the base hash of a write against the current file. Without a file none is needed.
    ///
    /// # Errors
    /// The two messages that official clients know.
    pub fn check(&self, current: Option<&Document>, base: Option<&str>) -> Result<(), Problem> {
        let Some(document) = current else { return Ok(()) };
        match base {
            None => Err(Problem::new("", BASE_REQUIRED)),
            Some(base) if base == self.hash(Some(&document.text)) => Ok(()),
            Some(_) => Err(Problem::new("", BASE_STALE)),
        }
    }
}

impl Drop for RevisionKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for RevisionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The message for a write without a base hash.
pub const BASE_REQUIRED: &str = "config base hash required; re-run config.get and retry";

/// The message for a write over somebody else's.
pub const BASE_STALE: &str = "config changed since last load; re-run config.get and retry";
