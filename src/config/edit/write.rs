//! The file is replaced whole or not at all (`J11`).
//!
//! A new file with mode 0600 next to the old one, written and synced, the old text kept once as
//! `<file>.bak`, then one rename and a sync of the directory. A crash at any step leaves the old file.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::guard;
use crate::config::problem::Problem;

/// The steps of a replacement, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Create the new file.
    Create,
    /// Write it.
    Write,
    /// Sync it.
    Sync,
    /// Keep the old text as the backup.
    Backup,
    /// Put the new file in place.
    Rename,
    /// Sync the directory.
    SyncFolder,
}

/// Replaces the content of `path` by `text`.
///
/// # Errors
/// A symbolic link, a foreign file or directory (`J1`-`J4`), or the step that failed.
pub fn replace(path: &Path, text: &str) -> Result<(), Problem> {
    replace_watched(path, text, &mut |_| Ok(()))
}

/// As [`replace`]; `before` is asked before every step and may refuse it.
///
/// # Errors
/// As [`replace`].
pub fn replace_watched(
    path: &Path,
    text: &str,
    before: &mut dyn FnMut(Step) -> io::Result<()>,
) -> Result<(), Problem> {
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    guard::create_private(folder)?;
    let old = guard::read(path, usize::MAX)?.map(|guarded| guarded.text);
    let work = sibling(path, &format!(".{}.tmp", uuid::Uuid::new_v4().simple()));
    let result = run(path, (&work, text), old.as_deref(), before);
    if result.is_err() {
        // Gone already after the rename; nothing else can be done about a file that stays.
        drop(std::fs::remove_file(&work));
    }
    result.map_err(|error| {
        Problem::new("", format!("cannot write `{}`: {}", path.display(), error.kind()))
            .hint("the file is the old one or the new one, never a part of either")
    })
}

fn run(
    path: &Path,
    (work, text): (&Path, &str),
    old: Option<&str>,
    before: &mut dyn FnMut(Step) -> io::Result<()>,
) -> io::Result<()> {
    before(Step::Create)?;
    let mut file = create(work)?;
    before(Step::Write)?;
    file.write_all(text.as_bytes())?;
    before(Step::Sync)?;
    file.sync_all()?;
    if let Some(old) = old {
        before(Step::Backup)?;
        back_up(path, old)?;
    }
    before(Step::Rename)?;
    std::fs::rename(work, path)?;
    before(Step::SyncFolder)?;
    File::open(path.parent().unwrap_or_else(|| Path::new("/")))?.sync_all()
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn back_up(path: &Path, old: &str) -> io::Result<()> {
    let work = sibling(path, &format!(".bak.{}.tmp", uuid::Uuid::new_v4().simple()));
    let result = create(&work).and_then(|mut file| {
        file.write_all(old.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&work, sibling(path, ".bak"))
    });
    if result.is_err() {
        drop(std::fs::remove_file(&work));
    }
    result
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}
