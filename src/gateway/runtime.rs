//! The runtime file: where the running gateway really listens, for local clients (mode 0600).

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::protocol::frame;

use super::{Failure, state::write_private};

/// Name of the file in the state directory.
pub const FILE: &str = "gateway.runtime.json";

/// What a local client needs to dial.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Runtime {
    pub pid: u32,
    pub port: u16,
    /// Loopback first.
    pub urls: Vec<String>,
    pub tls: Option<TlsFacts>,
    pub started_at_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TlsFacts {
    /// `sha256:<hex>` of the leaf certificate.
    pub fingerprint: String,
}

/// The written file; dropping it removes it.
#[derive(Debug)]
pub struct RuntimeFile(PathBuf);

impl RuntimeFile {
    /// Writes the file.
    ///
    /// # Errors
    /// When the state directory does not take it.
    pub fn write(directory: &Path, runtime: &Runtime) -> Result<Self, Failure> {
        let path = directory.join(FILE);
        write_private(&path, frame::to_text(runtime).as_bytes())?;
        Ok(Self(path))
    }
}

impl Drop for RuntimeFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}
