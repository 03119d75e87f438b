//! `<state>/gateway.runtime.json`: what the running gateway really opened, for clients on this host.
//!
//! The gateway writes it (0600) once its sockets are open and removes it when it stops; a gateway that was
//! killed leaves it behind, so a reader believes it only while the process lives.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use serde::{Deserialize, Serialize};

use super::private_file;

const FILE: &str = "gateway.runtime.json";

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeFile {
    pub pid: i32,
    pub port: u16,
    /// Every URL that a client on this host can dial, the best one first.
    pub urls: Vec<String>,
    /// Present when the sockets speak TLS.
    #[serde(default)]
    pub tls: Option<RuntimeTls>,
    pub started_at_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeTls {
    /// `sha256:…` of the leaf certificate.
    pub fingerprint: String,
}

/// Where the file is.
#[must_use]
pub fn path(state: &Path) -> PathBuf {
    state.join(FILE)
}

/// The gateway that runs on this state directory; none if there is no file, or its process is gone.
#[must_use]
pub fn read(state: &Path) -> Option<RuntimeFile> {
    let text = private_file::read(&path(state)).ok()??;
    let file: RuntimeFile = serde_json::from_str(&text).ok()?;
    lives(file.pid).then_some(file)
}

/// Writes the file.
///
/// # Errors
/// The state directory cannot be written.
pub fn write(state: &Path, file: &RuntimeFile) -> io::Result<()> {
    let text = serde_json::to_string_pretty(file).map_err(io::Error::other)?;
    private_file::write_fleeting(&path(state), &(text + "\n"))
}

/// A written file; dropping it removes it.
#[derive(Debug)]
pub struct Published(PathBuf);

/// Writes the file for as long as the answer lives.
///
/// # Errors
/// The state directory cannot be written.
pub fn publish(state: &Path, file: &RuntimeFile) -> io::Result<Published> {
    write(state, file)?;
    Ok(Published(path(state)))
}

impl Drop for Published {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn lives(pid: i32) -> bool {
    // The library panics on a negative number, and 0 would mean our own group.
    let Some(pid) = (pid > 0).then(|| Pid::from_raw(pid)).flatten() else { return false };
    // A process of another user answers "not permitted": it is there.
    matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_that_is_gone_is_not_believed() {
        let home = tempfile::tempdir().expect("temp");
        assert_eq!(read(home.path()), None);
        let own = i32::try_from(std::process::id()).expect("pid");
        let mut file = RuntimeFile {
            pid: own,
            port: 1,
            urls: vec!["ws://127.0.0.1:1".to_owned()],
            tls: None,
            started_at_ms: 5,
        };
        write(home.path(), &file).expect("write");
        assert_eq!(read(home.path()), Some(file.clone()));
        for pid in [0, -1, i32::MAX] {
            file.pid = pid;
            write(home.path(), &file).expect("write");
            assert_eq!(read(home.path()), None, "{pid}");
        }
        std::fs::write(path(home.path()), "{").expect("write");
        assert_eq!(read(home.path()), None);
    }
}
